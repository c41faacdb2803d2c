"""Components of the bot: each failure has the answer that the component declares, and none is silent."""

import asyncio
import contextlib
import errno
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE
from meeting_buddy_bot.devices.device import DeviceError
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, RunStart, encode
from meeting_buddy_bot.recording.manifest_writer import REPLACED
from meeting_buddy_bot.recording.recorder import NoRecorder
from meeting_buddy_bot.recording.recovery import read_folder
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime import components
from meeting_buddy_bot.runtime.components import Component, Components
from meeting_buddy_bot.runtime.memory import Memory
from meeting_buddy_bot.runtime.shutdown_deadline import (
    CANCEL_SHARE,
    CLEAN_UP_SHARE,
    END_SHARE,
    LEAVE_SHARE,
    OUTCOME_SHARE,
    ShutdownDeadline,
)
from meeting_buddy_bot.session import meeting_run
from meeting_buddy_bot.session.context import Attend, SessionContext
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.messages import Missed
from meeting_buddy_bot.transcription.missing import MissingText
from tests.unit.test_recovery import utc


class Bot:
    """What components share, and one component that fails as often as it is told."""

    def __init__(self, folder: Path, *failures: Exception) -> None:
        clock = SessionClock()
        self.events = EventLog(folder / "events.jsonl", clock)
        self.leave = LeaveSignal()
        self.runs = 0
        self._failures = list(failures)
        self.deadline = ShutdownDeadline(clock, 1.0, 60)
        unused = cast(Any, SimpleNamespace())
        reporter = SessionReporter(ReportState("mbsess_test", 1, clock), self.events)
        self.components = Components(
            unused, unused, unused, reporter, clock, clock, self.events, Volume(folder), self.leave, self.deadline
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


async def test_a_part_that_fails_again_and_again_is_tried_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bot, now, pauses = Bot(tmp_path, *[ValueError("x")] * 6, OSError("y"), *[ValueError("x")] * 2), [0.0], []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def run() -> None:
        now[0] += 600.0 if bot.runs == 8 else 0.0  # the ninth runs for long before it fails
        await bot.run()

    monkeypatch.setattr(bot.components, "process_clock", SimpleNamespace(now=lambda: now[0]))
    monkeypatch.setattr(components, "asyncio", SimpleNamespace(sleep=sleep))
    await bot.components._keep_running(Component("part", run, None))
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0, 5.0]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info is not None for record in errors] == [
        *[True, False, False, False, False, False],
        *[True, True],  # of another kind, and of the first kind again
        True,
    ]


async def test_a_part_that_ends_by_itself_is_not_started_again(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    await bot.keep(Reason.BOT_CRASHED)
    assert (bot.runs, bot.leave.requested) == (1, False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/recordings/x"), "No space left on device"),
        (DeviceError("Xvfb died 6 times"), "Xvfb died 6 times"),
        (ValueError("https://meet.test/secret"), "ValueError"),
        (TimeoutError(), "TimeoutError"),
    ],
)
async def test_what_failed_inside_a_part_is_named(tmp_path: Path, error: Exception, words: str) -> None:
    bot = Bot(tmp_path, ExceptionGroup("outer", [ExceptionGroup("inner", [error])]))
    await bot.keep(Reason.RECORDING_FAILED)
    assert bot.leave.message == f"component part failed: {words}"


async def test_a_part_whose_own_tasks_failed_gets_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_RETRY_SECONDS", 0)
    bot = Bot(tmp_path, ValueError("x"))

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bot.run())

    async with asyncio.timeout(60):
        await bot.components._keep_running(Component("part", run, None))
    assert bot.runs == 2


class FakeDevice:
    """A device that needs no process; its start and its end may take long, and may fail."""

    def __init__(self, fault: OSError | DeviceError | None = None, starts: float = 0.0, ends: float = 0.0) -> None:
        self._fault = fault
        self._starts = starts
        self._ends = ends

    async def __aenter__(self) -> None:
        await asyncio.sleep(self._starts)
        if isinstance(self._fault, DeviceError):
            raise self._fault

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(self._ends)
        if self._fault is not None:
            raise self._fault


OUTCOME = SessionResult(Reason.MEETING_ENDED), RecordingReport(verified=True)


