"""When evidence of a meeting's page is kept and how long that may take; ``platforms.diagnostics`` says what it is.

Whatever goes wrong with it, the session goes on: evidence is for people who look for a cause later.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import BrowserError
from meeting_buddy_bot.platforms import diagnostics
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.platforms.people import People
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume

_SECONDS: Final = 10.0
"""For the screenshot and for the document, each."""
_STATE_SECONDS: Final = 3.0
"""The same for a state of the page, which passes."""
_LOOK_SECONDS: Final = 0.25
"""Between two looks for another state."""
_MAX_STATES: Final = 40
"""States of the page of which evidence is kept in one session."""

_log = logging.getLogger(__name__)


class EvidenceKeeper:
    """Keeps evidence of one meeting's page on the volume."""

    def __init__(
        self,
        browser: Browser,
        page: MeetingPage,
        people: People,
        redact: Redactor,
        volume: Volume,
        events: EventLog,
        on_kept: Callable[[str], None],
    ) -> None:
        """``people``: whose names are replaced in what is kept; ``on_kept``: told the path of each file."""
        self._browser = browser
        self._page = page
        self._people = people
        self._redact = redact
        self._volume = volume
        self._events = events
        self._on_kept = on_kept

    async def keep(self, name: str, seconds: float = _SECONDS) -> None:
        """Keep what the page shows now.

        Args:
            name: of the files.
            seconds: for the screenshot and for the document, each.
        """
        if not self._browser.alive:
            return
        before = self._page.snapshot
        signals = self._page.evidence_of(before)

        def names() -> list[str]:
            looks = (before, self._page.snapshot)  # somebody may have come just before the document was read
            shown = [person.name for look in looks if look for person in self._people.others(look.people)]
            return [*self._people.names, *shown]

        try:
            await diagnostics.collect(
                self._browser.page,
                self._volume,
                name,
                signals,
                self._redact,
                self._on_kept,
                names,
                seconds,
                self._page.evidence_with,
            )
        except OSError as error:  # a full volume costs the evidence, not the result
            self._events.write("evidence_failed", error=str(error.strerror))
        except Exception as error:  # nor does anything else that the page holds
            _log.exception("the evidence could not be kept")
            self._events.write("evidence_failed", error=type(error).__name__)

    async def keep_within(self, name: str, seconds: float) -> None:
        """As :meth:`keep`, but give up after ``seconds`` in all, writing to the volume included."""
        try:
            async with asyncio.timeout(seconds):
                await self.keep(name, seconds / 3)  # document, screenshot, and the rest for the volume
        except TimeoutError:
            self._events.write("evidence_failed", error="it took too long")

    async def keep_states(self) -> None:
        """Keep evidence of the page whenever what matches has changed, a bounded number of times."""
        before: list[str] = []
        kept = 0
        while kept < _MAX_STATES:
            signals = self._page.evidence_of(self._page.snapshot)
            if signals and signals != before:
                before, kept = signals, kept + 1
                state = signals[0].partition(":")[0].replace("/", "-")
                with contextlib.suppress(BrowserError):
                    await self.keep(f"{kept:02d}-{state}", _STATE_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)
