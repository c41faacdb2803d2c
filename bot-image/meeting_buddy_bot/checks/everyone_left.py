"""Has everybody left? Asked once somebody was there; a flickering list of people must not answer it."""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.observed_time import ObservedTime

FEWEST_READINGS: Final = 5
"""Consecutive readings without anybody, at the least, however long they take."""


class EveryoneLeft:
    """Fires when ``seconds`` of observed time showed nobody else; a reading that shows somebody starts it anew."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._seconds = seconds
        self._observed = ObservedTime(clock)
        self._somebody_came = False
        self._alone = 0.0
        self._readings = 0

    def somebody_came(self) -> None:
        """Somebody was there before this check began to look."""
        self._somebody_came = True

    def verdict(self, others: int | None) -> Reason | None:
        """``others``: people in the call beside bots of this name; ``None``: the page does not tell."""
        seconds = self._observed.look()
        if others is None:
            return None
        if others > 0:
            self._somebody_came, self._alone, self._readings = True, 0.0, 0
            return None
        if not self._somebody_came:
            return None
        if self._readings > 0:
            self._alone += seconds
        self._readings += 1
        return Reason.EVERYONE_LEFT if self._alone >= self._seconds and self._readings >= FEWEST_READINGS else None
