"""No link, passcode or token in what the bot writes for others."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import logging
import re
import string
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from meeting_buddy.contract.escapes import readings
from meeting_buddy.contract.link_secrets import SHORTEST, UNKNOWN_PLATFORM, link_secrets
from meeting_buddy.contract.links import LINKS, LinkRules, Platform, parse_link
from meeting_buddy.contract.redaction import REDACTED, Redactor
from meeting_buddy.contract.text import MAX_NAME, WITHOUT_BLANKS
from meeting_buddy_bot.support.logs import JsonLines
from tests.support import links_corpus
from tests.support.links_corpus import RULES
from tests.support.text_sinks import write_everywhere

LINK = "https://us05web.zoom.us/j/12345678901?pwd=abcDEFghi.1#success"
TOKEN = "c0ffee" * 10


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"could not open {LINK}", "could not open https://us05web.zoom.us/…"),
        (r"of Go: https://a.example/x?a=1\u0026b=2 is", "of Go: https://a.example/… is"),
        (r"https:\/\/a.example\/rooms\/x", r"https:\/\/a.example/…"),
        ("to=https%3A%2F%2Fa.example%2Frooms%2Fx", "to=https%3A%2F%2Fa.example/…"),
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
    link = "https://teams.microsoft.com/l/meetup-join/abc123def?anon=true&type=meetup-join"
    redact = Redactor.for_link(link, rules=RULES[Platform.TEAMS])
    assert redact("step meetup-join failed: true") == "step meetup-join failed: true"


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


@pytest.mark.parametrize(
    ("link", "platform", "secrets"),
    [
        ("https://zoom.us/j/1234567890?pwd=opensesame", Platform.ZOOM, ["1234567890", "opensesame"]),
        ("https://meet.example.org/rooms/weekly#hunterhunter", "LiveKit", ["weekly", "hunterhunter"]),
        ("https://meet.example.org/rooms/r?passphrase=a%2Fquiet%20lake", None, ["a/quiet lake", "a%2Fquiet%20lake"]),
        ("https://teams.microsoft.com/meet/2412345678901?p=AbCdEf", Platform.TEAMS, ["2412345678901", "AbCdEf"]),
        (
            "https://teams.microsoft.com/dl/launcher/launcher.html?url=%2F_%23%2Fmeet%2F241234567%3Fp%3Dsesame&type=meet",
            Platform.TEAMS,
            ["241234567", "sesame"],
        ),
        (
            "https://teams.microsoft.com/light-meetings/launch?coords=eyJwYXNzY29kZSI6Im9wZW5zZXNhbWUifQ",
            Platform.TEAMS,
            ["opensesame"],
        ),
        ("https://example.webex.com/example/j.php?MTID=mabcdefgh", Platform.WEBEX, ["mabcdefgh"]),
        ("not a link with opensesame", None, ["not a link with opensesame"]),
    ],
)
def test_parts_that_let_somebody_in_are_secrets_whatever_they_look_like(
    link: str, platform: str | None, secrets: list[str]
) -> None:
    found = all_secrets(link, *([RULES[platform]] if platform else []))
    assert [secret for secret in secrets if secret not in found] == []


def all_secrets(link: str, rules: LinkRules = UNKNOWN_PLATFORM) -> frozenset[str]:
    return frozenset().union(*link_secrets(link, rules))


@pytest.mark.parametrize(
    "shown",
    [
        *("812 3456 7890", "812-3456-7890", "812\xa03456\xa07890", "812\u202f3456\u202f7890"),
        *("812\u20113456\u20117890", "81234567890", "812&nbsp;3456&#160;7890", "812%203456%207890"),
        "812\\u00a03456\\u00a07890",
    ],
)
def test_a_number_is_found_however_a_page_groups_its_digits(shown: str) -> None:
    redact = Redactor.for_link("https://zoom.us/j/81234567890?pwd=x", rules=RULES[Platform.ZOOM], passcode="202503")
    assert redact(f"<b>{shown}</b> 202503") == f"<b>{REDACTED}</b> {REDACTED}"
    for other in ("812 3456 7891", "2025-03-14T10:00:00Z", "recording-2025-03.mkv", "20\n2503", "8123456.7890"):
        assert redact(other) == other


def test_a_number_that_a_link_has_in_groups_is_found_in_any() -> None:
    link = coordinates(meetingCode="234 567 890 123 4", passcode="12 34 56")
    redact = Redactor.for_link(link, rules=RULES[Platform.TEAMS])
    for shown in ("234 567 890 123 4", "2345678901234", "2345 6789 0123 4", "123456"):
        assert redact(f"<{shown}>") == f"<{REDACTED}>"


def test_a_short_number_is_found_only_as_it_is_given() -> None:
    redact = Redactor.for_link("https://zoom.us/j/1234567890", rules=RULES[Platform.ZOOM], passcode="1234")
    assert redact("1.234 s, 12 34, 1234") == f"1.234 s, 12 34, {REDACTED}"


def coordinates(**meeting: str) -> str:
    coords = base64.urlsafe_b64encode(json.dumps(meeting).encode()).decode()
    return f"https://teams.microsoft.com/light-meetings/launch?coords={quote(coords)}"


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://meet1492.webex.com/meet1492/j.php?MTID=m0123456789abcdef", "meet1492.webex.com"),
        ("https://a-site-with-a-long-name.webex.com/a-site-with-a-long-name/j.php?MTID=m0123", None),
        ("https://meet1492.webex.com/webappng/sites/meet1492/meeting/info/0123456789abcdef", None),
        (
            "https://Meet1492.webex.com/wbxmjs/joinservice/sites/MEET1492/meeting/download/0123?x=meet1492.webex.com",
            None,
        ),
        (coordinates(meetingUrl="https://teams.microsoft.com/meet/2412345678901"), "teams.microsoft.com"),
        (coordinates(meetingUrl="https://gov2.teams.microsoft.us/meet/2412345678901"), "gov2.teams.microsoft.us"),
        ("https://meet.buddy.test:8443/rooms/r?back=https://meet.buddy.test:8443/rooms/r", "meet.buddy.test:8443"),
    ],
)
def test_a_meetings_public_host_is_no_secret(link: str, shown: str | None) -> None:
    shown = shown or urlsplit(link).netloc
    rules = next((rules for rules in LINKS.values() if rules.owns(urlsplit(link).netloc.lower())), UNKNOWN_PLATFORM)
    assert Redactor.for_link(link, rules=rules)(f"<!-- page {shown} / -->") == f"<!-- page {shown} / -->"
    assert Redactor.for_link(link)(urlsplit(link).netloc) == urlsplit(link).netloc, "before its platform is known"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Susanna and Annabel, Hanna", "Susanna and Annabel, Hanna"),
        ("Anna's room: anna", f"{REDACTED}'s room: {REDACTED}"),
        ("room_anna-1, /meet/anna", f"room_{REDACTED}-1, {REDACTED}"),
        (r'"joined\nanna"', rf'"joined\n{REDACTED}"'),
        ("%2Fanna%2F or \\u002fanna", f"%2F{REDACTED}%2F or \\u002f{REDACTED}"),
        (r"'\x2Fanna'", rf"'\x2F{REDACTED}'"),
        ("要加入anna吗", f"要加入{REDACTED}吗"),
    ],
)
def test_a_plain_word_in_a_links_path_is_found_where_it_is_a_word(text: str, left: str) -> None:
    assert Redactor.for_link("https://example.webex.com/meet/anna", rules=RULES[Platform.WEBEX])(text) == left


@pytest.mark.parametrize(
    ("room", "text", "left"),
    [
        ("チーム定例会議", "チーム定例会議に参加しますか", f"{REDACTED}に参加しますか"),
        ("주간회의실", "주간회의실에 참가", f"{REDACTED}에 참가"),
        ("研发部周会", "要加入研发部周会吗", f"要加入{REDACTED}吗"),
    ],
)
def test_a_word_of_a_script_without_blanks_is_found_inside_others(room: str, text: str, left: str) -> None:
    for spelt in (room, quote(room)):
        assert Redactor.for_link(f"https://meet.example.org/{spelt}")(text) == left


@pytest.mark.parametrize(
    ("link", "passcode"),
    [
        ("https://acme.example.org/j/1?pwd=acme", "acme"),
        ("https://example.webex.com/meet/x?password=Example", "example"),
        ("https://us02web.zoom.us/j/1234567890?pwd=zoom", "Zoom"),
    ],
)
def test_a_passcode_that_is_a_label_of_the_host_is_a_secret(link: str, passcode: str) -> None:
    assert Redactor.for_link(link)(f"the passcode is {passcode}") == f"the passcode is {REDACTED}"


@pytest.mark.parametrize(
    "redact",
    [
        Redactor.for_link("https://zoom.us/j/1234567890?pwd=anna", rules=RULES[Platform.ZOOM]),
        Redactor.for_link("https://zoom.us/my/anna?pwd=Anna", rules=RULES[Platform.ZOOM]),
        Redactor.for_link("https://zoom.us/j/1234567890", rules=RULES[Platform.ZOOM], passcode="anna"),
        Redactor(["anna"]),
    ],
)
def test_a_passcode_is_found_inside_other_words_too(redact: Redactor) -> None:
    assert redact("Susanna") == f"Sus{REDACTED}"


def test_a_long_key_of_letters_is_found_inside_other_words_too() -> None:
    assert (
        Redactor.for_link("https://meet.example.org/rooms/averylongsecretroom")("xaverylongsecretroomx")
        == f"x{REDACTED}x"
    )


@pytest.mark.parametrize("case", [case for case in links_corpus.cases() if case.found], ids=lambda case: case.link)
def test_words_that_every_link_of_a_platform_has_are_no_secrets(case: links_corpus.Case) -> None:
    meeting = parse_link(case.link, case.named, links_corpus.SELF_HOSTED, links_corpus.KINDS)
    found = {secret.lower() for secret in all_secrets(meeting.link, meeting.rules)}
    assert not found & meeting.rules.public_words
    assert not found & {"true", "web", "join", "meet", "example"}


def percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    quote,
    percent,
    lambda text: percent(text).upper(),
    lambda text: quote(percent(text)),
    lambda text: "".join(f"\\u{ord(each):04X}" for each in text),
    lambda text: json.dumps(f"/{text}/").replace("/", "\\/"),
    lambda text: "".join(f"&#{ord(each)};" for each in text),
    lambda text: "".join(f"&#x{ord(each):x};" for each in text),
    lambda text: text.upper() if text.isascii() else text,
    lambda text: text[:1] + percent(text[1:]),
)
LINKS_WITH: dict[str, tuple[str, ...]] = {
    Platform.ZOOM: ("https://zoom.us/j/1234567890?pwd={}", "https://zoom.us/my/{}"),
    "LiveKit": ("https://meet.example.org/rooms/r#{}", "https://meet.example.org/rooms/{}?hq=true"),
    Platform.TEAMS: ("https://teams.microsoft.com/meet/2412345678901?anon=true&p={}",),
    Platform.GOOGLE_MEET: ("https://meet.google.com/abc-defg-hij?unknown={}&authuser=0",),
    Platform.WEBEX: ("https://example.webex.com/meet/{}", "https://web.webex.com/meet?meetingId=1&x={}#y"),
}
LETTERS = st.one_of(
    st.text(string.ascii_letters, min_size=SHORTEST, max_size=30),
    st.text(st.characters(categories=["Ll", "Lu", "Lo"], max_codepoint=0xFFFF), min_size=SHORTEST, max_size=12),
)
AROUND = st.text(string.ascii_letters + string.digits + " %\\&#/=?\"'<", max_size=12)


@functools.cache
def vocabulary() -> str:
    """All that is written when the page says nothing: the product's own words, paths and lines of code."""
    with tempfile.TemporaryDirectory() as folder:
        written = asyncio.run(write_everywhere("", Path(folder), Redactor()))
    return "".join(written.sinks.values()).lower()


