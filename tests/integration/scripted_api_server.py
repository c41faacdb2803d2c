"""Stands for an API server that misbehaves, one kind of call at a time: what a real one cannot be made to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.machine_wide import free_port

HOST = "127.0.0.1"
USER = "system:serviceaccount:team-a:caller"
UID = "11111111-2222-3333-4444-555555555555"
SESSION: dict[str, Any] = {
    "apiVersion": "meetingbuddy.io/v1alpha1",
    "kind": "MeetingSession",
    "metadata": {
        "name": "a",
        "namespace": "team-a",
        "uid": UID,
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-23T10:00:00Z",
        "generation": 1,
    },
    "spec": {"meetingLink": "https://teams.microsoft.com/l/meetup-join/abc123"},
    "status": {"phase": "Recording", "attempt": 1, "botAddress": "127.0.0.1"},
}
Fault = Callable[[web.Request], Any]
"""Answers, or says with ``None`` that the connection is to be cut."""


def answering(status: int = 200, body: Any = b"", **headers: str) -> Fault:
    """An answer of this kind; ``body``: bytes, or what becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=status, body=content, headers=named)


def saying(status: int, reason: str, message: str = "no", **headers: str) -> Fault:
    """A Status of Kubernetes."""
    return answering(status, {"kind": "Status", "code": status, "reason": reason, "message": message}, **headers)


async def silent(_: web.Request) -> Any:
    """Say nothing for longer than anybody waits."""
    await asyncio.sleep(600)


def cut(_: web.Request) -> Any:
    """Hang up without a word."""
    return None


async def torn(request: web.Request) -> Any:
    """Promise more than comes."""
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"metadata": ')
    return None


@dataclass
class ScriptedApiServer:
    """Knows one session and one user, to whom it allows everything; a kind of call can have a fault."""

    port: int = field(default_factory=free_port)
    faults: dict[str, Fault] = field(default_factory=dict)
    """Kind of call → what it gets instead."""
    seen: list[str] = field(default_factory=list)
    """Kinds of calls, in order."""
    queries: list[dict[str, str]] = field(default_factory=list)
    """Their parameters."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        kind = _kind(request)
        self.seen.append(kind)
        self.queries.append(dict(request.query))
        if kind not in self.faults:
            return await self._healthy(kind, request)
        found = self.faults[kind](request)
        answer: web.StreamResponse | None = await found if asyncio.iscoroutine(found) else found
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    async def _healthy(self, kind: str, request: web.Request) -> web.StreamResponse:
        if kind == "watch":
            answer = web.StreamResponse()
            await answer.prepare(request)
            await asyncio.sleep(600)
        documents = {
            "who": {"status": {"userInfo": {"username": USER}}},
            "may": {"status": {"allowed": True}},
            "list": {"metadata": {}, "items": [SESSION]},
            "delete": {"kind": "Status", "status": "Success"},
        }
        return web.json_response(documents.get(kind, SESSION))


def _kind(request: web.Request) -> str:
    if request.path.endswith("/selfsubjectreviews"):
        return "who"
    if request.path.endswith("/selfsubjectaccessreviews"):
        return "may"
    if not request.path.startswith("/apis/meetingbuddy.io/"):
        return "elsewhere"
    if request.method == "GET" and request.path.endswith("/meetingsessions"):
        return "watch" if "watch" in request.query else "list"
    return {"POST": "create", "PATCH": "patch"}.get(request.method, request.method.lower())


@asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedApiServer]:
    """It runs for the block."""
    server = ScriptedApiServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, server.port).start()
        yield server
    finally:
        await runner.cleanup()
