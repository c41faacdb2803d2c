"""Whether another bot follows one whose attempt has ended, when, and the plan for it.

Before the meeting, if that is known: for a reason that may pass, a refusal by the node among them,
``spec.backoffLimit`` times. During the meeting: where the pod was drained, evicted, preempted, or refused by its node,
and ``spec.onDisruption`` is Rejoin: at once if its bot ran, else with the same back-off. Always only once the bot is
known to be dead: one that did not start is removed first, and one whose node is silent may still get into the meeting.

The status says that the next attempt begins before anything of it is made, so that whoever operates then goes on
there.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.domain import startup, status, times
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.ending import settle
from meeting_buddy.domain.facts import PodFacts
from meeting_buddy.domain.plan import Action, EmitEvent, GiveUpPod, PatchStatus, Plan
from meeting_buddy.domain.snapshot import Snapshot

FIRST_BACKOFF: Final = timedelta(seconds=10)
LONGEST_BACKOFF: Final = timedelta(minutes=5)
MAX_ATTEMPTS: Final = 20
"""Of one session, however often its nodes are drained."""


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """When the next bot is made, and what it does."""

    at: datetime
    rejoins: bool
    """Whether a bot was in the meeting before it."""


def plan(snapshot: Snapshot, outcome: Outcome) -> Plan | None:
    """The plan that begins the next attempt; ``None``: there is none."""
    if snapshot.finishing or snapshot.finisher_pod is not None:
        return None
    ended = replace(snapshot, report=outcome.report or snapshot.report)
    following = next_attempt(ended, outcome)
    if following is None:
        return None
    if snapshot.pod is not None and not startup.started(snapshot.pod) and not snapshot.pod.terminated:
        return _plan_removal(snapshot, snapshot.pod, outcome)
    message = _message(snapshot, outcome, following)
    after = status.next_attempt(ended, outcome.reason, following.at, message, rejoins=following.rejoins)
    return Plan(tuple(settle(snapshot, after, EmitEvent("Warning", outcome.reason.value, message))), snapshot.now)


def _plan_removal(snapshot: Snapshot, pod: PodFacts, outcome: Outcome) -> Plan | None:
    """A pod whose bot did not start goes before another attempt begins: until then this one may still get somewhere.

    ``None``: nobody says that it has gone, and the session ends.
    """
    if snapshot.now >= snapshot.removal_deadline:
        return None
    message = f"{_cause(outcome)}; another bot is tried once pod {pod.name} is gone"
    patch = status.merge_patch(
        snapshot.session.status, status.compose(snapshot.going_on(snapshot.phase, message, creating=False))
    )
    actions: list[Action] = [PatchStatus(patch)] if patch else []
    if pod.deleted_at is None:
        actions.append(GiveUpPod(pod.id, pod.name, pod.uid, outcome))
    end = snapshot.session.spec.end_time  # is ahead, or no other attempt would follow
    deadline = snapshot.removal_deadline
    return Plan(tuple(actions), deadline if end is None else min(deadline, end))


def next_attempt(ended: Snapshot, outcome: Outcome) -> NextAttempt | None:
    """Args:
    ended: the session with the last report of the bot that ended.
    outcome: why it ended.
    """
    if ended.leaving or ended.living_former_pod is not None or not is_dead(ended):
        return None
    if ended.may_have_joined(outcome.report):
        again = ended.session.spec.on_disruption == "Rejoin" and _is_disruption(ended, outcome)
        again = again and ended.attempt < MAX_ATTEMPTS and ended.has_bot and not _had_left(ended)
        again = again and ended.now - _last_known_at(ended) < times.LONGEST_ABSENCE
        return _following(ended, rejoins=True) if again else None
    if outcome.reason is Reason.QUOTA_EXCEEDED and ended.pod is None:
        return None  # it was tried all the time
    may_pass = REASONS[outcome.reason].retry or (not _was_seen(ended) and _refused_by_node(ended, outcome))
    if not may_pass or ended.tried > ended.session.spec.backoff_limit:
        return None
    return _following(ended, rejoins=False)


def _following(ended: Snapshot, *, rejoins: bool) -> NextAttempt | None:
    """The attempt after this one, if there is time for it.

    At once only where a bot was driven out of the meeting: what keeps bots from starting would use up all attempts.
    """
    if rejoins and ended.pod is not None and ended.pod.bot.ran:
        return NextAttempt(ended.now, rejoins=True)
    at = ended.now + min(FIRST_BACKOFF * 2 ** (ended.tried - 1), LONGEST_BACKOFF)
    ends = (ended.missed_at, ended.session.spec.end_time)
    return None if any(moment is not None and at >= moment for moment in ends) else NextAttempt(at, rejoins)


def _is_disruption(ended: Snapshot, outcome: Outcome) -> bool:
    """Whether the bot was driven out, or a node refused the one that was to join again."""
    return outcome.reason is Reason.EVICTED or _refused_by_node(ended, outcome)


def _was_seen(ended: Snapshot) -> bool:
    """Whether anybody saw the bot run: a kubelet that takes a pod no more after a restart does not say so."""
    phase = ended.session.status.phase
    return ended.report is not None or (phase is not None and phase.rank >= Phase.JOINING.rank)


def _refused_by_node(ended: Snapshot, outcome: Outcome) -> bool:
    """Whether the kubelet did not take a pod that was scheduled: another node may, or the same one a moment later."""
    refused = ended.pod is not None and ended.pod.terminated and not ended.pod.bot.ran
    return refused and outcome.reason is Reason.UNSCHEDULABLE


def _last_known_at(ended: Snapshot) -> datetime:
    """When a bot was last known to be there: by its node's clock, or when its last report came if that is later.

    A process that has read no report of it knows the node's word alone. Of one that never ran, the one before counts.
    """
    pod, left_at = ended.bot_pod, ended.session.status.leave_timestamp
    if pod is not None and not pod.bot.ran and left_at is not None:
        return left_at
    gone_at = (pod.bot_terminated_at if pod is not None else None) or ended.now
    reported_at = ended.known.reported_at
    return gone_at if reported_at is None else max(gone_at, reported_at)


def _had_left(ended: Snapshot) -> bool:
    """Whether the bot was out of the meeting before somebody stopped it; both times are its node's."""
    left_at = ended.report.left_at if ended.report is not None else None
    last = ended.pod.bot.terminated if ended.pod is not None else None
    if left_at is None or last is None or last.at is None or ended.pod is None:
        return False
    return last.at - left_at > timedelta(seconds=ended.pod.grace_seconds)


def is_dead(snapshot: Snapshot) -> bool:
    """Whether no bot of this attempt can be in the meeting, or get there; where it never had a pod, there is none."""
    pod = snapshot.pod
    if pod is None:
        return not snapshot.named
    return pod.terminated or pod.bot.terminated is not None or not startup.started(pod)


def _message(snapshot: Snapshot, outcome: Outcome, following: NextAttempt) -> str:
    at_once = following.rejoins and following.at == snapshot.now
    then = "another bot joins and goes on" if at_once else f"the next bot is made at {times.spelled(following.at)}"
    return f"attempt {snapshot.attempt} ended with {outcome.reason}: {_cause(outcome)}; {then}"


def _cause(outcome: Outcome) -> str:
    return (outcome.message or REASONS[outcome.reason].advice).rstrip(". ")
