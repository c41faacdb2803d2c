"""An operator that is killed at every step of a session's life, twice in a row, on a real API server.

The life has all that can follow a bot: a start that is ahead, a failure before the meeting, a drain in it, a bot that
is killed and its finisher. It is played once with an operator that lives, and beside it with one that never lives long;
nothing may tell them apart.
"""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meeting_buddy.contract.phases import Phase
from meeting_buddy.domain.times import spelled
from tests.integration.operator_fixtures import crd, fresh_namespace  # noqa: F401 -- fixtures
from tests.integration.operator_plays import (
    COUNTS,
    UNREACHABLE,
    all_released,
    change,
    fails,
    finishes,
    followed,
    in_order,
    is_evicted,
    is_killed,
    names,
    phases_of,
)
from tests.integration.operator_process import INSTALLATION, PATIENCE, OperatorProcess, Sessions, running
from tests.integration.test_operator_lifecycle import conditions
from tests.local.cluster.api_only import ApiServer
from tests.support.machine_wide import free_port

WRITES = 4 * 4 + 2
"""The least that such a life takes: four pods, each with its Secret, a status that names it, and its release; what is
ahead; the end."""
_CLASS = INSTALLATION["botClasses"]["default"]
CLASSES: dict[str, Any] = {
    **INSTALLATION,
    "botClasses": {"default": {**_CLASS, "timeouts": {**_CLASS["timeouts"], "startLeadSeconds": 1}}},
}


class Mortal(OperatorProcess):
    """An operator of which one process dies right before its first write, the next one right after its first."""

    def _program(self) -> list[str]:
        return ["-c", _MORTAL, str(self._deaths)]

    @property
    def _deaths(self) -> Path:
        return self.folder / "deaths"

    def deaths(self) -> list[int]:
        """How its processes ended, so far."""
        return [int(line) for line in self._deaths.read_text().split()]


# Each is a process of its own; only what is imported is imported once, which takes longer than anything else.
_MORTAL = """
import ctypes, itertools, os, signal, sys
from meeting_buddy.app.__main__ import main
from meeting_buddy.kube.api import DRY_RUN
from meeting_buddy.kube.client import KubeClient

DIES_WITH_ITS_PARENT = 1
call, deaths = KubeClient.call, sys.argv.pop(1)

async def last_call(self, method, path, *, about, **more):
    writes = method != "GET" and about[0] not in ("Lease", "Event", DRY_RUN)
    if writes and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = await call(self, method, path, about=about, **more)
    if writes:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

KubeClient.call = last_call
for moment in itertools.cycle(("before", "after")):
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(DIES_WITH_ITS_PARENT, signal.SIGKILL)
        sys.exit(main())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(deaths, "a") as file:
        print(status, file=file)
"""


def whole_life(sessions: Sessions) -> dict[str, Any]:
    """Everything that can follow a bot, one after the other; the last status."""
    start = datetime.now(UTC) + timedelta(hours=1)
    sessions.apply("standup", startTime=spelled(start), backoffLimit=1, onDisruption="Rejoin")
    sessions.phase("standup", "Scheduled", seconds=PATIENCE)
    assert sessions.pods() == []
    with phases_of(sessions, "standup") as told:
        change(sessions, "standup", startTime=spelled(datetime.now(UTC) + timedelta(seconds=3)))
        pods = [fails(sessions, "standup")]
        followed(sessions, "standup", 2)
        nothing_else_lives(sessions)
        pods.append(is_evicted(sessions, "standup", 2))
        followed(sessions, "standup", 3)
        nothing_else_lives(sessions)
        pods.append(is_killed(sessions, "standup", 3))
        pods.append(finishes(sessions, "standup", "BotCrashed", 3))
    all_released(sessions, *pods)
    assert names(*sessions.pods()) == names(*pods), "no other was made"
    assert in_order(told), told
    assert told[0].phase is Phase.SCHEDULED
    begun = {each.attempt: each.message for each in reversed(told) if each.phase is Phase.INITIALIZING}
    assert begun[2].startswith(f"attempt 1 ended with PageUnreachable: {UNREACHABLE}; the next bot is made at ")
    assert begun[3].startswith("attempt 2 ended with Evicted: ")
    return sessions.status("standup")


def nothing_else_lives(sessions: Sessions) -> None:
    """Of all pods, one has not ended."""
    phases = [pod["status"]["phase"] for pod in sessions.pods()]
    assert sum(phase not in ("Succeeded", "Failed") for phase in phases) == 1, phases


def essence(status: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on when and where something happened, nor on what the bot's stream told."""
    known = ("phase", "reason", "message", "attempt", *COUNTS)
    found = {kind: known for kind, known in conditions(status).items() if kind != "Reporting"}
    return {**{name: status.get(name) for name in known}, "conditions": found}


def with_one_that_lives(crd: ApiServer, folder: Path) -> dict[str, Any]:
    place = fresh_namespace(crd)
    folder.mkdir()
    with running(OperatorProcess(crd.kubeconfig, folder, place, free_port(), installation=CLASSES)):
        return whole_life(Sessions(crd.kubectl.in_namespace(place)))


def with_one_that_is_killed(crd: ApiServer, folder: Path) -> dict[str, Any]:
    place = fresh_namespace(crd)
    folder.mkdir()
    operator = Mortal(crd.kubeconfig, folder, place, free_port(), installation=CLASSES)
    with running(operator):
        status = whole_life(Sessions(crd.kubectl.in_namespace(place)))
    assert len(operator.deaths()) >= 2 * WRITES
    assert set(operator.deaths()) == {-signal.SIGKILL}, operator.log.read_text()[-2000:]
    return status


def test_killed_before_and_after_each_write_it_makes_no_bot_twice_and_loses_no_outcome(
    crd: ApiServer, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        expected = pool.submit(with_one_that_lives, crd, tmp_path / "lives")
        found = pool.submit(with_one_that_is_killed, crd, tmp_path / "killed")
    assert essence(found.result()) == essence(expected.result())
    status = expected.result()
    assert (status["phase"], status["reason"], status["attempt"]) == ("Failed", "BotCrashed", 3)
    assert COUNTS.items() <= status.items()
