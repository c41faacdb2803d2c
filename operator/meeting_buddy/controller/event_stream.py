"""Server-sent events of one bot, over a connection that costs little: a thousand bots are followed at the same time.

asyncio's connection and httptools' parser keep 5 KB for a stream; aiohttp's client keeps 13.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, cast

import httptools

from meeting_buddy.contract.report import MAX_REPORT_BYTES

CONNECT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 30.0
"""A stream that says nothing for so long is over: a dead network does not close connections."""
MAX_EVENT_CHARACTERS: Final = 2 * MAX_REPORT_BYTES
"""Of an event's lines together; a line has no more, either."""
_MAX_UNREAD_BYTES: Final = 16 * 1024
"""Longest head of an answer; the parser keeps what is not complete."""


class BotUnreachableError(Exception):
    """The bot did not answer as its contract says."""


async def read_events(ip: str, port: int, path: str, token: str, take: Callable[[str], None]) -> None:
    """Take in the data of each event until the server ends the stream.

    Args:
        ip: address of the server, IPv4 or IPv6.
        port: of the server.
        path: of the stream.
        token: bearer token.
        take: told of each event; what it raises ends the stream and passes through.

    Raises:
        BotUnreachableError: no stream, one that is silent, or an event that is too long.
        OSError: no connection, or it broke.
    """
    host = f"[{ip}]" if ":" in ip else ip
    head = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {token}",
        "Accept: text/event-stream",
        "\r\n",
    )
    loop = asyncio.get_running_loop()
    stream = _EventStream(loop, take)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport, _ = await loop.create_connection(lambda: stream, ip, port)
        transport.write("\r\n".join(head).encode())
        del head, transport  # a thousand streams wait for long, and keep nothing that they do not need
        await stream.ended
    finally:
        stream.close()
    if stream.error is not None:
        raise stream.error


class _EventStream(asyncio.Protocol):
    """One answer; ``ended`` is done once nothing more is taken."""

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[str], None]) -> None:
        self._loop = loop
        self._take = take
        self.ended: asyncio.Future[None] = loop.create_future()
        self.error: Exception | None = None
        """Why it ended; ``None``: the server ended it."""
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        """While there is a connection; each knows the other."""
        self._complete = False
        self._unread = 0
        """Bytes since the body last grew."""
        self._rest = b""
        """Of the body: what is no whole line yet."""
        self._data: list[str] = []
        self._size = 0
        self._heard_at = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def close(self, error: Exception | None = None) -> None:
        """Take nothing more."""
        if self._parser is None:
            return
        self._parser = None
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        self.error = error
        if not self.ended.done():  # it is, where the one who waits for it was cancelled
            self.ended.set_result(None)

    def _look(self) -> None:
        left = self._heard_at + SILENCE_SECONDS - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self.close(BotUnreachableError("silent"))

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From here on silence counts; whoever opens the stream sends the request."""
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """What came before it was taken."""
        self.close(exc)

    def data_received(self, data: bytes) -> None:
        """More of the answer came: take the events that are whole by now."""
        if self._parser is None or self.ended.done():  # also where whoever waits for it is being cancelled
            return
        self._heard_at = self._loop.time()
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
            self._take_events()
            if self._complete:
                self.close()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close(BotUnreachableError("not HTTP"))
        except Exception as error:
            self.close(error)
        if self._unread > _MAX_UNREAD_BYTES:
            self.close(BotUnreachableError("the answer's head is too long"))

    # Called by the parser, which makes errors of its own out of what is raised here

    def on_headers_complete(self) -> None:
        """No other status has events, and a redirect is not followed."""
        status = self._parser.get_status_code() if self._parser is not None else 0
        if status != HTTPStatus.OK:
            self.close(BotUnreachableError(f"status {status}"))

    def on_body(self, body: bytes) -> None:
        """The body grows."""
        self._unread = 0
        self._rest += body

    def on_message_complete(self) -> None:
        """The server ended the stream."""
        self._complete = True

    # Events

    def _take_events(self) -> None:
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            self._size += len(text)
            if self._size > MAX_EVENT_CHARACTERS:
                raise BotUnreachableError("an event is too long")
            if text.startswith("data:"):
                self._data.append(text[5:].removeprefix(" "))
            elif not text:
                event, self._data, self._size = "\n".join(self._data), [], 0
                if event and not self.ended.done():
                    self._take(event)
        if len(self._rest) > MAX_EVENT_CHARACTERS:
            raise BotUnreachableError("a line is too long")
