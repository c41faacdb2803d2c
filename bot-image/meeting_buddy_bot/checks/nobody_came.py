"""Has nobody come? Asked from admission until the first other person is seen, never after."""

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock


class NobodyCame:
    """Fires ``seconds`` after its making, unless somebody was seen before."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._deadline = clock.now() + seconds
        self._somebody = False

    def verdict(self, others: int) -> Reason | None:
        """``others``: people in the call beside bots of this name."""
        self._somebody = self._somebody or others > 0
        return Reason.NOBODY_CAME if not self._somebody and self._clock.now() >= self._deadline else None
