"""Has nobody come? Asked from admission until the first other person is seen, never after."""

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.observed_time import ObservedTime


class NobodyCame:
    """Fires after ``seconds`` of observed time, unless somebody was seen before."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._seconds = seconds
        self._observed = ObservedTime(clock)
        self._observed.look()
        self._alone = 0.0
        self._somebody = False

    def verdict(self, others: int | None) -> Reason | None:
        """``others``: people in the call beside bots of this name; ``None``: the page does not tell."""
        seconds = self._observed.look()
        if others is None:
            return None
        self._alone += seconds
        self._somebody = self._somebody or others > 0
        return Reason.NOBODY_CAME if not self._somebody and self._alone >= self._seconds else None
