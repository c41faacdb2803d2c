"""A later attempt: a second bot goes on in the folder of one that was killed, or whose node was drained."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import webvtt

from meeting_buddy.contract.assignment import RecordingConfig, TranscriptionConfig
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, RunStart, Segment, read, utc_text
from meeting_buddy_bot.recording.manifest_writer import REPLACED
from meeting_buddy_bot.transcription.messages import Missed
from tests.bot.recording_bot import (
    Books,
    Start,
    bots,
    copied,
    files,
    leave_and_end,
    one_is_open,
    recording,
    speaker,
    tone,
)
from tests.conformance.running_bot import RunningBot
from tests.conformance.unprivileged import GID, UID
from tests.local.media.probe import probe
from tests.local.media.speech_model import model_folder
from tests.support.awaiting import all_of, until
from tests.support.faulty_volume import FaultyVolume, faulty_volume

_SECONDS = 60.0
_TEXT_SECONDS = 400.0
"""For a clip to be understood on a busy machine: its decoder is niced, and waits for everybody else."""
SOUND = RecordingConfig(video="none")
FOUR_SECONDS = {"MEETING_BUDDY_SEGMENT_SECONDS": "4"}


@pytest.fixture
def start() -> Iterator[Start]:
    with bots() as start_bot:
        yield start_bot


def has_segments(least: int) -> Callable[[Report], bool]:
    return lambda report: recording(report) and report.recording.segments >= least


async def first_attempt(start: Start, *, script: str = "join; people Ann; record", **changes: Any) -> RunningBot:
    """One that has a closed segment, and media in the next one."""
    bot = start(script, FOUR_SECONDS, **{"recording": SOUND, **changes})
    await recorded(bot, 1)
    return bot


async def recorded(bot: RunningBot, least: int) -> None:
    """It has so many closed segments, and media in the next one."""
    await bot.until(recording, _SECONDS)
    with tone(bot):
        await bot.until(lambda report: has_segments(least)(report) and one_is_open(bot.recordings, report), _SECONDS)


async def killed(start: Start) -> Path:
    """The folder of a bot that was killed with all its processes."""
    bot = await first_attempt(start)
    bot.clear()
    assert not Books(bot).finished
    return bot.recordings


async def evicted(start: Start) -> Path:
    """The folder of a bot whose node was drained: it had the time to finish."""
    bot = await first_attempt(start)
    bot.terminate()
    assert await bot.ended(_SECONDS) == 0
    assert (bot.outcome.reason, bot.outcome.recording.verified) == (Reason.EVICTED, True)
    return bot.recordings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first_attempts() -> AsyncIterator[dict[str, Path]]:
    """The folder of each bot that did not come to its meeting's end, by what happened to it."""
    found = {}

    async def leave(name: str, first: Callable[[Start], Coroutine[Any, Any, Path]], start: Start) -> None:
        found[name] = await first(start)

    with bots() as start:
        await all_of({first.__name__: leave(first.__name__, first, start) for first in (killed, evicted)})
        yield found


@pytest.fixture
def left_behind() -> str:
    """Of which bot; a test that is told otherwise says so."""
    return "killed"


@pytest.fixture
def folder(left_behind: str, first_attempts: dict[str, Path]) -> Iterator[Path]:
    """A copy of what the first attempt left behind."""
    with copied(first_attempts[left_behind]) as copy:
        yield copy


def rejoining(start: Start, folder: Path, script: str = "join; people Bo; record", **changes: Any) -> RunningBot:
    fields: dict[str, Any] = {"attempt": 2, "rejoins": True, "recording": SOUND, **changes}
    return start(script, FOUR_SECONDS, recordings=folder, **fields)


def zero(utc: str, seconds: float) -> float:
    """Unix time of second 0."""
    return datetime.fromisoformat(utc).timestamp() - seconds


