"""What the bot says of its recording is what the manifest says: a line that is not there was not said."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.assignment import RecordingConfig
from meeting_buddy_bot.finishing.recording import UnfinishedRecording
from meeting_buddy_bot.recording import manifest_writer, recorder, recovery, segments, volume_watch
from meeting_buddy_bot.recording.capture import Run
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Finished, GapLine, RunStart, Segment
from meeting_buddy_bot.recording.manifest_writer import REPLACED
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.recorder import MeetingRecorder
from meeting_buddy_bot.recording.recovery import read_folder
from meeting_buddy_bot.recording.segments import Span
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.recordings.listing import read_manifest
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime import processes
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError
from tests.unit.test_late_segments import LENGTH
from tests.unit.test_late_segments import Recording as KeptBack
from tests.unit.test_recorder_causes import make_recorder
from tests.unit.test_recovery import Left, utc


class LaterBot:
    """The recorder of a later attempt, whose meeting was over when it came."""

    def __init__(self, folder: Path) -> None:
        found, clock = read_folder(folder), SessionClock()
        assert found.zero is not None
        clock.go_on(found.zero, found.reached)
        self.failures: list[str] = []
        self.events = EventLog(folder / "events.jsonl", clock)
        self.recorder = MeetingRecorder(
            CapturePlan(":0", "unix:/nowhere", "meeting.monitor", (320, 180)),
            Volume(folder),
            clock,
            self.events,
            SessionReporter(ReportState("mbsess_test", 2, clock), self.events),
            devices_answer=_at_once,
            failed=lambda _reason, message: self.failures.append(message),
            earlier=found,
        )


async def _at_once() -> None:
    """Display and sound are there."""


@pytest.fixture
def left(tmp_path: Path) -> Left:
    made = Left(tmp_path)
    made.run(1, 1, 10.0, seconds=6)
    return made


def says_verified(left: Left) -> bool:
    return read_manifest((left.folder / MANIFEST_FILE).read_bytes()).verified


async def test_a_line_that_a_full_volume_refuses_was_not_said(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"verified"' in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    report = await bot.recorder.finish()
    await bot.events.close()
    assert (report.verified, report.segments, says_verified(left)) == (False, 2, False)
    events = [json.loads(line) for line in (left.folder / "events.jsonl").read_text().splitlines()]
    [told] = [each["cause"] for each in events if each["event"] == "recording_not_verified"]
    assert told == "the volume does not take the manifest's lines: No space left on device"


async def test_a_volume_that_does_not_answer_leaves_it_to_the_finisher(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: object) -> Finished:
        raise VolumeTimeoutError("publish")

    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    monkeypatch.setattr(RecordingFinalizer, "run", late)
    report = await bot.recorder.finish()
    assert (report.verified, report.segments) == (False, 2)
    finished = left.lines[-1]
    assert isinstance(finished, Finished)
    assert (finished.verified, finished.cause) == (False, "the volume does not answer (publish)")


async def test_what_was_verified_before_is_said_behind_a_run_that_wrote_nothing(left: Left) -> None:
    for said in (True, False):
        bot = LaterBot(left.folder)
        await bot.recorder.recover()
        assert (await bot.recorder.finish()).verified
        assert says_verified(left)
        if said:
            left.says(RunStart(2, 3, 30.0, utc(30.0)))
            assert not says_verified(left)


async def test_nothing_to_store_before_does_not_count_for_who_recorded_since(tmp_path: Path) -> None:
    left = Left(tmp_path)
    left.says(RunStart(1, 1, 10.0, utc(10.0)), Finished(True), RunStart(2, 1, 30.0, utc(30.0)))
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments/00001.mkv").touch()  # all that the node wrote to the disk before it died
    bot = LaterBot(tmp_path)
    await bot.recorder.recover()
    assert not (await bot.recorder.finish()).verified
    await bot.events.close()
    (tmp_path / MANIFEST_FILE).write_text("".join((tmp_path / MANIFEST_FILE).read_text().splitlines(True)[:3]))
    clock = SessionClock()
    events = EventLog(tmp_path / "events.jsonl", clock)
    events.hold()
    finisher = UnfinishedRecording(Volume(tmp_path), clock, events, RecordingConfig(), lambda: None)
    await finisher.finish(VolumeWatch(Volume(tmp_path), clock, events, Unheard()))
    await events.close()
    assert finisher.finished == Finished(False, cause="nothing was recorded")


class Unheard:
    """Nobody asks how the volume is."""

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        """How the volume is."""


async def test_a_volume_that_is_full_already_is_called_full(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(volume_watch, "FAILING_SECONDS", 0.0)
    monkeypatch.setattr(AppendFile, "_write_first", full)
    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    assert bot.failures == ["the recordings volume is full: Disk quota exceeded"]


async def test_a_segment_that_comes_late_for_minutes_does_not_end_a_live_session(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ffprobe is killed after a minute each time; the volume is waited for as long as when it hangs anywhere else."""
    ahead, tries = [0.0], [5]
    now = SessionClock.now
    monkeypatch.setattr(SessionClock, "now", lambda clock: now(clock) + ahead[0])

    async def killed(name: str, argv: list[str], seconds: float) -> tuple[int, str, list[str]]:
        if tries[0]:
            tries[0] -= 1
            ahead[0] += 60.0
            raise TimeoutError
        return await processes.run(name, argv, seconds=seconds)

    monkeypatch.setattr(segments, "run", killed)
    bot = LaterBot(left.folder)
    await bot.recorder.recover()
    await bot.recorder.finish()
    assert (tries, bot.failures) == ([0], [])
    assert [each.segment for each in bot.recorder._manifest.segments] == [1, 2]


