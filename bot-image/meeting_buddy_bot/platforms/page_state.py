"""From snapshots over time to the state of the call: pure, so that every misleading page is a list of snapshots.

Signals are judged in the order of :class:`State`, and each must hold as long as it says. Once in the call, one snapshot
without a sign of it means nothing; many for long enough mean that the meeting is over. A call that was reconnecting is
believed to be back only while its pictures advance: pages drop their toast long before they give up.
"""

from dataclasses import dataclass
from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable, Signal, State
from meeting_buddy_bot.platforms.probe import PageSnapshot

FEWEST_MISSING: Final = 5
"""Readings without a sign of the call that end a meeting at the earliest, however far apart they are."""

_ORDER: Final = tuple(State)


@dataclass(frozen=True, slots=True)
class PageState:
    """What the page shows."""

    state: State | None
    """``None``: nothing that the table knows."""
    signal: Signal | None = None
    """The evidence."""
    reason: Reason | None = None
    """Why, for ``ended`` and ``refused``."""


NOTHING: Final = PageState(None)


class PageStateTracker:
    """Judges the snapshots of one stay on one page."""

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

    def update(self, snapshot: PageSnapshot | None, now: float, picture: bool | None = None) -> PageState:
        """Judge one more snapshot.

        Args:
            snapshot: ``None`` when the page could not be read.
            now: seconds on any monotonic clock.
            picture: whether the call's pictures advance; ``None``: there are none that could.
        """
        state = self._evaluate(snapshot, now)
        if state.state is State.RECONNECTING:
            self._reconnecting = state.signal
        elif state.state is State.IN_CALL:
            if self._reconnecting is not None and picture is False:
                state = PageState(State.RECONNECTING, self._reconnecting)
            else:
                self._reconnecting = None
                self.joined = True
        return self._count_missing(state, now)

    def _evaluate(self, snapshot: PageSnapshot | None, now: float) -> PageState:
        if snapshot is None:
            self._since.clear()  # "without a break" cannot be said of what nobody saw
            return NOTHING
        found: Signal | None = None
        for signal in self._signals:
            if (signal.after_join and not self.joined) or not snapshot.holds(signal):
                self._since.pop(signal, None)
            elif now - self._since.setdefault(signal, now) >= signal.stable_for:
                found = found or signal
        return PageState(found.state, found, found.reason) if found else NOTHING

    def _count_missing(self, state: PageState, now: float) -> PageState:
        if not self.joined or state.state not in (None, State.PRE_JOIN):
            self._missing_since, self._missing = None, 0
            return state
        if self._missing_since is None:
            self._missing_since = now
        self._missing += 1
        if self._missing < FEWEST_MISSING or now - self._missing_since < self._table.timeouts.missing:
            return state
        return PageState(State.ENDED, reason=Reason.CONNECTION_LOST if self._reconnecting else Reason.MEETING_ENDED)
