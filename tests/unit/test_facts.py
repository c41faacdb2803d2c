"""The fact files of the meeting platforms: that every fact can be cited, and says where it is from."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.local.meetings import facts
from tests.local.meetings.facts import FILES, NO_SOURCE, SOURCES, Fact, all_facts, load, source_date

PLATFORM = {"teams": "Teams", "zoom": "Zoom", "google_meet": "GoogleMeet", "webex": "Webex"}


@pytest.mark.parametrize("file", FILES)
def test_every_file_loads_by_either_name(file: str) -> None:
    loaded = load(file)
    assert loaded.platform == PLATFORM[file]
    assert loaded.facts
    assert load(loaded.platform).facts == loaded.facts


def test_no_file_is_left_out() -> None:
    assert sorted(path.stem for path in Path(facts.__file__).parent.glob("*.yaml")) == sorted(FILES)


def test_an_unknown_platform_is_refused() -> None:
    with pytest.raises(KeyError, match="no facts of Jitsi"):
        load("Jitsi")


def test_ids_are_unique() -> None:
    assert [fact_id for fact_id, count in Counter(fact.id for fact in all_facts()).items() if count > 1] == []


@pytest.mark.parametrize("file", FILES)
def test_ids_begin_with_their_file(file: str) -> None:
    assert [fact.id for fact in load(file).facts if fact.file != file] == []


def test_every_fact_has_source_date_and_trust() -> None:
    for fact in all_facts():
        assert fact.trust, fact.id
        assert all(fact.sources), fact.id
        newest = max(source_date(source) for source in fact.sources if source != NO_SOURCE or len(fact.sources) == 1)
        assert fact.date <= newest, f"{fact.id} is younger than its sources"


def test_sources_spell_their_tags_as_the_tables_do() -> None:
    """A short word in capitals is a tag, so it stands in the table of sources."""
    short = {source.split("#")[0] for fact in all_facts() for source in fact.sources}
    assert {tag for tag in short if tag.isupper() and tag.isalpha()} <= set(SOURCES)


def test_a_value_stands_once_in_an_area_unless_it_says_why() -> None:
    seen: defaultdict[tuple[str, str, str, str, str | None], list[Fact]] = defaultdict(list)
    for fact in all_facts():
        seen[fact.file, fact.area, fact.kind, fact.value, fact.role].append(fact)
    for same in seen.values():
        assert all(fact.again for fact in same[1:]), f"the same value: {', '.join(fact.id for fact in same)}"


def test_contradicted_facts_are_decoys() -> None:
    contradicted = [fact for fact in all_facts() if fact.trust == "contradicted"]
    assert contradicted
    assert all(fact.decoy for fact in contradicted)


def test_codes_on_the_wire_are_not_for_a_table() -> None:
    """The bot reads pages, so a code has a reason why nothing uses it."""
    assert [fact.id for fact in all_facts() if fact.kind == "code" and not fact.unused] == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "it has none"),
        ({"css": "#a", "text": "a"}, "it has css, text"),
        ({"text": " "}, "an empty value"),
        ({"text": "a", "role": "button"}, "a role without a name"),
        ({"id": "zoom.nowhere.a", "text": "a"}, "an unknown area"),
        ({"text": "a", "colour": "red"}, "Extra inputs"),
        ({"text": "a", "date": "yesterday"}, "date"),
        ({"text": "a", "trust": "hope"}, "trust"),
    ],
)
def test_a_wrong_fact_is_refused(fields: dict[str, str], message: str) -> None:
    whole = {"id": "zoom.lobby.a", "says": "a", "source": "ZM", "date": "2026-08-24", "trust": "ran"}
    with pytest.raises(ValidationError, match=message):
        Fact.model_validate(whole | fields)
