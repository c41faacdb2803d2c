"""Who spoke when, from the page's speaking hints: timed intervals, for a transcript that knows names.

Written to the events as they happen: ``speaking`` with ``name``, ``start`` and ``end`` in seconds on the session's
clock. Hints are late by about a second at the start (LiveKit) and their length is right to one poll.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from meeting_buddy_bot.platforms.probe import Person

PAUSE: Final = 0.7
"""Seconds of silence that do not end an interval: hints flicker between words."""
LONGEST_UNSEEN: Final = 3.0
"""Seconds between two looks at the page, after which nobody knows who spoke in between."""
_MAX_SPOKEN: Final = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """Somebody was shown as speaking; seconds on the session's clock."""

    name: str
    start: float
    end: float


class SpeakingHints:
    """Makes intervals from tiles that say that their person speaks."""

    def __init__(self, emit: Callable[[Interval], None]) -> None:
        self._emit = emit
        self._open: dict[str, tuple[float, float]] = {}
        self.spoken: set[str] = set()
        """Names of those who were ever shown as speaking, a bounded number."""

    def take(self, people: Iterable[Person], now: float) -> None:
        """One more snapshot of the page, at ``now``."""
        for name, (_, last) in list(self._open.items()):
            if now - last > LONGEST_UNSEEN:
                self._finish(name)
        for name in {person.name for person in people if person.speaking and person.name and not person.own}:
            start, _ = self._open.get(name, (now, now))
            self._open[name] = (start, now)
            if len(self.spoken) < _MAX_SPOKEN:
                self.spoken.add(name)
        for name, (_, last) in list(self._open.items()):
            if now - last > PAUSE:
                self._finish(name)

    def speaking_now(self, t: float) -> tuple[str, ...]:
        """Whose interval is open at ``t``: they speak, or paused for at most ``PAUSE``; in the order of beginning."""
        return tuple(name for name, (start, last) in self._open.items() if start <= t <= last + PAUSE)

    def close(self, now: float) -> None:
        """End all intervals at their last hint; ``now`` is not used, since nobody saw what came after."""
        for name in list(self._open):
            self._finish(name)

    def _finish(self, name: str) -> None:
        start, last = self._open.pop(name)
        self._emit(Interval(name, start, last))
