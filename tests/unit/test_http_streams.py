"""Streams of the HTTP API: where they run, and what they keep while they wait."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Any

from meeting_buddy.http_api.gate import Gate
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.streams import EventStream, StreamLimits, Streams

SCOPE = {"type": "http", "path": "/v1/x", "query_string": b"", "headers": [(b"authorization", b"Bearer a")]}


class Kept:
    """What a route needs until it has answered."""


async def test_a_stream_runs_when_its_route_has_returned_and_is_free_again() -> None:
    sent: list[dict[str, Any]] = []
    kept: weakref.ref[Kept] | None = None
    closed: list[bool] = []
    requested = False

    async def parts() -> AsyncGenerator[bytes, None]:
        gc.collect()
        assert kept is not None
        assert kept() is None, "the route is over"
        yield b"data: a\n\n"

    async def route(scope: Any, receive: Any, send: Any) -> None:
        nonlocal kept
        needed = Kept()
        kept, scope["fastapi_inner_astack"] = weakref.ref(needed), needed
        streams = Streams(asyncio.Event(), StreamLimits(), Metrics())
        held = ExitStack()
        held.callback(closed.append, True)
        answer = EventStream(parts(), streams, operation="followSession", held=held)
        await answer(scope, receive, send)
        assert not sent

    async def receive() -> dict[str, Any]:
        nonlocal requested
        if requested:
            await asyncio.Event().wait()  # the client stays
        requested = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await Gate(route)(dict(SCOPE), receive, send)
    assert b"".join(each.get("body", b"") for each in sent) == b"retry: 1000\n\ndata: a\n\nevent: end\ndata: {}\n\n"
    assert (b"cache-control", b"no-store") in sent[0]["headers"]
    assert closed == [True]
