"""An administrator's override: how it is merged, and what is said of one that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from meeting_buddy.contract.table import PlatformTable, table_hash
from meeting_buddy.contract.table_override import OverrideState, ResolvedTable, resolve
from meeting_buddy.contract.table_reader import load_table
from tests.support.small_table import SOURCE, raw_table

BUILT_IN = load_table(raw_table())
NEW_BUTTON = {"css": "#join2", "source": SOURCE}
NEW_SIGNAL = {"state": "preJoin", "all": ["form"]}


def override(**fields: Any) -> dict[str, Any]:
    return {"platform": "LiveKit", "tableHash": table_hash(BUILT_IN), **fields}


def resolved(built_in: PlatformTable | None = BUILT_IN, /, **fields: Any) -> ResolvedTable:
    return resolve(override(**fields), "LiveKit", built_in)


def merged(**fields: Any) -> PlatformTable:
    found = resolved(**fields)
    assert found.fault is None, str(found.fault)
    assert found.table is not None
    return found.table


def with_steps() -> PlatformTable:
    """A built-in table with three steps."""
    raw = raw_table()
    raw["steps"] = [{"name": name, "do": "click", "target": "join button"} for name in ("first", "second", "third")]
    return load_table(raw)


def test_an_override_without_changes_is_the_built_in_table() -> None:
    assert merged() == BUILT_IN
    assert table_hash(merged()) == table_hash(BUILT_IN)


def test_a_prepended_locator_is_tried_before_the_built_in_ones() -> None:
    found = merged(elements={"join button": {"prepend": [NEW_BUTTON]}})
    assert [each.css for each in found.elements["join button"]] == ["#join2", "#join", None]
    assert found.elements["form"] == BUILT_IN.elements["form"]


def test_a_replaced_list_is_all_that_there_is() -> None:
    found = merged(elements={"join button": {"replace": [NEW_BUTTON]}}, steps={"replace": []})
    assert [each.css for each in found.elements["join button"]] == ["#join2"]
    assert found.steps == ()


def test_a_new_element_can_be_used_at_once() -> None:
    found = merged(
        elements={"consent": {"replace": [NEW_BUTTON]}},
        steps={"prepend": [{"name": "consent", "do": "click", "target": "consent"}]},
    )
    assert [step.name for step in found.steps] == ["consent", "join"]


def test_a_prepended_step_of_a_name_that_exists_takes_that_steps_place() -> None:
    built_in = with_steps()
    steps = [
        {"name": "second", "do": "hover", "target": "form"},
        {"name": "new", "do": "click", "target": "form"},
    ]
    found = resolved(built_in, tableHash=table_hash(built_in), steps={"prepend": steps})
    assert found.table is not None
    assert [(step.name, step.do) for step in found.table.steps] == [
        ("new", "click"),
        ("first", "click"),
        ("second", "hover"),
        ("third", "click"),
    ]


def test_signals_and_leave_are_lists_like_the_others() -> None:
    leave = [{"name": "leave", "do": "click", "target": "leave button"}]
    found = merged(signals={"prepend": [NEW_SIGNAL]}, leave={"replace": leave})
    assert [signal.state for signal in found.signals] == ["preJoin", "inCall"]
    assert [step.name for step in found.leave] == ["leave"]


def test_small_objects_are_merged_field_by_field() -> None:
    found = merged(
        timeouts={"join": 120},
        devices={"microphone": "silent"},
        url={"query": {"lang": "en"}},
        media={"video": None},
        participants={"count": "form", "screenShare": [{"css": ".screen"}]},
    )
    assert (found.timeouts.join, found.timeouts.load) == (120, BUILT_IN.timeouts.load)
    assert found.devices.microphone == "silent"
    assert found.url.query == {"lang": "en"}
    assert (found.media.audio, found.media.video) == ("audio", None)
    assert found.participants.tile == BUILT_IN.participants.tile
    assert (found.participants.count, len(found.participants.screen_share)) == ("form", 1)


def test_an_override_for_another_built_in_table_is_used_and_stale() -> None:
    found = resolved(tableHash="0123456789abcdef", timeouts={"join": 120})
    assert found.table is not None
    assert (found.state, found.fault, found.table.timeouts.join) == (OverrideState.STALE, None, 120)
    assert resolved().state is OverrideState.USED


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"hosts": ["zoom.example"]}, "hosts", "unknown field"),
        ({"links": []}, "links", "unknown field"),
        ({"checked": "2026-12-01"}, "checked", "unknown field"),
        ({"tableHash": None}, "tableHash", "in quotes"),
        ({"tableHash": 123456789012345}, "tableHash", "in quotes"),
        ({"tableHash": "abc"}, "tableHash", "pattern"),
        ({"platform": "Zoom"}, "platform", "named after LiveKit"),
        ({"steps": {}}, "steps", "either prepend or replace"),
        ({"steps": {"prepend": [], "replace": []}}, "steps", "either prepend or replace"),
        ({"steps": {"append": []}}, "steps.append", "unknown field"),
        ({"steps": {"prepend": [{"name": "x", "do": "run"}]}}, "steps.prepend.0.do", "Input should be"),
        ({"steps": {"prepend": [{"name": "x", "do": "click"}]}}, "steps.prepend.0", "needs a target"),
        ({"leave": {"replace": [{"name": "x", "do": "reload", "script": ""}]}}, "leave.replace.0.script", "unknown"),
        ({"signals": {"prepend": [{**NEW_SIGNAL, "weight": 1}]}}, "signals.prepend.0.weight", "unknown field"),
        ({"elements": {"form": {"prepend": [{"css": "#x"}]}}}, "elements.form.prepend.0.source", "required"),
        ({"elements": {"Form": {"replace": [NEW_BUTTON]}}}, "elements.Form", "pattern"),
        ({"elements": {"join buton": {"prepend": [NEW_BUTTON]}}}, "elements.join buton", "no such element"),
        ({"elements": {"form": {"replace": []}}}, "elements.form", "at least 1"),
        ({"elements": {"form": {"replace": [{**NEW_BUTTON, "within": "join button"}]}}}, "table", "within itself"),
        ({"steps": {"prepend": [{"name": "x", "do": "click", "target": "exit"}]}}, "table", "step x"),
        ({"leave": {"replace": [{"name": "join", "do": "click", "target": "form"}]}}, "table", "unique"),
        ({"signals": {"replace": [NEW_SIGNAL]}}, "table", "inCall"),
        ({"timeouts": {"join": 9000}}, "timeouts.join", "less than"),
        ({"timeouts": {"jion": 90}}, "timeouts.jion", "unknown field"),
        ({"media": {"kind": "none"}}, "media", "takes no audio"),
        ({"participants": {"tile": []}}, "participants.tile", "at least 1"),
    ],
)
def test_an_override_that_is_wrong_is_not_used_and_its_field_is_named(
    fields: dict[str, Any], field: str, words: str
) -> None:
    found = resolved(**fields)
    assert (found.table, found.state) == (BUILT_IN, OverrideState.INVALID)
    assert found.fault is not None
    assert found.fault.field == field
    assert words in found.fault.words


def test_a_fault_never_quotes_a_value() -> None:
    for fields in ({"tableHash": "my-secret"}, {"timeouts": {"join": "my-secret"}}, {"elements": "my-secret"}):
        assert "my-secret" not in str(resolved(**fields).fault)


def test_a_whole_table_takes_the_built_in_ones_place() -> None:
    raw = raw_table() | {"timeouts": {"join": 61}}
    for built_in in (BUILT_IN, None):
        found = resolve(raw, "LiveKit", built_in)
        assert (found.table, found.state) == (load_table(raw), OverrideState.USED)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda raw: raw.update(tableVersion=2), "tableVersion"),
        (lambda raw: raw.update(tableHash=table_hash(BUILT_IN)), "tableHash"),
        (lambda raw: raw.update(platform="Zoom"), "platform"),
        (lambda raw: raw["steps"][0].update(do="run"), "steps.0.do"),
    ],
)
def test_a_whole_table_that_is_wrong_is_not_used(change: Callable[[dict[str, Any]], None], field: str) -> None:
    raw = raw_table()
    change(raw)
    for built_in in (BUILT_IN, None):
        found = resolve(raw, "LiveKit", built_in)
        assert (found.table, found.state) == (built_in, OverrideState.INVALID)
        assert found.fault is not None
        assert found.fault.field == field


def test_without_a_built_in_table_there_is_nothing_to_override() -> None:
    found = resolved(None, timeouts={"join": 120})
    assert (found.table, found.state) == (None, OverrideState.INVALID)
    assert "no built-in table" in str(found.fault)


@pytest.mark.parametrize("document", [None, [], "platform: LiveKit", 3, {}, {1: 2}, {"platform": "LiveKit", 1: 2}])
def test_any_document_has_an_answer(document: object) -> None:
    found = resolve(document, "LiveKit", BUILT_IN)
    assert (found.table, found.state) == (BUILT_IN, OverrideState.INVALID)
    assert str(found.fault)


def test_a_fault_can_be_written_to_a_status() -> None:
    found = resolved(timeouts={"\ud800" * 9 + "x" * 9000: 1})
    assert len(str(found.fault).encode()) < 1024
