"""Report servers of bots that are only a script: one event loop, one loopback address for each bot, no bot.

They say what they are told to say, on the port that bots have. The document is of the size that a real one has.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from meeting_buddy.contract.identity import session_id
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.report import PORT, PeopleReport, PersonReport, RecordingReport, Report, report_json

SILENCE_SECONDS = 15.0
"""Between two comments on a stream that has nothing to tell, as bots do it."""
_PEOPLE = 5
_BLOCKS = range(64, 127)
_LAST_PARTS = 250
"""Of an address's last part, 1 to 250."""
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class ScriptedBot:
    """One bot's report server at an address of its own."""

    def __init__(self, address: str, uid: str) -> None:
        self.address = address
        now = datetime.now(UTC)
        people = tuple(PersonReport(name=f"Person {number}", joined_at=now) for number in range(_PEOPLE))
        report = Report(
            revision=1,
            session_id=session_id(uid),
            attempt=1,
            time=now,
            phase=ReportPhase.JOINING,
            people=PeopleReport(current=people, present=_PEOPLE, seen=_PEOPLE),
            recording=RecordingReport(audio_files=1, video_files=1),
        )
        self.document: dict[str, Any] = json.loads(report_json(report))
        self._followers: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self.address, PORT)

    def stop(self) -> None:
        """Close the port and all streams."""
        if self._server is not None:
            self._server.close()
        for each in tuple(self._followers):
            each.abort()

    def say(self, **fields: Any) -> dict[str, Any]:
        """Report this from now on, to those who follow at once; returns the whole document."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self.document = {**self.document, **fields, "revision": self.document["revision"] + 1, "time": now}
        event = self._event()
        for each in self._followers:
            each.write(event)
        return self.document

    def comment(self) -> None:
        """Say that it is still here."""
        for each in self._followers:
            each.write(_chunk(b": still here\n\n"))

    def answer(self, request: bytes, transport: asyncio.Transport) -> None:
        """Answer a whole request."""
        if request.startswith(b"GET /v1/events "):
            self._followers.add(transport)
            transport.write(_HEAD + self._event())
            return
        body = json.dumps(self.document).encode() if request.startswith(b"GET /v1/report ") else b""
        status = b"200 OK" if body else b"202 Accepted"
        transport.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    def hang_up(self, transport: asyncio.Transport) -> None:
        """Its caller is gone."""
        self._followers.discard(transport)

    def _event(self) -> bytes:
        document = self.document
        return _chunk(f"id: {document['revision']}\nevent: report\ndata: {json.dumps(document)}\n\n".encode())


class _Connection(asyncio.Protocol):
    def __init__(self, bot: ScriptedBot) -> None:
        self._bot = bot
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while b"\r\n\r\n" in self._received:  # no request that bots are sent has a body
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            self._bot.answer(request, self._transport)

    def connection_lost(self, _: Exception | None) -> None:
        assert self._transport is not None
        self._bot.hang_up(self._transport)


class ScriptedBots:
    """All bots of a run, in a block of loopback addresses that nobody else has."""

    def __init__(self) -> None:
        self._lock, self._block = _free_block()
        self._bots: list[ScriptedBot] = []
        self._timer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ScriptedBots:
        self._timer = asyncio.create_task(self._comment())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._timer is not None
        self._timer.cancel()
        with suppress(asyncio.CancelledError):
            await self._timer
        for each in self._bots:
            each.stop()
        self._lock.close()

    async def start(self, uid: str) -> ScriptedBot:
        """The bot of a session."""
        number = len(self._bots)
        address = f"127.{self._block}.{number // _LAST_PARTS}.{number % _LAST_PARTS + 1}"
        bot = ScriptedBot(address, uid)
        self._bots.append(bot)
        await bot.start()
        return bot

    async def _comment(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_SECONDS)
            for each in self._bots:
                each.comment()


def _free_block() -> tuple[socket.socket, int]:
    """A block 127.N.0.0/16, and what keeps others from it: a port of its last address."""
    for block in _BLOCKS:
        with suppress(OSError):
            return socket.create_server((f"127.{block}.255.254", PORT)), block
    raise RuntimeError("no block of loopback addresses is free for scripted bots")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
