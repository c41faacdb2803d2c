"""The pause image: one static program that holds a pod's namespaces. Built here, since no registry may be reachable."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile
from pathlib import Path

from tests.local.machine.cache import cached

PAUSE_IMAGE = "localhost/meeting-buddy/pause:1"
_SOURCE = Path(__file__).parents[1] / "pause"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def pause_archive() -> Path:
    """The image as an archive that `ctr images import` reads."""
    return cached("pause", [_SOURCE, PAUSE_IMAGE, platform.machine()], _build) / "pause.tar"


def _build(folder: Path) -> None:
    program = folder / "pause"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    argv = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(program), "."]
    subprocess.run(argv, cwd=_SOURCE, env=environment, check=True)
    layer = _tar({"pause": (program.read_bytes(), 0o755)})
    configuration = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = {"config.json": configuration, "manifest.json": manifest}
    members = {name: (json.dumps(content).encode(), 0o644) for name, content in files.items()}
    (folder / "pause.tar").write_bytes(_tar({**members, "layer.tar": (layer, 0o644)}))


def _tar(members: dict[str, tuple[bytes, int]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, (content, mode) in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
