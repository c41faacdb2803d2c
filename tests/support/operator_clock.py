"""The operator's clock in a test's hands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from meeting_buddy.controller.clock import SystemClock

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class ManualClock(SystemClock):
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1000.0
        self.set_ahead = timedelta()
        """By how much somebody set it meanwhile, or it slept."""
        self.slept = 0.0

    def _read(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 1000.0) + self.set_ahead

    def monotonic(self) -> float:
        return self.seconds

    def boottime(self) -> float:
        return self.seconds + self.slept

    def sleep(self, seconds: float) -> None:
        """The machine's: the monotonic clock stands still meanwhile."""
        self.set_ahead += timedelta(seconds=seconds)
        self.slept += seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
