"""Brings the folder of a recording in order whose process died: each segment file with media gets its manifest line.

What a process leaves that is killed: closed segments that were waiting to be hashed, and the one that was being
written, which is playable as far as it got. The ``started`` lines of the manifest say to which run a file belongs, by
its number, and what zero is in its timestamps; so its start comes out on the same axis as that of all others. Where the
stamps begin anew without such a line, it was lost: it is written then, by the time of the file. A file from which
nothing can be read is stated as a gap; one that the volume refuses is looked at for half a minute before.

A later attempt's bot does it while it joins, and records into the same folder behind all that is there.

Doing it twice adds nothing, and what is interrupted is done by the next one: all that it goes by is in the folder.
"""

import asyncio
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from meeting_buddy_bot.recording.manifest import (
    MANIFEST_FILE,
    MAX_SECONDS,
    Finished,
    GapLine,
    Line,
    RunStart,
    Segment,
    read,
    utc_text,
)
from meeting_buddy_bot.recording.manifest_writer import (
    LATE_SECONDS,
    SMALLEST_GAP,
    ManifestWriter,
    inspect,
    unreadable_gap,
)
from meeting_buddy_bot.recording.segments import SEGMENTS_FOLDER, number
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EVENTS_FILE
from meeting_buddy_bot.support.volume import GONE, SHORTAGES, Volume, VolumeTimeoutError

_LOOKS: Final = 16
"""At files that the volume refuses, before it is stated that they cannot be read."""
_AGAIN_SECONDS: Final = 2.0
"""Between two of them."""
_BEHIND_SECONDS: Final = 60.0
"""By which the volume's clock, and all that the folder speaks of, may be behind a file's media."""
_TAIL_BYTES: Final = 64 * 1024
"""Of the events, in which the last line is found."""
_NO_EVENT: Final = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""What a line of the events raises that is torn, or damaged."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment's file as it lies there."""

    number: int
    path: Path
    modified: datetime | None
    """When it was last written, by the volume's clock; ``None``: it has its line and was not asked for, or the volume
    does not hand this file out."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock was set, which ended the run of that moment."""

    at: float
    """When a bot saw it, seconds on the session clock."""
    seconds: float
    """By how much; negative: back."""


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """What earlier processes left of a recording."""

    lines: tuple[Line, ...]
    """Of the manifest, in order."""
    files: tuple[SegmentFile, ...]
    """In the order of their numbers."""
    zero: datetime | None
    """UTC of second 0 of their clock; ``None``: the folder has nothing that is timed."""
    reached: float
    """The last second that anything in it speaks of."""
    steps: tuple[ClockStep, ...] = ()
    """Of the wall clock, while it was recorded."""

    @property
    def clock_steps(self) -> float:
        """Seconds by which the wall clock was set, all together."""
        return sum(step.seconds for step in self.steps)

    @property
    def finished(self) -> Finished | None:
        """How finishing went the last time; ``None``: it was never tried."""
        return next((line for line in reversed(self.lines) if isinstance(line, Finished)), None)

    @property
    def standing(self) -> Finished | None:
        """The same, where it still counts: that there was nothing to store does not, for who recorded since."""
        found = self.finished
        return None if found is not None and found.file is None and not self.finished_last else found

    @property
    def finished_last(self) -> bool:
        """Whether nothing was recorded, or entered, since the last finishing."""
        counting = [line for line in self.lines if isinstance(line, (RunStart, Segment, Finished))]
        return bool(counting) and isinstance(counting[-1], Finished)

    @property
    def highest_run(self) -> int:
        """Number of the last run, 0 without one."""
        runs = [line.run for line in self.lines if isinstance(line, Segment)]
        return max([*runs, *(line.started for line in self.lines if isinstance(line, RunStart))], default=0)

    @property
    def next_run(self) -> int:
        """Number of a run that follows, whatever runs recovery finds in it."""
        entered = {line.segment for line in self.lines if isinstance(line, Segment)}
        first = min((line.first for line in self.lines if isinstance(line, RunStart)), default=None)
        unlisted = [each.number for each in self.files if each.number not in entered]
        return self.highest_run + 1 + sum(first is None or number < first for number in unlisted)

    @property
    def highest_segment(self) -> int:
        """The highest number of a segment that was ever used, 0 without one."""
        entered = [line.segment for line in self.lines if isinstance(line, Segment)]
        return max([*entered, *(each.number for each in self.files)], default=0)


