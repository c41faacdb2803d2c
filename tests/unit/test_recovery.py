"""Recovery of a recording: what a killed bot left gets its place on the axis, and nothing is entered twice."""

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.report import Gap
from meeting_buddy_bot.recording import manifest_writer, recovery, segments
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import (
    MANIFEST_FILE,
    GapLine,
    Line,
    RunStart,
    Segment,
    encode,
    read,
    utc_text,
)
from meeting_buddy_bot.recording.manifest_writer import ManifestWriter
from meeting_buddy_bot.recording.plan import MediaFormat
from meeting_buddy_bot.recording.recovery import SessionFolder, read_folder, recover
from meeting_buddy_bot.recording.segments import Span, fsync_and_hash
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.runtime.earlier_attempts import go_on
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from tests.bot.test_finalizer import make_run

ZERO = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
"""UTC of second 0 of the bot that died."""


def utc(seconds: float) -> str:
    return utc_text(ZERO + timedelta(seconds=seconds))


def cut(file: Path, share: float = 0.5) -> None:
    """Leave the file as a kill does in the midst of writing it."""
    data = file.read_bytes()
    file.write_bytes(data[: round(len(data) * share)])


def last_written(file: Path, seconds: float) -> None:
    moment = (ZERO + timedelta(seconds=seconds)).timestamp()
    os.utime(file, (moment, moment))


@dataclass
class Left:
    """The folder of a bot that died."""

    folder: Path
    segments: list[Segment] = field(default_factory=list)
    """After :meth:`recover`."""

    def run(self, number: int, first: int, origin: float, seconds: float = 6.0) -> list[Path]:
        """The files of a run, of four seconds each, and its line of the manifest."""
        files = make_run(self.folder, first=first, video=seconds, audio=seconds)
        self.says(RunStart(number, first, origin, utc(origin)))
        for file in files:
            last_written(file, origin + seconds)
        return files

    def says(self, *lines: Line) -> None:
        with (self.folder / MANIFEST_FILE).open("ab") as manifest:
            manifest.writelines(encode(line) + b"\n" for line in lines)

    def lists(self, file: Path, run: int, start: float, end: float) -> None:
        size, sha256 = fsync_and_hash(file)
        self.says(Segment(int(file.stem), f"segments/{file.name}", start, end, utc(start), size, sha256, run))

    def saw_steps(self, *steps: tuple[float, float]) -> None:
        """The bot saw that the wall clock was set: when, and by how many seconds."""
        events = [{"t": at, "time": utc(at), "event": "clock_set", "seconds": seconds} for at, seconds in steps]
        (self.folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))

    async def recover(self) -> None:
        clock = SessionClock()
        events = EventLog(self.folder / "events.jsonl", clock)
        volume, found = Volume(self.folder), read_folder(self.folder)
        assert found.zero is not None
        clock.go_on(found.zero, found.reached)
        writer = ManifestWriter(volume, clock, events, lambda: None, found.lines)
        try:
            await recover(found, writer, volume, clock)
        finally:
            await writer.close()
            await events.close()
        self.segments = writer.segments

    @property
    def lines(self) -> list[Line]:
        return list(read(self.folder / MANIFEST_FILE))

    @property
    def gaps(self) -> list[GapLine]:
        return [line for line in self.lines if isinstance(line, GapLine)]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path)


async def test_what_was_closed_and_what_was_being_written_are_entered_where_they_belong(left: Left) -> None:
    first, second, torn = left.run(1, 1, 10.0, seconds=11)
    left.lists(first, 1, 10.0, 14.0)
    cut(torn)
    await left.recover()
    assert [(each.segment, each.run, each.complete) for each in left.segments] == [
        (1, 1, True),
        (2, 1, True),
        (3, 1, False),
    ]
    _, closed, cut_off = left.segments
    assert closed.start == pytest.approx(14.0, abs=0.05)
    assert closed.end == pytest.approx(18.0, abs=0.05)
    assert cut_off.start == pytest.approx(18.0, abs=0.05)
    assert 18.2 < cut_off.end < 20.9
    assert (closed.bytes, closed.sha256) == fsync_and_hash(second)
    assert cut_off.utc == utc(cut_off.start)
    assert not left.gaps