@pytest.mark.parametrize("spell", SPELLINGS)
@pytest.mark.parametrize("secret", ["opensesame", "Öffne-Dich", "a quiet lake", 'q"u\\o/te'])
def test_a_secret_is_found_however_it_is_spelled(secret: str, spell: Callable[[str], str]) -> None:
    redact = Redactor.for_link(f"https://zoom.us/j/1234567890?pwd={quote(secret)}", rules=RULES[Platform.ZOOM])
    assert redact(f"<{spell(secret)}>") in (f"<{REDACTED}>", f'<"\\/{REDACTED}\\/">', f'<"\\/{REDACTED}/">')


@settings(deadline=None, max_examples=100)
@example((Platform.ZOOM, "https://zoom.us/j/1234567890?pwd={}"), "BAAA", SPELLINGS[-1], "\\", "")
@given(
    st.sampled_from([(platform, link) for platform, links in LINKS_WITH.items() for link in links]),
    LETTERS,
    st.sampled_from(SPELLINGS),
    AROUND,
    AROUND,
)
def test_no_sink_holds_a_secret_of_letters_however_it_is_spelled(
    link: tuple[str, str], secret: str, spell: Callable[[str], str], before: str, after: str
) -> None:
    platform, pattern = link
    rules = RULES[platform]
    assume(secret.lower() not in rules.public_words)
    assume(secret.lower() not in f"{vocabulary()} {before} {REDACTED} {after}".lower())
    text = before + spell(secret) + after
    if "/{}" in pattern:  # a path's word is one only where no letter stands before or behind it
        assume(not any(part_of_a_word(secret, reading) for reading, _ in readings(text)))
    assert_no_sink_holds(
        secret,
        text,
        Redactor.for_link(pattern.format(quote(secret)), rules=rules),
    )


