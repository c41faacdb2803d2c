"""Has nothing been heard for so long that the meeting must be over, or was forgotten? Off unless the session asks."""

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.observed_time import ObservedTime


class Silence:
    """Fires when nothing was heard for ``seconds`` in which somebody looked and listened; ``None``: never."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._seconds = seconds
        self._observed = ObservedTime(clock)
        self._heard_at: float | None = None
        self._silent = 0.0

    def verdict(self, heard_at: float | None, *, listening: bool) -> Reason | None:
        """One more look.

        Args:
            heard_at: when sound was last heard; any change means that it was heard since the last look.
            listening: whether sound would have been heard; time in which it would not does not count.
        """
        seconds = self._observed.look()
        if heard_at != self._heard_at:
            self._silent = 0.0
        elif listening:
            self._silent += seconds
        self._heard_at = heard_at
        return Reason.SILENCE if self._seconds is not None and self._silent >= self._seconds else None
