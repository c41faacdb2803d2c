"""The story of one bot: join → stay → leave, told once, whatever happens in between.

A browser that dies or hangs, and a call that the page gives up, are answered by joining again in the same pod; the
recorder goes on and states the gap. All that the bot knows of a page is in the platform's table; what the user wants is
in the assignment; why it ends is one :class:`Ending`.

What happens if this process dies here? The person stays listed in the meeting for some seconds, as after a network
failure; what was recorded is on the volume.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.links import LinkError, Meeting, SelfHosted, judge
from meeting_buddy.contract.phases import Phase, ReportPhase, Waiting
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.contract.report import BrowserReport, PeopleReport
from meeting_buddy.contract.table import State
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import BrowserDiedError, PageSilentError
from meeting_buddy_bot.checks.connection_lost import ConnectionLost
from meeting_buddy_bot.checks.everyone_left import EveryoneLeft
from meeting_buddy_bot.checks.media_flows import MediaFlow
from meeting_buddy_bot.checks.nobody_came import NobodyCame
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.checks.waiting_room import WaitingRoom
from meeting_buddy_bot.clock import SessionClock
from meeting_buddy_bot.events import EventLog
from meeting_buddy_bot.leave import LeaveSignal
from meeting_buddy_bot.platforms import evidence
from meeting_buddy_bot.platforms.ending import Ending
from meeting_buddy_bot.platforms.join_loop import join
from meeting_buddy_bot.platforms.judgement import Judgement, Verdict
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.people import People
from meeting_buddy_bot.platforms.probe import Reading
from meeting_buddy_bot.platforms.speakers import Interval, SpeakingHints
from meeting_buddy_bot.recording.recorder import Recorder
from meeting_buddy_bot.redaction import Redactor
from meeting_buddy_bot.reporting.state import ReportState

__all__ = ["Ending", "attend"]

MOST_RESTARTS: Final = 3
"""Browsers that may die in one session; the next death ends it."""
POLL: Final = 0.25
"""Seconds between two looks at the call; speaking hints are that precise."""
_CHROMEDRIVER_SECONDS: Final = 120.0
"""For a container that the kubelet restarts, its back-off included."""
_REJOIN_PAUSE: Final = 2.0
_LEAVE_SECONDS: Final = 8.0
_PASSING: Final = (Reason.PAGE_UNREACHABLE, Reason.JOIN_TIMEOUT, Reason.PAGE_NOT_RECOGNISED, Reason.CONNECTION_LOST)
"""What a site that is down for a while looks like to a bot that was in its meeting."""

_log = logging.getLogger(__name__)


async def attend(
    assignment: Assignment,
    link: str,
    browser: Browser,
    recorder: Recorder,
    state: ReportState,
    clock: SessionClock,
    events: EventLog,
    leave: LeaveSignal,
    folder: Path,
) -> Ending:
    """Join the meeting behind ``link``, stay until it is over or the bot is asked to leave, leave it.

    ``folder`` is the session's on the volume. Browser failures end in an :class:`Ending`; what the recorder raises is
    passed on, after the bot has left.
    """
    hosts = (SelfHosted(each.platform, each.host, each.port) for each in assignment.self_hosted)
    try:
        meeting = judge(link, assignment.platform, hosts)
    except LinkError as error:
        return Ending(error.reason, str(error))
    stay = _Stay(assignment, meeting, browser, recorder, state, clock, events, folder)
    ending = Ending(Reason.BOT_CRASHED)
    try:
        ending = await _until_asked(stay.run(), leave)
    finally:
        await stay.leave(ending, asked=leave.requested)
    return ending


async def _until_asked(run: Coroutine[Any, Any, Ending], leave: LeaveSignal) -> Ending:
    running = asyncio.create_task(run, name="stay")
    asked = asyncio.create_task(leave.wait(), name="asked to leave")
    try:
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else Ending(asked.result(), leave.message)
    finally:
        for task in (running, asked):
            task.cancel()
        await asyncio.gather(running, asked, return_exceptions=True)


class _Stay:
    """One bot's time around one meeting, across browsers."""

    def __init__(
        self,
        assignment: Assignment,
        meeting: Meeting,
        browser: Browser,
        recorder: Recorder,
        state: ReportState,
        clock: SessionClock,
        events: EventLog,
        folder: Path,
    ) -> None:
        self._assignment = assignment
        self._table = assignment.table
        self._link = meeting.link
        self._browser = browser
        self._recorder = recorder
        self._state = state
        self._clock = clock
        self._events = events
        self._folder = folder
        self._page = MeetingPage(browser, self._table, meeting, assignment.bot_name, clock, events)
        self._people = People(assignment.bot_name)
        self._speakers = SpeakingHints(self._note_speaking)
        self._lobby = WaitingRoom(clock, assignment.limits.waiting_room_seconds)
        self._nobody_came: NobodyCame | None = None
        self._everyone_left = EveryoneLeft(clock, assignment.limits.everyone_left_seconds)
        self._restarts = 0
        self._seen_in_call = 0.0
        self._outage: str | None = None
        self._outage_ends = 0.0
        self._flowing: dict[str, bool | None] = {}

    async def run(self) -> Ending:
        """Join and stay, again and again while it makes sense; how it ended."""
        self._tell_waiting(Waiting.CONNECTING)
        while True:
            try:
                if not self._browser.alive:
                    await self._start_browser()
                ending = await self._join_and_stay()
            except BrowserDiedError as error:
                self._events.write("browser_died", cause=str(error))
                self._tell_browser(alive=False)
                await self._browser.close()
                self._lost("browser died")
                if self._restarts >= MOST_RESTARTS:
                    return Ending(Reason.BROWSER_CRASHED, f"the browser died {self._restarts + 1} times")
                self._restarts += 1
                continue
            if not self._state.report.ever_joined or ending.reason not in _PASSING:
                return ending
            self._lost("connection lost")
            if self._clock.now() + _REJOIN_PAUSE >= self._outage_ends:
                return Ending(Reason.CONNECTION_LOST, "the connection to the meeting did not come back")
            await asyncio.sleep(_REJOIN_PAUSE)

    async def leave(self, ending: Ending, *, asked: bool) -> None:
        """Leave the page as a person does and end the browser; ``asked``: somebody waits for it."""
        self._events.write("leaving", reason=ending.reason)
        self._speakers.close(self._clock.now())
        if self._assignment.debug_mode or (not asked and REASONS[ending.reason].end is Phase.FAILED):
            await self._keep_evidence(str(ending.reason))
        if self._outage is not None:
            self._recorder.note_gap(self._seen_in_call, self._clock.now(), self._outage)
        self._state.update(phase=ReportPhase.LEAVING, waiting=None)
        joined = self._state.report.ever_joined
        closing = self._recorder.stop() if joined else asyncio.sleep(0)
        left, closed = await asyncio.gather(self._page.leave(_LEAVE_SECONDS), closing, return_exceptions=True)
        self._events.write("left", page_agrees=left is True)
        with contextlib.suppress(asyncio.CancelledError):
            await self._browser.close()
        changes = {"left_at": self._clock.utc()} if joined else {}
        self._state.update(people=self._state.report.people.model_copy(update={"current": ()}), **changes)
        self._tell_browser(alive=False)
        if isinstance(closed, BaseException):
            _log.error("the recorder could not be stopped", exc_info=closed)

    async def _start_browser(self) -> None:
        await self._browser.start(_CHROMEDRIVER_SECONDS)
        self._tell_browser(alive=True)
        self._events.write("browser_started", version=self._browser.version, sandbox=self._browser.sandbox)

    async def _join_and_stay(self) -> Ending:
        joined = await join(self._page, self._table, self._clock, self._lobby, self._tell_waiting)
        if isinstance(joined, Ending):
            return joined
        await self._admitted()
        return await self._stay(joined)

    async def _admitted(self) -> None:
        now = self._clock.now()
        self._seen_in_call, began, outage = now, self._seen_in_call, self._outage
        self._lobby.verdict(None)
        if outage is not None:
            self._recorder.note_gap(began, now, outage)
            self._events.write("rejoined", seconds=round(now - began, 1))
            self._outage = None
        if self._state.report.ever_joined:
            self._state.update(waiting=None)
            return
        self._events.write("admitted")
        self._nobody_came = NobodyCame(self._clock, self._assignment.limits.nobody_came_seconds)
        media = self._state.report.media.model_copy(
            update={"audio_route": "hints" if self._table.people.speaking else "mixed"}
        )
        self._state.update(
            phase=ReportPhase.ACTIVE, waiting=None, ever_joined=True, joined_at=self._clock.utc(now), media=media
        )
        if self._assignment.recording.enabled:
            await self._recorder.start()
            self._state.update(phase=ReportPhase.RECORDING)

    async def _stay(self, judgement: Judgement) -> Ending:
        responsive = PageResponsive(self._clock)
        sound, picture = MediaFlow(self._clock), MediaFlow(self._clock)
        lost = ConnectionLost(self._clock, self._table.patience.reconnect)
        while True:
            reading = await self._look(responsive)
            if reading is not None:
                self._tell_flow("sound", sound.take(reading.audio))
                self._tell_flow("picture", picture.take(reading.video))
            verdict = judgement.take(reading, self._clock.now(), self._flowing.get("picture"))
            if verdict.state in (State.ENDED, State.REFUSED) and verdict.reason is not None:
                return Ending(verdict.reason)
            reason = self._away(verdict) or lost.verdict(reconnecting=verdict.state is State.RECONNECTING)
            if reading is not None and verdict.state is State.IN_CALL:
                reason = self._in_call(reading)
            if reason is not None:
                return Ending(reason)
            await asyncio.sleep(POLL)

    async def _look(self, responsive: PageResponsive) -> Reading | None:
        started = self._clock.now()
        try:
            reading = await self._page.read()
        except PageSilentError as error:
            if responsive.hung(started):
                await self._keep_evidence("page-hung", seconds=1)
                raise BrowserDiedError("the page hangs") from error
            return None
        responsive.answered()
        return reading

    def _in_call(self, reading: Reading) -> Reason | None:
        now = self._clock.now()
        self._seen_in_call = now
        others = self._people.others(reading.people)
        self._tell_people(self._people.take(reading.people))
        self._speakers.take(others, now)
        nobody = self._nobody_came.verdict(len(others)) if self._nobody_came else None
        return nobody or self._everyone_left.verdict(len(others))

    def _away(self, verdict: Verdict) -> Reason | None:
        """Note whether the bot is out of the call for now; a reason when it was left in the lobby for too long."""
        if verdict.state is State.LOBBY:
            self._tell_waiting(Waiting.WAITING_ROOM)
            # Whom the host put out and nobody let in again was removed.
            return Reason.REMOVED_FROM_MEETING if self._lobby.verdict(Waiting.WAITING_ROOM) else None
        self._lobby.verdict(None)
        if verdict.state is State.RECONNECTING:
            self._tell_waiting(Waiting.REJOINING)
        elif verdict.state is State.IN_CALL:
            self._state.update(waiting=None)
        return None

    def _lost(self, cause: str) -> None:
        now = self._clock.now()
        self._speakers.close(now)
        if not self._state.report.ever_joined:
            return
        if self._outage is None:
            self._outage, self._outage_ends = cause, now + self._table.patience.reconnect
            self._events.write("rejoining", cause=cause)
        self._tell_waiting(Waiting.REJOINING)

    def _tell_waiting(self, waiting: Waiting) -> None:
        if self._state.report.ever_joined and waiting is not Waiting.WAITING_ROOM:
            waiting = Waiting.REJOINING
        if waiting is not self._state.report.waiting:
            self._events.write("waiting", waiting=waiting)
        self._state.update(waiting=waiting)

    def _tell_browser(self, *, alive: bool) -> None:
        known = self._state.report.browser
        self._state.update(
            browser=BrowserReport(
                alive=alive,
                restarts=self._restarts,
                version=self._browser.version or known.version,
                age_days=self._browser.age_days,
                sandbox=self._browser.sandbox,
            )
        )

    def _tell_people(self, people: PeopleReport) -> None:
        if people.current != self._state.report.people.current:
            self._events.write("people", current=list(people.current), seen=people.seen)
        self._state.update(people=people)

    def _tell_flow(self, kind: str, flowing: bool | None) -> None:
        if flowing is not self._flowing.get(kind) and flowing is not None:
            self._events.write("media_of_page", kind=kind, advancing=flowing)
        self._flowing[kind] = flowing

    def _note_speaking(self, interval: Interval) -> None:
        self._events.write("speaking", name=interval.name, start=round(interval.start, 2), end=round(interval.end, 2))

    async def _keep_evidence(self, name: str, seconds: float = 10.0) -> None:
        if not self._browser.alive:
            return
        redact = Redactor.for_link(self._link)
        signals = self._page.evidence_of(self._page.reading)
        try:
            paths = await evidence.collect(self._browser.page, self._folder, name, signals, redact, seconds)
        except OSError as error:  # a full volume costs the evidence, not the ending
            self._events.write("evidence_failed", error=str(error.strerror))
            return
        self._state.update(evidence=tuple(dict.fromkeys((*self._state.report.evidence, *paths))))
