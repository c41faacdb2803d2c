"""The transcript of a bot that has ended: what is told of a transcriber or a recording that fails."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy_bot.finishing import transcript as finishing
from meeting_buddy_bot.finishing.transcript import NO_TIME, UnfinishedTranscript
from meeting_buddy_bot.recording.audio_source import PcmFrame
from meeting_buddy_bot.session.earlier import EarlierFacts
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.messages import Fault, Message, Progress, Recovered, TranscriberConfig
from meeting_buddy_bot.transcription.stream import TranscriptHub
from meeting_buddy_bot.transcription.transcriber import Transcriber

FAULT = Fault(reason="ServerFailed", message="the server answered 500: see its log")


class ScriptedProcess:
    """Says its messages when the sound has ended, and ends with its code."""

    stderr_tail = ""

    def __init__(self, code: int, *messages: Message) -> None:
        self._code, self._messages = code, messages
        self._over = asyncio.Event()

    async def messages(self) -> AsyncIterator[Message]:
        await self._over.wait()
        for message in self._messages:
            yield message

    async def deliver(self, frame: PcmFrame) -> None:
        raise AssertionError("there is no sound")

    def end_of_meeting(self) -> None:
        self._over.set()

    async def wait(self) -> int:
        return self._code

    async def kill(self) -> None:
        pass


async def finished(
    folder: Path, monkeypatch: pytest.MonkeyPatch, process: ScriptedProcess, error: OSError | None = None
) -> TranscriptionReport:
    """What is told of a transcript whose catching up ends so; ``error``: of reading the recording."""

    async def start(*_: object) -> ScriptedProcess:
        return process

    async def sound(*_: object) -> AsyncGenerator[PcmFrame, None]:
        if error is not None:
            raise error
        return
        yield PcmFrame(0.0, b"")

    monkeypatch.setattr(Transcriber, "start", start)
    monkeypatch.setattr(finishing, "_frames", sound)
    volume, clock, told = Volume(folder), SessionClock(), list[TranscriptionReport]()
    events = EventLog(folder / "events.jsonl", clock)
    unfinished = UnfinishedTranscript(TranscriptHub(volume), volume, clock, events, told.append, lambda: 0.0)
    await unfinished.open(EarlierFacts())
    cause = NO_TIME
    try:
        await unfinished.catch_up(TranscriberConfig(), folder / "none", (), ())
    except OSError as failed:
        cause = str(failed.strerror)
    unfinished.give_up(cause, 300.0)
    await unfinished.publish(wanted=True)
    await events.close()
    return told[-1]


async def test_a_fault_that_is_over_is_no_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = ScriptedProcess(-9, FAULT, Recovered(), Progress(heard=60, done=60))
    report = await finished(tmp_path, monkeypatch, process)
    assert report.message == f"without text: 60-300 s ({NO_TIME})"


async def test_a_fault_that_lasts_is_the_cause_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = await finished(tmp_path, monkeypatch, ScriptedProcess(1, FAULT))
    assert report.message == f"without text: 0-300 s (the engine failed: {FAULT.message})"


@pytest.mark.parametrize("code", [0, 1, -9])
async def test_what_is_wrong_with_the_recording_is_told_however_the_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    error = OSError(errno.EIO, "the sound cannot be read")
    report = await finished(tmp_path, monkeypatch, ScriptedProcess(code), error)
    assert report.message == "without text: 0-300 s (the sound cannot be read)"
