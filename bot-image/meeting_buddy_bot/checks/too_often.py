"""Does something happen too often? Counted in a sliding window: a long meeting outlives more of it than a short one."""

from collections import deque

from meeting_buddy_bot.checks.clock import Clock


class TooOften:
    """Counts what happens; fires at the time for which the window holds no further one."""

    def __init__(self, clock: Clock, most: int, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=most)

    def verdict(self) -> bool:
        """Told of each time, which counts unless it fires."""
        now = self._clock.now()
        if len(self._times) == self._times.maxlen and now - self._times[0] < self._seconds:
            return True
        self._times.append(now)
        return False
