"""Time during which the call was observed: what happened while nobody looked is not known and does not count."""

from typing import Final

from meeting_buddy_bot.checks.clock import Clock

LONGEST_INTERVAL: Final = 5.0
"""Seconds between two looks that still count as observing; a look takes 3 s at most and follows the last in 0.25 s."""


class ObservedTime:
    """Measures from look to look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: float | None = None

    def look(self) -> float:
        """Seconds since the last look; 0 for the first one, and after a stretch in which nobody looked."""
        now = self._clock.now()
        seconds = 0.0 if self._last is None else now - self._last
        self._last = now
        return seconds if seconds <= LONGEST_INTERVAL else 0.0
