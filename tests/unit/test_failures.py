"""What people are told of a failed reconciliation: the API server's words, and never a link or a Secret's value."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meeting_buddy.controller import failures
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.resource.session import MeetingSessionSpec
from tests.support.operator_facts import NOW

# One line a row, so that it reads as a table.
# ruff: noqa: E501
LINK = "https://meet.example.org/rooms/standup?pwd=opensesame#hunterhunter"
WEBHOOK = 'Internal error occurred: failed calling webhook "policy.example.org": connection refused'


def told(error: Exception, link: str | None = LINK) -> tuple[str, str]:
    found = failures.counted(None, error, link, NOW)
    return found.reason, found.message


def kube(kind: str, status: int, reason: str, message: str) -> KubeError:
    return KubeError(kind, "meetings", "standup-1", status, reason, message)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (kube("Pod", 500, "InternalError", WEBHOOK), ("InternalError", f"Pod standup-1: {WEBHOOK}")),
        (kube("Pod", 403, "Forbidden", "exceeded quota: pods"), ("QuotaExceeded", "Pod standup-1: exceeded quota: pods")),
        (kube("MeetingSession/status", 403, "Forbidden", "no"), ("Forbidden", "MeetingSession/status standup-1: no")),
        (kube("Pod", 0, "TimeoutError", "no answer"), ("ApiServerUnreachable", "Pod standup-1: no answer")),
        (kube("Pod", 502, "", ""), ("Http502", "Pod standup-1: 502")),
        (kube("Pod", 502, "bad <gateway>", ""), ("Http502", "Pod standup-1: bad <gateway>")),
        (kube("Secret", 500, "InternalError", f"{WEBHOOK} on bGluaw=="), ("InternalError", 'Secret standup-1: refused by webhook "policy.example.org"')),
        (kube("Secret", 422, "Invalid", "data.x: bGluaw== is not good"), ("Invalid", "Secret standup-1: Invalid")),
        (ValueError("resources.cpu: '1,5' is not a quantity\nmore"), ("OperatorError", "resources.cpu: '1,5' is not a quantity")),
        (KeyError("hunterhunter"), ("OperatorError", "KeyError in the operator; its log says where")),
    ],
)  # fmt: skip
def test_the_cause_in_a_word_and_in_its_own_words(error: Exception, expected: tuple[str, str]) -> None:
    assert told(error) == expected


def test_a_validation_error_does_not_quote_its_input() -> None:
    with pytest.raises(ValidationError) as caught:
        MeetingSessionSpec.model_validate({"meetingLink": LINK, "recording": LINK})
    assert "hunterhunter" in str(caught.value), "which is why"
    assert "hunterhunter" not in told(caught.value)[1]


_SECRET = st.text(string.ascii_letters + string.digits, min_size=8, max_size=30)


@given(
    query=_SECRET, fragment=_SECRET, shape=st.sampled_from(["{link}", "{query}", "{fragment}", "x{query}y{fragment}z"])
)
def test_no_error_quotes_what_is_secret_in_a_link(query: str, fragment: str, shape: str) -> None:
    link = f"https://meet.example.org/rooms/a?pwd={query}#{fragment}"
    text = shape.format(link=link, query=query, fragment=fragment)
    for error in (kube("Pod", 400, "BadRequest", text), ValueError(text), RuntimeError(text)):
        message = told(error, link)[1].replace("[link]", "")
        # What is left of random letters inside our own words says nothing.
        assert query not in message
        assert fragment not in message


def test_failures_in_a_row_are_counted_from_the_first() -> None:
    first = failures.counted(None, ValueError("a"), None, NOW)
    second = failures.counted(first, ValueError("b"), None, NOW.replace(hour=11))
    assert (second.count, second.since, second.message) == (2, NOW, "b")
    assert not second.persistent
    assert failures.counted(second, ValueError("c"), None, NOW).persistent


def test_the_log_names_lines_and_no_values() -> None:
    try:
        raise ValueError(LINK)
    except ValueError as error:
        frames = failures.origin(error)
    assert "test_failures.py" in frames[0]
    assert "hunterhunter" not in "".join(frames)
