"""What a shortage of processors costs the text: fewer decodings, and later ones; none that stays is left out for it.

======  ====================  =============  ============================
        partial texts         in a pause     after each final
======  ====================  =============  ============================
none    each second           as if over     the next one at once
short   each six seconds      nothing        rests for as long as it took
severe  none                  nothing        rests three times as long
======  ====================  =============  ============================

A decoding that itself waited for a processor longer than it had one ends partial texts, too, for a while, and for twice
as long if that happens again soon after: the only way to learn that there is room again is to take it. Nobody rests
while more than a minute of speech waits, nor after the end, when the browser needs no processor any more.
"""

import math
from collections.abc import Callable
from typing import Final

from meeting_buddy_bot.transcription.shortage import Shortage

_STARVED: Final = 0.5
"""Of a decoding's time, that it waited for a processor, from which on the machine is short of them."""
_SPARING_SECONDS: Final = 20.0
"""For which then only what stays is decoded: the meeting's own sound and picture need the processors more."""
_LONGEST_SPARING: Final = 320.0
"""Seconds."""
_REST: Final = {Shortage.NONE: 0.0, Shortage.SHORT: 1.0, Shortage.SEVERE: 3.0}
"""Seconds for each that a final took."""
_LONGEST_REST: Final = 10.0
_MAX_DEFERRED: Final = 60.0
"""Seconds of closed segments that wait, from which on nothing rests."""
MAX_BEHIND_SECONDS: Final = 60.0
"""Of closed segments that wait for a decoder: one that is slower than people speak does not become faster."""
MAX_HELD_SECONDS: Final = 300.0
"""Of those that wait for processors, which are there again at the meeting's end: 19 MB."""
HELD_SECONDS: Final = 120.0
"""For which this counts after the last shortage; then what waits still stays, but no more may come to it."""


class Sparing:
    """Says what not to decode now; times are the clock's, which goes on while no sound comes."""

    def __init__(self, shortage: Callable[[], Shortage], clock: Callable[[], float]) -> None:
        """``shortage``: of processors, now, but for what decodings tell."""
        self._shortage = shortage
        self._clock = clock
        self._starved_until = -math.inf
        self._sparing_seconds = _SPARING_SECONDS
        self._rests_until = 0.0
        self._held_until = 0.0
        """Time up to which as much may wait as while processors are short."""
        self._most_waiting = MAX_BEHIND_SECONDS

    def decoded(self, seconds: float, waited: float, *, final: bool) -> None:
        """A decoding took so long, part of which it waited for a processor."""
        if waited > _STARVED * seconds:
            self._starve()
        if final:
            self._rests_until = self._clock() + min(_REST[self.shortage] * seconds, _LONGEST_REST)

    @property
    def shortage(self) -> Shortage:
        """Of processors, as far as it matters here."""
        return max(self._shortage(), Shortage.SHORT if self._starved else Shortage.NONE)

    @property
    def finals_only(self) -> bool:
        """Whether only what stays is decoded."""
        return self._starved or self._shortage() is Shortage.SEVERE

    def rests(self, waiting: float) -> bool:
        """Whether that waits, too, while so many seconds of closed segments do."""
        return self._clock() < self._rests_until and self.shortage > Shortage.NONE and waiting <= _MAX_DEFERRED

    def most_waiting(self, waiting: float) -> float:
        """Seconds of closed segments that may wait; to be asked before more comes to those that do."""
        if self.shortage:
            self._most_waiting = MAX_HELD_SECONDS
            self._held_until = self._clock() + HELD_SECONDS
        elif self._clock() >= self._held_until and (
            self._most_waiting == MAX_HELD_SECONDS or waiting <= MAX_BEHIND_SECONDS
        ):
            self._most_waiting = max(waiting, MAX_BEHIND_SECONDS)
        return self._most_waiting

    def _starve(self) -> None:
        now, soon = self._clock(), self._starved_until + self._sparing_seconds
        if now >= soon:
            self._sparing_seconds = _SPARING_SECONDS
        elif not self._starved:
            self._sparing_seconds = min(2 * self._sparing_seconds, _LONGEST_SPARING)
        self._starved_until = now + self._sparing_seconds

    @property
    def _starved(self) -> bool:
        return self._clock() < self._starved_until