async def test_what_cannot_be_read_for_want_of_memory_is_left_to_the_finisher(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object, **__: object) -> tuple[int, str, list[str]]:
        return -signal.SIGKILL, "", []

    monkeypatch.setattr(segments, "run", killed)
    monkeypatch.setattr(recovery, "_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(volume_watch, "FAILING_SECONDS", 0.0)
    bot = LaterBot(left.folder)
    async with asyncio.timeout(60):
        await bot.recorder.recover()
        report = await bot.recorder.finish()
    assert bot.failures == [], "the bot goes on to its meeting"
    assert (report.verified, report.gaps) == (False, ())
    finished = left.lines[-1]
    assert isinstance(finished, Finished)
    assert finished.cause == "ffprobe was ended by signal 9"


class TwoSegments(Run):
    """A run that has closed one segment of 20 seconds and writes the next one, until it is stopped."""

    async def start(self, closed: Callable[[Path], None]) -> None:
        self._stopped = asyncio.Event()
        self.file(self.first).parent.mkdir(exist_ok=True)
        self.origin = self.progress_at = self._clock.now()
        for which in (self.first, self.first + 1):
            self.file(which).write_bytes(b"media")
        closed(self.file(self.first))
        self.writing.set()

    async def wait(self) -> str:
        await self._stopped.wait()
        self.progress_at = self.ended_at = self.origin + 40.0
        return "it was asked to"

    @property
    def closed_properly(self) -> bool:
        return True

    async def stop(self, grace: float) -> None:
        self._stopped.set()

    def kill(self) -> None:
        self._stopped.set()


class Unnoticed(TwoSegments):
    """A run of which nobody sees that it writes."""

    async def start(self, closed: Callable[[Path], None]) -> None:
        await super().start(closed)
        self.writing.clear()


class UnseenMedia(TwoSegments):
    """A run with media in its first segment, which the volume does not show."""

    async def start(self, closed: Callable[[Path], None]) -> None:
        self._stopped = asyncio.Event()
        self.file(self.first).parent.mkdir(exist_ok=True)
        self.origin = self.progress_at = self._clock.now()
        self.file(self.first).write_bytes(b"media")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the session clock is ahead."""
    ahead, now = [0.0], SessionClock.now
    monkeypatch.setattr(SessionClock, "now", lambda clock: now(clock) + ahead[0])
    return ahead


@pytest.fixture
def fake_media(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run is a :class:`TwoSegments`; all segments together are a recording."""

    async def twenty_seconds(file: Path, _latest: float = 0.0) -> Span:
        start = 0.0 if int(file.stem) % 2 else 20.0
        return Span(start, start + 20.0, 0.0)

    async def joined(_: object, found: list[Segment], __: Mapping[int, float]) -> Finished:
        return Finished(bool(found), segments=len(found))

    monkeypatch.setattr(recorder, "Run", TwoSegments)
    monkeypatch.setattr(manifest_writer, "probe", twenty_seconds)
    monkeypatch.setattr(RecordingFinalizer, "run", joined)


def hang_once(recording: MeetingRecorder, monkeypatch: pytest.MonkeyPatch, later: list[float], seconds: float) -> None:
    """The volume does not answer for so long when the recording is to begin."""
    ask, hangs = recording._list_segments, [seconds] if seconds else []

    async def listing() -> int:
        if hangs:
            later[0] += hangs.pop()
            raise VolumeTimeoutError("list the segments")
        return await ask()

    monkeypatch.setattr(recording, "_list_segments", listing)


async def written(recording: MeetingRecorder) -> None:
    """Wait until the recorder has seen media."""
    async with asyncio.timeout(20):
        while not recording._first_bytes:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.01)
    await recording._manifest.flush()


