"""buildah with a storage of its own, in the cache: layers are kept between builds and shared by every clone.

Only what the Dockerfile says goes into an image. What this machine needs to reach its package registries (certificate
bundle, pip's configuration, proxies) is lent for the duration of the build and leaves nothing
but empty mount points.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.local.machine import cache
from tests.local.machine.execute import narrated, output, succeeds

_STEP = re.compile(r"(\[\d+/\d+\] )?STEP \d+/\d+: ")
_LENT_CERTIFICATES = "/run/build/certificates.crt"
_LENT_WHEELS = "/run/build/wheels"


def buildah(*arguments: str | Path) -> str:
    """Run one buildah command on our storage; its stdout, stripped."""
    return output(*_argv(*arguments)).strip()


def has_image(name: str) -> bool:
    """True when the storage has an image of this name."""
    return succeeds(*_argv("inspect", "--type=image", name))


def clear_working_containers() -> None:
    """Remove what a killed build left; the caller holds the build lock."""
    for container in buildah("containers", "--quiet").split():
        buildah("rm", container)


def bud(context: Path, dockerfile: Path, tag: str, contexts: Mapping[str, Path]) -> None:
    """Build `dockerfile` in `context` as `tag`, showing which of its steps is at work.

    `contexts` are further folders that it copies from, by the names that it calls them.

    Raises `CommandFailedError` when one fails.
    """
    with _lent() as volumes:
        argv = _argv(
            "bud",
            "--pull-never",
            "--layers",
            "--isolation=chroot",
            *(f"--volume={volume}" for volume in volumes),
            *(f"--build-context={name}={folder}" for name, folder in contexts.items()),
            f"--file={dockerfile}",
            f"--tag={tag}",
            context,
        )
        name = tag.rpartition("/")[2].partition(":")[0]
        narrated("nice", "-n", "10", *argv, log=f"image-{name}", meaning=_step)


@contextmanager
def mounted(tag: str) -> Iterator[Path]:
    """The files of an image of our storage, for the block; nobody writes there."""
    container = buildah("from", "--pull-never", tag)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def push(tag: str, *, plain_http: bool) -> None:
    """Push `tag` to the registry that it names. Without compression on this machine: nothing travels."""
    flags = ["--tls-verify=false", "--disable-compression"] if plain_http else []
    buildah("push", "--quiet", *flags, tag, f"docker://{tag}")


def _step(line: str) -> str | None:
    return line if _STEP.match(line) else None


def _argv(*arguments: str | Path) -> list[str | Path]:
    storage = cache.root() / "buildah"
    places = (f"--root={storage / 'storage'}", f"--runroot={storage / 'run'}", f"--storage-driver={_driver()}")
    return ["buildah", *places, *arguments]


def _driver() -> str:
    known = Path("/proc/filesystems").read_text().split()
    return "overlay" if "overlay" in known else "vfs"  # vfs copies every layer whole: slow, works anywhere


@contextmanager
def _lent() -> Iterator[list[str]]:
    """Volumes for the build: certificate bundle and pip configuration of this machine, as far as it has them."""
    with tempfile.TemporaryDirectory(prefix="meeting-buddy-build-") as folder:
        volumes = []
        settings = _pip_settings()
        bundle = settings.pop("cert", None) or os.environ.get("SSL_CERT_FILE")
        if bundle and Path(bundle).is_file():
            volumes.append(f"{bundle}:{_LENT_CERTIFICATES}:ro")
            settings["cert"] = _LENT_CERTIFICATES
        wheels = settings.pop("find-links", "")
        if Path(wheels).is_dir() and wheels:
            volumes.append(f"{wheels}:{_LENT_WHEELS}:ro")
            settings["find-links"] = _LENT_WHEELS
        configuration = Path(folder) / "pip.conf"
        lines = [f"{key} = {value}" for key, value in sorted(settings.items())]
        configuration.write_text("\n".join(["[global]", *lines, ""]))
        volumes.append(f"{configuration}:/etc/pip.conf:ro")
        yield volumes


def _pip_settings() -> dict[str, str]:
    """What `pip config list` says, whatever the level; the environment's word comes last and wins."""
    run = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    settings = {}
    for line in sorted(run.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        name, separator, value = line.partition("=")
        if separator:
            settings[name.rsplit(".", 1)[-1]] = value.strip("'\"")
    return settings
