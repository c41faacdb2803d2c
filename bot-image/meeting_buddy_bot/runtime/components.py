"""The bot's components: devices, recorder, audio level monitor and the session, for as long as the meeting lasts.

Started in the order in which they need each other, ended in the reverse one. Each member's death has one answer, listed
in :mod:`meeting_buddy_bot.runtime.supervisor`.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Final

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.links import Meeting
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy_bot.devices.device import Device, DeviceError
from meeting_buddy_bot.devices.display import Display
from meeting_buddy_bot.devices.sound import Sound
from meeting_buddy_bot.devices.supervision import supervise
from meeting_buddy_bot.recording.audio_level import AudioLevelMonitor
from meeting_buddy_bot.recording.audio_source import PulseAudioSource
from meeting_buddy_bot.recording.plan import CapturePlan, screen_size
from meeting_buddy_bot.recording.recorder import MeetingRecorder, NoRecorder, Recorder, RecordingError
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.memory import read_memory
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.session.context import Attend, SessionContext
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.settings import Settings

_MEMORY_SECONDS: Final = 2.0
_CANCEL_SECONDS: Final = 5.0
"""For a session that overran its time to close what it holds open."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Components:
    """The members and what they share."""

    settings: Settings
    assignment: Assignment
    meeting: Meeting
    state: ReportState
    clock: SessionClock
    events: EventLog
    leave: LeaveSignal
    deadline: ShutdownDeadline

    async def attend(self, attend: Attend) -> tuple[SessionResult, RecordingReport]:
        """Run the whole session; how it ended, and what was recorded, verified or not."""
        order = self.assignment.recording
        display = Display(screen_size(order), self.settings.display)
        sound = Sound(self.settings.sockets)
        recorder = self._recorder(display, sound)
        chores: list[asyncio.Task[None]] = []
        try:
            async with display, sound:
                chores = self._background_tasks(display, sound, recorder)
                try:
                    result = await self._attend_in_time(attend, recorder)
                    return result, await self._finish(recorder)
                finally:
                    for chore in chores:  # first, or they would bring back what is being ended
                        chore.cancel()
                    await asyncio.gather(*chores, return_exceptions=True)
        except DeviceError as error:
            return SessionResult(Reason.BOT_CRASHED, str(error)), RecordingReport()

    def _recorder(self, display: Display, sound: Sound) -> MeetingRecorder | NoRecorder:
        order = self.assignment.recording
        if not order.enabled:
            return NoRecorder()
        size = None if order.video == "none" else screen_size(order)
        plan = CapturePlan(display.address, sound.server, sound.monitor, size, order.frame_rate)

        async def devices_answer() -> None:
            await display.wait_answering()
            await sound.wait_answering()

        return MeetingRecorder(
            plan,
            self.settings.recordings,
            self.clock,
            self.events,
            self.state,
            devices_answer=devices_answer,
            failed=self.leave.request,
        )

    def _background_tasks(
        self, display: Display, sound: Sound, recorder: MeetingRecorder | NoRecorder
    ) -> list[asyncio.Task[None]]:
        monitor = AudioLevelMonitor(
            PulseAudioSource(sound.server, sound.monitor, self.clock), self.clock, self.state, self.events
        )
        return [
            asyncio.create_task(self._keep(display, recorder), name="keep display"),
            asyncio.create_task(self._keep(sound, recorder), name="keep sound"),
            asyncio.create_task(monitor.listen(sound.wait_answering, sound.kill), name="monitor"),
            asyncio.create_task(self._watch_memory(recorder), name="memory"),
            asyncio.create_task(self._enforce_deadline(), name="deadline"),
        ]

    async def _keep(self, device: Device, recorder: MeetingRecorder | NoRecorder) -> None:
        try:
            await supervise(device, self.clock, self.events, lost=recorder.interrupt)
        except DeviceError as error:
            self.leave.request(Reason.RECORDING_FAILED, str(error))

    async def _watch_memory(self, recorder: MeetingRecorder | NoRecorder) -> None:
        while (memory := read_memory()) is not None:
            before = self.state.report.memory_pressure
            if memory.pressed(before) is not before:
                self.events.write("memory_pressure", pressed=not before, share=round(memory.share, 2))
                self.state.update(memory_pressure=not before)
                if not before:  # close the segment while that can still be done
                    await recorder.interrupt("memory is short")
            await asyncio.sleep(_MEMORY_SECONDS)

    async def _enforce_deadline(self) -> None:
        await asyncio.sleep(max(0.0, self.assignment.active_deadline_seconds - self.clock.now()))
        self.leave.request(Reason.MAX_DURATION_REACHED)

    async def _attend_in_time(self, attend: Attend, recorder: Recorder) -> SessionResult:
        context = SessionContext(
            self.settings, self.assignment, self.meeting, recorder, self.state, self.clock, self.events, self.leave
        )
        session = asyncio.create_task(attend(context), name="session")
        asked = asyncio.create_task(self.leave.wait(), name="asked to leave")
        await asyncio.wait({session, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not await self.deadline.leaving(session, self.clock.now()):
            self.events.write("session_overran")
            session.cancel()
            await asyncio.wait({session}, timeout=_CANCEL_SECONDS)
        return self._result(session)

    def _result(self, session: asyncio.Task[SessionResult]) -> SessionResult:
        asked = SessionResult(self.leave.reason, self.leave.message) if self.leave.reason else None
        if not session.done() or session.cancelled():
            return asked or SessionResult(Reason.BOT_CRASHED, "the session did not come to an end")
        error = session.exception()
        if error is None:
            result = session.result()
            # The session knows only the reason; who asked may have left a sentence.
            return asked if asked and result.reason is asked.reason and result.message is None else result
        if isinstance(error, RecordingError):
            return SessionResult(error.reason, str(error))
        _log.error("the session failed", exc_info=error)
        self.events.write("session_failed", error=type(error).__name__)
        return SessionResult(Reason.BOT_CRASHED, f"the bot's session failed: {type(error).__name__}")

    async def _finish(self, recorder: Recorder) -> RecordingReport:
        self.state.update(phase=ReportPhase.LEAVING)
        finishing = asyncio.create_task(recorder.finish(), name="finishing")
        if not await self.deadline.finishing(finishing):
            self.events.write("finishing_overran")
            finishing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await finishing
            return self.state.report.recording
        error = finishing.exception()
        if error is not None:
            _log.error("finishing failed", exc_info=error)
            return self.state.report.recording
        return finishing.result()
