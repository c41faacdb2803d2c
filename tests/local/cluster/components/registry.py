"""The node's image registry, Debian's: images travel by layer, and an image that is missing is a true 404.

On loopback: containerd and the image builder reach it, pods do not.
"""

from __future__ import annotations

import json

from tests.local.cluster.component import Daemon
from tests.local.cluster.paths import REGISTRY_PORT, Paths
from tests.local.machine.http_check import answers_ok
from tests.local.machine.process import Process


def registry(paths: Paths) -> Daemon:
    """docker-registry on `REGISTRY_PORT` of 127.0.0.1."""
    configuration = paths.registry / "config.yml"
    document = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(paths.registry / "blobs")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{REGISTRY_PORT}"},
    }

    def prepare() -> None:
        paths.registry.mkdir(parents=True, exist_ok=True)
        configuration.write_text(json.dumps(document, indent=1))  # JSON is YAML

    argv = ("docker-registry", "serve", str(configuration))
    process = Process("registry", argv, paths.logs / "registry.log", paths.processes)
    return Daemon(process, lambda: answers_ok(f"http://127.0.0.1:{REGISTRY_PORT}/v2/"), prepare)
