"""What happens to bots and finishers, as a kubelet and a bot tell it, and what a session then shows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from meeting_buddy.contract.identity import Role
from meeting_buddy.contract.phases import Phase
from tests.integration.operator_process import PATIENCE, Sessions, harmless_pod
from tests.integration.test_operator_lifecycle import JOINED, VERIFIED, conditions, last_word, released
from tests.integration.test_pod_secret import DIGEST, content, secret
from tests.support.awaiting import wait_until
from tests.support.report_server import ReportServer

UNVERIFIED = VERIFIED | {"verified": False}
COUNTS = {"segmentCount": 2, "audioFileCount": 1, "videoFileCount": 1, "totalSizeBytes": 9}
"""What the finisher says, as `last_word` has it."""
UNREACHABLE = "the page answered with status 502"
CRASHED = "Container bot exited with exit status 137, without a termination report."

# Of the conditions that kstatus reads, and Job's: see test_kstatus.py
IN_PROGRESS = {"Ready": "False", "Reconciling": "True"}
COMPLETED = {"Ready": "True", "Complete": "True"}
FAILED = {"Ready": "False", "Stalled": "True", "Failed": "True"}
_SUMMARY = ("Ready", "Reconciling", "Stalled", "Complete", "Failed")


def summary(status: dict[str, Any]) -> dict[str, str]:
    """The conditions that tools read, as far as they are there."""
    return {kind: found for kind, (found, _) in conditions(status).items() if kind in _SUMMARY}


def sleep_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def change(sessions: Sessions, name: str, **spec: Any) -> None:
    """Change a session's spec."""
    sessions.api.patch("meetingsessions", name, {"spec": spec})


def assignment_of(sessions: Sessions, pod: dict[str, Any]) -> dict[str, Any]:
    """What a pod is told, which is in a Secret that it owns, and the one that its annotation names."""
    found = wait_until(lambda: secret(sessions, pod["metadata"]["name"]), "the pod has its Secret", PATIENCE)
    assert [each["uid"] for each in found["metadata"]["ownerReferences"]] == [pod["metadata"]["uid"]]
    assert hashlib.sha256(content(found)).hexdigest() == pod["metadata"]["annotations"][DIGEST]
    document: dict[str, Any] = json.loads(content(found))
    return document


# Bots


@contextmanager
def recording(
    sessions: Sessions, name: str, attempt: int = 1, **said: Any
) -> Iterator[tuple[dict[str, Any], ReportServer]]:
    """A session's pod and its bot, once it is recorded; `said`: what it reports besides."""
    pod = sessions.pod(name, attempt, seconds=PATIENCE)
    sessions.scheduled(pod)
    with ReportServer(sessions.get(name)["metadata"]["uid"], attempt) as bot:
        sessions.running(pod, ip=bot.address, ready=True)
        bot.say("Recording", **JOINED, **said)
        sessions.phase(name, "Recording", seconds=PATIENCE)
        yield pod, bot


def attends(sessions: Sessions, name: str, attempt: int = 1, **last: Any) -> dict[str, Any]:
    """A bot that was in the meeting until it ended; its pod."""
    with recording(sessions, name, attempt) as (pod, _):
        sessions.ended(pod, last_word(sessions, name, attempt=attempt, **last))
    return pod


def fails(sessions: Sessions, name: str, attempt: int = 1) -> dict[str, Any]:
    """A bot that could not reach the page; its pod."""
    pod = sessions.pod(name, attempt, seconds=PATIENCE)
    sessions.scheduled(pod)
    never: dict[str, Any] = {"joinedAt": None, "everJoined": False, "recording": {}}
    word = last_word(sessions, name, "PageUnreachable", attempt=attempt, message=UNREACHABLE, **never)
    with ReportServer(sessions.get(name)["metadata"]["uid"], attempt) as bot:
        sessions.running(pod, ip=bot.address)
        assert sessions.phase(name, "Joining", seconds=PATIENCE)["botAddress"] == bot.address
        sessions.ended(pod, word, exit_code=1)
    return pod


def is_killed(sessions: Sessions, name: str, attempt: int = 1, **said: Any) -> dict[str, Any]:
    """A bot that is killed while it records; its pod."""
    with recording(sessions, name, attempt, **said) as (pod, _):
        sessions.ended(pod, exit_code=137, reason="Error")
    return pod


def is_evicted(sessions: Sessions, name: str, attempt: int = 1) -> dict[str, Any]:
    """A bot whose node is drained while it records; its pod."""
    with recording(sessions, name, attempt) as (pod, _):
        sessions.api.delete("pods", pod["metadata"]["name"])
        sessions.phase(name, "Leaving", seconds=PATIENCE)
        sessions.ended(pod, last_word(sessions, name, "Evicted", attempt=attempt, recording=UNVERIFIED))
    return pod


def is_stopped(sessions: Sessions, name: str, attempt: int = 1) -> bool:
    """Whether a session's pod is told to end."""
    return "deletionTimestamp" in sessions.pod(name, attempt)["metadata"]


def is_gone(sessions: Sessions, pod: dict[str, Any]) -> None:
    """A pod that was stopped before anything of it ran."""
    sessions.api.patch("pods", pod["metadata"]["name"], {"status": {"phase": "Failed"}}, "status")


