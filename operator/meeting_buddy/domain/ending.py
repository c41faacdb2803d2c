"""Why a session ends now, if it does, and the plan that ends it."""

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason, end_phase
from meeting_buddy.domain import pod_outcome, reconcile_error, startup, status
from meeting_buddy.domain.admission import validate
from meeting_buddy.domain.plan import Action, EmitEvent, PatchStatus, Plan, ReleaseFinalizer, StopStream
from meeting_buddy.domain.pod_outcome import Outcome
from meeting_buddy.domain.snapshot import Snapshot, delete_and_release, view_of


def needs_warnings(snapshot: Snapshot) -> bool:
    """Whether only the pod's events can say why it does not start: it is late, nobody asked yet."""
    pod = snapshot.pod
    if pod is None or pod.terminated or startup.started(pod) or startup.explained(pod) or snapshot.leaving:
        return False
    if snapshot.facts.error is not None and snapshot.facts.error.persistent:
        return False  # the events cannot be read, perhaps; the session ends without them
    return snapshot.now >= snapshot.startup_deadline and snapshot.facts.warnings is None


def terminal_outcome(snapshot: Snapshot) -> Outcome | None:
    """Why the session ends now; ``None``: it goes on."""
    pod, status_now = snapshot.pod, snapshot.session.status
    if pod is None:
        if status_now.bot_pod is None:
            return _outcome_without_pod(snapshot)
        return pod_outcome.of_vanished_pod(
            snapshot.facts.last_seen, snapshot.session.uid, snapshot.facts.report, leaving=snapshot.leaving
        )
    if pod.terminated:
        return pod_outcome.of_dead_pod(pod, snapshot.session.uid, leaving=snapshot.leaving)
    if startup.started(pod) or snapshot.leaving:
        return None
    if snapshot.now >= snapshot.startup_deadline:
        return startup.failure(pod, snapshot.facts.warnings or (), snapshot.timeouts.startup_timeout_seconds)
    return startup.hopeless(pod)


def _outcome_without_pod(snapshot: Snapshot) -> Outcome | None:
    if snapshot.leaving:
        return Outcome(Reason.LEAVE_REQUESTED)
    admission = validate(snapshot.session.spec, snapshot.facts.installation)
    if admission.reason is not None:
        return Outcome(admission.reason, admission.message)
    rejection = snapshot.facts.rejection
    if rejection is None:
        late = snapshot.now >= snapshot.startup_deadline
        return reconcile_error.outcome(snapshot.facts) if late else None
    if rejection.kind in ("invalid", "taken"):
        return Outcome(Reason.CONFIG_INVALID, rejection.message)
    if snapshot.now < snapshot.startup_deadline:
        return None
    return Outcome(Reason.QUOTA_EXCEEDED if rejection.kind == "quota" else Reason.CONFIG_INVALID, rejection.message)


def plan_termination(snapshot: Snapshot, outcome: Outcome) -> Plan:
    report = outcome.report or snapshot.facts.report
    before = view_of(snapshot, Phase.LEAVING, None, None, report)
    ever_joined = before.joined_at is not None or (report is not None and report.ever_joined)
    expected = snapshot.session.spec.recording.enabled
    phase, reason = end_phase(
        outcome.reason,
        ever_joined=ever_joined,
        files_verified=report is not None and report.recording.verified,
        files_expected=expected,
    )
    detail = outcome.message
    if phase is Phase.COMPLETED and not ever_joined:
        detail = "The bot was never in the meeting, so nothing was stored"
    elif phase is Phase.COMPLETED and expected and report is not None and report.recording.segments == 0:
        detail = "The stay was over before anything could be written, so nothing was stored"
    message = terminal_message(reason, detail)
    view = view_of(snapshot, phase, reason, message, report)
    after = status.compose(view)
    actions: list[Action] = [StopStream()] if snapshot.facts.stream is not None else []
    actions.append(PatchStatus(status.merge_patch(snapshot.session.status, after)))
    actions.append(EmitEvent("Normal" if phase is Phase.COMPLETED else "Warning", reason.value, message))
    requeue = None
    if snapshot.pod is not None:
        if snapshot.pod.terminated:
            actions.extend([ReleaseFinalizer(snapshot.pod.name)] if snapshot.pod.finalizer else [])
            requeue = snapshot.now  # the pod's time to be removed is counted from the status that was just written
        else:
            actions.extend(delete_and_release(snapshot.pod))
    return Plan(tuple(actions), requeue)


def terminal_message(reason: Reason, detail: str | None) -> str:
    advice = REASONS[reason].advice
    if not detail:
        return advice
    detail = detail.rstrip(". \n")
    return f"{detail[:1].upper()}{detail[1:]}. {advice}"
