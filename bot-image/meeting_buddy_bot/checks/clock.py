"""The one thing that checks want of a clock.

What happens if this process dies here? Nothing is held.
"""

from typing import Protocol


class Clock(Protocol):
    """Monotonic time."""

    def now(self) -> float:
        """Seconds since some moment; never falls."""
        ...
