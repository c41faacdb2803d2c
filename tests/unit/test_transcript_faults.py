"""What the report says of a transcriber that cannot work, or cannot for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.live_transcript import LiveTranscript
from meeting_buddy_bot.transcription.messages import (
    Fault,
    Message,
    Missed,
    Progress,
    Ready,
    Recovered,
    TranscriberConfig,
)
from meeting_buddy_bot.transcription.stream import TranscriptHub
from meeting_buddy_bot.transcription.transcriber import Transcriber
from tests.support.scripted_transcriber import NoSound, ScriptedProcess

READY = Ready(engine="openai", model="whisper-1")
SERVER_FAILED = Fault(reason="ServerFailed", message="the server answered 500: see its log")


class Session:
    """A transcript whose process the test speaks for."""

    def __init__(self, folder: Path, process: ScriptedProcess) -> None:
        clock, volume = SessionClock(), Volume(folder)
        self.process = process
        self.state = ReportState("mbsess_test", 1, clock)
        self.events = EventLog(folder / "events.jsonl", clock, Redactor())
        reporter = SessionReporter(self.state, self.events)
        lines = TranscriptLines(volume, TranscriptHub(volume))
        self.transcript = LiveTranscript(TranscriberConfig(), NoSound(), lines, clock, self.events, reporter)
        reporter.admitted(clock.utc(), "hints")

    async def say(self, *messages: Message) -> TranscriptionReport:
        """The report after these."""
        for message in messages:
            self.process.said.put_nowait(message)
        for _ in range(20):
            await asyncio.sleep(0)
        return self.state.report.transcription


@pytest.fixture
async def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    process = ScriptedProcess()

    async def start(config: TranscriberConfig) -> ScriptedProcess:
        return process

    monkeypatch.setattr(Transcriber, "start", start)
    found = Session(tmp_path, process)
    running = asyncio.create_task(found.transcript.run(lambda: asyncio.sleep(0)))
    process.said.put_nowait(READY)
    async with asyncio.timeout(60):
        while found.state.report.transcription.state != "Live":
            await found.state.newer_than(found.state.report.revision)
    try:
        yield found
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await found.events.close()


def told(report: TranscriptionReport) -> tuple[str, str | None, str | None]:
    return report.state, report.reason, report.message


async def test_a_servers_failure_stays_told_until_a_decoding_succeeds(session: Session) -> None:
    failed = ("Failed", "ServerFailed", SERVER_FAILED.message)
    assert told(await session.say(Progress(heard=1, done=1))) == ("Live", None, None)
    assert told(await session.say(SERVER_FAILED)) == failed
    missed = Missed(start=1, end=4, cause="the server answered 500")
    report = await session.say(Progress(heard=30, done=1), missed, Progress(heard=31, done=30))
    assert told(report) == failed
    assert report.lag_seconds is None
    assert told(await session.say(Recovered())) == ("Live", None, None)
    report = await session.say(Progress(heard=60, done=32))
    assert (report.state, report.lag_seconds) == ("Lagging", 28)
    await session.transcript.finish()
    await session.transcript.close()
    await session.transcript.publish()
    done = session.state.report.transcription
    assert told(done) == ("Done", "Incomplete", "without text: 1-4 s (the server answered 500)")


async def test_another_failure_takes_the_firsts_place(session: Session) -> None:
    report = await session.say(SERVER_FAILED, Fault(reason="ServerFailed", message="no connection"))
    assert told(report) == ("Failed", "ServerFailed", "no connection")


async def test_a_process_that_is_started_again_begins_anew(session: Session) -> None:
    assert told(await session.say(SERVER_FAILED, READY, Progress(heard=1, done=1))) == ("Live", None, None)


async def test_a_language_that_a_server_refuses_in_mid_meeting_ends_the_transcript(session: Session) -> None:
    refused = Fault(reason="LanguageNotSupported", message="choose another language")
    assert told(await session.say(refused)) == ("Failed", "LanguageNotSupported", "choose another language")
    assert session.process.killed
    async with asyncio.timeout(60):
        await session.transcript.finish()
        await session.transcript.close()
        await session.transcript.publish()
    assert told(session.state.report.transcription) == ("Failed", "LanguageNotSupported", "choose another language")


async def test_text_that_waits_for_processors_says_so(session: Session, tmp_path: Path) -> None:
    assert told(await session.say(Progress(heard=3, done=1, spares=True))) == ("Live", None, None)
    report = await session.say(Progress(heard=30, done=1, spares=True), Progress(heard=31, done=1, spares=True))
    assert (report.state, report.reason) == ("Lagging", None)
    assert report.message == "processors are short on the node, so that text has to wait for the recording"
    assert told(await session.say(Progress(heard=32, done=31))) == ("Live", None, None)
    await session.events.close()
    written = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [each["spares"] for each in written if each["event"] == "transcriber_sparing"] == [True, False]
