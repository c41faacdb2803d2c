"""The scheduler."""

from __future__ import annotations

from tests.local.cluster import commands
from tests.local.cluster.component import Daemon
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.paths import Paths
from tests.local.machine.http_check import answers_ok
from tests.local.machine.process import Process

_PORT = 10259


def scheduler(paths: Paths, pki: Pki) -> Daemon:
    """kube-scheduler, one replica."""
    pair = pki.client("scheduler")
    argv = (
        str(commands.kubernetes_command("kube-scheduler")),
        f"--kubeconfig={pki.kubeconfig('scheduler')}",
        "--bind-address=127.0.0.1",
        f"--secure-port={_PORT}",
        f"--tls-cert-file={pair.certificate}",
        f"--tls-private-key-file={pair.key}",
        "--leader-elect=false",
    )
    process = Process("kube-scheduler", argv, paths.logs / "kube-scheduler.log", paths.processes)
    url = f"https://127.0.0.1:{_PORT}/healthz"
    return Daemon(process, lambda: answers_ok(url, authority=pki.authority.certificate))
