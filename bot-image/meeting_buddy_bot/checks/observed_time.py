"""Time during which the call was observed: what happened while nobody looked is not known and does not count."""

from typing import Final

from meeting_buddy_bot.checks.clock import Clock

LONGEST_LOOK: Final = 3.0
"""Seconds that one look at the page may take."""
LONGEST_PAUSE: Final = 3.0
"""Seconds between two looks where each of them is costly."""
_SLACK: Final = 2.0
"""For what a platform's adapter adds to a look, and for a busy machine."""
LONGEST_INTERVAL: Final = LONGEST_LOOK + LONGEST_PAUSE + _SLACK
"""Seconds from one look to the next that still count as observing."""


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