def stamped(file: Path, offset: float, after: float = 0.0) -> None:
    """Add ``offset`` to the stamps of all packets that are later than ``after``."""
    target, stamps = file.with_name("stamped.mkv"), rf"ts=if(gte(TS*TB\,{after})\,TS+{offset:f}/TB\,TS)"
    filters = ["-bsf:v", f"setts={stamps}", "-bsf:a", f"setts={stamps}"]
    argv = ["ffmpeg", "-v", "error", "-copyts", "-i", str(file), "-c", "copy", *filters, str(target)]
    subprocess.run(argv, check=True)
    target.rename(file)


@pytest.mark.parametrize(
    ("steps", "written"),
    [([], 7.0), ([(6.7, 3600.0)], 3607.0), ([(6.7, 3600.0)], 7.0), ([(6.7, 3600.0), (900.0, 1.0)], 3607.0)],
)
async def test_packets_with_the_time_of_a_clock_that_was_set_do_not_count(
    left: Left, steps: list[tuple[float, float]], written: float
) -> None:
    first, last = left.run(1, 1, 0.0, seconds=7)
    left.lists(first, 1, 0.0, 4.0)
    stamped(last, 3600.0, after=6.6)
    last_written(last, written)
    left.saw_steps(*steps)
    await left.recover()
    assert left.segments[1].cut_at is not None
    assert left.segments[1].end == pytest.approx(6.6, abs=0.1)
    assert not left.gaps


async def test_runs_behind_a_clock_that_was_set_back_count_as_they_are(left: Left) -> None:
    left.run(1, 1, 0.0, seconds=6)
    left.saw_steps((6.0, -3600.0))
    for file in left.run(2, 3, 7.0, seconds=6):
        last_written(file, 13.0 - 3600.0)
    await left.recover()
    assert [round(each.end) for each in left.segments] == [4, 6, 11, 13]
    assert [each.cut_at for each in left.segments] == [None] * 4


async def test_a_volume_whose_times_say_nothing_costs_no_media(left: Left) -> None:
    for file in left.run(1, 1, 0.0, seconds=90):
        last_written(file, -3600.0)
    await left.recover()
    assert left.segments[-1].end == pytest.approx(90, abs=0.1)
    assert not left.gaps


async def test_stamps_that_no_meeting_reaches_are_none(left: Left) -> None:
    _, second, _ = left.run(1, 1, 10.0, seconds=11)
    stamped(second, 3e11)
    last_written(second, 18.0)
    await left.recover()
    assert [each.segment for each in left.segments] == [1, 3]
    [gap] = left.gaps
    assert (gap.start, gap.end) == pytest.approx((14.0, 18.0), abs=0.05)


async def test_a_second_time_adds_nothing(left: Left) -> None:
    first, second, _ = left.run(1, 1, 10.0, seconds=11)
    left.lists(first, 1, 10.0, 14.0)
    second.write_bytes(b"nothing that can be read")
    last_written(second, 18.0)
    await left.recover()
    once = (left.folder / MANIFEST_FILE).read_bytes()
    assert len(left.gaps) == 1
    await left.recover()
    assert (left.folder / MANIFEST_FILE).read_bytes() == once


async def test_a_run_is_told_by_its_first_number(left: Left) -> None:
    left.run(1, 1, 10.0, seconds=6)
    left.says(RunStart(2, 3, 17.0, utc(17.0)))  # wrote nothing
    left.run(3, 3, 20.0, seconds=6)
    await left.recover()
    assert [(each.segment, each.run, each.complete) for each in left.segments] == [
        (1, 1, True),
        (2, 1, False),
        (3, 3, True),
        (4, 3, False),
    ]
    assert left.segments[2].start == pytest.approx(20.0, abs=0.05)
    [gap] = left.gaps
    assert (gap.start, gap.end) == (left.segments[1].end, left.segments[2].start)


