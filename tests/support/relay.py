"""A TCP relay before another server: cuts its connections, loses what they carry, has it away, while it goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.machine_wide import free_port

HOST = "127.0.0.1"


@dataclass
class Relay:
    """Passes on bytes, TLS or not."""

    target: int
    port: int = field(default_factory=free_port)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _silent: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    def stop(self) -> None:
        """Take no more, and cut those that are open."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Cut what is open; new connections are taken."""
        for each in list(self._open):
            each.transport.abort()

    def silence(self) -> None:
        """Lose what open connections carry from now on, and close none; new ones are taken and work."""
        self._silent |= self._open

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):  # cancelled when the test's loop ends
            their_reader, their_writer = await asyncio.open_connection(HOST, self.target)
            self._open |= {writer, their_writer}
            try:
                await asyncio.gather(self._pass(reader, their_writer), self._pass(their_reader, writer))
            finally:
                self._open -= {writer, their_writer}
                self._silent -= {writer, their_writer}
                their_writer.close()
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await reader.read(65536):
                if writer not in self._silent:
                    writer.write(part)
                    await writer.drain()
        writer.close()


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[tuple[Relay, str]]:
    """A relay before a server on loopback, and its URL."""
    found = urlsplit(url)
    assert found.port is not None
    relay = Relay(found.port)
    await relay.start()
    try:
        yield relay, f"{found.scheme}://{HOST}:{relay.port}"
    finally:
        relay.stop()
