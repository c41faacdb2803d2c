"""The volume behind the reader: some accesses at a time, each in a thread of its own and for a bounded time.

A network volume can stop answering for minutes. Accesses that hang keep their threads until it answers; whoever waits
for a free one meanwhile is told in time that it does not. The event loop never waits for the volume.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from meeting_buddy_bot.support.threads import call_in_thread
from meeting_buddy_bot.support.volume import VolumeTimeoutError

SECONDS: Final = 10.0
"""For one access, with the time that it waits for a thread."""
THREADS: Final = 16
"""Accesses at the same time; a disk answers no more of them sooner."""

_AGAIN_SECONDS: Final = 1.0
"""Between two tries to start a thread that gives something back."""

T = TypeVar("T")


class VolumeAccess:
    """All accesses of one process."""

    def __init__(self, threads: int = THREADS) -> None:
        self._free = asyncio.Semaphore(threads)

    async def call(
        self,
        what: str,
        access: Callable[[], T],
        *,
        discard: Callable[[T], None] | None = None,
        seconds: float = SECONDS,
    ) -> T:
        """Result of ``access()``, or what it raised.

        Args:
            what: in a few words, for the error's message.
            access: the blocking call.
            discard: gets the result when nobody waits for it any more; in a thread.
            seconds: until the error.

        Raises:
            VolumeTimeoutError: no result in time; the access goes on in its thread.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._free.acquire()
        except TimeoutError:
            raise VolumeTimeoutError(what) from None
        future = call_in_thread(f"volume: {what}", access)
        future.add_done_callback(lambda _: self._free.release())
        taken = False
        try:
            await asyncio.wait({future}, timeout=deadline - loop.time())
            taken = future.done()
        finally:
            if not taken and discard is not None:
                future.add_done_callback(partial(_discard, discard))
        if not taken:
            raise VolumeTimeoutError(what)
        return future.result()


def give_back(release: Callable[[], None]) -> None:
    """Run ``release`` in a thread, later where none can be started now: else a descriptor would be lost."""
    if call_in_thread("volume: close", release).done():  # a thread has no result before the loop's next turn
        asyncio.get_running_loop().call_later(_AGAIN_SECONDS, give_back, release)


def _discard(discard: Callable[[Any], None], future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and future.exception() is None:
        give_back(partial(discard, future.result()))
