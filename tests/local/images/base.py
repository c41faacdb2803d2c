"""`debian:bookworm-slim`, made on this machine from its own Debian mirror where no image registry can be reached.

It is what the name promises: Debian 12's minimal packages, without documentation, with Debian's package sources.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.local.images.buildah import buildah, has_image
from tests.local.machine.execute import narrated

NAME = "docker.io/library/debian:bookworm-slim"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")


def ensure() -> None:
    """Make the base image unless the storage has it; about 20 s."""
    if has_image(NAME):
        return
    with tempfile.TemporaryDirectory(prefix="meeting-buddy-base-") as folder:
        sources, archive = Path(folder) / "debian.sources", Path(folder) / "base.tar"
        sources.write_text(_sources())
        excluded = (f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT)
        keep = "--dpkgopt=path-include=/usr/share/doc/*/copyright"  # licences travel with what they license
        # fmt: off
        narrated(
            "nice", "-n", "10", "mmdebstrap", "--variant=minbase", *excluded, keep, "bookworm", archive, sources,
            log="image-base", meaning=lambda line: line.removeprefix("I: "),
        )
        # fmt: on
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, archive, "/")
        buildah("config", "--cmd=bash", f"--env={_PATH}", container)
        buildah("commit", "--quiet", "--rm", container, NAME)


def _sources() -> str:
    archive, security = _mirrors()
    return "".join(
        f"Types: deb\nURIs: {mirror}\nSuites: {suites}\nComponents: main\nSigned-By: {_KEYRING}\n\n"
        for mirror, suites in ((archive, "bookworm bookworm-updates"), (security, "bookworm-security"))
    )


def _mirrors() -> tuple[str, str]:
    """This machine's Debian mirrors, as its own package sources name them: archive, security."""
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *folder.glob("*.sources"), *folder.glob("*.list")]
    text = "\n".join(path.read_text() for path in files if path.is_file())
    found = [uri.rstrip("/") for uri in re.findall(r"^(?!\s*#).*?(https?://\S+)", text, re.MULTILINE)]
    archive = next((uri for uri in found if uri.endswith("/debian")), None)
    security = next((uri for uri in found if uri.endswith("/debian-security")), None)
    if archive is None:
        raise LookupError("no Debian mirror in /etc/apt: the base image is made from this machine's own")
    return archive, security or f"{archive}-security"