@settings(deadline=None, max_examples=50)
@given(
    st.one_of(LETTERS, st.text(string.ascii_letters + string.digits + "%+&=.-_", min_size=SHORTEST, max_size=12)),
    st.sampled_from(SPELLINGS),
    AROUND,
    AROUND,
)
def test_no_sink_holds_the_passcode_of_a_secret_however_it_is_spelled(
    passcode: str, spell: Callable[[str], str], before: str, after: str
) -> None:
    assume(passcode.lower() not in f"{vocabulary()} {before} {REDACTED} {after}".lower())
    assert_no_sink_holds(
        passcode,
        before + spell(passcode) + after,
        Redactor.for_link("https://zoom.us/j/1234567890", rules=RULES[Platform.ZOOM], passcode=passcode),
    )


def part_of_a_word(secret: str, text: str) -> bool:
    letter = rf"[^\W\d_{WITHOUT_BLANKS}]"
    return re.search(f"{letter}{re.escape(secret)}|{re.escape(secret)}{letter}", text, re.IGNORECASE) is not None


def test_a_passcode_that_is_too_short_to_guard_anything_leaves_words_readable() -> None:
    redact = Redactor.for_link("https://zoom.us/j/1234567890", rules=RULES["Zoom"], passcode="a" * (SHORTEST - 1))
    assert redact("aaa: a page that waits") == "aaa: a page that waits"
    assert Redactor.for_link("https://zoom.us/j/1234567890", passcode="a" * SHORTEST)("aaaa") == REDACTED


