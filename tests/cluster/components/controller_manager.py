"""The controller manager: Jobs, garbage collection, service accounts, claims.

What happens if it dies? Nothing is collected or bound until the next `up`; nothing that runs is touched.
"""

from __future__ import annotations

from tests.cluster import commands
from tests.cluster.answers import answers_ok
from tests.cluster.component import Daemon
from tests.cluster.components.pki import Pki
from tests.cluster.places import Places
from tests.machine.process import Process

_PORT = 10257


def controller_manager(places: Places, pki: Pki) -> Daemon:
    """kube-controller-manager, one replica, each controller with its own service account."""
    pair, (_, signing) = pki.client("controller-manager"), pki.service_account_key
    argv = (
        str(commands.kubernetes() / "kube-controller-manager"),
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
    process = Process("kube-controller-manager", argv, places.logs / "kube-controller-manager.log", places.processes)
    url = f"https://127.0.0.1:{_PORT}/healthz"
    return Daemon(process, lambda: answers_ok(url, authority=pki.authority.certificate))
