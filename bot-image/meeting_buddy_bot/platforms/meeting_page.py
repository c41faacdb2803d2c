"""The meeting's page, as the table describes it: open, read, act, leave."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import replace

from meeting_buddy.contract.links import Meeting
from meeting_buddy.contract.table import PlatformTable, State, Step
from meeting_buddy.contract.text import MAX_LINE, page_text
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import (
    BrowserError,
    BrowserGoneError,
    CdpError,
    NavigationError,
    PageTimeoutError,
    StepFailedError,
)
from meeting_buddy_bot.browser.page import FrameAnswer, Page
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.platforms.actions import perform
from meeting_buddy_bot.platforms.adapter import AdapterRunner
from meeting_buddy_bot.platforms.diagnostics import evidence_of
from meeting_buddy_bot.platforms.opening import first_page, is_platform_host
from meeting_buddy_bot.platforms.page_state import PageStateTracker
from meeting_buddy_bot.platforms.probe import PageSnapshot, Probe
from meeting_buddy_bot.platforms.step_runner import StepRunner
from meeting_buddy_bot.support.event_log import EventLog

_RETRY_SECONDS = 1.0  # between two tries to load the first page
_LEAVE_POLL = 0.2
_UNANSWERED_SECONDS = 60.0  # within which a second step in a row gets no answer: an hour later it is another matter
_NOTHING_TO_PRESS = 1.0  # seconds; longer than a dialog takes to go away
_MAX_LISTED = 100  # different dialogs, and hosts, of one browser: a page can make any number of them

_PLACEHOLDER = re.compile(r"\{(botName|passcode|announcement)\}")

_log = logging.getLogger(__name__)


class MeetingPage:
    """One meeting in one browser, across the browser's restarts."""

    def __init__(
        self,
        browser: Browser,
        table: PlatformTable,
        meeting: Meeting,
        bot_name: str,
        passcode: str | None,
        clock: Clock,
        events: EventLog,
        announcement: str | None = None,
    ) -> None:
        self._browser = browser
        self._table = table
        self._meeting = meeting
        self._bot_name = bot_name
        self._passcode = passcode
        self._announcement = announcement
        self._clock = clock
        self._events = events
        self._probe = Probe(table, self._fill)
        self._adapter = AdapterRunner(table.platform, events)
        self._reported_bad: frozenset[str] = frozenset()
        self._unanswered_at: float | None = None
        """When a step got no answer, since the last one that was run or refused."""
        self._page: Page | None = None
        """Of which the dialogs and hosts were listed."""
        self._dialogs: set[str] = set()
        self._hosts: set[str] = set()
        self.on_read: Callable[[], None] = lambda: None
        """Called each time the page has answered."""
        self.snapshot: PageSnapshot | None = None
        """The last snapshot."""

    @property
    def has_passcode(self) -> bool:
        """Whether a passcode is known, from the link or from the session's Secret."""
        return bool(self._passcode)

    async def open(self) -> None:
        """Open the meeting's first page, trying again while the table's time for it lasts.

        Raises:
            NavigationError: it could not be loaded.
            BrowserGoneError: the browser is gone, or refuses to load anything.
        """
        page = self._browser.page
        if page is not self._page:
            self._page, self._dialogs, self._hosts = page, set(), set()
        page.on_host = self._note_host
        page.on_alert = self._note_dialog
        self.snapshot = None
        self._unanswered_at = None
        if self._permissions:
            await self._browser.grant(self._meeting.origin, self._permissions)
        deadline = self._clock.now() + self._table.timeouts.load
        while True:
            try:
                return await page.navigate(first_page(self._meeting, self._table), self._table.timeouts.load)
            except (NavigationError, PageTimeoutError) as error:
                net = error.net if isinstance(error, NavigationError) else "ERR_TIMED_OUT"
                if self._clock.now() + _RETRY_SECONDS >= deadline or not _may_pass(net):
                    raise NavigationError(net) from error
                self._events.write("page_not_loaded", error=net)
            except CdpError as error:  # it may be busy with the tab; one that goes on refusing is of no use
                if self._clock.now() + _RETRY_SECONDS >= deadline:
                    raise BrowserGoneError(f"the browser does not load pages: {error}") from error
                self._events.write("page_not_loaded", error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)

    async def load_interrupted(self) -> bool:
        """Whether a part of the page was not loaded for want of a network, so that it may never show anything.

        Raises:
            BrowserGoneError: the browser is gone.
        """
        with contextlib.suppress(PageTimeoutError):
            return await self._browser.page.load_interrupted()
        return False

    def note_known(self) -> None:
        """The page shows something that the table knows: what was not loaded before was not needed for it."""
        self._browser.page.forget_interruption()

    async def open_again(self) -> None:
        """As :meth:`open`, of a page that shows nothing."""
        self._events.write("page_opened_again")
        await self.open()

    @property
    def _permissions(self) -> list[str]:
        """For the devices of the table, which pages of the platform may ask for."""
        devices = self._table.devices
        return (["audioCapture"] if devices.microphone == "silent" else []) + (
            ["videoCapture"] if devices.camera_permission else []
        )

    async def read(self) -> PageSnapshot | None:
        """Look at the page once; raises as :meth:`Probe.read`."""
        snapshot = await self._probe.read(self._browser.page)
        self.on_read()
        if new := self._probe.bad_selectors - self._reported_bad:
            self._reported_bad |= new
            self._events.write("bad_selectors", selectors=sorted(new))
        self.snapshot = await self._amended(snapshot)
        return self.snapshot

    async def _amended(self, snapshot: PageSnapshot | None) -> PageSnapshot | None:
        return None if snapshot is None else await self._adapter.amend(self._browser.page, snapshot)

    async def perform(self, step: Step) -> bool:
        """Run one step; ``False`` when its target could not be acted upon.

        Raises:
            BrowserGoneError: the browser is gone, or hangs.
        """
        value = self._fill(step.value or "") or ""
        try:
            await perform(self._browser.page, step, self._probe.script, value, self._meeting.origin)
        except (StepFailedError, NavigationError, PageTimeoutError, CdpError) as error:
            before, now = self._unanswered_at, self._clock.now()
            self._unanswered_at = now if isinstance(error, PageTimeoutError) else None
            # Chromium sends no further input before the last was answered.
            if self._unanswered_at is not None and before is not None and now - before < _UNANSWERED_SECONDS:
                raise BrowserGoneError("the browser does not take input") from error
            # It names the element that lay in the way: text of the page.
            quoted = page_text(str(error), MAX_LINE)
            self._events.write("step_failed", step=step.name, personal={"error": quoted})
            return False
        self._unanswered_at = None
        self._events.write("step", step=step.name, do=str(step.do))
        return True

    async def leave(self, seconds: float) -> bool:
        """Leave as a person does, by the table's own steps; whether the page agrees that the bot has left.

        Never raises for the browser's sake: leaving must work with whatever is still there.
        """
        left = PageStateTracker(self._table)
        left.joined = True
        steps = StepRunner(self._table.leave, self._clock)
        acted = agreed = False
        began = self._clock.now()
        with contextlib.suppress(BrowserError, TimeoutError):
            async with asyncio.timeout(seconds):
                while not agreed:
                    snapshot = await self.read()
                    state = left.update(snapshot, self._clock.now()).state
                    step = steps.next(snapshot)
                    if step is not None and steps.tried(step, await self.perform(step)):
                        acted = True
                    elif snapshot is not None and not self._may_be_in_call(state, snapshot):
                        # While a step applies, such as a button that something lies over, there is more to press.
                        agreed = (acted and step is None) or state in (State.ENDED, State.PRE_JOIN)
                        if not agreed and step is None and self._clock.now() - began > _NOTHING_TO_PRESS:
                            return False  # a lobby without a way out but the door
                    if not agreed:
                        await asyncio.sleep(_LEAVE_POLL)
        if acted:
            await asyncio.sleep(self._table.timeouts.goodbye)  # of which a page shows nothing
        return agreed

    def _may_be_in_call(self, state: State | None, snapshot: PageSnapshot) -> bool:
        """Whether the page shows the call, be it for too short a time to be sure."""
        signs = (each for each in self._table.signals if each.state is State.IN_CALL)
        return state is State.IN_CALL or (state is None and any(snapshot.holds(each) for each in signs))

    def evidence_of(self, snapshot: PageSnapshot | None) -> list[str]:
        """Labels of the table's signals and steps that hold in ``snapshot``."""
        return evidence_of(self._table, snapshot)

    async def evidence_with(self, script: str, seconds: float) -> tuple[list[str], list[FrameAnswer]]:
        """Labels of what holds, and what ``script`` gives in each frame at that moment; raises as :meth:`read`.

        What holds is the last snapshot from then on, if the page could be read.
        """
        snapshot, values = await self._probe.read_with(self._browser.page, script, seconds)
        found = await self._amended(snapshot)
        self.snapshot = found or self.snapshot
        return self.evidence_of(found), values

    def _fill(self, value: str) -> str | None:
        """A step's value with the session's own values in place of ``{botName}``, ``{passcode}``, ``{announcement}``.

        ``None``: nobody gave that one.
        """
        known = {"botName": self._bot_name, "passcode": self._passcode, "announcement": self._announcement}
        needed = [name for name in known if f"{{{name}}}" in value]
        if not all(known[name] for name in needed):
            return None
        return _PLACEHOLDER.sub(lambda found: known[found[1]] or "", value)

    def _note_host(self, host: str) -> None:
        if host in ("", self._meeting.host):
            return
        if is_platform_host(host, self._meeting):  # where its client runs, perhaps
            if self._permissions:
                self._browser.grant_soon(replace(self._meeting, host=host).origin, self._permissions)
        elif self._is_new("hosts", self._hosts, host):
            self._events.write("navigated_elsewhere", host=host)
            _log.warning("the page went to another host: %s", host)

    def _note_dialog(self, text: str) -> None:
        if self._is_new("dialogs", self._dialogs, text):
            self._events.write("page_dialog", personal={"text": text})

    def _is_new(self, what: str, listed: set[str], text: str) -> bool:
        """Whether something that the page did is to be listed; says once that no more is."""
        if text in listed or len(listed) > _MAX_LISTED:
            return False
        listed.add(text)
        if len(listed) > _MAX_LISTED:
            self._events.write("further_not_listed", what=what, listed=_MAX_LISTED)
        return len(listed) <= _MAX_LISTED


def _may_pass(net: str) -> bool:
    """Whether trying again can help: a refused certificate or a blocked address stays so."""
    return not net.startswith(("ERR_CERT", "ERR_BLOCKED", "ERR_UNSAFE", "ERR_SSL", "ERR_INVALID"))
