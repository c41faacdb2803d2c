"""Streams of the HTTP API: where they run, and what they keep while they wait."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import weakref
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Any

import pytest

from meeting_buddy.http_api.gate import Gate
from meeting_buddy.http_api.limits import Limits
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.streams import Download, EventStream, Stream, StreamLimits, Streams
from tests.support.awaiting import until
from tests.support.http_server import running

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


CANARY = "canary-7f3a"


class Caller:
    """Takes a stream, until it goes."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.streams = Streams(asyncio.Event(), StreamLimits(send_seconds=0.2), self.metrics)
        self.gone = asyncio.Event()
        self.taken = b""
        self.takes = True

    async def take(self, kind: type[Stream], parts: AsyncGenerator[bytes, None]) -> None:
        """To the stream's end."""
        with ExitStack() as held:
            stream = kind(parts, self.streams, operation="follow", held=held)
        await stream({"type": "http"}, self._receive, self._send)

    def ends(self) -> dict[str, float]:
        """Why streams ended, and how many."""
        [family] = [each for each in self.metrics.registry.collect() if each.name == "meetingbuddy_http_stream_ends"]
        return {each.labels["reason"]: each.value for each in family.samples if each.name.endswith("_total")}

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.taken += message.get("body", b"")
        if not self.takes and "body" in message:
            await asyncio.Event().wait()


async def failing(error: Exception) -> AsyncGenerator[bytes, None]:
    yield b"data: a\n\n"
    raise error


async def endless() -> AsyncGenerator[bytes, None]:
    yield b"data: a\n\n"
    await asyncio.Event().wait()


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), TimeoutError(errno.ETIMEDOUT, "late")])
async def test_a_source_that_cannot_be_read_is_told_to_client_log_and_metric(
    error: OSError, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller()
    await caller.take(EventStream, failing(error))
    assert caller.taken.endswith(b"data: a\n\n: this stream broke, come again\n\n")
    await caller.take(Download, failing(error))
    assert caller.ends() == {"broken": 2}
    logged = [vars(each) for each in caplog.records]
    assert [(each["error"], each["cause"], each["operation"]) for each in logged] == [
        (type(error).__name__, error.strerror, "follow")
    ] * 2


@pytest.mark.parametrize("kind", [EventStream, Download])
async def test_a_fault_in_a_source_is_no_clients(kind: type[Stream]) -> None:
    caller = Caller()
    with pytest.raises(KeyError):
        await caller.take(kind, failing(KeyError(CANARY)))
    assert caller.ends() == {"fault": 1}


@pytest.mark.parametrize("kind", [EventStream, Download])
async def test_a_client_that_goes_is_counted_as_one(kind: type[Stream]) -> None:
    caller = Caller()
    taking = asyncio.create_task(caller.take(kind, endless()))
    await until(lambda: b"data: a" in caller.taken)
    caller.gone.set()
    await taking
    assert caller.ends() == {"client": 1}


async def test_a_client_that_does_not_take_a_part_is_slow() -> None:
    caller = Caller()
    caller.takes = False
    await caller.take(EventStream, endless())
    assert caller.ends() == {"slow": 1}


async def test_a_download_that_is_cancelled_because_the_process_ends_is_counted_so() -> None:
    caller = Caller()
    taking = asyncio.create_task(caller.take(Download, endless()))
    await until(lambda: b"data: a" in caller.taken)
    caller.streams.ending.set()
    await asyncio.sleep(0.05)
    assert not taking.done()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert caller.ends() == {"ending": 1}


async def test_a_client_that_the_server_cuts_since_it_takes_nothing_is_slow() -> None:
    caller = Caller()

    async def parts() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"data: " + json.dumps("x" * 100_000).encode() + b"\n\n"

    async def route(scope: Any, receive: Any, send: Any) -> None:
        with ExitStack() as held:
            stream = EventStream(
                parts(), Streams(asyncio.Event(), StreamLimits(), caller.metrics), operation="follow", held=held
            )
        await stream(scope, receive, send)

    async with running(Gate(route), Limits(send_seconds=0.5)) as server:
        client = await server.connect()
        client.writer.write(b"GET /v1/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\n\r\n")
        await until(lambda: server.counted("connections_refused_total", reason="send_timeout") == 1, 60)
        await until(lambda: bool(caller.ends()), 60)
        client.writer.transport.abort()
    assert caller.ends() == {"slow": 1}
