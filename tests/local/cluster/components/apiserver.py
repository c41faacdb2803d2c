"""The API server."""

from __future__ import annotations

from dataclasses import dataclass

from tests.local.cluster import commands
from tests.local.cluster.component import Daemon
from tests.local.cluster.components.pki import ADMIN, Pki
from tests.local.cluster.paths import SERVICE_CIDR, Paths, Ports
from tests.local.machine.http_check import answers_ok
from tests.local.machine.process import Process


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the API server listens (`bind`, an address of this machine) and what it tells others (`advertise`)."""

    bind: str
    advertise: str


def api_server(
    paths: Paths,
    ports: Ports,
    pki: Pki,
    listener: Listener,
    *,
    more: tuple[str, ...] = (),
    launcher: tuple[str, ...] = (),
) -> Daemon:
    """kube-apiserver with Node and RBAC authorisation and Kubernetes' default admission; `more` are further flags."""
    own, to_kubelet = pki.api_server, pki.client("apiserver-to-kubelet")
    public, private = pki.service_account_key
    argv = (
        *launcher,
        str(commands.kubernetes_command("kube-apiserver")),
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        f"--bind-address={listener.bind}",
        f"--advertise-address={listener.advertise}",
        f"--secure-port={ports.api}",
        f"--tls-cert-file={own.certificate}",
        f"--tls-private-key-file={own.key}",
        f"--client-ca-file={pki.authority.certificate}",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={public}",
        f"--service-account-signing-key-file={private}",
        f"--kubelet-client-certificate={to_kubelet.certificate}",
        f"--kubelet-client-key={to_kubelet.key}",
        f"--kubelet-certificate-authority={pki.authority.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--allow-privileged=true",
        "--shutdown-delay-duration=0s",
        *more,
    )
    process = Process("kube-apiserver", argv, paths.logs / "kube-apiserver.log", paths.processes)
    base, admin = f"https://{listener.bind}:{ports.api}", pki.client(ADMIN)

    def answers() -> bool:
        # /readyz alone is early: the API server makes the default namespace a moment later.
        probed = ("/readyz", "/api/v1/namespaces/default")
        return all(answers_ok(base + path, authority=pki.authority.certificate, client=admin) for path in probed)

    return Daemon(process, answers, patience=120, grace=3)
