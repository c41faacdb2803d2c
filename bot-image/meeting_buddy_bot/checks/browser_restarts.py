"""Does the browser die too often, or each time before the bot is in the call?"""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.too_often import TooOften

MAX_RESTARTS: Final = 3
"""Restarts within the window, and from one time in the call to the next; a further death ends the session."""
WINDOW_SECONDS: Final = 600.0


class BrowserRestarts:
    """Counts deaths; fires at the one for which there is no further restart.

    A browser that takes minutes to start and dies on the way into the call never fills the window.
    """

    def __init__(self, clock: Clock, most: int = MAX_RESTARTS, seconds: float = WINDOW_SECONDS) -> None:
        self._too_often = TooOften(clock, most, seconds)
        self._most = most
        self._since_in_call = 0
        """Restarts since the bot was last let into the call."""
        self.limit = f"{most} restarts within {seconds / 60:g} minutes, or without getting into the call"
        """The limit in words."""
        self.total = 0
        """Restarts of the whole session, for the report."""

    def in_call(self) -> None:
        """The bot was let into the call: its browser can do it."""
        self._since_in_call = 0

    def verdict(self) -> Reason | None:
        """Told of each death, which is a restart unless it fires."""
        if self._since_in_call == self._most or self._too_often.verdict():
            return Reason.BROWSER_CRASHED
        self._since_in_call += 1
        self.total += 1
        return None
