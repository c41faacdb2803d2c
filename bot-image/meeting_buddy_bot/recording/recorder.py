"""Keeps the recording going: one ffmpeg after another, whatever kills them, until it is stopped.

Starts with admission, so that nothing from before it is ever written. Each start of ffmpeg is a run; between two runs
lies a gap, which the manifest writer works out from the media itself.

| what happens | what the recorder does |
|---|---|
| ffmpeg dies or freezes | starts the next run at once; after a device's death it waits until the device answers |
| PulseAudio ends ffmpeg's stream alone | ffmpeg ends (``-shortest``): as if it had died |
| five runs in a row write nothing | gives up: RecordingFailed |
| the volume, or the quota on it, is full | stops, what is there is kept: StorageFull |
| the volume does not answer, or only who reads | kills ffmpeg, waits up to ten minutes, goes on in a new run |
| the volume is gone (ESTALE, ENOTCONN, EIO) | tries for half a minute, then gives up: RecordingFailed |
| the wall clock is set | starts a new run: ffmpeg's stamps come from that clock |
| an earlier attempt left a recording | goes on behind it; enters what has no line in the manifest while the bot joins |
"""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy_bot.recording import segments, storage
from meeting_buddy_bot.recording.capture import NO_ANSWER, OPENING_SECONDS, Run
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import Finished
from meeting_buddy_bot.recording.manifest_writer import ManifestWriter
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.recovery import SessionFolder, recover
from meeting_buddy_bot.recording.volume_watch import HANGING_SECONDS, VolumeWatch
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import SECONDS, SHORTAGES, Volume, VolumeTimeoutError

_MAX_FAILED_RUNS: Final = 5
_CLOSE_SECONDS: Final = 8.0
"""For ffmpeg to drain its encoders and close the last segment."""
_INTERRUPT_SECONDS: Final = 1.5
"""Likewise when a device died under it: it may never come back from reading it."""
_FLUSH_SECONDS: Final = 15.0
"""For the last segments to be entered in the manifest while the bot leaves; finishing waits for the rest."""
_PROGRESS_SECONDS: Final = 5.0
"""Between two reports of growing numbers."""
_LATE_SECONDS: Final = 10.0
"""Until the first media, also on a busy node; where it takes longer, that is a gap before the first run."""
_FULL: Final = "the recordings volume is full"
_FULL_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS: Final = tuple(map(os.strerror, _FULL_ERRORS))
_KERNEL_WORDS: Final = tuple(map(os.strerror, errno.errorcode))
_MAX_CHARACTERS: Final = 200
"""Of a line of ffmpeg's in a message."""

_log = logging.getLogger(__name__)


class RecordingListener(Protocol):
    """Who hears how the recording is doing."""

    def recording_started(self) -> None:
        """Media is being written."""

    def recording_progress(self, report: RecordingReport) -> None:
        """What is on the volume by now, unverified."""

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        """How the volume is."""


class Recorder(Protocol):
    """What session and components need of a recorder."""

    async def recover(self) -> None:
        """Enter what earlier attempts left; beside all else."""

    async def recovered_until(self) -> float:
        """Wait for the end of :meth:`recover`; the last second that earlier attempts recorded, 0 if none did."""

    async def run(self) -> None:
        """Wait for :meth:`start`, then record until :meth:`stop`."""

    def start(self) -> None:
        """Begin recording; returns at once."""

    async def stop(self) -> None:
        """Close the last segment."""

    async def finish(self) -> RecordingReport:
        """Make one verified file of all segments."""

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """State a stretch (session seconds) in which the media does not show the meeting."""

    async def interrupt(self, cause: str, *, at_once: bool = False) -> None:
        """Close the segment and start a new run."""


