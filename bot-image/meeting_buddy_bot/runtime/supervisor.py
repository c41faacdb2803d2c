"""The supervisor of container `bot`: loads the assignment, runs the components, writes the outcome.

Everything after a SIGTERM fits the pod's grace period (``shutdown_deadline.py``): leave politely, close, finish, write
the outcome, in that order; what does not fit is cut, the outcome last of all. Its event loop never waits for the
volume: the kubelet's liveness probe asks this loop, and would kill a bot whose volume hangs.
"""

import asyncio
import logging
import os
import signal
from typing import Final

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.contract.report import NAMELESS, RecordingReport
from meeting_buddy.contract.table import table_hash
from meeting_buddy_bot.reporting.outcome import write_session, write_termination_message
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.assignment_loader import AssignmentError, load_link, load_passcode, read_assignment
from meeting_buddy_bot.runtime.components import Components
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.session.context import Attend
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support import logs
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EVENTS_FILE, EventLog
from meeting_buddy_bot.support.redaction import Redactor
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.stream import TranscriptHub, transcript_stream

_LAST_EVENT_SECONDS: Final = 2.5
"""For the last event to reach every subscriber; events are a second apart."""
_OUTCOME_SECONDS: Final = 5.0
"""For session.json, and for the last events; the termination message does not lie on the volume."""

_log = logging.getLogger(__name__)

_Outcome = tuple[SessionResult, RecordingReport]


class Supervisor:
    """One bot, from its assignment to its outcome."""

    def __init__(self, settings: Settings, attend: Attend) -> None:
        self._settings = settings
        self._attend = attend
        self._clock = SessionClock()
        self._leave = LeaveSignal()
        self._volume = Volume(settings.recordings)
        self._events = EventLog(settings.recordings / EVENTS_FILE, self._clock)

    async def run(self) -> int:
        """Do it all; the exit code: 0 when the outcome was written, whatever it is."""
        logs.configure(Redactor())
        try:
            assignment = read_assignment(self._settings)
        except AssignmentError as error:
            state = ReportState(*NAMELESS, self._clock)
            outcome = SessionResult(error.reason, str(error)), RecordingReport()
            self._end(SessionReporter(state, self._events), outcome)
            return await self._write_outcome(state, None)
        return await self._serve(assignment)

    async def _serve(self, assignment: Assignment) -> int:
        state = ReportState(
            assignment.session_id, assignment.attempt, self._clock, table_hash=table_hash(assignment.table)
        )
        tokens = (assignment.tokens.control, assignment.tokens.read)
        self._redact_with(Redactor.for_link(assignment.link or "", *tokens), state, assignment)
        reporter = SessionReporter(state, self._events, publish_names=assignment.publish_participants)
        deadline = self._install_signal_handlers(assignment)
        server = ReportServer(state, assignment.tokens, self._leave, self._settings.port)
        try:
            self._end(reporter, await self._run_session(assignment, state, reporter, deadline, server))
            code = await self._write_outcome(state, assignment)
            await server.wait_delivered(_LAST_EVENT_SECONDS)
            return code
        finally:
            await server.stop()

    async def _run_session(
        self,
        assignment: Assignment,
        state: ReportState,
        reporter: SessionReporter,
        deadline: ShutdownDeadline,
        server: ReportServer,
    ) -> _Outcome:
        """The session's outcome, whatever happens: nothing that fails here ends in silence."""
        try:
            await server.start()
            return await self._work(assignment, state, reporter, deadline, server)
        except AssignmentError as error:
            return SessionResult(error.reason, str(error)), RecordingReport()
        except Exception as error:  # a fault of ours; the outcome is written all the same
            _log.exception("the bot failed")
            return SessionResult(Reason.BOT_CRASHED, f"the bot failed: {type(error).__name__}"), reporter.recorded

    async def _work(
        self,
        assignment: Assignment,
        state: ReportState,
        reporter: SessionReporter,
        deadline: ShutdownDeadline,
        server: ReportServer,
    ) -> _Outcome:
        meeting, passcode = load_link(assignment, self._settings), load_passcode(self._settings)
        tokens = (assignment.tokens.control, assignment.tokens.read)
        redact = Redactor.for_link(meeting.link, *tokens, rules=meeting.rules, passcode=passcode)
        self._redact_with(redact, state, assignment)
        await self._check_volume()
        self._events.write("bot_started", attempt=assignment.attempt, platform=meeting.platform)
        if assignment.left_out_of_table:
            self._events.write("table_parts_left_out", parts=assignment.left_out_of_table)
        hub = TranscriptHub(self._volume) if assignment.transcription.wanted else None
        if hub is not None:
            server.transcript = transcript_stream(hub)
        components = Components(
            self._settings,
            assignment,
            meeting,
            reporter,
            self._clock,
            self._events,
            self._volume,
            self._leave,
            deadline,
            passcode,
            hub,
        )
        result, recording = await components.attend(self._attend)
        self._events.write("ended", reason=result.reason, message=result.message, verified=recording.verified)
        return result, recording

    def _redact_with(self, redact: Redactor, state: ReportState, assignment: Assignment) -> None:
        logs.configure(redact, debug=assignment.debug_mode)
        state.redact_with(redact)
        self._events.configure(redact, publish_personal=assignment.publish_participants)

    async def _check_volume(self) -> None:
        """Raises AssignmentError when nothing can be written to the volume."""
        folder = self._settings.recordings
        try:
            writable = await self._volume.call("check", lambda: os.access(folder, os.W_OK | os.X_OK))
        except OSError as error:
            raise AssignmentError(
                Reason.CONFIG_INVALID, f"the recordings volume cannot be used: {error.strerror}"
            ) from error
        if not writable:
            raise AssignmentError(Reason.CONFIG_INVALID, "the recordings volume cannot be written")

    def _install_signal_handlers(self, assignment: Assignment) -> ShutdownDeadline:
        deadline = ShutdownDeadline(self._clock, assignment.grace_seconds, assignment.finish_seconds)

        def terminate() -> None:
            _log.info("SIGTERM: leaving")
            deadline.terminate()
            self._leave.request(Reason.EVICTED, "the pod was stopped from outside")

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, terminate)
        return deadline

    def _end(self, reporter: SessionReporter, outcome: _Outcome) -> None:
        """Report the end and log its cause."""
        result, recording = outcome
        reporter.ended(result, recording, self._clock.utc())
        level = logging.ERROR if REASONS[result.reason].end is Phase.FAILED else logging.INFO
        facts = {"reason": result.reason, "cause": result.message}
        _log.log(level, "ended: %s: %s", result.reason, result.message or "-", extra={"facts": facts})

    async def _write_outcome(self, state: ReportState, assignment: Assignment | None) -> int:
        """Write the outcome where it stays. Either place alone is enough for the operator to learn it: 0, else 1."""
        written = 0
        try:
            write_termination_message(self._settings.termination_log, state.report)
            written += 1
        except OSError as error:
            _log.error("the termination message cannot be written: %s", error.strerror)
        if assignment is not None:
            facts = {
                "namespace": assignment.namespace,
                "botName": assignment.bot_name,
                **state.redacted(metadata=assignment.metadata, participants=state.participants),
            }
            folder, report = self._settings.recordings, state.report
            try:
                await self._volume.call(
                    "write session.json", lambda: write_session(folder, report, facts), _OUTCOME_SECONDS
                )
                written += 1
            except OSError as error:
                _log.error("session.json cannot be written: %s", error.strerror)
            await self._events.close(_OUTCOME_SECONDS)
        return 0 if written else 1
