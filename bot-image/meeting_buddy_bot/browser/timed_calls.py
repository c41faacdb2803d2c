"""Blocking calls with an end: WebDriver's client blocks, and a browser that hangs must never hang the bot.

Each call runs in a daemon thread of its own; after its time the thread is given up, and nothing more is asked of the
same driver, since its client is not made for two callers. The client's own HTTP timeout ends the thread later.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from meeting_buddy_bot.browser.errors import BrowserGoneError

T = TypeVar("T")


class TimedBlockingCalls:
    """Runs one blocking call at a time, each for a bounded time."""

    def __init__(self) -> None:
        self._running: asyncio.Future[None] | None = None

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
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        running: asyncio.Future[None] = loop.create_future()
        self._running = running

        def finish(value: T | None, error: BaseException | None) -> None:
            if not running.done():
                running.set_result(None)
            if result.done():  # given up meanwhile
                return
            if error is None:
                result.set_result(value)  # type: ignore[arg-type]  # without an error there is a value
            else:
                result.set_exception(error)

        def work() -> None:
            value, error = None, None
            try:
                value = call()
            except BaseException as caught:  # carried over to the caller, whatever it is
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(finish, value, error)

        threading.Thread(target=work, name=f"webdriver: {what}", daemon=True).start()
        done, _ = await asyncio.wait({result}, timeout=seconds)
        if not done:
            result.cancel()
            raise BrowserGoneError(f"{what} took longer than {seconds:g} s")
        return result.result()
