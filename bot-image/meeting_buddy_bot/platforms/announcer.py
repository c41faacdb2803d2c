"""Writes the author's announcement into the meeting's chat, once, where a guest may write there.

Nothing that goes wrong here ends the session: it is in the events, and the recording goes on.
"""

from collections import Counter
from typing import Final

from meeting_buddy.contract.table import Announcement, Step, Verb
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.probe import PageSnapshot
from meeting_buddy_bot.support.event_log import EventLog

SECONDS: Final = 30.0
"""Of looks at the call; what could not be written by then is not written."""

TIDY_SECONDS: Final = 20.0
"""After that, or after the text was posted: how long the steps that tidy up may take."""

EFFECT_SECONDS: Final = 10.0
"""A page may take so long to show what a click did. A step that applies still is run again: pages lose clicks."""

SHORT_SECONDS: Final = 1.0
"""The same of a text that was typed, and of a pointer that was moved: done twice, they do no harm."""

_LOOK_SECONDS: Final = 1.0
"""Between two looks at the call; what lies further apart was no time in the call."""


class Announcer:
    """One announcement, across the browser's restarts."""

    def __init__(self, way: Announcement | None, page: MeetingPage, clock: Clock, events: EventLog) -> None:
        """``way``: how it is written; ``None``: the table does not say."""
        self._way = way
        self._steps = way.steps[: way.sends_at + 1] if way else ()
        """Those that may come now: first what writes, then what tidies up."""
        self._page = page
        self._clock = clock
        self._events = events
        self._written = False
        """It is posted, or was given up."""
        self._left = SECONDS
        self._looked_at: float | None = None
        self._runs: Counter[str] = Counter()
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
        if self._way is None:
            self.over = True
            self._events.write("announcement_failed", cause="the platform's table does not say how a guest writes")
            return
        now = self._clock.now()
        away = 0.0 if self._looked_at is None else now - self._looked_at
        self._left -= min(away, _LOOK_SECONDS)
        if away > EFFECT_SECONDS:  # it is another page, as a rule, and nothing of it is done
            self._runs.clear()
        self._looked_at = now
        if self._left > 0:
            await self._run_next(self._way, snapshot, now)
        elif self._written:
            self.over = True
        else:
            self._events.write("announcement_failed", cause=f"it could not be written in {SECONDS:g} s")
            self._tidy_up(self._way)

    async def _run_next(self, way: Announcement, snapshot: PageSnapshot, now: float) -> None:
        step = next((each for each in self._steps if self._may_run(each) and snapshot.applies(each)), None)
        if step is None or now < self._run_at.get(step.name, -EFFECT_SECONDS) + _effect_seconds(step):
            return
        if step.name == way.sends:
            # What could not be sent may be there all the same, a moment later: nothing is written anew.
            self._steps = (step,)
        if not await self._page.perform(step):
            return
        self._runs[step.name] += 1
        self._run_at[step.name] = self._clock.now()
        if step.name == way.sends:
            self._events.write("announcement_posted")
            self._tidy_up(way)

    def _may_run(self, step: Step) -> bool:
        """One that does not say when it applies would undo what it did."""
        tells = bool(step.when.matches) or step.do is Verb.TYPE
        return self._runs[step.name] < (step.max_runs if tells else 1)

    def _tidy_up(self, way: Announcement) -> None:
        """Nothing more is written; what is open is closed."""
        self._written = True
        self._steps = way.steps[way.sends_at + 1 :]
        self._left = TIDY_SECONDS


def _effect_seconds(step: Step) -> float:
    return SHORT_SECONDS if step.do in (Verb.TYPE, Verb.HOVER) else EFFECT_SECONDS
