"""Steps whose input the browser does not answer: when that is the page's, and when it is the browser's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from meeting_buddy_bot.browser.errors import BrowserGoneError, PageTimeoutError
from meeting_buddy_bot.platforms import meeting_page
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from tests.support.bot_clock import FakeClock
from tests.unit.test_page_listing import Opened


async def performed(page: MeetingPage, monkeypatch: pytest.MonkeyPatch, answers: Iterable[bool], every: float) -> None:
    """Run a step again and again, ``every`` so many seconds; the browser answers so."""
    clock, coming = FakeClock(), list(answers)
    monkeypatch.setattr(page, "_clock", clock)

    async def perform(*_: Any) -> None:
        clock.later(every)
        if not coming.pop(0):
            raise PageTimeoutError("no answer")

    monkeypatch.setattr(meeting_page, "perform", perform)
    while coming:
        expected = coming[0]
        assert await page.perform(page._table.steps[0]) is expected


@pytest.mark.parametrize(("answers", "every"), [((False, True, False), 5), ((False, False, False), 3600)])
async def test_input_that_is_answered_meanwhile_or_much_later_is_no_fault_of_the_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: tuple[bool, ...], every: float
) -> None:
    await performed(Opened(tmp_path).page, monkeypatch, answers, every)


async def test_a_browser_that_does_not_answer_twice_in_a_row_takes_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BrowserGoneError, match="does not take input"):
        await performed(cast(Any, Opened(tmp_path).page), monkeypatch, (False, False), 6)
