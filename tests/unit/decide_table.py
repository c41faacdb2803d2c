"""The truth table of ``decide``: situations, and what follows. Tests run it; the README's table is made from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from meeting_buddy.contract.identity import FIRST_BOT, PodId, Role
from meeting_buddy.contract.report import Report
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import (
    AttemptFacts,
    ContainerFacts,
    CreateRejection,
    Facts,
    LeaveFacts,
    PodCondition,
    PodFacts,
    PodWarning,
    ReconcileError,
    StreamFacts,
)
from meeting_buddy.domain.plan import GiveUpPod, PatchStatus, Plan
from tests.support import operator_facts as make
from tests.support.operator_facts import NOW, later

_STARTED = {"phase": "Initializing", "attempt": 1, "botPod": make.POD, "scheduledTime": "2026-11-23T10:00:00Z"}
_JOINING = {**_STARTED, "phase": "Joining"}
_RECORDING = {**_STARTED, "phase": "Recording", "joinTimestamp": "2026-11-23T10:00:20Z"}
_ASKED = {"leaveRequestedAt": "2026-11-23T10:01:00Z"}
_LEAVING = {**_RECORDING, "phase": "Leaving"}
_FINISHING = make.joined("Leaving", leftAt="2026-11-23T10:01:05Z")
_NO_NODE = PodCondition("False", "Unschedulable", "0/3 nodes are available: 3 Insufficient memory.")
_NO_CLAIM = PodCondition("False", "Unschedulable", 'persistentvolumeclaim "meeting-buddy-recordings" not found')
_LATE = later(601)
_CONNECTED = StreamFacts(True, None)
_GRACE = 120
_TIMED: dict[str, Any] = {"started_at": NOW, "active_deadline_seconds": 15000, "grace_seconds": _GRACE}
"""As the kubelet that accepted the pod has it."""
_LOST = later(15000 + _GRACE + 30)
_ENDED = {**_RECORDING, "phase": "Completed", "completionTime": "2026-11-23T10:00:00Z"}
_REFUSED = ReconcileError("InternalError", 'Pod standup: failed calling webhook "policy.example"', 3, NOW)
_NO_QUOTA = replace(_REFUSED, reason="QuotaExceeded", message="exceeded quota: pods")
_AT_ELEVEN: dict[str, Any] = {"startTime": "2026-11-23T11:00:00Z"}
"""The meeting starts an hour after NOW, so that its bot is due after 59 minutes."""
_DUE, _START = later(3540), later(3600)
_ENDS: dict[str, Any] = {"endTime": "2026-11-23T10:30:00Z"}
_END = later(1800)
_AT_END: dict[str, Any] = {"leaveRequestedAt": "2026-11-23T10:30:00Z", "leaveReason": "EndTimeReached"}
_AHEAD: dict[str, Any] = {"phase": "Scheduled", "scheduledTime": "2026-11-23T10:00:00Z"}
_WAITS = {"phase": "Initializing", "scheduledTime": "2026-11-23T10:00:00Z"}


@dataclass(frozen=True)
class Row:
    """One situation. ``phase`` is what the status says afterwards (``None``: not written now)."""

    situation: str
    facts: Facts
    actions: str
    phase: str | None = None
    reason: str | None = None
    at: datetime = NOW


def _written(plan: Plan) -> dict[str, Any]:
    """What a plan writes into the status, which it does."""
    return next(dict(action.patch) for action in plan.actions if isinstance(action, PatchStatus))


def _after(status: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The status with what a plan writes into it."""
    return {key: value for key, value in {**status, **_written(plan)}.items() if value is not None}


def _told(reason: str) -> dict[str, object]:
    """The status of a session without a pod, of which an error was reported."""
    return _written(decide(make.facts(make.session(), error=replace(_REFUSED, reason=reason)), lambda: NOW))


def _disrupted(reason: str, message: str = "") -> PodCondition:
    return PodCondition("True", reason, message)


def _taken(reason: str | None = None, message: str = "", **fields: Any) -> PodFacts:
    """A finisher that ended as somebody took its pod away."""
    disrupted = _disrupted(reason) if reason is not None else None
    return replace(make.FINISHER, phase="Failed", bot=make.ended(message, 143, "Error"), disrupted=disrupted, **fields)


def _scheduled() -> dict[str, Any]:
    """The status of a session whose start is ahead."""
    return _written(decide(make.facts(make.session(**_AT_ELEVEN)), lambda: NOW))


def _second() -> dict[str, Any]:
    """The status of a session whose first bot failed before the meeting, and whose second comes in ten seconds."""
    first = make.facts(make.session(_JOINING, backoffLimit=2), make.terminated(_UNREACHABLE))
    return _after(_JOINING, decide(first, lambda: NOW))


def _removal() -> Plan:
    """Of the pod of a bot that did not start."""
    return decide(make.facts(make.session(_STARTED, backoffLimit=2), _CRASH_LOOP), lambda: _LATE)


def _removed() -> dict[str, Any]:
    """What the status says meanwhile."""
    return _written(_removal())


def _another() -> dict[str, Any]:
    """The status of a session whose finisher was drained."""
    drained = make.facts(make.session(_WORKS), _taken("EvictionByEvictionAPI", deleted_at=NOW))
    return _after(_WORKS, decide(drained, lambda: later(60)))


_S, _F = make.session, make.facts
_CRASH_LOOP = make.pod(browser=make.waiting("CrashLoopBackOff"))
_GIVEN_UP = next(action.outcome for action in _removal().actions if isinstance(action, GiveUpPod))
_UNREACHABLE = make.ended(make.report("Ended", reason="PageUnreachable").to_json())
_THIRD = make.ended(make.report("Ended", reason="PageUnreachable", attempt=3).to_json())
_CONFUSED = make.report("Ended", reason="ConfigInvalid", sessionId="", attempt=0, message="no assignment").to_json()
_CRASHED: dict[str, Any] = {**_RECORDING, "phase": "Leaving", "reason": "BotCrashed", "message": "It crashed."}
_WORKS: dict[str, Any] = {**_CRASHED, "finisherPod": f"{make.POD}-f"}
_CRASHED_AT: dict[str, Any] = {**_WORKS, "leaveTimestamp": "2026-11-23T10:01:00Z"}
_FINISHER = PodId(1, Role.FINISHER)
_KILLED = make.ended(code=137, reason="Error")
_NO_ROOM = make.ended("container init was OOM-killed (memory limit too low?)", 128, "StartError")
_REJOINS = {**_RECORDING, "attempt": 3, "botPod": make.THIRD}
_REFUSED_BY_NODE = replace(
    make.terminated(ContainerFacts(), reason="Evicted", message="The node had condition: [DiskPressure]."),
    name=make.THIRD,
    uid="pod-3",
    attempt=3,
)
"""At its admission: no container of it ever ran."""
_SECOND_POD = replace(make.READY_POD, name=make.SECOND, uid="pod-2", attempt=2)
_SECOND_ENDED = replace(_SECOND_POD, phase="Succeeded", bot=make.ended(make.last_word("LeaveRequested", attempt=2)))
_DRAINED = make.ended(make.last_word("Evicted", recording={"verified": False}))
_OUTDATED: dict[str, Any] = {"attempts": {FIRST_BOT: AttemptFacts(outdated="pod-1")}, "of": PodId(2)}
_TOLD_LONG_AGO = _told("Forbidden")
_NO_CLASS = replace(make.INSTALLATION, bot_class=None)
_ENDED_BEFORE_NEXT: dict[str, Any] = {
    **_WAITS, **_AT_END, "phase": "Leaving", "reason": "EndTimeReached", "attempt": 2,
    "leaveTimestamp": "2026-11-23T10:25:00Z", "nextAttemptTime": "2026-11-23T10:31:00Z",
}  # fmt: skip

