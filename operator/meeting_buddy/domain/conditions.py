"""Each condition of the status by its own pure function; one merge keeps the times of those that did not change.

A function returns ``None`` for "absent". Abnormal-true conditions (Reconciling, Stalled, MemoryPressure,
StoragePressure, ReconcileError) are present only while they apply, as kstatus wants it.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from meeting_buddy.contract.phases import PHASES, Phase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Reception, TranscriptionReport
from meeting_buddy.contract.text import well_formed
from meeting_buddy.domain.snapshot import Snapshot
from meeting_buddy.resource.session import Condition

Truth = Literal["True", "False", "Unknown"]
MAX_MESSAGE: Final = 1024
"""Of a status or a condition, and of a condition's reason."""
_UNFINISHED: Final = ("Starting", "Live", "Lagging")
"""Of a transcript: what is no outcome."""
_NO_ENGINE: Final = "the bot class has no transcription engine"


class Draft(NamedTuple):
    """A condition without its times."""

    status: Truth
    reason: str
    message: str = ""


def ready(snapshot: Snapshot) -> Draft:
    """In the meeting as asked, or over and well; as the phase table says."""
    meaning = _stored(snapshot) if snapshot.phase is Phase.COMPLETED else PHASES[snapshot.phase].meaning
    if snapshot.phase in (Phase.ACTIVE, Phase.RECORDING) and snapshot.report is not None:
        if snapshot.report.waiting is not None:
            meaning = "See condition Joined."
        elif snapshot.phase is Phase.RECORDING and snapshot.report.storage_unresponsive:
            meaning = "In the meeting; see condition Recording."
    return Draft("True" if PHASES[snapshot.phase].ready else "False", _word(snapshot), meaning)


def reconciling(snapshot: Snapshot) -> Draft | None:
    """On the way somewhere."""
    return Draft("True", snapshot.phase.value) if PHASES[snapshot.phase].reconciling else None


def stalled(snapshot: Snapshot) -> Draft | None:
    """Over, and not well: nothing will happen any more."""
    return Draft("True", _word(snapshot), snapshot.message or "") if PHASES[snapshot.phase].stalled else None


def complete(snapshot: Snapshot) -> Draft | None:
    """As in Job."""
    return Draft("True", _word(snapshot), snapshot.message or "") if snapshot.phase is Phase.COMPLETED else None


def failed(snapshot: Snapshot) -> Draft | None:
    """As in Job."""
    return Draft("True", _word(snapshot), snapshot.message or "") if snapshot.phase is Phase.FAILED else None


def pod_scheduled(snapshot: Snapshot) -> Draft | None:
    """Copied from the pod, so that nobody has to look there."""
    pod = snapshot.bot_pod
    if pod is None or pod.scheduled is None:
        return previous(snapshot, "PodScheduled") if snapshot.has_bot else None
    found = pod.scheduled
    status: Truth = "True" if found.status == "True" else "False"
    return Draft(status, found.reason or ("Scheduled" if status == "True" else "Pending"), found.message)


def joined(snapshot: Snapshot) -> Draft | None:
    """Whether the bot is in the meeting now; a rejoin or a move back to the lobby shows here, never in the phase."""
    if snapshot.phase.terminal:
        return None if _nobody_came(snapshot) else Draft("False", "Left" if _was_in(snapshot) else "NeverJoined")
    if snapshot.phase.rank < Phase.JOINING.rank:
        return None
    if snapshot.reason is not None:  # its bot has ended, whatever it reported last
        return Draft("False", "Left")
    report, ready = snapshot.report, snapshot.bot_pod is not None and snapshot.bot_pod.bot.ready
    if report is not None and not snapshot.unreachable:
        if report.joined_at is None and ready:
            return Draft("True", "InMeeting")  # the kubelet was faster than the report's second
        if report.left_at is not None:
            return Draft("False", "Left")
        if report.waiting is not None:
            return Draft("False", report.waiting.value)
        rooms = "the host has opened breakout rooms; the bot stays in the main session"
        message = rooms if report.breakout_rooms else ""
        return Draft("True", "InMeeting", message) if report.joined_at else Draft("False", Waiting.CONNECTING.value)
    if ready:
        return Draft("True", "InMeeting")
    if snapshot.joined_at is None or snapshot.phase.rank < Phase.ACTIVE.rank:
        return Draft("False", Waiting.CONNECTING.value)
    return Draft("Unknown", "BotUnreachable", "the bot was in the meeting when it last reported")


