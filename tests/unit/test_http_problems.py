"""What the API server's errors become: one problem each, which names the remedy and quotes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meeting_buddy.http_api.problems import KINDS, ProblemError, from_kube, media_forbidden, not_yet
from meeting_buddy.kube.errors import KubeError, ObjectRef

CANARY = "canary-7f3a9c"
RBAC = (
    'meetingsessions.meetingbuddy.io is forbidden: User "jane" cannot create resource "meetingsessions" in API group '
    '"meetingbuddy.io" in the namespace "team-a"'
)
POLICY = (
    "meetingsessions.meetingbuddy.io \"a\" is forbidden: ValidatingAdmissionPolicy 'meeting-buddy' with binding "
    "'meeting-buddy' denied request: spec.meetingLink's host is not one of this installation's self-hosted hosts"
)
REVIEW = (
    'selfsubjectreviews.authentication.k8s.io is forbidden: User "jane" cannot create resource "selfsubjectreviews" in '
    'API group "authentication.k8s.io" at the cluster scope'
)
QUOTA = 'meetingsessions.meetingbuddy.io "a" is forbidden: exceeded quota: few, requested: count/a=1, used: count/a=1'


def answer(status: int, message: str = "", reason: str = "", causes: Any = None, retry: str = "") -> KubeError:
    body = {"reason": reason, "message": message, "details": {"causes": causes or []}}
    headers = {"Retry-After": retry} if retry else {}
    return KubeError.from_answer(ObjectRef("MeetingSession", "team-a", "a"), status, json.dumps(body).encode(), headers)


def test_an_admission_webhook_that_does_not_answer_is_named() -> None:
    said = (
        'Internal error occurred: failed calling webhook "rules.example.com": failed to call webhook: Post '
        f'"https://rules.policy.svc:443/check?{CANARY}": context deadline exceeded'
    )
    found = from_kube(answer(500, said, "InternalError")).document()
    assert (found["status"], found["type"]) == (503, "urn:meeting-buddy:problem:upstream-unavailable")
    assert "rules.example.com" in found["detail"]
    assert "webhook" in found["remedy"]
    assert CANARY not in str(found)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer(401, "Unauthorized"), "unauthorized"),
        (answer(403, 'forbidden: User "system:anonymous" cannot list resource "meetingsessions"'), "unauthorized"),
        (answer(403, RBAC), "forbidden"),
        (answer(403, POLICY), "admission-denied"),
        (answer(403, QUOTA), "quota-exceeded"),
        (answer(404, reason="NotFound"), "not-found"),
        (answer(404), "upstream-unavailable"),
        (answer(409, reason="Conflict"), "conflict"),
        (answer(410), "cursor-expired"),
        (KubeError("MeetingSession", "team-a", "", 400, "BadRequest", "continue key is not valid: …"), "invalid"),
        (answer(400, 'strict decoding error: unknown field "spec.new"'), "upstream-error"),
        (answer(422, "is invalid"), "invalid"),
        (answer(429), "too-many-requests"),
        (answer(500), "upstream-unavailable"),
        (answer(503), "upstream-unavailable"),
        (answer(302), "upstream-error"),
        (KubeError("a", "b", "c", 0, "ClientConnectorError", "no answer"), "upstream-unavailable"),
        (KubeError("a", "b", "c", 0, "TimeoutError", "no answer"), "upstream-timeout"),
    ],
)
def test_each_error_is_one_problem(error: KubeError, kind: str) -> None:
    found = from_kube(error)
    assert found.kind == kind
    assert found.document()["type"] == f"urn:meeting-buddy:problem:{kind}"
    assert found.status == KINDS[kind].status
    if found.status in (429, 503, 504):
        assert int(found.headers["Retry-After"]) > 0


def test_a_missing_right_is_named_with_the_role_that_has_it() -> None:
    found = from_kube(answer(403, RBAC)).document()
    assert found["detail"] == "your token may not create meetingsessions in namespace team-a"
    assert "Role meeting-buddy-caller in namespace team-a" in found["remedy"]


def test_where_the_chart_serves_all_namespaces_the_role_is_another_one() -> None:
    hears_nothing = media_forbidden("meetingsessions/recordings", "team-a")
    for error, role in ((from_kube(answer(403, RBAC)), "caller"), (hears_nothing, "listener")):
        remedy = error.document()["remedy"]
        assert "where the chart serves all namespaces" in remedy
        assert f"ClusterRole meeting-buddy:<its namespace>:<its release>:{role}" in remedy


def test_who_may_not_even_ask_who_it_is_needs_no_role_of_the_chart() -> None:
    answer = json.dumps({"message": REVIEW}).encode()
    refused = KubeError.from_answer(ObjectRef("SelfSubjectReview", "", ""), 403, answer, {})
    found = from_kube(refused).document()
    assert found["detail"] == "your token may not create selfsubjectreviews"
    assert "system:basic-user" in found["remedy"]
    assert "meeting-buddy" not in found["remedy"]


def test_what_is_not_there_yet_is_not_said_to_be_the_bot() -> None:
    assert "bot" not in not_yet("the bot has ended, and its files are being finished").document()["title"]


def test_a_policys_words_are_passed_on_with_our_names() -> None:
    found = from_kube(answer(403, POLICY)).document()
    assert found["detail"] == "meeting_link's host is not one of this installation's self-hosted hosts"
    assert found["field"] == "meeting_link"


WEBHOOK = 'admission webhook "rules.example.com" denied the request'


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429])
@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (f"{WEBHOOK}: \n\nno link may continue elsewhere\n", "no link may continue elsewhere"),
        (POLICY, "meeting_link's host is not one of this installation's self-hosted hosts"),
        (f"{WEBHOOK} without explanation", f"{WEBHOOK} without explanation"),
    ],
)
def test_a_denial_is_one_whatever_status_its_policy_chose(status: int, said: str, detail: str) -> None:
    found = from_kube(answer(status, said, causes=[{"message": said}] if status == 422 else None))
    assert (found.kind, found.problem.detail) == ("admission-denied", detail)


def test_a_denial_that_names_fields_names_them() -> None:
    causes = [{"field": "spec.botName", "message": "it is rude"}]
    found = from_kube(answer(422, f"{WEBHOOK}: it is rude", causes=causes))
    assert (found.kind, found.problem.field) == ("invalid", "bot_name")


def test_a_post_has_no_cursor_that_could_be_wrong() -> None:
    assert from_kube(answer(400, "the conversion cannot continue")).kind == "upstream-error"


def test_who_has_not_said_which_namespace_is_told_that_it_can() -> None:
    assert "?namespace=" in from_kube(answer(403, RBAC)).document()["remedy"]


def test_a_quota_that_is_not_counted_yet_passes() -> None:
    said = 'meetingsessions.meetingbuddy.io "a" is forbidden: status unknown for quota: few, resources: count/a'
    found = from_kube(answer(403, said, "Forbidden"))
    assert (found.status, found.headers) == (503, {"Retry-After": "5"})
    assert "quota" in found.problem.detail
    assert "Repeat" in str(found.problem.remedy)


def test_where_a_quota_changed_no_session_did() -> None:
    said = 'Operation cannot be fulfilled on resourcequotas "few": the object has been modified; please apply your'
    found = from_kube(answer(409, said, "Conflict"))
    assert (found.kind, found.problem.remedy, found.headers) == ("conflict", "Repeat.", {"Retry-After": "1"})
    assert "quota" in found.problem.detail


def test_fields_that_are_invalid_are_named_and_their_values_left_out() -> None:
    causes = [
        {
            "field": "spec.meetingLink",
            "message": f'Invalid value: "https://a/\\"{CANARY}": spec.meetingLink is wrapped',
        },
        {"field": "spec.limits.silenceSeconds", "message": "Invalid value: 5: should be greater than 10"},
        {"field": "spec.recording.video", "message": f'Unsupported value: "{CANARY}": supported values: "none"'},
    ]
    found = from_kube(answer(422, f"everything: {CANARY}", causes=causes))
    assert [(each.field, each.detail) for each in found.problem.errors or ()] == [
        ("meeting_link", "meeting_link is wrapped"),
        ("limits.silence_seconds", "should be greater than 10"),
        ("recording.video", 'supported values: "none"'),
    ]
    assert found.document()["field"] == "meeting_link"
    assert CANARY not in json.dumps(found.document())


def test_the_api_servers_own_waiting_time_is_passed_on() -> None:
    assert from_kube(answer(429, retry="7")).headers == {"Retry-After": "7"}


def test_a_problem_is_sent_as_such() -> None:
    response = ProblemError("invalid", "it is empty", field="bot_name").response()
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "urn:meeting-buddy:problem:invalid",
        "title": "A field is not right",
        "status": 422,
        "detail": "it is empty",
        "field": "bot_name",
        "errors": [{"field": "bot_name", "detail": "it is empty"}],
    }
