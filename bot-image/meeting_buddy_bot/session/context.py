"""What a session works with, and what it returns: the one seam between components and session."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.links import Meeting
from meeting_buddy_bot.devices.device import Device
from meeting_buddy_bot.recording.recorder import Recorder
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.settings import Settings
from meeting_buddy_bot.support.volume import Volume


@dataclass(frozen=True, slots=True)
class SessionContext:
    """One session's surroundings; all of it outlives the session."""

    settings: Settings
    assignment: Assignment
    meeting: Meeting
    """The assignment's link, parsed."""
    recorder: Recorder
    reporter: SessionReporter
    clock: SessionClock
    events: EventLog
    volume: Volume
    leave: LeaveSignal
    sound: Device
    """What the browser plays to."""
    devices_answer: Callable[[], Awaitable[None]]
    """Returns once a browser can draw and play."""
    secret_passcode: str | None = field(default=None, repr=False)
    """The passcode of ``passcodeSecretRef``, whether or not the link carries one too."""
    on_result: Callable[[SessionResult], None] = field(default=lambda result: None, repr=False)
    """To be called as soon as it is known why the session ends: leaving may take longer than there is time."""

    @property
    def passcode(self) -> str | None:
        """The meeting's passcode: the link's own, else the Secret's."""
        return self.meeting.passcode or self.secret_passcode


Attend = Callable[[SessionContext], Coroutine[Any, Any, SessionResult]]
"""Join, stay, leave; returns soon after ``context.leave`` was requested."""
