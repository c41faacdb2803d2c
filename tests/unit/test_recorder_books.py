"""What the bot says of its recording is what the manifest says: a line that is not there was not said."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from meeting_buddy_bot.recording import segments, volume_watch
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Finished, RunStart
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.recorder import MeetingRecorder
from meeting_buddy_bot.recording.recovery import read_folder
from meeting_buddy_bot.recordings.listing import read_manifest
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime import processes
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError
from tests.unit.test_recovery import Left, utc


class LaterBot:
    """The recorder of a later attempt, whose meeting was over when it came."""

    def __init__(self, folder: Path) -> None:
        found, clock = read_folder(folder), SessionClock()
        assert found.zero is not None
        clock.go_on(found.zero, found.reached)
        self.failures: list[str] = []
        self.events = EventLog(folder / "events.jsonl", clock)
        self.recorder = MeetingRecorder(
            CapturePlan(":0", "unix:/nowhere", "meeting.monitor", (320, 180)),
            Volume(folder),
            clock,
            self.events,
            SessionReporter(ReportState("mbsess_test", 2, clock), self.events),
            devices_answer=_at_once,
            failed=lambda _reason, message: self.failures.append(message),
            earlier=found,
        )


async def _at_once() -> None:
    """Display and sound are there."""


@pytest.fixture
def left(tmp_path: Path) -> Left:
    made = Left(tmp_path)
    made.run(1, 1, 10.0, seconds=6)
    return made


def says_verified(left: Left) -> bool:
    return read_manifest((left.folder / MANIFEST_FILE).read_bytes()).verified


async def test_a_line_that_a_full_volume_refuses_was_not_said(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"verified"' in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    report = await bot.recorder.finish()
    await bot.events.close()
    assert (report.verified, report.segments, says_verified(left)) == (False, 2, False)
    events = [json.loads(line) for line in (left.folder / "events.jsonl").read_text().splitlines()]
    [told] = [each["cause"] for each in events if each["event"] == "recording_not_verified"]
    assert told == "the volume does not take the manifest's lines: No space left on device"


async def test_a_volume_that_does_not_answer_leaves_it_to_the_finisher(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: object) -> Finished:
        raise VolumeTimeoutError("publish")

    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    monkeypatch.setattr(RecordingFinalizer, "run", late)
    report = await bot.recorder.finish()
    assert (report.verified, report.segments) == (False, 2)
    finished = left.lines[-1]
    assert isinstance(finished, Finished)
    assert (finished.verified, finished.cause) == (False, "the volume does not answer (publish)")


async def test_what_was_verified_before_is_said_behind_a_run_that_wrote_nothing(left: Left) -> None:
    for said in (True, False):
        bot = LaterBot(left.folder)
        await bot.recorder.recover()
        assert (await bot.recorder.finish()).verified
        assert says_verified(left)
        if said:
            left.says(RunStart(2, 3, 30.0, utc(30.0)))
            assert not says_verified(left)


async def test_a_volume_that_is_full_already_is_called_full(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(volume_watch, "FAILING_SECONDS", 0.0)
    monkeypatch.setattr(AppendFile, "_write_first", full)
    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    assert bot.failures == ["the recordings volume is full: Disk quota exceeded"]


async def test_a_segment_that_comes_late_for_minutes_does_not_end_a_live_session(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ffprobe is killed after a minute each time; the volume is waited for as long as when it hangs anywhere else."""
    ahead, tries = [0.0], [5]
    now = SessionClock.now
    monkeypatch.setattr(SessionClock, "now", lambda clock: now(clock) + ahead[0])

    async def killed(name: str, argv: list[str], seconds: float) -> tuple[int, str, list[str]]:
        if tries[0]:
            tries[0] -= 1
            ahead[0] += 60.0
            raise TimeoutError
        return await processes.run(name, argv, seconds=seconds)

    monkeypatch.setattr(segments, "run", killed)
    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    await bot.recorder.finish()
    assert (tries, bot.failures) == ([0], [])
    assert [each.segment for each in bot.recorder._manifest.segments] == [1, 2]
