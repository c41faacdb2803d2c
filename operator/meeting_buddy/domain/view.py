"""One session at one moment, judged: what conditions and status are computed from."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.domain.facts import PodFacts, ReconcileError, SessionFacts, StreamFacts

UNREACHABLE_AFTER: Final = timedelta(seconds=10)
"""A stream that is cut for less is nobody's business: bots and operators restart, networks hiccup."""


@dataclass(frozen=True, slots=True)
class View:
    """The judged facts; ``reason`` only once the session has ended."""

    session: SessionFacts
    phase: Phase
    now: datetime
    platform: Platform | None = None
    table_hash: str | None = None
    reason: Reason | None = None
    message: str | None = None
    pod: PodFacts | None = None
    pod_name: str | None = None
    report: Report | None = None
    stream: StreamFacts | None = None
    leaving: bool = False
    """Whether the session's author wants the bot to leave, now or ever before."""
    error: ReconcileError | None = None
    """What keeps the operator from going on."""

    @property
    def joined_at(self) -> datetime | None:
        """When the bot was first in the meeting: written before, else by its report, else by the pod's readiness."""
        if self.session.status.join_timestamp is not None:
            return self.session.status.join_timestamp
        if self.report is not None and self.report.joined_at is not None:
            return self.report.joined_at
        return self.pod.ready_since if self.pod is not None else None

    @property
    def unreachable(self) -> bool:
        """Whether a bot that should be talking has been silent for longer than a hiccup."""
        stream = self.stream
        return (
            stream is not None and stream.lost_since is not None and self.now >= stream.lost_since + UNREACHABLE_AFTER
        )
