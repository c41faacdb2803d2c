"""A browser is started when it can draw and play, and is not given up for what passes."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Self

import pytest
from selenium.webdriver.chrome.options import Options

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.browser import driver
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.driver import Driver
from meeting_buddy_bot.browser.errors import BrowserGoneError
from meeting_buddy_bot.recording.recorder import NoRecorder
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime import components
from meeting_buddy_bot.runtime.components import Components
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.session import meeting_run
from meeting_buddy_bot.session.context import SessionContext
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import Volume
from tests.bot.attending import Attending
from tests.support.synthetic_table import synthetic_table

LINK = "https://meet.test/rooms/weekly"


class FakeDevice:
    """A device that answers from some time on."""

    starts = 1

    def __init__(self, seconds: float = 0.0) -> None:
        self.answering = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, self.answering.set)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Needs no end."""

    async def wait_answering(self) -> None:
        await self.answering.wait()


class FakeBrowser(Browser):
    """Comes up, and asks the bot to leave, once something holds."""

    def __init__(self, holds: asyncio.Event, leave: LeaveSignal) -> None:
        super().__init__((1280, 720))
        self.tried = 0
        self._holds = holds
        self._leave = leave

    async def start(self, seconds: float = 60.0) -> None:
        self.tried += 1
        if not self._holds.is_set():
            raise BrowserGoneError("no new browser")
        self._leave.request(Reason.LEAVE_REQUESTED)
        await asyncio.Event().wait()


async def attend(folder: Path, monkeypatch: pytest.MonkeyPatch, display: FakeDevice, holds: asyncio.Event) -> int:
    """A session with devices and a browser as told; how often the browser was started."""
    monkeypatch.setattr(components, "Display", lambda *_: display)
    monkeypatch.setattr(components, "Sound", lambda *_: FakeDevice())
    monkeypatch.setattr(Components, "_recorder", lambda *_: NoRecorder())
    monkeypatch.setattr(Components, "_background_tasks", lambda *_: ())
    attending, clock, leave = Attending("", folder, LINK, synthetic_table()), SessionClock(), LeaveSignal()
    events, browser = EventLog(folder / "events.jsonl", clock), FakeBrowser(holds, leave)
    bot = Components(
        Settings(recordings=folder),
        attending.assignment,
        attending._context.meeting,
        SessionReporter(ReportState("mbsess_test", 1, clock), events),
        clock,
        clock,
        events,
        Volume(folder),
        leave,
        ShutdownDeadline(clock, 60.0, 60),
    )

    async def attends(context: SessionContext) -> SessionResult:
        return await meeting_run.attend(context, browser)

    async with asyncio.timeout(60):
        result, _ = await bot.attend(attends)
    await events.close()
    assert result == SessionResult(Reason.LEAVE_REQUESTED)
    return browser.tried


async def test_none_is_started_before_there_is_a_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    display = FakeDevice(0.2)
    assert await attend(tmp_path, monkeypatch, display, display.answering) == 1


async def test_one_that_does_not_come_up_is_not_tried_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting_run, "_REJOIN_PAUSE", 0.1)
    passes = asyncio.Event()
    asyncio.get_running_loop().call_later(0.15, passes.set)
    assert await attend(tmp_path, monkeypatch, FakeDevice(), passes) > 1


@pytest.mark.parametrize("cut_short", ["by a request to leave", "by its time limit"])
async def test_one_that_nobody_waits_for_any_more_is_ended_as_soon_as_it_is_there(
    monkeypatch: pytest.MonkeyPatch, cut_short: str
) -> None:
    loop, comes = asyncio.get_running_loop(), threading.Event()
    asked, ended = asyncio.Event(), asyncio.Event()

    class Session:
        def __init__(self, *_: object, **__: object) -> None:
            loop.call_soon_threadsafe(asked.set)
            comes.wait(60)

        def quit(self) -> None:
            loop.call_soon_threadsafe(ended.set)

    async def no_sessions(_: str) -> None:
        """There is none."""

    monkeypatch.setattr(driver, "WebDriver", Session)
    monkeypatch.setattr(driver, "wait_without_sessions", no_sessions)
    by_limit = cut_short == "by its time limit"
    if by_limit:
        monkeypatch.setattr(driver, "_HTTP_SECONDS", 0.05)
    starting = asyncio.create_task(Driver.start(Options()))
    async with asyncio.timeout(60):
        await asked.wait()
        if not by_limit:
            starting.cancel()
        await asyncio.wait({starting})
        assert starting.cancelled() is not by_limit
        if by_limit:
            assert isinstance(starting.exception(), BrowserGoneError)
        comes.set()
        await ended.wait()
