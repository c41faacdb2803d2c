"""Writes the author's announcement into the meeting's chat, once, where a guest may write there.

Nothing that goes wrong here ends the session: it is in the events, and the recording goes on.
"""

from typing import Final

from meeting_buddy.contract.table import Announcement, Step
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.probe import PageSnapshot
from meeting_buddy_bot.support.event_log import EventLog

SECONDS: Final = 30.0
"""After the first look at the call; what could not be written by then is not written."""

TIDY_SECONDS: Final = 10.0
"""After that, or after the text was posted: how long the steps that tidy up may take."""


class StepSequence:
    """Steps in their order: one that was performed, and all before it, never come again. Pure."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = steps

    def next(self, snapshot: PageSnapshot) -> Step | None:
        """The first step left that applies."""
        return next((step for step in self._steps if snapshot.applies(step)), None)

    def performed(self, step: Step) -> None:
        """It was run."""
        self._steps = self._steps[self._steps.index(step) + 1 :]

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return not self._steps


class Announcer:
    """One announcement, across the browser's restarts."""

    def __init__(self, way: Announcement | None, page: MeetingPage, clock: Clock, events: EventLog) -> None:
        """``way``: how it is written; ``None``: the table does not say."""
        steps = way.steps if way else ()
        sent = [step.name for step in steps].index(way.sends) + 1 if way else 0
        self._known = way is not None
        self._writing = StepSequence(steps[:sent])
        self._tidying = StepSequence(steps[sent:])
        self._page = page
        self._clock = clock
        self._events = events
        self._until: float | None = None
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
        if now > self._until:
            if not self._writing.over:
                self._events.write("announcement_failed", cause=f"it could not be written in {SECONDS:g} s")
                self._written(now)
            else:
                self.over = True
        elif not self._writing.over:
            if await self._perform_next(self._writing, snapshot) and self._writing.over:
                self._events.write("announcement_posted")
                self._written(self._clock.now())
        else:
            await self._perform_next(self._tidying, snapshot)
        self.over = self.over or (self._writing.over and self._tidying.over)

    async def _perform_next(self, steps: StepSequence, snapshot: PageSnapshot) -> bool:
        step = steps.next(snapshot)
        if step is None or not await self._page.perform(step):
            return False
        steps.performed(step)
        return True

    def _written(self, now: float) -> None:
        """Nothing more is written; what is open is closed."""
        self._writing = StepSequence(())
        self._until = now + TIDY_SECONDS
