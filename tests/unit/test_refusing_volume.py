"""A volume that refuses while the file is made and verified: what ffmpeg says of it is no verdict on the recording."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy_bot.recording import finalizer, volume_watch
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.plan import MediaFormat
from meeting_buddy_bot.recording.recovery import read_folder
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.runtime import processes
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from tests.unit.test_recovery import Left, cut


class Unheard:
    """Nobody asks how the volume is."""

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        """How the volume is."""


READ_ERROR = "[matroska,webm @ 0x55d0] Read error at pos. 40960 (0xa000)"


@pytest.fixture
async def left(tmp_path: Path) -> Left:
    made = Left(tmp_path)
    made.run(1, 1, 10.0, seconds=6)
    await made.recover()
    return made


def says(monkeypatch: pytest.MonkeyPatch, program: str, code: int, words: str) -> None:
    """This program does its work, and says besides that the volume refused a part of it."""

    async def run(name: str, argv: Sequence[str], **more: Any) -> tuple[int, str, list[str]]:
        ended, output, stderr = await processes.run(name, argv, **more)
        return (code, output, [*stderr, words]) if name == program else (ended, output, stderr)

    monkeypatch.setattr(finalizer, "run", run)


def make(left: Left) -> RecordingFinalizer:
    events = EventLog(left.folder / "events.jsonl", SessionClock())
    return RecordingFinalizer(Volume(left.folder), MediaFormat((320, 180)), events)


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        ("ffmpeg remux", 0, READ_ERROR),
        ("ffmpeg remux", 0, "[matroska,webm @ 0x55d0] Read error"),
        ("ffmpeg remux", 0, "segments/00001.mkv: Stale file handle"),
        ("ffmpeg remux", 1, "segments/00001.mkv: Input/output error"),
        ("ffprobe", 1, ".1234.recording.mp4: Stale file handle"),
        ("ffmpeg verify", 0, "Error during demuxing: Input/output error"),
        ("ffmpeg verify", 1, ".1234.recording.mp4: Input/output error"),
    ],
)
async def test_a_refusal_is_the_volumes_and_may_pass(
    left: Left, monkeypatch: pytest.MonkeyPatch, program: str, code: int, words: str
) -> None:
    with monkeypatch.context() as refusing:
        says(refusing, program, code, words)
        with pytest.raises(OSError, match=words[-20:].replace("(", r"\(").replace(")", r"\)")):
            await make(left).run(left.segments, {})
    assert list(left.folder.glob("*recording.mp4")) == []
    finished = await make(left).run(left.segments, {})
    assert finished.verified, finished.cause


@pytest.mark.parametrize("program", ["ffmpeg remux", "ffprobe", "ffmpeg verify"])
async def test_a_program_that_is_killed_says_nothing_of_the_recording(
    left: Left, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    with monkeypatch.context() as killing:
        says(killing, program, -signal.SIGKILL, "")
        with pytest.raises(OSError, match=f"^.*{program} was ended by signal 9$") as raised:
            await make(left).run(left.segments, {})
    assert list(left.folder.glob("*recording.mp4")) == []
    assert (await make(left).run(left.segments, {})).verified
    watch = VolumeWatch(Volume(left.folder), SessionClock(), make(left).events, Unheard())
    monkeypatch.setattr(volume_watch, "FAILING_SECONDS", 0.0)
    assert watch.failed(raised.value) == f"{program} was ended by signal 9", "and not that the volume cannot be used"


@pytest.mark.parametrize("share", [0.31, 0.5, 0.72, 0.9, 0.99])
async def test_what_is_cut_off_is_no_refusal(tmp_path: Path, share: float) -> None:
    left = Left(tmp_path)
    *_, last = left.run(1, 1, 10.0, seconds=6)
    cut(last, share)
    await left.recover()
    assert len(read_folder(tmp_path).files) == 2
    finished = await make(left).run(left.segments, {})
    assert (finished.verified, finished.segments) == (True, 2), finished.cause
