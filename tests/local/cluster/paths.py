"""Where the cluster keeps its things, and which names, addresses and ports it uses.

Outside every clone: there is one cluster per machine, and a second clone adopts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.local.clone import REPOSITORY
from tests.local.machine.paths import Root

NODE_NAME = "node1"
NODE_ADDRESS = "10.245.0.1"  # on `lo`: kernels without the `dummy` link type have no better place for it
NODE_ADDRESS_RANGE = "10.245.0.0/24"
BRIDGE = "mb0"
POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
CLUSTER_DOMAIN = "cluster.local"
DNS_PORT = 53  # Services by name, on the node's address
FIRST_SERVICE_ADDRESS = "10.96.0.1"  # `kubernetes.default`: the first of SERVICE_CIDR, by Kubernetes' own rule
REGISTRY = "localhost:5000"  # containerd and buildah speak plain HTTP to this name only
REGISTRY_PORT = 5000
PLATFORM_SITES_PORT = 443  # synthetic pages under the platforms' own names, on the node's address
MEETING_TLS_PORT = 8443  # the local meeting's page, tokens and signalling, on the node's address
MEETING_MEDIA_PORT = 7882  # its media, UDP, on the node's address

CLONE_KUBECONFIG = REPOSITORY / ".cluster" / "kubeconfig"


@dataclass(frozen=True, slots=True)
class Paths(Root):
    """The cluster's folders."""

    @property
    def host_changes(self) -> Path:
        """Notes of what was changed on the machine outside the root (`host_changes.HostChanges`)."""
        return self.root / "state.json"

    @property
    def pki(self) -> Path:
        """The cluster's certificate authority and its pairs."""
        return self.root / "pki"

    @property
    def kubeconfigs(self) -> Path:
        """One kubeconfig per component."""
        return self.root / "kubeconfigs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.kubeconfigs / "admin"

    @property
    def etcd(self) -> Path:
        """etcd's data."""
        return self.root / "etcd"

    @property
    def containerd(self) -> Path:
        """containerd's root, state and configuration."""
        return self.root / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.containerd / "containerd.sock"

    @property
    def cni(self) -> Path:
        """The pod network's configuration and leased addresses."""
        return self.root / "cni"

    @property
    def dns(self) -> Path:
        """The name server's files."""
        return self.root / "dns"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root folder."""
        return self.root / "kubelet"

    @property
    def volumes(self) -> Path:
        """The folders behind the persistent volumes."""
        return self.root / "volumes"

    @property
    def registry(self) -> Path:
        """The registry's configuration and blobs."""
        return self.root / "registry"


HERE = Paths(Path("/var/lib/meeting-buddy/cluster"))
"""The one cluster of this machine."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the control plane's own servers listen."""

    etcd: int = 12379  # not 2379: the machine may run an etcd of its own
    etcd_peer: int = 12380
    api: int = 6443
