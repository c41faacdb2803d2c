"""The transcript as a component: sound that is played, the real transcriber process, names, files, the stream."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jiwer
import pytest
import webvtt
from whisper_normalizer.english import EnglishTextNormalizer

from meeting_buddy.contract.assignment import RecordingConfig, TranscriptionConfig
from meeting_buddy.contract.phases import Phase, ReportPhase
from meeting_buddy.contract.reasons import Reason, end_phase
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import Report, TranscriptionReport
from meeting_buddy_bot.devices.sound import Sound
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.recording.audio_source import PulseAudioSource
from meeting_buddy_bot.recording.manifest import Derived, read
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.processes import run
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.live_transcript import LiveTranscript
from meeting_buddy_bot.transcription.messages import TranscriberConfig
from meeting_buddy_bot.transcription.stream import TranscriptHub
from tests.bot.recording_bot import JFK, bots, leave_and_end, recording, speaker
from tests.conformance.running_bot import READ
from tests.local.media.speech_model import model_folder
from tests.support.awaiting import until

_SECONDS = 400.0
"""For one segment to be understood on a busy machine: its decoder is niced, and waits for everybody else."""

pytestmark = pytest.mark.timeout(1500)


@dataclass(slots=True)
class Meeting:
    """A bot's transcript of a meeting that consists of what is played."""

    folder: Path
    sound: Sound
    clock: SessionClock
    state: ReportState
    reporter: SessionReporter
    hub: TranscriptHub
    transcript: LiveTranscript
    events: EventLog

    @property
    def report(self) -> TranscriptionReport:
        return self.state.report.transcription

    async def until(self, state: str) -> TranscriptionReport:
        """The report once the transcript is in this state."""
        async with asyncio.timeout(_SECONDS):
            while self.report.state != state:
                await self.state.newer_than(self.state.report.revision)
        return self.report

    async def hearing(self, since: float = 0.0) -> None:
        """The transcriber is given sound that is younger than this."""
        await until(lambda: (self.transcript.heard or 0.0) > since, _SECONDS)

    async def admitted(self) -> None:
        """The bot is in the meeting, and its transcriber is given what is said there."""
        self.reporter.admitted(self.clock.utc(), "hints")
        await self.until("Live")
        await self.hearing()

    async def play(self, speaker: str) -> None:
        """Somebody says the clip, and the page shows who it was once it is over."""
        began = self.clock.now()
        await run("paplay", ["paplay", str(JFK)], environment={"PULSE_SERVER": self.sound.server}, seconds=_SECONDS)
        self.reporter.speaking(Interval(speaker, began, self.clock.now()))

    async def end(self) -> None:
        """The bot leaves; the files are written."""
        await self.transcript.finish()
        await self.transcript.close()
        await self.transcript.publish()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "transcript.jsonl").read_text().splitlines()]

    def written(self) -> list[dict[str, Any]]:
        """The events."""
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]


@asynccontextmanager
async def meeting(folder: Path, **config: Any) -> AsyncIterator[Meeting]:
    clock = SessionClock()
    state = ReportState("mbsess_test", 1, clock)
    events = EventLog(folder / "events.jsonl", clock, Redactor())
    reporter = SessionReporter(state, events)
    hub = TranscriptHub(Volume(folder))
    given = TranscriptionConfig(**{"model": str(model_folder()), **config})
    async with Sound(folder / "sockets") as sound:
        source, lines = PulseAudioSource(sound.server, sound.monitor, clock), TranscriptLines(Volume(folder), hub)
        transcript = LiveTranscript(TranscriberConfig.of(given), source, lines, clock, events, reporter)
        running = asyncio.create_task(transcript.run(sound.wait_answering))
        try:
            yield Meeting(folder, sound, clock, state, reporter, hub, transcript, events)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await events.close()


def words(text: str) -> list[str]:
    return str(EnglishTextNormalizer()(text)).split()


EXPECTED = words(JFK.with_suffix(".txt").read_text())
FEW = 0.1
"""Share of words that a machine without processors to spare may cost: where it cuts the sound depends on them."""


def wrong(lines: Sequence[str]) -> float:
    """Share of words that are missing, wrong or too many."""
    return float(jiwer.wer(" ".join(EXPECTED), " ".join(words(" ".join(lines)))))


