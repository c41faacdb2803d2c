"""What a platform's table cannot say: an adapter, ``<platform>.py`` beside it, adds it to what a look by the table saw.

Only code of the image beside a built-in table is one, never a file that an administrator gives. It runs in the
supervisor, so whatever it does wrong costs its own part of a look and nothing else.
"""

import asyncio
import importlib.util
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.text import MAX_LINE, MAX_NAME, page_text
from meeting_buddy_bot.browser.errors import BrowserGoneError
from meeting_buddy_bot.browser.page import FrameAnswer
from meeting_buddy_bot.platforms.probe import MAX_COUNTED, MAX_PEOPLE, PageSnapshot, Person
from meeting_buddy_bot.support.event_log import EventLog

SECONDS: Final = 1.0
"""For its part of a look; the page itself has just answered."""
REST_SECONDS: Final = 5.0
"""Without it, once it took longer: looks must stay frequent."""
FOLDER: Final = Path(__file__).parent


class ReadablePage(Protocol):
    """What an adapter has of the page: it can look. What is done to the page is the table's steps."""

    async def evaluate(self, expression: str, seconds: float = 3.0, *, prepare: str | None = None) -> list[FrameAnswer]:
        """As :meth:`Page.evaluate`."""
        ...


class Adapter(Protocol):
    """A class of this name, made without arguments, is what an adapter's file has to have."""

    async def amend(self, page: ReadablePage, snapshot: PageSnapshot) -> PageSnapshot:
        """``snapshot``, which the table's look gave, with other ``seen``, ``people`` or ``count``; nothing else counts.

        What it adds to ``seen`` are matches that the table asks about. Two looks may overlap.
        """
        ...


def adapter_of(platform: PlatformName, folder: Path) -> Adapter | None:
    """The adapter beside the platform's own table in ``folder``; ``None`` where there is none.

    Raises whatever its file raises.
    """
    table = folder / f"{platform.lower()}.yaml"
    code = table.with_suffix(".py")
    # A kind of an administrator's may be called as one of the modules here, or as a platform but for its capitals.
    if not (code.is_file() and table.is_file() and f"\nplatform: {platform}\n" in table.read_text()):
        return None
    name = f"{__package__}.{code.stem}"
    spec = importlib.util.spec_from_file_location(name, code)
    if spec is None or spec.loader is None:
        raise ImportError(f"{code.name} cannot be loaded")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    adapter: Adapter = module.Adapter()
    return adapter


class AdapterRunner:
    """Lets a platform's adapter, if it has one, amend each look; a fault is told once for each kind."""

    def __init__(self, platform: PlatformName, events: EventLog) -> None:
        self._events = events
        self._logged: set[str] = set()
        self._rests_until = 0.0
        self._adapter: Adapter | None = None
        try:
            self._adapter = adapter_of(platform, FOLDER)
        except Exception as fault:
            self._log_once(fault)

    async def amend(self, page: ReadablePage, snapshot: PageSnapshot) -> PageSnapshot:
        """``snapshot`` with what the adapter says; as it is where there is none, and where it fails.

        Raises:
            BrowserGoneError: tab or browser is gone.
        """
        if self._adapter is None or time.monotonic() < self._rests_until:
            return snapshot
        # A task: one that the adapter itself has cancelled must not look as if the bot were.
        call = asyncio.create_task(_amended(self._adapter, page, snapshot))
        call.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # seen, however late it ends
        try:
            done, _ = await asyncio.wait({call}, timeout=SECONDS)
        finally:
            call.cancel()
        fault: BaseException | None
        if not done:
            self._rests_until = time.monotonic() + REST_SECONDS
            fault = TimeoutError(f"it took longer than {SECONDS:g} s")
        else:
            fault = asyncio.CancelledError() if call.cancelled() else call.exception()
        if fault is None:
            return call.result()
        if isinstance(fault, BrowserGoneError):
            raise fault
        self._log_once(fault)
        return snapshot

    def _log_once(self, fault: BaseException) -> None:
        kind = type(fault).__name__
        if kind not in self._logged:
            self._logged.add(kind)
            # The message may quote the page.
            self._events.write("adapter_failed", kind=kind, personal={"error": page_text(str(fault), MAX_LINE)})


async def _amended(adapter: Adapter, page: ReadablePage, snapshot: PageSnapshot) -> PageSnapshot:
    """The adapter's answer, its parts as the probe itself gives them."""
    began = time.monotonic()
    answer = await adapter.amend(page, snapshot)
    if not isinstance(answer, PageSnapshot):
        raise TypeError("it gave no snapshot")
    count = answer.count
    if count is not None and not (type(count) is int and 0 <= count <= MAX_COUNTED):
        raise ValueError("it gave no number of people")
    return replace(
        snapshot,
        seen=frozenset(answer.seen),
        people=tuple(
            Person(page_text(str(each.name), MAX_NAME), bool(each.own), bool(each.speaking))
            for each in islice(answer.people, MAX_PEOPLE)
        ),
        count=count,
        # Not all of it is the page's time; looks come less often rather than too often.
        seconds=snapshot.seconds + time.monotonic() - began,
    )
