"""A cluster that lost processes is not lost: the next `make cluster` gives it back what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.local.cluster import flow
from tests.local.cluster.components.pause import PAUSE_IMAGE
from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.local.machine.process import identify, kill

pytestmark = [pytest.mark.cluster, pytest.mark.cluster_alone]

KILLED = ("kube-scheduler", "kube-controller-manager", "kubelet", "registry", "cluster-dns", "cluster-dns-names")


def pids(cluster: Cluster) -> dict[str, int]:
    """Process ids by name, as the cluster's own records have them."""
    records = cluster.paths.processes.glob("*.process.json")
    return {record.name.removesuffix(".process.json"): json.loads(record.read_text())["pid"] for record in records}


@pytest.mark.usefixtures("restored")
def test_killed_parts_come_back_and_the_others_are_adopted(
    cluster: Cluster, kubectl: Kubectl, make_namespace: Callable[[str], str]
) -> None:
    before = pids(cluster)
    for name in KILLED:
        found = identify(before[name])
        assert found is not None, name
        kill(found)
    assert not all(part.ready() for part in flow.components())

    flow.up()

    after = pids(cluster)
    assert all(part.ready() for part in flow.components())
    assert {name for name in before if after[name] != before[name]} == set(KILLED)
    here = kubectl.in_namespace(make_namespace("repair"))
    here.create(_pod("afterwards"))
    here("wait", "pod/afterwards", "--for=condition=Ready", "--timeout=110s")


def _pod(name: str) -> dict[str, object]:
    """A pod that does nothing: scheduled, started and reported by what was killed."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "pause", "image": PAUSE_IMAGE, "imagePullPolicy": "Never", "securityContext": security}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65535, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
