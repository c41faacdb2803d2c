"""Has a lost connection been lost for too long? Short interruptions are the page's own business."""

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.observed_time import LONGEST_INTERVAL


class ConnectionLost:
    """Fires when ``seconds`` of observed time showed the call reconnecting; one look at the call starts it anew."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last = clock.now()
        self._lost: float | None = None
        """Seconds so far; ``None``: the call is there."""

    def verdict(self, *, reconnecting: bool | None) -> Reason | None:
        """Told with each look whether the call is reconnecting, or frozen after it; ``None``: nobody knows."""
        now = self._clock.now()
        # Of a long interval a part: looks that are each far from the last one still find a call that is lost.
        seconds, self._last = min(now - self._last, LONGEST_INTERVAL), now
        if reconnecting is None:
            return None
        if not reconnecting:
            self._lost = None
            return None
        self._lost = 0.0 if self._lost is None else self._lost + seconds
        return Reason.CONNECTION_LOST if self._lost >= self._seconds else None
