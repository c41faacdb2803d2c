"""What a table makes of one look at a page that stays as it is. Pure."""

from typing import Final, NamedTuple

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable, State
from meeting_buddy_bot.platforms.page_state import PageStateTracker
from meeting_buddy_bot.platforms.probe import PageSnapshot
from meeting_buddy_bot.platforms.step_runner import StepRunner

_LONG: Final = 61.0
"""Seconds; longer than any ``stableFor``."""


class Verdict(NamedTuple):
    """What the bot would believe and do."""

    state: State | None
    """``None``: nothing that the table knows."""
    reason: Reason | None = None
    waiting: Waiting | None = None
    step: str | None = None
    """The step that the join loop would take."""


def verdict(table: PlatformTable, snapshot: PageSnapshot, *, joined: bool) -> Verdict:
    """What the bot makes of a page that shows the same for longer than any signal must hold.

    ``joined``: whether the bot was in the call before.
    """
    tracker = PageStateTracker(table)
    tracker.joined = joined
    tracker.update(snapshot, 0.0, picture=True)
    found = tracker.update(snapshot, _LONG, picture=True)
    step = StepRunner(table.steps).next(snapshot)
    waiting = found.signal.waiting if found.signal else None
    return Verdict(found.state, found.reason, waiting, step.name if step else None)
