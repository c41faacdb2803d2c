"""The operator, installed by its chart beside any other installation, with bots that only speak the contract."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.operator_process import Sessions
from tests.local.clone import CRD
from tests.local.cluster.api_client import ApiClient
from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.local.images import build
from tests.local.installation import install, local_values, pod_processes, uninstall
from tests.local.installation.install import prepare_namespace
from tests.local.installation.values import bot_class
from tests.support.awaiting import wait_until

RELEASE = "endings"
STARTUP_SECONDS = 20
_TINY = {"cpu": "30m", "memory": "96Mi", "memoryLimit": "256Mi"}
"""These bots have no browser, and the machine has other guests."""


def _class(startup_seconds: int = STARTUP_SECONDS, grace_seconds: int = 15, **changes: Any) -> dict[str, Any]:
    timeouts = {"startupTimeoutSeconds": startup_seconds, "graceSeconds": grace_seconds}
    resources = {"audio": _TINY, "720p": _TINY, "1080p": _TINY}
    return bot_class(**{"timeouts": timeouts, "resources": resources, **changes})


CLASSES: dict[str, dict[str, Any]] = {
    "default": _class(120),
    "hasty": _class(),
    "brisk": _class(120, 10),
    "punctual": _class(timeouts={"startupTimeoutSeconds": 120, "graceSeconds": 15, "startLeadSeconds": 2}),
    "no-image": _class(image="localhost:5000/meeting-buddy/contract-bot:nobody-built-this"),
    "no-room": _class(nodeSelector={"meetingbuddy.io/nowhere": "true"}),
    "no-claim": _class(storage={"claim": "nobody-made-this"}),
    "no-ca": _class(extraCa={"configMap": "nobody-made-this-either"}),
    "no-profile": _class(sandbox={"seccompProfile": "nobody/copied-this.json"}),
}


@dataclass(frozen=True)
class Installed:
    """One installation: its operator, and the namespaces that it serves."""

    kubectl: Kubectl
    own: str
    namespace: str
    other: str
    """A second namespace, which a test may delete."""

    @property
    def sessions(self) -> Sessions:
        """What an author of sessions sees."""
        return Sessions(self.kubectl.in_namespace(self.namespace))

    def operators(self) -> list[str]:
        """Names of the operator's pods that are not going away."""
        pods = ApiClient(self.kubectl.kubeconfig, self.own).get("pods")["items"]
        return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def kill_operator(self) -> None:
        """kill -9 of the operator's process; the kubelet starts its container anew."""
        for name in self.operators():
            pod_processes.kill(self.kubectl, self.own, name, "python")

    def leader(self) -> str:
        """Who holds the Lease."""
        lease = ApiClient(self.kubectl.kubeconfig, self.own).get("leases", "meeting-buddy-operator")
        return str(lease["spec"]["holderIdentity"])

    def scale(self, replicas: int) -> None:
        """Run so many operators, and wait until they are ready."""
        deployment = f"deployment/{RELEASE}-operator"
        self.kubectl("scale", deployment, f"--replicas={replicas}", f"--namespace={self.own}")
        self.kubectl("rollout", "status", deployment, f"--namespace={self.own}", "--timeout=110s")
        wait_until(lambda: len(self.operators()) == replicas, f"{replicas} operators", 120)


@pytest.fixture(scope="module")
def installed(cluster: Cluster, make_namespace: Callable[[str], str]) -> Iterator[Installed]:
    """The chart, installed for two fresh namespaces; removed when the module ends."""
    kubectl, own = cluster.kubectl, make_namespace("endings-operator")
    namespace, other = make_namespace("endings"), make_namespace("endings-other")
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CRD}")
    for each in (namespace, other):
        prepare_namespace(kubectl, each, "no certificate: these bots open no page\n")
    image = str(build("contract-bot"))
    _pull(kubectl.in_namespace(other), image)
    values = local_values(str(build("operator")), image, [namespace, other]) | {
        "botClasses": CLASSES,
        # Both belong to the cluster, not to this second installation.
        "crds": {"enabled": False},
        "admissionPolicy": {"enabled": False},
    }
    install(kubectl, values, release=RELEASE, namespace=own)
    yield Installed(kubectl, own, namespace, other)
    kubectl("delete", "meetingsessions", "--all", f"--namespace={namespace}", "--timeout=110s")
    wait_until(lambda: not Sessions(kubectl.in_namespace(namespace)).pods(), "all bots are gone", 120)
    uninstall(kubectl, release=RELEASE, namespace=own)


def _pull(kubectl: Kubectl, image: str) -> None:
    """Bring the image to the node, so that no test's patience is spent on that."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "pull", "image": image, "command": ["true"], "securityContext": security}
    spec = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pull"}, "spec": spec})
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/pull", "--timeout=240s", timeout=250)
    kubectl("delete", "pod", "pull", "--wait=false")


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Status and reason by type."""
    return {each["type"]: (each["status"], each["reason"]) for each in status.get("conditions", ())}


def told(sessions: Sessions, name: str) -> list[str]:
    """Reasons of the Events about a session, in order."""
    events = sessions.kubectl.json("get", "events.v1.events.k8s.io")["items"]
    mine = [event for event in events if event["regarding"]["name"] == name and event["regarding"]["kind"] != "Pod"]
    return [event["reason"] for event in sorted(mine, key=lambda event: str(event["eventTime"]))]


def gone(sessions: Sessions, pod: dict[str, Any], seconds: float = 120) -> float:
    """Wait until a pod is gone; how many seconds that took."""
    started, uid = time.monotonic(), pod["metadata"]["uid"]
    wait_until(lambda: uid not in {each["metadata"]["uid"] for each in sessions.pods()}, "the pod is gone", seconds)
    return time.monotonic() - started
