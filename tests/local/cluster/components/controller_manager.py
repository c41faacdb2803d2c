"""The controller manager: Jobs, garbage collection, service accounts, claims."""

from __future__ import annotations

from tests.local.cluster import commands
from tests.local.cluster.component import Daemon
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.paths import Paths
from tests.local.machine.http_check import answers_ok
from tests.local.machine.process import Process

_PORT = 10257


def controller_manager(paths: Paths, pki: Pki) -> Daemon:
    """kube-controller-manager, one replica, each controller with its own service account."""
    pair, (_, signing) = pki.client("controller-manager"), pki.service_account_key
    argv = (
        str(commands.kubernetes_command("kube-controller-manager")),
        f"--kubeconfig={pki.kubeconfig('controller-manager')}",
        "--bind-address=127.0.0.1",
        f"--secure-port={_PORT}",
        f"--tls-cert-file={pair.certificate}",
        f"--tls-private-key-file={pair.key}",
        "--leader-elect=false",
        f"--service-account-private-key-file={signing}",
        f"--root-ca-file={pki.authority.certificate}",
        f"--cluster-signing-cert-file={pki.authority.certificate}",
        f"--cluster-signing-key-file={pki.authority.key}",
        "--use-service-account-credentials=true",
    )
    process = Process("kube-controller-manager", argv, paths.logs / "kube-controller-manager.log", paths.processes)
    url = f"https://127.0.0.1:{_PORT}/healthz"
    return Daemon(process, lambda: answers_ok(url, authority=pki.authority.certificate))
