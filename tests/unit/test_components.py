"""Components of the bot: each failure has the answer that the component declares, and none is silent."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.devices.device import DeviceError
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime import components
from meeting_buddy_bot.runtime.components import Component, Components
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume


class Bot:
    """What components share, and one component that fails as often as it is told."""

    def __init__(self, folder: Path, *failures: Exception) -> None:
        clock = SessionClock()
        self.events = EventLog(folder / "events.jsonl", clock)
        self.leave = LeaveSignal()
        self.runs = 0
        self._failures = list(failures)
        unused = cast(Any, SimpleNamespace())
        reporter = SessionReporter(ReportState("mbsess_test", 1, clock), self.events)
        self.components = Components(
            unused, unused, unused, reporter, clock, clock, self.events, Volume(folder), self.leave, unused
        )

    async def run(self) -> None:
        self.runs += 1
        if self._failures:
            raise self._failures.pop(0)

    async def keep(self, failure: Reason | None) -> None:
        async with asyncio.timeout(60):
            await self.components._keep_running(Component("part", self.run, failure))


async def test_a_part_that_the_session_needs_ends_it_with_its_cause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bot = Bot(tmp_path, DeviceError("Xvfb ended at its start: no space"))
    with caplog.at_level(logging.ERROR):
        await bot.keep(Reason.RECORDING_FAILED)
    assert (bot.runs, bot.leave.reason) == (1, Reason.RECORDING_FAILED)
    assert bot.leave.message == "component part failed: Xvfb ended at its start: no space"
    assert "component part failed" in caplog.text
    assert "DeviceError" in caplog.text


async def test_a_part_that_is_worth_another_try_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_RETRY_SECONDS", 0)
    bot = Bot(tmp_path, OSError("stale file handle"), ValueError("x"))
    await bot.keep(None)
    assert (bot.runs, bot.leave.requested) == (3, False)
    await bot.events.close()
    assert (tmp_path / "events.jsonl").read_text().count("component_failed") == 2


async def test_a_part_that_ends_by_itself_is_not_started_again(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    await bot.keep(Reason.BOT_CRASHED)
    assert (bot.runs, bot.leave.requested) == (1, False)
