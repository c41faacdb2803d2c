"""The plan of a session that goes on: start its bot, follow it, write what changed, pass on the wish to leave."""

from datetime import datetime, timedelta
from typing import Final

from meeting_buddy.contract.phases import Phase
from meeting_buddy.domain import phases, startup, status
from meeting_buddy.domain.admission import Verdict, admit
from meeting_buddy.domain.case import Case, view_of
from meeting_buddy.domain.facts import PodFacts
from meeting_buddy.domain.plan import (
    Action,
    AskLeave,
    CreatePod,
    DeletePod,
    EmitEvent,
    FollowStream,
    PatchStatus,
    Plan,
    StopStream,
)
from meeting_buddy.domain.view import UNREACHABLE_AFTER

PROGRESS_INTERVAL: Final = timedelta(seconds=60)
"""Least time between two writes that only report progress."""
REFUSED_RETRY: Final = timedelta(seconds=10)
"""Until the API server is asked again for a pod that a quota kept out."""
LEAVE_RETRY: Final = timedelta(seconds=2)
LEAVE_PATIENCE: Final = timedelta(seconds=20)
"""How long a bot may be unreachable before the wish to leave reaches it as SIGTERM instead."""

_EVENTS: Final = {
    Phase.JOINING: ("Joining", "the bot runs and goes to the meeting"),
    Phase.ACTIVE: ("Joined", "the bot is in the meeting"),
    Phase.RECORDING: ("RecordingStarted", "media is being written"),
    Phase.LEAVING: ("Leaving", "the bot leaves, closes and verifies its files"),
}


def carry_on(case: Case) -> Plan:
    verdict = admit(case.session.spec, case.facts.installation)
    before: list[Action] = []
    after: list[Action] = []
    wakeups: list[datetime] = []
    if case.pod is None:
        _start(case, before, wakeups)
    else:
        _attend(case, case.pod, before, after, wakeups)
    written = _write(case, verdict, creating=any(isinstance(action, CreatePod) for action in before), wakeups=wakeups)
    return Plan((*before, *written, *after), min(wakeups, default=None))


def _start(case: Case, actions: list[Action], wakeups: list[datetime]) -> None:
    refusal = case.facts.refusal
    if refusal is None or case.now >= refusal.at + REFUSED_RETRY:
        actions.append(CreatePod(case.attempt))
    else:
        wakeups.append(refusal.at + REFUSED_RETRY)


def _attend(case: Case, pod: PodFacts, before: list[Action], after: list[Action], wakeups: list[datetime]) -> None:
    stream = case.facts.stream
    if pod.talking and stream is None and pod.ip is not None:
        before.append(FollowStream(pod.name, pod.ip, pod.attempt))
    if not pod.talking and stream is not None:
        before.append(StopStream())
    if stream is not None and stream.lost_since is not None:
        wakeups.extend(_ahead(case.now, stream.lost_since + UNREACHABLE_AFTER))
    if not startup.started(pod):
        wakeups.extend(_ahead(case.now, case.startup_deadline))
    if case.leaving:
        _leave(case, pod, after, wakeups)


def _leave(case: Case, pod: PodFacts, actions: list[Action], wakeups: list[datetime]) -> None:
    """Ask the bot; where it cannot hear or does not go, SIGTERM tells it the same."""
    if pod.deleted_at is not None or pod.bot.ended is not None:
        return
    if not pod.bot.running:
        actions.append(DeletePod(pod.name, pod.uid))
        return
    asked_since = case.session.status.leave_requested_at or case.now
    leave = case.facts.leave
    told = leave is not None and leave.told
    patience = timedelta(seconds=2 * case.timeouts.grace_seconds) if told else LEAVE_PATIENCE
    if case.now >= asked_since + patience:
        actions.append(DeletePod(pod.name, pod.uid))
        return
    wakeups.append(asked_since + patience)
    if told:
        return
    if leave is not None and case.now < leave.tried_at + LEAVE_RETRY:
        wakeups.append(leave.tried_at + LEAVE_RETRY)
    elif pod.talking and pod.ip is not None:
        actions.append(AskLeave(pod.name, pod.ip, pod.attempt))


def _write(case: Case, verdict: Verdict, *, creating: bool, wakeups: list[datetime]) -> list[Action]:
    session, facts = case.session, case.facts
    told = case.leaving and facts.leave is not None and facts.leave.told
    sent_away = case.pod is not None and startup.started(case.pod) and case.pod.deleted_at is not None
    phase = phases.current(session.status.phase, case.pod, facts.report)
    if told or sent_away:
        phase = Phase.LEAVING
    view = view_of(case, phase, None, _waiting_message(case), facts.report, verdict=verdict, creating=creating)
    wanted = status.compose(view)
    patch = status.merge_patch(session.status, wanted)
    talking = case.pod is not None and case.pod.talking
    if not patch:
        wakeups.extend([case.now + PROGRESS_INTERVAL] if talking else [])
        return []
    if not status.loud(session.status, wanted) and facts.written_at is not None:
        due = facts.written_at + PROGRESS_INTERVAL
        if case.now < due:
            wakeups.append(due)
            return []
    wakeups.extend([case.now + PROGRESS_INTERVAL] if talking else [])
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


def _waiting_message(case: Case) -> str | None:
    """What a session that has not started waits for, in the words of whoever holds it up."""
    if case.pod is None:
        return case.facts.refusal.message if case.facts.refusal is not None else None
    if startup.started(case.pod):
        return None
    for name, container in (("browser", case.pod.browser), ("bot", case.pod.bot)):
        if container.waiting in startup.IMAGE:
            return f"container {name}: the image cannot be pulled yet"
    return None


def _ahead(now: datetime, moment: datetime) -> list[datetime]:
    return [moment] if moment > now else []
