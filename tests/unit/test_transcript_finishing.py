"""The transcript of a bot that has ended: what is told of a transcriber or a recording that fails."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path

import pytest

from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine
from meeting_buddy_bot.finishing import transcript as finishing
from meeting_buddy_bot.finishing.transcript import UnfinishedTranscript
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.recording import volume_watch
from meeting_buddy_bot.recording.audio_source import PcmFrame
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Derived, Segment, read
from meeting_buddy_bot.recording.manifest_writer import REPLACED
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.session.earlier import EarlierFacts, Stay
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription import publishing
from meeting_buddy_bot.transcription.attribution import MAX_INTERVALS
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.messages import (
    Fault,
    Message,
    Missed,
    Progress,
    Ready,
    Recovered,
    TranscriberConfig,
    Utterance,
)
from meeting_buddy_bot.transcription.missing import NO_TIME
from meeting_buddy_bot.transcription.render import Timeline
from meeting_buddy_bot.transcription.stream import TranscriptHub
from meeting_buddy_bot.transcription.transcriber import Transcriber
from meeting_buddy_bot.transcription.writer import TranscriptWriter
from tests.unit.test_recovery import Listener

READY = Ready(engine="fake", model="none")
NO_MODEL = Fault(reason="NoModel", message="there is no speech model")
FAULT = Fault(reason="ServerFailed", message="the server answered 500: see its log")


class ScriptedProcess:
    """Says its messages when the sound has ended, and ends with its code."""

    stderr_tail = ""

    def __init__(self, code: int, *messages: Message, error: OSError | None = None) -> None:
        """``error``: of reading the recording for it."""
        self._code, self._messages = code, messages
        self.error = error
        self._over = asyncio.Event()
        self.began: float | None = None
        """Where the sound begins that it was given."""

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


def recorded(*spans: tuple[float, float]) -> list[Segment]:
    return [Segment(n, f"{n}.mkv", *span, "", 1, "", run=n) for n, span in enumerate(spans, 1)]


def heard(segment: int, start: float, end: float) -> Utterance:
    return Utterance(segment=segment, revision=1, start=start, end=end, language="en", text=f"until {end:.0f}")


async def finished(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *processes: ScriptedProcess | OSError,
    segments: Sequence[Segment] = (),
    spoken: Sequence[Interval] = (),
    told: list[TranscriptionReport] | None = None,
    earlier: EarlierFacts | None = None,
) -> TranscriptionReport:
    """What is told last of a transcript whose catching up goes so; an error: the process cannot be started."""
    to_come, started = list(processes), list[ScriptedProcess]()

    async def start(*_: object) -> ScriptedProcess:
        process = to_come.pop(0)
        if isinstance(process, OSError):
            raise process
        started.append(process)
        return process

    async def sound(_: object, timeline: Timeline, since: float) -> AsyncGenerator[PcmFrame, None]:
        started[-1].began = timeline.moment(timeline.at(since))
        if started[-1].error is not None:
            raise started[-1].error
        return
        yield PcmFrame(0.0, b"")

    monkeypatch.setattr(Transcriber, "start", start)
    monkeypatch.setattr(finishing, "_frames", sound)
    monkeypatch.setattr(finishing, "_RESTART_SECONDS", 0.0, raising=False)
    monkeypatch.setattr(volume_watch, "_RETRY_SECONDS", 0.01)
    volume, clock, told = Volume(folder), SessionClock(), [] if told is None else told
    events = EventLog(folder / "events.jsonl", clock)
    lines = TranscriptLines(volume, TranscriptHub(volume))
    unfinished = UnfinishedTranscript(lines, volume, clock, events, told.append, lambda: 0.0)
    await unfinished.open(earlier or EarlierFacts(), segments)
    await unfinished.catch_up(TranscriberConfig(), folder / "none", segments, spoken)
    unfinished.give_up(NO_TIME, 300.0)
    await unfinished.publish(VolumeWatch(volume, clock, events, Listener()), wanted=True)
    await events.close()
    assert not to_come, "another process is started"
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
    report = await finished(tmp_path, monkeypatch, ScriptedProcess(code, error=error))
    assert report.message == "without text: 0-300 s (the sound cannot be read)"


async def test_a_transcriber_that_dies_is_followed_by_one_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ScriptedProcess(-9, READY, heard(1, 10, 60))
    second = ScriptedProcess(-9, READY, Progress(heard=150, done=150))
    third = ScriptedProcess(0, READY, heard(1, 200, 210))
    report = await finished(tmp_path, monkeypatch, first, second, third, segments=recorded((0, 300)))
    assert [each.began for each in (first, second, third)] == [0, 60, 150]
    assert (report.state, report.reason, report.message) == ("Done", None, None)
    written = [json.loads(line) for line in (tmp_path / TRANSCRIPT_FILE).read_text().splitlines()]
    assert [(each["segment"], each["text"]) for each in written] == [("1", "until 60"), ("2", "until 210")]


async def test_sound_of_which_two_have_died_has_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded between 100 and 400 s: it is no sound that could be left out."""
    deaths = [ScriptedProcess(-9, READY, heard(1, 90, 100)), ScriptedProcess(-9, READY)]
    last = ScriptedProcess(0, READY, heard(1, 420, 430))
    report = await finished(tmp_path, monkeypatch, *deaths, last, segments=recorded((0, 100), (400, 500)))
    assert last.began == 415
    assert report.message is not None
    assert "415 s (the transcriber died)" in report.message
    assert report.lines == 2


