"""A live transcript, with a transcriber that says what the test wrote: files, their check, the log."""

import asyncio
import errno
import io
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, PcmFrame
from meeting_buddy_bot.recording.manifest import Derived, Segment, encode, read
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.logs import JsonLines
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription import publishing
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.live_transcript import LiveTranscript
from meeting_buddy_bot.transcription.log_lines import LineLog, line_log
from meeting_buddy_bot.transcription.messages import Message, Missed, Partial, Ready, TranscriberConfig, Utterance
from meeting_buddy_bot.transcription.stream import TranscriptHub
from meeting_buddy_bot.transcription.transcriber import Transcriber
from tests.support.awaiting import until
from tests.support.scripted_transcriber import NoSound, ScriptedProcess
from tests.unit.test_transcript_troubles import READY, Session, progress, session  # noqa: F401 -- fixture

FILES = {"transcript.jsonl", "transcript.vtt", "transcript.srt", "transcript.txt"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def said(text: str, segment: int = 1, *, revision: int = 1, start: float = 83.0) -> Utterance:
    return Utterance(segment=segment, revision=revision, start=start, end=start + 2, language="en", text=text)


Attend = Callable[..., Any]


@pytest.fixture
def transcribe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attend:
    """``await transcribe(messages, log_line)``: a whole session's transcript, and its last report."""

    async def run(
        messages: Sequence[Message],
        log_line: LineLog | None = None,
        publish_seconds: float = 20,
        hub: TranscriptHub | None = None,
    ) -> TranscriptionReport:
        async def start(config: TranscriberConfig) -> ScriptedProcess:
            return ScriptedProcess((Ready(engine="scripted", model="none"), *messages))

        monkeypatch.setattr(Transcriber, "start", start)
        clock, volume = SessionClock(), Volume(tmp_path)
        state = ReportState("mbsess_test", 1, clock)
        events = EventLog(tmp_path / "events.jsonl", clock, Redactor())
        reporter = SessionReporter(state, events)
        lines = TranscriptLines(volume, hub or TranscriptHub(volume), log_line)
        transcript = LiveTranscript(TranscriberConfig(), NoSound(), lines, clock, events, reporter)
        reporter.admitted(clock.utc(), "hints")
        reporter.speaking(Interval("Ada Lovelace", 80.0, 90.0))
        running = asyncio.create_task(transcript.run(lambda: asyncio.sleep(0)))
        try:
            async with asyncio.timeout(60):
                while state.report.transcription.state != "Live":
                    await state.newer_than(state.report.revision)
                await transcript.finish()
                await transcript.close()
            with suppress(OSError):  # it is logged by whoever calls it
                async with asyncio.timeout(publish_seconds):
                    await transcript.publish()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await events.close()
        return state.report.transcription

    return run


async def test_the_files_are_read_again_before_the_transcript_counts_as_done(
    transcribe: Attend, tmp_path: Path
) -> None:
    report = await transcribe([said("and so, my fellow Americans")])
    assert (report.state, report.reason, report.message, report.lines) == ("Done", None, None, 1)
    assert {line.derived for line in read(tmp_path / "manifest.jsonl") if isinstance(line, Derived)} == FILES


async def test_what_is_still_being_said_is_heard_with_its_speaker_and_is_in_no_file(
    transcribe: Attend, tmp_path: Path
) -> None:
    hub = TranscriptHub(Volume(tmp_path))
    listener = hub.subscribe()
    open_line = Partial(segment=2, revision=1, start=86.0, end=87.5, language="en", text="Still going")
    await transcribe([said("Ask not."), open_line], hub=hub)
    final, partial = await listener.next(), await listener.next()
    assert final is not None
    assert partial is not None
    assert (final.kind, partial.kind) == ("line", "partial")
    shown = json.loads(partial.data)
    assert (shown["text"], shown["speaker"], shown["final"]) == ("Still going", "Ada Lovelace", False)
    assert "Still going" not in (tmp_path / "transcript.jsonl").read_text()


async def test_a_session_in_which_nobody_spoke_leaves_no_file(transcribe: Attend, tmp_path: Path) -> None:
    report = await transcribe([])
    assert (report.state, report.reason, report.lines) == ("Done", None, 0)
    assert names(tmp_path) == {"events.jsonl"}


async def test_a_segment_with_two_lines_in_the_manifest_moves_no_subtitle(transcribe: Attend, tmp_path: Path) -> None:
    segments = [
        Segment(n, f"segments/{n:05d}.mkv", (n - 1) * 30.0, n * 30.0, "", 10, "0" * 64, 1) for n in (1, 2, 3, 2, 3, 4)
    ]
    (tmp_path / "manifest.jsonl").write_bytes(b"".join(encode(segment) + b"\n" for segment in segments))
    await transcribe([said("and so, my fellow Americans", start=100.0)])
    assert "00:01:40,000 --> 00:01:42,000" in (tmp_path / "transcript.srt").read_text()


@pytest.mark.parametrize(
    "spoil", [lambda path: path.unlink(), lambda path: path.write_text("x"), lambda path: path.write_bytes(b"")]
)
@pytest.mark.parametrize("name", sorted(FILES))
async def test_a_file_that_is_not_what_was_written_is_named(
    transcribe: Attend, monkeypatch: pytest.MonkeyPatch, name: str, spoil: Callable[[Path], object]
) -> None:
    def rendered(folder: Path) -> list[Derived]:
        derived = render(folder)
        spoil(folder / name)
        return derived

    render = publishing._rendered
    monkeypatch.setattr(publishing, "_rendered", rendered)
    report = await transcribe([said("hello"), Missed(start=10, end=20, cause="it was late")])
    assert (report.state, report.reason) == ("Done", "VerificationFailed")
    assert report.message == (f"{name}: not what was written when read again; without text: 10-20 s (it was late)")


async def test_a_message_of_many_gaps_is_short_enough_for_a_report(transcribe: Attend) -> None:
    gaps = [Missed(start=n, end=n + 10, cause=f"{n}" + "x" * 400) for n in range(0, 600, 10)]
    report = await transcribe([said("hello"), *gaps])
    assert (report.state, report.reason, len(str(report.message))) == ("Done", "Incomplete", 512)


async def test_a_volume_that_does_not_take_the_files_is_told(
    transcribe: Attend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(folder: Path) -> list[Derived]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(publishing, "_rendered", refuse)
    report = await transcribe([said("hello")])
    assert (report.state, report.reason) == ("Done", "VerificationFailed")
    assert "No space left on device" in str(report.message)
    written = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [each["event"] for each in written][-2:] == ["transcript_not_verified", "transcription"]


async def test_a_check_for_which_there_is_no_time_is_told(transcribe: Attend, monkeypatch: pytest.MonkeyPatch) -> None:
    late = threading.Event()
    monkeypatch.setattr(publishing, "_rendered", lambda folder: late.wait(10))
    report = await transcribe([said("hello")], publish_seconds=0.1)
    late.set()
    assert (report.state, report.reason) == ("Done", "VerificationFailed")
    assert "in time" in str(report.message)


# Sound that the source drops, and times that it sets anew


async def test_sound_that_is_missing_between_two_frames_is_told(session: Session) -> None:
    await session.begin()
    await session.admitted(0)
    for start in (0.1, 0.2, 3.1, 3.5, 3.6):  # a correction of the source's clock is none
        await session.hear(start)
    await session.say(READY, progress(3.7))
    report = await session.end(3.7)
    assert (report.state, report.reason) == ("Done", "Incomplete")
    assert report.message == "without text: 0-3 s (no sound came)"
    await session.events.flush()
    told = [json.loads(line) for line in (session.folder / "events.jsonl").read_text().splitlines()]
    missed = [(each["start"], each["end"]) for each in told if each["event"] == "not_transcribed"]
    assert missed == [(0.3, 3.1)]


async def test_what_sounds_while_the_bot_is_not_in_the_meeting_is_not_missing(
    session: Session,
) -> None:
    await session.begin()
    await session.admitted(0)
    session.reporter.waiting(Waiting.WAITING_ROOM)
    for start in (0.1, 0.2):
        session.sound.to_come.put_nowait(PcmFrame(start, bytes(FRAME_BYTES)))
    await until(session.sound.to_come.empty)
    await asyncio.sleep(0.01)
    session.reporter.waiting(None)
    await session.hear(3.1)
    await session.say(READY, progress(3.2))
    report = await session.end(3.2)
    assert (report.state, report.reason, report.message) == ("Done", None, None)


async def test_sound_that_comes_again_before_the_bot_is_back_was_missing_until_then(session: Session) -> None:
    await session.begin()
    await session.admitted(0)
    before = session.sound.opened
    cast(Any, session.sound.to_come).put_nowait(None)  # as its server dies; a new browser follows
    await until(lambda: session.sound.opened > before)
    session.reporter.waiting(Waiting.REJOINING)
    session.sound.to_come.put_nowait(PcmFrame(2.0, bytes(FRAME_BYTES)))
    await until(session.sound.to_come.empty)
    await asyncio.sleep(0.01)
    session.reporter.waiting(None)
    await session.hear(300)
    await session.say(READY, progress(300.1))
    await session.end(300.1)
    await session.events.flush()
    told = [json.loads(line) for line in (session.folder / "events.jsonl").read_text().splitlines()]
    missed = [(each["start"], each["end"]) for each in told if each["event"] == "not_transcribed"]
    assert missed == [(0.1, 2.0)]


async def test_what_follows_a_segment_whose_samples_end_behind_the_clock_is_given_to_the_next_process(
    session: Session,
) -> None:
    await session.begin()
    await session.admitted(0)
    await session.hear(0.1)
    await session.say(READY, Utterance(segment=1, revision=1, start=0, end=0.5, language="en", text="hello"))
    for start in (0.2, 0.3, 0.4):
        await session.hear(start)
    await session.say(progress(0.2))
    await session.die()
    await until(lambda: session.processes[-1].fed)
    assert session.processes[-1].fed == [0.2, 0.3, 0.4]


# The lines in the log


@contextmanager
def log_of_the_bot() -> Iterator[io.StringIO]:
    """What the bot's log would hold, as its formatter writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(Redactor.for_link("https://meet.example.org/rooms/standup#very-secret")))
    logger = logging.getLogger("meeting_buddy_bot")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


async def logged(transcribe: Attend, messages: Sequence[Message], log_line: LineLog) -> list[dict[str, Any]]:
    """The transcript's lines of the log."""
    with log_of_the_bot() as stream:
        await transcribe(messages, log_line)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in lines if line["logger"] == "transcription.log_lines"]


async def test_each_line_that_is_written_is_in_the_log_where_the_class_asks_for_it(transcribe: Attend) -> None:
    messages = [said("hello"), said("good bye", 2, start=3723.4), said("hello there", revision=2)]
    lines = await logged(transcribe, messages, line_log(publish_names=True))
    assert [(each["message"], each["segment"], each["revision"]) for each in lines] == [
        ("transcript 00:01:23 Ada Lovelace: hello", "1", 1),
        ("transcript 01:02:03: good bye", "2", 1),
        ("transcript 00:01:23 Ada Lovelace: hello there", "1", 2),
    ]
    assert {each["level"] for each in lines} == {"info"}


async def test_names_that_stay_on_the_volume_are_not_in_the_log(transcribe: Attend) -> None:
    lines = await logged(transcribe, [said("hello")], line_log(publish_names=False))
    assert [each["message"] for each in lines] == ["transcript 00:01:23: hello"]


async def test_by_default_nothing_that_was_said_is_in_the_log(transcribe: Attend) -> None:
    with log_of_the_bot() as stream:
        assert (await transcribe([said("hello")])).lines == 1
    assert "transcriber_ready" in stream.getvalue()
    assert "hello" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('x"}\n{"level": "error", "message": "forged"}', 'x"} {"level": "error", "message": "forged"}'),
        ("a\x1b[2Jb\r\nc\u2028d\x00", "a[2Jb c d"),
        ("100 %s %d", "100 %s %d"),
        ("\u202egnp.exe", "gnp.exe"),
        ("join with very-secret", "join with [redacted]"),
        ("", "(withdrawn)"),
    ],
)
async def test_nothing_that_is_said_breaks_a_line_of_the_log(transcribe: Attend, text: str, shown: str) -> None:
    [line] = await logged(transcribe, [said(text)], line_log(publish_names=False))
    assert line["message"] == f"transcript 00:01:23: {shown}"
