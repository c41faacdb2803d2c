"""The plan of a session that goes on: start its bot, follow it, write what changed, pass on a request to leave.

Where the bot has ended and its files are still to be finished, the same is done for the finisher, which nobody follows
and nobody asks to leave.
"""

from datetime import datetime, timedelta
from typing import Final

from meeting_buddy.contract.phases import Phase, ReportPhase
from meeting_buddy.domain import pod_outcome, startup, status, times
from meeting_buddy.domain.facts import PodFacts
from meeting_buddy.domain.plan import (
    Action,
    CreatePod,
    CreateSecret,
    DeletePod,
    EmitEvent,
    FollowStream,
    PatchStatus,
    Plan,
    ReleaseFinalizer,
    RequestLeave,
    StopStream,
)
from meeting_buddy.domain.snapshot import UNREACHABLE_AFTER, Snapshot
from meeting_buddy.resource.session import Condition

PROGRESS_INTERVAL: Final = timedelta(seconds=60)
"""Least time between two writes that only report progress."""
REFUSED_RETRY: Final = timedelta(seconds=10)
"""Until the API server is asked again for a pod or a Secret that a quota kept out."""
LEAVE_RETRY: Final = timedelta(seconds=2)
LEAVE_PATIENCE: Final = timedelta(seconds=20)
"""How long a bot may be silent, or not confirm, before the request to leave reaches it as SIGTERM instead."""

_EVENTS: Final = {
    Phase.JOINING: ("Joining", "the bot is joining the meeting"),
    Phase.ACTIVE: ("Joined", "the bot is in the meeting"),
    Phase.RECORDING: ("RecordingStarted", "media is being written"),
    Phase.LEAVING: ("Leaving", "the bot leaves, closes and verifies its files"),
}


_OUTDATED: Final = "the pod that was made is not for what the session says now: it goes, and another comes"
_MISSING: Final = {"AudioReceived": "AudioMissing", "VideoReceived": "VideoMissing"}
"""Condition → reason of the Event."""


def plan_active(snapshot: Snapshot) -> Plan:
    before: list[Action] = [StopStream(each) for each in snapshot.facts.streamed if each != snapshot.current]
    after: list[Action] = []
    wakeups: list[datetime] = []
    for former in snapshot.former_pods:
        # Let go last: what refuses that must not keep the next pod out.
        if former.terminated:
            after.extend([ReleaseFinalizer(former.name)] if former.finalizer else [])
        elif former.deleted_at is None:
            before.append(DeletePod(former.name, former.uid))
    if snapshot.pod is not None:
        _plan_pod(snapshot, snapshot.pod, before, after, wakeups)
    elif snapshot.ahead:
        wakeups.extend([snapshot.pod_due_at] if snapshot.pod_due_at is not None else [])
    elif (living := snapshot.living_former_pod) is not None:  # its end is an event
        wakeups.extend(_ahead(snapshot.now, snapshot.startup_deadline))
        if living.deleted_at is not None:
            wakeups.extend(_ahead(snapshot.now, snapshot.patience_from(living.deleted_at)))
    elif (snapshot.platform is not None or snapshot.finishing) and snapshot.facts.confirmed:
        _retry(snapshot, CreatePod(snapshot.current, snapshot.platform), before, wakeups)
    if snapshot.finishing:
        wakeups.extend(_ahead(snapshot.now, snapshot.finishing_deadline))
    creating = any(isinstance(action, CreatePod) for action in before)
    if creating:  # a pod of which nothing more is heard ends the session all the same
        wakeups.append(snapshot.now + timedelta(seconds=snapshot.timeouts.startup_timeout_seconds))
    wakeups.extend(_turning_points(snapshot))
    if snapshot.facts.persistent_error is not None:
        # What fails must not keep the status from saying so; that there is a pod is written once there is one. Asking
        # the bot to leave needs no API server.
        written = _write(snapshot, creating=False, wakeups=wakeups)
        asked = [action for action in after if isinstance(action, RequestLeave)]
        others = [action for action in after if not isinstance(action, RequestLeave)]
        return Plan((*asked, *written, *before, *others), min(wakeups, default=None))
    written = _write(snapshot, creating=creating, wakeups=wakeups)
    return Plan((*before, *written, *after), min(wakeups, default=None))


