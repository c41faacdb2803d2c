"""PID 1 of the `bot` container: takes its orders, lets the family work, and tells the outcome.

| what dies | what happens |
|---|---|
| Xvfb, PulseAudio | started again; the recorder starts a new run; the gap is in the manifest (``devices/keeper.py``) |
| ffmpeg | started again at once; gap in the manifest (``recording/recorder.py``) |
| parec | started again; the recording does not notice (``recording/hearing.py``) |
| Chromium, chromedriver | the session rejoins; recorder and report live on (``session.py``) |
| the session's own code | the recording is finished all the same; reason BotCrashed (``family.py``) |
| this process | the container ends; the operator sees BotCrashed; closed segments and manifest lie on the volume |

Everything after a SIGTERM fits the pod's grace period (``budget.py``): leaving politely, closing, finishing, telling,
in that order; what does not fit is cut, the telling last of all.
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
from meeting_buddy_bot import logs
from meeting_buddy_bot.budget import Budget
from meeting_buddy_bot.clock import SessionClock
from meeting_buddy_bot.ending import Ending
from meeting_buddy_bot.events import EVENTS_FILE, EventLog
from meeting_buddy_bot.family import Family
from meeting_buddy_bot.leave import LeaveSignal
from meeting_buddy_bot.orders import OrdersError, judge_link, read_assignment
from meeting_buddy_bot.processes import reap_orphans
from meeting_buddy_bot.redaction import Redactor
from meeting_buddy_bot.reporting.outcome import write_session, write_termination_message
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.settings import Settings
from meeting_buddy_bot.stage import Attend

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
        if os.getpid() == 1:
            asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, reap_orphans)
        try:
            assignment = read_assignment(self._settings)
        except OrdersError as error:
            state = ReportState("", 0, self._clock)
            self._end(state, Ending(error.reason, str(error)), RecordingReport())
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
        budget = self._obey_signals(assignment)
        server = ReportServer(state, assignment.tokens, self._leave, self._settings.port)
        await server.start()
        try:
            self._end(state, *await self._work(assignment, state, budget))
            code = self._tell(state, assignment)
            await server.wait_told(_TELL_SECONDS)
            return code
        finally:
            await server.stop()

    async def _work(self, assignment: Assignment, state: ReportState, budget: Budget) -> tuple[Ending, RecordingReport]:
        try:
            meeting = judge_link(assignment, self._settings)
        except OrdersError as error:
            return Ending(error.reason, str(error)), RecordingReport()
        redact = Redactor.for_link(meeting.link, assignment.tokens.control, assignment.tokens.read)
        logs.configure(redact, debug=assignment.debug_mode)
        state.redact_with(redact)
        if not os.access(self._settings.recordings, os.W_OK | os.X_OK):
            return Ending(Reason.CONFIG_INVALID, "the recordings volume cannot be written"), RecordingReport()
        events = EventLog(self._settings.recordings / EVENTS_FILE, self._clock, redact)
        events.write("bot_started", attempt=assignment.attempt, platform=meeting.platform)
        family = Family(self._settings, assignment, meeting, state, self._clock, events, self._leave, budget)
        try:
            ending, recording = await family.attend(self._attend)
            events.write("ended", reason=ending.reason, message=ending.message, verified=recording.verified)
            return ending, recording
        finally:
            events.close()

    def _obey_signals(self, assignment: Assignment) -> Budget:
        budget = Budget(self._clock, assignment.grace_seconds)

        def terminate() -> None:
            _log.info("SIGTERM: leaving")
            budget.terminate()
            self._leave.request(Reason.EVICTED, "the pod was stopped from outside")

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, terminate)
        return budget

    def _end(self, state: ReportState, ending: Ending, recording: RecordingReport) -> None:
        changes: dict[str, object] = {}
        if state.report.joined_at is not None and state.report.left_at is None:
            changes["left_at"] = self._clock.utc()
        state.update(
            phase=ReportPhase.ENDED,
            reason=ending.reason,
            message=ending.message,
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
