"""The bot's components: devices, recorder, audio level monitor and the session, for as long as the meeting lasts.

Started in the order in which they need each other, ended in the reverse one. Each declares what its failure means: the
end of the session with a reason, or a second try while the rest goes on without it. Nothing ends in silence.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.links import Meeting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy_bot.devices.device import Device, DeviceError
from meeting_buddy_bot.devices.display import Display
from meeting_buddy_bot.devices.sound import Sound
from meeting_buddy_bot.devices.supervision import supervise
from meeting_buddy_bot.recording.audio_level import AudioLevelMonitor
from meeting_buddy_bot.recording.audio_source import PulseAudioSource
from meeting_buddy_bot.recording.manifest_writer import REPLACED
from meeting_buddy_bot.recording.plan import CapturePlan, picture_size, screen_size
from meeting_buddy_bot.recording.recorder import MeetingRecorder, NoRecorder, Recorder
from meeting_buddy_bot.recording.recovery import SessionFolder
from meeting_buddy_bot.runtime.memory import read_memory
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.session.context import Attend, SessionContext
from meeting_buddy_bot.session.earlier import read_earlier
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.session.result import SessionResult, failed
from meeting_buddy_bot.support import wall_clock
from meeting_buddy_bot.support.causes import cause_of
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.live_transcript import LiveTranscript
from meeting_buddy_bot.transcription.log_lines import line_log
from meeting_buddy_bot.transcription.messages import TranscriberConfig
from meeting_buddy_bot.transcription.render import line_ends
from meeting_buddy_bot.transcription.stream import TranscriptHub

_MEMORY_SECONDS: Final = 2.0
_READ_SECONDS: Final = 60.0
"""For the events of earlier attempts: hours of meeting are some megabytes."""
_RETRY_SECONDS: Final = 5.0
"""Until a component that is worth a second try is started again; twice as long after each failure soon after it."""
_RAN_LONG: Final = 60.0
"""Seconds after which a failure is no longer one of the same row."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Component:
    """Something that runs beside the session."""

    name: str
    run: Callable[[], Awaitable[None]]
    failure: Reason | None
    """Why the session ends when this fails; ``None``: it goes on without it, and it is started again."""
    longest_pause: float = 60.0
    """Seconds before it is started again, at the most."""


