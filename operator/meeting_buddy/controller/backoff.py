"""Growing pauses between tries: the one rule for everything in the operator that tries again."""

import random
from dataclasses import dataclass, field
from typing import Final

_SPREAD: Final = (0.8, 1.2)
"""Factor of each pause, drawn at random: what failed together must not come back together."""
_MAX_DOUBLINGS: Final = 16


@dataclass(slots=True)
class Backoff:
    """Pauses in seconds that double from ``first`` to ``last``; :meth:`reset` after a success."""

    first: float
    last: float
    failures: int = field(default=0, init=False)

    def next(self, at_least: float = 0.0) -> float:
        """Count a failure; the pause until the next try, never shorter than what the other side asked for."""
        pause = min(self.first * 2.0 ** min(self.failures, _MAX_DOUBLINGS), self.last)
        self.failures += 1
        return max(pause * random.uniform(*_SPREAD), at_least)  # noqa: S311 -- spreads retries, guards nothing

    def reset(self) -> None:
        """Begin with the shortest pause again."""
        self.failures = 0
