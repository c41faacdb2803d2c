"""Has a lost connection been lost for too long? Short interruptions are the page's own business."""

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock


class ConnectionLost:
    """Fires when the call has been reconnecting for ``seconds`` without a break."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._since: float | None = None

    def verdict(self, *, reconnecting: bool) -> Reason | None:
        """Told with each reading whether the call is reconnecting, or frozen after it."""
        if not reconnecting:
            self._since = None
            return None
        if self._since is None:
            self._since = self._clock.now()
        return Reason.CONNECTION_LOST if self._clock.now() - self._since >= self._seconds else None
