"""Writes the manifest of a recording: hashes what was closed, works out the gaps, counts.

The recorder's events (segment closed, run ended, writing again) arrive in a queue and are worked off in order, so that
hashing never delays the recorder and a gap is written between the right two segments. What is in the queue when this
process dies has no manifest line; the files have their names, and :mod:`recovery` enters them.
"""

import asyncio
import bisect
import contextlib
import errno
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from meeting_buddy.contract.report import Gap, RecordingReport
from meeting_buddy_bot.recording.capture import Run
from meeting_buddy_bot.recording.manifest import (
    MANIFEST_FILE,
    GapLine,
    Line,
    RunEnd,
    RunStart,
    Segment,
    encode,
    media_seconds,
    segments_of,
    utc_text,
)
from meeting_buddy_bot.recording.segments import SEGMENTS_FOLDER, fsync_and_hash, number, probe
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume, answered

_log = logging.getLogger(__name__)

_FLUSH_SECONDS: Final = 10.0
"""For one manifest line; a slower volume gets it later."""
_HASH_SECONDS: Final = 60.0
"""For reading one segment, some megabytes, from a slow volume."""
LATE_SECONDS: Final = 0.5
"""By which a packet's stamp may lie after the moment in which its segment was closed: clocks are read one by one."""
SMALLEST_GAP: Final = 0.05
"""Seconds; two runs that follow each other more closely than three frames have no gap between them."""
_NOT_TAKEN: Final = "the volume does not take the manifest's lines"
REPLACED: Final = "the bot was replaced"
"""Cause of the gap between two attempts."""


async def inspect(
    volume: Volume,
    file: Path,
    run: int,
    origin: float,
    clock: SessionClock,
    latest: float = float("inf"),
    *,
    complete: bool,
) -> Segment | None:
    """A segment's line of the manifest; ``None``: no media can be read from the file.

    Args:
        volume: on which it lies.
        file: its path.
        run: number of its run.
        origin: of the run, seconds on the session clock.
        clock: gives the UTC time.
        latest: see :func:`segments.probe`.
        complete: whether it was closed.

    Raises:
        OSError: the volume does not hand it out.
    """
    # First: it tells a volume that refuses from a file without media, which ffprobe does not.
    size, sha256 = await volume.call("hash a segment", lambda: fsync_and_hash(file), _HASH_SECONDS)
    which, span = number(file), await probe(file, latest)
    if which is None or span is None:
        return None
    start, end = round(origin + span.start, 3), round(origin + span.end, 3)
    cut_at = round(span.end, 6) if span.cut else None
    name, utc = f"{SEGMENTS_FOLDER}/{file.name}", utc_text(clock.utc(start))
    return Segment(which, name, start, end, utc, size, sha256, run, complete, cut_at)


def unreadable_gap(which: int, run: Sequence[Segment], begin: float, end: float) -> GapLine | None:
    """The gap that a segment leaves which cannot be read; ``None``: it is too short to be one.

    Args:
        which: the segment's number.
        run: the entered segments of its run.
        begin: where the gap begins if none of them is before it, seconds on the session clock.
        end: where it ends if none of them is behind it.
    """
    start = max((each.end for each in run if each.segment < which), default=begin)
    end = min((each.start for each in run if each.segment > which), default=end)
    if end - start < SMALLEST_GAP:
        return None
    return GapLine("a segment cannot be read", round(start, 3), round(end, 3))


class _OpenGap(NamedTuple):
    """A gap whose end is not known yet."""

    start: float
    cause: str
    least: float = SMALLEST_GAP
    """Seconds; a shorter one is none."""


