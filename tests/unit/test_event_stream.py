"""Reading server-sent events: where an answer is cut into pieces, and what is no stream of events."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meeting_buddy.controller import event_stream
from meeting_buddy.controller.event_stream import MAX_EVENT_CHARACTERS, BotUnreachableError, read_events

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CLOSED = HEAD + b"Connection: close\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Server:
    """Answers each connection with the same pieces, and then closes it, or keeps it."""

    def __init__(self, pieces: Sequence[bytes], *, ends: bool = True) -> None:
        self.pieces = pieces
        self.ends = ends
        self.request = b""
        self.closed = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = await reader.readuntil(b"\r\n\r\n")
        try:
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if self.ends:
                writer.close()
            await reader.read()
        except ConnectionError:
            pass
        self.closed.set()
        writer.close()


@asynccontextmanager
async def serving(server: Server, host: str = "127.0.0.1") -> AsyncIterator[int]:
    listening = await asyncio.start_server(server.answer, host, 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def heard(server: Server, host: str = "127.0.0.1") -> list[str]:
    """The events that a server's answer has."""
    found: list[str] = []
    async with serving(server, host) as port, asyncio.timeout(20):
        await read_events(host, port, "/v1/events", "token", found.append)
    return found


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def test_who_asks_for_what() -> None:
    server = Server((CLOSED,))
    await heard(server)
    assert server.request.startswith(b"GET /v1/events HTTP/1.1\r\n")
    assert re.search(rb"\r\nHost: 127\.0\.0\.1:\d+\r\n", server.request)
    assert b"\r\nAuthorization: Bearer token\r\n" in server.request
    server = Server((CLOSED + b"data: six\n\n",))
    assert await heard(server, "::1") == ["six"]
    assert b"\r\nHost: [::1]:" in server.request


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("form", [CLOSED, CHUNKED], ids=["until it is closed", "in chunks"])
async def test_events_are_whole_however_they_are_cut(form: bytes, size: int) -> None:
    lines = (
        ": hello",
        "",
        'data: {"name": "Zoë 🎧"}\r',
        "\r",
        "data:one",
        "data: two",
        "id: 7",
        "",
        "",
        "",
        "data: last",
    )
    body = "\n".join((*lines, "", "data: not whole")).encode()
    parts = [body[at : at + 5] for at in range(0, len(body), 5)]
    text = form + (body if form is CLOSED else b"".join(map(chunk, parts)) + b"0\r\n\r\n")
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert await heard(Server(pieces)) == ['{"name": "Zoë 🎧"}', "one\ntwo", "last"]


async def test_bytes_that_are_no_text_are_still_an_event() -> None:
    assert await heard(Server((CLOSED + b"data: \xff\xfe\n\n",))) == ["��"]


@pytest.mark.parametrize("form", [CLOSED, CHUNKED], ids=["until it is closed", "in chunks"])
async def test_a_stream_may_go_on_for_ever(form: bytes) -> None:
    events = [b"data: %d %s\n\n" % (number, b"x" * 1000) for number in range(100)]
    pieces = events if form is CLOSED else [chunk(event) for event in events]
    found = await heard(Server((form, *pieces)))
    assert [int(each.split()[0]) for each in found] == list(range(100))


async def test_the_servers_last_chunk_ends_it() -> None:
    server = Server((CHUNKED + chunk(b"data: one\n\n") + b"0\r\n\r\n",), ends=False)
    assert await heard(server) == ["one"]
    await asyncio.wait_for(server.closed.wait(), 20)


async def test_nothing_of_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[object]] = []
    init = event_stream._EventStream.__init__

    def remembered(stream: event_stream._EventStream, *args: Any) -> None:
        made.append(weakref.ref(stream))
        init(stream, *args)

    monkeypatch.setattr(event_stream._EventStream, "__init__", remembered)
    assert await heard(Server((CLOSED + b"data: one\n\n",))) == ["one"]
    with pytest.raises(OSError, match=r"refused|failed"):
        await read_events("127.0.0.1", 9, "/", "token", lambda _text: None)
    await asyncio.sleep(0)
    gc.collect()
    assert [each() for each in made] == [None, None]


NO_STREAMS = {
    "a status": (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\ndata: x\n\n", "status 503"),
    "elsewhere": (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n", "status 302"),
    "another protocol": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "status 101",
    ),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
    "a head without end": (HEAD + b"X-Long: " + b"x" * 200_000, "head is too long"),
    "a chunk's name without end": (CHUNKED + b"5;" + b"x" * 200_000, "head is too long"),
    "an event without end": (CLOSED + b"data: x\n" * MAX_EVENT_CHARACTERS, "event is too long"),
    "a line without end": (CLOSED + b"x" * 2 * MAX_EVENT_CHARACTERS, "line is too long"),
}


@pytest.mark.parametrize(("answer", "said"), NO_STREAMS.values(), ids=NO_STREAMS.keys())
async def test_what_is_no_stream_of_events_is_left(answer: bytes, said: str) -> None:
    server, taken = Server((answer,), ends=False), list[str]()
    async with serving(server) as port, asyncio.timeout(20):
        with pytest.raises(BotUnreachableError, match=said):
            await read_events("127.0.0.1", port, "/v1/events", "token", taken.append)
    assert taken == []
    await asyncio.wait_for(server.closed.wait(), 20)


async def test_one_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SILENCE_SECONDS", 0.3)
    server = Server((CLOSED, b"data: one\n\n"), ends=False)
    with pytest.raises(BotUnreachableError, match="silent"):
        await heard(server)
    await asyncio.wait_for(server.closed.wait(), 20)


async def test_one_that_speaks_from_time_to_time_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SILENCE_SECONDS", 2.0)
    began = asyncio.get_running_loop().time()

    class Slow(Server):
        async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(CLOSED)
            while asyncio.get_running_loop().time() < began + 3.0:
                writer.write(b": here\n\n")
                await asyncio.sleep(0.05)
            writer.write(b"data: at last\n\n")
            writer.close()

    assert await heard(Slow(())) == ["at last"]


async def test_what_taking_an_event_raises_ends_the_stream() -> None:
    def take(text: str) -> None:
        raise RuntimeError(text)

    server = Server((CLOSED + b"data: one\n\ndata: two\n\n",), ends=False)
    async with serving(server) as port, asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="one"):
            await read_events("127.0.0.1", port, "/v1/events", "token", take)
        await server.closed.wait()


async def test_whoever_stops_while_an_event_is_taken_takes_no_other() -> None:
    server, taken = Server((CLOSED + b"data: one\n\ndata: two\n\n",), ends=False), list[str]()

    def take(text: str) -> None:
        taken.append(text)
        reading.cancel()

    async with serving(server) as port, asyncio.timeout(20):
        reading = asyncio.create_task(read_events("127.0.0.1", port, "/", "token", take))
        await asyncio.gather(reading, return_exceptions=True)
        await server.closed.wait()
    assert taken == ["one"]


async def test_whoever_stops_reading_closes_the_connection() -> None:
    server, taken = Server((CLOSED + b"data: one\n\n",), ends=False), asyncio.Event()
    async with serving(server) as port, asyncio.timeout(20):
        reading = asyncio.create_task(read_events("127.0.0.1", port, "/", "token", lambda _text: taken.set()))
        await taken.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert reading.cancelled()
        await server.closed.wait()


async def test_nobody_there_is_an_error() -> None:
    with pytest.raises(OSError, match=r"refused|failed"):
        await read_events("127.0.0.1", 9, "/", "token", lambda _text: None)
