"""Does the page still answer? A process that lives proves nothing: a hung page records half an hour of silence."""

from typing import Final

from meeting_buddy_bot.checks.clock import Clock

FEWEST_SILENT: Final = 3
"""Unanswered readings, at the least."""
SILENT_SECONDS: Final = 15.0
"""A page that joins on a starved machine is silent for some seconds now and then."""


class PageResponsive:
    """Tells a hung page from one slow answer."""

    def __init__(self, clock: Clock, seconds: float = SILENT_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._since: float | None = None
        self._silent = 0

    def answered(self) -> None:
        """The page gave a reading."""
        self._since, self._silent = None, 0

    def hung(self, started: float) -> bool:
        """A reading that began at ``started`` got no answer; whether the page counts as hung now."""
        if self._since is None:
            self._since = started
        self._silent += 1
        return self._silent >= FEWEST_SILENT and self._clock.now() - self._since >= self._seconds
