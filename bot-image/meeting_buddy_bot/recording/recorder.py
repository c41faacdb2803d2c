"""Keeps the recording going: one ffmpeg after another, whatever kills them, until it is told to stop.

Starts with admission, so that nothing from before it is ever written. Each start of ffmpeg is a run; between two runs
lies a gap, which the writer works out from the media itself.

If ffmpeg dies: the next run starts at once (measured in tests: sound again within 3 s). A run that was killed by its
device waits until the device answers. Five runs in a row that write nothing: RecordingFailed. A full volume: the
recorder stops, and what is there is kept: StorageFull.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy_bot.recording import segments, storage
from meeting_buddy_bot.recording.capture import OPENING_SECONDS, Run
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import Finished
from meeting_buddy_bot.recording.manifest_writer import ManifestWriter
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog

_MAX_FAILED_RUNS: Final = 5
_CLOSE_SECONDS: Final = 8.0
"""For ffmpeg to drain its encoders and close the last segment."""
_INTERRUPT_SECONDS: Final = 1.5
"""Likewise when a device died under it: it may never come back from reading it."""
_TELL_SECONDS: Final = 5.0
"""Between two reports of growing numbers."""

_log = logging.getLogger(__name__)


class RecordingError(Exception):
    """The recorder gave up; ``reason`` is fit for the session's report."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Recorder(Protocol):
    """What the session needs of a recorder."""

    async def start(self) -> None:
        """Return when media is being written. Raises RecordingError when it cannot be."""

    async def stop(self) -> None:
        """Close the last segment."""

    async def finish(self) -> RecordingReport:
        """Make one verified file of all segments."""

    def healthy(self) -> bool:
        """Whether media is being written right now."""

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """State a stretch (session seconds) in which the media does not show the meeting."""