async def test_what_is_said_is_there_with_its_speaker_while_the_meeting_goes_on(tmp_path: Path) -> None:
    async with meeting(tmp_path) as found:
        await found.admitted()
        subscription = found.hub.subscribe()
        seen: list[dict[str, Any]] = []
        kinds: list[str] = []

        async def follow() -> None:
            async for event in subscription:
                kinds.append(event.kind)
                if event.kind == "line":
                    seen.append(json.loads(event.data))

        following = asyncio.create_task(follow())
        await found.play("Ada Lovelace")
        async with asyncio.timeout(_SECONDS):
            while len(words(" ".join(said(seen)))) < len(EXPECTED) - 2:
                await found.hub.change()
                await asyncio.sleep(0)
        await found.end()
        await following

        await found.events.flush()
        spared = any(each["event"] == "transcriber_sparing" for each in found.written())
        assert "partial" in kinds or spared, "partial texts are there while the machine has processors for them"
        assert wrong(said(seen)) <= FEW
        assert {line["speaker"] for line in last(seen)} == {"Ada Lovelace"}
        assert found.lines() == seen
        captions = webvtt.read(str(tmp_path / "transcript.vtt"))
        assert wrong([caption.text for caption in captions]) <= FEW
        assert {caption.voice for caption in captions} == {"Ada Lovelace"}
        entered = {line.derived for line in read(tmp_path / "manifest.jsonl") if isinstance(line, Derived)}
        assert entered == {"transcript.jsonl", "transcript.vtt", "transcript.srt", "transcript.txt"}
        assert (found.report.state, found.report.reason) == ("Done", None)
        assert found.report.lines == len(seen)


async def test_what_is_said_before_admission_is_not_kept(tmp_path: Path) -> None:
    async with meeting(tmp_path) as found:
        events = tmp_path / "events.jsonl"
        await until(lambda: events.exists() and "transcriber_ready" in events.read_text(), _SECONDS)
        assert found.report.state == "Starting"
        await found.play("Ada Lovelace")
        found.reporter.admitted(found.clock.utc(), "hints")
        await found.end()
        assert not (tmp_path / "transcript.jsonl").exists()
        assert found.report.lines == 0


async def test_a_killed_transcriber_is_started_again_and_nothing_is_missing(tmp_path: Path) -> None:
    async with meeting(tmp_path) as found:
        await found.admitted()
        await found.play("Ada Lovelace")
        async with asyncio.timeout(_SECONDS):
            while not (tmp_path / "transcript.jsonl").exists():
                await found.hub.change()
                await asyncio.sleep(0)
        pid = found.transcript.process_id
        assert pid is not None
        kept = found.lines()
        os.kill(pid, signal.SIGKILL)
        await found.play("Grace Hopper")  # in part to nobody, and to a process that loads its model
        await until(lambda: found.transcript.process_id not in (pid, None), _SECONDS)
        await found.end()
        assert found.lines()[: len(kept)] == kept
        before, after = (words(" ".join(said(lines))) for lines in (kept, found.lines()))
        assert after[: len(before)] == before, "the second process counts its segments from 1 too"
        assert wrong([" ".join(after[-len(EXPECTED) :])]) <= FEW
        assert (found.report.state, found.report.reason) == ("Done", None)
        await found.events.flush()
        assert not [each for each in found.written() if each["event"] == "not_transcribed"]


async def test_a_missing_model_is_told_with_its_remedy(tmp_path: Path) -> None:
    async with meeting(tmp_path, model="/models/none") as found:
        report = await found.until("Failed")
        assert report.reason == "NoModel"
        assert "/models/none" in (report.message or "")
        await found.end()
        assert found.report.state == "Failed"


async def test_a_language_that_the_model_lacks_is_told(tmp_path: Path) -> None:
    async with meeting(tmp_path, language="yue") as found:
        assert (await found.until("Failed")).reason == "LanguageNotSupported"


