"""How the transcript goes, how far it is behind, what became of it: each change once, to report and events."""

from typing import Final

from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.messages import Fault, Ready
from meeting_buddy_bot.transcription.publishing import outcome_given_up

LAGGING_SECONDS: Final = 15.0
"""By which the text may be behind what was said before that is told."""
_REPORT_SECONDS: Final = 10.0
"""Between two reports of a lag that changes and nothing else."""
_SPARING: Final = "processors are short on the node, so that text has to wait for the recording"


class TranscriptStatus:
    """The transcript's part of one session's report. A fault stays told until text comes again."""

    def __init__(self, reporter: SessionReporter, clock: SessionClock, events: EventLog) -> None:
        self._reporter = reporter
        self._clock = clock
        self._events = events
        self._report = TranscriptionReport(state="Starting")
        self._reported_at = 0.0
        self._failing = False
        """Whether no decoding has succeeded since the last fault."""
        self._given_up = False
        self._spares = False
        """Whether the transcriber decodes less than it could."""

    @property
    def given_up(self) -> bool:
        """Whether there was a fault that no process can get over."""
        return self._given_up

    @property
    def reason(self) -> str | None:
        """Of the fault that is told."""
        return self._report.reason

    @property
    def fault_message(self) -> str | None:
        """Why nothing is decoded, while a fault is told."""
        return self._report.message if self._failing else None

    def starting(self, lines: int) -> None:
        """It is begun, for the first time or once more; so many lines there are."""
        self._tell(state="Starting", lines=lines)

    def written(self, lines: int) -> None:
        """So many lines there are; told with what is told next."""
        self._report = self._report.model_copy(update={"lines": lines})

    def ready(self, message: Ready) -> None:
        """A transcriber has loaded its engine."""
        self._events.write("transcriber_ready", engine=message.engine, model=message.model)
        self._work()

    def recovered(self) -> None:
        """It could decode again."""
        self._events.write("transcriber_recovered")
        self._work()

    def decoding(self, *, spares: bool) -> None:
        """It works in the meeting; ``spares``: it decodes less than it could."""
        if spares != self._spares:
            self._spares = spares
            self._events.write("transcriber_sparing", spares=spares)
        if self._report.state == "Starting":
            self._work()

    def interrupted(self, message: str) -> None:
        """Nobody transcribes for the moment; after a fault, that is why."""
        if not self._failing:
            self._tell(state="Lagging", message=message, lag_seconds=None)

    def lag(self, seconds: float) -> None:
        """What is final is so far behind what was said; after a fault, that follows from it."""
        if self._failing:
            return
        state = "Lagging" if seconds > LAGGING_SECONDS else "Live"
        first = self._report.lag_seconds is None
        if first or state != self._report.state or self._clock.now() - self._reported_at >= _REPORT_SECONDS:
            message = _SPARING if self._spares and state == "Lagging" else None
            self._tell(state=state, reason=None, message=message, lag_seconds=round(max(seconds, 0.0), 1))

    def fault(self, fault: Fault) -> None:
        """The engine cannot do its work now, or not at all."""
        self._failing = True
        self._given_up |= fault.permanent
        self._events.write("transcriber_fault", reason=fault.reason)
        self._tell(state="Failed", reason=fault.reason, message=fault.message, lag_seconds=None)

    def ended(self, lines: TranscriptLines, without: str | None) -> None:
        """It is over; ``without``: which stretches have no text."""
        if lines.unverified is not None:
            self._events.write("transcript_not_verified", cause=lines.unverified)
        found = lines.outcome(without)
        if self._given_up:
            self._tell(**outcome_given_up(self._report.message, found["message"]))
        elif not self._joined and self._report.lines == 0 and found["reason"] is None:
            self._tell(state="Off", reason=None, message=None, lag_seconds=None)
        else:
            self._tell(**found)

    def _work(self) -> None:
        self._failing = False
        self._tell(state="Live" if self._joined else "Starting", reason=None, message=None)

    @property
    def _joined(self) -> bool:
        return self._reporter.joined_at is not None

    def _tell(self, **changes: object) -> None:
        self._reported_at = self._clock.now()
        self._report = TranscriptionReport.model_validate({**self._report.model_dump(), **changes})
        self._reporter.transcription(self._report)
