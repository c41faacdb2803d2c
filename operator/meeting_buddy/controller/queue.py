"""The work queue: keyed and de-duplicating, one worker a key at a time, retry with back-off, one wake-up a key.

A key that is added while a worker has it is worked on once more afterwards, however often it was added.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from meeting_buddy.controller.backoff import Backoff

FIRST_RETRY_SECONDS: Final = 0.2
LAST_RETRY_SECONDS: Final = 60.0
LONGEST_TIMER_SECONDS: Final = 60.0
"""After so long a timer looks at its clock again: the loop's time stands still while a machine is suspended."""


class KeyedQueue:
    """Keys that want attention."""

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._waiting: dict[str, float] = {}
        """Keys in ``_ready`` and in its order, with the loop time at which they were added."""
        self._working: set[str] = set()
        self._again: set[str] = set()
        self._backoffs: dict[str, Backoff] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def oldest_age(self) -> float:
        """Seconds that the next key has waited by now; 0 when none waits. Keys in a pause do not wait."""
        added = next(iter(self._waiting.values()), None)
        return 0.0 if added is None else asyncio.get_running_loop().time() - added

    def add(self, key: str) -> None:
        """Work on ``key`` as soon as possible."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().time()
            self._ready.append(key)
            self._arrived.set()

    def wake(self, key: str, seconds: float | None, left: Callable[[], float] | None = None) -> None:
        """Add ``key`` after ``seconds``, instead of at any time set earlier; ``None`` only forgets that.

        ``left`` says how many seconds are left by another clock, which decides: of a week ahead the calendar's.
        """
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if seconds is not None:
            self._arm(key, seconds, left)

    async def take(self) -> tuple[str, float]:
        """The next key, and how many seconds it waited; hand it back with :meth:`done` or :meth:`failed`."""
        while not self._ready:
            self._arrived.clear()
            await self._arrived.wait()
        key = self._ready.popleft()
        self._working.add(key)
        return key, asyncio.get_running_loop().time() - self._waiting.pop(key)

    def done(self, key: str) -> None:
        """A worker finished with ``key``."""
        self._backoffs.pop(key, None)
        self._hand_back(key)

    def progressed(self, key: str) -> None:
        """Something was achieved for ``key``: its next failure counts as the first."""
        self._backoffs.pop(key, None)

    def failed(self, key: str, at_least: float = 0.0) -> float:
        """A worker failed on ``key``: again after a growing pause, whose seconds are returned.

        ``at_least`` is what the API server asked for (``Retry-After``).
        """
        backoff = self._backoffs.setdefault(key, Backoff(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS))
        pause = backoff.next(at_least)
        self._again.discard(key)
        self._hand_back(key)
        # What came meanwhile does not shorten the pause: it would turn a storm of events into a storm of failures.
        self.wake(key, pause)
        return pause

    def forget(self, key: str) -> None:
        """Drop what is remembered of ``key``."""
        self._backoffs.pop(key, None)
        self.wake(key, None)

    def clear(self) -> None:
        """Drop all keys, those of cancelled workers too: a replica that begins to lead adds each session anew."""
        self._ready.clear()
        self._waiting.clear()
        self._again.clear()
        self._working.clear()
        self._backoffs.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _hand_back(self, key: str) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _arm(self, key: str, seconds: float, left: Callable[[], float] | None) -> None:
        pause = max(0.0, seconds if left is None else min(seconds, LONGEST_TIMER_SECONDS))
        self._timers[key] = asyncio.get_running_loop().call_later(pause, self._ring, key, left)

    def _ring(self, key: str, left: Callable[[], float] | None) -> None:
        self._timers.pop(key, None)
        seconds = left() if left is not None else 0.0
        if seconds > 0:
            self._arm(key, seconds, left)
        else:
            self.add(key)
