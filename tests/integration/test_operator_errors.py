"""A session always gets an answer: what the API server refuses again and again is shown, told, counted, and ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operator_fixtures import crd, operator, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_plays import no_pods, pods_again
from tests.integration.operator_process import LINK, PATIENCE, OperatorProcess, Sessions, harmless_pod
from tests.integration.test_operator_scope import installed, namespace
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until

pytestmark = pytest.mark.waits

SECRET_PART = LINK.rpartition("#")[2]
REFUSED = {
    "pods": harmless_pod("refused"),
    "secrets": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "refused"}},
}
"""An object of each kind."""


@pytest.fixture
def refused_kind() -> str:
    return "pods"


@pytest.fixture
def webhook(sessions: Sessions, place: str, refused_kind: str) -> Iterator[str]:
    """An admission webhook that does not answer stands before all writes of one kind in the namespace."""
    name = f"{place}.policy.example.org"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [refused_kind]}
    manifest = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "rules": [rule],
                "clientConfig": {"url": "https://127.0.0.1:9/validate"},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 1,
            }
        ],
    }
    sessions.api.create("validatingwebhookconfigurations", manifest)
    wait_until(lambda: name in sessions.api.refusal(refused_kind, REFUSED[refused_kind]), "it is known", PATIENCE)
    yield name
    sessions.api.delete("validatingwebhookconfigurations", name, missing_ok=True)


def condition(status: dict[str, Any]) -> dict[str, Any] | None:
    return next((each for each in status.get("conditions", ()) if each["type"] == "ReconcileError"), None)


def error_events(sessions: Sessions) -> list[str]:
    found = sessions.api.get("events")["items"]
    return [each["message"] for each in found if each["reason"] == "ReconcileError"]


@pytest.mark.parametrize("refused_kind", ["pods", "secrets"])
def test_a_webhook_that_fails_is_shown_told_counted_and_ends_the_session(
    operator: OperatorProcess, webhook: str, sessions: Sessions
) -> None:
    sessions.apply("standup", botClassName="hasty")
    status = wait_until(
        lambda: seen if condition(seen := sessions.status("standup")) else None, "the condition", PATIENCE
    )
    found = condition(status)
    assert found is not None
    assert (found["status"], found["reason"]) == ("True", "InternalError")
    assert webhook in found["message"]
    assert status["phase"] == "Initializing"
    wait_until(lambda: operator.metric("meetingbuddy_sessions_failing") == 1, "the gauge", PATIENCE)
    ended = sessions.phase("standup", "Failed")
    assert ended["reason"] == "ConfigInvalid"
    assert webhook in ended["message"]
    assert condition(ended) is None
    assert len(error_events(sessions)) == 1
    assert operator.metric("meetingbuddy_reconcile_errors_total", code="500") >= 3
    wait_until(lambda: operator.metric("meetingbuddy_sessions_failing") == 0, "the gauge falls", PATIENCE)
    told = [*error_events(sessions), str(ended), operator.log.read_text()]
    assert not any(SECRET_PART in text for text in told)


def test_a_webhook_that_answers_again_lets_the_session_go_on(
    operator: OperatorProcess, webhook: str, sessions: Sessions
) -> None:
    sessions.apply("standup")
    wait_until(lambda: condition(sessions.status("standup")), "the condition", PATIENCE)
    sessions.api.delete("validatingwebhookconfigurations", webhook)
    wait_until(lambda: sessions.status("standup").get("botPod"), "the pod", PATIENCE)
    wait_until(lambda: condition(sessions.status("standup")) is None, "the condition goes", PATIENCE)


def test_a_status_that_may_not_be_written_is_told_by_an_event_once(crd: ApiServer, tmp_path: Path) -> None:
    served = namespace(crd.kubectl, "served")
    sessions = Sessions(crd.kubectl.in_namespace(served))
    operator = installed(crd, tmp_path, [served])
    for role in sessions.api.get("roles")["items"]:
        rules = [rule for rule in role["rules"] if "meetingsessions/status" not in rule["resources"]]
        sessions.api.patch("roles", role["metadata"]["name"], {"rules": rules})
    operator.start()
    try:
        sessions.apply("standup")
        found = wait_until(lambda: error_events(sessions), "an Event", PATIENCE)
        assert "meetingsessions/status" in found[0] or "MeetingSession/status" in found[0]
        tried = operator.metric("meetingbuddy_reconcile_total", result="error")
        wait_until(
            lambda: operator.metric("meetingbuddy_reconcile_total", result="error") >= tried + 2,
            "it goes on trying",
            60,
        )
        assert len(error_events(sessions)) == 1
        assert operator.metric("meetingbuddy_reconcile_errors_total", code="403") >= 3
    finally:
        operator.kill()


def test_a_quota_that_keeps_the_pod_out_is_shown_and_told(operator: OperatorProcess, sessions: Sessions) -> None:
    no_pods(sessions)
    sessions.apply("standup")
    found = wait_until(lambda: condition(sessions.status("standup")), "the condition", PATIENCE)
    assert found["reason"] == "QuotaExceeded"
    assert "exceeded quota" in found["message"]
    wait_until(lambda: error_events(sessions), "an Event", PATIENCE)
    wait_until(lambda: operator.metric("meetingbuddy_sessions_failing") == 1, "the gauge", PATIENCE)
    pods_again(sessions)
    wait_until(lambda: operator.metric("meetingbuddy_sessions_failing") == 0, "the gauge falls", PATIENCE)
