"""Has everybody left? Asked once somebody was there; a flickering list of people must not answer it."""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock

FEWEST_READINGS: Final = 5
"""Consecutive readings without anybody, at the least, however long they take."""


class EveryoneLeft:
    """Fires when every reading of the last ``seconds`` showed nobody else; one that shows somebody starts it anew."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._somebody_came = False
        self._since: float | None = None
        self._readings = 0

    def verdict(self, others: int) -> Reason | None:
        """``others``: people in the call beside bots of this name. Not called for a reading that is missing."""
        if others > 0:
            self._somebody_came, self._since, self._readings = True, None, 0
            return None
        if not self._somebody_came:
            return None
        if self._since is None:
            self._since = self._clock.now()
        self._readings += 1
        long_enough = self._clock.now() - self._since >= self._seconds
        return Reason.EVERYONE_LEFT if long_enough and self._readings >= FEWEST_READINGS else None