@pytest.mark.usefixtures("fake_media")
@pytest.mark.parametrize(
    ("hangs", "opens", "stated"),
    [(0.0, 0.0, False), (300.0, 0.0, True), (0.0, 3.0, False), (0.0, 12.0, True)],
    ids=["at once", "the volume hangs", "picture and sound open slowly", "picture and sound open too slowly"],
)
async def test_a_recording_that_begins_late_has_a_gap_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: list[float], hangs: float, opens: float, stated: bool
) -> None:
    class Slow(TwoSegments):
        async def start(self, closed: Callable[[Path], None]) -> None:
            await super().start(closed)
            later[0] += opens

    async def slowly(file: Path, _latest: float = 0.0) -> Span:
        return Span(opens, 20.0, 0.0) if int(file.stem) % 2 else Span(20.0, 40.0, 0.0)

    monkeypatch.setattr(recorder, "Run", Slow)
    monkeypatch.setattr(manifest_writer, "probe", slowly)
    recording, events = make_recorder(tmp_path, [])
    hang_once(recording, monkeypatch, later, hangs)
    task = asyncio.create_task(recording.run())
    later[0] = 900.0  # in the lobby
    recording.start()
    began = recording._began
    await written(recording)
    report = await recording.finish()
    await task
    await events.close()
    first = recording._manifest.segments[0].start
    expected = [("the recording began late", round(began, 3), first)] if stated else []
    assert [(gap.cause, gap.start, gap.end) for gap in report.gaps] == expected
    assert first - began == pytest.approx(hangs + opens, abs=5.0)


@pytest.mark.usefixtures("fake_media")
async def test_media_that_nobody_saw_begin_is_in_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: list[float]
) -> None:
    monkeypatch.setattr(recorder, "Run", Unnoticed)
    recording, events = make_recorder(tmp_path, [])
    task = asyncio.create_task(recording.run())
    recording.start()
    async with asyncio.timeout(20):
        while not recording._manifest.segments:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.01)
    later[0] = 60.0
    report = await recording.finish()
    await task
    await events.close()
    assert (report.segments, report.gaps) == (2, ())