async def attend(
    bot: Bot,
    monkeypatch: pytest.MonkeyPatch,
    background: tuple[Component, ...] = (),
    fault: OSError | DeviceError | None = None,
    starts: float = 0.0,
    ends: float = 0.0,
    finishes: Callable[..., Awaitable[RecordingReport]] | None = None,
) -> tuple[SessionResult, RecordingReport]:
    """A session that ends at once, beside ``background`` and with a sound card as :class:`FakeDevice` says."""

    async def session_ends(*_: object) -> SessionResult:
        await asyncio.sleep(0.05)
        return OUTCOME[0]

    async def verifies(*_: object) -> RecordingReport:
        return OUTCOME[1]

    monkeypatch.setattr(components, "screen_size", lambda _: (1, 1))
    monkeypatch.setattr(components, "Display", lambda *_: FakeDevice())
    monkeypatch.setattr(components, "Sound", lambda *_: FakeDevice(fault, starts, ends))
    monkeypatch.setattr(Components, "_recorder", lambda *_: None)
    monkeypatch.setattr(Components, "_transcript", lambda *_: None)
    monkeypatch.setattr(Components, "_background_tasks", lambda *_: background)
    monkeypatch.setattr(Components, "_attend_in_time", session_ends)
    monkeypatch.setattr(Components, "_finish", finishes or verifies)
    bot.components.assignment = cast(Any, SimpleNamespace(recording=None))
    bot.components.settings = cast(Any, SimpleNamespace(display=99, sockets=None))
    async with asyncio.timeout(10):
        return await bot.components.attend(cast(Attend, None))


async def test_a_part_whose_clean_up_fails_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_RETRY_SECONDS", 0)
    bot = Bot(tmp_path)

    async def run() -> None:
        bot.runs += 1
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError(errno.EIO, "clean-up failed")

    assert await attend(bot, monkeypatch, (Component("part", run, None),)) == OUTCOME
    assert bot.runs == 1


async def test_a_device_whose_clean_up_fails_does_not_replace_the_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fault = OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
    assert await attend(Bot(tmp_path), monkeypatch, fault=fault) == OUTCOME
    assert "Directory not empty" in caplog.text


async def test_an_ending_that_is_known_stays_when_a_device_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, fault = Bot(tmp_path), DeviceError("PulseAudio ended at its start: no space")
    assert (await attend(bot, monkeypatch, fault=fault))[0] == SessionResult(Reason.BOT_CRASHED, str(fault))
    bot.leave.request(Reason.LEAVE_REQUESTED)
    assert (await attend(bot, monkeypatch, fault=fault))[0] == SessionResult(Reason.LEAVE_REQUESTED)


def terminate(bot: Bot) -> None:
    """What SIGTERM does."""
    bot.deadline.terminate()
    bot.leave.request(Reason.EVICTED)


async def test_a_limit_that_is_unreadable_for_a_moment_is_watched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter((Memory(100, 1000), None, Memory(999, 1000)))
    monkeypatch.setattr(components, "_MEMORY_SECONDS", 0)
    monkeypatch.setattr(components, "read_memory", lambda: next(looks))
    bot = Bot(tmp_path)
    with contextlib.suppress(RuntimeError):  # no look is left
        await bot.components._watch_memory(NoRecorder())
    await bot.events.close()
    assert "memory_pressure" in (tmp_path / "events.jsonl").read_text()


