"""How fast the API server may be asked: so many calls at once, so many writes a second.

A thousand sessions that appear together are served in order instead of as a thousand parallel calls.
"""

import asyncio
from collections.abc import Callable
from typing import Final

MAX_PARALLEL: Final = 32
WRITES_PER_SECOND: Final = 200.0
BURST: Final = 200.0


class RateLimiter:
    """A semaphore for all calls and a token bucket for writes."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self.parallel = asyncio.Semaphore(MAX_PARALLEL)
        """Held during each call."""
        self._tokens = BURST
        self._filled_at = self._clock()

    async def pace_write(self) -> None:
        """Wait until one more write may be sent."""
        wait = self._take()
        if wait > 0:
            await asyncio.sleep(wait)

    def _take(self) -> float:
        """Take a token, perhaps one that does not exist yet; seconds until it does."""
        now = self._clock()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * WRITES_PER_SECOND) - 1
        self._filled_at = now
        return max(0.0, -self._tokens / WRITES_PER_SECOND)
