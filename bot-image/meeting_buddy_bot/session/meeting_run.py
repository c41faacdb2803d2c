"""One bot's time at a meeting: join → stay → leave, whatever happens in between.

A bot that replaces one that was in the meeting (``rejoins``) reads the page's answers as one that comes back.

A browser that dies or hangs, and a call that the page gives up, are answered by joining again in the same pod; the
recorder goes on and states the gap. All that the bot knows of a page is in the platform's table; what the user wants is
in the assignment; why it ends is one :class:`SessionResult`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple

from meeting_buddy.contract.phases import Phase, Waiting
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.table import State
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import BrowserError, BrowserGoneError, PageTimeoutError, SandboxRefusedError
from meeting_buddy_bot.checks.browser_restarts import BrowserRestarts
from meeting_buddy_bot.checks.connection_lost import ConnectionLost
from meeting_buddy_bot.checks.media_flows import MediaFlow
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.checks.too_often import TooOften
from meeting_buddy_bot.checks.waiting_room import WaitingRoom
from meeting_buddy_bot.platforms.announcer import Announcer
from meeting_buddy_bot.platforms.join_loop import join
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.page_state import PageState, PageStateTracker
from meeting_buddy_bot.platforms.probe import PageSnapshot, pause
from meeting_buddy_bot.platforms.step_runner import StepRunner
from meeting_buddy_bot.session.call_monitor import CallMonitor
from meeting_buddy_bot.session.context import SessionContext
from meeting_buddy_bot.session.evidence import EvidenceKeeper
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.session.rejoin import PASSING, after_joining
from meeting_buddy_bot.session.result import SessionResult, failed

POLL: Final = 0.25
"""Seconds between two looks at the call; speaking hints are that precise."""
_CHROMEDRIVER_SECONDS: Final = 120.0
"""For a container that the kubelet restarts, its back-off included."""
_REJOIN_PAUSE: Final = 2.0
_LEAVE_SECONDS: Final = 8.0
_EVIDENCE_SECONDS, _EVIDENCE_SHARE = 5.0, 0.1
"""For all that is kept of a meeting that somebody waits to be left: seconds, and share of the pod's grace period."""
_BACK_BEFORE_JOINING: Final = "the page went back to where one joins"
"""Cause of an outage."""
_AWAY: Final = {
    State.LOBBY: "the bot waited outside the call",
    State.RECONNECTING: "the page was reconnecting",
    State.PRE_JOIN: _BACK_BEFORE_JOINING,
}
"""Causes of gaps that a page states which then shows the call again."""
_FLICKER_SECONDS: Final = 2.0
"""A page may be between two states for so long, and still show the call."""
_MAX_RETURNS, _RETURNS_SECONDS = 2, 600.0
"""So often within so long that is followed: who is put out of each call is not wanted."""

_log = logging.getLogger(__name__)


async def attend(context: SessionContext, browser: Browser) -> SessionResult:
    """Join the context's meeting, stay until it is over or the bot is asked to leave, leave it.

    Browser failures end in an :class:`SessionResult`; what the recorder raises is passed on, after the bot has left.
    """
    run = _MeetingRun(context, browser)
    documenting = asyncio.create_task(run.evidence.keep_states()) if context.assignment.debug_mode else None
    try:
        result = await _until_asked(run.run(), context.leave)
        context.on_result(result)
    except BaseException as error:
        result = failed(error)
        if isinstance(error, Exception):  # else it was cut short, and whoever did that knows why
            context.on_result(result)
        await run.leave(result, asked=context.leave.requested)
        raise
    finally:
        if documenting is not None:
            documenting.cancel()
            [fault] = await asyncio.gather(documenting, return_exceptions=True)
            if isinstance(fault, Exception):
                _log.error("the page's states could not be documented", exc_info=fault)
    with contextlib.suppress(asyncio.CancelledError):  # out of time; why it ended is known all the same
        await run.leave(result, asked=context.leave.requested)
    return result


