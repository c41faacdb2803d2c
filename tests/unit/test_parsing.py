"""What is read off a pod as the API server has it: whose it is, and what its kubelet will do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import PodId, Role
from meeting_buddy.controller.clock import SystemClock
from meeting_buddy.controller.parsing import parse_pod
from meeting_buddy.controller.session_cache import SessionCache

UID = "0f4c2a68-0000-4000-8000-000000000001"
OWNER = {"apiVersion": "meetingbuddy.io/v1alpha1", "kind": "MeetingSession", "name": "standup", "uid": UID}
LABELS = {
    identity.LABEL_COMPONENT: "bot",
    identity.LABEL_SESSION_UID: UID,
    identity.LABEL_ATTEMPT: "1",
}


def document(**metadata: Any) -> dict[str, Any]:
    known = {
        "name": "standup-0f4c2a68-1",
        "namespace": "meetings",
        "uid": "pod-1",
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-23T10:00:00Z",
        "labels": LABELS,
        "ownerReferences": [{**OWNER, "controller": True}],
        "finalizers": [identity.FINALIZER_OUTCOME],
    }
    spec = {"nodeName": "node1", "activeDeadlineSeconds": 15120, "terminationGracePeriodSeconds": 120}
    status = {"phase": "Running", "startTime": "2026-11-23T10:00:05Z"}
    return {"metadata": {**known, **metadata}, "spec": spec, "status": status}


def test_a_pods_own_deadline_is_read() -> None:
    found = parse_pod(document())
    assert found is not None
    facts = found.facts
    assert facts.started_at == datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
    assert (facts.active_deadline_seconds, facts.grace_seconds, facts.orphaned) == (15120, 120, False)


def test_an_orphan_is_found_by_its_label_for_the_clean_up() -> None:
    found = parse_pod(document(ownerReferences=[]))
    assert found is not None
    assert found.facts.orphaned
    assert (found.session_uid, found.session_name, found.namespace) == (UID, "standup", "meetings")


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": [], "finalizers": []},
        {"ownerReferences": [], "finalizers": ["example.org/other"]},
        {"ownerReferences": [], "labels": {**LABELS, identity.LABEL_SESSION_UID: ""}},
        {"ownerReferences": [], "labels": None},
        {"ownerReferences": [], "name": "standup-0f4c2a68-web"},
        {"ownerReferences": [{"kind": "Job", "name": "j", "uid": UID, "controller": True}]},
        {"name": "standup-0f4c2a68-web"},
        {"name": "standup-0f4c2a68-0"},
        {"name": "standup-0f4c2a69-1"},
    ],
    ids=[
        "orphan, released",
        "other finalizer",
        "no session",
        "orphan without labels",
        "orphan, no bot",
        "a Job's",
        "no bot",
        "no attempt",
        "named after another session",
    ],
)
def test_other_pods_are_left_alone(metadata: dict[str, Any]) -> None:
    found = document(**metadata)
    if found["metadata"]["labels"] is None:  # as the API server returns it
        del found["metadata"]["labels"]
    assert parse_pod(found) is None


@pytest.mark.parametrize("orphaned", [False, True])
@pytest.mark.parametrize(
    "labels",
    [
        {identity.LABEL_COMPONENT: "web"},
        {identity.LABEL_COMPONENT: "finisher"},
        {identity.LABEL_ATTEMPT: "7"},
        {identity.LABEL_ATTEMPT: ""},
    ],
    ids=["another component", "said to be a finisher", "another attempt", "no attempt"],
)
def test_its_name_says_which_of_a_sessions_pods_it_is(labels: dict[str, str], orphaned: bool) -> None:
    owned: dict[str, Any] = {"ownerReferences": []} if orphaned else {}
    found = parse_pod(document(name="standup-0f4c2a68-12-f", labels={**LABELS, **labels}, **owned))
    assert found is not None
    assert (found.facts.id, found.facts.orphaned) == (PodId(12, Role.FINISHER), orphaned)
    assert (found.session_uid, found.session_name) == (UID, "standup")


def test_a_sessions_pod_without_labels_is_its_pod() -> None:
    pod = document()
    del pod["metadata"]["labels"]
    found = parse_pod(pod)
    assert found is not None
    assert (found.facts.id, found.session_uid) == (PodId(1), UID)


def test_a_released_orphan_is_forgotten() -> None:
    cache = SessionCache(SystemClock())
    cache.upsert_pod(document())
    cache.upsert_pod(document(ownerReferences=[], resourceVersion="8"))
    entry = cache.get(UID)
    assert entry is not None
    assert [pod.facts.orphaned for pod in entry.pods.values()] == [True]
    assert cache.upsert_pod(document(ownerReferences=[], finalizers=[], resourceVersion="9")) == UID
    assert not entry.pods


def test_another_pod_of_the_same_name_does_not_take_a_sessions_pod_away() -> None:
    cache = SessionCache(SystemClock())
    cache.upsert_pod(document())
    assert cache.upsert_pod(document(ownerReferences=[], finalizers=[], uid="pod-2")) is None
    entry = cache.get(UID)
    assert entry is not None
    assert len(entry.pods) == 1


@pytest.mark.parametrize(
    ("said", "second"),
    [({"lastTransitionTime": "2026-11-23T10:00:20Z"}, 20), ({"lastTransitionTime": None}, 5), ({}, 5)],
    ids=["since then", "null", "absent"],
)
def test_a_pod_that_does_not_say_since_when_it_is_ready_is_since_its_start(said: dict[str, Any], second: int) -> None:
    pod = document()
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True", **said}]
    found = parse_pod(pod)
    assert found is not None
    assert found.facts.ready_since == datetime(2026, 11, 23, 10, 0, second, tzinfo=UTC)


def test_of_injected_containers_only_those_in_trouble_are_read() -> None:
    pod = document()
    state = {"terminated": {"exitCode": 126, "reason": "Error", "message": "no iptables"}}
    again = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    pod["status"]["initContainerStatuses"] = [
        {"name": "istio-validation", "state": state},
        {"name": "done", "state": {"terminated": {"exitCode": 0}}},
        {"name": "vault-proxy", "ready": False, "state": {"running": {}}, "lastState": again},
        {"name": "restarted", "ready": True, "state": {"running": {}}, "lastState": again},
        {"name": "renewed", "ready": False, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 0}}},
        {"name": "browser", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": again},
    ]
    pod["status"]["containerStatuses"] = [
        {"name": "bot", "state": {"waiting": {"reason": "PodInitializing"}}},
        {"name": "vault-agent", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}},
        {"name": "istio-proxy", "state": {"running": {}}},
        {"name": "later", "state": {"waiting": {"reason": "PodInitializing"}}},
    ]
    found = parse_pod(pod)
    assert found is not None
    assert [name for name, _ in found.facts.injected] == ["istio-validation", "vault-proxy", "vault-agent"]
    browser = found.facts.browser
    assert browser.previous is not None
    assert (browser.waiting, browser.previous.reason) == ("CrashLoopBackOff", "OOMKilled")
