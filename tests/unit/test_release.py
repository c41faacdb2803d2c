"""What the program before an uninstall makes of an API server that does not do as it is asked."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from meeting_buddy.app import release as program
from meeting_buddy.contract.identity import FINALIZER_OUTCOME
from meeting_buddy.controller.lease import UNINSTALL
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient
from meeting_buddy.kube.rate_limiter import RateLimiter
from tests.local.clone import REPOSITORY
from tests.support.awaiting import until

REASONS = {403: "Forbidden", 404: "NotFound"}
METADATA = {"name": "meeting-buddy-operator", "namespace": "buddy", "resourceVersion": "1"}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/buddy/leases"


class Upstream:
    """Stands for the API server, with the pods ``first`` and ``second`` in each namespace.

    An answer of ``answers`` is a status: of a listing by its namespace, of a patch by its pod, of a write of the Lease
    as ``lease``; the last one stays. ``events`` are the Lease's holders with their seconds, and the pods released.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, list[int]] = {}
        self.asked: Counter[str] = Counter()
        self.holder: str | None = ""
        """Of the Lease; ``None``: there is no Lease."""
        self.events: list[tuple[str, int] | str] = []
        self._released: set[str] = set()

    async def listed(self, request: web.Request) -> web.Response:
        namespace = request.match_info["namespace"]
        return self._answered(namespace) or web.json_response(
            {"metadata": {}, "items": [self._pod(namespace, name) for name in ("first", "second")]}
        )

    async def patched(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        failed = self._answered(name)
        if failed is None:
            self._released.add(name)
            self.events.append(name)
        return failed or web.json_response({})

    async def lease(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            spec = {"holderIdentity": self.holder}
            absent = web.json_response({"reason": "NotFound"}, status=404)
            return absent if self.holder is None else web.json_response({"metadata": METADATA, "spec": spec})
        document = await request.json()
        failed = self._answered("lease")
        if failed is None:
            spec = document["spec"]
            self.holder = spec["holderIdentity"]
            self.events.append((spec["holderIdentity"], spec["leaseDurationSeconds"]))
        return failed or web.json_response({"metadata": METADATA, "spec": document["spec"]})

    def _pod(self, namespace: str, name: str) -> dict[str, Any]:
        finalizers = [] if name in self._released else [FINALIZER_OUTCOME]
        return {"metadata": {"namespace": namespace, "name": name, "uid": name, "finalizers": finalizers}}

    def _answered(self, what: str) -> web.Response | None:
        self.asked[what] += 1
        answers = self.answers.get(what, [200])
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        return None if status == 200 else web.json_response({"reason": REASONS.get(status, "")}, status=status)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    found = Upstream()
    application = web.Application()
    application.router.add_get("/api/v1/namespaces/{namespace}/pods", found.listed)
    application.router.add_patch("/api/v1/namespaces/{namespace}/pods/{name}", found.patched)
    application.router.add_post(LEASES, found.lease)
    application.router.add_route("*", LEASES + "/meeting-buddy-operator", found.lease)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def released(url: str, namespaces: list[str], patience: float) -> tuple[int, bool]:
    async with asked(url) as api:
        return await program.release(api, namespaces, patience)


@asynccontextmanager
async def asked(url: str) -> AsyncIterator[KubernetesApi]:
    settings = Configuration()
    settings.host = url
    client = KubeClient(settings, RateLimiter())
    try:
        yield KubernetesApi(client, "test")
    finally:
        await client.close()


LASTING: dict[str, tuple[dict[str, list[int]], tuple[int, bool]]] = {
    "nothing": ({}, (2, True)),
    "no right to list": ({"meetings": [403]}, (0, True)),
    "a namespace that is gone": ({"meetings": [404]}, (0, True)),
    "too many requests": ({"meetings": [429]}, (0, False)),
    "a listing that fails": ({"meetings": [503]}, (0, False)),
    "a pod that is gone": ({"first": [404]}, (1, True)),
    "no right to release a pod": ({"first": [403]}, (1, False)),
    "a pod that cannot be released": ({"first": [500]}, (1, False)),
}


@pytest.mark.parametrize(("answers", "expected"), LASTING.values(), ids=LASTING)
async def test_it_says_whether_pods_were_left(
    upstream: Upstream, answers: dict[str, list[int]], expected: tuple[int, bool]
) -> None:
    upstream.answers = answers
    assert await released(upstream.url, ["meetings"], patience=0) == expected


async def test_no_answer_at_all_leaves_pods() -> None:
    assert await released("http://127.0.0.1:1", ["meetings"], patience=0) == (0, False)


@pytest.mark.parametrize("faulty", ["meetings", "first"])
async def test_what_passes_is_waited_for(upstream: Upstream, monkeypatch: pytest.MonkeyPatch, faulty: str) -> None:
    monkeypatch.setattr(program, "PAUSE_SECONDS", 0.0)
    upstream.answers = {faulty: [503, 429, 200]}
    assert await released(upstream.url, ["meetings"], patience=60) == (2, True)
    assert upstream.asked["second"] == 1


async def test_what_lasts_is_not_waited_for(upstream: Upstream) -> None:
    upstream.answers = {"first": [403]}
    assert await released(upstream.url, ["meetings"], patience=60) == (1, False)
    assert upstream.asked["first"] == 1


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses, and failures are tried once."""
    for name in ("PATIENCE_SECONDS", "PAUSE_SECONDS", "FORMER_HOLDER_SECONDS"):
        monkeypatch.setattr(program, name, 0.0)


HELD, REMOVED, GIVEN_BACK = (
    (UNINSTALL, program.HOLD_SECONDS),
    (UNINSTALL, program.REMOVAL_SECONDS),
    ("", 1),
)
TAKING: dict[str, tuple[dict[str, list[int]], list[tuple[str, int] | str]]] = {
    "all pods": ({}, [HELD, "first", "second", REMOVED]),
    "not all pods": ({"first": [403]}, [HELD, "second", GIVEN_BACK]),
    "no right to the Lease": ({"lease": [403]}, []),
    "no answer about the Lease": ({"lease": [503]}, []),
}


@pytest.mark.parametrize(("answers", "expected"), TAKING.values(), ids=TAKING)
@pytest.mark.usefixtures("quick")
async def test_pods_are_released_under_the_operators_lease_which_is_given_back_where_some_were_left(
    upstream: Upstream, answers: dict[str, list[int]], expected: list[tuple[str, int] | str]
) -> None:
    upstream.answers = answers
    async with asked(upstream.url) as api:
        complete = await program.release_instead_of_operator(api, "buddy", ["meetings"])
    assert upstream.events == expected
    assert complete is (REMOVED in expected)


@pytest.mark.parametrize(("holder", "waits"), [("operator-0", True), (None, True), ("", False)])
@pytest.mark.usefixtures("quick")
async def test_who_held_the_lease_is_waited_for(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, holder: str | None, waits: bool
) -> None:
    upstream.holder = holder
    monkeypatch.setattr(program, "FORMER_HOLDER_SECONDS", 3600.0)
    async with asked(upstream.url) as api:
        work = asyncio.create_task(program.release_instead_of_operator(api, "buddy", ["meetings"]))
        await until(lambda: HELD in upstream.events)
        if waits:
            await asyncio.sleep(0.2)
            assert upstream.events == [HELD]
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            assert upstream.events == [HELD, GIVEN_BACK]
        else:
            assert await work


@pytest.mark.usefixtures("quick")
async def test_a_renewal_that_came_between_is_no_failure(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PATIENCE_SECONDS", 60.0)
    upstream.answers = {"lease": [409, 503, 200]}
    async with asked(upstream.url) as api:
        assert await program.release_instead_of_operator(api, "buddy", ["meetings"])


Start = Callable[[], Awaitable[Process]]


@pytest.fixture
def start(upstream: Upstream, tmp_path: Path) -> Start:
    """Starts the program as the Job does."""
    kubeconfig = tmp_path / "kubeconfig"
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    clusters, users = [{"name": "it", "cluster": {"server": upstream.url}}], [{"name": "it", "user": {}}]
    kubeconfig.write_text(
        json.dumps({"current-context": "it", "contexts": [context], "clusters": clusters, "users": users})
    )
    return partial(
        asyncio.create_subprocess_exec,
        *(sys.executable, "-m", program.__name__, "--namespace=meetings", f"--kubeconfig={kubeconfig}"),
        env={"PYTHONPATH": str(REPOSITORY / "operator"), "POD_NAMESPACE": "buddy"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.parametrize(("status", "expected"), [(403, 1), (404, 0)])
async def test_the_exit_status_keeps_a_release_whose_pods_were_left(
    upstream: Upstream, start: Start, status: int, expected: int
) -> None:
    upstream.answers = {"first": [status]}
    running = await start()
    log, _ = await running.communicate()
    assert running.returncode == expected, log.decode()


async def test_told_to_end_it_gives_the_lease_back(upstream: Upstream, start: Start) -> None:
    upstream.holder = "operator-0"
    running = await start()
    await until(lambda: HELD in upstream.events)
    running.terminate()
    log, _ = await running.communicate()
    assert running.returncode == 1, log.decode()
    assert upstream.events == [HELD, GIVEN_BACK]
    assert b"Traceback" not in log
