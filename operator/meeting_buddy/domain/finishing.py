"""A bot that was in the meeting ended without verified files: a finisher pod on the same volume finishes them.

First the status says why the bot ended (phase Leaving, with the reason): that is settled then. The finisher's work
decides only whether the files are whole. What it cannot do within ``timeouts.finishSeconds`` stays undone. One that was
taken away, as nodes are drained one after the other, is followed by another one of the same name, which begins anew.
"""

from dataclasses import replace
from datetime import datetime

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.domain import pod_outcome, retry, startup, status
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.ending import not_ended, settle, terminal_message, with_attempt
from meeting_buddy.domain.facts import CreateRejection, PodFacts
from meeting_buddy.domain.plan import Action, EmitEvent, PatchStatus, Plan
from meeting_buddy.domain.snapshot import Snapshot, delete_and_release


def plan(snapshot: Snapshot, outcome: Outcome) -> Plan | None:
    """The plan that settles why the bot ended, if its files are to be finished; the finisher is made after it."""
    report = outcome.report or snapshot.report
    ended = replace(snapshot, report=report)
    if not _is_due(ended, outcome):
        return None
    cause = outcome.message
    if REASONS[outcome.reason].end is Phase.FAILED:
        cause = with_attempt(snapshot, outcome.reason, cause)
    message = terminal_message(outcome.reason, cause, outcome.remedy)
    after = status.compose(ended.ended(Phase.LEAVING, outcome.reason, message, report))
    if ended.has_bot:
        after = status.left_without_a_word(after, ended)
    note = f"the bot ended with {outcome.reason}; what it recorded is finished without it"
    return Plan(tuple(settle(snapshot, after, EmitEvent("Normal", "Finishing", note))), snapshot.now)


def _is_due(ended: Snapshot, outcome: Outcome) -> bool:
    if ended.finishing:
        return False
    if ended.finisher_pod is not None:  # the status was emptied: what was settled is settled once more
        return True
    if not ended.may_have_joined(outcome.report) or ended.facts.installation.bot_class is None:
        return False
    if not ended.session.spec.recording.enabled:
        if not ended.transcribing or outcome.report is not None:  # a bot that ends by itself finishes its transcript
            return False
    elif ended.report is not None and ended.report.recording.verified:
        return False
    # A bot whose node is silent may still write. One that was to join again and never ran left what others recorded.
    return retry.is_dead(ended)


def another(snapshot: Snapshot) -> Plan | None:
    """The plan by which another finisher follows one that was taken away; ``None``: there is none.

    The delay between the creation of two pods equals the time that finishing had taken before the first of them, within
    the limits of the bots' back-off, so that repeated evictions create few. None follows once a finisher that was made
    at the bot's end would have had its time. The status is written before the former pod is released: an operator that
    is started in between goes on from there.
    """
    pod = snapshot.pod
    if not snapshot.finishing or pod is None or snapshot.facts.installation.bot_class is None:
        return None
    cause = pod_outcome.taken_away(pod)
    if cause is None or _is_done(snapshot, pod):
        return None
    before, deadline = snapshot.session.status, snapshot.finishing_due(snapshot.finishing_since)
    decided = before.finishing and before.finisher_pod is None
    at = snapshot.now if decided else _another_at(snapshot, pod)
    if max(at, snapshot.now) >= deadline:
        return None
    waits = snapshot.now < at
    after = status.compose(snapshot.going_on(snapshot.phase, before.message, creating=False))
    patch = status.merge_patch(before, after if waits else after.model_copy(update={"finisher_pod": None}))
    actions: list[Action] = [PatchStatus(patch)] if patch else []
    if waits:
        return Plan(tuple(actions), at)
    if not decided:
        note = f"pod {pod.name}, which was to finish the files, is gone, and another one follows: {cause.message}"
        actions.append(EmitEvent("Warning", cause.reason.value, note))
    # The pod's deletion is an event of its watch, except where this plan releases it.
    return Plan((*actions, *delete_and_release(pod)), snapshot.now if pod.finalizer else deadline)


def _another_at(snapshot: Snapshot, pod: PodFacts) -> datetime:
    """When another finisher may follow this one.

    The API server's clock says when it was made, and may be minutes off; this process's, since when it is known here.
    """
    seen_at = pod.first_seen_at or pod.created_at
    pause = min(max(pod.created_at - snapshot.finishing_since, retry.FIRST_BACKOFF), retry.LONGEST_BACKOFF)
    return max(min(pod.created_at, seen_at) + pause, seen_at + retry.FIRST_BACKOFF)


