"""From readings over time to what is going on: pure, so that every misleading page can be told as a list of readings.

Signals are judged in the order of :class:`State`, and each must hold as long as it says. Once in the call, one reading
without a sign of it means nothing; many for long enough mean that the meeting is over. A call that was reconnecting is
believed to be back only while its pictures advance: pages drop their toast long before they give up.

What happens if this process dies here? Pure values; a restarted bot judges afresh.
"""

from dataclasses import dataclass
from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable, Signal, State
from meeting_buddy_bot.platforms.probe import Reading

FEWEST_MISSING: Final = 5
"""Readings without a sign of the call that end a meeting at the earliest, however far apart they are."""

_ORDER: Final = tuple(State)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the page shows."""

    state: State | None
    """``None``: nothing that the table knows."""
    signal: Signal | None = None
    """The evidence."""
    reason: Reason | None = None
    """Why, for ``ended`` and ``refused``."""


NOTHING: Final = Verdict(None)


class Judgement:
    """Judges the readings of one stay on one page."""

    def __init__(self, table: PlatformTable) -> None:
        self._table = table
        # Stable: within a state the table's own order counts.
        self._signals = sorted(table.signals, key=lambda signal: _ORDER.index(signal.state))
        self._since: dict[Signal, float] = {}
        self._missing_since: float | None = None
        self._missing = 0
        self._reconnecting: Signal | None = None
        self.joined = False
        """Whether the call was reached."""

    def take(self, reading: Reading | None, now: float, picture: bool | None = None) -> Verdict:
        """Judge one more reading.

        Args:
            reading: ``None`` when the page could not be read.
            now: seconds on any monotonic clock.
            picture: whether the call's pictures advance; ``None``: there are none that could.
        """
        verdict = self._judge(reading, now)
        if verdict.state is State.RECONNECTING:
            self._reconnecting = verdict.signal
        elif verdict.state is State.IN_CALL:
            if self._reconnecting is not None and picture is False:
                verdict = Verdict(State.RECONNECTING, self._reconnecting)
            else:
                self._reconnecting = None
                self.joined = True
        return self._count_missing(verdict, now)

    def _judge(self, reading: Reading | None, now: float) -> Verdict:
        if reading is None:
            self._since.clear()  # "without a break" cannot be said of what nobody saw
            return NOTHING
        found: Signal | None = None
        for signal in self._signals:
            if (signal.after_join and not self.joined) or not reading.holds(signal):
                self._since.pop(signal, None)
            elif now - self._since.setdefault(signal, now) >= signal.hold:
                found = found or signal
        return Verdict(found.state, found, found.reason) if found else NOTHING

    def _count_missing(self, verdict: Verdict, now: float) -> Verdict:
        if not self.joined or verdict.state not in (None, State.PRE_JOIN):
            self._missing_since, self._missing = None, 0
            return verdict
        if self._missing_since is None:
            self._missing_since = now
        self._missing += 1
        if self._missing < FEWEST_MISSING or now - self._missing_since < self._table.patience.missing:
            return verdict
        return Verdict(State.ENDED, reason=Reason.CONNECTION_LOST if self._reconnecting else Reason.MEETING_ENDED)
