"""The cluster's certificate authority, every pair it issues, and the kubeconfigs made of them.

The names are Kubernetes' own: a certificate's common name is the user, its organisations are the groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.local.cluster import kubeconfig
from tests.local.cluster.paths import FIRST_SERVICE_ADDRESS, NODE_ADDRESS, NODE_NAME, Paths
from tests.local.machine.certificates import Authority, Pair, Subject, signing_key

ADMIN = "admin"
_CLIENTS = {
    ADMIN: Subject("admin", ("system:masters",)),
    "controller-manager": Subject("system:kube-controller-manager", addresses=("127.0.0.1",)),
    "scheduler": Subject("system:kube-scheduler", addresses=("127.0.0.1",)),
    "proxy": Subject("system:kube-proxy"),
    "kubelet": Subject(f"system:node:{NODE_NAME}", ("system:nodes",), (NODE_NAME,), (NODE_ADDRESS, "127.0.0.1")),
    # The account that Kubernetes' own roles (`system:kube-dns`) let watch Services.
    "dns": Subject("system:serviceaccount:kube-system:kube-dns"),
    "apiserver-to-kubelet": Subject("apiserver-kubelet", ("system:masters",)),
}
_SERVER = Subject(
    "kube-apiserver",
    dns=("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"),
    addresses=("127.0.0.1", FIRST_SERVICE_ADDRESS, NODE_ADDRESS),
)


@dataclass(frozen=True)
class Pki:
    """Certificates, keys and kubeconfigs of one cluster."""

    paths: Paths
    server: str
    """The API server's URL, as the components and the administrator reach it."""
    name: str = field(default="certificates", init=False)

    @cached_property
    def authority(self) -> Authority:
        """The authority that everybody in the cluster trusts."""
        return Authority.ensure(self.paths.pki, "meeting-buddy local cluster")

    @property
    def api_server(self) -> Pair:
        """What the API server shows."""
        return self.authority.issue("apiserver", _SERVER)

    @property
    def service_account_key(self) -> tuple[Path, Path]:
        """Public and private key of service account tokens."""
        return signing_key(self.paths.pki, "service-accounts")

    def client(self, who: str) -> Pair:
        """The certificate of one of the cluster's own users."""
        return self.authority.issue(who, _CLIENTS[who])

    def kubeconfig(self, who: str) -> Path:
        """The kubeconfig of one of the cluster's own users."""
        return self.paths.kubeconfigs / who

    def start(self) -> str:
        """Issue what is missing; write every kubeconfig."""
        before = self.ready()
        _ = self.api_server, self.service_account_key
        for who in _CLIENTS:
            pair = self.client(who)
            kubeconfig.write(self.kubeconfig(who), server=self.server, authority=self.authority.certificate, user=pair)
        return "adopted" if before else "issued"

    def ready(self) -> bool:
        """True when there is an authority and every kubeconfig."""
        return self.authority.certificate.is_file() and all(self.kubeconfig(who).is_file() for who in _CLIENTS)

    def stop(self) -> None:
        """Nothing runs; the files go with the root."""
