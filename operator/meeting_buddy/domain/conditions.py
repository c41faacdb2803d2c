"""Each condition of the status by its own pure function; one merge keeps the times of those that did not change.

A function returns ``None`` for "absent". Abnormal-true conditions (Reconciling, Stalled, MemoryPressure,
StoragePressure, ReconcileError) are present only while they apply, as kstatus wants it.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from meeting_buddy.contract.phases import PHASES, Phase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.view import View
from meeting_buddy.resource.session import Condition

Truth = Literal["True", "False", "Unknown"]
MAX_MESSAGE: Final = 1024


class Draft(NamedTuple):
    """A condition without its times."""

    status: Truth
    reason: str
    message: str = ""


def ready(view: View) -> Draft:
    """In the meeting as asked, or over and well; as the phase table says."""
    return Draft("True" if PHASES[view.phase].ready else "False", _word(view), PHASES[view.phase].meaning)


def reconciling(view: View) -> Draft | None:
    """On the way somewhere."""
    return Draft("True", view.phase.value) if PHASES[view.phase].reconciling else None


def stalled(view: View) -> Draft | None:
    """Over, and not well: nothing will happen any more."""
    return Draft("True", _word(view), view.message or "") if PHASES[view.phase].stalled else None


def complete(view: View) -> Draft | None:
    """As in Job."""
    return Draft("True", _word(view), view.message or "") if view.phase is Phase.COMPLETED else None


def failed(view: View) -> Draft | None:
    """As in Job."""
    return Draft("True", _word(view), view.message or "") if view.phase is Phase.FAILED else None


def pod_scheduled(view: View) -> Draft | None:
    """Copied from the pod, so that nobody has to look there."""
    if view.pod is None or view.pod.scheduled is None:
        return previous(view, "PodScheduled")
    found = view.pod.scheduled
    status: Truth = "True" if found.status == "True" else "False"
    return Draft(status, found.reason or ("Scheduled" if status == "True" else "Pending"), found.message)


def joined(view: View) -> Draft | None:
    """Whether the bot is in the meeting now; a rejoin or a move back to the lobby shows here, never in the phase."""
    if view.phase.terminal:
        return None if view.pod_name is None else Draft("False", "NeverJoined" if view.joined_at is None else "Left")
    if view.phase.rank < Phase.JOINING.rank:
        return None
    report, ready = view.report, view.pod is not None and view.pod.bot.ready
    if report is not None and not view.unreachable:
        if report.joined_at is None and ready:
            return Draft("True", "InMeeting")  # the kubelet was faster than the report's second
        if report.left_at is not None:
            return Draft("False", "Left")
        if report.waiting is not None:
            return Draft("False", report.waiting.value)
        return Draft("True", "InMeeting") if report.joined_at else Draft("False", Waiting.CONNECTING.value)
    if ready:
        return Draft("True", "InMeeting")
    if view.joined_at is None:
        return Draft("False", Waiting.CONNECTING.value)
    return Draft("Unknown", "BotUnreachable", "the bot was in the meeting when it was last heard")


def recording(view: View) -> Draft | None:
    """Whether media is being written now."""
    if not view.session.spec.recording.enabled:
        return Draft("False", "NotRequested")
    if view.phase.terminal:
        return None if view.pod_name is None else Draft("False", "Ended")
    if view.phase is Phase.RECORDING:
        return Draft("True", "Writing")
    return Draft("False", "Ended" if view.phase is Phase.LEAVING else "NotStarted")


def transcribed(view: View) -> Draft | None:
    """Whether there is a transcript; there is no engine yet."""
    if not view.session.spec.transcription.enabled:
        return None
    return Draft("False", "NoEngine", "no transcription engine is installed")


def reporting(view: View) -> Draft | None:
    """Whether the bot's reports reach the operator; without them detail is missing, never the session."""
    if view.phase.terminal or view.stream is None:
        return previous(view, "Reporting")
    if view.unreachable:
        return Draft("Unknown", "BotUnreachable", "the bot's report stream is cut; its pod is still being watched")
    return Draft("True", "Connected") if view.stream.connected else previous(view, "Reporting")


def sandboxed(view: View) -> Draft | None:
    """What the browser really runs under, by the bot's own look."""
    sandbox = view.report.browser.sandbox if view.report is not None else None
    if sandbox is None:
        return previous(view, "Sandboxed")
    if sandbox == "none":
        return Draft("False", "NoSandbox", "the browser runs without a sandbox of its own")
    return Draft("True", sandbox[:1].upper() + sandbox[1:])


def memory_pressure(view: View) -> Draft | None:
    """The bot comes near its memory limit."""
    applies = not view.phase.terminal and view.report is not None and view.report.memory_pressure
    return Draft("True", "NearLimit", "raise the bot class's memory limit") if applies else None


def storage_pressure(view: View) -> Draft | None:
    """The volume is nearly full."""
    applies = not view.phase.terminal and view.report is not None and view.report.storage_pressure
    return Draft("True", "NearlyFull", "free or enlarge the recordings volume") if applies else None


def reconcile_error(view: View) -> Draft | None:
    """The operator itself failed several times in a row, or the API server keeps the pod out."""
    if view.phase.terminal or view.error is None:
        return None
    return Draft("True", view.error.reason, view.error.message)


CONDITIONS: Final[dict[str, Callable[[View], Draft | None]]] = {
    "Ready": ready,
    "Reconciling": reconciling,
    "Stalled": stalled,
    "Complete": complete,
    "Failed": failed,
    "PodScheduled": pod_scheduled,
    "Joined": joined,
    "Recording": recording,
    "Transcribed": transcribed,
    "Reporting": reporting,
    "Sandboxed": sandboxed,
    "MemoryPressure": memory_pressure,
    "StoragePressure": storage_pressure,
    "ReconcileError": reconcile_error,
}


def compute(view: View) -> list[Condition]:
    """All conditions that apply; ``lastTransitionTime`` moves only with ``status``."""
    before = {condition.type: condition for condition in view.session.status.conditions or ()}
    found = []
    for kind, function in CONDITIONS.items():
        draft = function(view)
        if draft is None:
            continue
        old = before.get(kind)
        since = old.last_transition_time if old is not None and old.status == draft.status else view.now
        found.append(
            Condition(
                type=kind,
                status=draft.status,
                reason=draft.reason,
                message=draft.message[:MAX_MESSAGE],
                last_transition_time=since,
                observed_generation=view.session.generation,
            )
        )
    return found


def previous(view: View, kind: str) -> Draft | None:
    """What was written before."""
    for condition in view.session.status.conditions or ():
        if condition.type == kind:
            return Draft(condition.status, condition.reason, condition.message)
    return None


def _word(view: View) -> str:
    reason: Reason | None = view.reason
    return reason.value if reason is not None else view.phase.value