async def test_a_gap_that_the_bot_stated_is_not_stated_again(left: Left) -> None:
    left.run(1, 1, 10.0, seconds=3)
    left.run(2, 2, 15.0, seconds=3)
    left.says(GapLine("Xvfb ended", 13.0, 15.0))
    await left.recover()
    assert [gap.gap for gap in left.gaps] == ["Xvfb ended"]


@pytest.mark.parametrize(
    ("stated", "added"),
    [
        ([], [(60.0, 75.0)]),
        ([GapLine("a segment cannot be read", 60.0, 60.4)], [(60.4, 75.0)]),
        ([GapLine("a segment cannot be read", 60.0, 60.4), GapLine("Xvfb ended", 74.0, 80.0)], [(60.4, 74.0)]),
        ([GapLine("Xvfb ended", 65.0, 70.0)], [(60.0, 65.0), (70.0, 75.0)]),
        ([GapLine("the browser ended", 55.0, 62.0, recorded=True)], [(62.0, 75.0)]),
        ([GapLine("Xvfb ended", 67.0, 75.0), GapLine("a segment cannot be read", 60.0, 67.0)], []),
        ([GapLine("Xvfb ended", 60.04, 74.96)], []),
    ],
)
async def test_of_a_gap_between_two_runs_what_is_not_stated_is_stated(
    left: Left, stated: list[GapLine], added: list[tuple[float, float]]
) -> None:
    ends = [Segment(1, "segments/00001.mkv", 0.0, 60.0, utc(0.0), 1, "", 1)]
    ends += [Segment(2, "segments/00002.mkv", 75.0, 105.0, utc(75.0), 1, "", 2)]
    left.says(RunStart(1, 1, 0.0, utc(0.0)), RunStart(2, 2, 75.0, utc(75.0)), *ends, *stated)
    await left.recover()
    assert left.gaps == [*stated, *(GapLine("the recorder ended", *span) for span in added)]
    await left.recover()
    assert len(left.gaps) == len(stated) + len(added), "a second time adds nothing"


async def test_what_cannot_be_read_between_two_others_is_a_gap(left: Left) -> None:
    _, second, _ = left.run(1, 1, 10.0, seconds=11)
    second.write_bytes(b"nothing that can be read")
    await left.recover()
    assert [each.segment for each in left.segments] == [1, 3]
    [gap] = left.gaps
    assert gap.gap == "a segment cannot be read"
    assert gap.start == pytest.approx(14.0, abs=0.05)
    assert gap.end == pytest.approx(18.0, abs=0.05)


async def test_what_cannot_be_read_at_the_end_is_a_gap_until_it_was_last_written(left: Left) -> None:
    _, last = left.run(1, 1, 10.0, seconds=8)
    last.write_bytes(b"nothing that can be read")
    last_written(last, 17.5)
    await left.recover()
    [gap] = left.gaps
    assert gap.start == pytest.approx(14.0, abs=0.05)
    assert gap.end == pytest.approx(17.5, abs=0.01)


async def test_a_file_that_had_just_been_begun_leaves_nothing(left: Left) -> None:
    [first] = left.run(1, 1, 10.0, seconds=3)
    begun = first.with_name("00002.mkv")
    begun.write_bytes(first.read_bytes()[:600])  # the header alone
    last_written(begun, 13.0)
    await left.recover()
    assert [each.segment for each in left.segments] == [1]
    assert not left.gaps


async def test_segments_of_a_bot_that_stated_no_runs_are_placed_by_their_files(left: Left) -> None:
    first, second = left.run(1, 1, 10.0, seconds=8)
    (left.folder / MANIFEST_FILE).unlink()
    left.lists(first, 1, 10.0, 14.0)
    last_written(second, 18.2)
    await left.recover()
    assert left.segments[1].start == pytest.approx(14.2, abs=0.1)
    assert left.segments[1].end == pytest.approx(18.2, abs=0.1)
    assert left.segments[1].run == 2


