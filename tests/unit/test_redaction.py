"""No link, passcode or token in what the bot writes for others."""

import json
import logging

import pytest

from meeting_buddy_bot.support.logs import JsonLines
from meeting_buddy_bot.support.redaction import Redactor

LINK = "https://us05web.zoom.us/j/12345678901?pwd=abcDEFghi.1#success"
TOKEN = "c0ffee" * 10


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"could not open {LINK}", "could not open https://us05web.zoom.us/…"),
        ("wss://meet.buddy.test:8443/rtc?access_token=x", "wss://meet.buddy.test:8443/…"),
        ("https://me:secret@zoom.us/", "https://zoom.us/…"),
        ("https://zoom.us is down", "https://zoom.us is down"),
        ("Authorization: Bearer 0123456789abcdef", "Authorization: Bearer [redacted]"),
        ("ordinary words/with a slash", "ordinary words/with a slash"),
    ],
)
def test_every_address_is_cut_to_its_origin(text: str, left: str) -> None:
    assert Redactor()(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "the page says: meeting 12345678901 has ended",
        "field pwd was abcDEFghi.1",
        "navigated to /j/12345678901?pwd=abcDEFghi.1#success",
        json.dumps({"url": LINK}),
    ],
)
def test_the_parts_of_this_sessions_link_are_known(text: str) -> None:
    cleaned = Redactor.for_link(LINK)(text)
    assert "12345678901" not in cleaned
    assert "abcDEFghi.1" not in cleaned


def test_a_coded_part_is_also_known_decoded() -> None:
    redact = Redactor.for_link("https://teams.microsoft.com/l/meetup-join/19%3ameeting_Zm9v%40thread.v2/0")
    assert "meeting_Zm9v" not in redact("joined 19:meeting_Zm9v@thread.v2")


def test_plain_words_of_a_link_stay_readable() -> None:
    redact = Redactor.for_link("https://teams.microsoft.com/l/meetup-join/abc123def")
    assert redact("step meetup-join failed") == "step meetup-join failed"


def test_a_log_line_is_redacted_in_message_facts_and_traceback() -> None:
    formatter = JsonLines(Redactor.for_link(LINK, TOKEN))
    try:
        raise ValueError(f"cannot open {LINK} with {TOKEN}")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "opening %s", (LINK,), info)
    record.facts = {"deep": [{"url": LINK}], "message": "does not replace the line's own"}
    line = formatter.format(record)
    for secret in ("12345678901", "abcDEFghi.1", TOKEN):
        assert secret not in line
    assert json.loads(line)["message"] == "opening https://us05web.zoom.us/…"
