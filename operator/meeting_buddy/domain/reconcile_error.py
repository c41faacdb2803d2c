"""What keeps the operator from going on with a session, and whether an Event has said so."""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.facts import QUOTA_EXCEEDED, Facts, ReconcileError

CONDITION: Final = "ReconcileError"
"""Type of the condition, and reason of the Event."""
MAX_ANNOUNCED: Final = 16
"""Causes that Events speak of, one after the other: their words are the API server's, or a proxy's."""


def current(facts: Facts) -> ReconcileError | None:
    """An error that came back several times in a row, or a refusal of the pod that may pass."""
    if facts.persistent_error is not None:
        return facts.persistent_error
    rejection = facts.of(facts.current).rejection
    if rejection is None or not rejection.may_pass:
        return None
    reason = QUOTA_EXCEEDED if rejection.kind == "quota" else "PodRefused"
    return ReconcileError(reason, rejection.message, count=1, since=rejection.at)


def unannounced(facts: Facts) -> ReconcileError | None:
    """The error that no Event has named yet; one Event for each cause, however they take turns until all went by.

    A new operator reads the cause off the status, where it is while the session goes on.
    """
    found, announced = current(facts), facts.announced_errors
    if found is None or len(announced) >= MAX_ANNOUNCED or found.reason in (*announced, _written(facts)):
        return None
    return found


def outcome(facts: Facts) -> Outcome | None:
    """How a session without a bot ends when the error stayed until its start-up deadline.

    Only an error that the status already shows ends it: after an outage of the API server each session is tried again
    first, however long the outage took, unless its own times are over.
    """
    error = facts.persistent_error
    if error is None or not is_shown(facts):
        return None
    quota = error.reason == QUOTA_EXCEEDED
    return Outcome(Reason.QUOTA_EXCEEDED if quota else Reason.CONFIG_INVALID, error.message)


def is_shown(facts: Facts) -> bool:
    """Whether the status shows an error, so that something could be written while it went on."""
    return _written(facts) is not None


def _written(facts: Facts) -> str | None:
    conditions = facts.session.status.conditions if facts.session is not None else None
    return next((each.reason for each in conditions or () if each.type == CONDITION), None)
