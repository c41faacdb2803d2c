"""A recorder that is stopped while display and sound are still being opened: nothing to store, unless it took long."""

import asyncio
from pathlib import Path

import pytest

from meeting_buddy_bot.recording.capture import OPENING_SECONDS
from meeting_buddy_bot.recording.manifest import Finished, read
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.recorder import MeetingRecorder
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume


class Clock(SessionClock):
    """A session clock that can be put forward."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


async def never() -> None:
    """Nothing comes."""
    await asyncio.Event().wait()


def recorder(folder: Path, clock: Clock) -> MeetingRecorder:
    """One whose display and sound never answer."""
    return MeetingRecorder(
        CapturePlan(":0", "unix:/nowhere", "meeting.monitor", (320, 180)),
        Volume(folder),
        clock,
        events := EventLog(folder / "events.jsonl", clock),
        SessionReporter(ReportState("mbsess_test", 1, clock), events),
        devices_answer=never,
        failed=lambda _reason, _message: None,
    )


@pytest.mark.parametrize(("seconds", "verified"), [(0.0, True), (OPENING_SECONDS + 1, False)])
async def test_leaving_before_the_first_picture_is_no_failure(tmp_path: Path, seconds: float, verified: bool) -> None:
    clock = Clock()
    recording = recorder(tmp_path, clock)
    running = asyncio.create_task(recording.run())
    recording.start()
    clock.ahead = seconds
    report = await recording.finish()
    await running
    assert (report.verified, report.segments) == (verified, 0)
    [line] = read(tmp_path / "manifest.jsonl")
    assert isinstance(line, Finished)
    assert (line.verified, line.file) == (verified, None)


async def test_a_stop_that_was_cancelled_loses_nothing(tmp_path: Path) -> None:
    recording = recorder(tmp_path, Clock())
    running = asyncio.create_task(recording.run())
    recording.start()
    stopping = asyncio.create_task(recording.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait({stopping})
    assert (await recording.finish()).verified
    await running
    assert [type(line) for line in read(tmp_path / "manifest.jsonl")] == [Finished]


async def test_a_recorder_that_was_never_started_verifies_nothing(tmp_path: Path) -> None:
    assert not (await recorder(tmp_path, Clock()).finish()).verified
