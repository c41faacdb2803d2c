"""An eviction as ``kubectl drain`` asks for it, of one pod."""

from __future__ import annotations

import json

from tests.local.cluster.kubectl import Kubectl


def evict(kubectl: Kubectl, namespace: str, pod: str) -> None:
    """Ask the API server to evict a pod; it gets its grace period."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(eviction))
