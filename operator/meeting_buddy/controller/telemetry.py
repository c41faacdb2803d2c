"""What the controller measures of itself; ``app`` turns it into metrics."""

from typing import Protocol

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason


class Telemetry(Protocol):
    """Told of what happened; must be quick and must not raise."""

    def pod_created(self, seconds: float, *, scheduled: bool) -> None:
        """A bot's pod was created, so long after its session, or after it was due where the session has a start.

        Where the start was changed so that the pod was due at once, so long after that was seen. Not told where nobody
        knows when it was changed.

        ``scheduled``: the session was there before its pod was due, so these seconds are the operator's lateness.
        """

    def transition(self, before: Phase | None, after: Phase) -> None:
        """A session's phase was written."""

    def outcome(self, phase: Phase, reason: Reason) -> None:
        """A session ended."""

    def joined(self, seconds: float) -> None:
        """A bot was in the meeting for the first time; counted from the same moment as ``pod_created``."""

    def transcript_progress(self, platform: str, lines: int, lag: float | None) -> None:
        """A status was written: so many more lines of a transcript, which is so many seconds behind, if known."""

    def transcript_ended(self, platform: str, result: str) -> None:
        """A session that had a transcript ended; ``result`` is one of a few words."""

    def reconciled(self, waited: float, seconds: float, *, failed: bool) -> None:
        """A reconciliation ended; its key had waited so long in the queue."""

    def reconcile_failed(self, resource: str, code: str) -> None:
        """A reconciliation failed on a call about this kind of object; both empty: on the operator itself."""

    def listing_failed(self, namespace: str) -> None:
        """A watched namespace could not be listed; empty: all of them."""

    def report(self, result: str) -> None:
        """A report arrived, or the stream was cut."""
