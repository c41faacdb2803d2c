"""How long leaving and finishing may take: shares of the pod's grace period, counted from SIGTERM.

Without a SIGTERM nobody is about to kill us, but no step may hang forever either: finishing has the assignment's
``finish_seconds``, for which the operator waits after a leave. With one, the kubelet's SIGKILL comes
``grace`` seconds later, and the outcome must be written before it.
"""

import asyncio
import math
from typing import Final, TypeVar

from meeting_buddy_bot.support.clock import SessionClock

LEAVE_SECONDS: Final = 30.0
"""Pressing "Leave" and waiting until the page has left."""
LEAVE_SHARE: Final = 0.4
"""Of the grace period at most for leaving."""
CANCEL_SECONDS: Final = 5.0
"""For a session that overran its time to close what it holds open."""
CANCEL_SHARE: Final = 0.5
"""Of the grace period at most until it has closed that."""
TRANSCRIPT_SHARE: Final = 0.7
"""Of the grace period at most until a transcript is final: then come its last lines, and its files."""
OUTCOME_SHARE: Final = 0.1
"""Of the grace period, kept for session.json, the termination message and the last event."""
CLEAN_UP_SECONDS: Final = 3.0
"""For a finishing that was cut short to remove what it wrote aside."""
CLEAN_UP_SHARE: Final = 0.93
"""Of the grace period at most until it has removed that."""
END_SHARE: Final = 0.95
"""Of the grace period at most until the outcome is written, whatever is still being ended."""

T = TypeVar("T")


class ShutdownDeadline:
    """The time that is left, which a SIGTERM shortens at any moment."""

    def __init__(self, clock: SessionClock, grace: float, finish: float) -> None:
        """``grace``: the pod's grace period; ``finish``: for finishing when nobody waits; both in seconds."""
        self._clock = clock
        self._grace = grace
        self._finish = finish
        self._terminated = asyncio.Event()
        self._terminated_at = 0.0

    def terminate(self) -> None:
        """SIGTERM has come; a second one changes nothing."""
        if not self._terminated.is_set():
            self._terminated_at = self._clock.now()
            self._terminated.set()

    async def leaving(self, task: asyncio.Task[T], asked: float) -> bool:
        """Wait for a task that was asked to end at ``asked`` (session seconds); False when its time is over."""
        limit = min(LEAVE_SECONDS, LEAVE_SHARE * self._grace)
        return await self._wait(task, asked + limit, LEAVE_SHARE)

    async def finishing(self, task: asyncio.Task[T], begun: float | None = None) -> bool:
        """Wait for the task that finishes the recording; False when its time is over.

        ``begun``: since when its time counts, seconds on this deadline's clock; ``None``: from now on.
        """
        return await self._wait(task, (self._clock.now() if begun is None else begun) + self._finish, 1 - OUTCOME_SHARE)

    async def hearing_out(self, task: asyncio.Task[T]) -> bool:
        """Wait for a transcript to become final, which leaves time for its files; False when its time is over."""
        return await self._wait(task, self._clock.now() + self._finish * (1 - OUTCOME_SHARE), TRANSCRIPT_SHARE)

    async def catching_up(self, task: asyncio.Task[T], begun: float) -> bool:
        """Wait for a task of finishing that leaves time for another one; False when its time is over."""
        return await self._wait(task, begun + self._finish * (1 - OUTCOME_SHARE), LEAVE_SHARE)

    async def cancelling(self, task: asyncio.Task[T]) -> bool:
        """Wait for the cancelled session; False when its time is over."""
        return await self._wait(task, self._clock.now() + CANCEL_SECONDS, CANCEL_SHARE)

    async def cleaning_up(self, task: asyncio.Task[T]) -> bool:
        """Wait for a cancelled part of finishing; False when its time is over."""
        return await self._wait(task, self._clock.now() + CLEAN_UP_SECONDS, CLEAN_UP_SHARE)

    async def ending(self, task: asyncio.Task[T]) -> bool:
        """Wait for all that comes before the outcome; False when a SIGTERM leaves time for nothing but that."""
        return await self._wait(task, math.inf, END_SHARE)

    @property
    def terminated(self) -> bool:
        """Whether SIGTERM has come."""
        return self._terminated.is_set()

    async def _wait(self, task: asyncio.Task[T], limit: float, share: float) -> bool:
        terminated = asyncio.create_task(self._terminated.wait())
        try:
            if not self._terminated.is_set():
                left = max(0.0, limit - self._clock.now())
                await asyncio.wait({task, terminated}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if self._terminated.is_set() and not task.done():
                limit = min(limit, self._terminated_at + share * self._grace)
                await asyncio.wait({task}, timeout=max(0.0, limit - self._clock.now()))
            return task.done()
        finally:
            terminated.cancel()
