"""What a live transcript tells when its process, the sound or the volume fails; all three are scripted."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine
from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, PcmFrame
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError
from meeting_buddy_bot.transcription import live_transcript, runs
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.live_transcript import LiveTranscript
from meeting_buddy_bot.transcription.messages import Fault, Message, Progress, Ready, TranscriberConfig, Utterance
from meeting_buddy_bot.transcription.stream import TranscriptHub
from meeting_buddy_bot.transcription.transcriber import Transcriber
from meeting_buddy_bot.transcription.writer import Stored, TranscriptWriter
from tests.support.awaiting import until
from tests.support.bot_clock import StandingClock
from tests.support.scripted_transcriber import ScriptedProcess

READY = Ready(engine="scripted", model="none")


class Sound:
    """Frames of silence when they are asked for."""

    def __init__(self) -> None:
        self.to_come: asyncio.Queue[PcmFrame] = asyncio.Queue()
        self.opened = 0
        self.refused = 0
        """How often it cannot be opened yet."""

    async def frames(self) -> AsyncGenerator[PcmFrame, None]:
        self.opened += 1
        if self.refused:
            self.refused -= 1
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        while True:
            yield await self.to_come.get()


async def at_once() -> None:
    """The source can be opened."""


async def never() -> None:
    """The source cannot be opened."""
    await asyncio.Event().wait()


class Session:
    """A bot's transcript, with everything around it in the test's hands."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runs, "_RESTART_SECONDS", 0.02)
        monkeypatch.setattr(live_transcript, "_REOPEN_SECONDS", 0.002)
        monkeypatch.setattr(Transcriber, "start", self._start)
        self.folder = folder
        self.starting = asyncio.Event()
        self.starting.set()
        self.hears_the_end = True
        self.processes: list[ScriptedProcess] = []
        self.clock, self.sound = StandingClock(), Sound()
        volume = Volume(folder)
        self.state = ReportState("mbsess_test", 1, self.clock)
        self.events = EventLog(folder / "events.jsonl", self.clock, Redactor())
        self.reporter = SessionReporter(self.state, self.events)
        self.hub = TranscriptHub(volume)
        lines = TranscriptLines(volume, self.hub)
        self.transcript = LiveTranscript(TranscriberConfig(), self.sound, lines, self.clock, self.events, self.reporter)
        self.running: asyncio.Task[None] | None = None

    async def _start(self, _config: TranscriberConfig) -> ScriptedProcess:
        await self.starting.wait()
        self.processes.append(ScriptedProcess(hears_the_end=self.hears_the_end))
        return self.processes[-1]

    @property
    def report(self) -> TranscriptionReport:
        return self.state.report.transcription

    async def begin(self) -> None:
        self.running = asyncio.create_task(self.transcript.run(at_once))
        await until(lambda: self.processes)

    async def admitted(self, at: float = 0.0) -> None:
        self.clock.time = at
        self.reporter.admitted(self.clock.utc(), "hints")
        await self.hear(at)

    async def hear(self, start: float) -> None:
        process = self.processes[-1]
        self.sound.to_come.put_nowait(PcmFrame(start, bytes(FRAME_BYTES)))
        await until(lambda: start in process.fed)

    async def say(self, *messages: Message) -> None:
        process = self.processes[-1]
        for message in messages:
            process.said.put_nowait(message)
        await until(process.said.empty)
        await asyncio.sleep(0)

    async def die(self) -> None:
        """The process dies, and the next one is started."""
        number, process = len(self.processes), self.processes[-1]
        process.code = -9
        process.said.put_nowait(None)
        await until(lambda: len(self.processes) > number)

    async def end(self, at: float) -> TranscriptionReport:
        self.clock.time = at
        async with asyncio.timeout(60):
            await self.transcript.finish()
            await self.transcript.close()
            await self.transcript.publish()
        return self.report

    async def finishing(self, at: float) -> asyncio.Task[None]:
        """Somebody waits for the end."""
        self.clock.time = at
        finishing = asyncio.create_task(self.transcript.finish())
        await asyncio.sleep(0.01)
        return finishing

    async def run_out_of_time(self) -> asyncio.Task[None]:
        """Ten seconds were heard and are not final at the end, for which somebody still waits."""
        self.hears_the_end = False
        await self.begin()
        await self.admitted(0)
        await self.say(READY, progress(10))
        self.clock.time = 20
        return asyncio.create_task(self.transcript.finish())

    async def close(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        await self.events.close()


@pytest.fixture
async def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    session = Session(tmp_path, monkeypatch)
    yield session
    await session.close()


def progress(seconds: float) -> Progress:
    return Progress(heard=seconds, done=seconds)


async def test_a_death_in_the_lobby_costs_nothing(session: Session) -> None:
    await session.begin()
    await session.say(READY, progress(0))
    session.clock.time = 300
    await session.die()
    await session.say(READY)
    await session.admitted(600)
    await session.say(progress(660))
    report = await session.end(660)
    assert (report.state, report.reason, report.message) == ("Done", None, None)


async def test_a_transcriber_that_dies_again_and_again_is_told_meanwhile(session: Session) -> None:
    await session.begin()
    await session.admitted(0)
    await session.say(READY, progress(100))
    for second in range(100, 105):
        session.clock.time = second
        await session.die()
        assert session.report.state == "Lagging"
        assert session.report.message == "the transcriber died and is started again"
    await session.say(READY, progress(200))
    report = await session.end(200)
    assert (report.state, report.reason) == ("Done", None)


async def test_a_transcriber_that_works_again_is_live_again(session: Session) -> None:
    await session.begin()
    await session.admitted(0)
    await session.say(READY, progress(10))
    await session.die()
    await session.say(READY)
    assert (session.report.state, session.report.message) == ("Live", None)


async def test_a_transcript_that_was_never_opened_is_not_verified(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> TranscriptWriter:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(TranscriptWriter, "open", refuse)
    session.reporter.admitted(session.clock.utc(), "hints")
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output error"):
            await session.transcript.run(at_once)
    finishing = await session.finishing(600)
    assert not finishing.done()
    with pytest.raises(OSError, match="Input/output error"):  # the last one: nobody waits for another
        await session.transcript.run(at_once)
    await asyncio.wait_for(finishing, 20)
    with pytest.raises(OSError, match="Input/output error"):
        await session.end(600)
    report = session.report
    assert (report.state, report.reason) == ("Done", "VerificationFailed")
    assert report.message == (
        "the transcript's files could not be written and read again: Input/output error; "
        "without text: 0-600 s (the transcript failed (OSError))"
    )


async def failed_with_sound_that_waits(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The component has failed, and is to be run again; a second of sound has no text yet."""

    async def broken() -> AsyncGenerator[PcmFrame, None]:
        yield PcmFrame(0.1, bytes(FRAME_BYTES))
        raise ValueError("no sound at all")

    await session.begin()
    await session.admitted(0)
    await session.say(READY)
    await fails_with(session, monkeypatch, broken)


async def fails_with(
    session: Session, monkeypatch: pytest.MonkeyPatch, broken: Callable[[], AsyncGenerator[PcmFrame, None]]
) -> None:
    """The component is run again, and fails with this source of sound, as it says itself."""
    assert session.running is not None
    session.running.cancel()
    await asyncio.gather(session.running, return_exceptions=True)
    monkeypatch.setattr(session.sound, "frames", broken)
    with pytest.raises(ValueError, match="no sound at all"):
        await asyncio.wait_for(session.transcript.run(at_once), 20)


async def test_the_end_waits_for_what_is_run_again_after_a_failure(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    await failed_with_sound_that_waits(session, monkeypatch)
    finishing = await session.finishing(1)
    assert not finishing.done()
    number, session.hears_the_end = len(session.processes), False
    session.running = asyncio.create_task(session.transcript.run(at_once))
    await until(lambda: len(session.processes) > number)
    await session.say(READY, Utterance(segment=1, revision=1, start=0, end=0.2, language="en", text="last words"))
    session.processes[-1].said.put_nowait(None)
    await asyncio.wait_for(finishing, 20)
    assert "last words" in (session.folder / TRANSCRIPT_FILE).read_text()


async def test_nothing_is_transcribed_any_more_once_the_last_lines_are_written(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    await failed_with_sound_that_waits(session, monkeypatch)
    finishing = await session.finishing(1)
    finishing.cancel()  # there is no time left
    await session.transcript.close()
    processes = len(session.processes)
    await asyncio.wait_for(session.transcript.run(at_once), 20)
    await session.transcript.publish()
    told = session.report
    await asyncio.wait_for(session.transcript.run(at_once), 20)
    assert len(session.processes) == processes
    assert session.report == told
    assert (told.state, told.reason) == ("Done", "Incomplete")


@pytest.mark.parametrize("waits_for", ["the volume", "the source of sound"])
async def test_nor_by_one_that_was_run_again_before_that(
    session: Session, monkeypatch: pytest.MonkeyPatch, waits_for: str
) -> None:
    await failed_with_sound_that_waits(session, monkeypatch)
    answers, processes, opening = asyncio.Event(), len(session.processes), TranscriptLines.open

    async def late(lines: TranscriptLines) -> None:
        await answers.wait()
        await opening(lines)

    async def answering() -> None:
        await answers.wait()

    if waits_for == "the volume":
        monkeypatch.setattr(TranscriptLines, "open", late)
    session.running = asyncio.create_task(session.transcript.run(answering))
    await asyncio.sleep(0.01)
    await session.transcript.close()
    answers.set()
    await asyncio.wait_for(session.running, 20)
    assert len(session.processes) == processes
    await asyncio.wait_for(session.transcript.finish(), 20)


@pytest.mark.parametrize("admitted", [True, False])
async def test_a_transcript_that_could_not_be_opened_before_is_published_all_the_same(
    session: Session, monkeypatch: pytest.MonkeyPatch, admitted: bool
) -> None:
    """An earlier bot has written it."""
    begun = datetime(2026, 11, 23, 10, tzinfo=UTC)
    line = TranscriptLine(segment="1", revision=1, final=True, start=1, end=2, at=begun, language="en", text="hello")
    (session.folder / TRANSCRIPT_FILE).write_text(f"{line.to_json()}\n")
    opening, late = TranscriptWriter.open, ["once"]

    async def open_late(volume: Volume, stored: Stored) -> TranscriptWriter:
        if late:
            late.clear()
            raise VolumeTimeoutError("count the transcript's lines")
        return await opening(volume, stored)

    monkeypatch.setattr(TranscriptWriter, "open", open_late)
    if admitted:
        session.reporter.admitted(session.clock.utc(), "hints")
    with pytest.raises(VolumeTimeoutError):
        await session.transcript.run(at_once)
    finishing = await session.finishing(0.2)
    finishing.cancel()
    await session.transcript.close()
    await session.transcript.publish()
    assert (session.report.state, session.report.reason, session.report.lines) == ("Done", None, 1)
    assert {"transcript.vtt", "transcript.srt", "transcript.txt"} <= {path.name for path in session.folder.iterdir()}


async def test_last_lines_that_the_volume_does_not_take_are_told(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_taken(_writer: TranscriptWriter, _seconds: float) -> bool:
        return False

    monkeypatch.setattr(TranscriptWriter, "close", not_taken)
    await session.begin()
    await session.admitted(0)
    await session.say(READY, Utterance(segment=1, revision=1, start=1, end=2, language="en", text="one"))
    report = await session.end(10)
    assert (report.state, report.reason) == ("Done", "Incomplete")
    assert report.message == "the volume did not take the last lines"


async def test_a_source_without_frames_is_opened_again_and_its_silence_told(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_transcript, "_SILENT_SECONDS", 0.05)
    await session.begin()
    await session.admitted(0)
    await session.say(READY)
    before = session.sound.opened
    await until(lambda: session.sound.opened > before)
    session.clock.time = 60
    await session.hear(60)
    await session.say(progress(60))
    report = await session.end(60.2)
    assert report.message == "without text: 0-60 s (no sound came)"


async def test_a_source_that_cannot_be_opened_for_a_while_is_opened_again(session: Session) -> None:
    session.sound.refused = 2
    await session.begin()
    session.reporter.admitted(session.clock.utc(), "hints")
    await session.say(READY)
    await until(lambda: session.sound.opened == 3)
    session.clock.time = 60
    await session.hear(60)
    await session.say(progress(60))
    report = await session.end(60.2)
    assert report.message == "without text: 0-60 s (no transcriber heard it)"


async def test_sound_that_does_not_come_is_behind(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_transcript, "_SILENT_SECONDS", 0.05)
    await session.begin()
    await session.admitted(0)
    await session.say(READY, progress(1))
    before = session.sound.opened
    await until(lambda: session.sound.opened > before)
    session.clock.time = 40
    await session.say(progress(1))
    assert (session.report.state, session.report.lag_seconds) == ("Lagging", 39.9)


async def test_a_transcriber_that_hangs_is_followed_by_another(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_HUNG_SECONDS", 0.05)
    await session.begin()
    await session.admitted(0)
    session.clock.time = 300
    await asyncio.sleep(0.2)
    assert len(session.processes) == 1  # it loads its model
    hung = session.processes[0]
    hung.code = -9
    await session.say(READY, progress(300))
    session.clock.time = 400
    await until(lambda: len(session.processes) == 2)
    assert "died and is started again" in str(session.report.message)
    await session.say(READY, progress(402))
    assert session.report.message is None


async def test_a_transcriber_that_is_never_ready_is_followed_by_another(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_HUNG_SECONDS", 0.05)
    await session.begin()
    await session.admitted(0)
    session.processes[0].code = -9
    session.clock.time = runs._LOADING_SECONDS - 1
    await asyncio.sleep(0.2)
    assert len(session.processes) == 1
    session.clock.time = runs._LOADING_SECONDS
    await until(lambda: len(session.processes) == 2)
    assert session.report.state == "Lagging"
    assert "died and is started again" in str(session.report.message)
    await session.events.flush()
    assert '"event":"transcriber_hung","seconds":900' in (session.folder / "events.jsonl").read_text()


async def test_why_a_transcriber_dies_stays_told(session: Session) -> None:
    await session.begin()
    await session.admitted(0)
    await session.say(READY, Fault(reason="ServerFailed", message="the server's certificate is not known"))
    await session.die()
    assert (session.report.state, session.report.reason) == ("Failed", "ServerFailed")
    assert session.report.message == "the server's certificate is not known"


async def test_what_there_is_no_time_for_is_told_before_its_process_is_dead(session: Session) -> None:
    finishing = await session.run_out_of_time()
    process, dead = session.processes[-1], asyncio.Event()
    process.kill = dead.wait  # type: ignore[assignment,method-assign]
    closing = asyncio.create_task(session.transcript.close())
    await asyncio.sleep(0.05)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert session.hub.ended
    await session.transcript.publish()
    assert session.report.message == "without text: 10-20 s (there was no time left for it)"
    dead.set()
    process.said.put_nowait(None)
    await finishing


async def test_a_transcriber_that_says_nothing_lags(session: Session) -> None:
    await session.begin()
    await session.admitted(0)
    await session.say(READY, progress(1))
    assert session.report.state == "Live"
    session.clock.time = 40
    await session.hear(40)
    assert (session.report.state, session.report.lag_seconds) == ("Lagging", 39)


async def test_the_end_that_comes_while_the_process_starts_is_heard_by_it(session: Session) -> None:
    session.starting.clear()
    session.running = asyncio.create_task(session.transcript.run(at_once))
    session.reporter.admitted(session.clock.utc(), "hints")
    ending = asyncio.create_task(session.end(5))
    await asyncio.sleep(0.05)
    session.starting.set()
    report = await ending
    assert report.message == "without text: 0-5 s (no transcriber heard it)"


async def test_the_end_is_not_held_up_by_a_source_that_cannot_be_opened(session: Session) -> None:
    session.running = asyncio.create_task(session.transcript.run(never))
    session.reporter.admitted(session.clock.utc(), "hints")
    await asyncio.sleep(0.05)
    report = await session.end(5)
    assert report.message == "without text: 0-5 s (no transcriber heard it)"


async def test_whoever_has_no_time_left_did_not_die(session: Session) -> None:
    finishing = await session.run_out_of_time()
    await asyncio.sleep(0.05)
    session.processes[-1].code = -9
    await session.transcript.close()
    await finishing
    await session.transcript.publish()
    assert session.report.message == "without text: 10-20 s (there was no time left for it)"
