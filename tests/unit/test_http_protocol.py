"""Raw sockets against the HTTP API's server: the table of the reference's §3.1, and what follows from it.

Deadlines are short here; a test that waits for one waits for the connection's end.
"""

from __future__ import annotations

import asyncio
import socket
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest

from meeting_buddy.http_api import protocol
from meeting_buddy.http_api.limits import Limits
from meeting_buddy.http_api.problems import Problem
from tests.support.awaiting import until
from tests.support.http_server import HOST, Client, Echo, Running, count_answers, first_status, read_answer, running

SHORT = Limits(head_seconds=0.4, body_seconds=0.4, idle_seconds=1, graceful_seconds=1)
IDLE = Limits(idle_seconds=1, graceful_seconds=1)
"""For tests that wait for the end of a connection, and for no deadline."""
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /read HTTP/1.1\r\nHost: h\r\n"


async def trickle(client: Client, data: bytes, pause: float) -> None:
    """One byte at a time, until the server closes."""
    for byte in data:
        client.writer.write(bytes((byte,)))
        await asyncio.sleep(pause)


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ", 408),
        (b"\r\n", 408),
    ],
    ids=["silent", "half a head", "blank lines"],
)
async def test_a_connection_whose_head_does_not_come_is_closed_at_the_deadline(start: bytes, status: int) -> None:
    app = Echo()
    async with running(app, SHORT) as server:
        begin = time.monotonic()
        assert await (await server.connect()).ask(start) == status
        assert 0.3 < time.monotonic() - begin < 20
        assert server.counted("connections_refused_total", reason="head_timeout") == 1
    assert not app.scopes


@pytest.mark.parametrize("start", [GET[:20], POST + b"Content-Length: 9\r\n\r\nabc"], ids=["head", "body"])
async def test_the_answer_to_a_request_that_does_not_come_is_a_problem(start: bytes) -> None:
    async with running(Echo(), SHORT) as server:
        answer = read_answer(await _answered(await server.connect(), start))
    problem = Problem.model_validate_json(answer.read())
    assert (problem.status, answer.status) == (408, 408)


async def test_an_empty_line_behind_a_request_does_not_end_its_answer() -> None:
    async def stream(scope: object, receive: object, send: object) -> None:
        assert callable(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await asyncio.sleep(3 * SHORT.head_seconds)
        await send({"type": "http.response.body", "body": b"done"})

    async with running(stream, SHORT) as server:
        client = await server.connect()
        client.writer.write(GET)
        await client.reader.readuntil(b"begun")
        client.writer.write(b"\r\n")
        assert b"done" in await client.rest()
        assert server.counted("connections_refused_total", reason="head_timeout") == 0


async def test_empty_lines_keep_no_idle_connection_and_are_not_endless() -> None:
    async with running(Echo(), SHORT) as server:
        client = await server.connect()
        client.writer.write(GET)
        await client.reader.readuntil(b"ok\n")
        lines = asyncio.create_task(trickle(client, b"\r\n" * 1000, 0.1))
        try:
            assert await client.rest(10) == b"", "closed when idle, as any other"
        finally:
            lines.cancel()
        flood = await server.connect()
        flood.writer.write(GET)
        await flood.reader.readuntil(b"ok\n")
        flood.writer.write(b"\r\n" * SHORT.head_bytes)
        assert first_status(await flood.rest()) in (431, None), "None: the reset came before the answer was read"
        assert server.counted("connections_refused_total", reason="head_size") == 1


async def test_bytes_that_trickle_do_not_extend_the_deadline_of_a_head() -> None:
    async with running(Echo(), SHORT) as server:
        client = await server.connect()
        slow = asyncio.create_task(trickle(client, GET.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 1000), 0.05))
        try:
            assert first_status(await client.rest()) == 408, "long before the minute that all bytes take"
        finally:
            slow.cancel()


async def test_a_kept_connection_has_the_same_deadline_for_its_next_head_and_a_longer_one_when_it_says_nothing() -> (
    None
):
    async with running(Echo(), SHORT) as server:
        client, begin = await server.connect(), time.monotonic()
        assert count_answers(await _asked(client, GET, GET[:10])) == 2, "200, then 408"
        idle = await server.connect()
        assert count_answers(await _asked(idle, GET)) == 1
        assert time.monotonic() - begin > SHORT.idle_seconds


async def _asked(client: Client, *requests: bytes) -> bytes:
    found = b""
    for request in requests:
        client.writer.write(request)
        if request.endswith(b"\r\n\r\n"):
            found += await client.reader.readuntil(b"ok\n")
    return found + await client.rest()


async def test_a_body_that_does_not_come_is_closed_at_the_deadline() -> None:
    app = Echo()
    async with running(app, SHORT) as server:
        assert await (await server.connect()).ask(POST + b"Content-Length: 9\r\n\r\nabc") == 408
        assert server.counted("connections_refused_total", reason="body_timeout") == 1
    assert not app.bodies


