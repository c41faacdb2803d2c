"""Do the call's media flow? The clocks of the page's own elements say so, without touching its connections.

One for sound, one for pictures, because they mean different things: a picture's count of frames stands still when the
meeting's server is gone, a sound's clock only when the page or the sound device is.
"""

from collections.abc import Iterable
from typing import Final

from meeting_buddy_bot.checks.clock import Clock

STILL_SECONDS: Final = 3.0
"""Standing still for this long counts: a quiet network skips frames, a person's slow camera sends five a second."""


class MediaFlow:
    """Remembers each element's clock; media flow while at least one of them advances."""

    def __init__(self, clock: Clock, seconds: float = STILL_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._clocks: dict[int, float] = {}
        self._advanced: float | None = None
        self._first: float | None = None

    def take(self, clocks: Iterable[tuple[int, float]]) -> bool | None:
        """``None``: nothing is there that could advance, or it is too early to tell."""
        now = self._clock.now()
        seen = dict(clocks)
        if not seen:
            self._clocks, self._first, self._advanced = {}, None, None
            return None
        if self._first is None:
            self._first = now
        if any(clock > self._clocks.get(number, clock) for number, clock in seen.items()):
            self._advanced = now
        self._clocks = seen
        since = self._first if self._advanced is None else self._advanced
        if now - since < self._seconds:
            return None if self._advanced is None else True
        return False
