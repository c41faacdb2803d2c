"""The local cluster that the tests of this folder share, and namespaces to work in.

The cluster is adopted when it runs and stays up afterwards: bringing it up costs ten seconds, its images minutes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.local.cluster import flow
from tests.local.cluster.components.containerd import Containerd
from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.support.awaiting import wait_until

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
_BACK = 240.0
"""Seconds until everything that ran on the cluster is ready again: all of it starts at once."""


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The whole cluster, up: `kubeconfig`, `kubectl` (administrator), `volumes`, `paths`."""
    return flow.up()


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl as administrator; `kubectl.in_namespace(...)`, `kubectl.as_user(...)` return others."""
    return cluster.kubectl


@pytest.fixture
def restored(cluster: Cluster) -> Iterator[None]:
    """A test may end parts of the cluster: it is whole again afterwards, with all that ran on it, whatever happened.

    For tests marked `cluster_alone`: other modules are between two of their tests meanwhile.
    """
    before = _incomplete(cluster.kubectl)
    yield
    flow.up()
    wait_until(
        lambda: _incomplete(cluster.kubectl) <= before and _whole(cluster), "what ran there is ready again", _BACK
    )


def _incomplete(kubectl: Kubectl) -> set[tuple[str, str, str]]:
    """Kinds, namespaces and names of the Deployments and DaemonSets of which something is missing.

    Not the complete ones: a namespace that an earlier module removed may be on its way out with its own.
    """
    found = set()
    for each in kubectl.json("get", "deployments,daemonsets", "--all-namespaces")["items"]:
        kind, metadata, status = each["kind"], each["metadata"], each["status"]
        if kind == "Deployment":
            missing = each["spec"]["replicas"] - status.get("availableReplicas", 0)
        else:
            missing = status["desiredNumberScheduled"] - status.get("numberAvailable", 0)
        if missing > 0 or status.get("observedGeneration") != metadata["generation"]:
            found.add((kind, metadata["namespace"], metadata["name"]))
    return found


def _whole(cluster: Cluster) -> bool:
    """Whether every part of the cluster does its work, its DNS too, and each container that is called running runs."""
    # A node that was off for less than the control plane's patience is believed what it said before.
    tasks = [line.split() for line in Containerd(cluster.paths).ctr("tasks", "list").splitlines()]
    running = {task[0] for task in tasks if task[-1] == "RUNNING"}
    return _called_running(cluster.kubectl) <= running and all(part.ready() for part in flow.components())


def _called_running(kubectl: Kubectl) -> set[str]:
    """The ids of the containers that run, by the pods' status."""
    statuses = [pod["status"] for pod in kubectl.json("get", "pods", "--all-namespaces")["items"]]
    kinds = ("initContainerStatuses", "containerStatuses")
    containers = [each for status in statuses for kind in kinds for each in status.get(kind, ())]
    return {each["containerID"].rpartition("/")[2] for each in containers if "running" in each["state"]}


@pytest.fixture(scope="session")
def deleted_namespaces(cluster: Cluster) -> Iterator[list[str]]:
    """Namespaces that are on their way out; the run ends when they are gone."""
    names: list[str] = []
    yield names
    for name in names:
        cluster.kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=240s", timeout=250)
    cluster.volumes.recycle()


@pytest.fixture(scope="module")
def make_namespace(cluster: Cluster, deleted_namespaces: list[str]) -> Iterator[Callable[[str], str]]:
    """Makes a namespace that enforces restricted pod security; all are removed when the module ends.

    `make_namespace("endings")` returns its name, `endings-` and six hex digits.
    """
    made: list[str] = []

    def make(prefix: str) -> str:
        name = f"{prefix}-{secrets.token_hex(3)}"
        made.append(name)
        metadata = {"name": name, "labels": RESTRICTED}
        cluster.kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        # Pods cannot be created before the namespace has its default service account.
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=100s")
        return name

    yield make
    for name in made:
        _release_pods(cluster.kubectl.in_namespace(name))
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        deleted_namespaces.append(name)


def _release_pods(kubectl: Kubectl) -> None:
    """Take the finalizers off pods that are left: the operator that would release them may be gone already."""
    for pod in kubectl.json("get", "pods")["items"]:
        if pod["metadata"].get("finalizers"):
            nothing = json.dumps({"metadata": {"finalizers": None}})
            kubectl.run("patch", "pod", pod["metadata"]["name"], "--type=merge", f"--patch={nothing}")
