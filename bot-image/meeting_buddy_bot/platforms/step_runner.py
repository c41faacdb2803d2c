"""Which step of a table comes next, on the way in and on the way out."""

from collections import Counter
from typing import Final

from meeting_buddy.contract.table import Step
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.platforms.probe import PageSnapshot

_TRIES: Final = 3
"""Failed tries of one step, until others that apply get as many: what lies over it may be theirs to close."""
_MAX_FAILED: Final = 150
"""Failed tries of one step; at some half a second each, more than a page is given to get through to the call."""
_AGAIN_SECONDS: Final = 5.0
"""Until a step that was run ``maxRuns`` times is run once more, doubled each time.

Pages draw buttons seconds before they hear clicks: what was lost then is made up for while the call is still waited
for. Doubled, so that one which never helps, such as a button that opens and closes a list, is soon left alone, and
nobody is asked to let the bot in again and again.
"""
_PAST_SECONDS: Final = 120.0
"""For which a step did not apply: what makes it apply then is new, be it the same notice an hour later."""


class StepRunner:
    """Counts how often each of a list of steps was run, and how often it could not be. Pure but for the clock."""

    def __init__(self, steps: tuple[Step, ...], clock: Clock | None = None) -> None:
        """``clock``: ``None`` where time does not matter, as for a single look; no step is run again then."""
        self._steps = steps
        self._clock = clock
        self._runs: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._failures_in_a_row: Counter[str] = Counter()
        """Since any step could be run: with that one, what kept the others back may be gone."""
        self._last_run: dict[str, float] = {}
        self._last_applied: dict[str, float] = {}

    def next(self, snapshot: PageSnapshot | None) -> Step | None:
        """The first step that applies and may be run; tell :meth:`tried` what became of it.

        One that was run ``maxRuns`` times may be so again, ever more rarely, unless that is 1 or it types the passcode.
        It counts anew where it applies again after a while.

        ``snapshot``: ``None`` when the page could not be read; no step applies then.
        """
        if snapshot is None:
            return None
        applying = [each for each in self._steps if snapshot.applies(each)]
        for step in applying:
            self._note_applying(step)
        left = (each for each in applying if self._may_run(each))
        return min(left, key=lambda step: self._failures_in_a_row[step.name] // _TRIES, default=None)

    def tried(self, step: Step, performed: bool) -> bool:
        """Count a step as run, or as one that could not be; ``performed`` itself."""
        if performed:
            self._runs[step.name] += 1
            self._last_run[step.name] = self._now()
            self._failures_in_a_row.clear()
        else:
            self._failures[step.name] += 1
            self._failures_in_a_row[step.name] += 1
        return performed

    def _now(self) -> float:
        return self._clock.now() if self._clock is not None else 0.0

    def _note_applying(self, step: Step) -> None:
        now = self._now()
        if _repeatable(step) and now - self._last_applied.get(step.name, now) >= _PAST_SECONDS:
            del self._runs[step.name], self._failures[step.name]
        self._last_applied[step.name] = now

    def _may_run(self, step: Step) -> bool:
        if self._failures[step.name] >= _MAX_FAILED:
            return False
        beyond = self._runs[step.name] - step.max_runs
        if beyond < 0:
            return True
        return _repeatable(step) and self._now() - self._last_run[step.name] >= _AGAIN_SECONDS * 2**beyond


def _repeatable(step: Step) -> bool:
    return step.max_runs > 1 and not step.secret
