"""A session that is deleted with ``--cascade=orphan``: its bot goes, nothing loops, nothing stays behind.

The API server of these tests comes without the garbage collector. Its part is played here by what it does for such a
deletion: it takes the session's ownerReference out of the pod, then the finalizer ``orphan`` off the session.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.operator_fixtures import crd, operator, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import PATIENCE, OperatorProcess, Sessions, harmless_pod
from tests.support.awaiting import wait_until

MAX_CALLS = 25
"""API calls about pods for one deletion, conflicts and repetitions included; a loop makes as many in a second."""


def orphan(sessions: Sessions, pod: dict[str, Any]) -> None:
    """Take the owner out of a pod, as the garbage collector does."""
    sessions.api.patch("pods", pod["metadata"]["name"], {"metadata": {"ownerReferences": None}})


def delete_session(sessions: Sessions, name: str) -> None:
    sessions.api.delete("meetingsessions", name, propagationPolicy="Orphan")


def finish_deletion(sessions: Sessions, name: str) -> None:
    """Take the finalizer off the session, as the garbage collector does once no pod names it."""
    sessions.api.patch("meetingsessions", name, {"metadata": {"finalizers": None}})


def calls(operator: OperatorProcess) -> float:
    return operator.metric("meetingbuddy_api_requests_total", resource="Pod")


def leaving(sessions: Sessions, pod: dict[str, Any]) -> bool:
    """Whether the pod is told to end and nothing of ours keeps it; only a kubelet is left to say that it is gone."""
    found = [each["metadata"] for each in sessions.pods() if each["metadata"]["uid"] == pod["metadata"]["uid"]]
    return not found or ("deletionTimestamp" in found[0] and not found[0].get("finalizers"))


def running_bot(sessions: Sessions, name: str) -> dict[str, Any]:
    sessions.apply(name)
    pod = sessions.pod(name)
    sessions.scheduled(pod)
    sessions.running(pod, ready=True)
    sessions.phase(name, "Active")
    return pod


@pytest.mark.parametrize("first", ["session", "pod"])
def test_with_the_operator_up(operator: OperatorProcess, sessions: Sessions, first: str) -> None:
    """In both orders in which two watches may tell it."""
    pod = running_bot(sessions, "standup")
    before = calls(operator)
    if first == "session":
        delete_session(sessions, "standup")
        orphan(sessions, pod)
    else:
        operator.pause()
        delete_session(sessions, "standup")
        orphan(sessions, pod)
        finish_deletion(sessions, "standup")
        operator.resume()
    wait_until(lambda: leaving(sessions, pod), "the bot is told to leave, and its finalizer is released", PATIENCE)
    if first == "session":
        finish_deletion(sessions, "standup")
    sessions.api.delete("pods", pod["metadata"]["name"], missing_ok=True, gracePeriodSeconds=0)
    # A session that comes later gets its pod: by then whatever went on about the first has shown itself.
    running_bot(sessions, "later")
    assert calls(operator) - before <= MAX_CALLS


def test_with_the_operator_down(operator: OperatorProcess, sessions: Sessions) -> None:
    pod = running_bot(sessions, "standup")
    operator.kill()
    delete_session(sessions, "standup")
    orphan(sessions, pod)
    finish_deletion(sessions, "standup")
    operator.start()
    wait_until(lambda: leaving(sessions, pod), "the bot is told to leave, and its finalizer is released", PATIENCE)
    running_bot(sessions, "later")
    assert calls(operator) <= MAX_CALLS


def test_somebody_elses_pod_is_not_ended_for_a_label(operator: OperatorProcess, sessions: Sessions) -> None:
    """Without our finalizer a label is not enough, although the session that it names is gone."""
    pod = running_bot(sessions, "standup")
    sessions.api.create("pods", harmless_pod("foreign", labels=pod["metadata"]["labels"]))
    sessions.api.delete("meetingsessions", "standup")
    wait_until(lambda: leaving(sessions, pod), "the session's own pod goes", PATIENCE)
    assert "deletionTimestamp" not in sessions.api.get("pods", "foreign")["metadata"]