class _ManifestFile(AppendFile):
    """Remembers with which words the volume refuses a line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, durable=True)
        self.refusal: OSError | None = None

    def _write_first(self) -> None:
        try:
            super()._write_first()
        except OSError as error:
            self.refusal = error
            raise
        self.refusal = None


class ManifestWriter:
    """The manifest's only writer."""

    def __init__(
        self,
        volume: Volume,
        clock: SessionClock,
        events: EventLog,
        changed: Callable[[], None],
        earlier: Iterable[Line] = (),
    ) -> None:
        """``earlier``: what the manifest says already, of a process that died; its segments and gaps count, too."""
        lines = list(earlier)
        self.segments = segments_of(lines)
        self.gaps = [Gap(start=line.start, end=line.end, cause=line.gap) for line in lines if isinstance(line, GapLine)]
        self.starts = [line for line in lines if isinstance(line, RunStart)]
        """Of the runs of processes that died."""
        self.run_ends = {line.ended: line.end for line in lines if isinstance(line, RunEnd)}
        """When each run wrote last, by the session clock; not of a run whose last segment cannot be read."""
        self._volume = volume
        self._clock = clock
        self._events = events
        self._changed = changed
        self._file = _ManifestFile(volume.folder / MANIFEST_FILE)
        self._queue: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._entered = {each.segment for each in self.segments}
        self._last_run = 0
        """The last number that :meth:`new_run` gave out."""
        self._incomplete: list[Run] = []
        """Runs that may have segments without a line: nothing could be read from them when the run ended."""
        self._refused: set[int] = set()
        """Numbers of the runs of which the volume did not hand out all segments."""
        self._late: dict[int, str] = {}
        """Runs that ended so, with the cause of the gap behind each."""
        self._open: _OpenGap | None = None
        self._writing: Run | None = None
        """The run that writes now."""

    def new_run(self, least: int) -> int:
        """Number of a run that begins, or is found: ``least``, or the first above it that was not given out yet."""
        self._last_run = max(self._last_run + 1, least)
        return self._last_run

    def started(self, run: Run) -> None:
        """A run has begun; whoever has to place its segments after this process has died can do it by this line."""
        # Not behind what is still being hashed: it has to be there before the run's first segment is.
        self._file.append(encode(self._start(run.number, run.first, run.origin)))

    def found_run(self, number: int, first: int, origin: float) -> RunStart:
        """A run of a process that died before its line was written."""
        line = self._start(number, first, origin)
        self.starts.append(line)
        self._file.append(encode(line))
        return line

    def _start(self, number: int, first: int, origin: float) -> RunStart:
        return RunStart(number, first, round(origin, 3), utc_text(self._clock.utc(origin)))

    def closed(self, run: Run, file: Path) -> None:
        """ffmpeg closed a segment."""
        closed_at = self._clock.now()
        self._submit(lambda: self._enter(run, file, closed_at, complete=True))

    def run_ended(self, run: Run, cause: str | None) -> None:
        """A run is over; what it left open is entered as cut off. A ``cause`` opens a gap; none was wanted without."""
        self._submit(lambda: self._end_run(run, cause))

    def missing_since(self, start: float, cause: str, least: float) -> None:
        """There is no media since ``start``, before a run has written; no gap where it comes within ``least`` seconds.

        No effect while a gap is open. A run that fails meanwhile is the cause of it.
        """
        self._submit(lambda: self._open_gap(_OpenGap(start, cause, least)))

    def writing_again(self, run: Run) -> None:
        """A run has begun to write; closes the gap that the one before it opened."""
        self._submit(lambda: self._close_gap(run))

    def bot_replaced(self, first: int) -> None:
        """All segments before ``first`` are of earlier bots: a gap lies between them and what this one records."""
        self._submit(lambda: self._follow_earlier(first))

    def enter_missing(self, newest: int) -> None:
        """Try once more to enter what the volume did not hand out before; ``newest``: the last segment's number.

        What still cannot be read between two others becomes a gap.
        """
        self._submit(lambda: self._enter_missing(newest))

    def over(self, now: float) -> None:
        """No run will follow; a gap that is still open ends at ``now``."""
        self._submit(lambda: self._close_gap_at(now))

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """Media that shows no meeting, such as while the browser was restarted."""
        self._submit(lambda: self._enter_gap(GapLine(cause, round(start, 3), round(end, 3), recorded=True)))

    def enter(self, segment: Segment) -> None:
        """Enter a segment of a process that died, and that did not do it."""
        self._submit(lambda: self._add(segment))

    def enter_gap(self, line: GapLine) -> None:
        """State a gap that such a process did not state; one that is stated already changes nothing."""
        self._submit(lambda: self._enter_new_gap(line))

    async def append(self, line: Line) -> None:
        """Put a line behind all that came before; :meth:`written` or :meth:`close` says whether it is in the file."""
        await self.flush()
        self._file.append(encode(line))

    async def flush(self) -> None:
        """Return when the queue is worked off."""
        await self._queue.join()

    async def written(self) -> None:
        """Wait until all lines so far are in the file.

        Raises:
            VolumeTimeoutError: the volume does not answer.
            OSError: it refuses them.
        """
        await self.flush()
        if not await answered("write the manifest", self._file.flush(math.inf), _FLUSH_SECONDS):
            refusal = self._file.refusal
            raise OSError(errno.EIO if refusal is None else refusal.errno, self.not_taken)

    @property
    def not_taken(self) -> str:
        """What to say when the volume did not take all lines, with the kernel's words if it refused one."""
        refusal = self._file.refusal
        return _NOT_TAKEN if refusal is None else f"{_NOT_TAKEN}: {refusal.strerror or refusal}"

    async def close(self) -> bool:
        """Work off the queue and stop; False when the volume did not take all lines."""
        await self.flush()
        written = await self._file.close(_FLUSH_SECONDS)
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
            self._worker = None
        return written

    @property
    def handed_out(self) -> bool:
        """Whether the volume handed out each segment that was to be entered; one without media counts as handed out."""
        return not self._refused

    @property
    def bytes(self) -> int:
        """Size of all entered segments."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def seconds(self) -> float:
        """Media in all entered segments."""
        return media_seconds(self.segments)

    def report(self, *, video: bool) -> RecordingReport:
        """What the session's report says of the recording, unverified."""
        some = 1 if self.segments else 0
        return RecordingReport(
            segments=len(self.segments),
            audio_files=some,
            video_files=some if video else 0,
            bytes=self.bytes,
            seconds=round(self.seconds, 1),
            gaps=tuple(self.gaps),
        )

    def _submit(self, work: Callable[[], Awaitable[object]]) -> None:
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="writer")
        self._queue.put_nowait(work)

    async def _work(self) -> None:
        while True:
            work = await self._queue.get()
            try:
                await work()
            except Exception as error:  # whatever it is: the next segment must not suffer for it
                _log.exception("the manifest is behind")
                self._events.write("manifest_behind", error=type(error).__name__)
            finally:
                self._queue.task_done()

    async def _enter(self, run: Run, file: Path, closed_at: float, *, complete: bool) -> bool:
        """Enter a segment; False: no media can be read from it."""
        which = number(file)
        if which is None or which in self._entered:
            return True
        latest = closed_at - run.origin + LATE_SECONDS
        segment = await inspect(self._volume, file, run.number, run.origin, self._clock, latest, complete=complete)
        if segment is None:
            # Not entered: the end of its run looks at it once more.
            self._events.write("segment_unreadable", file=file.name)
            return False
        await self._add(segment)
        return True

    async def _add(self, segment: Segment) -> None:
        self._entered.add(segment.segment)
        bisect.insort(self.segments, segment, key=lambda each: each.segment)
        await self._write(segment)
        self._events.write(
            "segment_closed",
            segment=segment.segment,
            seconds=round(segment.seconds, 3),
            bytes=segment.bytes,
            complete=segment.complete,
        )
        self._changed()

    async def _end_run(self, run: Run, cause: str | None) -> None:
        self._writing = None
        if run.ended_at is None:
            run.ended_at = self._clock.now()
        left = run.last is None or await self._enter_all(run, run.last, run.ended_at)
        kept_back = run.last is None or run.number in self._refused
        if left or kept_back:
            self._incomplete.append(run)
        if mine := self._of(run):  # it wrote, even if nobody saw it begin
            await self._close_gap_at(mine[0].start)
        if cause is not None:
            last = max((segment.end for segment in self.segments), default=run.origin)
            if kept_back:  # what is handed out later may have media up to there
                last = max(last, run.progress_at)
                self._late[run.number] = cause
            await self._open_gap(_OpenGap(last, cause))

    async def _open_gap(self, gap: _OpenGap) -> None:
        if self._open is None:
            self._open = gap
        elif gap.least < self._open.least:
            self._open = gap._replace(start=self._open.start)

    async def _enter_all(self, run: Run, last: int, ended_at: float) -> list[int]:
        """Enter what a run that is over left without a line; the numbers of those without media."""
        unread: list[int] = []
        refused = False
        for which in range(run.first, last + 1):
            try:
                if not await self._enter(run, run.file(which), ended_at, complete=False):
                    unread.append(which)
            except FileNotFoundError:
                unread.append(which)  # nobody will hand it out any more
            except OSError as error:
                refused = True
                self._events.write("segment_not_entered", segment=which, error=type(error).__name__)
        if refused:
            self._refused.add(run.number)
        else:
            self._refused.discard(run.number)
        mine = self._of(run)
        if mine and not refused and last not in unread:
            await self._enter_run_end(RunEnd(run.number, round(run.progress_at, 3)))
        return unread

    async def _enter_run_end(self, line: RunEnd) -> None:
        if self.run_ends.get(line.ended) != line.end:
            self.run_ends[line.ended] = line.end
            await self._write(line)

    async def _enter_missing(self, newest: int) -> None:
        incomplete, self._incomplete = self._incomplete, []
        for run in incomplete:
            last = newest if run.last is None else run.last  # only the newest run can have ended unlisted
            unread = await self._enter_all(run, last, run.progress_at if run.ended_at is None else run.ended_at)
            if run.number in self._refused:
                continue  # who enters what is kept back states what is missing then
            for which in unread:
                gap = unreadable_gap(which, self._of(run), run.origin, run.progress_at)
                if gap is not None:
                    await self._enter_new_gap(gap)
            cause, mine = self._late.pop(run.number, None), self._of(run)
            # The gap behind it was opened where it wrote last; its media may end earlier.
            if cause is not None and mine and last not in unread and run.progress_at - mine[-1].end >= SMALLEST_GAP:
                await self._enter_new_gap(GapLine(cause, mine[-1].end, round(run.progress_at, 3)))

    def _of(self, run: Run) -> list[Segment]:
        return [segment for segment in self.segments if segment.run == run.number]

    def _states(self, line: GapLine) -> bool:
        return any(gap.start - SMALLEST_GAP <= line.start and line.end <= gap.end + SMALLEST_GAP for gap in self.gaps)

    async def _follow_earlier(self, first: int) -> None:
        before = max((each.end for each in self.segments if each.segment < first), default=None)
        behind = min((each.start for each in self.segments if each.segment >= first), default=None)
        if before is None:
            return
        for gap in self.gaps:  # a last segment that cannot be read
            if gap.start <= before + SMALLEST_GAP < gap.end:
                before = gap.end
        if behind is None:  # as a rule: it is about to join
            self._open = _OpenGap(before, REPLACED)
            if self._writing is not None:
                await self._close_gap(self._writing)
        elif behind - before >= SMALLEST_GAP:
            await self._enter_gap(GapLine(REPLACED, round(before, 3), round(behind, 3)))

    async def _close_gap(self, run: Run) -> None:
        self._writing = run
        if self._open is None:
            return
        if self._clock.now() - self._open.start < self._open.least:  # as a rule, of the first run
            self._open = None
            return
        try:
            span = await probe(run.file(run.first))
        except OSError:
            span = None
        await self._close_gap_at(run.origin + (span.start if span else 0.0))

    async def _close_gap_at(self, now: float) -> None:
        if self._open is None:
            return
        gap, self._open = self._open, None
        if now - gap.start >= gap.least:
            await self._enter_gap(GapLine(gap.cause, round(gap.start, 3), round(now, 3)))

    async def _enter_new_gap(self, line: GapLine) -> None:
        if not self._states(line):
            await self._enter_gap(line)

    async def _enter_gap(self, line: GapLine) -> None:
        self.gaps.append(Gap(start=line.start, end=line.end, cause=line.gap))
        await self._write(line)
        self._events.write("gap", start=line.start, end=line.end, cause=line.gap, recorded=line.recorded)
        self._changed()

    async def _write(self, line: Line) -> None:
        # What the volume does not take now waits in the file's queue, in order.
        self._file.append(encode(line))
        await self._file.flush(_FLUSH_SECONDS)