def recording(snapshot: Snapshot) -> Draft | None:
    """Whether media is being written now."""
    if not snapshot.session.spec.recording.enabled:
        return Draft("False", "NotRequested")
    if snapshot.phase.terminal:
        return None if _nobody_came(snapshot) else Draft("False", "Ended")
    if snapshot.phase is Phase.RECORDING:
        if snapshot.report is not None and snapshot.report.storage_unresponsive:
            return Draft("False", "StorageUnresponsive")  # condition StoragePressure says more
        return Draft("True", "Writing")
    return Draft("False", "Ended" if snapshot.phase is Phase.LEAVING else "NotStarted")


def transcribed(snapshot: Snapshot) -> Draft | None:
    """Whether there is a transcript, and whether it keeps up; of a meeting that no bot was in there is none."""
    if not snapshot.session.spec.transcription.enabled:
        return None
    report = snapshot.report.transcription if snapshot.report is not None else TranscriptionReport()
    found: Draft | None
    if report.state != "Off":
        found = _of_transcript(report)
    else:
        found = previous(snapshot, "Transcribed")  # it begins when the bot does
        if found is None and snapshot.transcribing is False:
            found = Draft("False", "NoEngine", _NO_ENGINE)
    # Also while another bot, or the finisher, is to come: nobody transcribes meanwhile.
    if found is not None and snapshot.reason is not None and found.reason in _UNFINISHED:
        if found.reason == "Starting" and not (snapshot.ever_joined or snapshot.finishing):
            return None if snapshot.phase.terminal else found
        return Draft("False", "Incomplete", "the bot ended before the transcript was finished")
    return found


def _of_transcript(report: TranscriptionReport) -> Draft:
    message = report.message or ""
    if report.state in ("Starting", "Live"):
        return Draft("True" if report.state == "Live" else "Unknown", report.state, message)
    if report.state == "Done" and report.reason is None:
        return Draft("True", "Done", message)
    return Draft("False", report.reason or report.state, message)


def reporting(snapshot: Snapshot) -> Draft | None:
    """Whether the bot's reports reach the operator; without them detail is missing, never the session."""
    if not snapshot.has_bot:
        return None
    if snapshot.phase.terminal or snapshot.stream is None:
        return previous(snapshot, "Reporting")
    if snapshot.unreachable:
        return Draft("Unknown", "BotUnreachable", "the bot's report stream is cut; its pod is still being watched")
    return Draft("True", "Connected") if snapshot.stream.connected else previous(snapshot, "Reporting")


def sandboxed(snapshot: Snapshot) -> Draft | None:
    """What the browser really runs under, by the bot's own look."""
    sandbox = snapshot.report.browser.sandbox if snapshot.report is not None else None
    if sandbox is None:
        return previous(snapshot, "Sandboxed")
    if sandbox == "none":
        return Draft("False", "NoSandbox", "the browser runs without a sandbox of its own")
    return Draft("True", sandbox[:1].upper() + sandbox[1:])


def memory_pressure(snapshot: Snapshot) -> Draft | None:
    """The bot comes near its memory limit."""
    applies = snapshot.reason is None and snapshot.report is not None and snapshot.report.memory_pressure
    return Draft("True", "NearLimit", "raise the bot class's memory limit") if applies else None


def storage_pressure(snapshot: Snapshot) -> Draft | None:
    """The volume is nearly full, or does not answer."""
    if snapshot.reason is not None or snapshot.report is None:
        return None
    if snapshot.report.storage_unresponsive:
        return Draft("True", "Unresponsive", "the recordings volume does not answer; nothing is recorded until it does")
    if snapshot.report.storage_pressure:
        return Draft("True", "NearlyFull", "free or enlarge the recordings volume")
    return None


def audio_received(snapshot: Snapshot) -> Draft | None:
    """Whether the meeting's sound reaches the recorder; after the end, what was last known."""
    if snapshot.report is None or not snapshot.report.ever_joined:
        return previous(snapshot, "AudioReceived")
    found = snapshot.report.media.audio
    return _received(snapshot, found, "participants are speaking, and no audio is received")


def video_received(snapshot: Snapshot) -> Draft | None:
    """Whether the meeting's pictures advance; after the end, what was last known."""
    if snapshot.report is None or not snapshot.report.ever_joined:
        return previous(snapshot, "VideoReceived")
    return _received(snapshot, snapshot.report.media.video, "the meeting's video is frozen")


