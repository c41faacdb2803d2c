"""A page's text is anybody's: what may be in it, and that nothing which writes it fails for its content."""

from __future__ import annotations

import asyncio
import json
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import MAX_REPORT_BYTES, MAX_TERMINATION_BYTES, Report
from meeting_buddy.contract.text import MAX_LINE, MAX_NAME, page_text, spoken_text, utf8, well_formed
from meeting_buddy.resource.session import MeetingSessionStatus
from meeting_buddy_bot.platforms.people import People
from meeting_buddy_bot.platforms.probe import Person
from tests.support.text_sinks import write_everywhere

ANYTHING = st.text(st.one_of(st.characters(categories=None), st.characters(categories=["Cs", "Cf", "Cc", "Mn", "Zs"])))
"""All code points, lone surrogates among them, and those that do harm more often than chance has it."""


DIRECTION = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A\u202eda\n\x1b[31m\u200b ", "Ada [31m"),
        ("x" * 99 + "\U0001f600", "x" * 99 + "\U0001f600"),
        ("x" * 100 + "\U0001f600", "x" * 100),
        ("x" * 99 + "\ud83d\ude00", "x" * 99 + "\U0001f600"),  # two code units, as JavaScript counts
        ("x\ud83d", "x\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("one\u2028two\u2029three", "one two three"),
        ("\u2066Ada\u2069\u2067\u061c\u200e", "Ada"),
        ("Ada\U000e0041\U000e007f\ufe0f\U000e0100\u00ad\u2060\ufeff\u3164", "Ada"),
        ("e\u0301", "\u00e9"),
        (" \u00a0 two \t blanks\u3000", "two blanks"),
        ("\u200f\ufeff\x00", ""),
    ],
)
def test_a_name_is_whole_seen_and_bounded(text: str, shown: str) -> None:
    assert page_text(text, MAX_NAME) == shown


@given(ANYTHING, st.integers(1, 40))
def test_page_text_is_bounded_normalised_and_free_of_what_is_not_seen(text: str, limit: int) -> None:
    shown = page_text(text, limit)
    assert len(shown) <= limit
    assert shown == page_text(shown, limit)
    assert unicodedata.is_normalized("NFC", shown)
    assert {unicodedata.category(each) for each in shown}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert {unicodedata.bidirectional(each) for each in shown}.isdisjoint(DIRECTION)
    assert utf8(shown).decode() == shown


@given(ANYTHING)
def test_well_formed_changes_surrogates_alone(text: str) -> None:
    found = well_formed(text)
    assert utf8(text).decode() == found
    if not any("\ud800" <= each <= "\udfff" for each in text):
        assert found == text


def test_the_bot_knows_its_own_name_as_the_page_shows_it() -> None:
    name = "Ann\u200b e\u0301  \u202eBot"
    assert People(name).others([Person(page_text(name, MAX_NAME), own=False, speaking=False)]) == []


@settings(deadline=None, max_examples=60)
@given(ANYTHING)
def test_nothing_that_is_written_fails_for_what_a_page_says(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = asyncio.run(write_everywhere(text, Path(folder), Redactor()))
    names = [name for name in [page_text(text, MAX_NAME)] if name]
    assert [person.name for person in written.snapshot.people] == (names or [""])
    for event in written.events():
        if event["event"] in ("participant_joined", "participant_left"):
            assert [event["name"]] == names
    assert len(written.page.alerts[0]) <= MAX_LINE
    assert len(written.page.console[0]) <= MAX_LINE
    for sink, limit in (("report", MAX_REPORT_BYTES), ("termination-log", MAX_TERMINATION_BYTES)):
        assert len(written.sinks[sink].encode()) <= limit
        assert Report.model_validate_json(written.sinks[sink]).revision == written.report.revision
    people = Report.model_validate_json(written.sinks["report"]).people
    assert [each.name for each in people.current] == [each.name for each in people.left] == names
    composed = MeetingSessionStatus.model_validate_json(written.sinks["status"])
    assert [each.name for each in composed.current_participants or ()] == names
    assert [each.name for each in composed.participant_history or ()] == names
    assert len(written.log()) >= 5
    for sink in ("session.json", "manifest.jsonl", "debug/shown.signals.json"):
        assert json.loads(written.sinks[sink])


PERSIAN, SINHALA, HINDI = "می\u200cروم خانه\u200cام", "ශ\u0dca\u200dරී ලංකා", "क\u094d\u200dष"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (PERSIAN, PERSIAN),
        (SINHALA, SINHALA),
        (HINDI, HINDI),
        ("می\u200f\u200cروم", "می\u200cروم"),
        ("a\u200c\u200d\u200cb", "a\u200cb"),
        ("\u200ca \u200d b\u200c 1\u200d2", "a b 12"),
        ("\u202ea\u200bb", "ab"),
    ],
)
def test_joiners_that_are_spelling_stay_in_what_is_said_and_in_no_name(said: str, kept: str) -> None:
    assert spoken_text(said, 100) == kept
    assert not set("\u200c\u200d") & set(page_text(said, 100))


@given(ANYTHING | st.text(st.sampled_from("aم\u094d1 \u200c\u200d\u200f\n\u0301")), st.integers(1, 40))
def test_spoken_text_differs_from_a_pages_in_joiners_alone(text: str, limit: int) -> None:
    said = spoken_text(text, limit)
    assert len(said) <= limit
    assert said == spoken_text(said, limit)
    assert unicodedata.is_normalized("NFC", said)
    if len(said) < limit and len(text) <= limit:
        bare = said.replace("\u200c", "").replace("\u200d", "")
        assert unicodedata.normalize("NFC", bare) == page_text(text, limit)
