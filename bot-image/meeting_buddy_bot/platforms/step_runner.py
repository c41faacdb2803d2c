"""Which step of a table comes next, on the way in and on the way out."""

from meeting_buddy.contract.table import Step
from meeting_buddy_bot.platforms.probe import PageSnapshot


class StepRunner:
    """Counts how often each of a list of steps was chosen. Pure."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = steps
        self._uses: dict[str, int] = {}

    def next(self, snapshot: PageSnapshot | None) -> Step | None:
        """The first step that applies and was chosen fewer than ``maxRuns`` times; it counts as chosen.

        ``snapshot``: ``None`` when the page could not be read; no step applies then.
        """
        if snapshot is None:
            return None
        for step in self._steps:
            if self._uses.get(step.name, 0) < step.max_runs and snapshot.applies(step):
                self._uses[step.name] = self._uses.get(step.name, 0) + 1
                return step
        return None
