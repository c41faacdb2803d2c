"""The local cluster that the tests of this folder share, and namespaces to work in.

The cluster is adopted when it runs and stays up afterwards: bringing it up costs ten seconds, its images minutes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.local.cluster import flow
from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.local.meetings.livekit import LocalMeeting

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The whole cluster, up: `kubeconfig`, `kubectl` (administrator), `volumes`, `paths`."""
    return flow.up()


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl as administrator; `kubectl.in_namespace(...)`, `kubectl.as_user(...)` return others."""
    return cluster.kubectl


@pytest.fixture(scope="module")
def meeting() -> LocalMeeting:
    """The machine's one local meeting, up."""
    meeting = LocalMeeting()
    meeting.start()
    return meeting


@pytest.fixture(scope="session")
def deleted_namespaces(cluster: Cluster) -> Iterator[list[str]]:
    """Namespaces that are on their way out; the run ends when they are gone."""
    names: list[str] = []
    yield names
    for name in names:
        cluster.kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=90s")
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
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=30s")
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