def check_axis(books: Books) -> None:
    """All that is timed in the folder is on one axis, and its numbers rise."""
    numbers = [each.segment for each in books.segments]
    assert sorted(numbers) == list(range(1, len(files(books.folder)) + 1)), "numbered once, and all of them entered"
    ordered = sorted(books.segments, key=lambda each: each.segment)
    assert all(after.start > before.end - 0.1 for before, after in pairwise(ordered))
    assert [each.run for each in ordered] == sorted(each.run for each in ordered)
    for each in ordered:
        assert zero(each.utc, each.start) == pytest.approx(zero(ordered[0].utc, ordered[0].start), abs=0.005)
    times = [float(str(event["t"])) for event in books.events]
    assert times == sorted(times)
    for event in books.events:
        assert zero(str(event["time"]), float(str(event["t"]))) == pytest.approx(
            zero(ordered[0].utc, ordered[0].start), abs=0.005
        )


@pytest.mark.parametrize("left_behind", ["killed", "evicted"])
async def test_both_attempts_are_in_one_verified_file(start: Start, folder: Path, left_behind: str) -> None:
    first = files(folder)
    bot = rejoining(start, folder)
    await recorded(bot, len(first) + 1)
    books = await leave_and_end(bot)

    check_axis(books)
    ordered = sorted(books.segments, key=lambda each: each.segment)
    assert len(ordered) > len(first) + 1
    assert [each.run for each in ordered] == [1] * len(first) + [2] * (len(ordered) - len(first))
    assert [each.complete for each in ordered[: len(first)]] == [True] * (len(first) - 1) + [left_behind == "evicted"]
    [gap] = books.gaps
    assert (gap.gap, gap.recorded) == (REPLACED, False)
    assert gap.start == ordered[len(first) - 1].end
    assert gap.end == pytest.approx(ordered[len(first)].start, abs=0.005)

    finished = books.finished[-1]
    assert (finished.verified, finished.segments, finished.file) == (True, len(ordered), "recording.m4a")
    result = folder / "recording.m4a"
    assert hashlib.sha256(result.read_bytes()).hexdigest() == finished.sha256
    promised = sum(each.seconds for each in ordered)
    assert probe(result).seconds == pytest.approx(promised, abs=1.0)
    assert promised > sum(each.seconds for each in ordered[: len(first)]) + 1

    outcome = bot.outcome
    assert (outcome.attempt, outcome.reason) == (2, Reason.LEAVE_REQUESTED)
    assert (outcome.recording.verified, outcome.recording.segments) == (True, len(ordered))
    assert outcome.recording.bytes == sum(path.stat().st_size for path in files(folder))
    assert outcome.recording.seconds == pytest.approx(promised, abs=0.1)
    assert [each.cause for each in outcome.recording.gaps] == [REPLACED]
    assert [event["attempt"] for event in books.events if event["event"] == "bot_started"] == [1, 2]
    assert bot.session["participants"] == ["Ann", "Bo"]


@pytest.mark.parametrize("left_behind", ["killed", "evicted"])
async def test_a_meeting_that_is_over_meanwhile_ends_with_verified_files(
    start: Start, folder: Path, left_behind: str
) -> None:
    manifest = (folder / MANIFEST_FILE).read_bytes()
    bot = rejoining(start, folder, "wait 0.1s; end MeetingEnded")
    assert await bot.ended(_SECONDS) == 0
    outcome, books = bot.outcome, Books(bot)
    assert (outcome.reason, outcome.ever_joined) == (Reason.MEETING_ENDED, False)
    assert outcome.recording.verified, bot.log
    assert outcome.recording.segments == books.finished[-1].segments == len(files(folder))
    assert outcome.recording.gaps == (), "nothing was recorded behind it"
    assert bot.session["recording"]["verified"]
    assert bot.session["participants"] == ["Ann"]
    check_axis(books)
    if left_behind == "evicted":
        assert (folder / MANIFEST_FILE).read_bytes() == manifest
        assert books.has_event("recording_verified_before")


