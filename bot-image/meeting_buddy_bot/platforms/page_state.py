"""From snapshots over time to the state of the call: pure, so that every misleading page is a list of snapshots.

Signals are judged in the order of :class:`State`, and each must hold as long as it says. Once in the call, one snapshot
without a sign of it means nothing; many for long enough mean that the meeting is over. A page that could not be read
for so long says nothing of the meeting: the connection to it counts as lost, and the page has to be opened again. So it
is with one that could not be loaded, and with one that went back to where one joins, which may have loaded itself anew.
A call that was reconnecting is believed to be back only while its pictures advance: pages drop their toast long before
they give up.
"""

from dataclasses import dataclass
from typing import Final

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable, Signal, State
from meeting_buddy_bot.checks.observed_time import LONGEST_INTERVAL
from meeting_buddy_bot.platforms.probe import PageSnapshot

FEWEST_MISSING: Final = 5
"""Looks without a sign of the call that end a stay at the earliest, however far apart they are."""

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

    @property
    def waiting(self) -> Waiting | None:
        """Whom the bot waits for, in the lobby; ``None``: it is not there."""
        if self.state is not State.LOBBY:
            return None
        return (self.signal.waiting if self.signal else None) or Waiting.WAITING_ROOM


NOTHING: Final = PageState(None)


@dataclass(slots=True)
class _Stretch:
    """Looks of one kind since the last sign of the call, and the time that they cover; long gaps count in part."""

    looks: int = 0
    seconds: float = 0.0
    before_joining: Signal | None = None
    """What the page showed in it of the time before the call."""

    def lasts(self, seconds: float) -> bool:
        return self.looks >= FEWEST_MISSING and self.seconds >= seconds


class PageStateTracker:
    """Judges the snapshots of one stay on one page."""

    def __init__(self, table: PlatformTable) -> None:
        self._table = table
        # Stable: within a state the table's own order counts.
        self._signals = sorted(table.signals, key=lambda signal: _ORDER.index(signal.state))
        self._since: dict[Signal, float] = {}
        self._missing, self._unread = _Stretch(), _Stretch()
        self._last: tuple[float, bool] | None = None
        """When the last look was, and whether the page could be read."""
        self._reconnecting: Signal | None = None
        self.joined = False
        """Whether the call was reached."""

    def update(self, snapshot: PageSnapshot | None, now: float, picture: bool | None = None) -> PageState:
        """Judge one more snapshot.

        Args:
            snapshot: ``None`` when the page could not be read; one that was not loaded counts as unread.
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
        blind = snapshot is None or (snapshot.failed and state.state is None)
        return self._count_missing(state, now, read=not blind)

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

    def _count_missing(self, state: PageState, now: float, *, read: bool) -> PageState:
        then, read_then = self._last or (now, read)
        self._last = now, read
        if not self.joined or state.state not in (None, State.PRE_JOIN):
            self._missing, self._unread = _Stretch(), _Stretch()
            return state
        seconds = min(now - then, LONGEST_INTERVAL)
        if not (read and read_then):
            self._unread.seconds += seconds
        elif self._missing.looks > 0:
            self._missing.seconds += seconds
        (self._missing if read else self._unread).looks += 1
        self._missing.before_joining = state.signal or self._missing.before_joining
        if self._missing.lasts(self._table.timeouts.missing):
            if self._reconnecting is not None:
                return PageState(State.ENDED, reason=Reason.CONNECTION_LOST)
            if self._missing.before_joining is not None:
                return PageState(State.ENDED, self._missing.before_joining, Reason.CONNECTION_LOST)
            return PageState(State.ENDED, reason=Reason.MEETING_ENDED)
        if self._unread.lasts(self._table.timeouts.missing):
            return PageState(State.ENDED, reason=Reason.CONNECTION_LOST)
        return state
