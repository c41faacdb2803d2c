"""The session's folder on the volume: every access in a thread of its own and for a bounded time.

A network volume can stop answering for minutes (a server that restarts, a path that is lost) and then go on as if
nothing had happened; the calls that were under way come back by themselves. Until then the event loop must keep
answering the kubelet, or the pod is killed for what is only a gap in the recording.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from meeting_buddy_bot.support.threads import call_in_thread

SECONDS: Final = 10.0
"""For one access; a loaded network volume was seen to take one or two."""
_MAX_WAITING: Final = 32
"""Accesses that may hang at the same time; further ones are refused at once instead of adding threads."""

GONE: Final = (errno.ESTALE, errno.ENOTCONN, errno.ESHUTDOWN, errno.EHOSTDOWN, errno.ETIMEDOUT)
"""Errors of a file that speak of the whole volume."""
SHORTAGES: Final = (errno.EINTR, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Errors that say nothing of a file nor of the volume: a program was killed, or could not be started."""

T = TypeVar("T")


class VolumeTimeoutError(OSError):
    """The volume did not answer in time; it may yet."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.ETIMEDOUT, f"the volume does not answer ({what})")


class Volume:
    """Access to ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting = 0

    async def call(self, what: str, access: Callable[[], T], seconds: float = SECONDS) -> T:
        """Result of ``access()``, or what it raised.

        Raises:
            VolumeTimeoutError: no result within ``seconds``; the access goes on in its thread.
        """
        if self._waiting >= _MAX_WAITING:
            raise VolumeTimeoutError(what)
        future = call_in_thread(f"volume: {what}", access)
        self._waiting += 1
        future.add_done_callback(self._came_back)
        await asyncio.wait({future}, timeout=seconds)
        if not future.done():
            raise VolumeTimeoutError(what)
        return future.result()

    def _came_back(self, _: asyncio.Future[Any]) -> None:
        self._waiting -= 1


async def answered(what: str, work: Awaitable[T], seconds: float) -> T:
    """Result of what hangs on the volume otherwise, such as lines that a thread writes.

    Raises:
        VolumeTimeoutError: no result within ``seconds``; nobody waits for it any more.
    """
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise VolumeTimeoutError(what) from None
