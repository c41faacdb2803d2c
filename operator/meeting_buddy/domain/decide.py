"""``decide(facts, clock) -> Plan``: what follows from what is known. Pure; the whole state machine of a session.

Rules that the tests hold it to: never two live pods for one session; a bot that was in the meeting is followed by
another one only where ``spec.onDisruption`` says so and its pod is known to be dead; a terminal phase absorbs; inside
an attempt the phase's rank never falls; a plan whose effect is already among the facts is empty.

If the operator dies between two actions of a plan: the next one observes how far it got and decides again: creating
is idempotent by name, the status is written before a pod is released, asking to leave may be repeated.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain import finishing, reconcile_error, retry, status, times
from meeting_buddy.domain.active import plan_active
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.ending import is_late, plan_termination, terminal_outcome
from meeting_buddy.domain.facts import Clock, Facts
from meeting_buddy.domain.plan import (
    Action,
    DeleteSession,
    EmitErrorEvent,
    EmitEvent,
    PatchStatus,
    Plan,
    ReadLatePod,
    ReleaseFinalizer,
    StopStream,
)
from meeting_buddy.domain.snapshot import Snapshot, delete_and_release
from meeting_buddy.domain.startup import waits_for_claim


def decide(facts: Facts, clock: Clock) -> Plan:
    """The plan that follows from ``facts`` at the moment of ``clock``."""
    session = facts.session
    if session is None or session.deleting:
        return _with_error(facts, plan_deleted(facts))
    snapshot = Snapshot.of(facts, session, clock())
    if session.status.ended:
        return _with_error(facts, plan_cleanup(snapshot))
    facts = snapshot.facts
    if is_late(snapshot) and snapshot.pod is not None:
        bot_class = facts.installation.bot_class
        claim = facts.claim or (bot_class.storage.claim if bot_class is not None else None)
        looks = Plan((ReadLatePod(snapshot.pod.id, claim if waits_for_claim(snapshot.pod) else None),))
        return _with_error(facts, looks)
    outcome = _outcome(snapshot) if facts.confirmed else None
    if outcome is None:
        return _with_error(facts, plan_active(snapshot))
    going_on = retry.plan(snapshot, outcome) or finishing.plan(snapshot, outcome) or finishing.another(snapshot)
    plan = going_on or plan_termination(snapshot, outcome)
    # Perhaps it is this very plan that cannot be carried out.
    return _with_error(facts, plan) if facts.persistent_error is not None else plan


def _outcome(snapshot: Snapshot) -> Outcome | None:
    """Why this attempt, or the finisher's work, is over now; ``None``: it goes on."""
    return finishing.outcome(snapshot) if snapshot.finishing else terminal_outcome(snapshot)


def _with_error(facts: Facts, plan: Plan) -> Plan:
    """Reported before anything else is tried, which may fail once more."""
    error = reconcile_error.unannounced(facts)
    return (
        plan if error is None else Plan((EmitErrorEvent(error.reason, error.message), *plan.actions), plan.requeue_at)
    )


def plan_deleted(facts: Facts) -> Plan:
    """No session is left whose status could say anything: the pods get their grace period and go."""
    actions: list[Action] = [StopStream(each) for each in facts.streamed]
    for pod in facts.pods:
        actions.extend(delete_and_release(pod))
    if any(pod.finalizer and not pod.terminated and pod.bot.terminated is None for pod in facts.pods):
        # Last: a write that fails is tried again, and the Event is written once.
        actions.append(EmitEvent("Normal", Reason.DELETED.value, "the session was deleted; its bot leaves"))
    return Plan(tuple(actions))


def plan_cleanup(snapshot: Snapshot) -> Plan:
    """Terminal absorbs: release what was recorded, end what still lives, remove finished pods after their time."""
    actions: list[Action] = [StopStream(each) for each in snapshot.facts.streamed]
    before = snapshot.session.status
    ended_at = before.completion_time or snapshot.now
    finished_due = times.finished_pod_removed_at(before.phase, ended_at, snapshot.timeouts)
    wakeups: list[datetime] = []
    for pod in snapshot.facts.pods:
        # Beside a bot that has ended, the kubelet ends our sidecar; another one that stays ends with the pod.
        due = finished_due if pod.terminated else ended_at + timedelta(seconds=pod.grace_seconds)
        stays = not pod.orphaned and (pod.terminated or pod.bot.terminated is not None)
        if not stays or snapshot.now >= due:
            actions.extend(delete_and_release(pod))
            continue
        if pod.finalizer and pod.terminated:
            actions.append(ReleaseFinalizer(pod.name))
        if pod.deleted_at is None or not pod.terminated:
            wakeups.append(due)
    unseen = _acknowledgement(snapshot)
    if unseen is None:
        _remove_session(snapshot, actions, wakeups)
    else:
        actions.append(unseen)
        wakeups.append(snapshot.now)
    return Plan(tuple(actions), min(wakeups, default=None))


def _acknowledgement(snapshot: Snapshot) -> PatchStatus | None:
    """That a change of the spec after the end was seen: it changes nothing, and clients wait for this word."""
    before, generation = snapshot.session.status, snapshot.session.generation
    if before.observed_generation in (None, generation):
        return None
    conditions = [replace(each, observed_generation=generation) for each in before.conditions or ()]
    after = before.model_copy(update={"observed_generation": generation, "conditions": conditions or None})
    return PatchStatus(status.merge_patch(before, after))


def _remove_session(snapshot: Snapshot, actions: list[Action], wakeups: list[datetime]) -> None:
    """Its object goes after its time, once no pod is left whose outcome somebody has to take note of."""
    due = times.removed_at(snapshot.session, snapshot.facts.installation.bot_class)
    if due is None:
        return
    if snapshot.now < due:
        wakeups.append(due)
    elif not any(pod.finalizer for pod in snapshot.facts.pods):
        actions.append(DeleteSession(snapshot.session.uid, snapshot.session.resource_version))
    elif any(isinstance(action, ReleaseFinalizer) for action in actions):
        wakeups.append(snapshot.now)  # what this plan releases is not heard of again
