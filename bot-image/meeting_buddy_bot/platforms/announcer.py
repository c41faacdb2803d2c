"""Writes the author's announcement into the meeting's chat, once, where a guest may write there.

Nothing that goes wrong here ends the session: it is in the events, and the recording goes on.
"""

from typing import Final

from meeting_buddy.contract.table import Announcement
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.probe import PageSnapshot
from meeting_buddy_bot.platforms.step_runner import StepRunner
from meeting_buddy_bot.support.event_log import EventLog

SECONDS: Final = 30.0
"""After the first look at the call; what could not be written by then is not written."""

TIDY_SECONDS: Final = 10.0
"""After that, or after the text was posted: how long the steps that tidy up may take."""

EFFECT_SECONDS: Final = 6.0
"""A page may take so long to show what a step did. A step that applies still is run again: pages lose clicks."""


class Announcer:
    """One announcement, across the browser's restarts."""

    def __init__(self, way: Announcement | None, page: MeetingPage, clock: Clock, events: EventLog) -> None:
        """``way``: how it is written; ``None``: the table does not say."""
        steps = way.steps if way else ()
        sends = [step.name for step in steps].index(way.sends) if way else 0
        self._known = way is not None
        self._writing = StepRunner(steps[: sends + 1])
        self._sending = StepRunner(steps[sends : sends + 1])
        self._tidying = StepRunner(steps[sends + 1 :])
        self._sends = way.sends if way else ""
        self._page = page
        self._clock = clock
        self._events = events
        self._until: float | None = None
        self._tried_to_send = False
        """Nothing is written anew then: what could not be sent may be there all the same, a moment later."""
        self._written = False
        """It is posted, or was given up."""
        self._run_at: dict[str, float] = {}
        self.over = False
        """Whether nothing is left to do."""

    async def advance(self, snapshot: PageSnapshot) -> None:
        """Do what the page, as it is in the call, lets be done next.

        What tidies up comes once the text was posted, or could not be.

        Raises:
            BrowserGoneError: the browser is gone, or hangs.
        """
        if self.over:
            return
        if not self._known:
            self.over = True
            self._events.write("announcement_failed", cause="the platform's table does not say how a guest writes")
            return
        now = self._clock.now()
        self._until = now + SECONDS if self._until is None else self._until
        if now <= self._until:
            if await self._run_next(snapshot, now) == self._sends:
                self._events.write("announcement_posted")
                self._tidy_up_from(self._clock.now())
        elif self._written:
            self.over = True
        else:
            self._events.write("announcement_failed", cause=f"it could not be written in {SECONDS:g} s")
            self._tidy_up_from(now)

    async def _run_next(self, snapshot: PageSnapshot, now: float) -> str | None:
        """Name of the step that was run, if any."""
        steps = self._tidying if self._written else self._sending if self._tried_to_send else self._writing
        step = steps.next(snapshot, {name for name, at in self._run_at.items() if now - at < EFFECT_SECONDS})
        if step is None:
            return None
        self._tried_to_send |= step.name == self._sends
        if not steps.tried(step, await self._page.perform(step)):
            return None
        self._run_at[step.name] = self._clock.now()
        return step.name

    def _tidy_up_from(self, now: float) -> None:
        """Nothing more is written; what is open is closed."""
        self._written = True
        self._until = now + TIDY_SECONDS
