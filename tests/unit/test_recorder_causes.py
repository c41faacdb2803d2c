"""Why the recorder gave up: in the words of ffmpeg and of the kernel."""

from __future__ import annotations

import asyncio
import errno
import os
import shlex
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.recording import capture, recorder, segments, volume_watch
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.recorder import MeetingRecorder
from meeting_buddy_bot.recording.recovery import read_folder
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


def no_file_is_written(monkeypatch: pytest.MonkeyPatch, write: Callable[[], None]) -> None:
    """Whoever writes to the volume gets what ``write`` does; ffmpeg ends before it has written."""
    monkeypatch.setattr(capture, "capture_argv", lambda *_, **__: ["sh", "-c", "exit 1"])
    monkeypatch.setattr(recorder, "_MAX_FAILED_RUNS", 2)
    monkeypatch.setattr(recorder, "SECONDS", 0.05)
    monkeypatch.setattr(os, "fsync", lambda _: write() if threading.current_thread().name == "volume: write" else None)


async def test_a_volume_that_lists_and_takes_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes, asked = threading.Event(), list[str]()

    def write() -> None:
        asked.append("write")
        takes.wait()

    no_file_is_written(monkeypatch, write)
    failures = list[tuple[Reason, str]]()
    recording, events = make_recorder(tmp_path, failures)
    state = recording._listener._state  # type: ignore[attr-defined]
    recording.start()
    task = asyncio.create_task(recording.run())
    try:
        async with asyncio.timeout(30):
            while not state.report.storage_unresponsive:  # noqa: ASYNC110 -- it has no event
                await asyncio.sleep(0.01)
        await asyncio.sleep(2.5)  # it is asked more than once, and nothing hangs beside the first
        assert (asked, failures, recording._runs) == (["write"], [], 1)
        takes.set()
        async with asyncio.timeout(30):
            await task
    finally:
        takes.set()
    await events.close()
    assert [reason for reason, _ in failures] == [Reason.RECORDING_FAILED], "ffmpeg did not write then, either"
    assert not state.report.storage_unresponsive
    assert list((tmp_path / "segments").iterdir()) == []


async def test_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = threading.Event()

    def write() -> None:
        takes.wait()

    no_file_is_written(monkeypatch, write)
    monkeypatch.setattr(volume_watch, "HANGING_SECONDS", 1.0)
    try:
        told = await record(tmp_path)
    finally:
        takes.set()
    message = "the recordings volume cannot be used: the volume does not answer (write)"
    assert told == [(Reason.RECORDING_FAILED, message)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
async def test_one_that_refuses_ends_it_as_ffmpeg_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    no_file_is_written(monkeypatch, refuse)
    message = "the recorder wrote nothing in 2 attempts: the recorder ended with code 1"
    assert await record(tmp_path) == [(Reason.RECORDING_FAILED, message)]


def test_what_a_trial_leaves_behind_is_no_segment(tmp_path: Path) -> None:
    left = tmp_path / "segments" / ".trial"
    left.parent.mkdir()
    left.touch()
    assert (segments.highest(tmp_path), read_folder(tmp_path).files) == (0, ())
    segments.try_writing(tmp_path)
    assert not left.exists()
