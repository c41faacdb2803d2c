"""The plan of a session that goes on: start its bot, follow it, write what changed, pass on a request to leave."""

from datetime import datetime, timedelta
from typing import Final

from meeting_buddy.contract.phases import Phase
from meeting_buddy.domain import phases, startup, status
from meeting_buddy.domain.admission import AdmissionResult, validate
from meeting_buddy.domain.facts import PodFacts
from meeting_buddy.domain.plan import (
    Action,
    CreatePod,
    DeletePod,
    EmitEvent,
    FollowStream,
    PatchStatus,
    Plan,
    RequestLeave,
    StopStream,
)
from meeting_buddy.domain.snapshot import Snapshot, view_of
from meeting_buddy.domain.view import UNREACHABLE_AFTER

PROGRESS_INTERVAL: Final = timedelta(seconds=60)
"""Least time between two writes that only report progress."""
REFUSED_RETRY: Final = timedelta(seconds=10)
"""Until the API server is asked again for a pod that a quota kept out."""
LEAVE_RETRY: Final = timedelta(seconds=2)
LEAVE_PATIENCE: Final = timedelta(seconds=20)
"""How long a bot may be unreachable before the wish to leave reaches it as SIGTERM instead."""

_EVENTS: Final = {
    Phase.JOINING: ("Joining", "the bot is joining the meeting"),
    Phase.ACTIVE: ("Joined", "the bot is in the meeting"),
    Phase.RECORDING: ("RecordingStarted", "media is being written"),
    Phase.LEAVING: ("Leaving", "the bot leaves, closes and verifies its files"),
}


def plan_active(snapshot: Snapshot) -> Plan:
    admission = validate(snapshot.session.spec, snapshot.facts.installation)
    before: list[Action] = []
    after: list[Action] = []
    wakeups: list[datetime] = []
    if snapshot.pod is not None:
        _plan_pod(snapshot, snapshot.pod, before, after, wakeups)
    elif snapshot.facts.confirmed:
        _start(snapshot, before, wakeups)
    creating = any(isinstance(action, CreatePod) for action in before)
    if snapshot.facts.error is not None and snapshot.facts.error.persistent:
        # What fails must not keep the status from saying so; that there is a pod is written once there is one.
        written = _write(snapshot, admission, creating=False, wakeups=wakeups)
        return Plan((*written, *before, *after), min(wakeups, default=None))
    written = _write(snapshot, admission, creating=creating, wakeups=wakeups)
    return Plan((*before, *written, *after), min(wakeups, default=None))


def _start(snapshot: Snapshot, actions: list[Action], wakeups: list[datetime]) -> None:
    rejection = snapshot.facts.rejection
    if rejection is None or snapshot.now >= rejection.at + REFUSED_RETRY:
        actions.append(CreatePod(snapshot.attempt))
    else:
        wakeups.append(rejection.at + REFUSED_RETRY)


def _plan_pod(
    snapshot: Snapshot, pod: PodFacts, before: list[Action], after: list[Action], wakeups: list[datetime]
) -> None:
    stream = snapshot.facts.stream
    if pod.reachable and stream is None and pod.ip is not None:
        before.append(FollowStream(pod.name, pod.ip, pod.attempt))
    if not pod.reachable and stream is not None:
        before.append(StopStream())
    if stream is not None and stream.lost_since is not None:
        wakeups.extend(_ahead(snapshot.now, stream.lost_since + UNREACHABLE_AFTER))
    if not startup.started(pod):
        wakeups.extend(_ahead(snapshot.now, snapshot.startup_deadline))
    if snapshot.leaving:
        _leave(snapshot, pod, after, wakeups)


def _leave(snapshot: Snapshot, pod: PodFacts, actions: list[Action], wakeups: list[datetime]) -> None:
    """Ask the bot; where it cannot hear or does not go, SIGTERM tells it the same."""
    if pod.deleted_at is not None or pod.bot.terminated is not None:
        return
    if not pod.bot.running:
        actions.append(DeletePod(pod.name, pod.uid))
        return
    asked_since = snapshot.session.status.leave_requested_at or snapshot.now
    leave = snapshot.facts.leave
    told = leave is not None and leave.acknowledged
    patience = timedelta(seconds=2 * snapshot.timeouts.grace_seconds) if told else LEAVE_PATIENCE
    if snapshot.now >= asked_since + patience:
        actions.append(DeletePod(pod.name, pod.uid))
        return
    wakeups.append(asked_since + patience)
    if told:
        return
    if leave is not None and snapshot.now < leave.tried_at + LEAVE_RETRY:
        wakeups.append(leave.tried_at + LEAVE_RETRY)
    elif pod.reachable and pod.ip is not None:
        actions.append(RequestLeave(pod.name, pod.ip, pod.attempt))


def _write(snapshot: Snapshot, admission: AdmissionResult, *, creating: bool, wakeups: list[datetime]) -> list[Action]:
    session, facts = snapshot.session, snapshot.facts
    told = snapshot.leaving and facts.leave is not None and facts.leave.acknowledged
    sent_away = snapshot.pod is not None and startup.started(snapshot.pod) and snapshot.pod.deleted_at is not None
    phase = phases.current(session.status.phase, snapshot.pod, facts.report)
    if told or sent_away:
        phase = Phase.LEAVING
    view = view_of(
        snapshot, phase, None, _waiting_message(snapshot), facts.report, admission=admission, creating=creating
    )
    wanted = status.compose(view)
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
    return [PatchStatus(patch), *_transition(session.status.phase, phase, creating=creating)]


def _transition(before: Phase | None, after: Phase, *, creating: bool) -> list[Action]:
    if creating:
        return [EmitEvent("Normal", "BotPodCreated", "the bot's pod was created")]
    if before is after or after not in _EVENTS:
        return []
    passed = [after]
    if after is Phase.RECORDING and (before is None or before.rank < Phase.ACTIVE.rank):
        passed.insert(0, Phase.ACTIVE)  # both between two looks; people still want to read that it joined
    return [EmitEvent("Normal", *_EVENTS[phase]) for phase in passed]


def _waiting_message(snapshot: Snapshot) -> str | None:
    """What a session that has not started waits for, in the words of whoever holds it up."""
    if snapshot.pod is None:
        return snapshot.facts.rejection.message if snapshot.facts.rejection is not None else None
    if startup.started(snapshot.pod):
        return None
    for name, container in (("browser", snapshot.pod.browser), ("bot", snapshot.pod.bot)):
        if container.waiting in startup.IMAGE:
            return f"container {name}: the image cannot be pulled yet"
    return None


def _ahead(now: datetime, moment: datetime) -> list[datetime]:
    return [moment] if moment > now else []
