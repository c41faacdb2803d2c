"""When a session's bot is due, when it is too late for one, and when the session's object is removed.

Times in a spec are on its author's clock, and are compared with the operator's as they are. A moment that has no
meaning for a session is ``None``.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from meeting_buddy.contract.phases import Phase
from meeting_buddy.domain.facts import CreateRejection, SessionFacts
from meeting_buddy.resource.bot_class import BotClass, Timeouts
from meeting_buddy.resource.session import DEFAULT_STARTING_DEADLINE, MeetingSessionStatus

LONGEST_ABSENCE: Final = timedelta(seconds=DEFAULT_STARTING_DEADLINE)
"""After which no other bot follows one that ended: an operator that was down, or a backup, brings nobody back."""


def pod_due_at(session: SessionFacts, timeouts: Timeouts) -> datetime | None:
    """When the next bot is made: shortly before the start time, or after the back-off of a later attempt.

    ``None``: at once.
    """
    if session.status.next_attempt_time is not None:
        return session.status.next_attempt_time
    start = session.spec.start_time
    return None if start is None else start - timedelta(seconds=timeouts.start_lead_seconds)


def refused_before_due(rejection: CreateRejection | None, session: SessionFacts, timeouts: Timeouts) -> bool:
    """Whether a pod was refused before it was due, which its start was moved after; that says nothing of the next."""
    due = pod_due_at(session, timeouts)
    return rejection is not None and due is not None and rejection.at < due


def wanted_since(
    session: SessionFacts, bot_class: BotClass | None, respecified_at: datetime | None = None
) -> datetime | None:
    """From when on a session waits for its bot, which a late one is measured from; ``None``: nobody knows.

    Args:
        session: it needs a bot, or has one that is not in the meeting yet.
        bot_class: its class; ``None``: that is gone.
        respecified_at: when its start was last seen to change; ``None``: never, as far as this process knows.
    """
    due = pod_due_at(session, bot_class.timeouts if bot_class is not None else Timeouts())
    if respecified_at is None and _waited_for_start(session.status):
        accepted = session.status.scheduled_time or session.created_at
        if due is None or due <= accepted:  # it waited for another start, and nobody saw when that was changed
            return None
    return max(each for each in (session.created_at, due, respecified_at) if each is not None)


def _waited_for_start(status: MeetingSessionStatus) -> bool:
    """Whether a session once needed no bot because its start was ahead; then it reconciles since later, or not yet."""
    needed = (each.last_transition_time for each in status.conditions or () if each.type == "Reconciling")
    since, accepted = next(needed, None), status.scheduled_time
    return status.phase is Phase.SCHEDULED or (since is not None and accepted is not None and since > accepted)


def missed_at(session: SessionFacts) -> datetime | None:
    """From when on no bot is made any more; once one was in the meeting, that is over.

    A start time decides alone. Without one, what the HTTP API was asked for long ago, and has no status now, was
    restored from somewhere; it is no new request.
    """
    if session.status.join_timestamp is not None:
        return None
    start = session.spec.start_time
    if start is None and session.status.phase is None:
        start = session.requested_at
    return None if start is None else start + timedelta(seconds=starting_deadline(session))


def followed_until(session: SessionFacts) -> datetime | None:
    """Until when the bot of a later attempt may be made, if nothing refuses it; it has none yet, and never had one."""
    due = session.status.next_attempt_time
    return None if due is None or session.status.bot_pod is not None else due + LONGEST_ABSENCE


def too_late(session: SessionFacts, now: datetime) -> bool:
    """Whether a session without a pod ends by its times."""
    moments = (missed_at(session), followed_until(session), session.spec.end_time)
    return any(moment is not None and now >= moment for moment in moments)


def starting_deadline(session: SessionFacts) -> int:
    """Seconds after its start that a bot may still be made."""
    found = session.spec.starting_deadline_seconds
    return DEFAULT_STARTING_DEADLINE if found is None else found


def seconds_kept(session: SessionFacts, bot_class: BotClass | None) -> int | None:
    """Seconds that the object of a session stays after its end; ``None``: for ever.

    The class's ``max`` holds where a session sets nothing, too: for ever is longer.
    """
    seconds = session.spec.ttl_seconds_after_finished
    if bot_class is None:
        return seconds
    allowed = bot_class.ttl_seconds_after_finished
    bounds = (allowed.default if seconds is None else seconds, allowed.max)
    return min((each for each in bounds if each is not None), default=None)


def removed_at(session: SessionFacts, bot_class: BotClass | None) -> datetime | None:
    """When the object of a session that has ended is deleted; ``None``: it stays."""
    ended_at, seconds = session.status.completion_time, seconds_kept(session, bot_class)
    return None if ended_at is None or seconds is None else ended_at + timedelta(seconds=seconds)


def finished_pod_removed_at(phase: Phase | None, ended_at: datetime, timeouts: Timeouts) -> datetime:
    """When the finished pod of a session that has ended is deleted: logs are read where something failed."""
    kept = timeouts.finished_pod_seconds
    return ended_at + timedelta(seconds=kept.completed if phase is Phase.COMPLETED else kept.failed)


def spelled(moment: datetime) -> str:
    """A moment for people, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