async def _until_asked(run: Coroutine[Any, Any, SessionResult], leave: LeaveSignal) -> SessionResult:
    running = asyncio.create_task(run, name="meeting")
    asked = asyncio.create_task(leave.wait(), name="asked to leave")
    try:
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else SessionResult(asked.result(), leave.message)
    finally:
        for task in (running, asked):
            task.cancel()
        await asyncio.gather(running, asked, return_exceptions=True)


class _Outage(NamedTuple):
    """The bot was in the meeting, is out of the call, and tries to come back."""

    cause: str
    until: float
    """When it gives up, seconds on the session clock."""


class _MeetingRun:
    """One bot's time around one meeting, across browsers."""

    def __init__(self, context: SessionContext, browser: Browser) -> None:
        assignment, clock = context.assignment, context.clock
        self._assignment = assignment
        self._table = assignment.table
        self._recorder = context.recorder
        self._clock = clock
        self._events = context.events
        self._browser = browser
        self._reporter = context.reporter
        self._page = MeetingPage(
            browser,
            assignment.table,
            context.meeting,
            assignment.bot_name,
            context.passcode,
            clock,
            context.events,
            assignment.announcement,
        )
        self._announcer = (
            Announcer(assignment.table.announcement, self._page, clock, context.events)
            if assignment.announcement and not assignment.rejoins
            else None
        )
        self._page.on_read = self._page_read
        self._devices_answer = context.devices_answer
        self._sound = context.sound
        self._sound_starts = self._sound.starts
        """Which start of the sound device the browser plays to."""
        self._call = CallMonitor(assignment, clock, context.reporter)
        self.evidence = EvidenceKeeper(
            browser,
            self._page,
            self._call.people,
            Redactor.for_link(context.meeting.link, rules=context.meeting.rules, passcode=context.secret_passcode),
            context.volume,
            context.events,
            context.reporter.evidence,
        )
        self._lobby = WaitingRoom(clock, assignment.limits.waiting_room_seconds)
        self._restarts = BrowserRestarts(clock)
        self._returns = TooOften(clock, _MAX_RETURNS, _RETURNS_SECONDS)
        self._seen_in_call = clock.now()
        """When the bot was last seen in the call, seconds on the session clock."""
        self._outage: _Outage | None = None
        self._away = ""
        """What the page last showed instead of the call, since it did."""

    # Join and stay

    async def run(self) -> SessionResult:
        """Join and stay, again and again while it makes sense; how it ended."""
        self._reporter.waiting(Waiting.CONNECTING)
        while True:
            started = False
            try:
                if not self._browser.alive:
                    await self._start_browser()
                started = True
                result = await self._join_and_stay()
            except SandboxRefusedError as error:
                return SessionResult(Reason.CONFIG_INVALID, str(error))
            except BrowserError as error:  # whatever kind it is of: nothing but a new browser is left to try
                self._events.write("browser_died", cause=str(error))
                self._reporter.browser(self._browser, self._restarts.total, alive=False)
                self._begin_rejoin("browser died")  # before anything is awaited that a request to leave cuts short
                await self._browser.close()
                if reason := self._restarts.verdict():
                    return SessionResult(
                        reason, f"the browser died: {error}; that was more than {self._restarts.limit}"
                    )
                if not started:  # what kept it from starting may pass
                    await asyncio.sleep(_REJOIN_PAUSE)
                continue
            if not self._was_in_meeting:
                return result
            if result.reason not in PASSING:
                return self._after_joining(result)
            outage = self._begin_rejoin("connection lost")
            if outage is None or self._clock.now() + _REJOIN_PAUSE >= outage.until:
                return self._after_joining(result)
            await asyncio.sleep(_REJOIN_PAUSE)

    @property
    def _was_in_meeting(self) -> bool:
        """Whether this bot, or the one that it replaces, was in the meeting."""
        return self._assignment.rejoins or self._reporter.ever_joined

    def _after_joining(self, result: SessionResult) -> SessionResult:
        return after_joining(
            result, over_if_lost=self._outage is not None and self._outage.cause == _BACK_BEFORE_JOINING
        )

    def _page_read(self) -> None:
        self._reporter.looked()
        if self._sound.starts != self._sound_starts:
            raise BrowserGoneError("the sound device that it played to has ended")

    async def _start_browser(self) -> None:
        await self._devices_answer()
        self._sound_starts = self._sound.starts
        await self._browser.start(_CHROMEDRIVER_SECONDS)
        self._reporter.browser(self._browser, self._restarts.total, alive=True)
        self._events.write("browser_started", version=self._browser.version, sandbox=self._browser.sandbox)

    async def _join_and_stay(self) -> SessionResult:
        joined = await join(self._page, self._table, self._clock, self._lobby, self._reporter.waiting)
        if isinstance(joined, SessionResult):
            return joined
        await self._admitted()
        return await self._stay(joined)

    async def _admitted(self) -> None:
        now = self._clock.now()
        self._seen_in_call, began, outage = now, self._seen_in_call, self._outage
        self._away = ""
        self._lobby.admitted()
        self._restarts.in_call()
        if outage is not None:
            if self._reporter.ever_joined:  # before, nothing was recorded that could not show the meeting
                self._recorder.note_gap(began, now, outage.cause)
            self._events.write("rejoined", seconds=round(now - began, 1))
            self._outage = None
        if self._reporter.ever_joined:
            self._reporter.waiting(None)
            return
        self._call.admitted()
        self._reporter.admitted(self._clock.utc(now), "hints" if self._table.participants.speaking else "mixed")
        self._recorder.start()

    async def _stay(self, tracker: PageStateTracker) -> SessionResult:
        responsive = PageResponsive(self._clock)
        sound, picture = MediaFlow(self._clock), MediaFlow(self._clock)
        lost = ConnectionLost(self._clock, self._table.timeouts.reconnect)
        pictures: bool | None = None
        steps = StepRunner(tuple(step for step in self._table.steps if step.in_call), self._clock)
        while True:
            snapshot = await self._look(responsive)
            if snapshot is not None:
                pictures = picture.take(snapshot.video)
            page_state = tracker.update(snapshot, self._clock.now(), pictures)
            if page_state.state in (State.ENDED, State.REFUSED) and page_state.reason is not None:
                if page_state.signal is not None and page_state.signal.state is State.PRE_JOIN:
                    if self._returns.verdict():
                        return SessionResult(Reason.MEETING_ENDED, f"{_BACK_BEFORE_JOINING}, each time anew")
                    self._begin_rejoin(_BACK_BEFORE_JOINING)
                return SessionResult(page_state.reason)
            known = page_state.state in (State.RECONNECTING, State.IN_CALL)
            reason = self._note_out_of_call(page_state) or lost.verdict(
                reconnecting=page_state.state is State.RECONNECTING if known else None
            )
            if snapshot is not None and page_state.state is State.IN_CALL:
                self._note_away()
                self._seen_in_call = self._clock.now()
                reason = self._call.take(snapshot, sound.take(snapshot.audio), pictures)
            if reason is not None:
                return SessionResult(reason)
            step = steps.next(snapshot)
            acted = step is not None and steps.tried(step, await self._page.perform(step))
            if snapshot is not None and page_state.state is State.IN_CALL and not acted and self._announcer is not None:
                await self._announcer.advance(snapshot)
            await asyncio.sleep(pause(snapshot, POLL))

    async def _look(self, responsive: PageResponsive) -> PageSnapshot | None:
        started = self._clock.now()
        try:
            snapshot = await self._page.read()
        except PageTimeoutError as error:
            if responsive.hung(started):
                self._away = "the page hung"  # should the bot have to leave meanwhile
                await self.evidence.keep("page-hung", seconds=1)
                raise BrowserGoneError("the page hangs") from error
            return None
        responsive.answered()
        return snapshot

    def _note_out_of_call(self, page_state: PageState) -> Reason | None:
        """Note whether the bot is out of the call for now; a reason when it was left in the lobby for too long."""
        if page_state.state in _AWAY:
            self._away = _AWAY[page_state.state]
        if page_state.waiting is not None:
            self._reporter.waiting(page_state.waiting)
            reason = self._lobby.verdict(page_state.waiting)
            # Whom the host put out and nobody let in again was removed.
            return Reason.REMOVED_FROM_MEETING if reason is Reason.NOT_ADMITTED else reason
        self._lobby.verdict(None)
        if page_state.state is State.RECONNECTING:
            self._reporter.reconnecting()
        elif page_state.state is State.IN_CALL:
            self._lobby.admitted()
            self._reporter.waiting(None)
        return None

    def _note_away(self) -> None:
        """State what was recorded while the page did not show the call, unless it only flickered."""
        now = self._clock.now()
        if self._away and now - self._seen_in_call > _FLICKER_SECONDS:
            self._recorder.note_gap(self._seen_in_call, now, self._away)
            self._call.interrupted()
        self._away = ""

    def _begin_rejoin(self, cause: str) -> _Outage | None:
        """The bot tries to come back; ``None``: it was never in the meeting. An outage that goes on keeps its cause."""
        self._call.interrupted()
        if not self._was_in_meeting:
            self._reporter.waiting(Waiting.CONNECTING)
            return None
        if self._outage is None:
            self._outage = _Outage(cause, self._clock.now() + self._table.timeouts.rejoin)
            self._events.write("rejoining", cause=cause)
        self._reporter.waiting(Waiting.REJOINING)
        return self._outage

    # Leave

    async def leave(self, result: SessionResult, *, asked: bool) -> None:
        """Leave the page as a person does and end the browser; ``asked``: somebody waits for it."""
        self._events.write("leaving", reason=result.reason)
        self._page.on_read = self._reporter.looked  # who leaves politely need not be heard any more
        try:
            self._call.close()
        except Exception:  # a fault of ours, for which nobody stays in the meeting
            _log.exception("who was in the meeting could not be told")
        try:
            if self._assignment.debug_mode or (not asked and REASONS[result.reason].end is Phase.FAILED):
                await self._keep_last_evidence(str(result.reason), asked=asked)
        finally:  # also when there is no time left for it
            await self._leave_meeting()

    async def _leave_meeting(self) -> None:
        if self._outage is not None and self._reporter.ever_joined:
            self._recorder.note_gap(self._seen_in_call, self._clock.now(), self._outage.cause)
        elif self._reporter.ever_joined:
            self._note_away()
        self._reporter.leaving()
        closing = self._recorder.stop() if self._reporter.ever_joined else asyncio.sleep(0)
        left, closed = await asyncio.gather(self._leave_page(), closing, return_exceptions=True)
        for what, error in (("the page could not be left", left), ("the recorder could not be stopped", closed)):
            if isinstance(error, Exception):
                _log.error(what, exc_info=error)

    async def _leave_page(self) -> None:
        """Leave as a person does; then close the browser, which leaves for certain."""
        agrees = False
        try:
            agrees = await self._page.leave(_LEAVE_SECONDS)
        finally:
            try:
                await self._browser.close()
            finally:  # and not behind the recorder, which may wait for its volume
                self._events.write("left", page_agrees=agrees)
                self._reporter.left(self._clock.utc())
                self._reporter.browser(self._browser, self._restarts.total, alive=False)

    async def _keep_last_evidence(self, name: str, *, asked: bool) -> None:
        if not asked:
            await self.evidence.keep(name)
        else:
            grace = self._assignment.grace_seconds
            await self.evidence.keep_within(name, min(_EVIDENCE_SECONDS, _EVIDENCE_SHARE * grace))
