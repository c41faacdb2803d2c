"""What the manifest says of segments that the volume handed out late, or not at all."""

import asyncio
import errno
from pathlib import Path

import pytest

from meeting_buddy_bot.recording import manifest_writer
from meeting_buddy_bot.recording.capture import Run
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, GapLine, RunEnd, Segment, read
from meeting_buddy_bot.recording.manifest_writer import ManifestWriter
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.segments import Span, number
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume

LENGTH = 10.0
PLAN = CapturePlan(":0", "unix:/nowhere", "monitor", (1280, 720), 15)


class Recording:
    """A run of four segments of ten seconds, of which the volume keeps some back."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.kept_back: set[int] = set()
        self.empty: set[int] = set()
        """From which ffprobe reads no media."""
        clock = SessionClock()
        self.volume, self.events = Volume(folder), EventLog(folder / "events.jsonl", clock)
        self.writer = ManifestWriter(self.volume, clock, self.events, lambda: None)
        self.run = Run(1, PLAN, self.volume, 1, clock)
        self.run.progress_at = self.run.ended_at = 4 * LENGTH
        (folder / "segments").mkdir()
        for which in range(1, 5):
            self.run.file(which).write_bytes(b"media")
        monkeypatch.setattr(manifest_writer, "probe", self._probe)

    async def _probe(self, file: Path, latest: float = float("inf")) -> Span | None:
        which = number(file) or 0
        if which in self.empty:
            return None
        if which in self.kept_back:
            raise OSError(errno.EIO, "Input/output error")
        return Span((which - 1) * LENGTH, which * LENGTH)

    async def over(self, *, last: int | None = 4, cause: str | None = None) -> None:
        self.run.last = last
        self.writer.run_ended(self.run, cause)
        await self.writer.flush()

    async def look_again(self, newest: int = 4) -> None:
        self.writer.enter_missing(newest)
        await self.writer.close()

    @property
    def numbers(self) -> list[int]:
        return [each.segment for each in self.writer.segments]

    @property
    def gaps(self) -> list[GapLine]:
        return [line for line in read(self.folder / MANIFEST_FILE) if isinstance(line, GapLine)]


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    return Recording(tmp_path, monkeypatch)


async def test_a_whole_run_is_compared_with_the_clock(recording: Recording) -> None:
    await recording.over()
    await recording.look_again()
    assert (recording.numbers, recording.writer.run_ends) == ([1, 2, 3, 4], {1: 4 * LENGTH})
    assert recording.gaps == []
    ends = [line for line in read(recording.folder / MANIFEST_FILE) if isinstance(line, RunEnd)]
    assert ends == [RunEnd(1, 4 * LENGTH)], "once"
    later = ManifestWriter(recording.volume, SessionClock(), recording.events, lambda: None, ends)
    assert later.run_ends == recording.writer.run_ends, "also by who finishes it later"


async def test_a_segment_that_comes_late_takes_its_place(recording: Recording) -> None:
    recording.kept_back = {2}
    await recording.over()
    assert (recording.numbers, recording.writer.run_ends) == ([1, 3, 4], {})
    recording.kept_back = set()
    await recording.look_again()
    assert (recording.numbers, recording.writer.run_ends) == ([1, 2, 3, 4], {1: 4 * LENGTH})
    assert recording.gaps == []


@pytest.mark.parametrize("which", [2, 4])
async def test_a_segment_that_ffprobe_could_not_read_for_a_moment_takes_its_place(
    recording: Recording, which: int
) -> None:
    recording.empty = {which}
    await recording.over()
    assert which not in recording.numbers
    recording.empty = set()
    await recording.look_again()
    assert (recording.numbers, recording.writer.run_ends) == ([1, 2, 3, 4], {1: 4 * LENGTH})
    assert recording.gaps == []


async def test_one_without_media_is_a_gap_and_the_clock_goes_on_counting_it(recording: Recording) -> None:
    recording.empty = {2}
    await recording.over()
    await recording.look_again()
    assert recording.gaps == [GapLine("a segment cannot be read", LENGTH, 2 * LENGTH)]
    assert recording.writer.run_ends == {1: 4 * LENGTH}


async def test_a_file_that_the_volume_refuses_is_not_one_without_media(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_file: Path) -> tuple[int, str]:
        raise OSError(errno.EIO, "Input/output error")

    recording.empty = {1}
    monkeypatch.setattr(manifest_writer, "fsync_and_hash", refused)
    with pytest.raises(OSError, match="Input/output error"):
        await manifest_writer.inspect(recording.volume, recording.run.file(1), 1, 0.0, SessionClock(), complete=True)


async def test_the_same_gap_is_stated_once(recording: Recording) -> None:
    for _ in range(2):
        recording.writer.enter_gap(GapLine("a segment cannot be read", LENGTH, 2 * LENGTH))
    await recording.writer.close()
    assert len(recording.gaps) == len(recording.writer.gaps) == 1


async def test_a_run_that_could_not_be_listed_is_entered_at_the_end(recording: Recording) -> None:
    await recording.over(last=None)
    assert (recording.numbers, recording.writer.run_ends) == ([], {})
    await recording.look_again()
    assert (recording.numbers, recording.writer.run_ends) == ([1, 2, 3, 4], {1: 4 * LENGTH})


async def test_those_without_media_between_two_segments_are_one_gap(recording: Recording) -> None:
    recording.empty = {2, 3}
    await recording.over()
    await recording.look_again()
    assert recording.gaps == [GapLine("a segment cannot be read", LENGTH, 3 * LENGTH)]
    assert recording.writer.handed_out


async def test_one_without_media_at_the_end_of_a_run_is_a_gap(recording: Recording) -> None:
    recording.empty = {4}
    await recording.over()
    await recording.look_again()
    assert recording.gaps == [GapLine("a segment cannot be read", 3 * LENGTH, 4 * LENGTH)]


@pytest.mark.parametrize("which", [2, 4])
async def test_what_the_volume_goes_on_refusing_is_no_gap_but_left_to_the_finisher(
    recording: Recording, which: int
) -> None:
    recording.kept_back = {which}
    await recording.over()
    await recording.look_again()
    assert recording.gaps == []
    assert not recording.writer.handed_out
    assert recording.writer.run_ends == {}


async def test_a_file_has_no_joint_where_a_segment_is_missing(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy_bot.recording.finalizer.probe", recording._probe)
    segments = [
        Segment(which, f"segments/{which:05d}.mkv", 0, 0, "", 1, "", 1)
        for which in (1, 3)  # ten seconds each
    ]
    finalizer = RecordingFinalizer(recording.volume, PLAN, recording.events)
    async with asyncio.timeout(60):
        concat_list = await finalizer._concat_list(segments)
    assert concat_list.count("duration 10.000000") == 2


async def test_one_that_is_gone_is_a_gap(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(file: Path, latest: float = float("inf")) -> Span | None:
        if number(file) == 2:
            raise FileNotFoundError
        return await recording._probe(file, latest)

    monkeypatch.setattr(manifest_writer, "probe", probe)
    await recording.over()
    await recording.look_again()
    assert recording.gaps == [GapLine("a segment cannot be read", LENGTH, 2 * LENGTH)]
    assert recording.writer.handed_out


async def test_no_gap_covers_what_is_only_kept_back(recording: Recording) -> None:
    recording.kept_back, recording.empty = {2}, {3}
    await recording.over()
    await recording.look_again()
    assert recording.gaps == [], "who enters the second one knows where the third one would be"


async def test_a_first_segment_that_is_entered_later_changes_nothing_of_when_its_run_ended(
    recording: Recording,
) -> None:
    recording.empty = {1}
    await recording.over()
    assert recording.numbers == [2, 3, 4]
    assert recording.writer.run_ends == {1: 4 * LENGTH}