def _turning_points(snapshot: Snapshot) -> list[datetime]:
    """Moments of the spec that change what happens, although nothing else does."""
    if snapshot.finishing:
        return []
    moments = [] if snapshot.leaving else [snapshot.session.spec.end_time]
    if snapshot.pod is None and not snapshot.ahead:
        moments.append(snapshot.missed_at)
    return [found for moment in moments if moment is not None for found in _ahead(snapshot.now, moment)]


def _retry(snapshot: Snapshot, action: Action, actions: list[Action], wakeups: list[datetime]) -> None:
    """Create something, not too soon after the API server refused it."""
    rejection = snapshot.known.rejection
    if rejection is None or snapshot.now >= rejection.at + REFUSED_RETRY:
        actions.append(action)
    else:
        wakeups.append(rejection.at + REFUSED_RETRY)


def _plan_pod(
    snapshot: Snapshot, pod: PodFacts, before: list[Action], after: list[Action], wakeups: list[datetime]
) -> None:
    stream, follows = snapshot.stream, not snapshot.finishing
    if follows and pod.reachable and stream is None and pod.ip is not None:
        before.append(FollowStream(pod.id, pod.ip))
        wakeups.append(snapshot.now + UNREACHABLE_AFTER)  # a bot that never answers makes no event
    if not pod.reachable and stream is not None:
        before.append(StopStream(pod.id))
    if stream is not None and stream.lost_since is not None:
        wakeups.extend(_ahead(snapshot.now, stream.lost_since + UNREACHABLE_AFTER))
    for moment in (pod_outcome.bot_ended_at(pod, snapshot.session.uid), pod_outcome.lost_at(pod)):
        wakeups.extend(_ahead(snapshot.now, moment) if moment is not None else [])
    if not startup.started(pod):
        waits_for_start = pod.deleted_at is None or snapshot.leaving
        deadline = snapshot.startup_deadline if waits_for_start else snapshot.removal_deadline
        wakeups.extend(_ahead(snapshot.now, deadline))
    if snapshot.leaving and not snapshot.finishing:
        _leave(snapshot, pod, after, wakeups)
    elif snapshot.known.secret_missing and pod.deleted_at is None and not startup.started(pod):
        _retry(snapshot, CreateSecret(pod.id, snapshot.platform), before, wakeups)


def _leave(snapshot: Snapshot, pod: PodFacts, actions: list[Action], wakeups: list[datetime]) -> None:
    """Ask the bot and let it finish while it reports; one that cannot hear or does not go gets SIGTERM."""
    if pod.deleted_at is not None or pod.bot.terminated is not None:
        return
    if not pod.bot.running:
        actions.append(DeletePod(pod.name, pod.uid))
        return
    deadline = _leave_deadline(snapshot, pod)
    if snapshot.now >= deadline:
        actions.append(DeletePod(pod.name, pod.uid))
        return
    wakeups.append(deadline)
    if _is_leaving(snapshot):
        return
    leave = snapshot.known.leave
    if leave is not None and snapshot.now < leave.tried_at + LEAVE_RETRY:
        wakeups.append(leave.tried_at + LEAVE_RETRY)
    elif pod.reachable and pod.ip is not None:
        actions.append(RequestLeave(pod.id, pod.ip))


def _is_leaving(snapshot: Snapshot) -> bool:
    """Whether the bot confirmed that it leaves, to this process or by its report (which a new process reads first)."""
    leave, report = snapshot.known.leave, snapshot.known.report
    confirmed = leave is not None and leave.acknowledged
    return confirmed or (report is not None and report.phase in (ReportPhase.LEAVING, ReportPhase.ENDED))


