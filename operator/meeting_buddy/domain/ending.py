"""Why a session ends now, if it does, and the plan that ends it."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason, end_phase
from meeting_buddy.domain import create_rejection, pod_outcome, reconcile_error, startup, status, times
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.facts import PodFacts
from meeting_buddy.domain.plan import Action, EmitEvent, PatchStatus, Plan, ReleaseFinalizer, StopStream
from meeting_buddy.domain.snapshot import Snapshot, delete_and_release
from meeting_buddy.resource.session import MeetingSessionStatus

_PLANNED: Final = re.compile(r"; (?:the next bot|another bot) [^;]*$")
"""What a status says, behind why an attempt ended, of a next one, which there is none of after all."""


def is_late(snapshot: Snapshot) -> bool:
    """Whether it is time to judge a pod that does not start, or a finisher that does not end, and nobody looked yet."""
    pod = snapshot.pod
    if pod is None or pod.terminated or pod.deleted_at is not None or snapshot.known.warnings is not None:
        return False
    if snapshot.finishing:
        return snapshot.now >= snapshot.finishing_deadline
    if startup.started(pod) or snapshot.leaving or snapshot.known.rejection is not None:
        return False
    return snapshot.now >= snapshot.startup_deadline


def terminal_outcome(snapshot: Snapshot) -> Outcome | None:
    """Why the session ends now; ``None``: it goes on."""
    found = _outcome(snapshot)
    if found is not None and found.reason is Reason.LEAVE_REQUESTED and snapshot.leave_reason is not None:
        return replace(found, reason=Reason(snapshot.leave_reason))
    return found


def _outcome(snapshot: Snapshot) -> Outcome | None:
    pod = snapshot.pod
    if pod is None:
        if not snapshot.named:
            return _outcome_without_pod(snapshot)
        if (given_up := _given_up(snapshot, snapshot.known.last_seen)) is not None:
            return given_up
        if any(each.orphaned for each in snapshot.facts.pods):
            return Outcome(Reason.EVICTED, "the pod's ownerReference was removed, so it is not this session's any more")
        return pod_outcome.of_missing_pod(
            snapshot.known.last_seen, snapshot.session.uid, snapshot.known.report, leaving=snapshot.asked_to_leave
        )
    if pod.terminated and (given_up := _given_up(snapshot, pod)) is not None:
        return given_up
    if pod.terminated or _passed(snapshot, pod_outcome.bot_ended_at(pod, snapshot.session.uid)):
        return _of_terminated_pod(snapshot, pod)
    if _passed(snapshot, pod_outcome.lost_at(pod)) and not snapshot.heard:
        return pod_outcome.of_lost_pod(pod)
    if startup.started(pod):
        return None
    if snapshot.leaving:  # the pod was deleted; where its node does not confirm that, nobody waits any longer
        return Outcome(Reason.LEAVE_REQUESTED) if snapshot.now >= snapshot.startup_deadline else None
    if (given_up := _given_up(snapshot, pod)) is not None:
        return given_up
    if pod.deleted_at is not None:  # how its containers end says nothing of why it did not start
        over = snapshot.now >= snapshot.removal_deadline
        return pod_outcome.of_terminated_pod(pod, snapshot.session.uid, leaving=False) if over else None
    rejected = _outcome_of_rejection(snapshot)
    if rejected is not None:
        return rejected
    if snapshot.now >= snapshot.startup_deadline:
        return startup.failure(pod, snapshot.known.warnings or (), snapshot.timeouts.startup_timeout_seconds)
    return startup.unrecoverable(pod)


def _given_up(snapshot: Snapshot, pod: PodFacts | None) -> Outcome | None:
    """Why the operator itself removed the pod; ``None``: it did not, or the bot started or had to leave meanwhile."""
    started = snapshot.known.report is not None or (pod is not None and pod.bot.ran)
    return None if started or snapshot.asked_to_leave else snapshot.known.given_up


def _of_terminated_pod(snapshot: Snapshot, pod: PodFacts) -> Outcome:
    """What stopped a bot before its end time was not the end time; after it, it was due, whoever stopped it."""
    uid, asked = snapshot.session.uid, snapshot.asked_to_leave
    overdue = not asked and _stayed_to_the_end(snapshot, pod)
    found = pod_outcome.of_terminated_pod(pod, uid, leaving=asked or overdue)
    if not overdue or found.reason is not Reason.LEAVE_REQUESTED:
        return found
    return replace(found, message="the bot was stopped from outside after the session's end time", remedy="")


def _stayed_to_the_end(snapshot: Snapshot, pod: PodFacts) -> bool:
    """Whether the bot left, or, where nobody knows that, ended, after an end time at which no operator asked it to."""
    report, end = pod_outcome.termination_report(pod, snapshot.session.uid), snapshot.session.spec.end_time
    left_at = (report.left_at if report is not None else None) or pod.bot_terminated_at
    return snapshot.end_reached and end is not None and left_at is not None and left_at >= end


def _passed(snapshot: Snapshot, moment: datetime | None) -> bool:
    return moment is not None and snapshot.now >= moment


def _outcome_without_pod(snapshot: Snapshot) -> Outcome | None:
    if snapshot.asked_to_leave:
        return Outcome(Reason.LEAVE_REQUESTED)
    admission = snapshot.admission
    if admission.reason is not None and not snapshot.accepted_for_later:
        return Outcome(admission.reason, admission.message, remedy=admission.remedy)
    return _outcome_of_rejection(snapshot) or _outcome_of_former_pod(snapshot) or _outcome_of_times(snapshot)


def _outcome_of_former_pod(snapshot: Snapshot) -> Outcome | None:
    """One that does not end keeps the next one out."""
    former = snapshot.living_former_pod
    if former is None:
        return None
    if former.deleted_at is None and former in snapshot.former_pods:  # the plan of a session that goes on deletes it
        return None
    deadline = snapshot.startup_deadline
    if former.deleted_at is not None:
        deadline = max(deadline, snapshot.patience_from(former.deleted_at))
    return Outcome(Reason.NODE_LOST, not_ended(former)) if snapshot.now >= deadline else None


def not_ended(pod: PodFacts) -> str:
    """What keeps the next pod out."""
    return f"node {pod.node} does not say that pod {pod.name} has ended"


def _outcome_of_times(snapshot: Snapshot) -> Outcome | None:
    """Whichever came first, so that it does not matter when somebody looks."""
    missed, end = snapshot.missed_at, snapshot.session.spec.end_time
    if missed is not None and snapshot.now >= missed and (end is None or missed <= end):
        return _missed(snapshot, missed)
    if end is None or snapshot.now < end:
        return None
    planned = snapshot.session.spec.start_time is not None and snapshot.is_first
    return _missed(snapshot, end) if planned else Outcome(Reason.END_TIME_REACHED)


def _missed(snapshot: Snapshot, deadline: datetime) -> Outcome:
    start, error = snapshot.session.spec.start_time, reconcile_error.current(snapshot.facts)
    why = f": {error.message}" if error is not None else ""
    if not snapshot.is_first:
        said = _said(snapshot)
        repeats = error is not None and said == error.message.rstrip(". ")
        before = "" if said is None or repeats else f"{said}; then "
        text = f"{before}no other bot was made until {times.spelled(deadline)}{why}"
        if snapshot.ever_joined:
            return Outcome(Reason.EVICTED, text)
        return Outcome(Reason.MISSED, text, remedy="Create a new session.")
    if start is None:
        requested = times.spelled(snapshot.session.requested_at or deadline)
        return Outcome(
            Reason.MISSED,
            f"the session was requested at {requested}, and was first seen after {times.spelled(deadline)}",
            remedy="Create a new session: an old request, such as one from a backup, gets no late bot.",
        )
    until = f"the meeting started at {times.spelled(start)}, and until {times.spelled(deadline)} no bot was made"
    return Outcome(Reason.MISSED, until + why)


def _said(snapshot: Snapshot) -> str | None:
    """What the status says of why there is no bot yet: why the former one ended, or what keeps this one out."""
    said = _PLANNED.sub("", snapshot.session.status.message or "").rstrip(". ")
    return said or None


def _kept_out_by(snapshot: Snapshot) -> str | None:
    """Why the session's bot did not start until now; ``None``: it did, its time had not come, or nobody knows."""
    ran = snapshot.report is not None or (snapshot.pod is not None and snapshot.pod.bot.ran)
    if ran or snapshot.session.status.phase not in (None, Phase.INITIALIZING):
        return None
    error = reconcile_error.current(snapshot.facts) if _lacks_something(snapshot) else None
    return error.message if error is not None else _said(snapshot)