class TestTermination:
    """Everything up to the outcome fits the grace period, which is one second here."""

    async def test_devices_that_do_not_end_do_not_keep_the_outcome(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bot = Bot(tmp_path)
        asyncio.get_running_loop().call_later(0.2, terminate, bot)
        assert await attend(bot, monkeypatch, ends=60) == OUTCOME
        assert bot.deadline.terminated

    async def test_nor_do_devices_that_do_not_start(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bot = Bot(tmp_path)
        asyncio.get_running_loop().call_later(0.2, terminate, bot)
        result, _ = await attend(bot, monkeypatch, starts=60)
        assert result == SessionResult(Reason.EVICTED)

    async def test_nor_does_a_finishing_that_cannot_be_cancelled(self, tmp_path: Path) -> None:
        class StubbornRecorder(NoRecorder):
            async def finish(self) -> RecordingReport:
                """Of a volume that hangs for as long as it is not told to answer."""
                while not answers.is_set():
                    with contextlib.suppress(asyncio.CancelledError):
                        await answers.wait()
                return RecordingReport()

        answers = asyncio.Event()
        bot = Bot(tmp_path)
        began = bot.components.process_clock.now()
        terminate(bot)
        assert await bot.components._finish(StubbornRecorder(), None) == RecordingReport()
        assert bot.components.process_clock.now() - began < 3, "and not three seconds of clean-up more"
        answers.set()

    @pytest.mark.parametrize("grace", [10, 60])
    def test_the_steps_follow_each_other_inside_the_grace_period(self, grace: float) -> None:
        ends = [share * grace for share in (LEAVE_SHARE, CANCEL_SHARE, 1 - OUTCOME_SHARE, CLEAN_UP_SHARE, END_SHARE)]
        assert ends == sorted(ends)
        assert grace - ends[-1] >= 0.5


async def test_an_ending_that_is_known_stays_when_the_pod_is_stopped_while_the_bot_leaves(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    browser_closes = asyncio.Event()

    async def leaves_for_ever(context: SessionContext) -> SessionResult:
        context.on_result(OUTCOME[0])
        terminate(bot)
        while not browser_closes.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await browser_closes.wait()
        return OUTCOME[0]

    assert (
        await bot.components._attend_in_time(leaves_for_ever, NoRecorder(), cast(Any, None), cast(Any, None))
        == OUTCOME[0]
    )
    assert bot.leave.reason is Reason.EVICTED
    browser_closes.set()


async def test_an_ending_that_is_known_stays_when_leaving_fails(tmp_path: Path) -> None:
    async def fails(context: SessionContext) -> SessionResult:
        context.on_result(OUTCOME[0])
        raise ValueError("x")

    assert (
        await Bot(tmp_path).components._attend_in_time(fails, NoRecorder(), cast(Any, None), cast(Any, None))
        == OUTCOME[0]
    )


async def test_an_ending_that_is_known_stays_when_finishing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object) -> RecordingReport:
        raise ValueError("x")

    bot = Bot(tmp_path)
    result, recorded = await attend(bot, monkeypatch, finishes=fails)
    assert (result, recorded) == (OUTCOME[0], bot.components.reporter.recorded)
    assert "ValueError: x" in caplog.text


async def test_a_session_that_fails_says_so_before_it_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod that is stopped while it leaves, and leaving hangs: it crashed, and was not evicted."""
    bot = Bot(tmp_path)
    browser_closes = asyncio.Event()

    class Run:
        def __init__(self, *_: object) -> None:
            """Needs nothing."""

        async def run(self) -> SessionResult:
            raise ValueError("x")

        async def leave(self, result: SessionResult, *, asked: bool) -> None:
            terminate(bot)
            while not browser_closes.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await browser_closes.wait()

    async def attends(context: SessionContext) -> SessionResult:
        return await meeting_run.attend(context, cast(Any, None))

    monkeypatch.setattr(meeting_run, "_MeetingRun", Run)
    bot.components.assignment = cast(Any, SimpleNamespace(debug_mode=False))
    try:
        result = await bot.components._attend_in_time(attends, NoRecorder(), cast(Any, None), cast(Any, None))
    finally:
        browser_closes.set()
    assert result == SessionResult(Reason.BOT_CRASHED, "the bot's session failed: ValueError")


async def test_a_session_says_why_it_ends_before_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[SessionResult] = []

    class Run:
        def __init__(self, *_: object) -> None:
            """Needs nothing."""

        async def run(self) -> SessionResult:
            return OUTCOME[0]

        async def leave(self, result: SessionResult, *, asked: bool) -> None:
            assert known == [result]
            assert not asked

    monkeypatch.setattr(meeting_run, "_MeetingRun", Run)
    context = SimpleNamespace(assignment=SimpleNamespace(debug_mode=False), leave=LeaveSignal(), on_result=known.append)
    assert await meeting_run.attend(cast(Any, context), cast(Any, None)) == OUTCOME[0]
    assert known == [OUTCOME[0]]


Told = tuple[float, str, dict[str, object]]
"""An event: session seconds, name, fields."""
LEFT: list[Told] = [(250.0, "leaving", {}), (252.0, "left", {})]
WAITED: list[Told] = [*LEFT, (260.0, "ended", {}), (270.0, "bot_started", {"attempt": 1}), (290.0, "leaving", {})]
"""Another bot followed it, which was never let in."""


class Killed:
    """A bot whose earlier one was killed at 300 s of a meeting that it was let into at 5 s."""

    def __init__(
        self,
        folder: Path,
        *,
        recorded: bool,
        ended: bool = False,
        admitted: bool = True,
        more: Sequence[Told] = (),
        recovered: float = 0.0,
    ) -> None:
        """``more``: events between its admission and the last one; ``recovered``: the end of its open segment."""
        events: list[Told] = [
            (0.0, "bot_started", {"attempt": 1}),
            (5.0, "admitted" if admitted else "waiting", {}),
            *more,
            (300.0, "ended" if ended else "speaking", {"name": "Ada", "start": 20.0, "end": 299.0}),
        ]
        lines = [json.dumps({"t": at, "time": utc(at), "event": name, **facts}) for at, name, facts in events]
        (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))
        if recorded:
            (folder / MANIFEST_FILE).write_bytes(encode(RunStart(1, 1, 6.0, utc(6.0))) + b"\n")
        self.bot, earlier = Bot(folder), read_folder(folder)
        self.bot.components.earlier, self.bot.components.process_clock = earlier, SessionClock()
        assert earlier.zero is not None
        self.bot.components.clock.go_on(earlier.zero, earlier.reached)
        recording = SimpleNamespace(enabled=recorded)
        self.bot.components.assignment = cast(Any, SimpleNamespace(attempt=2, recording=recording))
        self.told: list[tuple[float, float]] = []
        self.missing = MissingText(lambda: None, lambda missed: self.told.append((missed.start, missed.end)))
        self.recovered = recovered

    async def recovered_until(self) -> float:
        """As the recorder's."""
        return self.recovered

    def recall(self, missed: Sequence[Missed]) -> None:
        """As the transcript's."""
        self.missing.recall(missed)

    def tell_missed(self, start: float, end: float, cause: str) -> None:
        """As the transcript's."""
        self.missing.add_earlier(start, end, cause)

    async def recalled(self) -> list[tuple[float, float]]:
        """What was told to be missing, in a meeting that lets the bot in after a while, at 400 s."""
        clock = self.bot.components.clock
        asyncio.get_running_loop().call_later(0.1, self.bot.components.reporter.admitted, clock.utc(400.0), "hints")
        async with asyncio.timeout(60):
            await self.bot.components._recall_earlier(cast(Any, self), cast(Any, self))
        await self.bot.events.close()
        return self.told


@pytest.mark.parametrize(
    ("recorded", "ended", "told"),
    [
        (True, False, [(5.0, 300.0)]),  # that nobody was there between them, the recording's gap tells
        (True, True, []),
        (False, False, [(5.0, 400.0)]),
        (False, True, [(300.0, 400.0)]),
    ],
)
async def test_what_no_bot_heard_out_is_told(
    tmp_path: Path, recorded: bool, ended: bool, told: list[tuple[float, float]]
) -> None:
    assert await Killed(tmp_path, recorded=recorded, ended=ended).recalled() == told


@pytest.mark.parametrize(
    ("more", "ended", "since"), [(LEFT, True, 252.0), (LEFT, False, 5.0), (WAITED, True, 252.0), (WAITED, False, 252.0)]
)
async def test_nobody_heard_what_was_said_since_the_last_bot_left(
    tmp_path: Path, more: list[Told], ended: bool, since: float
) -> None:
    assert await Killed(tmp_path, recorded=False, ended=ended, more=more).recalled() == [(since, 400.0)]


async def test_what_was_recovered_of_an_open_segment_was_heard_by_no_bot_to_its_end(tmp_path: Path) -> None:
    assert await Killed(tmp_path, recorded=True, recovered=340.0).recalled() == [(5.0, 300.0), (300.0, 340.0)]


async def test_a_line_of_the_open_segment_is_no_missing_text(tmp_path: Path) -> None:
    killed = Killed(tmp_path, recorded=True, recovered=340.0)
    line = {"segment": "1", "revision": 1, "final": True, "start": 310.0, "end": 330.0, "at": utc(310.0)}
    (tmp_path / TRANSCRIPT_FILE).write_text(json.dumps({**line, "language": "en", "text": "Ask not."}) + "\n")
    assert await killed.recalled() == [(330.0, 340.0)]


HEARD: Told = (250.0, "participant_joined", {"name": "Grace"})
NEXT: Told = (270.0, "bot_started", {"attempt": 1})
"""Of a bot that was never let in, unless another event says so."""


def missed(start: float, end: float, cause: str = REPLACED) -> Told:
    return (end, "not_transcribed", {"start": start, "end": end, "cause": cause})


@pytest.mark.parametrize(
    ("more", "ended", "told"),
    [
        (WAITED, False, []),
        (LEFT, False, [(5.0, 252.0)]),
        ([HEARD, NEXT], False, [(5.0, 250.0)]),
        ([HEARD, NEXT], True, [(5.0, 250.0)]),
        ([HEARD, NEXT, missed(5.0, 250.0)], False, []),
        ([missed(200.0, 210.0, "no sound came")], False, [(5.0, 200.0), (210.0, 300.0)]),
        ([HEARD, NEXT, (280.0, "admitted", {})], False, [(5.0, 250.0), (280.0, 300.0)]),
        ([HEARD, NEXT, (280.0, "admitted", {})], True, [(5.0, 250.0)]),
        ([*LEFT, (260.0, "ended", {}), NEXT, (280.0, "admitted", {})], False, [(280.0, 300.0)]),
    ],
)
async def test_each_bot_that_was_killed_left_its_own_words_untold(
    tmp_path: Path, more: list[Told], ended: bool, told: list[tuple[float, float]]
) -> None:
    assert await Killed(tmp_path, recorded=True, ended=ended, more=more).recalled() == told


async def test_who_was_never_let_in_missed_nothing(tmp_path: Path) -> None:
    assert await Killed(tmp_path, recorded=False, admitted=False).recalled() == []
