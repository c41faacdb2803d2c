"""The bot's report as it is now; ``session.reporter`` changes it, the report server hands it out."""

import asyncio
from collections.abc import Collection
from typing import Final

from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import PeopleReport, Report
from meeting_buddy_bot.reporting.health import Health
from meeting_buddy_bot.support.clock import SessionClock

_ORDER: Final = list(ReportPhase)


class ReportState:
    """Holds the report, counts its revisions, wakes those who wait for the next one."""

    def __init__(
        self,
        session_id: str,
        attempt: int,
        clock: SessionClock,
        *,
        table_hash: str | None = None,
        redact: Redactor | None = None,
    ) -> None:
        self._clock = clock
        self._redact = redact or Redactor()
        self.participants: tuple[str, ...] = ()
        """Names of all who were seen, for ``session.json`` on the volume; never in the report."""
        self._changed = asyncio.Event()
        self.health = Health(clock)
        self.report = Report(
            revision=1,
            session_id=session_id,
            attempt=attempt,
            time=clock.utc(),
            phase=ReportPhase.JOINING,
            table_hash=table_hash,
        )

    def update(self, **changes: object) -> None:
        """Change fields of the report; equal values change nothing and cost no revision.

        Inside an attempt the phase never goes back: an earlier phase than the present one is left out (a rejoin shows
        in ``waiting``).

        Raises:
            TypeError: a field that a report does not have.
            pydantic.ValidationError: a value that its field cannot hold.
        """
        unknown = changes.keys() - Report.model_fields.keys()
        if unknown or changes.keys() & {"revision", "time"}:
            raise TypeError(f"not a field to update: {', '.join(sorted(unknown)) or 'revision, time'}")
        present = {name: getattr(self.report, name) for name in Report.model_fields}
        wanted = self._redacted(Report.model_validate({**present, **changes}), changes.keys())
        if _ORDER.index(wanted.phase) < _ORDER.index(self.report.phase):
            wanted = wanted.model_copy(update={"phase": self.report.phase})
        if wanted == self.report:
            return
        self.report = wanted.model_copy(update={"revision": self.report.revision + 1, "time": self._clock.utc()})
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def redact_with(self, redact: Redactor) -> None:
        """Use a redactor that knows more secrets, once they are known."""
        self._redact = redact

    def redacted(self, **facts: object) -> dict[str, object]:
        """``facts`` without the session's secrets."""
        return {name: self._redact.throughout(value) for name, value in facts.items()}

    def _redacted(self, report: Report, changed: Collection[str]) -> Report:
        """``report`` with its free texts cleaned; those that did not change were cleaned before."""
        texts: dict[str, object] = {}
        if "message" in changed and report.message is not None:
            texts["message"] = self._redact(report.message)
        if "people" in changed:
            texts["people"] = self._redacted_people(report.people)
        if "recording" in changed:
            gaps = tuple(gap.model_copy(update={"cause": self._redact(gap.cause)}) for gap in report.recording.gaps)
            texts["recording"] = report.recording.model_copy(update={"gaps": gaps})
        return report.model_copy(update=texts)

    def _redacted_people(self, people: PeopleReport) -> PeopleReport:
        current = tuple(each.model_copy(update={"name": self._redact(each.name)}) for each in people.current)
        left = tuple(each.model_copy(update={"name": self._redact(each.name)}) for each in people.left)
        return people.model_copy(update={"current": current, "left": left})

    async def newer_than(self, revision: int) -> Report:
        """Return the report as soon as its revision is above ``revision``."""
        while self.report.revision <= revision:
            await self._changed.wait()
        return self.report

    @property
    def in_meeting(self) -> bool:
        """Whether the bot is in the meeting right now: the pod's readiness."""
        return self.report.phase in (ReportPhase.ACTIVE, ReportPhase.RECORDING) and self.report.waiting is None
