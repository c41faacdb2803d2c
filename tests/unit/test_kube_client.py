"""What the operator makes of the API server's answers, also of those that are none of its own."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import incluster_config

from meeting_buddy.controller import lease
from meeting_buddy.controller.lease import Lease
from meeting_buddy.kube import client as subject
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.rate_limiter import RateLimiter
from tests.support.awaiting import until
from tests.support.operator_clock import ManualClock

NONSENSE = [b"<html>please wait</html>", b"", b"[]", b"null", b"\xff", b"[" * 10_000]
LEASE = b'{"metadata": {"name": "lease", "namespace": "meetings", "resourceVersion": "7"}, "spec": {}}'


class Upstream:
    """Stands for the API server, or for what is in front of it."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self.answer: dict[str, Any] = {}
        self.asked = 0
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        self.peers: list[object] = []
        """The connection of each call."""
        self.dead: object = None
        """The connection on which no call is answered."""

    async def answered(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.bodies.append(await request.read())
        self.peers.append(request.transport and request.transport.get_extra_info("peername"))
        if self.peers[-1] == self.dead:
            await asyncio.Event().wait()
        return web.Response(**self.answer)

    def client(self) -> KubeClient:
        """A client of it."""
        settings = Configuration()
        settings.host = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return KubeClient(settings, RateLimiter(), lambda _method, _kind, status: self.statuses.append(status))


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    application = web.Application()
    runner = web.AppRunner(application, handler_cancellation=True)
    found = Upstream(runner)
    application.router.add_route("*", "/{path:.*}", found.answered)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield found
    await runner.cleanup()


@pytest.fixture
async def api(upstream: Upstream) -> AsyncIterator[KubernetesApi]:
    client = upstream.client()
    yield KubernetesApi(client, "test")
    await client.close()


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:8].decode(errors="replace"))
async def test_an_answer_that_is_no_object_is_an_error_of_the_call(
    upstream: Upstream, api: KubernetesApi, body: bytes
) -> None:
    upstream.answer = {"body": body}
    with pytest.raises(KubeError) as error:
        await api.get_pod("meetings", "standup")
    assert error.value.unreadable
    assert (error.value.status, error.value.kind, error.value.name) == (502, "Pod", "standup")
    assert not error.value.refused, "it is asked again"
    assert upstream.statuses == [200], "the metric counts what was answered"


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "7", 7.0),
        (503, "120", 120.0),
        (429, None, 0.0),
        (429, "", 0.0),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        (429, "-1", 0.0),
        (429, "1.5", 0.0),
        (429, "soon", 0.0),
    ],
)
async def test_the_api_server_may_say_for_how_long_to_wait(
    upstream: Upstream, api: KubernetesApi, status: int, header: str | None, seconds: float
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    upstream.answer = {"status": status, "body": b'{"reason": "TooManyRequests"}', "headers": headers}
    with pytest.raises(KubeError) as error:
        await api.get_pod("meetings", "standup")
    found = error.value
    assert (found.status, found.reason, found.retry_after) == (status, "TooManyRequests", seconds)
    assert not found.refused


@pytest.mark.parametrize("body", [*NONSENSE, b"{}", b'{"metadata": {}, "spec": {}}', b'{"metadata": 1, "spec": 2}'])
async def test_nonsense_about_the_lease_does_not_end_who_contends_for_it(
    upstream: Upstream, api: KubernetesApi, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.controller.lease.PERIOD", 0.01)
    upstream.answer, clock = {"body": LEASE}, ManualClock()
    contender = Lease(api, "meetings", "operator-a", clock)
    task = asyncio.create_task(contender.contend())
    try:
        await until(lambda: contender.held)
        upstream.answer = {"body": body}
        asked = upstream.asked
        await until(lambda: task.done() or upstream.asked > asked + 3)
        clock.advance(60)
        assert not task.done()
        assert not contender.held
        upstream.answer = {"body": LEASE}
        await until(lambda: task.done() or contender.held)
        assert contender.held
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_dead_connection_costs_one_try_and_not_the_lease(
    upstream: Upstream, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock goes on by what passes from a renewal to the end of a try that is cut off."""
    lost = lease.PERIOD + lease.CALL_SECONDS
    assert 2 * lease.CALL_SECONDS <= lease.RENEW_DEADLINE, "another call fits"
    monkeypatch.setattr(lease, "PERIOD", 0.01)
    monkeypatch.setattr(lease, "CALL_SECONDS", 0.3)
    upstream.answer, clock = {"body": LEASE}, ManualClock()
    contender = Lease(api, "meetings", "operator-a", clock)
    update, cut_off, renewed = api.update_lease, 0, 0

    async def updated(document: dict[str, Any]) -> dict[str, Any]:
        nonlocal cut_off, renewed
        try:
            answer = await update(document)
        except asyncio.CancelledError:
            cut_off += 1
            clock.advance(lost)
            raise
        renewed += 1
        return answer

    monkeypatch.setattr(api, "update_lease", updated)
    task = asyncio.create_task(contender.contend())
    try:
        await until(lambda: contender.held)
        upstream.dead = upstream.peers[-1]
        await until(lambda: cut_off > 0, seconds=5)
        assert contender.held
        before = renewed
        await until(lambda: renewed > before + 1, seconds=5)
        clock.advance(lost)
        assert contender.held, "it was renewed in time"
        assert cut_off == 1
        assert len(set(upstream.peers)) == 2, "the one that was cut off is not used again"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (400, b"<html><h1>400 Bad request</h1></html>", False),
        (403, b"<html>blocked</html>", False),
        (413, b"", False),
        (431, b"431 Request Header Fields Too Large", False),
        (400, b'{"message": "invalid request"}', False),
        (400, b'{"kind": "Status", "reason": "BadRequest", "message": "no"}', True),
        (403, b'{"kind": "Status", "reason": "Forbidden", "message": "no"}', True),
        (400, b'{"kind": "Status", "message": "admission webhook \\"a.b\\" denied the request: no"}', True),
    ],
)
async def test_only_the_api_server_or_a_webhook_refuses(
    upstream: Upstream, api: KubernetesApi, status: int, body: bytes, *, refused: bool
) -> None:
    upstream.answer = {"status": status, "body": body}
    with pytest.raises(KubeError) as raised:
        await api.create_pod({"kind": "Pod", "metadata": {"namespace": "meetings", "name": "standup"}})
    assert raised.value.refused is refused


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        ({"status": 404, "text": "404 page not found"}, False),
        ({"status": 404, "body": b'{"kind": "Status", "reason": "NotFound", "code": 404}'}, True),
    ],
    ids=["a kind that is not served, or a proxy", "the API server"],
)
async def test_only_the_api_servers_word_says_that_something_is_gone(
    upstream: Upstream, api: KubernetesApi, answer: dict[str, Any], gone: bool
) -> None:
    upstream.answer = answer
    with pytest.raises(KubeError) as raised:
        await api.get_session("meetings", "standup")
    assert raised.value.not_found is gone


async def test_an_events_note_is_cut_to_the_bytes_that_the_api_server_takes(
    upstream: Upstream, api: KubernetesApi
) -> None:
    upstream.answer = {"body": b"{}"}
    regarding = {"namespace": "meetings", "name": "standup", "uid": "7"}
    await api.create_event(regarding, "Normal", "Deleted", "ü" * 1000, ManualClock().now())
    note = json.loads(upstream.bodies[-1])["note"]
    assert note == "ü" * 512


async def test_a_rotated_token_is_read_although_the_calendar_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, authority, up = tmp_path / "token", tmp_path / "ca.crt", 1000.0
    token.write_text("first")
    authority.write_text("a certificate")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setattr(subject, "_boottime", lambda: up, raising=False)
    settings = await configuration(None)

    async def sent() -> str:
        return str((await settings.auth_settings())["BearerToken"]["value"])

    assert await sent() == "bearer first"
    back = datetime.datetime.now() - datetime.timedelta(hours=3)
    fake = Mock(datetime=Mock(now=lambda: back), timedelta=datetime.timedelta)
    monkeypatch.setattr(incluster_config, "datetime", fake)
    token.write_text("second")
    assert await sent() == "bearer first", "a file is not read for each request"
    up += 61
    assert await sent() == "bearer second"
    token.unlink()
    up += 61
    assert await sent() == "bearer second"
    token.write_text("third")
    up += 61
    assert await sent() == "bearer third"