async def test_a_bot_streams_and_keeps_what_it_hears() -> None:
    with bots() as start:
        engine = TranscriptionConfig(model=str(model_folder()))
        bot = start("join; record", transcription=engine, recording=RecordingConfig(video="none"), unprivileged=False)
        await bot.until(lambda report: recording(report) and hears(report), _SECONDS)
        heard: list[dict[str, Any]] = []
        with speaker(bot):
            async with bot.http(READ) as client, client.get("/v1/transcript") as response, asyncio.timeout(_SECONDS):
                assert response.status == HTTPStatus.OK
                kind = ""
                async for raw in response.content:
                    name, _, value = raw.decode().rstrip("\n").partition(": ")
                    kind = value if name == "event" else kind
                    if (name, kind) == ("data", "line"):
                        heard.append(json.loads(value))
                        if len(words(" ".join(said(heard)))) >= len(EXPECTED):
                            break
        books = await leave_and_end(bot, _SECONDS)
        assert wrong(said(heard)) <= FEW
        assert {line["speaker"] for line in heard} == {None}  # nobody is shown as speaking
        outcome = bot.outcome
        assert outcome.recording.verified
        assert (outcome.transcription.state, outcome.transcription.reason) == ("Done", None)
        derived = [line for line in read(books.folder / "manifest.jsonl") if isinstance(line, Derived)]
        assert {line.derived for line in derived} >= {"transcript.jsonl", "transcript.vtt"}
        [captions, *_] = webvtt.read(str(books.folder / "transcript.vtt"))
        assert captions.voice == "Unknown speaker"
        assert "your country" not in bot.log


async def test_a_bot_that_records_nothing_transcribes_all_the_same() -> None:
    with bots() as start:
        engine = TranscriptionConfig(model=str(model_folder()), log_lines=True)
        nothing = RecordingConfig(enabled=False)
        bot = start("join; record", transcription=engine, recording=nothing, unprivileged=False)
        phases: set[ReportPhase] = set()

        def has_lines(report: Report) -> bool:
            phases.add(report.phase)
            return report.transcription.lines > 0

        await bot.until(hears, _SECONDS)
        with speaker(bot) as playing:
            await bot.until(has_lines, _SECONDS)
            await asyncio.to_thread(playing.wait, _SECONDS)  # to the clip's end
        books = await leave_and_end(bot, _SECONDS)
        outcome = bot.outcome
        assert phases == {ReportPhase.ACTIVE}
        assert outcome.reason is not None
        ended = end_phase(
            outcome.reason,
            ever_joined=outcome.ever_joined,
            files_verified=outcome.recording.verified,
            files_expected=nothing.enabled,
        )
        assert ended == (Phase.COMPLETED, Reason.LEAVE_REQUESTED)
        assert (outcome.recording.segments, outcome.recording.bytes) == (0, 0)
        assert (outcome.transcription.state, outcome.transcription.reason) == ("Done", None)
        texts = {"transcript.jsonl", "transcript.vtt", "transcript.srt", "transcript.txt"}
        files = {str(path.relative_to(books.folder)) for path in books.folder.rglob("*") if path.is_file()}
        assert files == {"events.jsonl", "manifest.jsonl", "session.json", *texts}
        derived = {line.derived: line for line in read(books.folder / "manifest.jsonl") if isinstance(line, Derived)}
        found = {name: hashlib.sha256((books.folder / name).read_bytes()).hexdigest() for name in texts}
        assert {name: line.sha256 for name, line in derived.items()} == found
        written = [json.loads(line) for line in (books.folder / "transcript.jsonl").read_text().splitlines()]
        assert wrong(said(written)) <= FEW
        logged = [json.loads(line) for line in bot.log.splitlines() if '"transcription.log_lines"' in line]
        assert [(line["segment"], line["revision"]) for line in logged] == [
            (line["segment"], line["revision"]) for line in written
        ]
        assert "your country" in " ".join(str(line["message"]) for line in logged)


async def test_a_bot_that_shall_not_transcribe_has_neither_stream_nor_file() -> None:
    with bots() as start:
        nothing = TranscriptionConfig(enabled=False, model=str(model_folder()))
        bot = start("join; record", transcription=nothing, recording=RecordingConfig(enabled=False), unprivileged=False)
        await bot.until(lambda report: report.ever_joined)
        async with bot.http(READ) as client, client.get("/v1/transcript") as response:
            assert response.status == HTTPStatus.NOT_FOUND
        books = await leave_and_end(bot)
        assert bot.outcome.transcription == TranscriptionReport()
        assert {path.name for path in books.folder.iterdir()} == {"events.jsonl", "session.json"}


def hears(report: Report) -> bool:
    """Whether the transcriber is given sound."""
    return report.transcription.state == "Live" and report.transcription.lag_seconds is not None


def last(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last line of each segment, in the order of the meeting; withdrawn ones left out."""
    newest = {line["segment"]: line for line in lines}
    return sorted((line for line in newest.values() if line["text"]), key=lambda line: float(line["start"]))


def said(lines: list[dict[str, Any]]) -> list[str]:
    return [str(line["text"]) for line in last(lines)]