class MeetingRecorder:
    """The recorder of a session: mixed sound, and the layout as a person would see it."""

    def __init__(
        self,
        plan: CapturePlan,
        volume: Volume,
        clock: SessionClock,
        events: EventLog,
        listener: RecordingListener,
        *,
        devices_answer: Callable[[], Awaitable[None]],
        failed: Callable[[Reason, str], None],
        earlier: SessionFolder | None = None,
    ) -> None:
        """Nothing is recorded before :meth:`start`.

        Args:
            plan: what is recorded.
            volume: with the session's folder.
            clock: the session's, which goes on behind ``earlier``.
            events: of the session.
            listener: told how the recording is doing.
            devices_answer: returns once display and sound can be opened.
            failed: called when it gives up.
            earlier: what earlier attempts left; ``None``: this is the first.
        """
        self._plan = plan
        self._volume = volume
        self._clock = clock
        self._events = events
        self._listener = listener
        self._devices_answer = devices_answer
        self._failed = failed
        self._earlier = earlier
        self._recovered = asyncio.Event()
        self._unrecovered = None if earlier is None else "what an earlier bot recorded could not be entered"
        if earlier is None:
            self._recovered.set()
        self._manifest = ManifestWriter(
            volume, clock, events, self._report_progress, () if earlier is None else earlier.lines
        )
        self._watch = VolumeWatch(volume, clock, events, listener)
        self._run: Run | None = None
        self._open: Run | None = None
        """The run whose end the manifest's writer was not told yet; after a fault it stays set."""
        self._first_run = 1 if earlier is None else earlier.next_run
        self._runs = 0
        self._highest = 0 if earlier is None else earlier.highest_segment
        """Highest number of a segment that is known to have been used, whatever a listing shows."""
        self._trial: asyncio.Task[None] | None = None
        """Of writing to the volume, until it is answered: a second one would only hang beside it."""
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._first_bytes = False
        self._began = self._stopped_at = 0.0
        self._interruption: str | None = None
        self._gave_up = False

    def start(self) -> None:
        """Begin recording; a second call changes nothing. ``recording_started`` is called once media is in a file."""
        if not self._started.is_set():
            self._began = self._clock.now()
            self._started.set()

    async def recover(self) -> None:
        """Enter what earlier attempts left without a line in the manifest; recording need not wait for it."""
        if self._earlier is None:
            return
        self._report_progress()
        try:
            while not self._gave_up:
                try:
                    await recover(self._earlier, self._manifest, self._volume, self._clock)
                except OSError as error:
                    if error.errno in SHORTAGES:  # the finisher has a pod of its own for it
                        self._watch.answered()
                        self._unrecovered = error.strerror or str(error)
                        return
                    self._note_trouble(error)
                else:
                    self._watch.answered()
                    self._manifest.bot_replaced(self._earlier.highest_segment + 1)
                    self._unrecovered = None
                    return
                await asyncio.sleep(1)
        finally:
            self._recovered.set()

    async def recovered_until(self) -> float:
        """Wait until that is done, or is given up; the last second (session's clock) of what they recorded, or 0."""
        await self._recovered.wait()
        if self._earlier is None:
            return 0.0
        highest = self._earlier.highest_segment
        ends = [each.end for each in self._manifest.segments if each.segment <= highest]
        return max([self._earlier.reached if self._unrecovered else 0.0, *ends])

    async def run(self) -> None:
        """Record from :meth:`start` to :meth:`stop`; the one task in which runs of ffmpeg follow each other."""
        await self._started.wait()
        try:
            await self._keep_recording()
        finally:
            if self._open is not None:
                cause = "the recorder was cut short"
                self._open.kill()  # stop() waits for its end
                self._events.write("recorder_ended", run=self._open.number, cause=cause, stderr=[])
                self._manifest.run_ended(self._open, cause)
            if self._trial is not None:
                self._trial.cancel()
            self._ended.set()

    async def stop(self) -> None:
        """Close the last segment and enter it in the manifest. May be cancelled and called again."""
        if not self._stopping.is_set():
            self._stopped_at = self._clock.now()
            self._stopping.set()
        if not self._started.is_set():
            return
        if self._run is not None:
            await self._run.stop(_CLOSE_SECONDS)
        await self._ended.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._manifest.flush()

    async def finish(self) -> RecordingReport:
        """Stop, make one file, verify it; may be cancelled when time is short: the segments remain.

        Does not raise for a file that is not complete: the report then says ``verified=False`` and the manifest why.
        """
        await self.stop()
        await self._recovered.wait()
        looked = await self._enter_missing()
        report = self._manifest.report(video=self._plan.size is not None)
        finished = await self._verified_before() if looked else None
        if finished is None or self._says_more_since():
            finished = finished or await self._make_file(looked)
            await self._manifest.append(finished)
        if not await self._manifest.close() and finished.file is not None:
            finished = self._unverified(self._manifest.not_taken)
        return report.model_copy(update={"verified": finished.verified})

    def _says_more_since(self) -> bool:
        """Whether the manifest has runs or segments behind its last line on finishing."""
        return self._started.is_set() or self._earlier is None or not self._earlier.finished_last

    async def _verified_before(self) -> Finished | None:
        """What an earlier attempt verified, where this one has added nothing to it."""
        before = self._earlier.standing if self._earlier is not None else None
        if before is None or self._unrecovered or (before.file is None and self._started.is_set()):
            return None
        finalizer = RecordingFinalizer(self._volume, self._plan, self._events)
        try:
            return await finalizer.verified_before(before, self._manifest.segments)
        except OSError as error:  # whoever makes the file anew will say more
            _log.warning("the finished file cannot be read: %s", error.strerror)
            return None

    async def _make_file(self, looked: bool) -> Finished:
        """``looked``: whether the volume showed all that this bot may have recorded."""
        if self._unrecovered:
            return self._unverified(self._unrecovered)
        if not looked:  # the file would be whole without what is kept back; the finisher has time to wait for that
            return self._unverified("the volume does not show what was recorded")
        if self._was_stopped_at_once():
            return Finished(True)
        finalizer = RecordingFinalizer(self._volume, self._plan, self._events)
        try:
            return await finalizer.run(self._manifest.segments, self._manifest.run_ends)
        except OSError as error:  # there is no time to wait for the volume; the finisher has it
            return self._unverified(error.strerror or str(error))

    def _unverified(self, cause: str) -> Finished:
        self._events.write("recording_not_verified", cause=cause)
        return Finished(False, segments=len(self._manifest.segments), cause=cause)

    async def _enter_missing(self) -> bool:
        """Enter what a volume that did not answer kept back; False if it still keeps back what may be media."""
        await self._manifest.flush()
        if not self._started.is_set():
            return True
        try:
            newest = await self._list_segments()
        except OSError:
            return not self._runs
        self._watch.answered()
        self._manifest.enter_missing(newest)
        await self._manifest.flush()
        return self._manifest.handed_out

    def _was_stopped_at_once(self) -> bool:
        """Whether the stay was over while display and sound were still being opened: then there is nothing to store."""
        begun = self._started.is_set() and not self._gave_up and self._open is None and self._runs <= 1
        nothing = not self._first_bytes and not self._manifest.segments
        return begun and nothing and self._stopped_at - self._began < OPENING_SECONDS

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """State in manifest and report that the media from ``start`` to ``end`` does not show the meeting."""
        self._manifest.note_gap(start, end, cause)

    async def interrupt(self, cause: str, *, at_once: bool = False) -> None:
        """Close the segment and start a new run: a device died, memory is short, the clock was set.

        No effect when not recording. ``at_once``: kill ffmpeg, whose next packets would be wrong.
        """
        if self._run is None or self._stopping.is_set():
            return
        self._interruption = cause
        if at_once:
            self._run.kill()
        else:
            await self._run.stop(_INTERRUPT_SECONDS)

    async def _keep_recording(self) -> None:
        failed_runs = 0
        highest = await self._ask_volume()
        while highest is not None and await self._unless_stopped(self._devices_answer()):
            number = self._manifest.new_run(self._first_run)
            run = self._run = self._open = Run(number, self._plan, self._volume, highest + 1, self._clock)
            self._runs += 1
            cause = await self._record(run)
            in_doubt = cause == NO_ANSWER or not run.writing.is_set()
            cause, self._interruption = self._interruption or cause, None
            self._run = None
            if run.writing.is_set() or run.last_closed >= run.first:
                self._highest = max(self._highest, run.first, run.last_closed + run.killed)
            asked = self._stopping.is_set() and run.closed_properly
            if not asked:
                self._events.write("recorder_ended", run=run.number, cause=cause, stderr=run.stderr_tail[-2:])
            highest = run.last = await self._ask_volume(writing=in_doubt)
            self._manifest.run_ended(run, None if asked else cause)
            self._open = None
            if self._stopping.is_set() or self._gave_up:
                break
            if (full := await self._full(run, cause)) is not None:
                self._give_up(Reason.STORAGE_FULL, full)
                break
            failed_runs = 0 if run.writing.is_set() else failed_runs + 1
            if failed_runs >= _MAX_FAILED_RUNS:
                why = ": ".join([cause, *_complaint(run.stderr_tail)])
                self._give_up(Reason.RECORDING_FAILED, f"the recorder wrote nothing in {failed_runs} attempts: {why}")
                break
            if failed_runs:
                await self._unless_stopped(asyncio.sleep(0.2 * 2**failed_runs))
        self._manifest.over(self._clock.now())
        self._report_progress()

    async def _ask_volume(self, *, writing: bool = False) -> int | None:
        """Number of the newest segment, as soon as the volume answers; ``None``: stopped, or given up, before that.

        ``writing``: as soon as it also answers who writes to it, unless no run will follow.
        """
        while True:
            try:
                if writing and not self._stopping.is_set():
                    await self._try_writing()
                newest = await self._list_segments()
            except OSError as error:
                self._note_trouble(error)
                if self._gave_up or self._stopping.is_set() or not await self._unless_stopped(asyncio.sleep(1)):
                    return None
            else:
                self._watch.answered()
                return newest

    def _note_trouble(self, error: OSError) -> None:
        """The volume refused, or did not answer: give up once that has lasted."""
        message = self._watch.failed(error)
        if message is not None and error.errno in _FULL_ERRORS:
            self._give_up(Reason.STORAGE_FULL, f"{_FULL}: {os.strerror(error.errno)}")
        elif message is not None:
            self._give_up(Reason.RECORDING_FAILED, message)

    async def _list_segments(self) -> int:
        listed = await self._volume.call("list the segments", lambda: segments.highest(self._volume.folder))
        # One listing may show less than was written, and ffmpeg overwrites what has its number.
        self._highest = max(self._highest, listed)
        return self._highest

    async def _try_writing(self) -> None:
        """Raise VolumeTimeoutError for a volume that does not answer; what it refuses, the next run says."""
        if self._trial is None:
            access = self._volume.call("write", lambda: segments.try_writing(self._volume.folder), HANGING_SECONDS)
            self._trial = asyncio.create_task(access, name="trial of writing")
        await asyncio.wait({self._trial}, timeout=SECONDS)
        if not self._trial.done():
            raise VolumeTimeoutError("write")
        trial, self._trial = self._trial, None
        try:
            trial.result()
        except VolumeTimeoutError:
            raise
        except OSError as error:
            _log.warning("the volume takes no file: %s", error.strerror)

    def _note_closed(self, run: Run, file: Path) -> None:
        run.last_closed = segments.number(file) or run.last_closed
        self._manifest.closed(run, file)

    async def _record(self, run: Run) -> str:
        try:
            await run.start(lambda file: self._note_closed(run, file))
        except OSError as error:
            return f"the recorder cannot be started: {error.strerror}"
        finally:
            self._note_first_start()
        self._manifest.started(run)
        self._events.write("recorder_started", run=run.number)
        if self._stopping.is_set():  # asked to stop while it was being started
            await run.stop(_CLOSE_SECONDS)
        elif self._interruption is not None:  # likewise for a device that died, or a clock that was set
            run.kill()
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(self._watch_run(run), name="recorder watch")
            cause = await run.wait()
            watcher.cancel()
        return cause

    def _note_first_start(self) -> None:
        """State a gap before the first run, if its media begins late."""
        # Recovery that is not done yet states a gap that covers it, behind what an earlier bot recorded.
        follows = self._earlier is not None and self._unrecovered is not None and self._earlier.highest_segment > 0
        if self._runs == 1 and not follows:
            self._manifest.missing_since(self._began, "the recording began late", _LATE_SECONDS)

    async def _watch_run(self, run: Run) -> None:
        await run.writing.wait()
        self._manifest.writing_again(run)
        self._first_bytes = True
        self._listener.recording_started()
        while True:
            recorded, seconds = self._manifest.bytes, self._manifest.seconds
            try:
                found = await self._watch.measure(recorded, recorded / seconds if seconds else 0.0)
            except VolumeTimeoutError:
                pass  # ffmpeg notices by itself, and the run ends
            except OSError as error:
                if self._watch.failed(error) is not None:
                    await run.stop(_INTERRUPT_SECONDS)
            else:
                if storage.full(found.free):
                    self._give_up(Reason.STORAGE_FULL, _FULL)
                    await run.stop(_CLOSE_SECONDS)
            self._report_progress()
            await asyncio.sleep(_PROGRESS_SECONDS)

    async def _full(self, run: Run, cause: str) -> str | None:
        """What to say of a volume that takes nothing more; ``None``: it is not full."""
        # A quota may be used up while the file system still shows room.
        told = [cause, *run.stderr_tail]
        for words in _FULL_WORDS:
            if any(words in line for line in told):
                return f"{_FULL}: {words}"
        try:
            free = await self._volume.call("ask for free room", self._free_bytes)
        except OSError:  # the next listing says what is wrong
            return None
        return _FULL if storage.full(free) else None

    def _free_bytes(self) -> int:
        return storage.free_bytes(self._volume.folder)

    def _give_up(self, reason: Reason, message: str) -> None:
        if not self._gave_up:
            _log.error("recording ends: %s", message)
            self._events.write("recording_failed", reason=reason, message=message)
            self._gave_up = True
            self._failed(reason, message)

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Await ``work``; False when the recorder was stopped before it was done."""
        doing = asyncio.ensure_future(work)
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                return False
            doing.result()
            return True
        finally:
            doing.cancel()
            stopped.cancel()

    def _report_progress(self) -> None:
        report = self._manifest.report(video=self._plan.size is not None)
        run, found = self._run, self._watch.measured
        if run is not None and run.writing.is_set():
            # The open segment counts too: a meeting of 20 seconds is not "0 bytes so far".
            entered = {each.segment for each in self._manifest.segments}
            open_bytes = 0 if found is None or found.open_segment in entered else found.open_bytes
            since = max((each.end for each in self._manifest.segments if each.run == run.number), default=run.origin)
            report = report.model_copy(
                update={
                    "audio_files": 1,
                    "video_files": 1 if self._plan.size else 0,
                    "bytes": report.bytes + open_bytes,
                    "seconds": round(report.seconds + max(0.0, run.progress_at - since), 1),
                }
            )
        self._listener.recording_progress(report)


def _complaint(stderr: Sequence[str]) -> Sequence[str]:
    """ffmpeg's last line with the kernel's words in it, else its last; none if it said nothing."""
    lines = [line for line in stderr if any(words in line for words in _KERNEL_WORDS)] or stderr
    return [line[-_MAX_CHARACTERS:] for line in lines[-1:]]


class NoRecorder:
    """Stands where nothing is to be recorded (``recording.enabled: false``)."""

    async def recover(self) -> None:
        """Nothing was recorded before."""

    async def recovered_until(self) -> float:
        """Nothing was recorded before."""
        return 0.0

    async def run(self) -> None:
        """Nothing to run."""

    def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def finish(self) -> RecordingReport:
        """Nothing to make."""
        return RecordingReport()

    def note_gap(self, start: float, end: float, cause: str) -> None:
        """Nothing to say."""

    async def interrupt(self, cause: str, *, at_once: bool = False) -> None:
        """Nothing to interrupt."""
