"""Are only other bots left? Recorders that wait for one another would keep a meeting alive for hours."""

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.observed_time import ObservedTime


class OnlyBots:
    """Fires when ``seconds`` of observed time showed bots and nobody else; one look at a person starts it anew."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._seconds = seconds
        self._observed = ObservedTime(clock)
        self._alone = 0.0
        self._before = False

    def verdict(self, *, only_bots: bool | None) -> Reason | None:
        """``only_bots``: others are there, and all of them are bots; ``None``: the page does not tell."""
        seconds = self._observed.look()
        if only_bots is None:
            return None
        self._alone = self._alone + seconds if only_bots and self._before else 0.0
        self._before = only_bots
        return Reason.ONLY_BOTS_LEFT if only_bots and self._alone >= self._seconds else None
