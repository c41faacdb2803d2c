"""Has the bot waited long enough for a human to let it in? The most common end of all, so it has its own answer."""

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock


class WaitingRoom:
    """Adds up the time in the lobby; fires at ``seconds``."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._before = 0.0
        self._since: float | None = None

    def verdict(self, waiting: Waiting | None) -> Reason | None:
        """``waiting``: what the page says it waits for, ``None`` while it does not wait."""
        now = self._clock.now()
        if waiting is None:
            if self._since is not None:
                self._before += now - self._since
                self._since = None
            return None
        if self._since is None:
            self._since = now
        if self._before + now - self._since < self._seconds:
            return None
        return Reason.MEETING_NOT_STARTED if waiting is Waiting.NOT_STARTED else Reason.NOT_ADMITTED
