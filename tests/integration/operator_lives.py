"""Lives of sessions in which nearly all happens that an operator does, each played in a namespace of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from meeting_buddy.contract.phases import Phase
from meeting_buddy.domain.times import spelled
from tests.integration.operator_plays import (
    COUNTS,
    UNREACHABLE,
    all_released,
    attends,
    begun,
    change,
    fails,
    finisher,
    finishes,
    followed,
    in_order,
    is_collected,
    is_drained,
    is_evicted,
    is_gone,
    is_killed,
    is_stopped,
    names,
    phases_of,
    recording,
)
from tests.integration.operator_process import INSTALLATION, PATIENCE, Sessions
from tests.integration.test_operator_lifecycle import conditions, last_word
from tests.support.awaiting import wait_until

_ESSENTIAL = ("Ready", "Reconciling", "Stalled", "Complete", "Failed", "Joined", "Recording")
"""Conditions that do not hang on what a bot's stream told, and whether somebody heard it."""

Life = Callable[[Sessions], dict[str, Any]]
"""Returns the session's last status."""
Ends = dict[str, dict[str, Any]]
"""What of it counts, by the life's name."""

_CLASS = INSTALLATION["botClasses"]["default"]
_PROMPT = {**_CLASS, "timeouts": {**_CLASS["timeouts"], "finishSeconds": 10, "graceSeconds": 10}}
CLASSES: dict[str, Any] = {
    **INSTALLATION,
    "botClasses": {
        "default": {**_CLASS, "timeouts": {**_CLASS["timeouts"], "startLeadSeconds": 1}},
        "hasty": {**_CLASS, "timeouts": {**_CLASS["timeouts"], "startupTimeoutSeconds": 30}},
        "prompt": _PROMPT,
    },
}
"""Bot classes that wait for little where nothing else has to happen meanwhile; the second bot of `hasty` starts in time
on a busy machine, too."""


def of_every_kind_of_attempt(sessions: Sessions) -> dict[str, Any]:
    """A start that is ahead, a failure before the meeting, a drain in it, a bot that is killed and its finisher."""
    start = datetime.now(UTC) + timedelta(hours=1)
    sessions.apply("standup", startTime=spelled(start), backoffLimit=1, onDisruption="Rejoin")
    sessions.phase("standup", "Scheduled", seconds=PATIENCE)
    assert sessions.pods() == []
    with phases_of(sessions, "standup") as told:
        change(sessions, "standup", startTime=spelled(datetime.now(UTC) + timedelta(seconds=3)))
        pods = [fails(sessions, "standup")]
        followed(sessions, "standup", 2)
        _nothing_else_lives(sessions)
        pods.append(is_evicted(sessions, "standup", 2))
        followed(sessions, "standup", 3)
        _nothing_else_lives(sessions)
        pods.append(is_killed(sessions, "standup", 3))
        pods.append(finishes(sessions, "standup", "BotCrashed", 3))
    all_released(sessions, *pods)
    assert names(*sessions.pods()) == names(*pods), "no other was made"
    assert in_order(told), told
    assert told[0].phase is Phase.SCHEDULED
    messages = {each.attempt: each.message for each in reversed(told) if each.phase is Phase.INITIALIZING}
    assert messages[2].startswith(f"attempt 1 ended with PageUnreachable: {UNREACHABLE}; the next bot is made at ")
    assert messages[3].startswith("attempt 2 ended with Evicted: ")
    status = sessions.status("standup")
    assert (status["phase"], status["reason"], status["attempt"]) == ("Failed", "BotCrashed", 3)
    assert COUNTS.items() <= status.items()
    return status


def whose_first_bot_is_given_up(sessions: Sessions) -> dict[str, Any]:
    """The first bot does not start in time, so its pod is removed; the second one attends."""
    sessions.apply("standup", botClassName="hasty", backoffLimit=1)
    with phases_of(sessions, "standup") as told:
        first = sessions.pod("standup", seconds=PATIENCE)
        sessions.scheduled(first)
        wait_until(lambda: is_stopped(sessions, "standup"), "it is given up", PATIENCE)
        is_gone(sessions, first)
        begun(sessions, "standup", 2)
        followed(sessions, "standup", 2)
        second = attends(sessions, "standup", 2)
    all_released(sessions, first, second)
    assert names(*sessions.pods()) == names(first, second), "no other was made"
    assert in_order(told), told
    return sessions.status("standup")


def that_its_end_time_ends(sessions: Sessions) -> dict[str, Any]:
    """Its bot is asked to leave, does not, is stopped and has left; then the session goes after its time."""
    sessions.apply("standup", botClassName="prompt")
    with phases_of(sessions, "standup") as told, recording(sessions, "standup") as (pod, bot):
        change(sessions, "standup", endTime=spelled(datetime.now(UTC) + timedelta(seconds=1)))
        assert bot.asked_to_leave.wait(PATIENCE)
        wait_until(lambda: is_stopped(sessions, "standup"), "it is stopped", 2 * PATIENCE)
        sessions.ended(pod, last_word(sessions, "standup", "LeaveRequested"))
    all_released(sessions, pod)
    assert in_order(told), told
    status = sessions.status("standup")
    assert (status["phase"], status["reason"]) == ("Completed", "EndTimeReached"), json.dumps(status)
    sessions.kubectl("delete", "pod", *names(pod), "--force", "--grace-period=0")  # as its kubelet does
    assert sessions.pods() == [], "no other was made"
    change(sessions, "standup", ttlSecondsAfterFinished=1)
    wait_until(lambda: not sessions.exists("meetingsessions", "standup"), "the session goes after its time", PATIENCE)
    return status


def whose_finisher_is_drained(sessions: Sessions) -> dict[str, Any]:
    """Another one follows it."""
    sessions.apply("standup")
    with phases_of(sessions, "standup") as told:
        bot = is_killed(sessions, "standup")
        drained = finisher(sessions, "standup")
        is_drained(sessions, drained)
        is_collected(sessions, drained)
        finished = finishes(sessions, "standup", "BotCrashed")
    all_released(sessions, bot, finished)
    assert names(*sessions.pods()) == names(bot, finished), "no other was made"
    assert in_order(told), told
    status = sessions.status("standup")
    assert COUNTS.items() <= status.items()
    return status


LIVES: tuple[Life, ...] = (
    of_every_kind_of_attempt,
    whose_first_bot_is_given_up,
    that_its_end_time_ends,
    whose_finisher_is_drained,
)


def play(lives: Mapping[Life, Sessions]) -> Ends:
    """All at once; what of their last status does not depend on when and where something happened."""
    with ThreadPoolExecutor(len(lives)) as pool:
        found = pool.map(lambda life: life(lives[life]), lives)
        return {life.__name__: _essence(status) for life, status in zip(lives, found, strict=True)}


def _nothing_else_lives(sessions: Sessions) -> None:
    """Of all pods, one has not ended."""
    phases = [pod["status"]["phase"] for pod in sessions.pods()]
    assert sum(phase not in ("Succeeded", "Failed") for phase in phases) == 1, phases


def _essence(status: dict[str, Any]) -> dict[str, Any]:
    found = {name: status.get(name) for name in ("phase", "reason", "attempt", *COUNTS)}
    return {**found, "conditions": {kind: word for kind, word in conditions(status).items() if kind in _ESSENTIAL}}
