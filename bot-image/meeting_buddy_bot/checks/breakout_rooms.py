"""Are the others in breakout rooms? Whom the host sent there comes back: the bot was not left alone."""

from typing import Final

from meeting_buddy_bot.checks.clock import Clock

LONGEST: Final = 7200.0
"""Seconds after which people who were sent to breakout rooms count as gone for good."""


class BreakoutRooms:
    """Open from when the page speaks of them until people who had gone are back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: float | None = None
        self._alone = False

    def update(self, *, shown: bool, others: int | None) -> bool:
        """Whether they are open. ``shown``: the page speaks of them; ``others``: people beside bots of this name."""
        now = self._clock.now()
        if shown:
            self._ends, self._alone = now + LONGEST, False
        elif others == 0:
            self._alone = True
        elif others is not None and self._alone:
            self._ends = None
        if self._ends is None or now >= self._ends:
            self._ends, self._alone = None, False
        return self._ends is not None
