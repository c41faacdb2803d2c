"""The supervisor of container `bot`: loads the assignment, runs the components, writes the outcome.

Everything after a SIGTERM fits the pod's grace period (``shutdown_deadline.py``): leave politely, close, finish, write
the outcome, in that order; what does not fit is cut, the outcome last of all.
"""

import asyncio
import logging

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy.contract.table import table_hash
from meeting_buddy_bot.recording.recovery import SessionFolder
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.assignment_loader import AssignmentError, load_link, load_passcode, read_assignment
from meeting_buddy_bot.runtime.components import Components
from meeting_buddy_bot.runtime.earlier_attempts import go_on
from meeting_buddy_bot.runtime.report_process import ReportProcess
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.session.context import Attend
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support import logs
from meeting_buddy_bot.support.causes import cause_of
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.transcription.stream import TranscriptHub, transcript_stream

_log = logging.getLogger(__name__)

_Outcome = tuple[SessionResult, RecordingReport]


class Supervisor(ReportProcess):
    """One bot, from its assignment to its outcome."""

    def __init__(self, settings: Settings, attend: Attend) -> None:
        super().__init__(settings)
        self._attend = attend

    async def run(self) -> int:
        """Do it all; the exit code: 0 when the outcome was written, whatever it is."""
        logs.configure(Redactor())
        try:
            assignment = read_assignment(self._settings)
        except AssignmentError as error:
            return await self._refuse(error)
        state = ReportState(
            assignment.session_id, assignment.attempt, self._clock, table_hash=table_hash(assignment.table)
        )
        tokens = (assignment.tokens.control, assignment.tokens.read)
        self._redact_with(Redactor.for_link(assignment.link or "", *tokens), state, assignment)
        if assignment.attempt > 1:
            self._unread = True
            self._events.hold()
        reporter = SessionReporter(
            state, self._events, publish_names=assignment.publish_participants, rejoins=assignment.rejoins
        )
        deadline = self._install_signal_handlers(
            assignment,
            lambda: self._leave.request(Reason.EVICTED, "the pod was stopped from outside"),
        )

        async def work(server: ReportServer) -> None:
            result, recording = await self._run_session(assignment, state, reporter, deadline, server)
            reporter.ended(result, recording, self._clock.utc())
            self._log_end(result.reason, result.message)

        return await self._serve(assignment, state, work)

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
            return SessionResult(error.reason, str(error)), reporter.recorded
        except Exception as error:  # a fault of ours; the outcome is written all the same
            _log.exception("the bot failed")
            return SessionResult(Reason.BOT_CRASHED, f"the bot failed: {cause_of(error)}"), reporter.recorded

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
        earlier = await self._wait_for_volume(reporter)
        if isinstance(earlier, SessionResult):
            return earlier, reporter.recorded
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
            self._process_clock,
            self._events,
            self._volume,
            self._leave,
            deadline,
            passcode,
            hub,
            earlier,
        )
        result, recording = await components.attend(self._attend)
        self._events.write("ended", reason=result.reason, message=result.message, verified=recording.verified)
        return result, recording

    async def _wait_for_volume(self, reporter: SessionReporter) -> SessionFolder | SessionResult | None:
        """The folder as earlier attempts left it, if any; or why the session ends before it can be used.

        Raises:
            AssignmentError: it cannot be written.
        """
        opening = asyncio.create_task(self._open_folder(reporter), name="session's folder")
        asked = asyncio.create_task(self._leave.wait(), name="asked to leave")
        try:
            await asyncio.wait({opening, asked}, return_when=asyncio.FIRST_COMPLETED)
            return opening.result() if opening.done() else SessionResult(asked.result(), self._leave.message)
        except OSError as error:
            return SessionResult(Reason.RECORDING_FAILED, error.strerror)
        finally:
            opening.cancel()
            asked.cancel()

    async def _open_folder(self, reporter: SessionReporter) -> SessionFolder | None:
        watch = VolumeWatch(self._volume, self._process_clock, self._events, reporter)
        await watch.wait_for(self._check_volume)
        if not self._unread:
            return None
        found = await go_on(self._volume, self._clock, self._events, watch)
        self._unread = False
        return found
