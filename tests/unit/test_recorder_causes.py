"""Why the recorder gave up: in the words of ffmpeg and of the kernel."""

from __future__ import annotations

import asyncio
import errno
import os
import shlex
from pathlib import Path

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.recording import capture, recorder
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.recorder import MeetingRecorder
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume


def make_recorder(folder: Path, failures: list[tuple[Reason, str]]) -> tuple[MeetingRecorder, EventLog]:
    """A recorder whose display and sound are there, and its events; ``failures``: with what it gives up."""
    clock = SessionClock()
    events = EventLog(folder / "events.jsonl", clock)

    async def at_once() -> None:
        """Display and sound are there."""

    recording = MeetingRecorder(
        CapturePlan(":0", "unix:/nowhere", "meeting.monitor", (320, 180)),
        Volume(folder),
        clock,
        events,
        SessionReporter(ReportState("mbsess_test", 1, clock), events),
        devices_answer=at_once,
        failed=lambda reason, message: failures.append((reason, message)),
    )
    return recording, events


async def record(folder: Path) -> list[tuple[Reason, str]]:
    """With what a recorder gives up."""
    failures = list[tuple[Reason, str]]()
    recording, events = make_recorder(folder, failures)
    recording.start()
    async with asyncio.timeout(60):
        await recording.run()
    await events.close()
    return failures


def ffmpeg_says(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Each ffmpeg ends with an error after these lines."""
    script = f"printf '%s\\n' {shlex.join(lines)} >&2; exit 1" if lines else "exit 1"
    monkeypatch.setattr(capture, "capture_argv", lambda *_, **__: ["sh", "-c", script])
    monkeypatch.setattr(recorder, "_MAX_FAILED_RUNS", 2)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_quota_that_is_used_up_is_a_full_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    words = os.strerror(number)
    ffmpeg_says(monkeypatch, f"av_interleaved_write_frame(): {words}", "Conversion failed!")
    assert await record(tmp_path) == [(Reason.STORAGE_FULL, f"the recordings volume is full: {words}")]


async def test_also_when_it_does_not_even_take_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert await record(tmp_path) == [(Reason.STORAGE_FULL, "the recordings volume is full: Disk quota exceeded")]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["opening: Read-only file system", "Conversion failed!"], ": opening: Read-only file system"),
        (["something else", "Conversion failed!"], ": Conversion failed!"),
        (["x" * 300 + "Permission denied"], ": " + "x" * 183 + "Permission denied"),
        ([], ""),
    ],
)
async def test_what_ffmpeg_says_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str], told: str
) -> None:
    ffmpeg_says(monkeypatch, *said)
    message = f"the recorder wrote nothing in 2 attempts: the recorder ended with code 1{told}"
    assert await record(tmp_path) == [(Reason.RECORDING_FAILED, message)]
