"""What a session is given to play with, and what it gives back: the one seam between the family and the session.

What happens if this process dies here? Pure values.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.links import Meeting
from meeting_buddy_bot.clock import SessionClock
from meeting_buddy_bot.ending import Ending
from meeting_buddy_bot.events import EventLog
from meeting_buddy_bot.leave import LeaveSignal
from meeting_buddy_bot.recording.recorder import Recorder
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """One session's surroundings; all of it outlives the session."""

    settings: Settings
    assignment: Assignment
    meeting: Meeting
    """The assignment's link, judged."""
    recorder: Recorder
    state: ReportState
    clock: SessionClock
    events: EventLog
    leave: LeaveSignal


Attend = Callable[[Stage], Coroutine[Any, Any, Ending]]
"""Join, stay, leave; returns soon after ``stage.leave`` was requested."""
