"""What the bot and the finisher have in common: a process that serves its report and leaves its outcome behind.

Its event loop never waits for the volume: the kubelet's liveness probe asks this loop, and would kill a process whose
volume hangs.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from meeting_buddy.contract.assignment import AttemptConfig
from meeting_buddy.contract.phases import Phase, ReportPhase
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import NAMELESS
from meeting_buddy_bot.reporting.outcome import write_session, write_termination_message
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.assignment_loader import AssignmentError
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.support import logs
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EVENTS_FILE, EventLog
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import Volume

_LAST_EVENT_SECONDS: Final = 2.5
"""For the last event to reach every subscriber; events are a second apart."""
_OUTCOME_SECONDS: Final = 5.0
"""For session.json, and for the last events; the termination message does not lie on the volume."""

_log = logging.getLogger(__name__)


class ReportProcess:
    """A process of container ``bot``, from its assignment to its outcome; what it does between is its subclass's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SessionClock()
        """Of the session's folder: it goes on where an earlier process ended, once the folder was read."""
        self._process_clock = SessionClock()
        """Of this process; deadlines count by it."""
        self._leave = LeaveSignal()
        self._volume = Volume(settings.recordings)
        self._events = EventLog(settings.recordings / EVENTS_FILE, self._clock)
        self._unread = False
        """Whether the folder holds what earlier processes wrote and was not read: nothing is written to it then."""

    async def _refuse(self, error: AssignmentError) -> int:
        """End without having begun: the assignment cannot be used; the process's exit code."""
        state = ReportState(*NAMELESS, self._clock)
        state.update(phase=ReportPhase.ENDED, reason=error.reason, message=str(error))
        self._log_end(error.reason, str(error))
        code = await self._write_outcome(state, None)
        logs.flush()
        return code

    async def _serve(
        self, config: AttemptConfig, state: ReportState, work: Callable[[ReportServer], Awaitable[None]]
    ) -> int:
        """Serve the report until ``work`` is done, which ends it and never raises; the process's exit code."""
        server = ReportServer(state, config.tokens, self._leave, self._settings.port)
        try:
            await work(server)
            code = await self._write_outcome(state, config)
            await server.wait_delivered(_LAST_EVENT_SECONDS)
            return code
        finally:
            await server.stop()
            logs.flush()  # nobody waits for this loop any more

    def _redact_with(self, redact: Redactor, state: ReportState, config: AttemptConfig) -> None:
        logs.configure(redact, debug=config.debug_mode)
        state.redact_with(redact)
        self._events.configure(redact, publish_personal=config.publish_participants)

    async def _check_volume(self) -> None:
        """Ask whether the volume can be written.

        Raises:
            AssignmentError: it says no.
            OSError: it does not say.
        """
        folder = self._settings.recordings

        def check() -> bool:
            folder.stat()  # of what went wrong, access says nothing
            return os.access(folder, os.W_OK | os.X_OK)

        try:
            writable = await self._volume.call("check", check)
        except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
            raise AssignmentError(
                Reason.CONFIG_INVALID, f"the recordings volume cannot be used: {error.strerror}"
            ) from error
        if not writable:
            raise AssignmentError(Reason.CONFIG_INVALID, "the recordings volume cannot be written")

    def _install_signal_handlers(self, config: AttemptConfig, terminated: Callable[[], None]) -> ShutdownDeadline:
        """From now on SIGTERM calls ``terminated`` and shortens the deadline that is returned."""
        deadline = ShutdownDeadline(self._process_clock, config.grace_seconds, config.finish_seconds)

        def terminate() -> None:
            _log.info("SIGTERM: leaving")
            deadline.terminate()
            terminated()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, terminate)
        return deadline

    def _log_end(self, reason: Reason, message: str | None) -> None:
        level = logging.ERROR if REASONS[reason].end is Phase.FAILED else logging.INFO
        _log.log(level, "ended: %s: %s", reason, message or "-", extra={"facts": {"reason": reason, "cause": message}})

    def _session_facts(self, state: ReportState, config: AttemptConfig) -> dict[str, object]:
        """What ``session.json`` has beside the report."""
        cleaned = state.redacted(metadata=config.metadata, participants=state.participants)
        return {"namespace": config.namespace, "botName": config.bot_name, **cleaned}

    async def _write_outcome(self, state: ReportState, config: AttemptConfig | None) -> int:
        """Write the outcome where it stays. Either place alone is enough for the operator to learn it: 0, else 1."""
        written = 0
        try:
            write_termination_message(self._settings.termination_log, state.report)
            written += 1
        except OSError as error:
            _log.error("the termination message cannot be written: %s", error.strerror)
        if config is not None and not self._unread:
            folder, report, facts = self._settings.recordings, state.report, self._session_facts(state, config)
            try:
                await self._volume.call(
                    "write session.json", lambda: write_session(folder, report, facts), _OUTCOME_SECONDS
                )
                written += 1
            except OSError as error:
                _log.error("session.json cannot be written: %s", error.strerror)
            await self._events.close(_OUTCOME_SECONDS)
        return 0 if written else 1