async def test_a_run_whose_line_was_lost_is_one_of_its_own(left: Left) -> None:
    first = left.run(1, 1, 10.0, seconds=6)
    lost = make_run(left.folder, first=3, video=11, audio=11)
    for file, written in zip(lost, (24.0, 28.0, 31.0), strict=True):
        last_written(file, written)
    left.run(2, 6, 40.0, seconds=3)
    await left.recover()
    assert [(each.segment, each.run) for each in left.segments] == [(1, 1), (2, 1), (3, 3), (4, 3), (5, 3), (6, 2)]
    starts = [each.start for each in left.segments]
    assert starts == pytest.approx([10.0, 14.0, 20.0, 24.0, 28.0, 40.0], abs=0.1)
    assert len(first) + len(lost) == 5
    events = EventLog(left.folder / "events.jsonl", SessionClock())
    finalizer = RecordingFinalizer(Volume(left.folder), MediaFormat((320, 180)), events)
    finished = await finalizer.run(left.segments, {})
    assert finished.verified, finished.cause
    once = (left.folder / MANIFEST_FILE).read_bytes()
    await left.recover()
    assert (left.folder / MANIFEST_FILE).read_bytes() == once


async def test_its_number_is_none_that_the_recording_bot_uses(left: Left) -> None:
    left.run(1, 1, 10.0, seconds=6)
    [lost] = make_run(left.folder, first=3, video=3, audio=3)
    last_written(lost, 24.0)
    clock, volume, found = SessionClock(), Volume(left.folder), read_folder(left.folder)
    assert found.zero is not None
    clock.go_on(found.zero, found.reached)
    writer = ManifestWriter(volume, clock, EventLog(left.folder / "events.jsonl", clock), lambda: None, found.lines)
    assert writer.new_run(found.next_run) == 2
    await recover(found, writer, volume, clock)
    assert [(each.segment, each.run) for each in writer.segments] == [(1, 1), (2, 1), (3, 3)]
    assert writer.new_run(found.next_run) == 4
    await writer.close()


@pytest.mark.parametrize(("refusals", "gaps"), [(3, 0), (99, 1)])
async def test_a_file_that_the_volume_refuses_is_looked_at_again(
    left: Left, monkeypatch: pytest.MonkeyPatch, refusals: int, gaps: int
) -> None:
    _, second, _ = left.run(1, 1, 10.0, seconds=11)
    looks = []

    def refusing(file: Path) -> tuple[int, str]:
        if file == second:
            looks.append(file)
            if len(looks) <= refusals:
                raise OSError(errno.EIO, "Input/output error")
        return fsync_and_hash(file)

    monkeypatch.setattr(manifest_writer, "fsync_and_hash", refusing)
    monkeypatch.setattr(recovery, "_AGAIN_SECONDS", 0.0)
    await left.recover()
    assert [each.segment for each in left.segments] == ([1, 3] if gaps else [1, 2, 3])
    assert len(left.gaps) == gaps


