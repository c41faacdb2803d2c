"""Blocking calls with an end: WebDriver's client blocks, and a browser that hangs must never hang the bot.

Each call runs in a daemon thread of its own; after its time the thread is given up, and nothing more is asked of the
same driver, since its client is not made for two callers. The client's own HTTP timeout ends the thread later.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from meeting_buddy_bot.browser.errors import BrowserGoneError
from meeting_buddy_bot.support.threads import call_in_thread

T = TypeVar("T")


class TimedBlockingCalls:
    """Runs one blocking call at a time, each for a bounded time."""

    def __init__(self) -> None:
        self._running: asyncio.Future[Any] | None = None

    async def run(self, what: str, call: Callable[[], T], seconds: float) -> T:
        """Result of ``call()``, or what it raised.

        Raises:
            BrowserGoneError: it took longer than ``seconds``, or an earlier call still has not come back.
        """
        if self._running is not None and not self._running.done():
            # Its caller was cancelled, its thread was not.
            await asyncio.wait({self._running}, timeout=seconds)
            if not self._running.done():
                raise BrowserGoneError(f"an earlier call is still under way; {what} was not tried")
        result = call_in_thread(f"webdriver: {what}", call)
        self._running = result
        await asyncio.wait({result}, timeout=seconds)
        if not result.done():
            raise BrowserGoneError(f"{what} took longer than {seconds:g} s")
        return result.result()