def _is_done(snapshot: Snapshot, pod: PodFacts) -> bool:
    """Whether a finisher came to its end before it was taken away, or never will."""
    found = pod_outcome.termination_report(pod, snapshot.session.uid)
    if found is None:
        return False
    return found.nameless or found.recording.verified or not snapshot.session.spec.recording.enabled


def outcome(snapshot: Snapshot) -> Outcome | None:
    """The session's outcome, once the finisher has ended or nobody waits for it any longer; ``None``: it works."""
    pod = snapshot.pod
    if pod is None:
        return _without_finisher(snapshot)
    uid = snapshot.session.uid
    ended_at = pod_outcome.bot_ended_at(pod, uid)
    if pod.terminated or (ended_at is not None and snapshot.now >= ended_at):
        return _of_finisher(snapshot, pod)
    lost_at = pod_outcome.lost_at(pod)
    if lost_at is not None and snapshot.now >= lost_at:
        return _unfinished(snapshot, f"node {pod.node}, on which pod {pod.name} was to do it, is unreachable")
    rejection = snapshot.known.rejection
    if rejection is not None and not rejection.may_pass and not startup.started(pod):
        return _refused(snapshot, rejection)
    if snapshot.now < snapshot.finishing_deadline:
        return None
    if startup.started(pod):
        return _unfinished(snapshot, f"pod {pod.name} did not do it in time")
    timeouts = snapshot.timeouts
    why = startup.failure(pod, snapshot.known.warnings or (), timeouts.startup_timeout_seconds)
    return _unfinished(snapshot, f"pod {pod.name} did not start: {why.message}", remedy=why.remedy)


def _without_finisher(snapshot: Snapshot) -> Outcome | None:
    if snapshot.named:
        return _unfinished(snapshot, f"pod {snapshot.finisher_name}, which was to do it, was removed")
    rejection, former = snapshot.refusal, snapshot.living_former_pod
    if rejection is not None and not rejection.may_pass:
        return _refused(snapshot, rejection)
    if snapshot.facts.installation.bot_class is None:
        return _unfinished(snapshot, "the bot class is gone, so that no pod could be made to finish them")
    if snapshot.now < snapshot.finishing_deadline:
        return None
    # What is in the way has its own time, too: perhaps nobody looked until now.
    if rejection is not None:
        over = snapshot.now >= snapshot.patience_from(rejection.since or rejection.at)
        return _refused(snapshot, rejection) if over else None
    if former is not None:
        there = former in snapshot.former_pods
        over = former.deleted_at is not None and snapshot.now >= snapshot.patience_from(former.deleted_at)
        return _unfinished(snapshot, not_ended(former)) if over or not there else None
    error = snapshot.facts.persistent_error
    return None if error is None else _unfinished(snapshot, error.message)  # else nobody has tried yet


def _refused(snapshot: Snapshot, rejection: CreateRejection) -> Outcome:
    return _unfinished(snapshot, rejection.message, remedy=rejection.remedy)


def _of_finisher(snapshot: Snapshot, pod: PodFacts) -> Outcome:
    found = pod_outcome.termination_report(pod, snapshot.session.uid)
    if found is None:
        ended = pod_outcome.of_terminated_pod(pod, snapshot.session.uid, leaving=False)
        return _unfinished(snapshot, f"pod {pod.name}, which was to do it, ended with {ended.reason}: {ended.message}")
    if found.nameless:
        return _unfinished(snapshot, found.message or "the finisher could not read what it was to do")
    if snapshot.session.spec.recording.enabled and not found.recording.verified:
        return _unfinished(snapshot, found.message or "they could not be verified", found)
    return replace(_settled(snapshot), report=found)


def _unfinished(snapshot: Snapshot, why: str, report: Report | None = None, remedy: str | None = None) -> Outcome:
    """What the bot ended with, and beside it that the files are not finished, and what helps."""
    settled = _settled(snapshot)
    why = f"the files were not finished: {why}"
    if remedy is not None:
        why = f"{why.rstrip('. ')}. {remedy}"
    if REASONS[settled.reason].end is Phase.FAILED and settled.message:
        why = f"{settled.message} {why[:1].upper()}{why[1:]}"
    return replace(settled, message=why, report=report)


def _settled(snapshot: Snapshot) -> Outcome:
    """Why the bot ended, and what helps, as the status has it; one that was emptied says neither."""
    message = snapshot.session.status.message
    return Outcome(snapshot.reason or Reason.BOT_CRASHED, message, remedy="" if message else None)
