"""What the bot's report says of the transcript: how it goes, how far it is behind, what became of it."""

from typing import Final

from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.transcription.messages import Fault
from meeting_buddy_bot.transcription.publishing import outcome, outcome_given_up

LAGGING_SECONDS: Final = 15.0
"""By which the text may be behind what was said before that is told."""
_REPORT_SECONDS: Final = 10.0
"""Between two reports of a lag that changes and nothing else."""
_GIVEN_UP: Final = ("NoModel", "LanguageNotSupported")
"""Faults that no other process and no waiting mends."""


class TranscriptReporter:
    """The transcript's part of one session's report. A fault stays told until text comes again."""

    def __init__(self, reporter: SessionReporter, clock: SessionClock) -> None:
        self._reporter = reporter
        self._clock = clock
        self._report = TranscriptionReport(state="Starting")
        self._reported_at = 0.0
        self._failing = False
        """Whether no decoding has succeeded since the last fault."""
        self._given_up = False

    @property
    def starts(self) -> bool:
        """Whether nothing was told yet but that it starts."""
        return self._report.state == "Starting"

    @property
    def given_up(self) -> bool:
        """Whether there was a fault that no process can get over."""
        return self._given_up

    @property
    def reason(self) -> str | None:
        """Of the fault that is told."""
        return self._report.reason

    def starting(self) -> None:
        """It is begun, for the first time or once more."""
        self._tell(state="Starting")

    def written(self, lines: int) -> None:
        """So many lines there are; told with what is told next."""
        self._report = self._report.model_copy(update={"lines": lines})

    def recovered(self) -> None:
        """A transcriber is ready, or could decode again."""
        self._failing = False
        self._tell(state="Live" if self._joined else "Starting", reason=None, message=None)

    def interrupted(self, message: str) -> None:
        """Nobody transcribes for the moment; after a fault, that is why."""
        if not self._failing:
            self._tell(state="Lagging", message=message, lag_seconds=None)

    def lag(self, seconds: float, cause: str | None) -> None:
        """The text is so far behind; after a fault, that follows from it.

        Args:
            seconds: from what is final to what was said.
            cause: why it lags, if that is known.
        """
        if self._failing:
            return
        state = "Lagging" if seconds > LAGGING_SECONDS else "Live"
        first = self._report.lag_seconds is None
        if first or state != self._report.state or self._clock.now() - self._reported_at >= _REPORT_SECONDS:
            message = cause if state == "Lagging" else None
            self._tell(state=state, reason=None, message=message, lag_seconds=round(max(seconds, 0.0), 1))

    def fault(self, fault: Fault) -> None:
        """The engine cannot do its work now, or not at all."""
        self._failing = True
        self._given_up |= fault.reason in _GIVEN_UP
        self._tell(state="Failed", reason=fault.reason, message=fault.message, lag_seconds=None)

    def ended(self, without: str | None, unverified: str | None, *, lost: int, unwritten: bool) -> None:
        """It is over; the arguments are those of :func:`publishing.outcome`."""
        found = outcome(without, unverified, lost=lost, unwritten=unwritten)
        if self._given_up:
            self._tell(**outcome_given_up(self._report.message, found["message"]))
        elif not self._joined and self._report.lines == 0 and found["reason"] is None:
            self._tell(state="Off", reason=None, message=None, lag_seconds=None)
        else:
            self._tell(**found)

    @property
    def _joined(self) -> bool:
        return self._reporter.joined_at is not None

    def _tell(self, **changes: object) -> None:
        self._reported_at = self._clock.now()
        self._report = TranscriptionReport.model_validate({**self._report.model_dump(), **changes})
        self._reporter.transcription(self._report)
