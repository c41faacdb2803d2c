"""The operator's two ways to tell the time, in one object that tests replace."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Calendar time for what is written and compared with it; monotonic time for durations and for what came first."""

    def now(self) -> datetime:
        """The time in UTC, as this machine has it; the API server's may differ by minutes."""

    def monotonic(self) -> float:
        """Seconds that never go back; the event loop's own time."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the clock that asyncio uses."""
        return time.monotonic()