@pytest.mark.usefixtures("fake_media")
@pytest.mark.parametrize("recovered_first", [True, False])
async def test_behind_an_earlier_bot_it_is_the_same_gap(
    left: Left, monkeypatch: pytest.MonkeyPatch, later: list[float], recovered_first: bool
) -> None:
    bot = LaterBot(left.folder)
    if recovered_first:
        await bot.recorder.recover()
    hang_once(bot.recorder, monkeypatch, later, 300.0)
    task = asyncio.create_task(bot.recorder.run())
    bot.recorder.start()
    await written(bot.recorder)
    if not recovered_first:
        await bot.recorder.recover()
    report = await bot.recorder.finish()
    await task
    await bot.events.close()
    [gap] = report.gaps
    before, behind = bot.recorder._manifest.segments[1:3]
    assert (gap.cause, gap.start, gap.end) == (REPLACED, before.end, behind.start)


async def test_a_volume_that_takes_no_folder_at_first_gives_a_gap_since_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: list[float]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(recorder, "_MAX_FAILED_RUNS", 2)
    recording, events = make_recorder(tmp_path, [])
    later[0] = 900.0
    recording.start()
    await recording.run()
    report = await recording.finish()
    await events.close()
    assert [gap.start for gap in report.gaps] == [pytest.approx(recording._began, abs=1.0)]


@pytest.mark.usefixtures("fake_media")
@pytest.mark.parametrize("place", ["in the run", "behind it"])
async def test_after_a_fault_of_the_recorder_its_last_segment_is_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    async def fault(*_: object) -> int:
        raise ValueError(place)

    recording, events = make_recorder(tmp_path, [])
    task = asyncio.create_task(recording.run())
    with monkeypatch.context() as patched:
        if place == "in the run":
            patched.setattr(recording._watch, "measure", fault)
        recording.start()
        await written(recording)
        if place == "behind it":
            patched.setattr(recording, "_list_segments", fault)
            await recording.stop()
        await asyncio.wait({task})
    assert task.exception() is not None
    report = await recording.finish()
    await events.close()
    assert (report.verified, report.segments) == (True, 2)
    assert [(each.segment, each.complete) for each in recording._manifest.segments] == [(1, True), (2, False)]
    assert report.gaps == ()


@pytest.mark.usefixtures("fake_media")
@pytest.mark.parametrize("hangs", ["listing", "reading", "nothing is there"])
async def test_a_short_stay_is_nothing_to_store_only_if_the_volume_shows_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: str
) -> None:
    async def late(*_: object, **__: object) -> int:
        raise VolumeTimeoutError("look")

    async def none(*_: object, **__: object) -> None:
        """No media."""

    monkeypatch.setattr(recorder, "Run", UnseenMedia)
    recording, events = make_recorder(tmp_path, [])
    task = asyncio.create_task(recording.run())
    recording.start()
    async with asyncio.timeout(20):
        while recording._run is None:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.01)
    if hangs == "listing":
        monkeypatch.setattr(recording, "_list_segments", late)
    else:
        monkeypatch.setattr(manifest_writer, "inspect", late if hangs == "reading" else none)
    report = await recording.finish()
    await task
    await events.close()
    [*_, finished] = [json.loads(line) for line in (tmp_path / MANIFEST_FILE).read_text().splitlines()]
    nothing = hangs == "nothing is there"
    cause = None if nothing else "the volume does not show what was recorded"
    assert (report.verified, finished["verified"], finished.get("cause")) == (nothing, nothing, cause)