async def test_what_is_there_is_counted_and_recovered_before_the_bot_is_in(start: Start, folder: Path) -> None:
    bot = rejoining(start, folder, "lobby 600s; join")
    report = await bot.until(lambda each: each.recording.segments == len(files(folder)), _SECONDS)
    assert report.phase is ReportPhase.JOINING
    assert (report.waiting, report.ever_joined) == (Waiting.WAITING_ROOM, False)
    assert report.recording.bytes == sum(path.stat().st_size for path in files(folder))
    await leave_and_end(bot)
    assert (bot.outcome.reason, bot.outcome.recording.verified) == (Reason.LEAVE_REQUESTED, True)


async def test_a_third_attempt_goes_on_behind_the_second(start: Start, folder: Path) -> None:
    second = rejoining(start, folder)
    await recorded(second, len(files(folder)) + 1)
    second.clear()
    before = len(files(folder))
    third = rejoining(start, folder, attempt=3)
    await recorded(third, before + 1)
    books = await leave_and_end(third)
    check_axis(books)
    assert {each.run for each in books.segments} == {1, 2, 3}
    assert [gap.gap for gap in books.gaps] == [REPLACED, REPLACED]
    assert third.outcome.recording.verified


async def test_an_attempt_that_left_nothing_is_followed_by_a_plain_start(start: Start) -> None:
    first = start("wait 0.1s; end EntryDenied", recording=SOUND)
    await first.ended(_SECONDS)
    folder = first.recordings
    assert not (folder / "segments").exists()
    bot = start("join; record", attempt=2, recordings=folder, recording=SOUND)
    await bot.until(recording, _SECONDS)
    with tone(bot):
        await until(lambda: files(folder)[-1].stat().st_size > 8000, _SECONDS)
    books = await leave_and_end(bot)
    assert [(each.segment, each.run) for each in books.segments] == [(1, 1)]
    assert (books.gaps, bot.outcome.recording.verified) == ([], True)


@pytest.fixture
def an_hour_ago(start: Start) -> Path:
    """The folder of a bot that came an hour ago, and no further than the door."""
    folder = start("wait 0.1s; end EntryDenied").folder / "earlier"
    folder.mkdir()
    began = datetime.now(UTC) - timedelta(hours=1)
    (folder / "events.jsonl").write_text(
        f'{{"t": 0.0, "time": "{utc_text(began)}", "event": "bot_started", "attempt": 1}}\n'
        f'{{"t": 9.0, "time": "{utc_text(began + timedelta(seconds=9))}", "event": "ended"}}\n'
    )
    for path in (folder, *folder.rglob("*")):
        os.chown(path, UID, GID)
    return folder


async def test_deadlines_count_from_the_start_of_this_attempt(start: Start, an_hour_ago: Path) -> None:
    bot = start("join; record", attempt=2, recordings=an_hour_ago, recording=SOUND, active_deadline_seconds=600)
    await bot.until(recording, _SECONDS)
    with tone(bot):
        await until(lambda: files(an_hour_ago)[-1].stat().st_size > 8000, _SECONDS)
    bot.terminate()
    assert await bot.ended(_SECONDS) == 0
    assert (bot.outcome.reason, bot.outcome.recording.verified) == (Reason.EVICTED, True)
    books = Books(bot)
    check_axis(books)
    [run] = [line for line in read(an_hour_ago / MANIFEST_FILE) if isinstance(line, RunStart)]
    assert (run.started, run.first) == (1, 1)
    assert 3600 <= run.start <= 3600 + 2 * _SECONDS
    assert not books.gaps


@asynccontextmanager
async def before_a_hanging_volume(start: Start, folder: Path) -> AsyncIterator[tuple[RunningBot, FaultyVolume]]:
    """A second bot whose volume does not answer from its start on, and the volume."""
    mount = folder.parent / "mounted"
    mount.mkdir()
    with faulty_volume(mount, folder) as volume:
        volume.hang()
        bot = rejoining(start, mount)
        try:
            yield bot, volume
        finally:
            volume.answer()  # not even SIGKILL ends a process whose call is under way
            bot.clear()


