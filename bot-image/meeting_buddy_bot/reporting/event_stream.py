"""Server-Sent Events: one stream to one subscriber, and how many subscribers there may be.

A subscriber that takes nothing is dropped; the handler of one that hangs up is cancelled, so that its place is free.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, Self, TypeVar

from aiohttp import web

from meeting_buddy_bot.reporting.problems import problem

MAX_SUBSCRIBERS: Final = 16
"""Of all streams of a bot together."""
HEARTBEAT_SECONDS: Final = 15.0
"""A comment after so much silence: proxies cut idle connections, and both ends learn that the other is gone."""
_WRITE_SECONDS: Final = 10.0
"""A subscriber that takes nothing for so long is dropped."""

_Result = TypeVar("_Result")


class Subscribers:
    """The places that subscribers of a bot's streams share."""

    def __init__(self) -> None:
        self.taken = 0

    def refusal(self, kept_free: int = 0) -> web.Response | None:
        """The answer when no place is left but those that are kept free for others; ``None``: there is one."""
        if self.taken < MAX_SUBSCRIBERS - kept_free:
            return None
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{self.taken} subscribers are connected", {"Retry-After": "5"})

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places while the block runs."""
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class EventStream:
    """An answer that goes on and on."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self.response = response

    @classmethod
    async def begin(cls, request: web.Request) -> Self:
        """Send the head."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        return cls(request, response)

    def cut(self) -> web.StreamResponse:
        """End it as a broken connection does, so that the subscriber comes back; the end proper is a return."""
        if self._request.transport is not None:
            self._request.transport.abort()
        return self.response

    async def send(self, event: bytes) -> None:
        """Send an event, as the protocol writes it. Raises TimeoutError when it is not taken."""
        async with asyncio.timeout(_WRITE_SECONDS):
            await self.response.write(event)

    async def wait(self, what: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for something to tell, with heartbeats meanwhile. Raises what it raises."""
        waiting = asyncio.create_task(what)
        try:
            while not (await asyncio.wait({waiting}, timeout=HEARTBEAT_SECONDS))[0]:
                await self.send(b": still here\n\n")
            return waiting.result()
        finally:
            waiting.cancel()
