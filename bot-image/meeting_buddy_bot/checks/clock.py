"""The one thing that checks want of a clock."""

from typing import Protocol


class Clock(Protocol):
    """Monotonic time."""

    def now(self) -> float:
        """Seconds since some moment; never falls."""
        ...
