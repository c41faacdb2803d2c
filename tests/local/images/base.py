"""`debian:bookworm-slim`, made on this machine, from the Debian mirror that it uses, where no registry can be reached.

It is what the name promises: Debian 12's minimal packages, without documentation, with Debian's package sources.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.local.images.buildah import buildah, has_image
from tests.local.machine.execute import narrated, output

NAME = "docker.io/library/debian:bookworm-slim"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")
SOURCE = re.compile(r"^ *-?\d+ (\S+) \S+/main .*\n +release .*\bo=Debian,.*\bl=([^,\n]+)", re.MULTILINE)
"""Address and label of a source of Debian's own, by what `apt-cache policy` says of it."""


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
    policy = _policy()
    if not SOURCE.search(policy):  # nobody has asked the mirrors yet
        narrated("apt-get", "--quiet", "update", log="apt-update")
        policy = _policy()
    archive, security = mirrors(policy)
    return "".join(
        f"Types: deb\nURIs: {mirror}\nSuites: {suites}\nComponents: main\nSigned-By: {_KEYRING}\n\n"
        for mirror, suites in ((archive, "bookworm bookworm-updates"), (security, "bookworm-security"))
    )


def _policy() -> str:
    return output("apt-cache", "policy", environment={"LC_ALL": "C"})


def mirrors(policy: str) -> tuple[str, str]:
    """The Debian mirrors that a machine uses, archive and security; Debian's own where none is known.

    Args:
        policy: what `apt-cache policy` says: each source's address, and below it whose release is there.
    """
    found = {label: address for address, label in reversed(SOURCE.findall(policy))}
    archive = _address(found.get("Debian", "")) or "http://deb.debian.org/debian"
    return archive, _address(found.get("Debian-Security", "")) or f"{archive}-security"


def _address(source: str) -> str | None:
    """An address that is fetched by HTTP, or the first of those in the list that a source names, as cloud images do."""
    if source.startswith("mirror+file:"):
        listed = Path("/" + source.removeprefix("mirror+file:").lstrip("/"))
        source = next(iter(listed.read_text().split()), "") if listed.is_file() else ""
    return source.rstrip("/") if source.startswith(("http://", "https://")) else None