async def test_a_volume_that_does_not_answer_is_waited_for(start: Start, folder: Path) -> None:
    async with before_a_hanging_volume(start, folder) as (bot, volume):
        report = await bot.until(lambda each: each.storage_unresponsive, 90)
        assert report.phase is ReportPhase.JOINING
        async with bot.http(None) as client, client.get("/livez") as response:
            assert response.status == 200
        volume.answer()
        await recorded(bot, len(files(folder)) + 1)
        books = await leave_and_end(bot)
        assert bot.outcome.recording.verified, bot.log
        assert not bot.outcome.storage_unresponsive
        assert books.has_event("volume_trouble")
        check_axis(books)


async def test_whoever_asks_it_to_leave_while_the_volume_does_not_answer_is_heard(start: Start, folder: Path) -> None:
    async with before_a_hanging_volume(start, folder) as (bot, volume):
        await bot.until(lambda each: each.storage_unresponsive, 90)
        assert await bot.leave() == 202
        await until(lambda: bot.termination_message != "", _SECONDS)
        volume.answer()  # a process ends once all its calls have come back
        assert await bot.ended(_SECONDS) == 0
        assert bot.outcome.reason is Reason.LEAVE_REQUESTED
        assert not bot.outcome.recording.verified


# The transcript


def transcript(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "transcript.jsonl").read_text().splitlines()]


async def heard(bot: RunningBot, lines: int) -> None:
    """The speech was played to it, and its last words are in the transcript."""
    await bot.until(lambda each: recording(each) and each.transcription.state == "Live", _TEXT_SECONDS)
    await bot.until(lambda each: each.transcription.lag_seconds is not None, _TEXT_SECONDS)
    with speaker(bot) as playing:
        await until(lambda: playing.poll() is not None, _TEXT_SECONDS)
    await bot.until(lambda each: each.transcription.lines > lines, _TEXT_SECONDS)
    # "Ask not what your country ..." may be a line of its own, before the one that ends the speech.
    await until(lambda: "for your country" in str(transcript(bot.recordings)[lines:]), _TEXT_SECONDS)


def closed_until(folder: Path) -> float:
    """The end of the last segment that has its line in the manifest; seconds on the session's clock."""
    return max((each.end for each in read(folder / MANIFEST_FILE) if isinstance(each, Segment)), default=0.0)


@pytest.mark.timeout(1500)
async def test_the_words_of_both_are_in_one_transcript(start: Start) -> None:
    engine = TranscriptionConfig(model=str(model_folder()))
    first = start("join; record", recording=SOUND, transcription=engine, unprivileged=False)
    await heard(first, 0)
    folder = first.recordings
    # It goes on recording, and says of what came since neither that it is text nor that it is none.
    await first.until(
        lambda report: closed_until(folder) > transcript(folder)[-1]["end"] + 1 and one_is_open(folder, report),
        _SECONDS,
    )
    first.clear()
    before = transcript(folder)
    second = rejoining(start, folder, transcription=engine, unprivileged=False)
    await second.until(lambda each: each.transcription.lines == len(before), _SECONDS)
    await heard(second, len(before))
    books = await leave_and_end(second, _TEXT_SECONDS)

    lines = transcript(folder)
    assert lines[: len(before)] == before
    told = {line["segment"] for line in before}
    assert not told & {line["segment"] for line in lines[len(before) :]}
    assert max(line["end"] for line in before) < min(line["start"] for line in lines[len(before) :])
    assert second.outcome.transcription.lines == len(lines)
    assert second.outcome.recording.verified
    captions = webvtt.read(str(folder / "transcript.vtt")).captions
    assert " ".join(each.text.replace("\n", " ") for each in captions).count("fellow Americans") == 2
    starts = [each.start_in_seconds for each in captions]
    assert starts == sorted(starts)
    assert starts[-1] < probe(folder / "recording.m4a").seconds
    untold = [Missed.model_validate(event) for event in books.events if event["event"] == "not_transcribed"]
    [gap] = [each for each in books.gaps if each.gap == REPLACED]
    heard_until = max(each.end for each in untold if each.cause == REPLACED)
    assert gap.start - 0.6 <= heard_until < gap.end, "up to the end of the segment that the killed bot left open"
    assert REPLACED in str(second.outcome.transcription.message)
    check_axis(books)