def _outcome_of_rejection(snapshot: Snapshot) -> Outcome | None:
    rejection = snapshot.refusal
    if rejection is not None and not rejection.may_pass:
        return create_rejection.outcome(rejection)
    if snapshot.now < snapshot.startup_deadline:
        return None
    found = _outcome_of_error(snapshot) if rejection is None else create_rejection.outcome(rejection)
    if found is None:
        return None
    quota, since = found.reason is Reason.QUOTA_EXCEEDED, _refused_since(snapshot)
    if since is not None and rejection is not snapshot.known.rejection:  # after a refusal it has a time of its own
        deadline = snapshot.patience_from(since)
    else:
        deadline = snapshot.quota_deadline(since) if quota else snapshot.refusal_deadline(since)
    return found if snapshot.now >= deadline else None


def _outcome_of_error(snapshot: Snapshot) -> Outcome | None:
    """Of an error that may keep the bot from starting; one beside a pod that has its Secret is about something else."""
    return reconcile_error.outcome(snapshot.facts) if _lacks_something(snapshot) else None


def _lacks_something(snapshot: Snapshot) -> bool:
    """Whether the pod or its Secret may still be missing."""
    return snapshot.pod is None or snapshot.known.secret_missing


def _refused_since(snapshot: Snapshot) -> datetime | None:
    rejection, error = snapshot.refusal, snapshot.facts.error
    if rejection is not None:
        return rejection.since
    return error.since if error is not None else None


