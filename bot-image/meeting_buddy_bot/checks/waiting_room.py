"""Has the bot waited long enough for a human to let it in? The most common end of all, so it has its own answer."""

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.observed_time import ObservedTime


class WaitingRoom:
    """Adds up the observed time of one wait in the lobby, which may flicker; fires at ``seconds``."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._seconds = seconds
        self._observed = ObservedTime(clock)
        self._waited = 0.0
        self._before = False

    def admitted(self) -> None:
        """Somebody let the bot in: another wait is a new one."""
        self._waited, self._before = 0.0, False

    def verdict(self, waiting: Waiting | None) -> Reason | None:
        """``waiting``: what the page says it waits for, ``None`` while it does not wait."""
        seconds = self._observed.look()
        if self._before:
            self._waited += seconds
        self._before = waiting is not None
        if waiting is None or self._waited < self._seconds:
            return None
        return Reason.MEETING_NOT_STARTED if waiting is Waiting.NOT_STARTED else Reason.NOT_ADMITTED