async def test_each_death_in_the_last_seconds_leaves_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths = [ScriptedProcess(-9, READY) for _ in range(4)]
    report = await finished(tmp_path, monkeypatch, *deaths, segments=recorded((0, 20)))
    assert [each.began for each in deaths] == [0, 0, 15, 15]
    assert report.message is not None
    assert report.message.startswith("without text: 0-20 s (the transcriber died)")


@pytest.mark.parametrize("messages", [(), (FAULT,), (NO_MODEL,), (READY, heard(1, 1, 2), NO_MODEL)])
async def test_where_the_next_one_would_not_be_any_better_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: tuple[Message, ...]
) -> None:
    report = await finished(tmp_path, monkeypatch, ScriptedProcess(1, *messages), segments=recorded((0, 300)))
    assert report.reason == "Incomplete"


def not_started() -> OSError:
    return OSError(errno.EAGAIN, "Resource temporarily unavailable")


def not_read() -> OSError:
    return OSError(errno.EIO, "the sound cannot be read")


async def test_one_failure_at_a_place_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = ScriptedProcess(0, READY, heard(1, 200, 210))
    processes = not_started(), ScriptedProcess(0, READY, heard(1, 10, 60), error=not_read()), last
    report = await finished(tmp_path, monkeypatch, *processes, segments=recorded((0, 300)))
    assert (report.state, report.reason, report.message, report.lines) == ("Done", None, None, 2)
    assert last.began == 60
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [each["error"] for each in events if each["event"] == "transcriber_failed"] == [
        "Resource temporarily unavailable",
        "the sound cannot be read",
    ]


