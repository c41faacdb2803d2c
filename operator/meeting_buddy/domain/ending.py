"""Why a session ends now, if it does, and the plan that ends it."""

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import REASONS, Reason, end_phase
from meeting_buddy.domain import pod_outcome, startup, status
from meeting_buddy.domain.admission import admit
from meeting_buddy.domain.case import Case, remove, view_of
from meeting_buddy.domain.plan import Action, EmitEvent, PatchStatus, Plan, ReleaseFinalizer, StopStream
from meeting_buddy.domain.pod_outcome import Outcome


def needs_warnings(case: Case) -> bool:
    """Whether only the pod's events can say why it does not start: it is late, nobody asked yet."""
    pod = case.pod
    if pod is None or pod.dead or startup.started(pod) or startup.explained(pod) or case.leaving:
        return False
    return case.now >= case.startup_deadline and case.facts.warnings is None


def ending(case: Case) -> Outcome | None:
    """Why the session ends now; ``None``: it goes on."""
    pod, status_now = case.pod, case.session.status
    if pod is None:
        if status_now.bot_pod is None:
            return _ending_without_pod(case)
        return pod_outcome.of_vanished_pod(
            case.facts.last_seen, case.session.uid, case.facts.report, leaving=case.leaving
        )
    if pod.dead:
        return pod_outcome.of_dead_pod(pod, case.session.uid, leaving=case.leaving)
    if startup.started(pod) or case.leaving:
        return None
    if case.now >= case.startup_deadline:
        return startup.failure(pod, case.facts.warnings or (), case.timeouts.startup_timeout_seconds)
    return startup.hopeless(pod)


def _ending_without_pod(case: Case) -> Outcome | None:
    if case.leaving:
        return Outcome(Reason.LEAVE_REQUESTED)
    verdict = admit(case.session.spec, case.facts.installation)
    if verdict.reason is not None:
        return Outcome(verdict.reason, verdict.message)
    refusal = case.facts.refusal
    if refusal is None:
        return None
    if refusal.kind in ("invalid", "taken"):
        return Outcome(Reason.CONFIG_INVALID, refusal.message)
    if case.now < case.startup_deadline:
        return None
    return Outcome(Reason.QUOTA_EXCEEDED if refusal.kind == "quota" else Reason.CONFIG_INVALID, refusal.message)


def end(case: Case, outcome: Outcome) -> Plan:
    report = outcome.report or case.facts.report
    before = view_of(case, Phase.LEAVING, None, None, report)
    ever_joined = before.joined_at is not None or (report is not None and report.ever_joined)
    expected = case.session.spec.recording.enabled
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
    message = _farewell(reason, detail)
    view = view_of(case, phase, reason, message, report)
    after = status.compose(view)
    actions: list[Action] = [StopStream()] if case.facts.stream is not None else []
    actions.append(PatchStatus(status.merge_patch(case.session.status, after)))
    actions.append(EmitEvent("Normal" if phase is Phase.COMPLETED else "Warning", reason.value, message))
    requeue = None
    if case.pod is not None:
        if case.pod.dead:
            actions.extend([ReleaseFinalizer(case.pod.name)] if case.pod.finalizer else [])
            requeue = case.now  # the pod's time to be removed is counted from the status that was just written
        else:
            actions.extend(remove(case.pod))
    return Plan(tuple(actions), requeue)


def _farewell(reason: Reason, detail: str | None) -> str:
    advice = REASONS[reason].advice
    if not detail:
        return advice
    detail = detail.rstrip(". \n")
    return f"{detail[:1].upper()}{detail[1:]}. {advice}"