async def test_a_probe_that_was_killed_says_nothing_of_the_file(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    left.run(1, 1, 10.0, seconds=6)

    async def killed(file: Path, latest: float = float("inf")) -> Span | None:
        raise OSError(errno.EINTR, f"ffprobe was ended by signal 9 at {file.name}, {latest}")

    with monkeypatch.context() as patched:
        patched.setattr(manifest_writer, "probe", killed)
        patched.setattr(recovery, "_AGAIN_SECONDS", 0.0)
        with pytest.raises(OSError, match="signal 9"):
            await left.recover()
    assert left.gaps == []
    await left.recover()
    assert [each.segment for each in left.segments] == [1, 2]


@pytest.mark.parametrize(("signal_number", "says_nothing"), [(9, True), (15, True), (11, False)])
async def test_one_that_crashes_says_that_the_file_cannot_be_read(
    left: Left, monkeypatch: pytest.MonkeyPatch, signal_number: int, says_nothing: bool
) -> None:
    [file] = left.run(1, 1, 10.0, seconds=3)

    async def ends(*_: Any, **__: Any) -> tuple[int, str, list[str]]:
        return -signal_number, "", []

    monkeypatch.setattr(segments, "run", ends)
    if says_nothing:
        with pytest.raises(OSError, match=f"signal {signal_number}"):
            await segments.probe(file)
    else:
        assert await segments.probe(file) is None


def refuse_stat(monkeypatch: pytest.MonkeyPatch, refused: Path, number: int) -> None:
    stat = Path.stat

    def refusing(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == refused:
            raise OSError(number, os.strerror(number), str(path))
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refusing)


@pytest.mark.parametrize(("which", "gap"), [(2, (14.0, 18.0)), (3, (18.0, 20.5))])
async def test_a_file_whose_inode_is_damaged_is_a_gap_and_no_more(
    left: Left, monkeypatch: pytest.MonkeyPatch, which: int, gap: tuple[float, float]
) -> None:
    damaged = left.run(1, 1, 10.0, seconds=11)[which - 1]
    (left.folder / "events.jsonl").write_text(json.dumps({"t": 20.5, "time": utc(20.5), "event": "speaking"}) + "\n")

    def refusing(file: Path) -> tuple[int, str]:
        if file == damaged:
            raise OSError(errno.EIO, "Input/output error")
        return fsync_and_hash(file)

    refuse_stat(monkeypatch, damaged, errno.EIO)
    monkeypatch.setattr(manifest_writer, "fsync_and_hash", refusing)
    monkeypatch.setattr(recovery, "_AGAIN_SECONDS", 0.0)
    await left.recover()
    assert [each.segment for each in left.segments] == [each for each in (1, 2, 3) if each != which]
    [stated] = left.gaps
    assert (stated.start, stated.end) == pytest.approx(gap, abs=0.05)


async def test_a_link_to_nothing_is_no_segment(left: Left) -> None:
    left.run(1, 1, 10.0, seconds=6)
    (left.folder / "segments/00003.mkv").symlink_to("gone")
    await left.recover()
    assert [each.segment for each in left.segments] == [1, 2]
    assert not left.gaps


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
def test_a_volume_that_is_gone_is_no_damaged_file(left: Left, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    first, _ = left.run(1, 1, 10.0, seconds=6)
    refuse_stat(monkeypatch, first, number)
    with pytest.raises(OSError, match=os.strerror(number)):
        read_folder(left.folder)


def test_a_file_whose_time_is_none_counts(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = left.run(1, 1, 10.0, seconds=6)
    stat = Path.stat

    def odd(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = tuple(stat(path, follow_symlinks=follow_symlinks))
        return os.stat_result((*found[:8], 10**15 if path == first else found[8], found[9]))

    monkeypatch.setattr(Path, "stat", odd)
    times = [each.modified for each in read_folder(left.folder).files]
    assert times == [None, ZERO + timedelta(seconds=16)]


async def test_what_cannot_be_read_is_no_longer_for_a_clock_that_was_set_meanwhile(left: Left) -> None:
    _, last = left.run(1, 1, 10.0, seconds=8)
    last.write_bytes(b"nothing that can be read")
    tomorrow = datetime.now(UTC).timestamp() + 86400
    os.utime(last, (tomorrow, tomorrow))
    await left.recover()
    [gap] = left.gaps
    assert gap.end < (datetime.now(UTC) - ZERO).total_seconds() + 1


@pytest.mark.parametrize("step", [-60.0, 60.0])
async def test_nor_is_it_shorter_or_longer_for_a_clock_that_was_set_before_it_was_written(
    left: Left, step: float
) -> None:
    _, last = left.run(1, 1, 10.0, seconds=8)
    last.write_bytes(b"nothing that can be read")
    left.saw_steps((9.0, step))
    last_written(last, 18.0 + step)
    await left.recover()
    [gap] = left.gaps
    assert (gap.start, gap.end) == pytest.approx((14.0, 18.0), abs=0.1)


async def test_what_is_recovered_is_joined_and_verified(left: Left) -> None:
    *_, torn = left.run(1, 1, 10.0, seconds=11)
    cut(torn)
    left.run(2, 4, 30.0, seconds=5)
    await left.recover()
    events = EventLog(left.folder / "events.jsonl", SessionClock())
    finalizer = RecordingFinalizer(Volume(left.folder), MediaFormat((320, 180)), events)
    finished = await finalizer.run(left.segments, {})
    assert finished.verified, finished.cause
    assert finished.segments == 5
    assert finished.duration == pytest.approx(sum(each.seconds for each in left.segments), abs=0.5)


async def test_a_volume_that_does_not_answer_is_no_gap(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    left.run(1, 1, 10.0, seconds=3)

    async def late(file: Path, latest: float = float("inf")) -> Span:
        raise TimeoutError

    monkeypatch.setattr(manifest_writer, "probe", late)
    before = (left.folder / MANIFEST_FILE).read_bytes()
    with pytest.raises(TimeoutError):
        await left.recover()
    assert (left.folder / MANIFEST_FILE).read_bytes() == before


async def test_a_volume_that_takes_no_lines_is_told(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(left.folder, first=1, video=3, audio=3)
    found = read_folder(left.folder)
    (left.folder / MANIFEST_FILE).mkdir()  # whatever the cause: it cannot be opened for writing
    clock, volume = SessionClock(), Volume(left.folder)
    events = EventLog(left.folder / "events.jsonl", clock)
    writer = ManifestWriter(volume, clock, events, lambda: None, found.lines)
    with pytest.raises(OSError, match="does not take the manifest's lines: Is a directory") as refused:
        await recover(found, writer, volume, clock)
    assert refused.value.errno == errno.EISDIR
    await writer.close()


def many(folder: Path, lines: int, files: int) -> list[Line]:
    """Empty segment files of a long meeting, and the manifest's lines of the first of them."""
    (folder / "segments").mkdir()
    for number in range(1, files + 1):
        (folder / f"segments/{number:05d}.mkv").touch()
    entered = [
        Segment(number, f"segments/{number:05d}.mkv", number * 30.0, number * 30.0 + 30, utc(number * 30.0), 1, "", 1)
        for number in range(1, lines + 1)
    ]
    return [RunStart(1, 1, 30.0, utc(30.0)), *entered]


class Looked(list[Gap]):
    """Gaps that count how often they were gone through."""

    times = 0

    def __iter__(self) -> Iterator[Gap]:
        self.times += 1
        return super().__iter__()


async def test_a_long_meeting_is_not_gone_through_for_each_segment(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = many(left.folder, 40, 40)
    left.says(*lines, Segment(41, "segments/00041.mkv", 2000.0, 2030.0, utc(2000.0), 1, "", 2))
    asked = []
    for name in ("next_run", "highest_segment"):
        value = getattr(SessionFolder, name).fget

        def counted(folder: SessionFolder, name: str = name, value: Callable[..., int] = value) -> int:
            asked.append(name)
            return value(folder)

        monkeypatch.setattr(SessionFolder, name, property(counted))
    clock, volume, found = SessionClock(), Volume(left.folder), read_folder(left.folder)
    writer = ManifestWriter(volume, clock, EventLog(left.folder / "events.jsonl", clock), lambda: None, found.lines)
    gaps = writer.gaps = Looked()
    await recover(found, writer, volume, clock)
    assert sorted(asked) == ["highest_segment", "next_run"]
    assert gaps.times <= 3  # where the run changes alone, and where the line is entered
    await writer.close()
    assert [(gap.start, gap.end) for gap in left.gaps] == [(1230.0, 2000.0)]


@pytest.mark.parametrize("timed", [True, False])
def test_the_volume_is_asked_for_the_time_of_what_has_no_line_alone(
    left: Left, monkeypatch: pytest.MonkeyPatch, timed: bool
) -> None:
    lines = many(left.folder, 40, 42)
    for number in range(1, 43):
        last_written(left.folder / f"segments/{number:05d}.mkv", number * 30.0 + 30)
    # Damaged ones tell no time; then that of a file is better than none.
    left.says(*(lines if timed else [replace(line, utc="?") for line in lines if isinstance(line, Segment)]))
    asked, stat = [], Path.stat

    def counted(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.suffix == ".mkv":
            asked.append(int(path.stem))
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", counted)
    found = read_folder(left.folder)
    assert asked == ([41, 42] if timed else [*range(1, 43)])
    assert [each.number for each in found.files] == [*range(1, 43)]
    assert [each.modified for each in found.files[40:]] == [ZERO + timedelta(seconds=each) for each in (1260, 1290)]
    assert (found.next_run, found.highest_segment) == (2 if timed else 4, 42)
    assert found.zero == ZERO + timedelta(seconds=0 if timed else 60)


class TestFolder:
    def test_times_go_on_by_the_first_line_that_tells_them(self, left: Left) -> None:
        left.says(RunStart(1, 1, 12.5, utc(12.5)), GapLine("x", 20.0, 31.0))
        found = read_folder(left.folder)
        assert (found.zero, found.reached, found.highest_run) == (ZERO, 31.0, 1)

    def test_or_by_the_events(self, left: Left) -> None:
        (left.folder / "events.jsonl").write_text(
            f'{{"t": 1.0, "time": "{utc(1.0)}", "event": "bot_started"}}\n'
            f'{{"t": 64.0, "time": "{utc(64.0)}", "event": "admitted"}}\n'
            '{"t": 99.0, "ti'
        )
        found = read_folder(left.folder)
        assert (found.zero, found.reached) == (ZERO, 64.0)

    @pytest.mark.parametrize(
        "nonsense",
        [
            '{"t": 1e300, "time": "2026-11-26T09:00:00.000Z"}',
            '{"t": Infinity, "time": "2026-11-26T09:00:00.000Z"}',
            '{"t": NaN, "time": "2026-11-26T09:00:00.000Z"}',
            '{"t": -1e18, "time": "2026-11-26T09:00:00.000Z"}',
            '{"t": 1' + 400 * "0" + ', "time": "2026-11-26T09:00:00.000Z"}',
            '{"t": 99.0, "time": "0001-01-01T00:00:00.000Z"}',
            '{"t": 99.0, "time": 5}',
            "[" * 10_000,
        ],
    )
    def test_nonsense_in_the_events_is_no_line(self, left: Left, nonsense: str) -> None:
        event = json.dumps({"t": 64.0, "time": utc(64.0), "event": "admitted"})
        (left.folder / "events.jsonl").write_text(f"{nonsense}\n{event}\n{nonsense}\n")
        found = read_folder(left.folder)
        assert (found.zero, found.reached) == (ZERO, 64.0)

    def test_an_empty_one_has_none(self, left: Left) -> None:
        found = read_folder(left.folder)
        assert (found.zero, found.reached, found.files, found.finished) == (None, 0.0, (), None)

    def test_one_that_is_gone_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_folder(tmp_path / "nothing")

    def test_a_clock_that_is_behind_does_not_let_time_fall(self) -> None:
        clock = SessionClock()
        later = datetime.now(UTC) + timedelta(hours=1)
        clock.go_on(later, 500.0)
        assert clock.now() >= 500.0
        assert clock.utc(0.0) == later


LIVED = 1200.0
"""Seconds that the bot of :func:`left_with_clock_steps` lived."""


def left_with_clock_steps(folder: Path, steps: list[float], *others: str) -> None:
    """The events of a bot that died half a minute ago, and in whose meeting the wall clock was set."""
    zero = datetime.now(UTC) - timedelta(seconds=sum(steps) + LIVED + 30.0)

    def event(t: float, name: str, **facts: float) -> str:
        return json.dumps({"t": t, "time": utc_text(zero + timedelta(seconds=t)), "event": name, **facts})

    lines = [event(0.0, "bot_started")]
    lines += [event(600.0 + which, "clock_set", seconds=step) for which, step in enumerate(steps)]
    lines += [*others, event(LIVED, "segment_closed")]
    (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("steps", [[86400.0], [-86400.0], [3600.0, -7200.0, 0.5]])
def test_no_time_passed_by_what_the_wall_clock_was_set(tmp_path: Path, steps: list[float]) -> None:
    torn, nonsense = '{"t": 800.0, "event": "clock_set", "sec', '{"event": "clock_set", "seconds": Infinity}'
    left_with_clock_steps(tmp_path, steps, torn, nonsense, '{"event": "clock_set"}', "[" * 10_000 + '"clock_set"')
    found, clock = read_folder(tmp_path), SessionClock()
    assert found.zero is not None
    clock.go_on(found.zero, found.reached, found.clock_steps)
    assert clock.now() == pytest.approx(LIVED + 30.0, abs=5.0)
    assert clock.utc(0.0) == found.zero  # the axis is the same for all who record on it


class Listener:
    """Hears how the volume is."""

    unresponsive = False

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        self.unresponsive = unresponsive


async def test_the_gap_between_two_attempts_is_no_longer_for_a_clock_that_was_set(tmp_path: Path) -> None:
    left_with_clock_steps(tmp_path, [86400.0])
    clock, volume = SessionClock(), Volume(tmp_path)
    events = EventLog(tmp_path / "events.jsonl", clock)
    await go_on(volume, clock, events, VolumeWatch(volume, clock, events, Listener()))
    assert clock.now() == pytest.approx(LIVED + 30.0, abs=5.0)


class TestNumbersOfALaterAttempt:
    def test_they_go_on_behind_all_that_was_ever_used(self, left: Left) -> None:
        (folder := left.folder / "segments").mkdir()
        (folder / "00004.mkv").touch()
        left.says(RunStart(1, 1, 10.0, utc(10.0)), RunStart(2, 5, 20.0, utc(20.0)))
        left.says(Segment(6, "segments/00006.mkv", 20.0, 24.0, utc(20.0), 1, "", 2))  # its file is gone
        found = read_folder(left.folder)
        assert (found.next_run, found.highest_segment) == (3, 6)

    def test_files_of_no_known_run_get_runs_of_their_own_before_it(self, left: Left) -> None:
        (folder := left.folder / "segments").mkdir()
        for number in (1, 2, 3):
            (folder / f"{number:05d}.mkv").touch()
        left.says(RunStart(1, 3, 10.0, utc(10.0)))
        assert read_folder(left.folder).next_run == 4

    def test_an_empty_folder_is_a_beginning(self, left: Left) -> None:
        found = read_folder(left.folder)
        assert (found.next_run, found.highest_segment, found.zero) == (1, 0, None)


async def test_what_is_recorded_meanwhile_is_no_business_of_the_recovery(left: Left) -> None:
    """The bot that recovers the folder records into it at the same time."""
    left.run(1, 1, 10.0, seconds=6)
    clock = SessionClock()
    volume, found = Volume(left.folder), read_folder(left.folder)
    assert found.zero is not None
    clock.go_on(found.zero, found.reached)
    events = EventLog(left.folder / "events.jsonl", clock)
    writer = ManifestWriter(volume, clock, events, lambda: None, found.lines)
    writer.enter(Segment(3, "segments/00003.mkv", 100.0, 104.0, utc(100.0), 1, "", found.next_run))
    await recover(found, writer, volume, clock)
    assert [(each.segment, each.run) for each in writer.segments] == [(1, 1), (2, 1), (3, 2)]
    assert not left.gaps
    writer.bot_replaced(found.highest_segment + 1)
    await writer.close()
    await events.close()
    [gap] = left.gaps
    assert (gap.gap, gap.start, gap.end) == ("the bot was replaced", writer.segments[1].end, 100.0)
