"""Leaving by a table's steps: what the page must show before it counts as agreed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.table import Match, PlatformTable, Step
from meeting_buddy.contract.table_reader import load_table
from meeting_buddy_bot.platforms import meeting_page
from meeting_buddy_bot.platforms.probe import PageSnapshot
from tests.support.small_table import SOURCE, raw_table
from tests.unit.test_page_listing import Opened


def _table() -> PlatformTable:
    """The call counts once its signs have been there for a minute; Leave opens a menu with another Leave."""
    raw = raw_table()
    raw["elements"]["leave option"] = [{"css": "#option", "source": SOURCE}]
    raw["signals"][0]["stableFor"] = 60
    raw["leave"] = [
        {"name": "leave meeting", "do": "click", "target": "leave option"},
        {"name": "leave", "do": "click", "target": "leave button", "maxRuns": 1},
    ]
    return load_table(raw)


CALL = ("own tile", "leave button")
MENU = (*CALL, "leave option")
AFTERWARDS: tuple[str, ...] = ()


def _snapshot(table: PlatformTable, elements: Sequence[str]) -> PageSnapshot:
    steps = frozenset(step.name for step in table.leave if step.target in elements)
    return PageSnapshot(frozenset(Match(element=each) for each in elements), steps)


@pytest.mark.parametrize(
    ("looks", "fails", "pressed"),
    [
        ([CALL, MENU, MENU, AFTERWARDS], 1, ["leave", "leave meeting", "leave meeting"]),
        ([CALL, CALL, CALL, MENU, AFTERWARDS], 0, ["leave", "leave meeting"]),
    ],
    ids=["something lies over the menu", "the menu comes late"],
)
async def test_a_call_that_still_shows_has_not_been_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: list[Sequence[str]], fails: int, pressed: list[str]
) -> None:
    monkeypatch.setattr(meeting_page, "_LEAVE_POLL", 0.001)
    table = _table()
    opened: Any = Opened(tmp_path, table=table)
    coming, tried = iter(looks), []

    async def read() -> PageSnapshot:
        return _snapshot(table, next(coming, AFTERWARDS))

    async def perform(step: Step) -> bool:
        tried.append(step.name)
        return not (step.name == "leave meeting" and tried.count(step.name) <= fails)

    monkeypatch.setattr(opened.page, "read", read)
    monkeypatch.setattr(opened.page, "perform", perform)
    assert await opened.page.leave(20)
    assert tried == pressed
    assert list(coming) == []