def plan_termination(snapshot: Snapshot, outcome: Outcome) -> Plan:
    report = outcome.report or snapshot.report
    ever_joined = snapshot.finishing or replace(snapshot, report=report).ever_joined
    expected = snapshot.session.spec.recording.enabled
    phase, reason = end_phase(
        outcome.reason,
        ever_joined=ever_joined,
        files_verified=report is not None and report.recording.verified,
        files_expected=expected,
    )
    detail, remedy = outcome.message, outcome.remedy if reason is outcome.reason else None
    if phase is Phase.COMPLETED and not ever_joined:
        why = _kept_out_by(replace(snapshot, report=report))
        detail = "The bot was never in the meeting, so nothing was stored"
        detail, remedy = detail if why is None else f"{detail}. What kept it out: {why}", ""
    elif phase is Phase.COMPLETED and expected and report is not None and report.recording.segments == 0:
        detail = "The bot left before anything could be recorded, so nothing was stored"
    elif phase is Phase.FAILED and not snapshot.finishing:
        detail = with_attempt(snapshot, reason, detail)
    message = terminal_message(reason, detail, remedy)
    after = status.compose(snapshot.ended(phase, reason, message, report))
    if ever_joined and snapshot.has_bot and not snapshot.finishing:
        after = status.left_without_a_word(after, replace(snapshot, report=report))
    event = EmitEvent("Normal" if phase is Phase.COMPLETED else "Warning", reason.value, message)
    actions = settle(snapshot, after, event)
    pod = snapshot.pod
    if pod is None:
        pass
    elif pod.terminated:
        actions.extend([ReleaseFinalizer(pod.name)] if pod.finalizer else [])
    elif pod.bot.terminated is None:
        actions.extend(delete_and_release(pod))
    return Plan(tuple(actions), _cleaned_up_at(snapshot, after))


def _cleaned_up_at(snapshot: Snapshot, after: MeetingSessionStatus) -> datetime | None:
    """When there is something to clean up; ``None``: nothing is left."""
    pods, kept = snapshot.facts.pods, times.seconds_kept(snapshot.session, snapshot.facts.installation.bot_class)
    if kept is None and not pods:
        return None
    if kept is None and pods == (snapshot.pod,) and pods[0].terminated and after.completion_time is not None:
        return times.finished_pod_removed_at(after.phase, after.completion_time, snapshot.timeouts)
    return snapshot.now


def settle(snapshot: Snapshot, after: MeetingSessionStatus, event: EmitEvent) -> list[Action]:
    """A bot or finisher is over: nobody follows it any more, the status says why, and so does an Event."""
    stopped = [StopStream(each) for each in snapshot.facts.streamed]
    return [*stopped, PatchStatus(status.merge_patch(snapshot.session.status, after)), event]


def with_attempt(snapshot: Snapshot, reason: Reason, detail: str | None) -> str | None:
    """The cause, with the number of the attempt where it was not the first."""
    return detail if snapshot.attempt == 1 else f"{(detail or reason.value).rstrip('. ')} (attempt {snapshot.attempt})"


def terminal_message(reason: Reason, detail: str | None, remedy: str | None = None) -> str:
    """The cause, then what helps: the reason's advice, unless somebody knows better (or has said it: empty)."""
    advice = REASONS[reason].advice if remedy is None else remedy
    if not detail:
        return advice
    detail = detail.rstrip(". \n")
    return f"{detail[:1].upper()}{detail[1:]}. {advice}".rstrip()