@dataclass(slots=True)
class Components:
    """The components of one bot and what they share."""

    settings: Settings
    assignment: Assignment
    meeting: Meeting
    reporter: SessionReporter
    clock: SessionClock
    process_clock: SessionClock
    """Of this process, whatever earlier attempts the session's goes on behind."""
    events: EventLog
    volume: Volume
    leave: LeaveSignal
    deadline: ShutdownDeadline
    secret_passcode: str | None = field(default=None, repr=False)
    hub: TranscriptHub | None = None
    """Where the transcript's lines go; ``None``: there is no transcript."""
    earlier: SessionFolder | None = None
    """What earlier attempts left; ``None``: this is the first."""
    _ending: bool = field(default=False, init=False, repr=False)
    """Whether the components are being ended; none is started again."""
    _known: SessionResult | None = field(default=None, init=False, repr=False)
    """Why the session ends, as soon as that is known; the first one counts."""
    _outcome: tuple[SessionResult, RecordingReport] | None = field(default=None, init=False, repr=False)

    async def attend(self, attend: Attend) -> tuple[SessionResult, RecordingReport]:
        """Run the whole session; how it ended, and what was recorded, verified or not."""
        work = asyncio.create_task(self._attend_beside_devices(attend), name="components")
        try:
            if await self.deadline.ending(work):
                return work.result()
            self.events.write("ending_overran")
            return self._outcome or (self._unended(), self.reporter.recorded)
        finally:
            work.cancel()

    async def _attend_beside_devices(self, attend: Attend) -> tuple[SessionResult, RecordingReport]:
        display = Display(screen_size(self.assignment.recording), self.settings.display)
        sound = Sound(self.settings.sockets)

        async def devices_answer() -> None:
            await display.wait_answering()
            await sound.wait_answering()

        recorder = self._recorder(display, sound, devices_answer)
        transcript = self._transcript(sound)
        try:
            async with display, sound, asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(self._keep_running(each), name=each.name)
                    for each in self._background_tasks(display, sound, recorder, transcript)
                ]
                try:
                    result = self._known = await self._attend_in_time(attend, recorder, sound, devices_answer)
                    self._outcome = result, await self._finish(recorder, transcript)
                finally:
                    self._ending = True
                    for task in background:  # before the devices end, or they would be brought back
                        task.cancel()
        except Exception as error:
            if self._outcome is not None:  # all is written that counts
                _log.exception("ending the components failed")
            elif self._known is not None:
                _log.exception("finishing the recording failed")
                return self._known, self.reporter.recorded
            elif isinstance(error, DeviceError):
                return self._asked() or SessionResult(Reason.BOT_CRASHED, str(error)), self.reporter.recorded
            else:
                raise
        if self._outcome is None:  # cannot be: without an outcome there was an error
            raise AssertionError("the components ended without an outcome")
        return self._outcome

    def _recorder(self, display: Display, sound: Sound, devices_answer: Callable[[], Awaitable[None]]) -> Recorder:
        wanted = self.assignment.recording
        if not wanted.enabled:
            return NoRecorder()
        return MeetingRecorder(
            CapturePlan(
                display.address,
                sound.server,
                sound.monitor,
                picture_size(wanted),
                wanted.frame_rate,
                self.settings.segment_seconds,
            ),
            self.volume,
            self.clock,
            self.events,
            self.reporter,
            devices_answer=devices_answer,
            failed=self.leave.request,
            earlier=self.earlier,
        )

    def _transcript(self, sound: Sound) -> LiveTranscript | None:
        if self.hub is None:
            return None
        config = self.assignment.transcription
        log_line = line_log(publish_names=self.assignment.publish_participants) if config.log_lines else None
        return LiveTranscript(
            TranscriberConfig.of(config, self.settings.transcription_key_file),
            PulseAudioSource(sound.server, sound.monitor, self.clock),
            TranscriptLines(self.volume, self.hub, log_line),
            self.clock,
            self.events,
            self.reporter,
        )

    def _background_tasks(
        self, display: Display, sound: Sound, recorder: Recorder, transcript: LiveTranscript | None
    ) -> list[Component]:
        source = PulseAudioSource(sound.server, sound.monitor, self.clock)
        monitor = AudioLevelMonitor(source, self.clock, self.reporter, self.events)
        return [
            Component("display", lambda: self._supervise(display, recorder), Reason.RECORDING_FAILED),
            Component("sound", lambda: self._supervise(sound, recorder), Reason.RECORDING_FAILED),
            Component("recorder", recorder.run, Reason.RECORDING_FAILED),
            Component("recovery", recorder.recover, Reason.RECORDING_FAILED),
            Component("earlier attempts", lambda: self._recall_earlier(recorder, transcript), None),
            Component("audio level", lambda: monitor.listen(sound.wait_answering, sound.kill), None),
            Component("memory", lambda: self._watch_memory(recorder), None),
            Component("wall clock", lambda: self._watch_wall_clock(recorder), None),
            Component("deadline", self._enforce_deadline, Reason.BOT_CRASHED),
            # What is said while it does not run has no text.
            *([Component("transcript", lambda: transcript.run(sound.wait_answering), None, 5.0)] if transcript else []),
        ]

    async def _keep_running(self, component: Component) -> None:
        """Run a component; do what it declares when it fails."""
        pause, told = _RETRY_SECONDS, None
        while True:
            began = self.process_clock.now()
            try:
                return await component.run()
            except Exception as error:  # each component's failure has its answer, whatever it is
                if self.process_clock.now() - began >= _RAN_LONG:
                    pause, told = _RETRY_SECONDS, None
                # One that fails for hours is told each time, with its traceback once.
                cause = cause_of(error)
                _log.error("component %s failed: %s", component.name, cause, exc_info=None if cause == told else error)
                told = cause
                if self._ending:  # it was cancelled, and its clean-up failed
                    return None
                self.events.write("component_failed", component=component.name, error=cause)
                if component.failure is not None:
                    self.leave.request(component.failure, f"component {component.name} failed: {cause}")
                    return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, component.longest_pause)

    async def _supervise(self, device: Device, recorder: Recorder) -> None:
        await supervise(device, self.clock, self.events, lost=recorder.interrupt)

    async def _recall_earlier(self, recorder: Recorder, transcript: LiveTranscript | None) -> None:
        """Pass on what earlier attempts knew of people and text."""
        if self.earlier is None:
            return
        folder, attempt = self.volume.folder, self.assignment.attempt
        # What was said before this bot came is in no line of its own.
        started = max(self.earlier.reached, self.clock.now() - self.process_clock.now())
        facts, written = await self.volume.call(
            "read the earlier events",
            lambda: (read_earlier(folder, attempt), line_ends(folder, started)),
            _READ_SECONDS,
        )
        self.reporter.earlier_participants(facts.participants)
        if transcript is None:
            return
        transcript.recall(facts.missed)
        for stay, following in zip_longest(facts.stays, facts.stays[1:]):
            ends = [end for end in written if following is None or end <= following.start]
            since = stay.end if stay.told else max([stay.start, *ends])
            if not self.assignment.recording.enabled:
                # Without a recording no gap of it tells that nobody was there.
                until = await self._admitted() if following is None else following.start
                transcript.tell_missed(since, until, REPLACED)
            elif not stay.told:
                transcript.tell_missed(since, stay.end, REPLACED)
                if following is None:  # what was heard is recorded in the segment, too, that it left open
                    transcript.tell_missed(since, await recorder.recovered_until(), REPLACED)

    async def _admitted(self) -> float:
        """When this bot is admitted, seconds on the session's clock."""
        return (await self.reporter.wait_joined() - self.clock.utc(0.0)).total_seconds()

    async def _watch_memory(self, recorder: Recorder) -> None:
        pressed = limited = False
        while (memory := read_memory()) is not None or limited:  # what has a limit may be unreadable for a moment
            limited = True
            if memory is not None and memory.pressed(pressed) is not pressed:
                pressed = not pressed
                self.events.write("memory_pressure", pressed=pressed, share=round(memory.share, 2))
                self.reporter.memory(pressed=pressed)
                if pressed:  # close the segment while that can still be done
                    await recorder.interrupt("memory is short")
            await asyncio.sleep(_MEMORY_SECONDS)

    async def _watch_wall_clock(self, recorder: Recorder) -> None:
        async for seconds in wall_clock.steps():
            self.events.write("clock_set", seconds=round(seconds, 3))
            await recorder.interrupt("the clock was set", at_once=True)

    async def _enforce_deadline(self) -> None:
        await asyncio.sleep(max(0.0, self.assignment.active_deadline_seconds - self.process_clock.now()))
        self.leave.request(Reason.MAX_DURATION_REACHED)

    async def _attend_in_time(
        self, attend: Attend, recorder: Recorder, sound: Sound, devices_answer: Callable[[], Awaitable[None]]
    ) -> SessionResult:
        context = SessionContext(
            self.settings,
            self.assignment,
            self.meeting,
            recorder,
            self.reporter,
            self.clock,
            self.events,
            self.volume,
            self.leave,
            sound,
            devices_answer,
            self.secret_passcode,
            self._note_result,
        )
        session = asyncio.create_task(attend(context), name="session")
        asked = asyncio.create_task(self.leave.wait(), name="asked to leave")
        try:
            await asyncio.wait({session, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not await self.deadline.leaving(session, self.process_clock.now()):
                self.events.write("session_overran")
                session.cancel()
                await self.deadline.cancelling(session)
            return self._result(session)
        finally:
            asked.cancel()
            session.cancel()

    def _result(self, session: asyncio.Task[SessionResult]) -> SessionResult:
        """From what the session returned or raised, and who asked it to leave, to one result."""
        if not session.done() or session.cancelled():
            return self._unended()
        error = session.exception()
        if error is None:
            result = session.result()
            # The session knows only the reason; who asked may have left a sentence.
            asked = self._asked()
            return asked if asked and result.reason is asked.reason and result.message is None else result
        _log.error("the session failed", exc_info=error)
        self.events.write("session_failed", error=cause_of(error))
        return self._known or failed(error)

    def _unended(self) -> SessionResult:
        """Of a session that was cut short."""
        crashed = SessionResult(Reason.BOT_CRASHED, "the session did not come to an end")
        return self._known or self._asked() or crashed

    def _asked(self) -> SessionResult | None:
        return SessionResult(self.leave.reason, self.leave.message) if self.leave.reason else None

    def _note_result(self, result: SessionResult) -> None:
        self._known = self._known or result

    async def _finish(self, recorder: Recorder, transcript: LiveTranscript | None) -> RecordingReport:
        """Close, join and verify the recording; beside it, let the transcript become final."""
        self.reporter.leaving()
        hearing = asyncio.create_task(self._finish_transcript(transcript)) if transcript is not None else None
        try:
            return await self._finish_recording(recorder)
        finally:
            if transcript is not None and hearing is not None:
                await hearing
                await self._in_time("transcript", transcript.publish(), self.deadline.finishing)

    async def _finish_recording(self, recorder: Recorder) -> RecordingReport:
        finishing = asyncio.create_task(recorder.finish(), name="finishing")
        try:
            if not await self.deadline.finishing(finishing):
                self.events.write("finishing_overran")
                return self.reporter.recorded
            return finishing.result()
        except Exception as error:  # what is on the volume is reported all the same, unverified
            _log.exception("finishing failed")
            self.events.write("finishing_failed", error=type(error).__name__)
            return self.reporter.recorded
        finally:
            finishing.cancel()
            await self.deadline.cleaning_up(finishing)

    async def _finish_transcript(self, transcript: LiveTranscript) -> None:
        await self._in_time("hearing out", transcript.finish(), self.deadline.hearing_out)
        await self._in_time("transcript", transcript.close(), self.deadline.finishing)

    async def _in_time(
        self, what: str, work: Coroutine[Any, Any, None], in_time: Callable[[asyncio.Task[None]], Awaitable[bool]]
    ) -> None:
        """Do something of the transcript's; whatever becomes of it, the recording counts."""
        task = asyncio.create_task(work, name=what)
        try:
            if await in_time(task):
                task.result()
            else:
                self.events.write("transcript_overran", doing=what)
        except Exception as error:
            _log.exception("%s failed", what)
            self.events.write("transcript_failed", doing=what, error=type(error).__name__)
        finally:
            task.cancel()
            await self.deadline.cleaning_up(task)
