"""Server-sent events: own response, with a deadline for clients that do not read."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from meeting_buddy.contract.text import json_text
from meeting_buddy.http_api.bots import BrokenError
from meeting_buddy.http_api.documents import SessionObject
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.problems import ProblemError

_RETRY_MILLISECONDS: Final = 1000
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass
class StreamLimits:
    """What streams may cost, and who has how many. One for the process."""

    per_user: int = 50
    in_all: int = 1000
    heartbeat_seconds: float = 15.0
    """Silence after which a comment is sent: ingresses close what is silent for a minute."""
    send_seconds: float = 10.0
    """For a client to take what is sent."""
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


class EventStream(Response):
    """Sends events until there are no more, the caller's right ends, the client goes, or the process ends."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        operation: str,
        ending: asyncio.Event,
        limits: StreamLimits,
        metrics: Metrics,
        closed: Callable[[], None],
    ) -> None:
        """Prepare a stream.

        Args:
            events: as they are sent. ``ProblemError`` and ``BrokenError`` of it end the stream.
            operation: for metrics.
            ending: set when the process is told to end.
            limits: how patient the stream is.
            metrics: counts it.
            closed: called at its end.
        """
        super().__init__(status_code=200, headers=_HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._operation = operation
        self._ending = ending
        self._limits = limits
        self._metrics = metrics
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One stream."""
        with self._metrics.stream(self._operation) as ends:
            await self._serve(receive, send, ends)

    async def _serve(self, receive: Receive, send: Send, ends: Callable[[str], None]) -> None:
        following = asyncio.create_task(self._follow(send))
        others = [asyncio.create_task(_disconnected(receive)), asyncio.create_task(self._ending.wait())]
        try:
            await asyncio.wait({following, *others}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                await _cancelled(following)
                if others[1].done():
                    ends("ending")
                    # No `end`: the session goes on, and another replica answers the client that comes again.
                    await self._send(send, ": this server ends, come again\n\n", more=False)
            else:
                ends(following.result())
        except TimeoutError:
            ends("slow")  # the client does not read: whoever serves closes the connection
        except OSError:
            pass  # it has gone
        finally:
            for task in (following, *others):
                await _cancelled(task)
            self._closed()

    async def _follow(self, send: Send) -> str:
        """Send it all; why it ended, in a word."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._send(send, f"retry: {_RETRY_MILLISECONDS}\n\n")
        coming: asyncio.Task[bytes] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(_next(self._events))
                done, _ = await asyncio.wait({coming}, timeout=self._limits.heartbeat_seconds)
                if not done:
                    await self._send(send, ":\n\n")
                    continue
                event = coming.result()
                coming = None
                await self._send(send, event)
        except StopAsyncIteration:
            await self._send(send, _event("end", {}), more=False)
            return "end"
        except ProblemError as problem:
            await self._send(send, _event("problem", problem.document()), more=False)
            return "problem"
        except BrokenError:  # no `end`: more may follow for who comes again
            await self._send(send, ": the bot is gone, come again\n\n", more=False)
            return "broken"
        finally:
            if coming is not None:
                await _cancelled(coming)
            await self._events.aclose()

    async def _send(self, send: Send, text: str | bytes, *, more: bool = True) -> None:
        body = text.encode() if isinstance(text, str) else text
        async with asyncio.timeout(self._limits.send_seconds):
            await send({"type": "http.response.body", "body": body, "more_body": more})


async def session_events(
    sessions: AsyncGenerator[tuple[str, SessionObject], None], seen: str | None
) -> AsyncGenerator[bytes, None]:
    """States of a session as events, without the first one where it is the one that was ``seen``."""
    async with aclosing(sessions):
        async for version, session in sessions:
            if version != seen:
                yield _event("session", session.model_dump(mode="json"), version).encode()
            seen = None


async def _next(events: AsyncGenerator[bytes, None]) -> bytes:
    """The next event as a coroutine, which a task can be made of."""
    return await anext(events)


def _event(name: str, document: Any, version: str = "") -> str:
    head = f"id: {version}\n" if version else ""
    return f"{head}event: {name}\ndata: {json_text(document)}\n\n"


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
