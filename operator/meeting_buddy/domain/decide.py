"""``decide(facts, clock) -> Plan``: what follows from what is known. Pure; the whole state machine of a session.

Rules that the tests hold it to: never two live pods for one session; a pod that may have been in the meeting is never
made again (attempt stays 1, nothing is retried yet); a terminal phase absorbs; inside an attempt the phase's rank
never falls; a plan whose effect is already among the facts is empty.

What happens if the operator dies between two actions of a plan? The next one observes how far it got and decides
again: creating is idempotent by name, the status is written before a pod is let go of, asking to leave may be repeated.
"""

from datetime import timedelta

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.attending import carry_on
from meeting_buddy.domain.case import Case, remove
from meeting_buddy.domain.ending import end, ending, needs_warnings
from meeting_buddy.domain.facts import Clock, Facts
from meeting_buddy.domain.plan import Action, EmitEvent, Plan, ReadWarnings, ReleaseFinalizer, StopStream


def decide(facts: Facts, clock: Clock) -> Plan:
    """The plan that follows from ``facts`` at the moment that ``clock`` tells."""
    session = facts.session
    if session is None or session.deleting:
        return _let_go(facts)
    case = Case(facts, session, clock())
    if session.status.phase is not None and session.status.phase.terminal:
        return _clean_up(case)
    if needs_warnings(case):
        return Plan((ReadWarnings(case.pod.name),)) if case.pod else Plan()
    outcome = ending(case)
    return end(case, outcome) if outcome is not None else carry_on(case)


def _let_go(facts: Facts) -> Plan:
    """Nobody is left to tell: the pods get their grace period and go."""
    actions: list[Action] = [StopStream()] if facts.stream is not None else []
    if any(pod.finalizer for pod in facts.pods):
        actions.append(EmitEvent("Normal", Reason.DELETED.value, "the session was deleted; its bot leaves"))
    for pod in facts.pods:
        actions.extend(remove(pod))
    return Plan(tuple(actions))


def _clean_up(case: Case) -> Plan:
    """Terminal absorbs: release what was recorded, end what still lives, remove finished pods after their time."""
    actions: list[Action] = [StopStream()] if case.facts.stream is not None else []
    kept = case.timeouts.finished_pod_seconds
    ended_at = case.session.status.completion_time or case.now
    seconds = kept.completed if case.session.status.phase is Phase.COMPLETED else kept.failed
    due = ended_at + timedelta(seconds=seconds)
    requeue = None
    for pod in case.facts.pods:
        if not pod.dead or case.now >= due:
            actions.extend(remove(pod))
            continue
        if pod.finalizer:
            actions.append(ReleaseFinalizer(pod.name))
        if pod.deleted_at is None:
            requeue = due
    return Plan(tuple(actions), requeue)
