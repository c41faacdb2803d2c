"""The operator's ways to tell the time, in one object that tests replace.

Deadlines are remembered as calendar time. When somebody sets this machine's clock, or it slept, whoever remembers
moments is told by how much, before anybody is given the new time.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

STEP_SECONDS: Final = 5.0
"""By less, a clock that is set slowly may differ between two looks."""

OnStep = Callable[[timedelta], None]


class Clock(Protocol):
    """Calendar time for what is written and compared with it; monotonic time for durations and for what came first."""

    def now(self) -> datetime:
        """The time in UTC, as this machine has it; the API server's may differ by minutes."""

    def monotonic(self) -> float:
        """Seconds that never go back; the event loop's own time."""

    def boottime(self) -> float:
        """The same, but it goes on while the machine sleeps, as all others do."""

    def on_step(self, call: OnStep) -> None:
        """Call this whenever calendar time is found to have made a step (negative: back)."""


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._calls: list[OnStep] = []
        self._ahead: float | None = None
        """Seconds by which calendar time was ahead of monotonic time at the last look."""

    def now(self) -> datetime:
        """The time in UTC."""
        now = self._read()
        ahead = now.timestamp() - self.monotonic()
        step = 0.0 if self._ahead is None else ahead - self._ahead
        self._ahead = ahead
        if abs(step) > STEP_SECONDS:
            for call in self._calls:
                call(timedelta(seconds=step))
        return now

    def _read(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the clock that asyncio uses."""
        return time.monotonic()

    def boottime(self) -> float:
        """Seconds since the machine started, whether it sleeps or not."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def on_step(self, call: OnStep) -> None:
        """Call this whenever calendar time is found to have made a step."""
        self._calls.append(call)
