"""The node's object in the API, made before the kubelet registers itself.

kube-proxy waits for the object and its address. It would otherwise have to start after the kubelet, and the firewall,
which goes in front of kube-proxy's rules, after the first pods.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.local.cluster import api
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import NODE_ADDRESS, NODE_NAME, POD_CIDR


@dataclass(frozen=True, slots=True)
class Node:
    """The Node `NODE_NAME`; the kubelet adopts it."""

    pki: Pki
    kubectl: Kubectl
    name: str = field(default="node object", init=False)

    def start(self) -> str:
        """Create it with its address unless it is there."""
        if self.ready():
            return "adopted"
        labels = {"kubernetes.io/hostname": NODE_NAME}
        metadata = {"name": NODE_NAME, "labels": labels}
        self.kubectl.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"podCIDR": POD_CIDR}})
        status = {"status": {"addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}]}}
        self.kubectl("patch", "node", NODE_NAME, "--subresource=status", f"--patch={json.dumps(status)}")
        return "made"

    def ready(self) -> bool:
        """True when it exists and says where the node is."""
        try:
            node = api.get(self.pki, f"/api/v1/nodes/{NODE_NAME}")
        except OSError:
            return False
        return node is not None and bool(node["status"].get("addresses"))

    def stop(self) -> None:
        """Nothing runs; the object goes with etcd's data."""