def read_folder(folder: Path) -> SessionFolder:
    """Look at a session's folder. Blocking.

    Raises:
        OSError: the volume does not hand it out.
    """
    folder.stat()  # a folder that is gone is no empty one
    lines = tuple(read(folder / MANIFEST_FILE))
    events = list(_first_and_last_event(folder / EVENTS_FILE))
    zeros = [_zero(line.utc, line.start) for line in lines if isinstance(line, (RunStart, Segment))]
    zeros += [zero for zero, _ in events]
    zero = next((zero for zero in zeros if zero is not None), None)
    # The others' times are not needed, and a slow volume takes a while for each.
    entered = {line.segment for line in lines if isinstance(line, Segment)} if zero is not None else set()
    files = tuple(_files(folder / SEGMENTS_FOLDER, entered))
    ends = [line.end for line in lines if isinstance(line, (Segment, GapLine))]
    ends += [line.start for line in lines if isinstance(line, RunStart)]
    return SessionFolder(
        lines,
        files,
        # Without any of them: half a minute off at most, which is as good as the file's own time.
        zero or next((each.modified for each in files if each.modified is not None), None),
        max([*ends, *(seconds for _, seconds in events)], default=0.0),
        tuple(_clock_steps(folder / EVENTS_FILE)),
    )


def _files(folder: Path, entered: Collection[int]) -> Iterator[SegmentFile]:
    try:
        found = [(which, path) for path in folder.iterdir() if (which := number(path)) is not None]
    except FileNotFoundError:
        return
    for which, path in sorted(found):
        try:
            modified = None if which in entered else _modified(path)
        except FileNotFoundError:  # a link to nothing, or gone since it was listed
            continue
        yield SegmentFile(which, path, modified)


