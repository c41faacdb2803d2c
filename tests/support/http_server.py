"""The HTTP API's server around a small application, in this process, and raw sockets to it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any

from meeting_buddy.http_api.limits import Limits
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.server import serve
from meeting_buddy.http_api.settings import Settings
from tests.support.machine_wide import free_port

HOST = "127.0.0.1"
SETTINGS = Settings(
    host=HOST,
    port=0,
    health_port=0,
    tls_certificate=None,
    tls_key=None,
    plain=True,
    api_server="http://127.0.0.1:1",
    ca_file=None,
    default_namespace="",
    read_key=Path("unused"),
    readers="http://unused",
    installation=Path("unused"),
    tables=(),
    created_by_policy=True,
    watched_namespaces=frozenset(),
    log_level="INFO",
)


@dataclass
class Echo:
    """An application that notes what it was asked, reads the body where `/read` is asked, and answers 200."""

    scopes: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        """One request."""
        self.scopes.append(scope)
        if scope["path"] == "/read":
            body, more = b"", True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body, more = body + message["body"], message["more_body"]
            self.bodies.append(body)
        length = (b"content-length", b"3")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"ok\n"})


@dataclass
class Running:
    """A server that runs."""

    port: int
    health_port: int
    metrics: Metrics
    ending: asyncio.Event
    task: asyncio.Task[None]

    async def connect(self, tls: ssl.SSLContext | None = None) -> Client:
        """A new connection, of its own buffers."""
        name = "localhost" if tls else None
        return Client(*await asyncio.open_connection(HOST, self.port, ssl=tls, server_hostname=name))

    def counted(self, name: str, **labels: str) -> float:
        """A sample's value; 0 before it is first counted."""
        return self.metrics.registry.get_sample_value(f"meetingbuddy_http_{name}", labels) or 0.0


@dataclass
class Client:
    """One raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes) -> int | None:
        """Send this and read to the end of the connection; the first answer's status, None for none."""
        self.writer.write(request)
        return first_status(await self.rest())

    async def rest(self, seconds: float = 20.0) -> bytes:
        """What comes until the server closes; a reset ends it too. Raises `TimeoutError`: it stays open."""
        found = bytearray()
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionError):
                while part := await self.reader.read(65536):
                    found += part
        self.writer.close()
        return bytes(found)


def first_status(answers: bytes) -> int | None:
    """Status of the first answer."""
    return int(answers.split(b" ", 2)[1]) if answers else None


def count_answers(answers: bytes) -> int:
    """How many answers these bytes hold."""
    return answers.count(b"HTTP/1.1 ")


def read_answer(answer: bytes) -> HTTPResponse:
    """The standard library's reading of an answer."""

    class Source:
        def makefile(self, *_: Any) -> BytesIO:
            return BytesIO(answer)

    found = HTTPResponse(Source())  # type: ignore[arg-type]
    found.begin()
    return found


@asynccontextmanager
async def running(app: Any, limits: Limits | None = None, **settings: Any) -> AsyncIterator[Running]:
    """Serve for the block, on ports of its own."""
    read_again = settings.pop("read_again", 0.05)
    settings = {"port": free_port(), "health_port": free_port()} | settings
    found, metrics, ending = replace(SETTINGS, **settings), Metrics(), asyncio.Event()
    serving = serve(app, found, ending, metrics=metrics, limits=limits, read_again=read_again)
    task = asyncio.create_task(serving)
    try:
        while not (task.done() or await _listens(found.port)):  # noqa: ASYNC110 -- it is asked over the network
            await asyncio.sleep(0.01)
        if task.done():
            task.result()
        yield Running(found.port, found.health_port, metrics, ending, task)
    finally:
        ending.set()
        await task


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
