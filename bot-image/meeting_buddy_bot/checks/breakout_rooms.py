"""Are the others in breakout rooms? Whom the host sent there comes back: the bot was not left alone."""

from typing import Final

from meeting_buddy_bot.checks.clock import Clock

LONGEST: Final = 7200.0
"""Seconds after which people who were sent to breakout rooms count as gone for good."""
_SEVERAL: Final = 2
"""People who went; fewer may be one with a question."""


class BreakoutRooms:
    """Open from when the page speaks of them until people who had gone are back.

    Where all had gone, that is the first one; where some stayed, and at least half went and several, more than half of
    these. One alone may come back with a question, and go again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: float | None = None
        self._before = 0
        """How many others there were while the page spoke of them."""
        self._least: int | None = None
        """How many there were at least since it last did; ``None``: the page has not told yet."""

    def update(self, *, shown: bool, others: int | None) -> bool:
        """Whether they are open. ``shown``: the page speaks of them; ``others``: people beside bots of this name."""
        now = self._clock.now()
        if shown:
            self._before = max(others or 0, self._before if self._ends is not None else 0)
            self._ends, self._least = now + LONGEST, None
        elif self._ends is not None and self._are_back(others):
            self._ends = None
        if self._ends is not None and now >= self._ends:
            self._ends = None
        if others is not None and not shown:
            self._least = others if self._least is None else min(self._least, others)
        return self._ends is not None

    def _are_back(self, others: int | None) -> bool:
        if others is None or self._least is None or others <= self._least:
            return False
        went = self._before - self._least
        most_went = went >= _SEVERAL and 2 * self._least <= self._before
        return self._least == 0 or (most_went and 2 * others > self._least + self._before)