def _modified(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in GONE:
            raise
        return None  # of this file alone: whoever reads it is refused
    except (ValueError, OverflowError):  # a time that is none
        return None


def _first_and_last_event(path: Path) -> Iterator[tuple[datetime, float]]:
    """Of each: UTC of second 0 by its time, and its second."""
    if not path.exists():
        return
    with path.open("rb") as file:
        some = [file.readline()]
        file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        some += file.read().splitlines()
    whole = [event for event in map(_event, some) if event is not None]
    yield from whole[:1] + whole[-1:]


def _event(line: bytes) -> tuple[datetime, float] | None:
    try:
        fields = json.loads(line)
        time, seconds = fields["time"], float(fields["t"])
        zero = _zero(time, seconds) if 0 <= seconds <= MAX_SECONDS else None
    except _NO_EVENT:
        return None
    return None if zero is None else (zero, seconds)


def _clock_steps(path: Path) -> Iterator[ClockStep]:
    """What the bots saw of the wall clock being set."""
    if not path.exists():
        return
    with path.open("rb") as file:
        lines = {line for line in file if b'"clock_set"' in line}
    for line in lines:
        try:
            fields = json.loads(line)
            step = ClockStep(float(fields["t"]), float(fields["seconds"]))
            if fields["event"] == "clock_set" and 0 <= step.at <= MAX_SECONDS and abs(step.seconds) <= MAX_SECONDS:
                yield step
        except _NO_EVENT:
            continue


def _zero(utc: str, seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(datetime.fromisoformat(utc).timestamp() - seconds, UTC)
    except (ValueError, OverflowError):
        return None


async def recover(found: SessionFolder, manifest: ManifestWriter, volume: Volume, clock: SessionClock) -> None:
    """Enter all that is in the folder and not in its manifest.

    Args:
        found: the folder.
        manifest: begun with its lines.
        volume: on which it lies.
        clock: the axis of the folder's times, with ``found.zero``.

    Raises:
        OSError: the volume does not answer, or does not take the lines, or ffprobe is killed again and again; nothing
            is stated as a gap for that.
    """
    await _Recovery(found, manifest, volume, clock).run()


class _Recovery:
    def __init__(self, found: SessionFolder, manifest: ManifestWriter, volume: Volume, clock: SessionClock) -> None:
        self._found = found
        self._manifest = manifest
        self._volume = volume
        self._clock = clock
        next_run = found.next_run  # looks at all lines
        runs = [each.run for each in manifest.segments if each.run < next_run]
        self._next_run = max([found.highest_run, *runs]) + 1

    async def run(self) -> None:
        entered = {each.segment for each in self._manifest.segments}
        unreadable = await self._enter([file for file in self._found.files if file.number not in entered])
        for file in unreadable:
            self._state_unreadable(file)
        await self._manifest.flush()
        self._state_gaps_between_runs()
        await self._manifest.written()

    async def _enter(self, files: list[SegmentFile]) -> list[SegmentFile]:
        """Enter the segments in these files; those from which nothing can be read."""
        empty = []
        shortage: OSError | None = None
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_AGAIN_SECONDS)
            refused, shortage = [], None
            for file in files:
                try:
                    segment = await self._inspect(file)
                except (TimeoutError, VolumeTimeoutError):
                    raise
                except OSError as error:  # this file alone, as long as the manifest can be written
                    shortage = error if error.errno in SHORTAGES else shortage
                    refused.append(file)
                    continue
                if segment is None:
                    empty.append(file)
                else:
                    self._manifest.enter(segment)
                    await self._manifest.flush()
            files = refused
            if not files:
                break
        if shortage is not None:  # nothing is known of the file
            raise shortage
        return empty + files

    def _start(self, which: int) -> RunStart | None:
        """The start of a segment's run: the last that had not come further yet; ``None``: of a bot that kept none."""
        starts = sorted(self._manifest.starts, key=lambda start: start.first)
        return next((start for start in reversed(starts) if start.first <= which), None)

    async def _inspect(self, file: SegmentFile) -> Segment | None:
        start = self._start(file.number)
        # What follows it in the same run says that it was closed.
        following = next((each for each in self._found.files if each.number > file.number), None)
        complete = start is not None and following is not None and self._start(following.number) is start
        run, origin = (start.started, start.start) if start is not None else (self._next_run, 0.0)
        latest = self._latest(file, start) - origin
        segment = await inspect(self._volume, file.path, run, origin, self._clock, latest, complete=complete)
        if segment is None:
            return None
        if start is None:
            self._next_run += 1
            return self._placed_by_its_file(segment, file)
        if self._goes_back(segment):
            placed = self._placed_by_its_file(segment, file)
            run = self._manifest.new_run(self._found.next_run)
            self._manifest.found_run(run, file.number, placed.start - (segment.start - origin))
            return replace(placed, run=run)
        return segment

    def _latest(self, file: SegmentFile, start: RunStart | None) -> float:
        """When the file's media ends at the latest, seconds on the session clock."""
        # What ffmpeg writes between a step of the clock and its end has the new time, and the file may have it too.
        steps = [] if start is None else [step.at for step in self._found.steps if step.at >= start.start]
        entered = (each.end for each in self._manifest.segments if each.segment < file.number)
        written = max(self._last_written(file), self._found.reached, *entered)
        return min([written + _BEHIND_SECONDS, *(at + LATE_SECONDS for at in steps)])

    def _goes_back(self, segment: Segment) -> bool:
        """Whether it begins before the middle of the one before it in its run: it is of another one, without a line.

        Sound that was late in a starved encoder reaches back less far, and each run's stamps begin at zero.
        """
        run = [each for each in self._manifest.segments if each.run == segment.run and each.segment < segment.segment]
        return bool(run) and segment.start < (run[-1].start + run[-1].end) / 2

    def _placed_by_its_file(self, segment: Segment, file: SegmentFile) -> Segment:
        """The same as a run of its own that ended when the file was last written, behind all segments before it."""
        before = max((each.end for each in self._manifest.segments if each.segment < segment.segment), default=0.0)
        start = round(max(before, self._last_written(file) - segment.seconds), 3)
        utc = utc_text(self._clock.utc(start))
        return replace(segment, start=start, end=round(start + segment.seconds, 3), utc=utc)

    def _state_unreadable(self, file: SegmentFile) -> None:
        entered, start = self._manifest.segments, self._start(file.number)
        before = max((each.end for each in entered if each.segment < file.number), default=0.0)
        behind = min((each.start for each in entered if each.segment > file.number), default=float("inf"))
        run = [each for each in entered if start is not None and each.run == start.started]
        begin = before if start is None else max(before, start.start)
        gap = unreadable_gap(file.number, run, begin, min(behind, self._last_written(file)))
        if gap is not None:
            self._manifest.enter_gap(gap)

    def _state_gaps_between_runs(self) -> None:
        """State what lies between two runs where the process died before it had stated all of it."""
        # Whoever recovers the folder may be recording already: what is between its runs it states by itself.
        highest = self._found.highest_segment  # looks at all lines
        earlier = [each for each in self._manifest.segments if each.segment <= highest]
        for first, second in pairwise(earlier):
            if first.run == second.run:
                continue
            start = first.end
            stated = sorted((gap.start, gap.end) for gap in self._manifest.gaps)
            for stated_start, stated_end in [*stated, (second.start, second.start)]:
                end = min(stated_start, second.start)
                if end - start >= SMALLEST_GAP:
                    self._manifest.enter_gap(GapLine("the recorder ended", start, end))
                start = max(start, stated_end)

    def _last_written(self, file: SegmentFile) -> float:
        if file.modified is None:
            return self._found.reached
        wall = written = (file.modified - self._clock.utc(0.0)).total_seconds()
        for step in sorted(self._found.steps, key=lambda step: step.at):
            wall -= step.seconds
            written = wall if wall >= step.at else written
        return min(written, self._clock.now())  # the volume's clock may be ahead
