"""A node that dies during a meeting and is declared dead: what its bot had recorded is finished by another pod.

Where that one is drained, by one more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.local.clone import CRD
from tests.local.cluster import flow, power_failure
from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import NODE_NAME
from tests.local.images import build
from tests.local.installation import install, local_values, uninstall
from tests.local.installation.attendance import UNTRANSCRIBED, Attendance, attending
from tests.local.installation.install import prepare_namespace
from tests.local.media.probe import probe
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.people import VOICES
from tests.support.awaiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.cluster_alone, pytest.mark.timeout(600)]  # all pods of the node die

RELEASE = "node-loss"
DECLARED_DEAD = 180.0
"""Seconds until the control plane says so of the pods of a node that is gone: it looks again after 40."""
FINISHED = 180.0
"""Seconds from the node's return to the session's end: operator and finisher have to start there."""


@pytest.fixture
def namespace(cluster: Cluster, meeting: LocalMeeting, make_namespace: Callable[[str], str]) -> Iterator[str]:
    """Where people record, with an installation of its own."""
    kubectl, own, namespace = cluster.kubectl, make_namespace("node-loss-operator"), make_namespace("node-loss")
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CRD}")
    prepare_namespace(kubectl, namespace, meeting.certificate_authority)
    # Both belong to the cluster, not to this second installation.
    others = {"crds": {"enabled": False}, "admissionPolicy": {"enabled": False}}
    values = local_values(str(build("operator")), str(build("bot")), [namespace]) | others
    install(kubectl, values, release=RELEASE, namespace=own)
    yield namespace
    kubectl("delete", "meetingsessions", "--all", f"--namespace={namespace}", "--timeout=90s")
    uninstall(kubectl, release=RELEASE, namespace=own)


@pytest.fixture
def node(namespace: str, restored: None) -> str:
    """The node with all that runs on it, the installation for `namespace` too: that is there again, to be removed."""
    return NODE_NAME


def test_what_was_recorded_on_a_node_that_died_is_finished_once_it_is_declared_dead(
    cluster: Cluster, meeting: LocalMeeting, namespace: str, node: str
) -> None:
    room = meeting.room(f"e2e-node-loss-{int(time.time())}")
    # Even where the session asks for it, a lost node is no reason for another bot.
    spec: dict[str, Any] = {"transcription": UNTRANSCRIBED, "onDisruption": "Rejoin"}
    with attending(cluster.kubectl, room, namespace=namespace, people=VOICES, **spec) as session:
        session.recording()
        session.people.wait_until_spoken(16)
        bot, kubectl = session.pod, session.kubectl
        power_failure.cut(cluster.paths)
        kubectl("delete", "node", node)
        died = time.monotonic()
        wait_until(lambda: _pod(kubectl, bot)["status"]["phase"] == "Failed", "its pod is dead", DECLARED_DEAD)
        print(f"declared dead after {time.monotonic() - died:.1f} s")
        # The operator died with the node: until there is another one, nobody says anything, and the pod waits for it.
        assert session.status["phase"] == "Recording"
        assert "finalizers" in _pod(kubectl, bot)["metadata"]
        flow.up()
        back = time.monotonic()
        wait_until(lambda: _operator_is_placed(cluster.kubectl), "an operator is to start", FINISHED)
        kubectl("cordon", node)  # as for a drain
        try:
            drained = wait_until(lambda: _finisher(kubectl, bot), "there is a finisher", FINISHED)
            assert drained["status"]["phase"] == "Pending"
            kubectl("delete", "pod", drained["metadata"]["name"], "--wait=false")
            wait_until(lambda: _follows(_finisher(kubectl, bot), drained), "another one follows", FINISHED)
        finally:
            kubectl("uncordon", node)
        session.watch.wait_for(("Failed",), FINISHED)
        print(f"ended {time.monotonic() - back:.1f} s after the node was back")
    assert session.watch.phases[-3:] == ["Recording", "Leaving", "Failed"]
    _assert_finished(session, bot, node)


def _assert_finished(session: Attendance, bot: str, node: str) -> None:
    kubectl, status = session.kubectl, session.status
    assert (status["reason"], status["attempt"], status["finisherPod"]) == ("NodeLost", 1, f"{bot}-f")
    assert f"node {node} is gone" in status["message"].lower()
    assert (status["videoFileCount"], session.condition("Failed")["reason"]) == (1, "NodeLost")
    assert session.manifest[-1].get("verified"), session.manifest[-1]
    assert probe(session.folder / "recording.mp4").seconds >= 14
    finisher = _pod(kubectl, status["finisherPod"])
    there = kubectl.json("get", "node", node)["metadata"]
    assert finisher["spec"]["nodeName"] == node
    assert finisher["metadata"]["creationTimestamp"] >= there["creationTimestamp"]
    # Its bot's pod is let go, and no other was made.
    names = [f"{bot}-f"]
    wait_until(lambda: [pod["metadata"]["name"] for pod in kubectl.json("get", "pods")["items"]] == names, "one pod")


def _operator_is_placed(kubectl: Kubectl) -> bool:
    labels = f"app.kubernetes.io/component=operator,app.kubernetes.io/instance={RELEASE}"
    pods = kubectl.json("get", "pods", "--all-namespaces", f"--selector={labels}")["items"]
    return any("nodeName" in pod["spec"] and "deletionTimestamp" not in pod["metadata"] for pod in pods)


def _finisher(kubectl: Kubectl, bot: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = kubectl.json("get", "pods", f"--field-selector=metadata.name={bot}-f")["items"]
    return found[0] if found else None


def _follows(pod: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    return pod is not None and pod["metadata"]["uid"] != other["metadata"]["uid"]


def _pod(kubectl: Kubectl, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kubectl.json("get", "pod", name)
    return found