def no_pods(sessions: Sessions) -> None:
    """A quota ``none`` that takes no pod any more."""
    sessions.limit("none", {"pods": "0"}, "pods", harmless_pod("refused"))


def pods_again(sessions: Sessions) -> None:
    """That quota is gone."""
    sessions.api.delete("resourcequotas", "none")


# What follows


def begun(sessions: Sessions, name: str, attempt: int) -> dict[str, Any]:
    """The status, once it speaks of this attempt."""

    def look() -> dict[str, Any] | None:
        found = sessions.status(name)
        return found if found.get("attempt") == attempt else None

    return wait_until(look, f"attempt {attempt} of {name} begins", PATIENCE)


def waits_for_the_second(sessions: Sessions) -> dict[str, Any]:
    """A session in its first back-off; the pod before."""
    sessions.apply("standup", backoffLimit=2)
    first = fails(sessions, "standup")
    begun(sessions, "standup", 2)
    return first


def followed(sessions: Sessions, name: str, attempt: int) -> dict[str, Any]:
    """The pod of the next attempt, once its time has come."""
    due = begun(sessions, name, attempt).get("nextAttemptTime")
    if due is not None:
        sleep_until(datetime.fromisoformat(due))
    return sessions.pod(name, attempt, seconds=PATIENCE)


def finishing(sessions: Sessions, name: str) -> dict[str, Any]:
    """The status, once it says why the bot ended and which pod finishes its files."""

    def look() -> dict[str, Any] | None:
        found = sessions.status(name)
        return found if "finisherPod" in found else None

    return wait_until(look, f"{name} has a finisher", PATIENCE)


def reason_told(sessions: Sessions, name: str) -> dict[str, Any]:
    """The status, once it says why the bot ended."""

    def look() -> dict[str, Any] | None:
        found = sessions.status(name)
        return found if "reason" in found else None

    return wait_until(look, f"{name} has a reason", PATIENCE)


def finisher(sessions: Sessions, name: str, attempt: int = 1) -> dict[str, Any]:
    """The finisher's pod, once it runs."""
    pod = sessions.pod(name, attempt, Role.FINISHER, PATIENCE)
    sessions.scheduled(pod)
    sessions.running(pod)
    return pod


def is_drained(sessions: Sessions, pod: dict[str, Any], **end: Any) -> None:
    """A finisher whose node is drained, until its pod is gone; `end`: how its container ended, if not by a signal."""
    (name,) = names(pod)
    sessions.api.delete("pods", name)
    sessions.ended(pod, **(end or {"exit_code": 143, "reason": "Error"}))
    all_released(sessions, pod)
    sessions.api.delete("pods", name, gracePeriodSeconds=0)  # as its kubelet does


def is_collected(sessions: Sessions, pod: dict[str, Any]) -> None:
    """Kubernetes' collector, which does not run here, removes what a pod owned that is gone."""
    sessions.api.delete("secrets", pod["metadata"]["name"], missing_ok=True)


def finishes(sessions: Sessions, name: str, reason: str, attempt: int = 1, **last: Any) -> dict[str, Any]:
    """A finisher that has ended; its pod."""
    pod = finisher(sessions, name, attempt)
    sessions.ended(pod, last_word(sessions, name, reason, attempt=attempt, **last))
    return pod


def all_released(sessions: Sessions, *pods: dict[str, Any]) -> None:
    """Nothing of ours keeps these pods any longer."""
    for pod in pods:
        wait_until(lambda pod=pod: released(sessions, pod), f"{pod['metadata']['name']} is released", PATIENCE)  # type: ignore[misc]


def names(*pods: dict[str, Any]) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in pods)


# The whole way


class Told(NamedTuple):
    """What a session's status said when its attempt or phase changed."""

    attempt: int
    phase: Phase
    message: str


@contextmanager
def phases_of(sessions: Sessions, name: str) -> Iterator[list[Told]]:
    """What the phases of a session that is there were; complete after the block, in which it has to end."""
    shown = 'jsonpath={.status.attempt}|{.status.phase}|{.status.message}{"\\n"}'
    argv = sessions.kubectl.argv("get", "mbs", name, "--watch", f"--output={shown}")
    lines: list[str] = []
    found: list[Told] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=_collect, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            wait_until(lambda: lines, f"{name} is watched", PATIENCE)
            yield found
            wait_until(lambda: lines[-1].split("|")[1] in ("Completed", "Failed"), f"{name} ends", PATIENCE)
        finally:
            process.terminate()
            reader.join(10)
    parts = [line.rstrip("\n").split("|", 2) for line in lines]
    told = [Told(int(attempt or 1), Phase(phase), message) for attempt, phase, message in parts if phase]
    found.extend(next(same) for _, same in groupby(told, lambda each: each[:2]))


def _collect(stream: Iterable[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line)


def in_order(found: list[Told]) -> bool:
    """Whether no attempt came back, a later one began with Initializing, and in each one the phase never fell."""
    ranks = [(each.attempt, each.phase.rank) for each in found]
    started = {each.attempt for each in found if each.phase is Phase.INITIALIZING}
    return ranks == sorted(set(ranks)) and {each.attempt for each in found} - {1} <= started
