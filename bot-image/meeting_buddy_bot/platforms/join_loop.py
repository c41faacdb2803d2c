"""Joining is a loop, not a script: at each look the first step whose condition holds is run, until the call is reached.

Pages reorder their dialogs, show them twice, or not at all; a loop over conditions does not care.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable, State, Step
from meeting_buddy_bot.browser.errors import BrowserGoneError, NavigationError, PageTimeoutError
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.checks.waiting_room import WaitingRoom
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.page_state import PageState, PageStateTracker
from meeting_buddy_bot.platforms.probe import pause
from meeting_buddy_bot.platforms.step_runner import StepRunner
from meeting_buddy_bot.session.result import SessionResult

POLL: Final = 0.2
"""Seconds between two looks while joining."""
_BLANK_SECONDS: Final = 5.0
"""That a page shows nothing known after a part of it was not loaded, until it is opened again."""
_MAX_REOPENED: Final = 2
"""Times, once it has shown something: what was typed is typed again, and who was let in has to ask again."""


class JoinDeadlines:
    """When joining must be given up. Pure but for the clock."""

    def __init__(self, table: PlatformTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._opened = clock.now()
        self._recognised: float | None = None
        """Since when the page has had its time for joining: its first sign, or the lobby's last one."""

    @property
    def recognised(self) -> bool:
        """Whether the page ever showed anything that the table knows."""
        return self._recognised is not None

    def reopened(self, began: float) -> None:
        """The page was opened again, since then: that is no time in which it could have shown anything."""
        took = self._clock.now() - began
        self._opened += took
        if self._recognised is not None:
            self._recognised += took

    def verdict(self, seen: PageState, step: Step | None, status: int) -> SessionResult | None:
        """Why joining must be given up by now, if so; called with what each look found.

        ``status``: the document's HTTP status, 0 when unknown.
        """
        now = self._clock.now()
        first = self._recognised is None and (seen.state is not None or step is not None)
        # Time in the lobby is people's, which WaitingRoom limits; who is let in has the whole way to the call ahead.
        if first or seen.state is State.LOBBY:
            self._recognised = now
        timeouts = self._table.timeouts
        if self._recognised is None:
            if now - self._opened < timeouts.load:
                return None
            if status >= 400:
                return SessionResult(Reason.PAGE_UNREACHABLE, f"the meeting's site answered {status}")
            return SessionResult(Reason.PAGE_NOT_RECOGNISED, "the page shows nothing that the platform's table knows")
        if now - self._recognised < timeouts.join:
            return None
        return SessionResult(Reason.JOIN_TIMEOUT, f"the page was not through to the call in {timeouts.join:g} s")


class BlankPage:
    """Whether a page whose parts were not all loaded has to be opened again. Pure but for the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.now()
        self._seconds = 0.0
        self._reopened = 0

    def look(self, *, read: bool, known: bool) -> None:
        """Whether the page could be read, and whether it shows anything that the table knows."""
        since_last, self._last = self._clock.now() - self._last, self._clock.now()
        if known:
            self._seconds = 0.0
        elif read:  # what a page shows that does not answer, nobody knows
            self._seconds += since_last

    def reopened(self, *, recognised: bool) -> None:
        """It was opened again; ``recognised``: it had shown something before."""
        self._last, self._seconds = self._clock.now(), 0.0
        self._reopened += recognised

    @property
    def due(self) -> bool:
        """Whether it was blank for long enough, if something of it is missing."""
        return self._seconds >= _BLANK_SECONDS and self._reopened < _MAX_REOPENED


async def join(
    page: MeetingPage,
    table: PlatformTable,
    clock: Clock,
    lobby: WaitingRoom,
    tell: Callable[[Waiting], None],
) -> SessionResult | PageStateTracker:
    """Open the meeting and join it. The tracker that saw the call goes on judging it.

    Raises:
        BrowserGoneError: browser or tab is gone, or the page hangs.
    """
    try:
        await page.open()
    except NavigationError as error:
        return _not_loaded(error)
    tracker, responsive = PageStateTracker(table), PageResponsive(clock)
    steps, deadlines, blank = StepRunner(table.steps, clock), JoinDeadlines(table, clock), BlankPage(clock)
    while True:
        started = clock.now()
        try:
            snapshot = await page.read()
        except PageTimeoutError as error:
            if responsive.hung(started):
                raise BrowserGoneError("the page hangs") from error
            snapshot = None
        else:
            responsive.answered()
        page_state = tracker.update(snapshot, clock.now())
        if page_state.state is State.IN_CALL:
            return tracker
        if page_state.state in (State.ENDED, State.REFUSED) and page_state.reason is not None:
            return SessionResult(page_state.reason, REFUSALS.get(page_state.reason))
        tell(page_state.waiting or Waiting.CONNECTING)
        if (reason := lobby.verdict(page_state.waiting)) is not None:
            return SessionResult(reason, _WAITED_FOR[reason])
        step = steps.next(snapshot)
        known = page_state.state is not None or step is not None
        blank.look(read=snapshot is not None, known=known)
        if known:
            page.note_known()
        if step is not None:
            if step.secret and not page.has_passcode:
                return SessionResult(Reason.PASSCODE_MISSING, "the meeting asks for a passcode")
            steps.tried(step, await page.perform(step))
        if (result := deadlines.verdict(page_state, step, snapshot.status if snapshot else 0)) is not None:
            return result
        if blank.due and await page.load_interrupted():
            began = clock.now()
            try:
                await page.open_again()
            except NavigationError as error:
                return _not_loaded(error)
            tracker, steps, responsive = PageStateTracker(table), StepRunner(table.steps, clock), PageResponsive(clock)
            blank.reopened(recognised=deadlines.recognised)
            deadlines.reopened(began)
        await asyncio.sleep(pause(snapshot, POLL))


def _not_loaded(error: NavigationError) -> SessionResult:
    return SessionResult(Reason.PAGE_UNREACHABLE, f"the meeting's page could not be loaded: {error.net}")


_WAITED_FOR: Final = {
    Reason.NOT_ADMITTED: "nobody let the bot in before its time in the waiting room was over",
    Reason.MEETING_NOT_STARTED: "nobody had started the meeting when the bot's time to wait was over",
}
REFUSALS: Final = {
    Reason.PAGE_UNREACHABLE: "the page could not reach the meeting's server, or the server would not let it in",
    Reason.ENTRY_DENIED: "the meeting refused the bot",
}
"""What goes with a reason that alone says little."""