async def test_sound_that_cannot_be_read_twice_has_no_text_and_the_rest_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the process had begun or not."""
    first = ScriptedProcess(0, READY, heard(1, 10, 60), error=not_read())
    second = ScriptedProcess(0, error=not_read())
    last = ScriptedProcess(0, READY, heard(1, 200, 210))
    report = await finished(tmp_path, monkeypatch, first, second, last, segments=recorded((0, 300)))
    assert last.began == 75
    assert report.message == "without text: 60-75 s (the sound cannot be read)"
    assert report.lines == 2


async def test_what_never_works_ends_with_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = await finished(tmp_path, monkeypatch, *[not_started() for _ in range(4)], segments=recorded((0, 30)))
    assert report.message == "without text: 0-300 s (Resource temporarily unavailable)"


async def test_what_never_works_does_not_take_the_whole_time_of_a_long_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = [not_started() for _ in range(10)]  # there is no eleventh
    report = await finished(tmp_path, monkeypatch, *never, segments=recorded((0, 7200)))
    assert str(report.message).startswith("without text: 0-")
    assert "(Resource temporarily unavailable)" in str(report.message)


async def test_what_an_engine_gives_up_for_counts_before_what_failed_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = ScriptedProcess(1, NO_MODEL, error=not_read())
    report = await finished(tmp_path, monkeypatch, process, segments=recorded((0, 300)))
    assert report.message == f"without text: 0-300 s (the engine failed: {NO_MODEL.message})"


@pytest.mark.parametrize("late", ["last lines", "manifest, no answer", "manifest, refused", "files"])
async def test_files_that_the_volume_takes_late_are_published_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    first, render, flush, close = ["once"], publishing._rendered, AppendFile.flush, TranscriptWriter.close

    def rendered(folder: Path) -> list[Derived]:
        if first and late == "files":
            first.clear()
            raise OSError(errno.EIO, "Input/output error")
        return render(folder)

    async def flushed(file: AppendFile, seconds: float) -> bool:
        if first and "manifest" in late and file._path.name == MANIFEST_FILE:
            first.clear()
            await asyncio.sleep(1 if "no answer" in late else 0)
            return False
        return await flush(file, seconds)

    async def closed(writer: TranscriptWriter, seconds: float) -> bool:
        if first and late == "last lines":
            first.clear()
            return False
        return await close(writer, seconds)

    monkeypatch.setattr(publishing, "_rendered", rendered)
    monkeypatch.setattr(publishing, "_FLUSH_SECONDS", 0.5)
    monkeypatch.setattr(AppendFile, "flush", flushed)
    monkeypatch.setattr(TranscriptWriter, "close", closed)
    told: list[TranscriptionReport] = []
    script = ScriptedProcess(0, READY, heard(1, 10, 60))
    report = await finished(tmp_path, monkeypatch, script, segments=recorded((0, 300)), told=told)
    assert not first
    assert (report.state, report.reason, report.message) == ("Done", None, None)
    assert len([each for each in told if each.state == "Done"]) == 1
    assert "transcript_not_verified" not in (tmp_path / "events.jsonl").read_text()
    entered = [line.derived for line in read(tmp_path / MANIFEST_FILE) if isinstance(line, Derived)]
    assert len(entered) == len(set(entered)) == 4


async def test_all_names_of_a_long_meeting_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = [Interval("Ann" if n % 2 else "Bob", n, n + 1) for n in range(MAX_INTERVALS + 10)]
    process = ScriptedProcess(0, READY, heard(1, 4.8, 5.6))
    await finished(tmp_path, monkeypatch, process, segments=recorded((0, 300)), spoken=spoken)
    [line] = (tmp_path / TRANSCRIPT_FILE).read_text().splitlines()
    assert json.loads(line)["speaker"] == "Ann"


async def test_lines_that_could_not_be_written_in_time_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing = asyncio.Event()

    async def hang(_: object, seconds: float) -> bool:
        closing.set()
        await asyncio.Event().wait()
        return True

    told: list[TranscriptionReport] = []
    monkeypatch.setattr(TranscriptWriter, "close", hang)
    script = ScriptedProcess(0, READY, heard(1, 10, 60))
    finishing = asyncio.create_task(finished(tmp_path, monkeypatch, script, told=told))
    await closing.wait()
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    assert (told[-1].state, told[-1].reason) == ("Done", "VerificationFailed")
    assert "the volume did not take the last lines" in str(told[-1].message)


def written(folder: Path, *ends: float) -> None:
    """Lines that the bots wrote, ending then."""
    at = "2026-11-23T10:00:00.000Z"
    lines = (
        TranscriptLine(
            segment=str(number), revision=1, final=True, speaker=None, source="unknown", start=end - 1, end=end,
            at=at, language="en", text="said", words=(), committed=0,
        )
        for number, end in enumerate(ends, 1)
    )  # fmt: skip
    (folder / TRANSCRIPT_FILE).write_text("".join(f"{line.model_dump_json(by_alias=True)}\n" for line in lines))


@pytest.mark.parametrize("end", [61.24, 61.26])
async def test_what_was_told_behind_the_last_line_is_not_missing_once_it_has_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: float
) -> None:
    written(tmp_path, end)
    told = EarlierFacts(missed=(Missed(start=10, end=12, cause="x"), Missed(start=61.2, end=299.4, cause=NO_TIME)))
    process = ScriptedProcess(0, READY, heard(1, 62, 300))
    report = await finished(tmp_path, monkeypatch, process, segments=recorded((0, 300)), earlier=told)
    assert report.message == "without text: 10-12 s (x)"


async def test_what_a_killed_bot_recorded_and_its_successor_did_not_know_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 61.24, 210)
    stays = (Stay(0.0, 70.0), Stay(180.0, 250.0))
    earlier = EarlierFacts(missed=(Missed(start=61.2, end=70.0, cause=REPLACED),), stays=stays)
    process = ScriptedProcess(0, READY, heard(1, 211, 300))
    segments = recorded((0, 60), (60, 88), (180, 300))
    report = await finished(tmp_path, monkeypatch, process, segments=segments, earlier=earlier)
    assert report.message == "without text: 61-88 s (the bot was replaced)"