def _leave_deadline(snapshot: Snapshot, pod: PodFacts) -> datetime:
    """When a bot that was asked to leave, and is still there, gets SIGTERM."""
    asked_since = snapshot.session.status.leave_requested_at or snapshot.now
    stream, leave = snapshot.stream, snapshot.known.leave
    if stream is None and pod.reachable:
        return snapshot.now + LEAVE_PATIENCE  # its stream is about to be opened
    if stream is not None and stream.lost_since is not None:
        return max(asked_since, stream.lost_since) + LEAVE_PATIENCE
    if _is_leaving(snapshot):
        confirmed_at = leave.tried_at if leave is not None and leave.acknowledged else asked_since
        timeouts = snapshot.timeouts
        return confirmed_at + timedelta(seconds=timeouts.finish_seconds + timeouts.grace_seconds)
    if leave is None:
        return snapshot.now + LEAVE_PATIENCE  # this process has not asked yet
    return asked_since + LEAVE_PATIENCE


def _write(snapshot: Snapshot, *, creating: bool, wakeups: list[datetime]) -> list[Action]:
    session, facts, leave = snapshot.session, snapshot.facts, snapshot.known.leave
    acknowledged = snapshot.leaving and leave is not None and leave.acknowledged
    sent_away = snapshot.pod is not None and startup.started(snapshot.pod) and snapshot.pod.deleted_at is not None
    phase = Phase.LEAVING if acknowledged or sent_away else snapshot.phase
    message = None if creating and not snapshot.finishing else _waiting_message(snapshot)
    wanted = status.compose(snapshot.going_on(phase, message, creating=creating))
    patch = status.merge_patch(session.status, wanted)
    talking = snapshot.pod is not None and snapshot.pod.reachable
    if not patch:
        wakeups.extend([snapshot.now + PROGRESS_INTERVAL] if talking else [])
        return []
    if not status.needs_immediate_write(session.status, wanted) and facts.written_at is not None:
        due = facts.written_at + PROGRESS_INTERVAL
        if snapshot.now < due:
            wakeups.append(due)
            return []
    wakeups.extend([snapshot.now + PROGRESS_INTERVAL] if talking else [])
    transition = _transition(session.status.phase, phase, creating=creating)
    return [PatchStatus(patch), *transition, *_missing_media(session.status.conditions, wanted.conditions)]


def _transition(before: Phase | None, after: Phase, *, creating: bool) -> list[Action]:
    if creating and after is Phase.LEAVING:
        return [EmitEvent("Normal", "FinisherPodCreated", "a pod finishes and verifies what was recorded")]
    if creating:
        return [EmitEvent("Normal", "BotPodCreated", "the bot's pod was created")]
    if before is after or after not in _EVENTS:
        return []
    passed = [after]
    if after is Phase.RECORDING and (before is None or before.rank < Phase.ACTIVE.rank):
        passed.insert(0, Phase.ACTIVE)  # both between two looks; people still want to read that it joined
    return [EmitEvent("Normal", *_EVENTS[phase]) for phase in passed]


def _missing_media(before: list[Condition] | None, after: list[Condition] | None) -> list[Action]:
    """An Event for sound or pictures that have just been found not to arrive."""
    missing = {each.type for each in before or () if each.status == "False"}
    return [
        EmitEvent("Warning", reason, each.message)
        for each in after or ()
        if (reason := _MISSING.get(each.type)) and each.status == "False" and each.type not in missing
    ]


def _waiting_message(snapshot: Snapshot) -> str | None:
    """What a session that has not started waits for: its time, or in the words of whoever holds it up."""
    start, due = snapshot.session.spec.start_time, snapshot.pod_due_at
    if snapshot.ahead and snapshot.is_first and start is not None and due is not None:
        plan = f"the bot is made at {times.spelled(due)}, the meeting starts at {times.spelled(start)}"
        refusal = snapshot.admission
        return plan if refusal.reason is None else f"{plan}; now it would end with {refusal.reason}: {refusal.message}"
    said = snapshot.session.status.message
    if snapshot.finishing or (snapshot.ahead and not snapshot.is_first):
        return said
    if snapshot.pod is not None and startup.started(snapshot.pod):
        return None
    if snapshot.refusal is not None:
        return snapshot.refusal.message
    if snapshot.pod is None:
        first = None if snapshot.attempt == 1 else _OUTDATED
        return first if snapshot.is_first else said
    name = startup.waits_for_image(snapshot.pod)
    return f"container {name}: the image cannot be pulled yet" if name is not None else None


def _ahead(now: datetime, moment: datetime) -> list[datetime]:
    return [moment] if moment > now else []
