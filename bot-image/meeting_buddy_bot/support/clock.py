"""The session's one clock: monotonic seconds, anchored once to UTC, that stamp every event, segment and gap.

Wall clocks jump (NTP, a suspended node); a recording's timeline must not. So the wall clock is read once, and every
later UTC time is that anchor plus monotonic seconds.

If this process dies: the clock ends with PID 1; a later process that works on the same folder goes on with its seconds
(:meth:`SessionClock.go_on`) by the UTC times, which the manifest and the events carry beside them.
"""

import time
from datetime import UTC, datetime, timedelta


class SessionClock:
    """Seconds since the bot's start, and what they are in UTC."""

    __slots__ = ("_anchor", "_started")

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._anchor = datetime.now(UTC)

    def go_on(self, zero: datetime, least: float = 0.0, steps: float = 0.0) -> None:
        """Go on with the seconds of an earlier process; to be called before anything was stamped.

        Args:
            zero: UTC of second 0.
            least: seconds that it had reached; a wall clock that is behind it does not make time fall.
            steps: seconds by which the wall clock was set since then (negative: back); no time passed by them.
        """
        now = max((datetime.now(UTC) - zero).total_seconds() - steps, least)
        self._started, self._anchor = time.monotonic() - now, zero

    def now(self) -> float:
        """Seconds since the anchor; never falls."""
        return time.monotonic() - self._started

    def utc(self, seconds: float | None = None) -> datetime:
        """UTC at ``seconds`` on this clock, by default now; independent of later changes of the wall clock."""
        return self._anchor + timedelta(seconds=self.now() if seconds is None else seconds)
