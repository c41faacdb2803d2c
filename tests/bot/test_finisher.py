"""The finisher as a process, on the folder of a bot that was killed with all its processes, as a pod is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import pytest
import pytest_asyncio
from whisper_normalizer.english import EnglishTextNormalizer

from meeting_buddy.contract.assignment import FinisherAssignment, RecordingConfig, TranscriptionConfig
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.transcript import TranscriptLine
from meeting_buddy_bot.recording.manifest import (
    MANIFEST_FILE,
    Derived,
    Finished,
    GapLine,
    RunStart,
    Segment,
    encode,
    read,
    utc_text,
)
from meeting_buddy_bot.recording.recovery import read_folder
from meeting_buddy_bot.recording.segments import fsync_and_hash
from tests.bot.recording_bot import JFK, bots, copied, files, one_is_open, recording, tone
from tests.conformance.running_bot import (
    JOINED,
    RunningBot,
    make_finisher_assignment,
    reachable_folder,
    stop_all,
)
from tests.conformance.unprivileged import GID, UID
from tests.local.media.probe import probe
from tests.local.media.speech_model import model_folder
from tests.support.awaiting import until
from tests.support.faulty_volume import faulty_volume

_SECONDS = 60.0
SOUND = RecordingConfig(video="none")
WHY = "container bot was killed"


def assignment(**changes: Any) -> FinisherAssignment:
    return make_finisher_assignment(**{"message": WHY, "table_hash": "sha256:0123", **changes})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def killed() -> AsyncIterator[Path]:
    """The folder of a bot that recorded some segments and was killed while it wrote one."""
    with bots() as start:
        bot = start("join; people Ann, Bo; record", {"MEETING_BUDDY_SEGMENT_SECONDS": "4"}, recording=SOUND)
        await bot.until(recording, _SECONDS)
        with tone(bot):
            await bot.until(
                lambda report: report.recording.segments >= 2 and one_is_open(bot.recordings, report), _SECONDS
            )
            bot.clear()
        yield bot.recordings


Finish = Callable[..., RunningBot]


@pytest.fixture
def finish() -> Iterator[Finish]:
    """Start a finisher: ``finish(folder, assignment(...))``; without a folder on a new one."""
    running: list[RunningBot] = []
    with reachable_folder() as root:

        def start(
            recordings: Path | None = None,
            given: FinisherAssignment | str | None = None,
            *,
            blocked: Path | None = None,
            unprivileged: bool = True,
        ) -> RunningBot:
            own = root / f"finisher{len(running)}"
            own.mkdir()
            recordings = recordings or empty(root)
            text = given if isinstance(given, str) else (given or assignment()).to_json()
            environment = {"MEETING_BUDDY_RECORDINGS": str(recordings)}
            if blocked is not None:
                environment["PATH"] = f"{blocked}:{os.environ['PATH']}"
            module = "tests.bot.finisher_program"
            running.append(RunningBot(module, own, text, environment=environment, unprivileged=unprivileged))
            running[-1].recordings = recordings
            return running[-1]

        try:
            yield start
        finally:
            stop_all(running)


def empty(root: Path) -> Path:
    """A session's folder with nothing in it."""
    folder = root / f"recordings{len(list(root.iterdir()))}"
    folder.mkdir()
    os.chown(folder, UID, GID)
    return folder


@pytest.fixture
def folder(killed: Path) -> Iterator[Path]:
    """A copy of the killed bot's folder."""
    with copied(killed) as copy:
        yield copy


@pytest.fixture
def blocked() -> Iterator[Path]:
    """A folder with an ffmpeg that never ends, and says by a file that it began."""
    with reachable_folder() as root:
        program = root / "ffmpeg"
        program.write_text(f"#!/bin/sh\ntouch {root}/began\nexec sleep 3600\n")
        program.chmod(0o755)
        os.chown(root, UID, GID)
        yield root


def lines(folder: Path, kind: type[Any]) -> list[Any]:
    return [line for line in read(folder / MANIFEST_FILE) if isinstance(line, kind)]


