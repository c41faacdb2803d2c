"""Does the browser die too often? Counted in a sliding window: a long meeting outlives more deaths than a short one."""

from collections import deque
from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock

MOST_RESTARTS: Final = 3
"""Restarts within the window; the next death in it ends the session."""
WINDOW_SECONDS: Final = 600.0


class BrowserRestarts:
    """Counts deaths; fires at the one for which the window holds no further restart."""

    def __init__(self, clock: Clock, most: int = MOST_RESTARTS, seconds: float = WINDOW_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self.limit = f"{most} restarts within {seconds / 60:g} minutes"
        """The limit in words."""
        self._restarts: deque[float] = deque(maxlen=most)
        self.total = 0
        """Restarts of the whole session, for the report."""

    def verdict(self) -> Reason | None:
        """Told of each death, which is a restart unless it fires."""
        now = self._clock.now()
        if len(self._restarts) == self._restarts.maxlen and now - self._restarts[0] < self._seconds:
            return Reason.BROWSER_CRASHED
        self._restarts.append(now)
        self.total += 1
        return None
