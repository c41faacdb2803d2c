"""A bot at work in a test: a real session, with everything around it that a test wants to look at."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from meeting_buddy.contract.assignment import Assignment, Limits, RecordingConfig, TokenDigests
from meeting_buddy.contract.links import SelfHostedHost, is_self_hosted
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import RecordingReport, Report
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.devices.device import Device
from meeting_buddy_bot.recording.plan import screen_size
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.assignment_loader import load_link
from meeting_buddy_bot.session.context import SessionContext
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.meeting_run import attend
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import Volume
from tests.bot.container import BrowserContainer
from tests.support.awaiting import all_of

_PATIENCE = 100.0
"""Seconds; it ends a wait that would never end, and judges nothing."""


class FakeRecorder:
    """A recorder that writes down what the session asks of it, and when."""

    def __init__(self, clock: SessionClock, reporter: SessionReporter) -> None:
        self.opens = True
        """False: display and sound never open, so that nothing is ever written."""
        self._clock = clock
        self._reporter = reporter
        self.entries: list[tuple[str, float]] = []
        self.gaps: list[tuple[float, float, str]] = []

    async def recover(self) -> None:
        """The session never asks for it."""
        raise AssertionError("recovering is the components' business")

    async def recovered_until(self) -> float:
        """The session never asks for it."""
        raise AssertionError("recovering is the components' business")

    async def run(self) -> None:
        """The session never asks for it."""
        raise AssertionError("running is the components' business")

    def start(self) -> None:
        """Noted; media is written at once, or never."""
        self.entries.append(("start", self._clock.now()))
        if self.opens:
            self._reporter.recording_started()

    async def stop(self) -> None:
        """Noted."""
        self.entries.append(("stop", self._clock.now()))

    async def finish(self) -> RecordingReport:
        """The session never asks for it."""
        raise AssertionError("finishing is the components' business")

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """Noted."""
        self.gaps.append((start, end, cause))

    async def interrupt(self, cause: str, *, at_once: bool = False) -> None:
        """The session never asks for it."""
        raise AssertionError("interrupting is the components' business")


class LastingSound:
    """A sound device that never ends."""

    starts = 1

    async def wait_answering(self) -> None:
        """It always does."""


class Attending:
    """One bot in one meeting; leaves when the block ends."""

    def __init__(
        self,
        chromedriver: str,
        folder: Path,
        link: str,
        table: PlatformTable,
        *,
        limits: Limits | None = None,
        bot_name: str = "Meeting Buddy",
        debug_mode: bool = False,
        passcode: str | None = None,
        announcement: str | None = None,
        rejoins: bool = False,
        sound: Device | None = None,
    ) -> None:
        self.folder = folder
        self.clock = SessionClock()
        self.state = ReportState("mbsess_test", 1, self.clock)
        self.leave = LeaveSignal()
        self.sound = sound or cast(Device, LastingSound())
        self._events = EventLog(folder / "events.jsonl", self.clock, Redactor.for_link(link))
        reporter = SessionReporter(self.state, self._events, rejoins=rejoins)
        reporter.read_at = math.inf  # as if a level meter heard nothing but silence
        self.recorder = FakeRecorder(self.clock, reporter)
        host, _, port = link.split("/")[2].partition(":")
        self_hosted = (
            (SelfHostedHost(platform=table.platform, host=host, port=int(port or 443)),)
            if is_self_hosted(table.platform)
            else ()
        )
        self.assignment = Assignment(
            session_id="mbsess_test",
            namespace="tests",
            attempt=1,
            link=link,
            platform=table.platform,
            self_hosted=self_hosted,
            recording=RecordingConfig(),
            bot_name=bot_name,
            announcement=announcement,
            rejoins=rejoins,
            limits=limits or Limits(),
            debug_mode=debug_mode,
            table=table,
            tokens=TokenDigests(control="", read=""),
        )
        settings = Settings(recordings=folder, chromedriver=chromedriver)
        self._context = SessionContext(
            settings,
            self.assignment,
            load_link(self.assignment, settings),
            self.recorder,
            reporter,
            self.clock,
            self._events,
            Volume(folder),
            self.leave,
            self.sound,
            self.sound.wait_answering,
            passcode,
        )
        self.browser = Browser(screen_size(self.assignment.recording), chromedriver)
        self._task: asyncio.Task[SessionResult] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(attend(self._context, self.browser))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._events.close()

    @property
    def report(self) -> Report:
        """What the bot tells."""
        return self.state.report

    async def ending(self, seconds: float = _PATIENCE) -> SessionResult:
        """How it ended. Raises `TimeoutError`, with the bot's events, when it does not."""
        if self._task is None:
            raise AssertionError("not started")
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._task)
        except TimeoutError:
            raise TimeoutError(f"still {self.report.phase}: {await self.events()}") from None

    async def until(self, holds: Callable[[Report], bool], seconds: float = _PATIENCE) -> Report:
        """The first report of which this holds. Raises `TimeoutError`, or what ended the bot."""
        try:
            async with asyncio.timeout(seconds):
                while not holds(report := self.report):
                    newer = asyncio.ensure_future(self.state.newer_than(report.revision))
                    await asyncio.wait({newer, *([self._task] if self._task else [])}, return_when="FIRST_COMPLETED")
                    newer.cancel()
                    if self._task is not None and self._task.done() and not holds(self.report):
                        raise AssertionError(f"ended meanwhile: {self._task.result()} {await self.events()}")
                return self.report
        except TimeoutError:
            raise TimeoutError(f"still {self.report}: {await self.events()}") from None

    async def until_recording(self, seconds: float = _PATIENCE) -> Report:
        """The first report from inside the meeting."""
        return await self.until(lambda report: report.phase is ReportPhase.RECORDING, seconds)

    async def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Lines of events.jsonl, of one kind or all: what the bot wrote before this call is among them."""
        await self._events.flush()
        try:
            lines = [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]
        except FileNotFoundError:
            return []
        return [line for line in lines if name is None or line["event"] == name]


Part = Callable[[BrowserContainer, Path], Coroutine[Any, Any, None]]


async def side_by_side(containers: Sequence[BrowserContainer], folder: Path, parts: Mapping[str, Part]) -> None:
    """Run parts of a test at the same time, each with a container and a folder of its own (`all_of`)."""
    for name in parts:
        (folder / name).mkdir()
    pairs = zip(parts.items(), containers[: len(parts)], strict=True)
    await all_of({name: part(container, folder / name) for (name, part), container in pairs})
