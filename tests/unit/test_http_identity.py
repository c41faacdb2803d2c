"""One well-formed bearer token, and what of a request reaches Kubernetes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from meeting_buddy.http_api.gate import MAX_BODY, Gate
from meeting_buddy.http_api.identity import MAX_TOKEN, Caller, bearer, namespace_of
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.kube.caller import CallerApi
from meeting_buddy.kube.errors import KubeError
from tests.support.machine_wide import free_port

HEADER = b"Authorization"


@pytest.mark.parametrize("token", ["a", "a.b-c_d~e+f/g==", "x" * MAX_TOKEN])
def test_a_well_formed_token_passes_as_it_is(token: str) -> None:
    assert bearer([(b"accept", b"*/*"), (HEADER, f"Bearer {token}".encode())]) == Caller(token)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer  a"],
        [b" Bearer a"],
        [b"Bearer a "],
        [b"Bearer a b"],
        [b"Bearer a, Bearer b"],
        [b"bearer a"],
        [b"Basic YTpi"],
        [b"Bearer \xc3\xa4"],
        [b"Bearer a\n"],
        [b"Bearer =a"],
        [b"Bearer a", b"Bearer a"],
        [b"Bearer a", b"Basic YTpi"],
        [b"Bearer " + b"x" * (MAX_TOKEN + 1)],
    ],
)
def test_anything_else_is_401(values: list[bytes]) -> None:
    with pytest.raises(ProblemError) as error:
        bearer([(HEADER, each) for each in values])
    assert (error.value.status, error.value.headers) == (401, {"WWW-Authenticate": "Bearer"})


def test_a_caller_is_never_printed_with_its_token() -> None:
    assert "canary" not in repr(Caller("canary"))


@pytest.mark.parametrize(
    ("user", "namespace"),
    [
        ("system:serviceaccount:team-a:ci", "team-a"),
        ("jane@example.org", None),
        ("system:serviceaccount:a/../b:ci", None),
        ("system:serviceaccount:team-a:ci:more", None),
        ("oidc:system:serviceaccount:team-a:ci", None),
    ],
)
def test_service_accounts_have_a_namespace(user: str, namespace: str | None) -> None:
    assert namespace_of(user) == namespace


SESSION = b'{"metadata": {"name": "a", "namespace": "team-a", "uid": "uid", "resourceVersion": "1"}}'


class Upstream:
    """Stands for the API server and notes what it is sent."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.answer: dict[str, Any] = {"body": b'{"metadata": {}}'}

    async def answered(self, request: web.Request) -> web.Response:
        self.seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(**self.answer)


async def test_kubernetes_is_told_the_token_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    upstream, port = Upstream(), free_port()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", upstream.answered)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    api = CallerApi(f"http://127.0.0.1:{port}")
    try:
        upstream.answer = {"body": SESSION, "headers": {"Set-Cookie": "who=first"}}
        await api.get("first", "team-a", "a")
        await api.ask_to_leave("second", "team-a", "a", "uid")
        allowed = {"host", "authorization", "accept", "accept-encoding", "user-agent", "content-type", "content-length"}
        assert not set().union(*upstream.seen) - allowed
        assert [each["authorization"] for each in upstream.seen] == ["Bearer first", "Bearer second"]
        upstream.answer = {"status": 302, "headers": {"Location": "/elsewhere"}}
        with pytest.raises(KubeError) as error:
            await api.get("first", "team-a", "a")
        assert error.value.status == 302
        assert len(upstream.seen) == 3
        upstream.answer = {"body": b"<html>"}
        with pytest.raises(KubeError) as error:
            await api.get("first", "team-a", "a")
        assert error.value.status == 502
        upstream.answer = {"status": 429, "body": b"{}", "headers": {"Retry-After": "7"}}
        with pytest.raises(KubeError) as error:
            await api.get("first", "team-a", "a")
        assert (error.value.status, error.value.retry_after) == (429, 7.0)
    finally:
        await api.close()
        await runner.cleanup()


async def through_gate(path: str, *headers: tuple[bytes, bytes], body: list[dict[str, Any]], hang: bool = False) -> Any:
    """Status of the answer, and the body that the application behind the gate saw, if it was reached."""
    sent: list[Any] = []
    reached: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        if body:
            return {"type": "http.request", "body": b"", **body.pop(0)}
        if hang:
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "query_string": b"", "headers": list(headers)}
    await Gate(application, body_seconds=0.05)(scope, receive, send)
    return (sent[0]["status"] if sent else None), reached


TOKEN = (b"authorization", b"Bearer a")


async def test_the_gate_reads_bodies_whole_in_time_and_up_to_a_size() -> None:
    parts: list[dict[str, Any]] = [{"body": b"a", "more_body": True}, {"body": b"b"}]
    assert await through_gate("/v1/x", TOKEN, body=list(parts)) == (200, [b"ab"])
    assert await through_gate("/v1/x", body=list(parts)) == (401, [])
    assert await through_gate("/openapi.json", body=list(parts)) == (200, [b"a"])
    assert await through_gate("/v1/x", TOKEN, body=parts[:1], hang=True) == (408, [])
    assert await through_gate("/v1/x", TOKEN, body=parts[:1]) == (None, [])
    long = (b"content-length", str(MAX_BODY + 1).encode())
    assert await through_gate("/v1/x", TOKEN, long, body=[]) == (413, [])
    for odd in (b"0" * 5000, b"0" * 5000 + b"1", b"9" * 5000, b"+1", b""):
        assert await through_gate("/v1/x", TOKEN, (b"content-length", odd), body=[]) == (413, [])
    much: list[dict[str, Any]] = [{"body": b"x" * MAX_BODY, "more_body": True}, {"body": b"x"}]
    assert await through_gate("/v1/x", TOKEN, body=much) == (413, [])