@pytest.mark.usefixtures("fake_media")
@pytest.mark.parametrize("refuses", ["listing", "reading"])
async def test_what_the_volume_does_not_show_at_the_end_is_not_left_out_of_a_verified_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: str
) -> None:
    inspect = manifest_writer.inspect

    async def refused(*_: object, **__: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    async def refuses_the_last(volume: Volume, file: Path, *rest: Any, **more: Any) -> Segment | None:
        return await (refused() if file.stem == "00002" else inspect(volume, file, *rest, **more))  # type: ignore[return-value]

    recording, events = make_recorder(tmp_path, [])
    task = asyncio.create_task(recording.run())
    recording.start()
    await written(recording)
    if refuses == "listing":
        monkeypatch.setattr(recording, "_list_segments", refused)
    else:
        monkeypatch.setattr(manifest_writer, "inspect", refuses_the_last)
    report = await recording.finish()
    await asyncio.wait({task})
    await events.close()
    [*_, finished] = [json.loads(line) for line in (tmp_path / MANIFEST_FILE).read_text().splitlines()]
    assert (report.verified, report.segments, report.gaps) == (False, 1, ())
    assert finished["cause"] == "the volume does not show what was recorded"


async def test_a_short_stay_behind_what_could_not_be_entered_is_not_nothing(tmp_path: Path) -> None:
    recording, events = make_recorder(tmp_path, [])
    recording._unrecovered = "what an earlier bot recorded could not be entered"
    recording._ended.set()  # stopped before the first run
    recording.start()
    report = await recording.finish()
    await events.close()
    assert not report.verified


STOPPED, PROGRESS = 45.0, 4 * LENGTH
"""When nothing more was recorded, and until when the run of :class:`KeptBack` wrote, seconds."""


@pytest.fixture
def kept_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptBack:
    return KeptBack(tmp_path, monkeypatch)


@pytest.mark.parametrize("listed", [True, False])
async def test_what_is_only_kept_back_is_in_no_gap(kept_back: KeptBack, listed: bool) -> None:
    kept_back.kept_back = {3, 4}
    if not listed:
        for which in (1, 2):
            kept_back.writer.closed(kept_back.run, kept_back.run.file(which))
    await kept_back.over(last=4 if listed else None, cause="killed")
    kept_back.writer.over(STOPPED)
    kept_back.kept_back = set()
    await kept_back.look_again()
    assert kept_back.numbers == [1, 2, 3, 4]
    assert kept_back.gaps == [GapLine("killed", PROGRESS, STOPPED)]


async def test_nor_is_what_it_did_not_write_out_of_it(kept_back: KeptBack) -> None:
    kept_back.kept_back = {4}
    kept_back.run.progress_at = PROGRESS + 1.5
    await kept_back.over(cause="killed")
    kept_back.writer.over(STOPPED)
    kept_back.kept_back = set()
    await kept_back.look_again()
    assert kept_back.gaps == [GapLine("killed", PROGRESS + 1.5, STOPPED), GapLine("killed", PROGRESS, PROGRESS + 1.5)]


async def test_what_turns_out_to_have_no_media_is_a_gap_before_it(kept_back: KeptBack) -> None:
    kept_back.kept_back = {4}
    await kept_back.over(cause="killed")
    kept_back.writer.over(STOPPED)
    kept_back.kept_back, kept_back.empty = set(), {4}
    await kept_back.look_again()
    expected = [("killed", PROGRESS, STOPPED), ("a segment cannot be read", 3 * LENGTH, PROGRESS)]
    assert [(gap.gap, gap.start, gap.end) for gap in kept_back.gaps] == expected


async def test_what_was_read_and_has_no_media_is_one_gap_with_what_follows(kept_back: KeptBack) -> None:
    kept_back.empty = {4}
    await kept_back.over(cause="killed")
    kept_back.writer.over(STOPPED)
    await kept_back.look_again()
    assert kept_back.gaps == [GapLine("killed", 3 * LENGTH, STOPPED)]


class KilledRun(TwoSegments):
    """A run that was killed while it wrote its second segment."""

    @property
    def closed_properly(self) -> bool:
        return False

    @property
    def killed(self) -> bool:
        return True


@pytest.mark.usefixtures("fake_media")
async def test_a_listing_that_shows_too_little_does_not_have_media_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "Run", KilledRun)
    recording, events = make_recorder(tmp_path, [])
    task = asyncio.create_task(recording.run())
    recording.start()
    await written(recording)
    monkeypatch.setattr(segments, "highest", lambda _folder: 0)
    await recording.interrupt("memory is short")
    async with asyncio.timeout(20):
        while recording._run is None or recording._run.number == 1:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.01)
    second = recording._run.first
    report = await recording.finish()
    await task
    await events.close()
    assert (second, report.segments) == (3, 4)
