"""Which step of a table comes next, on the way in and on the way out."""

from collections import Counter
from typing import Final

from meeting_buddy.contract.table import Step
from meeting_buddy_bot.platforms.probe import PageSnapshot

_TRIES: Final = 3
"""Failed tries of one step, until others that apply get as many: what lies over it may be theirs to close."""
_MAX_FAILED: Final = 150
"""Failed tries of one step; at some half a second each, more than a page is given to get through to the call."""


class StepRunner:
    """Counts how often each of a list of steps was run, and how often it could not be. Pure."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = steps
        self._runs: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._failures_in_a_row: Counter[str] = Counter()
        """Since any step could be run: with that one, what kept the others back may be gone."""

    def next(self, snapshot: PageSnapshot | None) -> Step | None:
        """The first step that applies and was run fewer than ``maxRuns`` times; tell :meth:`tried` what became of it.

        ``snapshot``: ``None`` when the page could not be read; no step applies then.
        """
        if snapshot is None:
            return None
        left = (each for each in self._steps if self._may_run(each) and snapshot.applies(each))
        return min(left, key=lambda step: self._failures_in_a_row[step.name] // _TRIES, default=None)

    def tried(self, step: Step, performed: bool) -> bool:
        """Count a step as run, or as one that could not be; ``performed`` itself."""
        if performed:
            self._runs[step.name] += 1
            self._failures_in_a_row.clear()
        else:
            self._failures[step.name] += 1
            self._failures_in_a_row[step.name] += 1
        return performed

    def _may_run(self, step: Step) -> bool:
        return self._runs[step.name] < step.max_runs and self._failures[step.name] < _MAX_FAILED
