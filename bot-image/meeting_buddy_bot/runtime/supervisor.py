"""The supervisor of container `bot`: loads the assignment, runs the components, writes the outcome.

Everything after a SIGTERM fits the pod's grace period (``shutdown_deadline.py``): leave politely, close, finish, write
the outcome, in that order; what does not fit is cut, the outcome last of all.
"""

import asyncio
import logging
import os
import signal
from typing import Final

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy.contract.table import table_hash
from meeting_buddy_bot.reporting.outcome import write_session, write_termination_message
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.assignment_loader import AssignmentError, load_link, read_assignment
from meeting_buddy_bot.runtime.components import Components
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.session.context import Attend
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support import logs
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EVENTS_FILE, EventLog
from meeting_buddy_bot.support.redaction import Redactor
from meeting_buddy_bot.support.settings import Settings

_TELL_SECONDS: Final = 2.5
"""For the last event to reach every subscriber; events are a second apart."""

_log = logging.getLogger(__name__)


class Supervisor:
    """One bot, from its orders to its outcome."""

    def __init__(self, settings: Settings, attend: Attend) -> None:
        self._settings = settings
        self._attend = attend
        self._clock = SessionClock()
        self._leave = LeaveSignal()

    async def run(self) -> int:
        """Do it all; the exit code: 0 when the outcome was told, whatever it is."""
        logs.configure(Redactor())
        try:
            assignment = read_assignment(self._settings)
        except AssignmentError as error:
            state = ReportState("", 0, self._clock)
            self._end(state, SessionResult(error.reason, str(error)), RecordingReport())
            return self._tell(state, None)
        return await self._serve(assignment)

    async def _serve(self, assignment: Assignment) -> int:
        redact = Redactor((assignment.tokens.control, assignment.tokens.read, assignment.link or ""))
        logs.configure(redact, debug=assignment.debug_mode)
        state = ReportState(
            assignment.session_id,
            assignment.attempt,
            self._clock,
            table_hash=table_hash(assignment.table),
            redact=redact,
        )
        deadline = self._install_signal_handlers(assignment)
        server = ReportServer(state, assignment.tokens, self._leave, self._settings.port)
        await server.start()
        try:
            self._end(state, *await self._work(assignment, state, deadline))
            code = self._tell(state, assignment)
            await server.wait_told(_TELL_SECONDS)
            return code
        finally:
            await server.stop()

    async def _work(
        self, assignment: Assignment, state: ReportState, deadline: ShutdownDeadline
    ) -> tuple[SessionResult, RecordingReport]:
        try:
            meeting = load_link(assignment, self._settings)
        except AssignmentError as error:
            return SessionResult(error.reason, str(error)), RecordingReport()
        redact = Redactor.for_link(meeting.link, assignment.tokens.control, assignment.tokens.read)
        logs.configure(redact, debug=assignment.debug_mode)
        state.redact_with(redact)
        if not os.access(self._settings.recordings, os.W_OK | os.X_OK):
            return SessionResult(Reason.CONFIG_INVALID, "the recordings volume cannot be written"), RecordingReport()
        events = EventLog(self._settings.recordings / EVENTS_FILE, self._clock, redact)
        events.write("bot_started", attempt=assignment.attempt, platform=meeting.platform)
        components = Components(self._settings, assignment, meeting, state, self._clock, events, self._leave, deadline)
        try:
            result, recording = await components.attend(self._attend)
            events.write("ended", reason=result.reason, message=result.message, verified=recording.verified)
            return result, recording
        finally:
            events.close()

    def _install_signal_handlers(self, assignment: Assignment) -> ShutdownDeadline:
        deadline = ShutdownDeadline(self._clock, assignment.grace_seconds)

        def terminate() -> None:
            _log.info("SIGTERM: leaving")
            deadline.terminate()
            self._leave.request(Reason.EVICTED, "the pod was stopped from outside")

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, terminate)
        return deadline

    def _end(self, state: ReportState, result: SessionResult, recording: RecordingReport) -> None:
        changes: dict[str, object] = {}
        if state.report.joined_at is not None and state.report.left_at is None:
            changes["left_at"] = self._clock.utc()
        state.update(
            phase=ReportPhase.ENDED,
            reason=result.reason,
            message=result.message,
            recording=recording,
            waiting=None,
            **changes,
        )

    def _tell(self, state: ReportState, assignment: Assignment | None) -> int:
        """Write the outcome where it stays. Either place alone is enough for the operator to learn it: 0, else 1."""
        told = 0
        _log.info("ended: %s", state.report.reason, extra={"facts": {"reason": state.report.reason}})
        try:
            write_termination_message(self._settings.termination_log, state.report)
            told += 1
        except OSError as error:
            _log.error("the termination message cannot be written: %s", error.strerror)
        if assignment is not None:
            facts = {
                "namespace": assignment.namespace,
                "botName": assignment.bot_name,
                "metadata": assignment.metadata,
            }
            try:
                write_session(self._settings.recordings, state.report, facts)
                told += 1
            except OSError as error:
                _log.error("session.json cannot be written: %s", error.strerror)
        return 0 if told else 1
