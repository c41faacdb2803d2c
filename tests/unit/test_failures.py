"""What people are told of a failed reconciliation: the API server's words, and never a link or a Secret's value."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meeting_buddy.contract.redaction import REDACTED
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
        message = told(error, link)[1].replace(REDACTED, "")
        # What is left of random letters inside our own words says nothing.
        assert query not in message
        assert fragment not in message


# A link of each kind, what of it is secret, and a word that all links of its platform have.
QUOTED = [
    ("https://zoom.us/j/1234567890?tk=seat-9876&pwd=open%20sesame%21", ["1234567890", "seat-9876", "sesame"], "https"),
    ("https://teams.microsoft.com/l/meetup-join/19%3ameeting_NjAwQ%40thread.v2/0?context=%7b%22Tid%22%3a%22aaaa-1111%22%7d&anon=true", ["meeting_NjAwQ", "aaaa-1111"], "true"),
    ("https://meet.example.org/rooms/quarterly?a=opensesame&b=hunterhunter", ["quarterly", "opensesame", "hunterhunter"], "rooms"),
]  # fmt: skip
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON, as Go writes it": lambda text: json.dumps(text).replace("&", "\\u0026"),
    "JSON with slashes escaped": lambda text: json.dumps(text).replace("/", "\\/"),
    "HTML": lambda text: text.replace("&", "&amp;"),
    "upper case": str.upper,
    "percent-encoded": lambda text: quote(text, safe=""),
    "without scheme": lambda text: text.removeprefix("https://"),
    "path and query alone": lambda text: text.split("/", 3)[3],
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("link", "secrets", "word"), QUOTED, ids=["Zoom", "Teams", "self-hosted"])
def test_a_webhook_may_quote_the_link_in_any_spelling_and_its_other_words_stay(
    link: str, secrets: list[str], word: str, spelling: str
) -> None:
    refusal = f'admission webhook "policy.example.org" denied the request: {word}: link {{}} is not allowed here'
    message = told(kube("Pod", 403, "Forbidden", refusal.format(SPELLINGS[spelling](link))), link)[1]
    before, after = f"Pod standup-1: {refusal}".split("{}")
    assert message.startswith(before)
    assert message.endswith(after)
    assert [each for each in secrets if each.lower() in message.lower()] == []


def test_no_address_is_quoted_in_full_when_the_link_is_not_known() -> None:
    message = told(kube("Pod", 500, "InternalError", f"cannot parse {LINK} at all"), None)[1]
    assert message == "Pod standup-1: cannot parse https://meet.example.org/… at all"


def test_the_name_of_an_object_stays_although_the_link_has_the_same_word() -> None:
    link = "https://meet.example.org/standup-1"
    assert told(kube("Pod", 500, "", "room standup-1"), link)[1] == f"Pod standup-1: room {REDACTED}"


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
