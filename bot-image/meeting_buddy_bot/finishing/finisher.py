"""The finisher as a process: reads its assignment, finishes recording and transcript, reports as the bot would have.

| what happens | what the finisher does |
|---|---|
| the volume does not answer, or is gone | asks again, ten minutes or half a minute at most; then ends unverified |
| it does so while the transcript is read or published | the same; then the transcript alone is unverified |
| ``finish_seconds`` are over, or after SIGTERM the grace period is | ends unverified; what is on the volume stays |
| its transcriber dies, or the server for it is away | it is started again, or waited for, while there is time |
| no process can be started, or the recording's sound cannot be read | as if its transcriber had died |
| it is killed | the next one begins anew and comes to the same: all that it goes by is in the folder |
| the files were verified before | compares the hash, and says so |

Recording and transcript share ``finish_seconds``. The recording goes first, and what becomes of the text does not touch
it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from meeting_buddy.contract.assignment import AttemptConfig, FinisherAssignment
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy_bot.finishing.recording import UnfinishedRecording
from meeting_buddy_bot.finishing.transcript import UnfinishedTranscript
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.runtime.assignment_loader import AssignmentError, read_finisher_assignment
from meeting_buddy_bot.runtime.report_process import ReportProcess
from meeting_buddy_bot.runtime.shutdown_deadline import ShutdownDeadline
from meeting_buddy_bot.support import logs
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.log_lines import line_log
from meeting_buddy_bot.transcription.messages import TranscriberConfig
from meeting_buddy_bot.transcription.missing import DIED, NO_TIME
from meeting_buddy_bot.transcription.publishing import PUBLISHING_OVERRAN
from meeting_buddy_bot.transcription.stream import TranscriptHub, transcript_stream

_log = logging.getLogger(__name__)

_Wait = Callable[["asyncio.Task[None]"], Awaitable[bool]]
"""Waits for a task; false when its time is over."""


class Finisher(ReportProcess):
    """One finishing of one attempt's files."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._events.hold()
        self._unread = True
        self._read_transcript = False
        """Whether it was, so that what the bots left without text is told."""
        self._recording: UnfinishedRecording | None = None

    async def run(self) -> int:
        """Do it all; the exit code: 0 when the outcome was written, whatever it is."""
        logs.configure(Redactor())
        try:
            assignment = read_finisher_assignment(self._settings)
        except AssignmentError as error:
            return await self._refuse(error)
        state = ReportState(assignment.session_id, assignment.attempt, self._clock, table_hash=assignment.table_hash)
        self._redact_with(Redactor((assignment.tokens.control, assignment.tokens.read)), state, assignment)
        times = {"joined_at": assignment.joined_at, "left_at": assignment.left_at}
        state.update(phase=ReportPhase.LEAVING, ever_joined=True, **times)
        deadline = self._install_signal_handlers(assignment, lambda: None)
        return await self._serve(assignment, state, lambda server: self._work(assignment, state, deadline, server))

    async def _work(
        self, assignment: FinisherAssignment, state: ReportState, deadline: ShutdownDeadline, server: ReportServer
    ) -> None:
        """Finish, and end the report, whatever happens."""
        begun = self._process_clock.now()

        async def in_time(task: "asyncio.Task[None]") -> bool:
            return await _within(deadline, task, deadline.finishing(task, begun))

        async def leaving_time(task: "asyncio.Task[None]") -> bool:
            return await _within(deadline, task, deadline.catching_up(task, begun))

        watch = VolumeWatch(self._volume, self._process_clock, self._events, _Storage(state))
        recording = self._recording = UnfinishedRecording(
            self._volume,
            self._clock,
            self._events,
            assignment.recording,
            lambda: state.update(recording=recording.report),
        )
        try:
            await server.start()
            fault = await self._do("recording", recording.finish(watch), in_time)
            if fault is not None and assignment.transcription.wanted:
                unread = TranscriptionReport(state="Done", reason="VerificationFailed", message=PUBLISHING_OVERRAN)
                state.update(transcription=unread)
            elif fault is None:
                await self._finish_transcript(
                    assignment, recording, state, watch, deadline, server, in_time, leaving_time
                )
        except Exception as error:  # a fault of ours; the outcome is written all the same
            _log.exception("the finisher failed")
            fault = f"the finisher failed: {type(error).__name__}"
        self._end(assignment, state, recording, _overran(assignment, deadline) if fault == NO_TIME else fault)

    def _end(
        self, assignment: FinisherAssignment, state: ReportState, recording: UnfinishedRecording, fault: str | None
    ) -> None:
        self._unread = not recording.was_read
        if fault is None and recording.finished is not None and not recording.finished.verified:
            fault = recording.finished.cause
        message = assignment.message if recording.report.verified else fault or assignment.message
        state.update(phase=ReportPhase.ENDED, reason=assignment.reason, message=message, recording=recording.report)
        self._events.write(
            "finisher_ended",
            reason=assignment.reason,
            message=message,
            verified=recording.report.verified,
            transcript=self._read_transcript,
        )
        self._log_end(assignment.reason, message)

    async def _finish_transcript(
        self,
        assignment: FinisherAssignment,
        recording: UnfinishedRecording,
        state: ReportState,
        watch: VolumeWatch,
        deadline: ShutdownDeadline,
        server: ReportServer,
        in_time: _Wait,
        leaving_time: _Wait,
    ) -> None:
        """Transcribe what is left, and publish the transcript; whatever becomes of it, the recording counts."""
        config = assignment.transcription
        hub = TranscriptHub(self._volume)
        if config.wanted:
            server.transcript = transcript_stream(hub)
        log_line = line_log(publish_names=assignment.publish_participants) if config.log_lines else None
        lines = TranscriptLines(self._volume, hub, log_line)
        transcript = UnfinishedTranscript(
            lines,
            self._volume,
            self._clock,
            self._events,
            lambda report: state.update(transcription=report),
            lambda: self._seconds(assignment.joined_at) or 0.0,
        )
        try:
            opening = watch.wait_for(lambda: transcript.open(recording.earlier, recording.segments))
            fault = await self._do("transcript", opening, in_time)
            if fault is not None:
                transcript.give_up_reading(fault)
                return
            self._read_transcript = True
            if config.wanted:
                cause = await self._catch_up(assignment, transcript, recording, deadline, leaving_time)
                ends = [each.end for each in recording.segments]
                left = self._seconds(assignment.left_at) or 0.0
                transcript.give_up(cause, max(ends) if ends else left)
            await self._do("transcript's files", transcript.publish(watch, wanted=config.wanted), in_time)
        finally:
            lines.end_streams()

    async def _catch_up(
        self,
        assignment: FinisherAssignment,
        transcript: UnfinishedTranscript,
        recording: UnfinishedRecording,
        deadline: ShutdownDeadline,
        leaving_time: _Wait,
    ) -> str:
        """Transcribe what was recorded behind the last line; why anything of it has no text, if that is so."""
        finished = recording.finished
        if finished is None or not finished.verified or finished.file is None:
            return "there is no verified recording of it"
        if deadline.terminated:
            return NO_TIME
        engine = TranscriberConfig.of(assignment.transcription, self._settings.transcription_key_file)
        file = self._volume.folder / finished.file
        work = transcript.catch_up(engine, file, recording.segments, recording.earlier.spoken)
        return await self._do("rest of the transcript", work, leaving_time) or DIED

    async def _do(self, what: str, work: Coroutine[Any, Any, None], in_time: _Wait) -> str | None:
        """Do a part of the work within its time; what is wrong, :data:`NO_TIME` if it was cut short."""
        task = asyncio.create_task(work, name=what)
        try:
            if not await in_time(task):
                self._events.write("finishing_overran", doing=what)
                return NO_TIME
            task.result()
        except OSError as error:
            self._events.write("finishing_failed", doing=what, error=error.strerror)
            return error.strerror or type(error).__name__
        except Exception as error:
            _log.exception("finishing the %s failed", what)
            self._events.write("finishing_failed", doing=what, error=type(error).__name__)
            return f"the finisher failed: {type(error).__name__}"
        return None

    def _seconds(self, moment: datetime | None) -> float | None:
        return None if moment is None else (moment - self._clock.utc(0.0)).total_seconds()

    def _session_facts(self, state: ReportState, config: AttemptConfig) -> dict[str, object]:
        """What the bot knew of the meeting and wrote down stays in ``session.json``."""
        if self._recording is None:
            return super()._session_facts(state, config)
        earlier = self._recording.earlier
        state.participants = earlier.participants
        return {**super()._session_facts(state, config), **earlier.kept}


class _Storage:
    """Reports how the volume is."""

    def __init__(self, state: ReportState) -> None:
        self._state = state

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        self._state.update(storage_pressure=low, storage_unresponsive=unresponsive)


async def _within(deadline: ShutdownDeadline, task: "asyncio.Task[None]", waited: Awaitable[bool]) -> bool:
    """Whether a task was done in its time; if not, or if nobody waits any longer, it is cancelled and cleans up."""
    try:
        return await waited
    finally:
        if not task.done():
            task.cancel()
            await deadline.cleaning_up(task)


def _overran(assignment: FinisherAssignment, deadline: ShutdownDeadline) -> str:
    if deadline.terminated:
        return "the pod was stopped from outside before the recording was verified"
    return f"the recording could not be verified within {assignment.finish_seconds} s"