async def test_a_request_that_was_answered_before_its_body_came_leaves_no_connection_behind() -> None:
    async with running(Echo(), SHORT) as server:
        client = await server.connect()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")
        await client.reader.readuntil(b"ok\n")
        client.writer.write(b"abc")
        assert await client.rest() == b"", "closed when idle, as any other"


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"abc", "body_timeout"), (b"a" * (SHORT.body_bytes + 1000), "body_size"), (b"zz\r\n", "malformed")],
)
async def test_no_request_is_answered_twice(body: bytes, reason: str) -> None:
    length = b"Transfer-Encoding: chunked" if reason == "malformed" else b"Content-Length: 9999999"
    async with running(Echo(), SHORT) as server:
        client = await server.connect()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\n" + length + b"\r\n\r\n")
        await client.reader.readuntil(b"ok\n")
        client.writer.write(body)
        assert await client.rest() == b"", "it was answered before its body came"
        assert server.counted("connections_refused_total", reason=reason) == 1


@pytest.mark.parametrize(
    ("request_bytes", "kind"),
    [
        (b"nonsense\r\n\r\n", "bad-request"),
        (GET[:20], "request-timeout"),
        (b"GET /?" + b"a" * 7000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", "query-too-long"),
    ],
)
async def test_what_is_refused_below_the_application_has_the_types_of_its_problems(
    request_bytes: bytes, kind: str
) -> None:
    async with running(Echo(), SHORT) as server:
        answer = read_answer(await _answered(await server.connect(), request_bytes))
    problem = Problem.model_validate_json(answer.read())
    assert (problem.type, problem.status) == (f"urn:meeting-buddy:problem:{kind}", answer.status)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (413, "body_size", "urn:meeting-buddy:problem:too-large"),
        (431, "head_size", "about:blank"),
        (503, "connections", "about:blank"),
    ],
)
def test_what_only_connections_have_is_no_type_of_ours(status: int, reason: str, kind: str) -> None:
    problem = Problem.model_validate_json(read_answer(protocol._answer(HTTPStatus(status), reason)).read())
    assert (problem.type, problem.status) == (kind, status)


