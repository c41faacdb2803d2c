"""Does the browser die too often?"""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.too_often import TooOften

MAX_RESTARTS: Final = 3
"""Restarts within the window; the next death in it ends the session."""
WINDOW_SECONDS: Final = 600.0


class BrowserRestarts:
    """Counts deaths; fires at the one for which the window holds no further restart."""

    def __init__(self, clock: Clock, most: int = MAX_RESTARTS, seconds: float = WINDOW_SECONDS) -> None:
        self._too_often = TooOften(clock, most, seconds)
        self.limit = f"{most} restarts within {seconds / 60:g} minutes"
        """The limit in words."""
        self.total = 0
        """Restarts of the whole session, for the report."""

    def verdict(self) -> Reason | None:
        """Told of each death, which is a restart unless it fires."""
        if self._too_often.verdict():
            return Reason.BROWSER_CRASHED
        self.total += 1
        return None
