"""Whole lives of sessions on a real API server, with an operator that is killed at every step, twice in a row, and with
an API server that is busy, slow, forgetful, cut off, away or forbidding: nothing may tell them from undisturbed ones.

All are played at once, since nearly all of each is waiting; together they keep a processor busy.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from tests.integration.faulty_api import FAULTS, Fault, faulty
from tests.integration.operator_fixtures import crd, fresh_namespace  # noqa: F401 -- fixtures
from tests.integration.operator_lives import (
    CLASSES,
    LIVES,
    Ends,
    Life,
    play,
    whose_first_bot_is_given_up,
)
from tests.integration.operator_process import OperatorProcess, Sessions, running
from tests.local.cluster.api_only import ApiServer
from tests.support.machine_wide import free_port

Operator = TypeVar("Operator", bound=OperatorProcess)
UNDISTURBED = "undisturbed"
WRITES = (4 * 4 + 2) + (4 + 3)
"""The least that two of the lives take in which each write is deadly: for each pod the pod, its Secret, a status that
names it, and its release; what is ahead; each end; the pod and the session that are removed. The lives are played at
the same time, so one death may interrupt the writes of several: those of the other lives are not counted."""


@dataclass
class Mortal(OperatorProcess):
    """An operator of which one process dies right before its first write, the next one right after its first."""

    deadly: tuple[str, ...] = ("POST", "PATCH", "DELETE")
    """Writes that count, by HTTP method."""

    def _program(self) -> list[str]:
        return ["-c", _MORTAL, str(self._deaths), ",".join(self.deadly)]

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
call, deaths, deadly = KubeClient.call, sys.argv.pop(1), sys.argv.pop(1).split(",")

async def last_call(self, method, path, *, about, **more):
    writes = method in deadly and about.kind not in ("Lease", "Event") and not about.kind.endswith(DRY_RUN)
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


def with_operator(
    crd: ApiServer,
    folder: Path,
    lives: Sequence[Life] = LIVES,
    kind: Callable[..., Operator] = OperatorProcess,  # type: ignore[assignment]
    kubeconfig: Path | None = None,
) -> tuple[Ends, Operator]:
    """How lives end, and the operator that acted."""
    places = [fresh_namespace(crd) for _ in lives]
    first, *others = places
    path = kubeconfig or crd.kubeconfig
    operator = kind(path, folder, first, free_port(), also=tuple(others), installation=CLASSES)
    stages = [Sessions(crd.kubectl.in_namespace(place)) for place in places]
    try:
        with running(operator):
            return play(dict(zip(lives, stages, strict=True))), operator
    except AssertionError as error:
        raise AssertionError(f"{error}\nthe operator's log ends with:\n{operator.log.read_text()[-3000:]}") from error


def undisturbed(crd: ApiServer, folder: Path) -> Ends:
    return with_operator(crd, folder)[0]


def killed(crd: ApiServer, folder: Path) -> Ends:
    """At each write; where a pod is waited for, which each process does anew, at its removal."""
    patient = (whose_first_bot_is_given_up,)
    others = tuple(life for life in LIVES if life not in patient)
    for name in ("each", "removal"):
        (folder / name).mkdir()
    with ThreadPoolExecutor(2) as pool:
        at_each = pool.submit(with_operator, crd, folder / "each", others, Mortal)
        at_removal = pool.submit(with_operator, crd, folder / "removal", patient, partial(Mortal, deadly=("DELETE",)))
    ends: Ends = {}
    for each, least in ((at_each, 2 * WRITES), (at_removal, 2)):
        found, operator = each.result()
        assert len(operator.deaths()) >= least
        assert set(operator.deaths()) == {-signal.SIGKILL}
        ends |= found
    return ends


def before_a_faulty_api_server(fault: Callable[[], Fault], crd: ApiServer, folder: Path) -> Ends:
    async def run() -> Ends:
        async with faulty(crd.kubeconfig, fault(), folder) as kubeconfig:
            return (await asyncio.to_thread(with_operator, crd, folder, kubeconfig=kubeconfig))[0]

    return asyncio.run(run())


SCENARIOS: Mapping[str, Callable[[ApiServer, Path], Ends]] = {
    UNDISTURBED: undisturbed,
    "killed": killed,
    **{name: partial(before_a_faulty_api_server, fault) for name, fault in FAULTS.items()},
}


@pytest.fixture(scope="module")
def ends(
    crd: ApiServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Mapping[str, Future[Ends]]]:
    """How the lives end in each scenario that is asked for."""
    ours = (item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path)
    chosen = {UNDISTURBED, *(str(item.callspec.params["scenario"]) for item in ours)}
    with ThreadPoolExecutor(len(chosen)) as pool:
        yield {name: pool.submit(SCENARIOS[name], crd, tmp_path_factory.mktemp(name)) for name in chosen}


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != UNDISTURBED])
def test_no_bot_is_made_twice_and_no_outcome_is_lost(ends: Mapping[str, Future[Ends]], scenario: str) -> None:
    expected = ends[UNDISTURBED].result()
    assert [found["phase"] for found in expected.values()] == ["Failed", "Completed", "Completed", "Failed"]
    assert ends[scenario].result() == expected