@pytest.mark.parametrize("odd", [b"GET http://elsewhere HTTP/1.1\r\nHost: h\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_a_later_request_on_a_connection_is_refused_as_the_first(odd: bytes) -> None:
    async with running(Echo(), IDLE) as server:
        client = await server.connect()
        client.writer.write(GET)
        await client.reader.readuntil(b"ok\n")
        assert first_status(await _answered(client, odd)) == 400


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (GET, 200),
        (GET[:-2] + b"X: " + b"a" * 30_000 + b"\r\n\r\n", 200),
        (GET[:-2] + b"X: " + b"a" * 60_000 + b"\r\n\r\n", 431),
        (GET[:-2] + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET /?" + b"a" * 7000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (POST + b"Content-Length: 3\r\n\r\nabc", 200),
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (POST + b"Content-Length: +3\r\n\r\nabc", 400),
        (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"TE : chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET http://elsewhere HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
async def test_what_is_odd_is_refused_before_the_application_sees_it(request_bytes: bytes, status: int) -> None:
    app = Echo()
    async with running(app, IDLE) as server:
        answers = await _answered(await server.connect(), request_bytes)
    assert (first_status(answers), count_answers(answers)) == (status, 1)
    if status != 200:
        answer = read_answer(answers)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Connection"] == "close"
        assert Problem.model_validate_json(answer.read()).status == status
        assert not app.bodies


async def _answered(client: Client, request: bytes) -> bytes:
    client.writer.write(request)
    return await client.rest()


async def test_a_head_of_two_megabytes_is_cut_and_never_held() -> None:
    async with running(Echo(), IDLE) as server:
        client = await server.connect()
        tracemalloc.start()
        try:
            client.writer.write(GET[:-2] + b"X: ")
            block = b"a" * 65536  # the same object each time, so that only the server's memory grows
            for _ in range(32):
                client.writer.write(block)
                await asyncio.sleep(0)
            assert first_status(await client.rest()) in (431, None), "None: the reset came before the answer was read"
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert server.counted("connections_refused_total", reason="head_size") == 1
        print(f"peak {peak / 1e6:.1f} MB, of which 2 MB are the client's")
        assert peak < 6e6


async def test_a_trailer_is_bounded_and_adds_no_header() -> None:
    app = Echo()
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    async with running(app, IDLE) as server:
        client = await server.connect()
        client.writer.write(chunked + b"Authorization: Bearer x\r\n\r\n")
        await client.reader.readuntil(b"ok\n")
        assert b"authorization" not in dict(app.scopes[0]["headers"])
        long = await server.connect()
        long.writer.write(chunked + b"X: ")
        for _ in range(10):
            long.writer.write(b"a" * 65536)
        assert first_status(await long.rest()) in (413, None)
        assert server.counted("connections_refused_total", reason="body_size") == 1
        client.writer.close()


async def test_the_application_sees_both_of_two_authorization_headers() -> None:
    app = Echo()
    async with running(app, IDLE) as server:
        await (await server.connect()).ask(GET[:-2] + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n")
    values = [value for name, value in app.scopes[0]["headers"] if name == b"authorization"]
    assert values == [b"Bearer a", b"Bearer b"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET http://elsewhere/v1/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a/../@b?c#d\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: \r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-Prefix: /y\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + GET,
    ],
)
async def test_host_target_and_proxy_headers_change_neither_path_nor_peer(request_bytes: bytes) -> None:
    app = Echo()
    async with running(app, IDLE) as server:
        assert await (await server.connect()).ask(request_bytes) == 200
    [scope] = app.scopes
    assert (scope["path"], scope["root_path"], scope["client"][0]) == ("/v1/x", "", HOST)


async def test_requests_may_follow_each_other_at_once_but_not_too_many() -> None:
    app = Echo()
    async with running(app, IDLE) as server:
        assert count_answers(await _answered(await server.connect(), GET * 3)) == 3
        app.scopes.clear()
        await _answered(await server.connect(), GET * 500)
        assert server.counted("connections_refused_total", reason="pipelining") == 1
    assert len(app.scopes) <= IDLE.pipelined + 1


@pytest.mark.parametrize("behind", [GET, GET * 20], ids=["one", "too many"])
async def test_a_request_under_way_is_told_that_its_client_is_gone_although_others_wait_behind_it(
    behind: bytes,
) -> None:
    told = asyncio.Event()

    async def endless(scope: object, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        told.set()

    async with running(endless, IDLE) as server:
        client = await server.connect()
        client.writer.write(GET)
        await client.reader.readuntil(b"begun")
        client.writer.write(behind)
        client.writer.close()
        async with asyncio.timeout(20):
            await told.wait()


async def test_further_connections_than_allowed_are_answered_503_and_those_before_live_on() -> None:
    async with running(Echo(), Limits(connections=2)) as server:
        first = await server.connect()
        first.writer.write(GET)
        await first.reader.readuntil(b"ok\n")
        second = await server.connect()
        second.writer.write(GET)
        await second.reader.readuntil(b"ok\n")
        answer = read_answer(await (await server.connect()).rest())
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert Problem.model_validate_json(answer.read()).status == 503
        first.writer.write(GET)
        await first.reader.readuntil(b"ok\n")
        first.writer.close()
        second.writer.close()


async def test_a_client_that_does_not_read_is_cut_and_one_that_reads_slowly_is_not() -> None:
    async def endless(scope: object, receive: object, send: object) -> None:
        assert callable(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(60):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with running(endless, replace(IDLE, send_seconds=1)) as server:
        with _narrow(server) as deaf:
            deaf.sendall(GET)
            await until(lambda: server.counted("connections_refused_total", reason="send_timeout") == 1)
        with _narrow(server) as slow:
            slow.sendall(GET)
            received, loop, begin = 0, asyncio.get_running_loop(), time.monotonic()
            slow.setblocking(False)
            while part := await loop.sock_recv(slow, 1 << 20):
                received += len(part)
                if time.monotonic() - begin < 2:
                    await asyncio.sleep(0.05)  # slower than the deadline for all that waits
                if part.endswith(b"0\r\n\r\n"):
                    break
            assert received > 60 * 65536
        assert server.counted("connections_refused_total", reason="send_timeout") == 1


def _narrow(server: Running) -> socket.socket:
    """A client with a small receive buffer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.connect((HOST, server.port))
    return client


async def test_the_health_page_answers_while_500_requests_are_half_said() -> None:
    async with running(Echo(), Limits(head_seconds=120)) as server:
        half = [await server.connect() for _ in range(500)]
        for client in half:
            client.writer.write(GET[:20])
        await until(lambda: server.counted("connections") == 500)
        async with aiohttp.ClientSession() as session:
            seconds = []
            for _ in range(20):
                begin = time.monotonic()
                async with session.get(f"http://{HOST}:{server.health_port}/healthz") as answer:
                    assert answer.status == 200
                seconds.append(time.monotonic() - begin)
        ordered = sorted(seconds)
        print(f"/healthz beside 500 half requests: median {ordered[10] * 1e3:.1f} ms, most {ordered[-1] * 1e3:.1f} ms")
        assert ordered[10] < 1
        assert await _ok(server)
        for client in half:
            client.writer.close()


async def _ok(server: Running) -> bool:
    client = await server.connect()
    client.writer.write(GET)
    await client.reader.readuntil(b"ok\n")
    client.writer.close()
    return True
