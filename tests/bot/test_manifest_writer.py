"""The books of a recording: what belongs to which run, and gaps worked out from the media itself."""

import shutil
from pathlib import Path

import pytest

from meeting_buddy_bot.recording.capture import Run
from meeting_buddy_bot.recording.manifest import GapLine, Segment, read
from meeting_buddy_bot.recording.manifest_writer import ManifestWriter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from tests.bot.test_finalizer import PLAN, make_run


class LateClock(SessionClock):
    """A session clock on which all runs of these tests are over."""

    def now(self) -> float:
        return super().now() + 1000


class Books:
    """A writer over a folder, and runs whose files are put there by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = LateClock()
        self.writer = ManifestWriter(
            Volume(folder), self.clock, EventLog(folder / "events.jsonl", self.clock), lambda: None
        )

    def run(self, number: int, first: int, last: int, origin: float) -> Run:
        made = Run(number, PLAN, Volume(self.folder), first, self.clock)
        made.last, made.origin = last, origin
        return made

    @property
    def lines(self) -> list[object]:
        return list(read(self.folder / "manifest.jsonl"))


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


async def test_a_run_that_ended_does_not_claim_what_its_successor_writes(books: Books) -> None:
    files = make_run(books.folder, first=1, video=3, audio=3)
    first, second = books.run(1, 1, 1, 10.0), books.run(2, 2, 1, 20.0)
    successor = files[0].with_name("00002.mkv")
    successor.write_bytes(files[0].read_bytes()[:600])  # the header alone: it has just begun
    books.writer.run_ended(first, "killed")
    await books.writer.flush()
    shutil.copy(files[0], successor)
    books.writer.writing_again(second)
    books.writer.closed(second, successor)
    await books.writer.close()
    entered = [(line.segment, line.run, line.complete) for line in books.lines if isinstance(line, Segment)]
    assert entered == [(1, 1, False), (2, 2, True)]


async def test_a_gap_reaches_from_the_last_packet_before_to_the_first_after(books: Books) -> None:
    make_run(books.folder, first=1, video=3, audio=3)
    make_run(books.folder, first=2, video=3, audio=3)
    books.writer.run_ended(books.run(1, 1, 1, 10.0), "killed")
    books.writer.writing_again(books.run(2, 2, 2, 14.0))
    await books.writer.close()
    [gap] = [line for line in books.lines if isinstance(line, GapLine)]
    assert gap.start == pytest.approx(13.0, abs=0.1)
    assert gap.end == pytest.approx(14.0, abs=0.1)
    assert (gap.gap, gap.recorded) == ("killed", False)


async def test_a_run_that_was_stopped_on_purpose_opens_no_gap(books: Books) -> None:
    [file] = make_run(books.folder, first=1, video=3, audio=3)
    run = books.run(1, 1, 1, 10.0)
    books.writer.closed(run, file)
    books.writer.run_ended(run, None)
    books.writer.over(99.0)
    await books.writer.close()
    assert not books.writer.gaps


async def test_a_gap_without_an_end_reaches_to_the_stop(books: Books) -> None:
    make_run(books.folder, first=1, video=3, audio=3)
    books.writer.run_ended(books.run(1, 1, 1, 0.0), "killed")
    books.writer.over(42.0)
    await books.writer.close()
    assert books.writer.gaps[0].end == 42.0


async def test_lines_that_a_full_volume_refused_are_written_later_in_order(books: Books) -> None:
    manifest = books.folder / "manifest.jsonl"
    manifest.mkdir()  # whatever the cause: it cannot be opened for writing
    books.writer.note_gap(1.0, 2.0, "browser restarted")
    await books.writer.flush()
    manifest.rmdir()
    books.writer.note_gap(3.0, 4.0, "browser restarted again")
    await books.writer.close()
    assert [line.gap for line in books.lines if isinstance(line, GapLine)] == [
        "browser restarted",
        "browser restarted again",
    ]
    assert all(line.recorded for line in books.lines if isinstance(line, GapLine))
