"""What the program before an uninstall makes of an API server that does not do as it is asked."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from meeting_buddy.app import release as program
from meeting_buddy.contract.identity import FINALIZER_OUTCOME
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient
from meeting_buddy.kube.rate_limiter import RateLimiter
from tests.local.clone import REPOSITORY

REASONS = {403: "Forbidden", 404: "NotFound"}


class Upstream:
    """Stands for the API server, with the pods ``first`` and ``second`` in each namespace.

    An answer of ``answers`` is a status: of a listing by its namespace, of a patch by its pod; the last one stays.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, list[int]] = {}
        self.asked: Counter[str] = Counter()
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
        return failed or web.json_response({})

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
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def released(url: str, namespaces: list[str], patience: float) -> tuple[int, bool]:
    settings = Configuration()
    settings.host = url
    client = KubeClient(settings, RateLimiter())
    try:
        return await program.release(KubernetesApi(client, "test"), namespaces, patience)
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


@pytest.mark.parametrize(("status", "expected"), [(403, 1), (404, 0)])
async def test_the_exit_status_keeps_a_release_whose_pods_were_left(
    upstream: Upstream, tmp_path: Path, status: int, expected: int
) -> None:
    upstream.answers = {"first": [status]}
    kubeconfig = tmp_path / "kubeconfig"
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    clusters, users = [{"name": "it", "cluster": {"server": upstream.url}}], [{"name": "it", "user": {}}]
    kubeconfig.write_text(
        json.dumps({"current-context": "it", "contexts": [context], "clusters": clusters, "users": users})
    )
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program.__name__, "--namespace=meetings", f"--kubeconfig={kubeconfig}"),
        env={"PYTHONPATH": str(REPOSITORY / "operator")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    log, _ = await done.communicate()
    assert done.returncode == expected, log.decode()
