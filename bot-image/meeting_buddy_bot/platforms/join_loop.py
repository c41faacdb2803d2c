"""Joining is a loop, not a script: at each look the first step whose condition holds is run, until the call is reached.

Pages reorder their dialogs, show them twice, or not at all; a loop over conditions does not care.

What happens if this process dies here? The next bot starts the loop from the page's beginning.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable, State, Step
from meeting_buddy_bot.browser.errors import BrowserDiedError, NavigationError, PageSilentError
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.checks.waiting_room import WaitingRoom
from meeting_buddy_bot.ending import Ending
from meeting_buddy_bot.platforms.judgement import Judgement, Verdict
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.probe import Reading

POLL: Final = 0.2
"""Seconds between two looks while joining."""


class JoinLoop:
    """Which step comes next, and when patience is over. Pure but for the clock."""

    def __init__(self, table: PlatformTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._uses: dict[str, int] = {}
        self._opened = clock.now()
        self._recognised: float | None = None
        self._in_lobby = 0.0
        self._last = self._opened

    def next_step(self, reading: Reading) -> Step | None:
        """The first step whose condition holds and that was not yet run ``max`` times."""
        for step in self._table.steps:
            if self._uses.get(step.name, 0) < step.max and reading.holds(step.when):
                self._uses[step.name] = self._uses.get(step.name, 0) + 1
                return step
        return None

    def out_of_patience(self, verdict: Verdict, step: Step | None, status: int) -> Ending | None:
        """Why joining must be given up by now, if so; told with each look what it found."""
        now = self._clock.now()
        since_last, self._last = now - self._last, now
        if verdict.state is State.LOBBY:
            self._in_lobby += since_last  # people's time, not the page's
        if self._recognised is None and (verdict.state is not None or step is not None):
            self._recognised = now
        patience = self._table.patience
        if self._recognised is None:
            if now - self._opened < patience.load:
                return None
            if status >= 400:
                return Ending(Reason.PAGE_UNREACHABLE, f"the meeting's site answered {status}")
            return Ending(Reason.PAGE_NOT_RECOGNISED, "the page shows nothing that the platform's table knows")
        if now - self._recognised - self._in_lobby < patience.join:
            return None
        return Ending(Reason.JOIN_TIMEOUT, f"the page was not through to the call in {patience.join:g} s")


async def join(
    page: MeetingPage,
    table: PlatformTable,
    clock: Clock,
    lobby: WaitingRoom,
    tell: Callable[[Waiting], None],
) -> Ending | Judgement:
    """Open the meeting and join it. The judgement that saw the call goes on judging it.

    Raises:
        BrowserDiedError: browser or tab is gone, or the page hangs.
    """
    try:
        await page.open()
    except NavigationError as error:
        return Ending(Reason.PAGE_UNREACHABLE, f"the meeting's page could not be loaded: {error.net}")
    judgement, loop, responsive = Judgement(table), JoinLoop(table, clock), PageResponsive(clock)
    while True:
        started = clock.now()
        try:
            reading = await page.read()
        except PageSilentError as error:
            if responsive.hung(started):
                raise BrowserDiedError("the page hangs") from error
            reading = None
        else:
            responsive.answered()
        verdict = judgement.take(reading, clock.now())
        if verdict.state is State.IN_CALL:
            return judgement
        if verdict.state in (State.ENDED, State.REFUSED) and verdict.reason is not None:
            return Ending(verdict.reason, REFUSALS.get(verdict.reason))
        waiting = _waiting(verdict)
        tell(waiting or Waiting.CONNECTING)
        if (reason := lobby.verdict(waiting)) is not None:
            return Ending(reason, "nobody let the bot in before its time in the waiting room was over")
        step = loop.next_step(reading) if reading is not None else None
        if step is not None:
            await page.perform(step)
        if (ending := loop.out_of_patience(verdict, step, reading.status if reading else 0)) is not None:
            return ending
        await asyncio.sleep(POLL)


REFUSALS: Final = {
    Reason.PAGE_UNREACHABLE: "the page could not reach the meeting's server, or the server would not let it in",
    Reason.ENTRY_DENIED: "the meeting refused the bot",
}
"""What goes with a reason that alone says little."""


def _waiting(verdict: Verdict) -> Waiting | None:
    if verdict.state is not State.LOBBY:
        return None
    return (verdict.signal.waiting if verdict.signal else None) or Waiting.WAITING_ROOM