def assert_no_sink_holds(secret: str, text: str, redact: Redactor) -> None:
    """Let a page say `text` and look for `secret` in all that is written of it."""
    with tempfile.TemporaryDirectory() as folder:
        written = asyncio.run(write_everywhere(text, Path(folder), redact))
    assert {"log", "report", "status", "events.jsonl", "session.json", "termination-log", "debug/shown.html"} < set(
        written.sinks
    )
    for sink, text in written.sinks.items():
        for reading, _ in readings(text):
            assert secret not in reading, sink
            assert not secret.isascii() or secret.lower() not in reading.lower(), sink


def test_a_name_that_was_cut_inside_a_secret_shows_no_part_of_it() -> None:
    redact = Redactor.for_link("https://zoom.us/j/1234567890?pwd=opensesameopensesame", rules=RULES[Platform.ZOOM])
    name = ("x" * 90 + "opensesameopensesame")[:MAX_NAME]
    assert redact(name) == "x" * 90 + REDACTED


@settings(deadline=None, max_examples=30)
@given(st.text(string.ascii_letters + " ", min_size=6, max_size=40))
def test_names_stay_on_the_volume_where_the_bot_class_says_so(name: str) -> None:
    name = f"Guest-{' '.join(name.split())}-tseuG"
    with tempfile.TemporaryDirectory() as folder:
        written = asyncio.run(write_everywhere(name, Path(folder), Redactor(), publish=False, careless=False))
    assert [sink for sink in ("log", "report", "status", "termination-log") if name in written.sinks[sink]] == []
    assert written.report.people.model_dump() == {"current": (), "left": (), "present": 1, "seen": 1}
    assert (written.status.participant_count, written.status.participant_history_count) == (1, 1)
    naming = {event["event"] for event in written.events() if name in str(event)}
    assert naming == {"participant_joined", "participant_left", "speaking", "page_dialog"}
    assert json.loads(written.sinks["session.json"])["participants"] == [name]


def test_names_are_published_unless_the_bot_class_says_otherwise(tmp_path: Path) -> None:
    written = asyncio.run(write_everywhere("Ada", tmp_path, Redactor(), careless=False))
    people = written.report.people
    assert [each.name for each in (*people.current, *people.left)] == ["Ada", "Ada"]
    assert [line["name"] for line in written.log() if line["message"] == "participant_left"] == ["Ada"]