# One line a row, so that it reads as a table.
# ruff: noqa: E501
# fmt: off
TABLE: dict[str, tuple[Row, ...]] = {
    "Before there is a pod": (
        Row("new session", _F(_S()), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("a pod with the labels of its own, but another name", _F(_S(), replace(make.STARTING_POD, name="other")), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("link in a Secret", _F(_S(meetingLink=None, meetingLinkSecretRef={"name": "link"})), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("link that no guest can open", _F(_S(meetingLink="https://meet.example.org/custom?token=x")), "PatchStatus EmitEvent", "Failed", "LinkInvalid"),
        Row("host that is not listed", _F(_S(meetingLink="https://other.example.org/rooms/a")), "PatchStatus EmitEvent", "Failed", "HostNotAllowed"),
        Row("platform without a table", _F(_S(meetingLink="https://zoom.us/j/1234567890", platform="Zoom")), "PatchStatus EmitEvent", "Failed", "PlatformNotAvailable"),
        Row("self-hosted kind without a table", _F(_S(platform="Parlour")), "PatchStatus EmitEvent", "Failed", "PlatformNotAvailable"),
        Row("a field that this version cannot read", _F(replace(_S(), unreadable=("spec.recording.video",))), "PatchStatus EmitEvent", "Failed", "ConfigInvalid"),
        Row("unknown bot class", replace(_F(_S()), installation=replace(make.INSTALLATION, bot_class=None)), "PatchStatus EmitEvent", "Failed", "ConfigInvalid"),
        Row("a language that the class's engine does not know", replace(_F(_S(transcription={"language": "de-AT"})), installation=make.ENGLISH_ONLY), "PatchStatus EmitEvent", "Failed", "ConfigInvalid"),
        Row("the same language, and no transcript is wanted", replace(_F(_S(transcription={"language": "de-AT", "enabled": False})), installation=make.ENGLISH_ONLY), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("the administrator's platform table is wrong: the built-in one is used", replace(_F(_S()), installation=make.BAD_TABLE), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("leave before there is a pod", _F(_S(leave=True)), "PatchStatus EmitEvent", "Completed", "LeaveRequested"),
        Row("leave was set and set back before there was a pod", _F(_S(dict(_ASKED, phase="Initializing"))), "PatchStatus EmitEvent", "Completed", "LeaveRequested"),
        Row("quota keeps the pod out", _F(_S(), rejection=CreateRejection("quota", "exceeded quota", NOW)), "EmitErrorEvent PatchStatus", "Initializing"),
        Row("quota still does, time to ask again", _F(_S(_told("QuotaExceeded")), rejection=CreateRejection("quota", "exceeded quota", NOW)), "CreatePod PatchStatus EmitEvent", "Initializing", at=later(11)),
        Row("the quota still refused it", _F(_S({"phase": "Initializing", "scheduledTime": "2026-11-23T10:00:00Z"}), rejection=CreateRejection("quota", "exceeded quota", NOW)), "PatchStatus EmitEvent", "Failed", "QuotaExceeded", _LATE),
        Row("API server finds the pod invalid", _F(_S(), rejection=CreateRejection("invalid", "spec.x: no", NOW)), "PatchStatus EmitEvent", "Failed", "ConfigInvalid"),
        Row("somebody else's pod has the name", _F(_S(), rejection=CreateRejection("taken", "exists", NOW)), "PatchStatus EmitEvent", "Failed", "ConfigInvalid"),
    ),
    "The pod does not start": (
        Row("pod created, status not yet written", _F(_S(), make.PENDING_POD), "PatchStatus", "Initializing"),
        Row("operator died between pod and Secret", _F(_S(), make.PENDING_POD, secret_missing=True), "CreateSecret PatchStatus", "Initializing"),
        Row("quota keeps the Secret out", _F(_S(_STARTED), make.STARTING_POD, secret_missing=True, rejection=CreateRejection("quota", "exceeded quota", NOW)), "EmitErrorEvent PatchStatus", "Initializing"),
        Row("quota still does, time to ask again for the Secret", _F(_S(_STARTED), make.STARTING_POD, secret_missing=True, rejection=CreateRejection("quota", "exceeded quota", NOW)), "EmitErrorEvent CreateSecret PatchStatus", "Initializing", at=later(11)),
        Row("quota kept the Secret out for too long", _F(_S(_STARTED), make.STARTING_POD, secret_missing=True, rejection=CreateRejection("quota", "exceeded quota", NOW)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "QuotaExceeded", _LATE),
        Row("somebody else's Secret has the name", _F(_S(_STARTED), make.PENDING_POD, secret_missing=True, rejection=CreateRejection("taken", "exists", NOW)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ConfigInvalid"),
        Row("bot runs: its Secret is there", _F(_S({**_STARTED, "phase": "Joining"}), make.RUNNING_POD, stream=_CONNECTED, report=make.report("Joining"), secret_missing=True), "PatchStatus", "Joining"),
        Row("the API server's clock is ten minutes behind", _F(_S(_STARTED), replace(make.PENDING_POD, created_at=later(-610), first_seen_at=NOW, scheduled=_NO_NODE)), "PatchStatus", "Initializing"),
        Row("no node yet", _F(_S(_STARTED), replace(make.PENDING_POD, scheduled=_NO_NODE)), "PatchStatus", "Initializing", at=later(30)),
        Row("no node in time", _F(_S(_STARTED), replace(make.PENDING_POD, scheduled=_NO_NODE)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "Unschedulable", _LATE),
        Row("claim missing", _F(_S(_STARTED), replace(make.PENDING_POD, scheduled=_NO_CLAIM)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ConfigInvalid", _LATE),
        Row("image missing", _F(_S(_STARTED), make.pod(browser=make.waiting("ImagePullBackOff", "not found"))), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ImagePullFailed", _LATE),
        Row("image name impossible", _F(_S(_STARTED), make.pod(browser=make.waiting("InvalidImageName"))), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ImagePullFailed", later(1)),
        Row("seccomp profile missing", _F(_S(_STARTED), make.pod(browser=make.waiting("CreateContainerError", "cannot load seccomp profile"))), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ConfigInvalid", _LATE),
        Row("late: it is read once more, since the watch may be late, too", _F(_S(_STARTED), make.STARTING_POD, warnings=None), "ReadLatePod", at=_LATE),
        Row("Secret or ConfigMap missing", _F(_S(_STARTED), make.STARTING_POD, warnings=(PodWarning("FailedMount", 'secret "link" not found'),)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ConfigInvalid", _LATE),
        Row("image still being pulled", _F(_S(_STARTED), make.STARTING_POD, warnings=(PodWarning("Pulling", "Pulling image"),)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ImagePullFailed", _LATE),
        Row("leave before the bot started", _F(_S(_STARTED, leave=True), make.STARTING_POD), "PatchStatus DeletePod", "Initializing"),
        Row("leave before the bot started, whose node then became unreachable", _F(_S({**_STARTED, **_ASKED}), replace(make.STARTING_POD, deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "LeaveRequested", _LATE),
        Row("pod deleted before its bot started, after leave", _F(_S({**_STARTED, **_ASKED}), replace(make.PENDING_POD, deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "LeaveRequested"),
    ),
    "The bot reports": (
        Row("bot started", _F(_S(_STARTED), make.RUNNING_POD), "FollowStream PatchStatus EmitEvent", "Joining"),
        Row("waiting room", _F(_S(_JOINING), make.RUNNING_POD, stream=_CONNECTED, report=make.report("Joining", waiting="WaitingRoom")), "PatchStatus", "Joining"),
        Row("in the meeting, by readiness alone", _F(_S(_JOINING), make.READY_POD, stream=StreamFacts(False, NOW)), "PatchStatus EmitEvent", "Active"),
        Row("in the meeting, by report", _F(_S(_JOINING), make.RUNNING_POD, stream=_CONNECTED, report=make.joined("Active")), "PatchStatus EmitEvent", "Active"),
        Row("media is written", _F(_S(_JOINING), make.READY_POD, stream=_CONNECTED, report=make.joined()), "PatchStatus EmitEvent EmitEvent", "Recording"),
        Row("people speak and no sound arrives", _F(_S(_RECORDING), make.READY_POD, stream=_CONNECTED, report=make.joined(media={"audio": {"received": False, "reason": "SilentWhileSpeaking"}})), "PatchStatus EmitEvent", "Recording"),
        Row("its bot began, and this version cannot read a field", _F(replace(_S(_RECORDING), unreadable=("spec.recording.video",)), make.READY_POD, stream=_CONNECTED, report=make.joined()), "PatchStatus", "Recording"),
        Row("the volume does not answer", _F(_S(_RECORDING), make.READY_POD, stream=_CONNECTED, report=make.joined(storageUnresponsive=True)), "PatchStatus", "Recording"),
        Row("back in the waiting room: the phase stays", _F(_S(_RECORDING), make.RUNNING_POD, stream=_CONNECTED, report=make.joined(waiting="WaitingRoom")), "PatchStatus", "Recording"),
        Row("report cut for a while", _F(_S(_RECORDING), make.READY_POD, stream=StreamFacts(False, NOW), report=make.joined()), "PatchStatus", "Recording", at=later(11)),
        Row("bot leaves", _F(_S(_RECORDING), make.READY_POD, stream=_CONNECTED, report=make.joined("Leaving")), "PatchStatus EmitEvent", "Leaving"),
        Row("a report says Ended: the pod decides", _F(_S(_RECORDING), make.RUNNING_POD, stream=_CONNECTED, report=make.joined("Ended", reason="MeetingEnded")), "PatchStatus EmitEvent", "Leaving"),
        Row("unreachable node: the pod is not dead", _F(_S(_RECORDING), make.pod(phase="Running", bot=ContainerFacts(running=True), deleted_at=NOW), stream=StreamFacts(False, NOW)), "PatchStatus EmitEvent", "Leaving", at=later(5000)),
    ),
    "Leave": (
        Row("leave during the meeting", _F(_S(_RECORDING, leave=True), make.READY_POD, stream=_CONNECTED, report=make.joined()), "PatchStatus RequestLeave", "Recording"),
        Row("leave set back to false", _F(_S({**_RECORDING, **_ASKED}), make.READY_POD, stream=_CONNECTED, report=make.joined()), "PatchStatus RequestLeave", "Recording", at=later(61)),
        Row("bot confirmed the leave", _F(_S({**_RECORDING, **_ASKED}), make.READY_POD, stream=_CONNECTED, report=make.joined(), leave=LeaveFacts(True, later(61))), "PatchStatus EmitEvent", "Leaving", at=later(62)),
        Row("bot finishes a long recording after a confirmed leave", _F(_S({**_LEAVING, **_ASKED}), make.RUNNING_POD, stream=_CONNECTED, report=_FINISHING, leave=LeaveFacts(True, later(61))), "PatchStatus", "Leaving", at=later(61 + 1800 + 119)),
        Row("bot finishes, and a new operator has not asked it", _F(_S({**_LEAVING, **_ASKED}), make.RUNNING_POD, stream=_CONNECTED, report=_FINISHING), "PatchStatus", "Leaving", at=later(1900)),
        Row("bot finishes, and a new operator does not follow it yet", _F(_S({**_LEAVING, **_ASKED}), make.RUNNING_POD), "FollowStream PatchStatus RequestLeave", "Leaving", at=later(1000)),
        Row("bot does not finish in time", _F(_S({**_LEAVING, **_ASKED}), make.RUNNING_POD, stream=_CONNECTED, report=_FINISHING, leave=LeaveFacts(True, later(61))), "PatchStatus DeletePod", "Leaving", at=later(61 + 1800 + 120)),
        Row("bot stops reporting while it finishes", _F(_S({**_LEAVING, **_ASKED}), make.RUNNING_POD, stream=StreamFacts(False, later(900)), report=_FINISHING, leave=LeaveFacts(True, later(61))), "PatchStatus DeletePod", "Leaving", at=later(921)),
        Row("bot is cut off for a moment while it finishes", _F(_S({**_LEAVING, **_ASKED}), make.RUNNING_POD, stream=StreamFacts(False, later(900)), report=_FINISHING, leave=LeaveFacts(True, later(61))), "PatchStatus", "Leaving", at=later(909)),
        Row("bot cannot be asked: SIGTERM tells it", _F(_S({**_RECORDING, **_ASKED}), make.READY_POD, stream=StreamFacts(False, NOW), leave=LeaveFacts(False, later(80))), "PatchStatus DeletePod", "Recording", at=later(81)),
    ),
    "Its start is ahead": (
        Row("its time has not come", _F(_S(**_AT_ELEVEN)), "PatchStatus", "Scheduled"),
        Row("its time has not come, and that is written", _F(_S(_scheduled(), **_AT_ELEVEN), written_at=NOW), ""),
        Row("link that no guest can open, an hour ahead", _F(_S(**_AT_ELEVEN, meetingLink="https://meet.example.org/custom?token=x")), "PatchStatus EmitEvent", "Failed", "LinkInvalid"),
        Row("unknown bot class, an hour ahead", replace(_F(_S(**_AT_ELEVEN)), installation=replace(make.INSTALLATION, bot_class=None)), "PatchStatus EmitEvent", "Failed", "ConfigInvalid"),
        Row("planned and changed, and its bot class is unknown by now", replace(_F(_S(_AHEAD, **_AT_ELEVEN)), installation=_NO_CLASS), "PatchStatus", "Scheduled"),
        Row("planned and changed, and its self-hosted host is not listed by now", replace(_F(_S(_AHEAD, **_AT_ELEVEN)), installation=replace(make.INSTALLATION, self_hosted=())), "PatchStatus", "Scheduled"),
        Row("its bot is due, and its self-hosted host is not listed", replace(_F(_S(_AHEAD, **_AT_ELEVEN)), installation=replace(make.INSTALLATION, self_hosted=())), "PatchStatus EmitEvent", "Failed", "HostNotAllowed", _DUE),
        Row("leave before its time", _F(_S(_AHEAD, **_AT_ELEVEN, leave=True)), "PatchStatus EmitEvent", "Completed", "LeaveRequested"),
        Row("its bot is due", _F(_S(_AHEAD, **_AT_ELEVEN)), "CreatePod PatchStatus EmitEvent", "Initializing", at=_DUE),
        Row("applied after its start, in time for a late bot", _F(_S(**_AT_ELEVEN)), "CreatePod PatchStatus EmitEvent", "Initializing", at=later(4499)),
        Row("its start was moved to now", _F(_S(_AHEAD, startTime="2026-11-23T10:00:30Z")), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("its start was moved away while a quota kept its bot out", _F(_S(_told("QuotaExceeded"), **_AT_ELEVEN), rejection=CreateRejection("quota", "exceeded quota", NOW)), "PatchStatus", "Scheduled", at=later(5)),
        Row("its bot is due, and a quota kept one out before its start was moved", _F(_S(_AHEAD, **_AT_ELEVEN), rejection=CreateRejection("quota", "exceeded quota", later(3535))), "CreatePod PatchStatus EmitEvent", "Initializing", at=_DUE),
        Row("its bot is due, and one was invalid before its start was moved", _F(_S(_AHEAD, **_AT_ELEVEN), rejection=CreateRejection("invalid", "spec.x: no", NOW)), "CreatePod PatchStatus EmitEvent", "Initializing", at=_DUE),
        Row("its bot is due, and somebody else's pod had the name before its start was moved", _F(_S(_AHEAD, **_AT_ELEVEN), rejection=CreateRejection("taken", "exists", NOW)), "CreatePod PatchStatus EmitEvent", "Initializing", at=_DUE),
        Row("its bot is due, and the API server finds its pod invalid", _F(_S(_AHEAD, **_AT_ELEVEN), rejection=CreateRejection("invalid", "spec.x: no", _DUE)), "PatchStatus EmitEvent", "Failed", "ConfigInvalid", _DUE),
        Row("its Secret was kept out before its start was moved, and the status does not name its pod yet", _F(_S(_AHEAD, **_AT_ELEVEN), make.PENDING_POD, secret_missing=True, rejection=CreateRejection("quota", "exceeded quota", NOW)), "EmitErrorEvent PatchStatus", "Initializing", at=later(5)),
        Row("its pod is there, and its start was moved before the status named the pod", _F(_S(_AHEAD, **_AT_ELEVEN), make.PENDING_POD), "PatchStatus", "Initializing"),
        Row("quota keeps its bot out: the deadline counts from when it was due", _F(_S(_WAITS, **_AT_ELEVEN), rejection=CreateRejection("quota", "exceeded quota", later(4139))), "EmitErrorEvent PatchStatus", "Initializing", at=later(4139)),
        Row("quota keeps its bot out, long after it was accepted and moved to now", _F(_S(_AHEAD), rejection=CreateRejection("quota", "exceeded quota", _LATE)), "EmitErrorEvent PatchStatus", "Initializing", at=_LATE),
        Row("the quota still refused it, from when it was due", _F(_S(_WAITS, **_AT_ELEVEN), rejection=CreateRejection("quota", "exceeded quota", later(4130))), "PatchStatus EmitEvent", "Failed", "QuotaExceeded", later(4140)),
        Row("its status cannot be written", _F(_S(**_AT_ELEVEN), error=_REFUSED), "EmitErrorEvent PatchStatus", "Scheduled"),
    ),
    "Too late": (
        Row("no bot was made in time", _F(_S(_AHEAD, **_AT_ELEVEN)), "PatchStatus EmitEvent", "Failed", "Missed", later(4500)),
        Row("restored from a backup, long after its start", _F(_S(startTime="2026-11-02T11:00:00Z", endTime="2026-11-02T12:00:00Z")), "PatchStatus EmitEvent", "Failed", "Missed"),
        Row("a deadline of its own has passed", _F(_S(_AHEAD, **_AT_ELEVEN, startingDeadlineSeconds=0)), "PatchStatus EmitEvent", "Failed", "Missed", _START),
        Row("quota kept its bot out until a short deadline", _F(_S(_AHEAD, **_AT_ELEVEN, startingDeadlineSeconds=60), rejection=CreateRejection("quota", "exceeded quota", later(3655))), "PatchStatus EmitEvent", "Failed", "Missed", later(3660)),
        Row("too late, and the API server does not say whether its pod is there", _F(_S(_AHEAD, **_AT_ELEVEN), error=_REFUSED, confirmed=False), "EmitErrorEvent PatchStatus", "Initializing", at=later(4500)),
        Row("its pod is there: it is not too late", _F(_S(_AHEAD, **_AT_ELEVEN), replace(make.PENDING_POD, created_at=later(4490))), "PatchStatus", "Initializing", at=later(4500)),
        Row("requested from the HTTP API long ago, and without a status", _F(_S(requested_at=later(-900))), "PatchStatus EmitEvent", "Failed", "Missed"),
        Row("requested from the HTTP API a while ago", _F(_S(requested_at=later(-899))), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("requested long ago, and seen in time", _F(_S(_WAITS, requested_at=later(-900))), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("requested long ago for a start that is ahead", _F(_S(requested_at=later(-9000), **_AT_ELEVEN)), "PatchStatus", "Scheduled"),
    ),
    "Its end time": (
        Row("its end time is ahead", _F(_S(_RECORDING, **_ENDS), make.READY_POD, stream=_CONNECTED, report=make.joined()), "PatchStatus", "Recording"),
        Row("reached during the meeting", _F(_S(_RECORDING, **_ENDS), make.READY_POD, stream=_CONNECTED, report=make.joined()), "PatchStatus RequestLeave", "Recording", at=_END),
        Row("moved away after it was reached: the bot leaves all the same", _F(_S({**_RECORDING, **_AT_END}, endTime="2026-11-23T12:00:00Z"), make.READY_POD, stream=_CONNECTED, report=make.joined()), "PatchStatus RequestLeave", "Recording", at=later(1801)),
        Row("bot cannot be asked at its end time: SIGTERM tells it", _F(_S({**_RECORDING, **_AT_END}, **_ENDS), make.READY_POD, stream=StreamFacts(False, NOW), leave=LeaveFacts(False, later(1819))), "PatchStatus DeletePod", "Recording", at=later(1820)),
        Row("left at its end time, files verified", _F(_S({**_RECORDING, **_AT_END}, **_ENDS), make.terminated(make.ended(make.last_word("LeaveRequested")), "Succeeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "EndTimeReached", _END),
        Row("stopped by SIGTERM after its end time", _F(_S({**_RECORDING, **_AT_END}, **_ENDS), make.terminated(make.ended(make.last_word("Evicted")), deleted_at=_END)), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "EndTimeReached", _END),
        Row("leave was set after its end time", _F(_S({**_RECORDING, **_AT_END}, **_ENDS, leave=True), make.terminated(make.ended(make.last_word("LeaveRequested")), "Succeeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "EndTimeReached", _END),
        Row("leave was set before its end time", _F(_S({**_RECORDING, **_ASKED}, **_ENDS, leave=True), make.terminated(make.ended(make.last_word("LeaveRequested")), "Succeeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "LeaveRequested", _END),
        Row("drained before its end time, and no operator looked", _F(_S(_RECORDING, **_ENDS), make.terminated(make.ended(make.last_word("Evicted")), deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "Evicted", later(1900)),
        Row("drained after its end time, and no operator looked", _F(_S(_RECORDING, **_ENDS), make.terminated(make.ended(make.last_word("Evicted", leftAt="2026-11-23T10:31:00Z"), at=later(1890)), deleted_at=later(1980))), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "EndTimeReached", later(1900)),
        Row("left before its end time for a drain, whose end was after it", _F(_S(_RECORDING, **_ENDS), make.terminated(make.ended(make.last_word("Evicted"), at=later(1890)), deleted_at=later(1980))), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "Evicted", later(1900)),
        Row("reached before the bot started", _F(_S(_STARTED, **_ENDS), replace(make.STARTING_POD, created_at=later(1790))), "PatchStatus DeletePod", "Initializing", at=_END),
        Row("reached before there was a pod", _F(_S(**_ENDS)), "PatchStatus EmitEvent", "Completed", "EndTimeReached", _END),
        Row("no bot was made for a planned session until then", _F(_S(_AHEAD, **_AT_ELEVEN, endTime="2026-11-23T11:10:00Z")), "PatchStatus EmitEvent", "Failed", "Missed", later(9000)),
        Row("its next bot was not made until then, and one was in the meeting", _F(_S({**_RECORDING, "phase": "Initializing", "attempt": 2, "botPod": None}, onDisruption="Rejoin", **_ENDS), make.terminated(make.ended(make.last_word("Evicted")), finalizer=False)), "PatchStatus EmitEvent", "Leaving", "EndTimeReached", _END),
    ),
    "The pod ended": (
        Row("meeting ended, files verified", _F(_S(_RECORDING), make.terminated(make.ended(make.last_word("MeetingEnded")), "Succeeded"), stream=_CONNECTED), "StopStream PatchStatus EmitEvent ReleaseFinalizer", "Completed", "MeetingEnded"),
        Row("left by request, files verified", _F(_S({**_RECORDING, **_ASKED}), make.terminated(make.ended(make.last_word("LeaveRequested")), "Succeeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "LeaveRequested"),
        Row("left before anything could be written", _F(_S({**_RECORDING, **_ASKED}), make.terminated(make.ended(make.last_word("LeaveRequested", recording={"segments": 0, "verified": True})), "Succeeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "LeaveRequested"),
        Row("meeting ended, files not verified", _F(_S(_RECORDING), make.terminated(make.ended(make.last_word("MeetingEnded", recording={"verified": False})), "Succeeded")), "PatchStatus EmitEvent", "Leaving", "MeetingEnded"),
        Row("meeting ended, nothing was to be stored", _F(_S(_RECORDING, recording={"enabled": False}), make.terminated(make.ended(make.last_word("MeetingEnded", recording={})), "Succeeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "MeetingEnded"),
        Row("not admitted", _F(_S(_JOINING), make.terminated(make.ended(make.report("Ended", reason="NotAdmitted").to_json()), "Succeeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "NotAdmitted"),
        Row("stopped from outside", _F(_S(_RECORDING), make.terminated(make.ended(make.last_word("Evicted")), deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "Evicted"),
        Row("stopped by SIGTERM after leave", _F(_S({**_RECORDING, **_ASKED}), make.terminated(make.ended(make.last_word("Evicted")), deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "LeaveRequested"),
        Row("kill -9 of the bot", _F(_S(_RECORDING), make.terminated(_KILLED)), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("out of memory", _F(_S(_RECORDING), make.terminated(make.ended(code=137, reason="OOMKilled"))), "PatchStatus EmitEvent", "Leaving", "OutOfMemory"),
        Row("preempted", _F(_S(_RECORDING), make.terminated(_KILLED, disrupted=_disrupted("PreemptionByScheduler"))), "PatchStatus EmitEvent", "Leaving", "Evicted"),
        Row("node gone", _F(_S(_RECORDING), make.terminated(ContainerFacts(), disrupted=_disrupted("DeletionByPodGC"))), "PatchStatus EmitEvent", "Leaving", "NodeLost"),
        Row("kubelet's deadline", _F(_S(_RECORDING), make.terminated(make.ended(make.last_word("Evicted")), reason="DeadlineExceeded")), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "MaxDurationReached"),
        Row("refused by the kubelet", _F(_S(_STARTED), make.terminated(ContainerFacts(), reason="OutOfmemory")), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "Unschedulable"),
        Row("deleted, and its node was restarted in the grace period", _F(_S(_RECORDING, onDisruption="Rejoin"), make.terminated(make.ended(code=255, reason="Unknown"), deleted_at=NOW)), "PatchStatus EmitEvent", "Initializing"),
        Row("asked to leave by SIGTERM, and its node was restarted", _F(_S({**_RECORDING, **_ASKED}), make.terminated(make.ended(code=255, reason="Unknown"), deleted_at=NOW)), "PatchStatus EmitEvent", "Leaving", "LeaveRequested"),
        Row("its node was restarted", _F(_S(_RECORDING), make.terminated(make.ended(code=255, reason="Unknown"))), "PatchStatus EmitEvent", "Leaving", "NodeLost"),
        Row("ended without a termination report", _F(_S(_RECORDING), make.terminated(make.ended("half a rep"), "Succeeded")), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("the pod is gone from the API", _F(_S(_RECORDING)), "PatchStatus EmitEvent", "Failed", "BotCrashed"),
        Row("the pod is gone from the API while being deleted", _F(_S(_RECORDING), last_seen=replace(make.READY_POD, deleted_at=NOW)), "PatchStatus EmitEvent", "Failed", "Evicted"),
        Row("the pod is gone from the API after its bot had ended", _F(_S(_RECORDING), report=Report.model_validate_json(make.last_word("EveryoneLeft"))), "PatchStatus EmitEvent", "Completed", "EveryoneLeft"),
    ),
    "Another attempt": (
        Row("the page could not be reached, and more bots are allowed", _F(_S(_JOINING, backoffLimit=2), make.terminated(_UNREACHABLE)), "PatchStatus EmitEvent", "Initializing"),
        Row("a quota keeps it out, and more bots are allowed: no attempt is spent on that", _F(_S(_told("QuotaExceeded"), backoffLimit=2), rejection=CreateRejection("quota", "exceeded quota", later(1785))), "CreatePod PatchStatus EmitEvent", "Initializing", at=later(1799)),
        Row("its quota has room, and a webhook refuses it now: that has a time of its own", _F(_S(_told("PodRefused"), backoffLimit=2), rejection=CreateRejection("forbidden", "denied", later(1285), since=later(700))), "CreatePod PatchStatus EmitEvent", "Initializing", at=later(1299)),
        Row("a webhook has refused it since its quota had room", _F(_S(_told("PodRefused"), backoffLimit=2), rejection=CreateRejection("forbidden", "denied", later(1295), since=later(700))), "PatchStatus EmitEvent", "Failed", "ConfigInvalid", later(1300)),
        Row("nothing answers any more when its quota could have given way", _F(_S(_told("QuotaExceeded"), backoffLimit=2), error=replace(_REFUSED, since=later(700))), "EmitErrorEvent PatchStatus CreatePod", "Initializing", at=later(710)),
        Row("its quota still refused it, for as long as all of them would have been given", _F(_S(_told("QuotaExceeded"), backoffLimit=2), rejection=CreateRejection("quota", "exceeded quota", later(1785))), "PatchStatus EmitEvent", "Failed", "QuotaExceeded", later(1800)),
        Row("the same, as an error of the operator's", _F(_S(_told("QuotaExceeded"), backoffLimit=2), error=_NO_QUOTA), "PatchStatus CreatePod", "Initializing", at=later(1799)),
        Row("a quota keeps its Secret out: its pod goes first", _F(_S(_STARTED, backoffLimit=2), make.STARTING_POD, secret_missing=True, rejection=CreateRejection("quota", "exceeded quota", NOW)), "PatchStatus GiveUpPod", "Initializing", at=_LATE),
        Row("a quota keeps the second one out for good", _F(_S(_second(), backoffLimit=2), make.terminated(_UNREACHABLE, finalizer=False), rejection=CreateRejection("quota", "exceeded quota", later(1209))), "PatchStatus EmitEvent", "Failed", "QuotaExceeded", later(1210)),
        Row("the browser dies again and again, and more bots are allowed: its pod goes first", _F(_S(_STARTED, backoffLimit=2), _CRASH_LOOP), "PatchStatus GiveUpPod", "Initializing", at=_LATE),
        Row("its pod is about to go", _F(_S({**_STARTED, **_removed()}, backoffLimit=2), replace(_CRASH_LOOP, deleted_at=_LATE), given_up=_GIVEN_UP), "", at=_LATE),
        Row("its pod is about to go, its containers have ended, and it stays known why", _F(_S({**_STARTED, **_removed()}, backoffLimit=2), replace(_CRASH_LOOP, browser=make.ended(code=143), deleted_at=_LATE), given_up=_GIVEN_UP), "", at=_LATE),
        Row("somebody deletes it before its bot starts: its end is waited for", _F(_S(_STARTED, backoffLimit=2), make.pod(browser=make.ended(code=143), deleted_at=later(595)), written_at=later(600)), "PatchStatus", "Initializing", at=_LATE),
        Row("somebody deleted it, and nobody says that it has gone", _F(_S(_STARTED, backoffLimit=2), make.pod(browser=make.ended(code=143), deleted_at=later(595))), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "Evicted", later(1201)),
        Row("its pod is gone", _F(_S({**_STARTED, **_removed()}, backoffLimit=2), make.terminated(ContainerFacts(), deleted_at=_LATE), given_up=_GIVEN_UP), "PatchStatus EmitEvent", "Initializing", at=_LATE),
        Row("its pod is gone, and the operator has forgotten that it removed it", _F(_S({**_STARTED, **_removed()}, backoffLimit=2), make.terminated(ContainerFacts(), deleted_at=_LATE)), "PatchStatus EmitEvent", "Initializing", at=_LATE),
        Row("its pod is gone, and no time is left: why it did not start counts", _F(_S({**_STARTED, **_removed()}, backoffLimit=2, endTime="2026-11-23T10:10:05Z"), make.terminated(ContainerFacts(), deleted_at=_LATE), given_up=_GIVEN_UP), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BrowserCrashed", at=_LATE),
        Row("its pod was removed by force meanwhile: why it did not start counts", _F(_S({**_STARTED, **_removed()}, backoffLimit=2, endTime="2026-11-23T10:10:05Z"), given_up=_GIVEN_UP), "PatchStatus EmitEvent", "Failed", "BrowserCrashed", at=_LATE),
        Row("its pod started all the same, and was in the meeting", _F(_S({**_STARTED, **_removed()}, backoffLimit=2), make.terminated(make.ended(make.last_word("MeetingEnded")), deleted_at=_LATE)), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "MeetingEnded", _LATE),
        Row("its node never says that its pod is gone", _F(_S({**_STARTED, **_removed()}, backoffLimit=2), replace(_CRASH_LOOP, deleted_at=_LATE), given_up=_GIVEN_UP), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BrowserCrashed", later(1201)),
        Row("not admitted: that does not pass", _F(_S(_JOINING, backoffLimit=2), make.terminated(make.ended(make.report("Ended", reason="NotAdmitted").to_json()))), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "NotAdmitted"),
        Row("killed in the meeting: nobody joins again for that", _F(_S(_RECORDING, backoffLimit=2), make.terminated(_KILLED)), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("killed before the meeting, which is known", _F(_S(_JOINING, backoffLimit=2), make.terminated(_KILLED), report=make.report("Joining"), followed=True), "PatchStatus EmitEvent", "Initializing"),
        Row("killed, and nobody knows whether it was in the meeting", _F(_S(_JOINING, backoffLimit=2), make.terminated(_KILLED)), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("no time is left before its end time", _F(_S(_JOINING, backoffLimit=2, endTime="2026-11-23T10:00:05Z"), make.terminated(_UNREACHABLE)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "PageUnreachable"),
        Row("asked to leave meanwhile", _F(_S({**_JOINING, **_ASKED}, backoffLimit=2), make.terminated(_UNREACHABLE)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "PageUnreachable"),
        Row("its time has not come; the ended pod is released", _F(_S(_second(), backoffLimit=2), make.terminated(_UNREACHABLE), written_at=NOW), "ReleaseFinalizer"),
        Row("its time has come", _F(_S(_second(), backoffLimit=2), make.terminated(_UNREACHABLE, finalizer=False)), "CreatePod PatchStatus EmitEvent", "Initializing", at=later(10)),
        Row("its time has come, and the one before has not ended", _F(_S(_second(), backoffLimit=2), replace(make.STARTING_POD, deleted_at=NOW), written_at=NOW), "", at=later(10)),
        Row("the one before has not ended, and is not deleted yet", _F(_S(_second(), backoffLimit=2), make.STARTING_POD, written_at=NOW), "DeletePod", at=later(10)),
        Row("the one before never ends", _F(_S(_second(), backoffLimit=2), replace(make.STARTING_POD, deleted_at=NOW)), "PatchStatus EmitEvent", "Failed", "NodeLost", later(611)),
        Row("leave before its time", _F(_S(_second(), backoffLimit=2, leave=True), make.terminated(_UNREACHABLE, finalizer=False)), "PatchStatus EmitEvent", "Completed", "LeaveRequested"),
        Row("the second bot runs", _F(_S({**_second(), "botPod": make.SECOND}, backoffLimit=2), make.terminated(_UNREACHABLE, finalizer=False), replace(make.RUNNING_POD, name=make.SECOND, uid="pod-2", attempt=2)), "FollowStream PatchStatus EmitEvent", "Joining", at=later(20)),
        Row("the last one failed as well", _F(_S({**_second(), "attempt": 3}, backoffLimit=2), replace(make.terminated(_THIRD), name=make.THIRD, uid="pod-3", attempt=3)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "PageUnreachable", later(60)),
        Row("drained in the meeting, and another is to join", _F(_S(_RECORDING, onDisruption="Rejoin"), make.terminated(make.ended(make.last_word("Evicted")), deleted_at=NOW)), "PatchStatus EmitEvent", "Initializing"),
        Row("the one that was to join again was refused by its node: the next one waits", _F(_S(_REJOINS, onDisruption="Rejoin"), _REFUSED_BY_NODE), "PatchStatus EmitEvent", "Initializing", at=later(100)),
        Row("the same, as others took the node's room first", _F(_S(_REJOINS, onDisruption="Rejoin"), replace(_REFUSED_BY_NODE, reason="OutOfcpu")), "PatchStatus EmitEvent", "Initializing", at=later(100)),
        Row("the same, for a reason that is not in the table", _F(_S(_REJOINS, onDisruption="Rejoin"), replace(_REFUSED_BY_NODE, reason="SomethingNew")), "PatchStatus EmitEvent", "Initializing", at=later(100)),
        Row("the same, a quarter of an hour after the last bot left: nobody comes late", _F(_S({**_REJOINS, "leaveTimestamp": "2026-11-23T10:00:00Z"}, onDisruption="Rejoin"), replace(_REFUSED_BY_NODE, reason="OutOfcpu")), "PatchStatus EmitEvent", "Leaving", "Unschedulable", later(900)),
        Row("the one that was to join again found no node in time", _F(_S(_REJOINS, onDisruption="Rejoin"), replace(make.PENDING_POD, name=make.THIRD, uid="pod-3", attempt=3, scheduled=_NO_NODE)), "PatchStatus EmitEvent", "Leaving", "Unschedulable", _LATE),
        Row("refused by its node before the meeting, and more bots are allowed", _F(_S(_STARTED, backoffLimit=2), make.terminated(ContainerFacts(), reason="OutOfcpu")), "PatchStatus EmitEvent", "Initializing"),
        Row("a kubelet takes it no more after a restart: its bot was seen, and may have been in the meeting", _F(_S({**_STARTED, "phase": "Joining"}, backoffLimit=2), make.terminated(ContainerFacts(), reason="NodeAffinity")), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "Unschedulable"),
        Row("refused by its node before the meeting, and no more bots are allowed", _F(_S(_STARTED), make.terminated(ContainerFacts(), reason="OutOfcpu")), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "Unschedulable"),
        Row("there was no room to start it, and more bots are allowed: it was not in the meeting", _F(_S(_STARTED, backoffLimit=2), make.terminated(_NO_ROOM)), "PatchStatus EmitEvent", "Initializing"),
        Row("there was no room to start it, and no more bots are allowed: there is nothing to finish", _F(_S(_STARTED), make.terminated(_NO_ROOM)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "OutOfMemory"),
        Row("drained long after its start", _F(_S({**_RECORDING, "joinTimestamp": "2026-11-23T11:00:20Z"}, **_AT_ELEVEN, onDisruption="Rejoin"), make.terminated(make.ended(make.last_word("Evicted")), deleted_at=NOW)), "PatchStatus EmitEvent", "Initializing", at=later(9000)),
        Row("its second bot is made long after its start", _F(_S({**_JOINING, "phase": "Initializing", "attempt": 2, "botPod": None, "joinTimestamp": "2026-11-23T11:00:20Z", "nextAttemptTime": "2026-11-23T12:30:00Z"}, **_AT_ELEVEN, onDisruption="Rejoin"), make.terminated(make.ended(make.last_word("Evicted")), finalizer=False)), "CreatePod PatchStatus EmitEvent", "Initializing", at=later(9000)),
        Row("drained while it verified what it had recorded: it had left", _F(_S(_LEAVING, onDisruption="Rejoin"), make.terminated(make.ended(code=137, reason="Error", at=later(900)), disrupted=_disrupted("EvictionByEvictionAPI"), grace_seconds=_GRACE), report=_FINISHING), "PatchStatus EmitEvent", "Leaving", "Evicted", later(900)),
        Row("its node is gone, and another is to join: it may still be there", _F(_S(_RECORDING, onDisruption="Rejoin"), make.terminated(ContainerFacts(), disrupted=_disrupted("DeletionByPodGC"))), "PatchStatus EmitEvent", "Leaving", "NodeLost"),
    ),
    "The finisher": (
        Row("why the bot ended is written", _F(_S(_CRASHED), make.terminated(_KILLED), written_at=NOW), "CreatePod PatchStatus EmitEvent ReleaseFinalizer", "Leaving", "BotCrashed"),
        Row("a sidecar keeps the bot's pod alive", _F(_S(_CRASHED), make.pod(phase="Running", bot=_KILLED, **_TIMED), written_at=NOW), "DeletePod PatchStatus", "Leaving", "BotCrashed"),
        Row("it works", _F(_S(_WORKS), make.FINISHER, written_at=NOW), "PatchStatus", "Leaving", "BotCrashed", at=later(100)),
        Row("a quota keeps it out", _F(_S(_CRASHED), make.terminated(_KILLED, finalizer=False), rejection=CreateRejection("quota", "exceeded quota", NOW)), "EmitErrorEvent PatchStatus", "Leaving", "BotCrashed"),
        Row("operator died between it and its Secret", _F(_S(_WORKS), replace(make.FINISHER, bot=ContainerFacts()), secret_missing=True), "CreateSecret PatchStatus", "Leaving", "BotCrashed"),
        Row("the files are whole", _F(_S(_WORKS), make.finished(make.last_word("BotCrashed"))), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BotCrashed"),
        Row("the files are whole, and the meeting had ended", _F(_S({**_WORKS, "reason": "MeetingEnded"}), make.finished(make.last_word("MeetingEnded"))), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "MeetingEnded"),
        Row("the files are not whole", _F(_S({**_WORKS, "reason": "MeetingEnded"}), make.finished(make.last_word("MeetingEnded", recording={"verified": False}))), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "VerificationFailed"),
        Row("it crashed", _F(_S(_WORKS), make.finished("")), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BotCrashed"),
        Row("it could not read its assignment", _F(_S({**_WORKS, "reason": "MeetingEnded"}), make.finished(_CONFUSED)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "VerificationFailed"),
        Row("its node is unreachable", _F(_S(_WORKS), replace(make.FINISHER, deleted_at=NOW, **_TIMED)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BotCrashed", _LOST),
        Row("the operator was down for long after the bot's end", _F(_S({**_CRASHED, "leaveTimestamp": "2026-11-23T10:01:00Z"}), make.terminated(_KILLED, finalizer=False)), "CreatePod PatchStatus EmitEvent", "Leaving", "BotCrashed", later(9000)),
        Row("a quota kept it out for too long", _F(_S({**_CRASHED, "leaveTimestamp": "2026-11-23T10:01:00Z"}), make.terminated(_KILLED, finalizer=False), rejection=CreateRejection("quota", "exceeded quota", NOW)), "PatchStatus EmitEvent", "Failed", "BotCrashed", later(9000)),
        Row("nobody looked for long, and a quota keeps it out now: that may pass", _F(_S({**_CRASHED, "leaveTimestamp": "2026-11-23T10:01:00Z"}), make.terminated(_KILLED, finalizer=False), rejection=CreateRejection("quota", "exceeded quota", later(8995))), "EmitErrorEvent PatchStatus", "Leaving", "BotCrashed", later(9000)),
        Row("nobody looked for long, and a sidecar keeps the bot's pod alive", _F(_S({**_CRASHED, "leaveTimestamp": "2026-11-23T10:01:00Z"}), make.pod(phase="Running", bot=_KILLED, **_TIMED)), "DeletePod PatchStatus", "Leaving", "BotCrashed", later(9000)),
        Row("a sidecar keeps the bot's pod alive although it is deleted", _F(_S({**_CRASHED, "leaveTimestamp": "2026-11-23T10:01:00Z"}), make.pod(phase="Running", bot=_KILLED, deleted_at=later(8000), **_TIMED)), "PatchStatus EmitEvent", "Failed", "BotCrashed", later(9000)),
        Row("only text was wanted, and the bot was killed", _F(_S(_RECORDING, recording={"enabled": False}), make.terminated(_KILLED)), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("only text was wanted, and the text is whole", _F(_S({**_WORKS, "reason": "MeetingEnded"}, recording={"enabled": False}), make.finished(make.last_word("MeetingEnded", recording={}))), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "MeetingEnded"),
        Row("nobody knows whether the bot was in the meeting, it was to leave, and its files are not whole", _F(_S({**_STARTED, **_ASKED, "phase": "Leaving", "reason": "LeaveRequested"}), make.finished(make.report("Ended", reason="LeaveRequested").to_json())), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "VerificationFailed"),
        Row("it is gone from the API", _F(_S(_WORKS)), "PatchStatus EmitEvent", "Failed", "BotCrashed"),
        Row("it was drained", _F(_S(_WORKS), _taken("EvictionByEvictionAPI", deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Leaving", "BotCrashed", later(60)),
        Row("it was drained, and said that it had to stop", _F(_S(_WORKS), _taken("EvictionByEvictionAPI", make.last_word("BotCrashed", recording={"verified": False}), deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Leaving", "BotCrashed", later(60)),
        Row("it was drained, and its end is told before its pod's", _F(_S(_WORKS), replace(_taken("EvictionByEvictionAPI", make.last_word("BotCrashed", recording={"verified": False}), deleted_at=NOW, bot_ended_seen_at=later(60), grace_seconds=_GRACE), phase="Running"), written_at=NOW), "PatchStatus", "Leaving", "BotCrashed", at=later(61)),
        Row("it was evicted by its kubelet", _F(_S(_WORKS), replace(_taken(), reason="Evicted", message="The node had condition: [MemoryPressure].")), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Leaving", "BotCrashed", later(60)),
        Row("its node was deleted", _F(_S(_WORKS), _taken("DeletionByPodGC")), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Leaving", "BotCrashed", later(60)),
        Row("somebody deleted it", _F(_S(_WORKS), replace(_taken(), deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Leaving", "BotCrashed", later(60)),
        Row("it was drained, and the operator died before it released the pod", _F(_S(_another()), _taken("EvictionByEvictionAPI", deleted_at=NOW)), "ReleaseFinalizer", None, at=later(60)),
        Row("it was drained, and its kubelet has not removed the pod yet", _F(_S(_another()), _taken("EvictionByEvictionAPI", deleted_at=NOW, finalizer=False)), "", None, at=later(60)),
        Row("it was drained, and is gone: another one is made", _F(_S(_another()), make.terminated(_KILLED, finalizer=False), attempts={_FINISHER: AttemptFacts(last_seen=_taken("EvictionByEvictionAPI", deleted_at=NOW))}), "CreatePod PatchStatus EmitEvent", "Leaving", "BotCrashed", later(60)),
        Row("it was drained as soon as it was made: the next one waits a little", _F(_S(_WORKS), _taken("EvictionByEvictionAPI", deleted_at=NOW)), "PatchStatus", "Leaving", "BotCrashed", at=later(5)),
        Row("it was drained again, and had been made five minutes after the bot's end: so does the next one", _F(_S(_CRASHED_AT), replace(_taken("EvictionByEvictionAPI", deleted_at=NOW), created_at=later(360))), "PatchStatus", "Leaving", "BotCrashed", at=later(650)),
        Row("it was drained when all had been verified", _F(_S(_WORKS), _taken("EvictionByEvictionAPI", make.last_word("BotCrashed"), deleted_at=NOW)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BotCrashed", later(60)),
        Row("it was drained when its time was nearly over", _F(_S(_CRASHED_AT), replace(_taken("EvictionByEvictionAPI", deleted_at=NOW), created_at=later(2300))), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BotCrashed", later(2310)),
        Row("it was drained, and the bot class is gone", _F(_S(_WORKS), _taken("EvictionByEvictionAPI", deleted_at=NOW), installation=_NO_CLASS), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BotCrashed", later(60)),
        Row("it takes too long", _F(_S(_WORKS), make.FINISHER), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "BotCrashed", later(600 + 1800 + 120)),
        Row("it takes too long, and the meeting had ended well", _F(_S({**_WORKS, "reason": "MeetingEnded"}), make.FINISHER), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "VerificationFailed", later(600 + 1800 + 120)),
        Row("leave changes nothing", _F(_S(_WORKS, leave=True), make.FINISHER), "PatchStatus", "Leaving", "BotCrashed"),
        Row("the end came before the time of the next attempt, for which it does not wait", _F(_S(_ENDED_BEFORE_NEXT, **_ENDS)), "CreatePod PatchStatus EmitEvent", "Leaving", "EndTimeReached", at=later(1801)),
        Row("the same, and a quota keeps it out", _F(_S(_ENDED_BEFORE_NEXT, **_ENDS), rejection=CreateRejection("quota", "exceeded quota", later(1800))), "EmitErrorEvent PatchStatus", "Leaving", "EndTimeReached", at=later(1801)),
    ),
    "Somebody emptied the status": (
        Row("the first bot is in the meeting", _F(_S(), make.READY_POD), "FollowStream PatchStatus EmitEvent", "Active"),
        Row("a later bot is in the meeting", _F(_S(), make.terminated(_UNREACHABLE, finalizer=False), _SECOND_POD), "FollowStream PatchStatus EmitEvent", "Active"),
        Row("a later bot is in the meeting, and the first one's pod is gone", _F(_S(), _SECOND_POD), "FollowStream PatchStatus EmitEvent", "Active"),
        Row("a later bot has ended", _F(_S(), _SECOND_ENDED), "PatchStatus EmitEvent ReleaseFinalizer", "Completed", "LeaveRequested"),
        Row("the finisher works: why the bot ended is settled once more", _F(_S(), make.terminated(_KILLED, finalizer=False), make.FINISHER), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("the finisher works, and the bot class is gone", _F(_S(), make.terminated(_KILLED, finalizer=False), make.FINISHER, installation=_NO_CLASS), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("the finisher has ended: no other bot follows", _F(_S(onDisruption="Rejoin"), make.terminated(_DRAINED, finalizer=False), make.finished(make.last_word("Evicted"))), "PatchStatus EmitEvent", "Leaving", "Evicted"),
        Row("the finisher works, and the bot's pod is gone: nobody knows any more why it ended", _F(_S(), make.FINISHER), "PatchStatus EmitEvent", "Leaving", "BotCrashed"),
        Row("the finisher has ended, and the bot's pod is gone", _F(_S(), make.finished(make.last_word("MeetingEnded"))), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "BotCrashed"),
        Row("only the reason was taken away, the finisher works, and the bot's pod is gone", _F(_S(_LEAVING), make.FINISHER), "PatchStatus", "Leaving", "BotCrashed"),
    ),
    "Somebody changed what the bot's pod was made for, before the status named it": (
        Row("its bot has not started", _F(_S(botName="Minutes"), make.STARTING_POD, **_OUTDATED), "DeletePod PatchStatus", "Initializing"),
        Row("it is to go, and has not gone", _F(_S(_WAITS, botName="Minutes"), replace(make.STARTING_POD, deleted_at=NOW), **_OUTDATED), "PatchStatus", "Initializing"),
        Row("it is to go, and the session has waited for longer than a start-up takes", _F(_S(_TOLD_LONG_AGO, botName="Minutes"), make.STARTING_POD, **_OUTDATED), "DeletePod PatchStatus", "Initializing", at=_LATE),
        Row("the same, and it goes", _F(_S(_TOLD_LONG_AGO, botName="Minutes"), replace(make.STARTING_POD, deleted_at=later(600)), **_OUTDATED), "PatchStatus", "Initializing", at=_LATE),
        Row("the same, and its node does not say that it has gone", _F(_S(_TOLD_LONG_AGO, botName="Minutes"), replace(make.STARTING_POD, deleted_at=NOW), **_OUTDATED), "PatchStatus EmitEvent", "Failed", "NodeLost", at=_LATE),
        Row("another one was made instead, and the status was emptied: it stays", _F(_S(botName="Minutes"), replace(make.READY_POD, uid="pod-9"), attempts=_OUTDATED["attempts"], of=PodId(3)), "FollowStream PatchStatus EmitEvent", "Active"),
        Row("it has gone", _F(_S(_WAITS, botName="Minutes"), replace(make.terminated(make.ended()), deleted_at=NOW), **_OUTDATED), "CreatePod PatchStatus EmitEvent ReleaseFinalizer", "Initializing"),
        Row("its bot started meanwhile", _F(_S(botName="Minutes"), make.READY_POD, **_OUTDATED), "DeletePod PatchStatus", "Initializing"),
        Row("the new link is one that no guest can open", _F(_S(meetingLink="https://meet.example.org/custom?token=x"), make.STARTING_POD, **_OUTDATED), "PatchStatus EmitEvent", "Failed", "LinkInvalid"),
        Row("the new start is ahead", _F(_S(**_AT_ELEVEN), make.STARTING_POD, **_OUTDATED), "DeletePod PatchStatus", "Scheduled"),
        Row("the new start is over, and its deadline too", _F(_S(startTime="2026-11-23T09:00:00Z"), make.STARTING_POD, **_OUTDATED), "PatchStatus EmitEvent", "Failed", "Missed"),
    ),
    "The bot ended, and another container goes on": (
        Row("the bot said why", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.ended(make.last_word("MeetingEnded"), at=NOW), **_TIMED)), "PatchStatus EmitEvent", "Completed", "MeetingEnded"),
        Row("the kernel said why", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.ended(code=137, reason="OOMKilled", at=NOW), **_TIMED)), "PatchStatus EmitEvent", "Leaving", "OutOfMemory"),
        Row("not restarted yet: the kubelet may", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.ended(code=137, reason="Error", at=NOW), **_TIMED)), "PatchStatus", "Recording", at=later(_GRACE - 1)),
        Row("not restarted within the grace period", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.ended(code=137, reason="Error", at=NOW), **_TIMED)), "PatchStatus EmitEvent", "Leaving", "BotCrashed", later(_GRACE)),
        Row("our sidecar gets the grace period to end", _F(_S(_ENDED), make.pod(phase="Running", bot=make.ended(at=NOW), **_TIMED)), "", at=later(_GRACE - 1)),
        Row("what still runs after it ends with the pod", _F(_S(_ENDED), make.pod(phase="Running", bot=make.ended(at=NOW), **_TIMED)), "DeletePod ReleaseFinalizer", at=later(_GRACE)),
    ),
    "The node is unreachable": (
        Row("deleted pod, its deadline ahead: it may be in the meeting", _F(_S({**_RECORDING, "phase": "Leaving"}), make.pod(phase="Running", bot=make.RUNNING, deleted_at=NOW, **_TIMED)), "FollowStream PatchStatus", "Leaving", at=later(15000)),
        Row("deleted pod, its deadline and grace are over", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.RUNNING, deleted_at=NOW, **_TIMED)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "NodeLost", _LOST),
        Row("not ready, its deadline and grace are over", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.RUNNING, **_TIMED)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "NodeLost", _LOST),
        Row("phase Unknown, its deadline and grace are over", _F(_S(_RECORDING), make.pod(phase="Unknown", bot=make.RUNNING, **_TIMED)), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "NodeLost", _LOST),
        Row("after leave, its deadline and grace are over", _F(_S({**_RECORDING, **_ASKED}), make.pod(phase="Running", bot=make.RUNNING, deleted_at=NOW, **_TIMED)), "PatchStatus EmitEvent ReleaseFinalizer", "Failed", "NodeLost", _LOST),
        Row("ready and not deleted: the node is there", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.READY, ready_since=NOW, **_TIMED)), "FollowStream PatchStatus", "Recording", at=_LOST),
        Row("given up, and its object stays", _F(_S({**_RECORDING, "phase": "Failed", "completionTime": "2026-11-23T10:00:00Z"}), make.pod(phase="Running", bot=make.RUNNING, deleted_at=NOW, finalizer=False, **_TIMED)), "", at=_LOST),
    ),
    "The pod was orphaned": (
        Row("its session is gone", _F(None, make.pod(phase="Running", bot=make.RUNNING, orphaned=True)), "DeletePod ReleaseFinalizer EmitEvent"),
        Row("its session is being deleted", _F(_S(_RECORDING, deleting=True), make.pod(phase="Running", bot=make.RUNNING, orphaned=True)), "DeletePod ReleaseFinalizer EmitEvent"),
        Row("its session is there: the pod is not its own any more", _F(_S(_RECORDING), make.pod(phase="Running", bot=make.RUNNING, orphaned=True)), "PatchStatus EmitEvent", "Failed", "Evicted"),
        Row("its session is over", _F(_S(_ENDED), make.terminated(make.ended(), orphaned=True)), "DeletePod ReleaseFinalizer"),
    ),
    "The operator cannot go on": (
        Row("one try failed", _F(_S(), error=replace(_REFUSED, count=1)), "CreatePod PatchStatus EmitEvent", "Initializing"),
        Row("the pod cannot be created, three times in a row", _F(_S(), error=_REFUSED), "EmitErrorEvent PatchStatus CreatePod", "Initializing"),
        Row("still refused, and already reported", _F(_S(_told("InternalError")), error=_REFUSED), "CreatePod", at=later(30)),
        Row("still not, for another cause", _F(_S(_told("Forbidden")), error=_REFUSED, announced_errors=frozenset({"Forbidden"})), "EmitErrorEvent PatchStatus CreatePod", "Initializing", at=later(30)),
        Row("still not, at the start-up deadline", _F(_S(_told("InternalError")), error=_REFUSED), "PatchStatus EmitEvent", "Failed", "ConfigInvalid", _LATE),
        Row("still not, at the start-up deadline, and it is a quota", _F(_S(_told("QuotaExceeded")), error=_NO_QUOTA), "PatchStatus EmitEvent", "Failed", "QuotaExceeded", _LATE),
        Row("nothing could be written until after the deadline: tried once more", _F(_S(_WAITS), error=_REFUSED), "EmitErrorEvent PatchStatus CreatePod", "Initializing", at=_LATE),
        Row("it went by", _F(_S({**_told("InternalError"), **_STARTED}), make.PENDING_POD), "PatchStatus", "Initializing", at=later(90)),
        Row("it is not known whether the pod is there", _F(_S(_RECORDING), error=_REFUSED, confirmed=False), "EmitErrorEvent PatchStatus", "Recording"),
        Row("late, while calls fail: it is read once more all the same", _F(_S(_STARTED), make.STARTING_POD, warnings=None, error=_REFUSED), "EmitErrorEvent ReadLatePod", at=_LATE),
        Row("the events of a late pod cannot be read", _F(_S(_STARTED), replace(make.STARTING_POD, started_at=NOW), error=_REFUSED), "EmitErrorEvent PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ConfigInvalid", _LATE),
        Row("a pod that has its Secret does not start, while something else cannot be done: why it does not counts", _F(_S({**_told("InternalError"), **_STARTED}), replace(make.PENDING_POD, scheduled=_NO_NODE), error=_REFUSED), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "Unschedulable", _LATE),
        Row("a pod's Secret cannot be created until the start-up deadline", _F(_S({**_told("InternalError"), **_STARTED}), make.STARTING_POD, secret_missing=True, error=_REFUSED), "PatchStatus EmitEvent DeletePod ReleaseFinalizer", "Failed", "ConfigInvalid", _LATE),
        Row("the bot goes on meanwhile", _F(_S(_RECORDING), make.READY_POD, stream=_CONNECTED, report=make.joined(), error=_REFUSED), "EmitErrorEvent PatchStatus", "Recording"),
        Row("leave while nothing can be written", _F(_S(_RECORDING, leave=True), make.READY_POD, stream=_CONNECTED, report=make.joined(), error=_REFUSED), "EmitErrorEvent RequestLeave PatchStatus", "Recording"),
        Row("the pod of a deleted session cannot be deleted", _F(None, make.RUNNING_POD, error=_REFUSED), "EmitErrorEvent DeletePod ReleaseFinalizer EmitEvent"),
    ),
    "The session is over, or gone": (
        Row("finished pod keeps its logs for a while", _F(_S({**_RECORDING, "phase": "Completed", "completionTime": "2026-11-23T10:00:00Z"}), make.terminated(make.ended(), "Succeeded", finalizer=False)), "", at=later(299)),
        Row("finished pod goes after its time", _F(_S({**_RECORDING, "phase": "Completed", "completionTime": "2026-11-23T10:00:00Z"}), make.terminated(make.ended(), "Succeeded", finalizer=False)), "DeletePod", at=later(300)),
        Row("outcome written, pod not yet released", _F(_S({**_RECORDING, "phase": "Failed", "completionTime": "2026-11-23T10:00:00Z"}), make.terminated(make.ended())), "ReleaseFinalizer"),
        Row("its ttlSecondsAfterFinished is not over", _F(_S(_ENDED, ttlSecondsAfterFinished=60)), "", at=later(59)),
        Row("its ttlSecondsAfterFinished is over", _F(_S(_ENDED, ttlSecondsAfterFinished=60), make.terminated(make.ended(), "Succeeded", finalizer=False)), "DeleteSession", at=later(60)),
        Row("its ttlSecondsAfterFinished is over, and its pod not yet released", _F(_S(_ENDED, ttlSecondsAfterFinished=60), make.terminated(make.ended(), "Succeeded")), "ReleaseFinalizer", at=later(60)),
        Row("the class's default is over", _F(_S(_ENDED), installation=make.kept(default=60)), "DeleteSession", at=later(60)),
        Row("the class's longest is over", _F(_S(_ENDED, ttlSecondsAfterFinished=600), installation=make.kept(longest=60)), "DeleteSession", at=later(60)),
        Row("a live pod of a session that is over", _F(_S({**_RECORDING, "phase": "Failed", "completionTime": "2026-11-23T10:00:00Z"}), make.RUNNING_POD), "DeletePod ReleaseFinalizer"),
        Row("session deleted", _F(None, make.RUNNING_POD, stream=_CONNECTED), "StopStream DeletePod ReleaseFinalizer EmitEvent"),
        Row("session is being deleted", _F(_S(_RECORDING, deleting=True), replace(make.RUNNING_POD, deleted_at=NOW)), "ReleaseFinalizer EmitEvent"),
        Row("session deleted after its bot had ended", _F(None, make.pod(phase="Running", bot=make.ended(at=NOW))), "DeletePod ReleaseFinalizer"),
        Row("session deleted, pod already released", _F(None, replace(make.RUNNING_POD, deleted_at=NOW, finalizer=False)), ""),
    ),
}
# fmt: on

ROWS: tuple[Row, ...] = tuple(row for rows in TABLE.values() for row in rows)