def events(folder: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


async def done(finisher: RunningBot) -> RunningBot:
    """Its outcome is written."""
    assert await finisher.ended(_SECONDS) == 0, finisher.log
    return finisher


def zero(utc: str, seconds: float) -> float:
    return datetime.fromisoformat(utc).timestamp() - seconds


async def test_what_a_killed_bot_left_becomes_one_verified_file(folder: Path, finish: Finish) -> None:
    listed = lines(folder, Segment)
    files = sorted((folder / "segments").iterdir())
    assert len(files) > len(listed), "the bot was killed while it wrote one"
    finisher = await done(finish(folder))

    report = finisher.outcome
    assert (report.phase, report.reason, report.message) == (ReportPhase.ENDED, Reason.BOT_CRASHED, WHY)
    assert (report.ever_joined, report.joined_at, report.table_hash) == (True, JOINED, "sha256:0123")
    assert report.left_at == JOINED + timedelta(minutes=1)
    assert report.recording.verified, finisher.log
    segments = lines(folder, Segment)
    assert segments[: len(listed)] == listed
    assert [each.segment for each in segments] == [int(file.stem) for file in files]
    assert [each.complete for each in segments] == [True] * (len(files) - 1) + [False]
    for before, after in pairwise(segments):
        assert after.start == pytest.approx(before.end, abs=0.1)
        assert zero(after.utc, after.start) == pytest.approx(zero(before.utc, before.start), abs=0.002)
    [finished] = lines(folder, Finished)
    result = folder / "recording.m4a"
    assert hashlib.sha256(result.read_bytes()).hexdigest() == finished.sha256
    promised = sum(each.seconds for each in segments)
    assert probe(result).seconds == pytest.approx(promised, abs=0.5)
    assert report.recording.seconds == pytest.approx(promised, abs=0.1)
    assert (report.recording.segments, report.recording.audio_files, report.recording.video_files) == (len(files), 1, 0)
    assert finisher.session["reason"] == "BotCrashed"
    assert finisher.session["recording"]["verified"]
    times = [json.loads(line)["t"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert times == sorted(times), "one axis"


async def test_a_second_time_says_that_it_was_verified_before(folder: Path, finish: Finish) -> None:
    first = await done(finish(folder))
    manifest = (folder / MANIFEST_FILE).read_bytes()
    second = await done(finish(folder))
    assert second.outcome.recording == first.outcome.recording
    assert second.outcome.recording.verified
    assert (folder / MANIFEST_FILE).read_bytes() == manifest
    assert "recording_verified_before" in events(folder)


async def test_a_later_attempt_that_was_killed_too_is_finished_with_the_first(folder: Path, finish: Finish) -> None:
    first = len(list((folder / "segments").iterdir()))
    with bots() as start:
        bot = start(
            "join; people Cy; record",
            {"MEETING_BUDDY_SEGMENT_SECONDS": "4"},
            recordings=folder,
            recording=SOUND,
            attempt=2,
            rejoins=True,
        )
        await bot.until(recording, _SECONDS)
        with tone(bot):
            await bot.until(lambda report: report.recording.segments > first, _SECONDS)
            await until(lambda: files(folder)[-1].stat().st_size > 8000, _SECONDS)
            bot.clear()
    finisher = await done(finish(folder, assignment(attempt=2)))
    report = finisher.outcome
    assert (report.attempt, report.recording.verified) == (2, True), finisher.log
    segments = lines(folder, Segment)
    assert sorted(each.segment for each in segments) == [
        int(file.stem) for file in sorted((folder / "segments").iterdir())
    ]
    assert {each.run for each in segments} == {1, 2}
    assert report.recording.segments == len(segments) > first + 1
    [gap] = lines(folder, GapLine)
    assert (gap.gap, report.recording.gaps[0].cause) == ("the bot was replaced",) * 2
    promised = sum(each.seconds for each in segments)
    assert probe(folder / "recording.m4a").seconds == pytest.approx(promised, abs=1.0)
    assert finisher.session["participants"] == ["Ann", "Bo", "Cy"]
    times = [json.loads(line)["t"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert times == sorted(times), "one axis"


async def test_a_finished_file_that_was_changed_is_made_again(folder: Path, finish: Finish) -> None:
    await done(finish(folder))
    with (folder / "recording.m4a").open("ab") as file:
        file.write(b"more")
    again = await done(finish(folder))
    assert again.outcome.recording.verified
    assert events(folder).count("recording_verified") == 2
    promised = lines(folder, Finished)[-1]
    assert (promised.bytes, promised.sha256) == fsync_and_hash(folder / "recording.m4a")


async def test_a_finisher_that_is_killed_half_way_is_followed_by_another(
    folder: Path, finish: Finish, blocked: Path
) -> None:
    first = finish(folder, blocked=blocked)
    await until((blocked / "began").exists, _SECONDS)
    os.killpg(first.process.pid, signal.SIGKILL)
    assert await first.ended() == -signal.SIGKILL
    assert first.termination_message == ""
    second = await done(finish(folder))
    assert second.outcome.recording.verified
    numbers = [each.segment for each in lines(folder, Segment)]
    assert numbers == sorted(set(numbers))
    assert not hidden(folder), "what was half made is gone"


async def test_a_line_that_was_lost_is_written_again(folder: Path, finish: Finish) -> None:
    whole = (folder / MANIFEST_FILE).read_bytes().splitlines(keepends=True)
    [at, *_] = [index for index, line in enumerate(whole) if b'"segment"' in line]
    (folder / MANIFEST_FILE).write_bytes(b"".join(whole[:at]) + whole[at][:20])  # torn; what follows is not there
    [start] = lines(folder, RunStart)
    finisher = await done(finish(folder))
    assert finisher.outcome.recording.verified, finisher.log
    segments = lines(folder, Segment)
    assert [each.segment for each in segments] == list(range(1, len(segments) + 1))
    assert segments[0].start == pytest.approx(json.loads(whole[at])["start"], abs=0.002)
    assert segments[0].sha256 == json.loads(whole[at])["sha256"]
    assert start.start <= segments[0].start


async def test_nothing_recorded_is_told(finish: Finish) -> None:
    finisher = await done(finish())
    assert finisher.outcome.reason is Reason.BOT_CRASHED
    assert finisher.outcome.message == "nothing was recorded"
    assert not finisher.outcome.recording.verified


async def test_a_session_without_a_recording_has_nothing_to_verify(finish: Finish) -> None:
    finisher = await done(finish(None, assignment(recording=RecordingConfig(enabled=False))))
    assert (finisher.outcome.message, finisher.outcome.recording.segments) == (WHY, 0)


async def test_a_segment_that_cannot_be_read_is_a_gap_in_a_verified_file(folder: Path, finish: Finish) -> None:
    last = files(folder)[-1]
    written = last.stat().st_mtime
    last.write_bytes(b"nothing that can be read")
    # The kill came some time after the bot's last line.
    end = lines(folder, Segment)[-1]
    os.utime(last, (written, max(written, zero(end.utc, 0.0) + 1.0)))
    finisher = await done(finish(folder))
    [gap] = lines(folder, GapLine)
    assert (gap.gap, finisher.outcome.recording.gaps[0].cause) == ("a segment cannot be read",) * 2
    assert finisher.outcome.recording.verified
    assert finisher.outcome.recording.segments == int(last.stem) - 1


async def test_while_it_works_it_reports_and_takes_a_leave_that_changes_nothing(
    folder: Path, finish: Finish, blocked: Path
) -> None:
    finisher = finish(folder, assignment(grace_seconds=2), blocked=blocked)
    await until((blocked / "began").exists, _SECONDS)
    report = await finisher.until(lambda report: report.recording.segments > 0, _SECONDS)
    assert (report.phase, report.ever_joined, report.joined_at) == (ReportPhase.LEAVING, True, JOINED)
    async with finisher.http(None) as client:
        for path, status in (("/livez", 200), ("/readyz", 503), ("/v1/report", 401)):
            async with client.get(path) as response:
                assert (path, response.status) == (path, status)
    assert await finisher.leave() == 202
    assert (await finisher.report()).phase is ReportPhase.LEAVING
    finisher.terminate()
    await done(finisher)


async def test_sigterm_ends_it_with_what_there_is(folder: Path, finish: Finish, blocked: Path) -> None:
    finisher = finish(folder, assignment(grace_seconds=5), blocked=blocked)
    await until((blocked / "began").exists, _SECONDS)
    finisher.terminate()
    outcome = (await done(finisher)).outcome
    assert (outcome.phase, outcome.reason) == (ReportPhase.ENDED, Reason.BOT_CRASHED)
    assert outcome.message == "the pod was stopped from outside before the recording was verified"
    assert not outcome.recording.verified
    assert outcome.recording.segments == len(list((folder / "segments").iterdir()))
    assert not lines(folder, Finished)


async def test_its_time_is_the_assignments(folder: Path, finish: Finish, blocked: Path) -> None:
    outcome = (await done(finish(folder, assignment(finish_seconds=2), blocked=blocked))).outcome
    assert (outcome.reason, outcome.recording.verified) == (Reason.BOT_CRASHED, False)
    assert outcome.message == "the recording could not be verified within 2 s"


async def test_an_assignment_that_cannot_be_used_is_told_by_its_fields(finish: Finish) -> None:
    document = json.loads(assignment().to_json())
    del document["reason"]
    outcome = (await done(finish(None, json.dumps(document)))).outcome
    assert (outcome.reason, outcome.session_id) == (Reason.CONFIG_INVALID, "")
    assert outcome.message == "the assignment is not valid: reason"


async def test_a_volume_that_does_not_answer_is_waited_for(folder: Path, finish: Finish) -> None:
    mount = folder.parent / "mounted"
    mount.mkdir()
    with faulty_volume(mount, folder) as volume:
        volume.hang()
        finisher = finish(mount)
        try:
            await finisher.until(lambda report: report.storage_unresponsive, 90)
            volume.answer()
            await done(finisher)
            assert finisher.outcome.recording.verified, finisher.log
            assert not finisher.outcome.storage_unresponsive
        finally:
            volume.answer()  # not even SIGKILL ends a process whose call is under way
            finisher.clear()


async def test_a_volume_that_is_gone_ends_it_with_the_kernels_words(folder: Path, finish: Finish) -> None:
    mount = folder.parent / "mounted"
    mount.mkdir()
    with faulty_volume(mount, folder) as volume:
        volume.vanish()
        finisher = await done(finish(mount))
        assert "Transport endpoint is not connected" in str(finisher.outcome.message)
        assert not finisher.outcome.recording.verified


# The transcript


def written_line(segment: int, start: float, end: float, text: str) -> bytes:
    line = TranscriptLine(
        segment=str(segment),
        revision=1,
        final=True,
        start=start,
        end=end,
        at=JOINED + timedelta(seconds=start),
        language="en",
        text=text,
    )
    return line.to_json().encode() + b"\n"


@pytest.fixture
def spoken() -> Iterator[Path]:
    """The folder of a bot that was killed 13 s after it joined, having recorded a speech and transcribed a greeting."""
    with reachable_folder() as root:
        folder = root / "recordings"
        (folder / "segments").mkdir(parents=True)
        # fmt: off
        subprocess.run([
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=2", "-i", str(JFK),
            "-filter_complex", "[1:a]aresample=48000,aformat=channel_layouts=stereo[s];[0:a][s]concat=n=2:v=0:a=1[a]",
            "-map", "[a]", "-c:a", "aac", "-f", "segment", "-segment_time", "5", "-segment_format", "matroska",
            "-segment_start_number", "1", str(folder / "segments" / "%05d.mka"),
        ], check=True)
        # fmt: on
        (folder / MANIFEST_FILE).write_bytes(encode(RunStart(1, 1, 60.0, utc_text(JOINED + timedelta(seconds=60)))))
        (folder / "transcript.jsonl").write_bytes(written_line(7, 60.5, 61.5, "Hello.") + b'{"segment": "8", "tex')
        (folder / "events.jsonl").write_text(
            f'{{"t": 0.0, "time": "{utc_text(JOINED)}", "event": "bot_started"}}\n'
            f'{{"t": 5.0, "time": "{utc_text(JOINED + timedelta(seconds=5))}", "event": "participant_joined",'
            ' "name": "John"}\n'
            f'{{"t": 73.0, "time": "{utc_text(JOINED + timedelta(seconds=73))}", "event": "speaking", "name": "John",'
            ' "start": 62.0, "end": 73.5}\n'
        )
        for path in (folder, *folder.rglob("*")):
            os.chown(path, UID, GID)
        yield folder


def transcript(folder: Path) -> list[dict[str, Any]]:
    found = []
    for line in (folder / "transcript.jsonl").read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


FILES = {"transcript.jsonl", "transcript.vtt", "transcript.srt", "transcript.txt"}


@pytest.mark.timeout(600)
async def test_what_was_said_behind_the_last_line_is_transcribed(spoken: Path, finish: Finish) -> None:
    given = assignment(transcription=TranscriptionConfig(model=str(model_folder())), bot_name="Buddy")
    finisher = finish(spoken, given, unprivileged=False)  # the transcriber starts Python
    assert await finisher.ended(500) == 0, finisher.log
    report = finisher.outcome
    assert report.recording.verified
    assert (report.transcription.state, report.transcription.reason) == ("Done", None), report.transcription
    first, *rest = transcript(spoken)
    assert first["text"] == "Hello."
    assert [int(line["segment"]) for line in rest] == list(range(8, 8 + len(rest)))
    normal = EnglishTextNormalizer()
    said = normal(" ".join(line["text"] for line in rest))
    assert jiwer.wer(normal(JFK.with_suffix(".txt").read_text()), said) < 0.1
    assert {line["speaker"] for line in rest} == {"John"}
    assert rest[0]["start"] == pytest.approx(62.3, abs=0.8)  # two seconds of silence, and a breath
    assert all(before["end"] <= after["start"] for before, after in pairwise([first, *rest]))
    moment = datetime.fromisoformat(rest[0]["at"]) - JOINED
    assert moment.total_seconds() == pytest.approx(rest[0]["start"], abs=0.01)
    assert {line.derived for line in lines(spoken, Derived)} == FILES
    assert "John: " in (spoken / "transcript.srt").read_text()
    assert finisher.session["participants"] == ["John"]


async def test_without_an_engine_that_works_the_stretch_is_told(spoken: Path, finish: Finish) -> None:
    given = assignment(transcription=TranscriptionConfig(model="/nowhere"))
    finisher = await done(finish(spoken, given, unprivileged=False))
    found = finisher.outcome.transcription
    assert (found.state, found.reason) == ("Done", "Incomplete")
    assert str(found.message).startswith("without text: 62-73 s (the engine failed: there is no speech model in ")
    assert "Hello." in (spoken / "transcript.vtt").read_text()
    assert {line.derived for line in lines(spoken, Derived)} == FILES
    assert finisher.outcome.recording.verified


async def test_a_sigterm_leaves_the_rest_without_text_and_publishes_what_there_is(
    spoken: Path, finish: Finish, blocked: Path
) -> None:
    (blocked / "ffmpeg").write_text(
        # The finished file is made; its sound, which the transcriber is to be given, never comes.
        f'#!/bin/sh\ncase "$*" in *s16le*) touch {blocked}/began; exec sleep 3600;; esac\n'
        f'exec {shutil.which("ffmpeg")} "$@"\n'
    )
    given = assignment(transcription=TranscriptionConfig(model=str(model_folder())), grace_seconds=20)
    finisher = finish(spoken, given, blocked=blocked, unprivileged=False)
    await until((blocked / "began").exists, _SECONDS)
    finisher.terminate()
    outcome = (await done(finisher)).outcome
    assert outcome.recording.verified
    assert outcome.message == WHY
    assert (outcome.transcription.state, outcome.transcription.reason) == ("Done", "Incomplete")
    assert "no time left" in str(outcome.transcription.message)
    assert "Hello." in (spoken / "transcript.txt").read_text()


async def test_sound_that_cannot_be_read_to_its_end_leaves_the_rest_without_text(
    spoken: Path, finish: Finish, blocked: Path
) -> None:
    program = shutil.which("ffmpeg")
    (blocked / "ffmpeg").write_text(
        # Of the sound, a second can be read, and that once.
        f'#!/bin/sh\ncase "$*" in *s16le*) mkdir {blocked}/read && {program} "$@" | head -c 32000; exit 1;; esac\n'
        f'exec {program} "$@"\n'
    )
    given = assignment(transcription=TranscriptionConfig(model=str(model_folder())))
    outcome = (await done(finish(spoken, given, blocked=blocked, unprivileged=False))).outcome
    assert outcome.recording.verified
    assert (outcome.transcription.state, outcome.transcription.reason) == ("Done", "Incomplete")
    assert "(the recording's sound could not be read to its end)" in str(outcome.transcription.message)


async def test_a_last_line_that_is_torn_counts_for_nobody(spoken: Path, finish: Finish) -> None:
    await done(finish(spoken, assignment(transcription=TranscriptionConfig(model=None))))
    assert [line["segment"] for line in transcript(spoken)] == ["7"]
    assert (spoken / "transcript.jsonl").read_bytes().endswith(b"\n")
    [entry] = [line for line in lines(spoken, Derived) if line.derived == "transcript.jsonl"]
    assert (entry.bytes, entry.sha256) == fsync_and_hash(spoken / "transcript.jsonl")
    assert read_folder(spoken).finished is not None