class MeetingRecorder:
    """The recorder of a session: mixed sound, and the layout as a person would see it."""

    def __init__(
        self,
        plan: CapturePlan,
        folder: Path,
        clock: SessionClock,
        events: EventLog,
        state: ReportState,
        *,
        devices_answer: Callable[[], Awaitable[None]],
        failed: Callable[[Reason, str], None],
    ) -> None:
        """``devices_answer`` returns once display and sound can be opened; ``failed`` is told when it gives up."""
        self._plan = plan
        self._folder = folder
        self._clock = clock
        self._events = events
        self._state = state
        self._devices_answer = devices_answer
        self._failed = failed
        self._manifest_writer = ManifestWriter(folder, clock, events, self._tell)
        self._run: Run | None = None
        self._runs = 0
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._first_bytes = asyncio.Event()
        self._began = self._ended = 0.0
        self._interruption: str | None = None
        self._error: RecordingError | None = None

    async def start(self) -> None:
        """Begin recording; return when media is in a file. A second call changes nothing.

        Raises:
            RecordingError: it gave up before anything was written.
        """
        if self._keeper is None:
            self._began = self._clock.now()
            self._keeper = asyncio.create_task(self._keep_recording(), name="recorder")
        writing = asyncio.create_task(self._first_bytes.wait())
        try:
            await asyncio.wait({writing, self._keeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
        if self._error is not None and not self._first_bytes.is_set():
            raise self._error

    async def stop(self) -> None:
        """Close the last segment and enter it in the manifest."""
        if not self._stopping.is_set():
            self._ended = self._clock.now()
            self._stopping.set()
        if self._run is not None:
            await self._run.stop(_CLOSE_SECONDS)
        if self._keeper is not None:
            await self._keeper
        await self._manifest_writer.flush()

    async def finish(self) -> RecordingReport:
        """Stop, make one file, verify it; may be cancelled when time is short: the segments remain.

        Does not raise for a file that is not whole: the report then says ``verified=False`` and the manifest why.
        """
        await self.stop()
        report = self._manifest_writer.report(video=self._plan.size is not None)
        if self._was_stopped_at_once():
            finished = Finished(True)
        else:
            finished = await RecordingFinalizer(self._folder, self._plan, self._events).run(
                self._manifest_writer.segments
            )
        await self._manifest_writer.append(finished)
        await self._manifest_writer.close()
        return report.model_copy(update={"verified": finished.verified})

    def _was_stopped_at_once(self) -> bool:
        """Whether the stay was over while display and sound were still being opened: then there is nothing to store."""
        begun = self._keeper is not None and self._error is None and self._runs <= 1
        nothing = not self._first_bytes.is_set() and not self._manifest_writer.segments
        return begun and nothing and self._ended - self._began < OPENING_SECONDS

    def healthy(self) -> bool:
        """Whether media is being written and moves."""
        return self._run is not None and self._run.writing.is_set() and not self._run.stalled()

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """State in manifest and report that the media from ``start`` to ``end`` does not show the meeting."""
        self._manifest_writer.note_gap(start, end, cause)

    async def interrupt(self, cause: str) -> None:
        """Close the segment and start a new run: a device died, or memory is short. No effect when not recording."""
        if self._run is not None and not self._stopping.is_set():
            self._interruption = cause
            await self._run.stop(_INTERRUPT_SECONDS)

    @property
    def pid(self) -> int | None:
        """Process id of the ffmpeg at work."""
        return self._run.pid if self._run else None

    async def _keep_recording(self) -> None:
        failed_runs = 0
        while not self._stopping.is_set() and await self._unless_stopped(self._devices_answer()):
            run = self._run = self._next_run()
            cause = await self._record(run)
            cause, self._interruption = self._interruption or cause, None
            self._run = None
            self._manifest_writer.run_ended(run, None if self._stopping.is_set() and run.closed_properly else cause)
            if self._stopping.is_set() or self._error is not None:
                break
            self._events.write("recorder_ended", run=run.number, cause=cause, said=run.stderr_tail[-2:])
            if self._is_full(run):
                self._give_up(Reason.STORAGE_FULL, "the recordings volume is full")
                break
            failed_runs = 0 if run.writing.is_set() else failed_runs + 1
            if failed_runs >= _MAX_FAILED_RUNS:
                self._give_up(Reason.RECORDING_FAILED, f"the recorder wrote nothing in {failed_runs} attempts: {cause}")
                break
            if failed_runs:
                await self._unless_stopped(asyncio.sleep(0.2 * 2**failed_runs))
        self._manifest_writer.over(self._clock.now())
        self._tell()

    def _next_run(self) -> Run:
        self._runs += 1
        return Run(self._runs, self._plan, self._folder, segments.highest(self._folder) + 1, self._clock)

    async def _record(self, run: Run) -> str:
        try:
            await run.start(lambda file: self._manifest_writer.closed(run, file))
        except OSError as error:
            return f"the recorder cannot be started: {error.strerror}"
        self._events.write("recorder_started", run=run.number)
        watcher = asyncio.create_task(self._watch(run), name="recorder watch")
        if self._stopping.is_set():  # asked to stop while it was being started
            await run.stop(_CLOSE_SECONDS)
        try:
            return await run.wait()
        finally:
            watcher.cancel()

    async def _watch(self, run: Run) -> None:
        await run.writing.wait()
        self._manifest_writer.writing_again(run)
        self._first_bytes.set()
        while True:
            free = storage.free_bytes(self._folder)
            rate = self._manifest_writer.bytes / self._manifest_writer.seconds if self._manifest_writer.seconds else 0.0
            pressed = storage.scarce(free, self._manifest_writer.bytes, rate)
            if pressed is not self._state.report.storage_pressure:
                self._state.update(storage_pressure=pressed)
            if storage.full(free):
                self._give_up(Reason.STORAGE_FULL, "the recordings volume is full")
                await run.stop(_CLOSE_SECONDS)
            self._tell()
            await asyncio.sleep(_TELL_SECONDS)

    def _is_full(self, run: Run) -> bool:
        return any("No space left" in line for line in run.stderr_tail) or storage.full(
            storage.free_bytes(self._folder)
        )

    def _give_up(self, reason: Reason, message: str) -> None:
        if self._error is None:
            _log.error("recording ends: %s", message)
            self._events.write("recording_failed", reason=reason, message=message)
            self._error = RecordingError(reason, message)
            self._failed(reason, message)

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Await ``work``; False when the recorder was stopped before it was done."""
        doing = asyncio.ensure_future(work)
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if doing.done():
            doing.result()
            return True
        doing.cancel()
        return False

    def _tell(self) -> None:
        report = self._manifest_writer.report(video=self._plan.size is not None)
        if self._run is not None and self._run.writing.is_set():
            # The open segment counts too: a meeting of 20 seconds is not "0 bytes so far".
            grown, moved = self._open_segment(self._run)
            report = report.model_copy(
                update={
                    "audio_files": 1,
                    "video_files": 1 if self._plan.size else 0,
                    "bytes": report.bytes + grown,
                    "seconds": round(report.seconds + moved, 1),
                }
            )
        if report != self._state.report.recording:
            self._state.update(recording=report)

    def _open_segment(self, run: Run) -> tuple[int, float]:
        which = segments.highest(self._folder)
        try:
            size = run.file(which).stat().st_size
        except OSError:
            return 0, 0.0
        since = max((each.end for each in self._manifest_writer.segments if each.run == run.number), default=run.origin)
        return size, max(0.0, self._clock.now() - since)


class NoRecorder:
    """Stands where nothing is to be recorded (``recording.enabled: false``)."""

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def finish(self) -> RecordingReport:
        """Nothing to make."""
        return RecordingReport()

    def healthy(self) -> bool:
        """Nothing can be wrong."""
        return True

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """Nothing to say."""

    async def interrupt(self, cause: str) -> None:
        """Nothing to interrupt."""