def _received(snapshot: Snapshot, found: Reception, problem: str) -> Draft:
    """By what was last known, unless the bot is out of the call for now: what arrived before says nothing then."""
    if snapshot.report is not None and snapshot.report.waiting is not None and not snapshot.phase.terminal:
        return Draft("Unknown", Reception().reason)
    if found.received is None:
        return Draft("Unknown", found.reason)
    return Draft("True", found.reason) if found.received else Draft("False", found.reason, problem)


def bot_class_accepted(snapshot: Snapshot) -> Draft | None:
    """Present while the API server refuses a pod of the session's class, as found by a dry run."""
    refusal = snapshot.facts.installation.class_refusal
    return None if refusal is None or snapshot.phase.terminal else Draft("False", "Refused", refusal)


def platform_table(snapshot: Snapshot) -> Draft | None:
    """Present where the session's bot got the built-in table because the administrator's is wrong.

    The first status with a table's hash settles it, as the bot keeps the table that it was given.
    """
    settled = snapshot.session.status.table_hash is not None or (snapshot.phase.terminal and not snapshot.has_bot)
    if settled:
        return previous(snapshot, "PlatformTable")
    fault = snapshot.table_fault
    message = f"the administrator's platform table is not used, the built-in one is: {fault}"
    return None if fault is None else Draft("False", "OverrideInvalid", message)


def reconcile_error(snapshot: Snapshot) -> Draft | None:
    """The operator itself failed several times in a row, or the API server keeps the pod out."""
    error = snapshot.error
    return None if error is None else Draft("True", error.reason, error.message)


CONDITIONS: Final[dict[str, Callable[[Snapshot], Draft | None]]] = {
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
    "BotClassAccepted": bot_class_accepted,
    "PlatformTable": platform_table,
    "AudioReceived": audio_received,
    "VideoReceived": video_received,
    "ReconcileError": reconcile_error,
}


def compute(snapshot: Snapshot) -> list[Condition]:
    """All conditions that apply; ``lastTransitionTime`` moves only with ``status``."""
    before = {condition.type: condition for condition in snapshot.session.status.conditions or ()}
    found = []
    for kind, function in CONDITIONS.items():
        draft = function(snapshot)
        if draft is None:
            continue
        found.append(_condition(kind, draft, before.get(kind), snapshot))
    return found


def _condition(kind: str, draft: Draft, old: Condition | None, snapshot: Snapshot) -> Condition:
    draft = Draft(draft.status, fitting(draft.reason), fitting(draft.message))
    generation = snapshot.session.generation
    if old is not None and draft == _draft(old) and old.observed_generation == generation:
        return old
    return Condition(
        type=kind,
        status=draft.status,
        reason=draft.reason,
        message=draft.message,
        last_transition_time=old.last_transition_time if old and old.status == draft.status else snapshot.now,
        observed_generation=generation,
    )


def fitting(text: str) -> str:
    """``text`` as a status and its conditions can hold it, whoever wrote it."""
    return well_formed(text)[:MAX_MESSAGE]


def previous(snapshot: Snapshot, kind: str) -> Draft | None:
    """What was written before."""
    return next((_draft(each) for each in snapshot.session.status.conditions or () if each.type == kind), None)


def _draft(condition: Condition) -> Draft:
    return Draft(condition.status, condition.reason, condition.message)


def _nobody_came(snapshot: Snapshot) -> bool:
    """Whether the session never had a bot of which anything could be said."""
    return snapshot.bot_name is None and snapshot.joined_at is None


def _was_in(snapshot: Snapshot) -> bool:
    """Whether a bot was in the meeting by what anybody says, or recorded something of it."""
    recorded = snapshot.report.recording.segments if snapshot.report is not None else 0
    return snapshot.ever_joined or bool(recorded or snapshot.session.status.segment_count)


def _stored(snapshot: Snapshot) -> str:
    """What a completed session left on the volume: ``2 segments, 1.7 MB, verified``."""
    found = snapshot.report.recording if snapshot.report is not None else None
    lines = snapshot.report.transcription.lines if snapshot.report is not None else 0
    lines = lines or snapshot.session.status.transcript_line_count or 0
    text = f"a transcript of {lines} line{'s' if lines > 1 else ''}" if lines > 0 else ""
    if found is None or not found.segments:
        return text or "nothing was stored"
    size = f"{found.bytes / 1e6:.1f} MB" if found.bytes < 1e9 else f"{found.bytes / 1e9:.2f} GB"
    return f"{found.segments} segment{'s' if found.segments > 1 else ''}, {size}, verified{f'; {text}' if text else ''}"


def _word(snapshot: Snapshot) -> str:
    reason: Reason | None = snapshot.reason
    return reason.value if reason is not None else snapshot.phase.value
