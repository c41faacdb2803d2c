"""etcd, Debian's, on loopback alone.

If it dies: the API server answers errors until the next `up` starts it on the same data. Nothing is synced to the
disk on purpose: this cluster is for tests, a machine that loses power starts it anew.
"""

from __future__ import annotations

from tests.local.cluster.component import Daemon
from tests.local.cluster.paths import Paths, Ports
from tests.local.machine.http_check import answers_ok
from tests.local.machine.process import Process


def etcd(paths: Paths, ports: Ports, launcher: tuple[str, ...] = ()) -> Daemon:
    """etcd on `ports`; `launcher` is put before its command line."""
    client = f"http://127.0.0.1:{ports.etcd}"
    peer = f"http://127.0.0.1:{ports.etcd_peer}"
    argv = (
        *launcher,
        "etcd",
        f"--data-dir={paths.etcd}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--logger=zap",
    )
    process = Process("etcd", argv, paths.logs / "etcd.log", paths.processes)
    return Daemon(process, lambda: answers_ok(f"{client}/health"))
