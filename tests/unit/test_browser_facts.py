"""What the browser and the page say of themselves in numbers and words: bounded before it gets anywhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from meeting_buddy_bot.browser.driver import Driver
from meeting_buddy_bot.browser.page import FrameAnswer
from meeting_buddy_bot.platforms.probe import Probe
from tests.support.platform_tables import platform_table


@pytest.mark.parametrize(
    ("told", "version"),
    [("156.0.8078.79", "156.0.8078.79"), ("1" * 5000, "1" * 64), ("1\n\u202e56\udcff", "1 56\ufffd")],
    ids=["ordinary", "long", "not text"],
)
def test_a_version_is_a_short_word(told: str, version: str) -> None:
    session = cast(Any, SimpleNamespace(capabilities={"browserVersion": told}))
    assert Driver(session, "http://localhost").version == version


@pytest.mark.parametrize(("told", "count"), [(None, None), (7, 7), (1e30, 1_000_000)])
def test_no_page_counts_more_people_than_a_report_can_hold(told: float | None, count: int | None) -> None:
    looked: dict[str, object] = {"people": [], "audio": [], "video": [], "status": 200, "seconds": 0.1}
    probe = Probe(platform_table("livekit"))
    looked |= {"count": told, "seen": [False] * len(probe.matches), "actable": [False] * len(probe.steps)}
    answer = FrameAnswer("main", top=True, value=looked)
    assert probe._snapshot([answer], [], []).count == count
