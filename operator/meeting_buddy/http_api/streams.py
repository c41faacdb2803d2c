"""Answers that go on for long: own responses, which end with the caller's right and cut clients that do not read."""

import asyncio
import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from meeting_buddy.contract.text import json_text
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.problems import PASSING, ProblemError
from meeting_buddy.http_api.upstream import BrokenError

STREAMS: Final = "streams"
"""Where in a request's state a list stands, a stream puts itself there and returns: whoever made the list runs it."""
SLOW: Final = "slow"
"""In a request's state, once its connection was cut because the client took nothing."""
_RETRY_MILLISECONDS: Final = 1000
_EVENT_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_log = logging.getLogger(__name__)


class _SlowError(Exception):
    """The client has not taken a part in time."""


@dataclass
class StreamLimits:
    """What streams may cost, and who has how many. One for the process."""

    per_user: int = 50
    in_all: int = 400
    """One that is not read holds up to 1 MB until it is cut, and the chart's memory limit is 512 MiB."""
    heartbeat_seconds: float = 15.0
    """Silence after which a comment is sent: ingresses close what is silent for a minute."""
    send_seconds: float = 60.0
    """For a client to take a part of what is sent, however slowly; one that takes nothing is cut earlier."""
    _open: Counter[str] = field(default_factory=Counter)

    def take(self, user: str) -> Callable[[], None]:
        """A place for a user's stream; call what it gives once, to give it back.

        Raises:
            ProblemError: 429.
        """
        if self._open[user] >= self.per_user or self._open.total() >= self.in_all:
            raise ProblemError("too-many-requests", "too many streams are open", headers={"Retry-After": "10"})
        self._open[user] += 1

        def give_back() -> None:
            self._open[user] -= 1
            if self._open[user] <= 0:
                del self._open[user]

        return give_back


class Streams:
    """What the streams of a process share."""

    def __init__(self, ending: asyncio.Event, limits: StreamLimits, metrics: Metrics) -> None:
        """Arguments.

        Args:
            ending: set when the process is told to end.
            limits: how many streams there may be, and how patient they are.
            metrics: counts them.
        """
        self.ending = ending
        self.limits = limits
        self.metrics = metrics


class Stream(Response):
    """Sends until there is no more, the caller's right ends, the client goes, or the process ends."""

    ends_with_process = True
    """Whether it stops at once when the process is told to end; else it has the server's own time."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes, None],
        streams: Streams,
        *,
        operation: str,
        held: ExitStack,
        status_code: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Prepare a stream.

        Args:
            parts: as they are sent. ``ProblemError``, ``BrokenError`` and ``OSError`` of it end the stream.
            streams: what all share.
            operation: for metrics.
            held: what it takes over, and closes at its end.
            status_code: of the answer.
            headers: of the answer.
        """
        super().__init__(status_code=status_code, headers=headers)
        if "content-length" not in (name.lower() for name in headers or ()):
            del self.headers["content-length"]
        self._parts = parts
        self._streams = streams
        self._operation = operation
        self._state: MutableMapping[str, Any] = {}
        self._held = held.pop_all()  # last: until there is a stream, what is held is not its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One stream, here or where it is waited for."""
        self._state = scope.get("state", {})
        waiting = self._state.get(STREAMS)
        if waiting is None:
            await self.run(receive, send)
        else:
            waiting.append(self)

    async def run(self, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._streams.metrics.stream(self._operation) as ends:
            await self._serve(receive, send, ends)

    async def _serve(self, receive: Receive, send: Send, ends: Callable[[str], None]) -> None:
        sending = asyncio.create_task(self._send_all(send))
        gone = asyncio.create_task(_disconnected(receive))
        tasks: list[asyncio.Task[Any]] = [sending, gone]
        if self.ends_with_process:
            tasks.append(asyncio.create_task(self._streams.ending.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                ends(sending.result())
            elif gone.done():
                ends("slow" if self._state.get(SLOW) else "client")
            else:
                await _cancelled(sending)
                ends("ending")
                await self._send_end(send)
        except _SlowError:
            ends("slow")  # whoever serves closes the connection
        except asyncio.CancelledError:
            if self._streams.ending.is_set():
                ends("ending")  # as a download that takes longer than the process has
            raise
        finally:
            for task in tasks:
                await _cancelled(task)
            self._held.close()

    async def _send_all(self, send: Send) -> str:
        """Head and parts; why it ended, in a word."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            return await self._send_parts(send)
        finally:
            await self._parts.aclose()

    @abstractmethod
    async def _send_parts(self, send: Send) -> str: ...

    async def _send_end(self, send: Send) -> None:
        """What is said when the process ends."""

    async def _send(self, send: Send, text: str | bytes, *, more: bool = True) -> None:
        body = text.encode() if isinstance(text, str) else text
        try:
            async with asyncio.timeout(self._streams.limits.send_seconds):
                await send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError:
            raise _SlowError from None

    def _broken(self, error: Exception) -> str:
        """Why a stream ends whose parts broke off."""
        if isinstance(error, OSError):
            about = {"operation": self._operation, "error": type(error).__name__, "cause": error.strerror}
            _log.error("a stream's source failed", extra=about)
        return "broken"


class EventStream(Stream):
    """Server-sent events, with comments in between so that nobody takes silence for the end."""

    media_type = "text/event-stream"

    def __init__(self, parts: AsyncGenerator[bytes, None], streams: Streams, **more: Any) -> None:
        super().__init__(parts, streams, headers=_EVENT_HEADERS, **more)

    async def _send_parts(self, send: Send) -> str:
        await self._send(send, f"retry: {_RETRY_MILLISECONDS}\n\n")
        coming: asyncio.Task[bytes] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(_next(self._parts))
                await asyncio.wait({coming}, timeout=self._streams.limits.heartbeat_seconds)
                if not coming.done():
                    await self._send(send, ":\n\n")
                    continue
                await self._send(send, coming.result())
                coming = None
        except StopAsyncIteration:
            await self._send(send, event_text("end", {}), more=False)
            return "end"
        except (ProblemError, BrokenError, OSError) as error:
            if isinstance(error, ProblemError) and error.kind not in PASSING:
                await self._send(send, event_text("problem", error.document()), more=False)
                return "problem"
            reason = self._broken(error)
            # No `end` and no `problem`: more may follow for who comes again, to another server perhaps.
            await self._send(send, ": this stream broke, come again\n\n", more=False)
            return reason
        finally:
            if coming is not None:
                await _cancelled(coming)

    async def _send_end(self, send: Send) -> None:
        # No `end`: the session goes on, and another replica answers the client that comes again.
        await self._send(send, ": this server ends, come again\n\n", more=False)


class Download(Stream):
    """A file or a part of it. One that breaks off is cut, so that no client takes a part for the whole."""

    ends_with_process = False

    async def _send_parts(self, send: Send) -> str:
        try:
            async for part in self._parts:
                await self._send(send, part)
        except (ProblemError, BrokenError, OSError) as error:
            # Fewer bytes than the head has promised: the server closes the connection.
            return "problem" if isinstance(error, ProblemError) else self._broken(error)
        await self._send(send, b"", more=False)
        return "end"


async def _next(parts: AsyncGenerator[bytes, None]) -> bytes:
    """The next part as a coroutine, which a task can be made of."""
    return await anext(parts)


def event_text(name: str, document: Any, version: str = "") -> str:
    """A server-sent event."""
    head = f"id: {version}\n" if version else ""
    return f"{head}event: {name}\ndata: {json_text(document)}\n\n"


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
