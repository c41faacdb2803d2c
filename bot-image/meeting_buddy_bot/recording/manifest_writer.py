"""Writes the manifest of a recording: hashes what was closed, works out the gaps, counts.

The recorder's events (segment closed, run ended, writing again) arrive in a queue and are worked off in order, so that
hashing never delays the recorder and a gap is written between the right two segments. What is in the queue when this
process dies has no manifest line; the files have their names.
"""

import asyncio
import bisect
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from meeting_buddy.contract.report import Gap, RecordingReport
from meeting_buddy_bot.recording.capture import Run
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, GapLine, Line, Segment, encode
from meeting_buddy_bot.recording.segments import SEGMENTS_FOLDER, fsync_and_hash, number, probe
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume

_log = logging.getLogger(__name__)

_FLUSH_SECONDS: Final = 10.0
"""For one manifest line; a slower volume gets it later."""
_HASH_SECONDS: Final = 60.0
"""For reading one segment, some megabytes, from a slow volume."""
_LATE_SECONDS: Final = 0.5
"""By which a packet's stamp may lie after the moment in which its segment was closed: clocks are read one by one."""
_SMALLEST_GAP: Final = 0.05
"""Seconds; two runs that follow each other more closely than three frames have no gap between them."""


class ManifestWriter:
    """The manifest's only writer."""

    def __init__(self, volume: Volume, clock: SessionClock, events: EventLog, changed: Callable[[], None]) -> None:
        self.segments: list[Segment] = []
        self.gaps: list[Gap] = []
        self.captured: dict[int, float] = {}
        """Seconds for which each run captured by the session clock: what its segments, all entered, must add up to."""
        self._volume = volume
        self._clock = clock
        self._events = events
        self._changed = changed
        self._file = AppendFile(volume.folder / MANIFEST_FILE, durable=True)
        self._queue: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._entered: set[int] = set()
        self._incomplete: list[Run] = []
        """Runs that may have segments without a line: the volume did not hand them out when the run ended."""
        self._missing_since: tuple[float, str] | None = None

    def closed(self, run: Run, file: Path) -> None:
        """ffmpeg closed a segment."""
        closed_at = self._clock.now()
        self._submit(lambda: self._enter(run, file, closed_at, complete=True))

    def run_ended(self, run: Run, cause: str | None) -> None:
        """A run is over; what it left open is entered as cut off. A ``cause`` opens a gap; none was wanted without."""
        self._submit(lambda: self._end_run(run, cause))

    def writing_again(self, run: Run) -> None:
        """A run has begun to write; closes the gap that the one before it opened."""
        self._submit(lambda: self._close_gap(run))

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

    async def append(self, line: Line) -> None:
        """Write a line after all that came before."""
        await self.flush()
        self._file.append(encode(line))
        await self._file.flush(_FLUSH_SECONDS)

    async def flush(self) -> None:
        """Return when the queue is worked off."""
        await self._queue.join()

    async def close(self) -> None:
        """Work off the queue and stop."""
        await self.flush()
        await self._file.close(_FLUSH_SECONDS)
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
            self._worker = None

    @property
    def bytes(self) -> int:
        """Size of all entered segments."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def seconds(self) -> float:
        """Media in all entered segments."""
        return sum(segment.seconds for segment in self.segments)

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

    def _submit(self, work: Callable[[], Awaitable[None]]) -> None:
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

    async def _enter(self, run: Run, file: Path, closed_at: float, *, complete: bool) -> None:
        which = number(file)
        if which is None or which in self._entered:
            return
        span = await probe(file, latest=closed_at - run.origin + _LATE_SECONDS)
        if span is None:
            # Not entered: the end of its run looks at it once more.
            self._events.write("segment_unreadable", file=file.name)
            return
        size, sha256 = await self._volume.call("hash a segment", lambda: fsync_and_hash(file), _HASH_SECONDS)
        start, end = round(run.origin + span.start, 3), round(run.origin + span.end, 3)
        utc = self._clock.utc(start).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        name = f"{SEGMENTS_FOLDER}/{file.name}"
        cut_at = round(span.end, 6) if span.cut else None
        segment = Segment(which, name, start, end, utc, size, sha256, run.number, complete, cut_at)
        self._entered.add(which)
        bisect.insort(self.segments, segment, key=lambda each: each.segment)
        await self._write(segment)
        self._events.write(
            "segment_closed", segment=which, seconds=round(segment.seconds, 3), bytes=size, complete=complete
        )
        self._changed()

    async def _end_run(self, run: Run, cause: str | None) -> None:
        if run.ended_at is None:
            run.ended_at = self._clock.now()
        if run.last is None or await self._enter_all(run, run.last, run.ended_at):
            self._incomplete.append(run)
        if cause is not None and self._missing_since is None:
            last = max((segment.end for segment in self.segments), default=run.origin)
            self._missing_since = (last, cause)

    async def _enter_all(self, run: Run, last: int, ended_at: float) -> list[int]:
        """Enter what a run that is over left without a line; the numbers that the volume does not hand out."""
        refused = []
        for which in range(run.first, last + 1):
            try:
                await self._enter(run, run.file(which), ended_at, complete=False)
            except OSError as error:
                refused.append(which)
                self._events.write("segment_not_entered", segment=which, error=type(error).__name__)
        mine = self._of(run)
        if mine and not refused:
            self.captured[run.number] = run.progress_at - mine[0].start
        return refused

    async def _enter_missing(self, newest: int) -> None:
        incomplete, self._incomplete = self._incomplete, []
        for run in incomplete:
            last = newest if run.last is None else run.last  # only the newest run can have ended unlisted
            for which in await self._enter_all(run, last, run.progress_at if run.ended_at is None else run.ended_at):
                mine = self._of(run)
                start = max((each.end for each in mine if each.segment < which), default=run.origin)
                end = min((each.start for each in mine if each.segment > which), default=run.progress_at)
                if end - start >= _SMALLEST_GAP and not any(gap.start <= start and end <= gap.end for gap in self.gaps):
                    await self._enter_gap(GapLine("a segment cannot be read", round(start, 3), round(end, 3)))

    def _of(self, run: Run) -> list[Segment]:
        return [segment for segment in self.segments if segment.run == run.number]

    async def _close_gap(self, run: Run) -> None:
        if self._missing_since is None:
            return
        try:
            span = await probe(run.file(run.first))
        except OSError:
            span = None
        await self._close_gap_at(run.origin + (span.start if span else 0.0))

    async def _close_gap_at(self, now: float) -> None:
        if self._missing_since is None:
            return
        (start, cause), self._missing_since = self._missing_since, None
        if now - start >= _SMALLEST_GAP:
            await self._enter_gap(GapLine(cause, round(start, 3), round(now, 3)))

    async def _enter_gap(self, line: GapLine) -> None:
        self.gaps.append(Gap(start=line.start, end=line.end, cause=line.gap))
        await self._write(line)
        self._events.write("gap", start=line.start, end=line.end, cause=line.gap, recorded=line.recorded)
        self._changed()

    async def _write(self, line: Line) -> None:
        # What the volume does not take now waits in the file's queue, in order.
        self._file.append(encode(line))
        await self._file.flush(_FLUSH_SECONDS)
