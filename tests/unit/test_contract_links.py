"""Which links a bot opens: the shared corpus, the gates that come before, and wrapped links."""

import re

import pytest

from meeting_buddy.contract.links import (
    LINKS,
    MAX_LENGTH,
    LinkError,
    Platform,
    host_pattern,
    parse_link,
    self_hosted_pattern,
    unwrap,
)
from meeting_buddy.contract.reasons import Reason
from tests.support.links_corpus import SELF_HOSTED, Case, cases


def outcome(case: Case) -> Platform | Reason:
    try:
        return parse_link(case.link, case.named, SELF_HOSTED).platform
    except LinkError as error:
        return error.reason


def gate_lets_through(case: Case) -> bool:
    self_hosted = case.named is not None and case.named.self_hosted
    pattern = self_hosted_pattern() if self_hosted else host_pattern()
    # In RE2 a final `$` is the end of the text; Python's also matches before a last line feed.
    pattern = pattern.removesuffix("$") + r"\Z"
    return len(case.link) <= MAX_LENGTH and re.search(pattern, case.link) is not None


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.named or ''} {case.link}")
def test_a_link_of_the_corpus_is_judged_as_written_there(case: Case) -> None:
    assert outcome(case) == (case.found or case.reason)


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.named or ''} {case.link}")
def test_a_gate_lets_through_what_the_corpus_says(case: Case) -> None:
    assert gate_lets_through(case) == case.gate


@pytest.mark.parametrize("case", [each for each in cases() if each.found is None], ids=lambda case: case.link)
def test_no_message_quotes_the_link(case: Case) -> None:
    with pytest.raises(LinkError) as raised:
        parse_link(case.link, case.named, SELF_HOSTED)
    message = str(raised.value)
    for facts in LINKS.values():
        message = message.replace(facts.example, "")
    tail = case.link.partition("://")[2].partition("/")[2]
    assert len(tail) < 5 or tail not in message


def test_a_link_may_have_2048_characters_and_no_more() -> None:
    start = "https://zoom.us/j/1234567890?pwd="
    assert parse_link(start + "x" * (MAX_LENGTH - len(start))).platform is Platform.ZOOM
    with pytest.raises(LinkError, match="longer than 2048"):
        parse_link(start + "x" * (MAX_LENGTH - len(start) + 1))


def test_the_example_of_each_platform_is_a_good_link() -> None:
    for platform, facts in LINKS.items():
        named = platform if platform.self_hosted else None
        assert parse_link(facts.example.replace("…", "x"), named, SELF_HOSTED).platform is platform


def test_a_meetings_origin_is_free_of_secrets() -> None:
    meeting = parse_link("https://meet.buddy.test:8443/rooms/weekly#passphrase", Platform.LIVEKIT, SELF_HOSTED)
    assert meeting.origin == "https://meet.buddy.test:8443"
    assert parse_link("https://zoom.us/j/1234567890?pwd=x").origin == "https://zoom.us"


@pytest.mark.parametrize(
    ("wrapped", "plain"),
    [
        (
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1234567890%3Fpwd%3Dx&data=05",
            "https://zoom.us/j/1234567890?pwd=x",
        ),
        ("https://www.google.com/url?q=https://zoom.us/j/1234567890&sa=D", "https://zoom.us/j/1234567890"),
        (
            "https://www.google.com/url?q=https%3A%2F%2Feur01.safelinks.protection.outlook.com%2F%3Furl%3D"
            "https%253A%252F%252Fzoom.us%252Fj%252F1234567890",
            "https://zoom.us/j/1234567890",
        ),
        ("https://zoom.us/j/1234567890", "https://zoom.us/j/1234567890"),
        ("https://evil.test/?url=https://zoom.us/j/1234567890", "https://evil.test/?url=https://zoom.us/j/1234567890"),
    ],
)
def test_a_link_is_unwrapped_from_mail_gateways_alone(wrapped: str, plain: str) -> None:
    assert unwrap(wrapped) == plain
