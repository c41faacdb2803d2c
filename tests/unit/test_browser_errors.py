"""Every error of the browser has a typed end, wherever it is raised: none ends a bot as BotCrashed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import State
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.cdp import Params
from meeting_buddy_bot.browser.driver import Driver
from meeting_buddy_bot.browser.errors import (
    BrowserError,
    BrowserGoneError,
    CdpError,
    FrameGoneError,
    NavigationError,
    PageTimeoutError,
    SandboxRefusedError,
    ScriptError,
    StepFailedError,
)
from meeting_buddy_bot.browser.page import FrameAnswer, Page
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.platforms import join_loop
from meeting_buddy_bot.platforms.probe import PageSnapshot, Probe
from meeting_buddy_bot.session import meeting_run
from tests.bot.attending import Attending
from tests.support.synthetic_table import synthetic_table

LINK = "https://meet.synthetic.test/rooms/weekly"


def kinds(of: type[BrowserError] = BrowserError) -> Iterator[type[BrowserError]]:
    yield of
    for each in of.__subclasses__():
        yield from kinds(each)


KINDS = sorted(kinds(), key=lambda kind: kind.__name__)

GONE, CONFIG = Reason.BROWSER_CRASHED, Reason.CONFIG_INVALID
UNREACHABLE, TIMEOUT = Reason.PAGE_UNREACHABLE, Reason.JOIN_TIMEOUT
ENDS: dict[type[BrowserError], tuple[Reason, Reason, Reason, Reason]] = {
    # Raised again and again while     starting, opening, reading, acting
    BrowserError: (GONE, GONE, GONE, GONE),
    BrowserGoneError: (GONE, GONE, GONE, GONE),
    CdpError: (GONE, GONE, GONE, TIMEOUT),
    FrameGoneError: (GONE, GONE, GONE, TIMEOUT),
    NavigationError: (GONE, UNREACHABLE, GONE, TIMEOUT),
    PageTimeoutError: (GONE, UNREACHABLE, GONE, GONE),
    ScriptError: (GONE, GONE, GONE, TIMEOUT),
    SandboxRefusedError: (CONFIG, CONFIG, CONFIG, CONFIG),
    StepFailedError: (GONE, GONE, GONE, TIMEOUT),
}


def raising(error: BrowserError) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


class FakePage(Page):
    """A tab that shows a button; nothing else can be had of it."""

    def __init__(self) -> None:
        self.alerts, self.console = deque(), deque()
        self._load_interrupted = False
        self._tabs = {"top": "session"}

    async def navigate(self, url: str, seconds: float = 30.0) -> None:
        """Done at once."""

    async def evaluate(self, expression: str, seconds: float = 3.0, *, prepare: str | None = None) -> list[FrameAnswer]:
        """Where the button is; the page has no document to show."""
        return [FrameAnswer("top", True, {"x": 1, "y": 1, "cover": None} if "point" in expression else None)]

    async def offset_of(self, frame: str, seconds: float = 3.0) -> tuple[float, float]:
        """There is one frame."""
        return 0, 0

    async def call(self, method: str, params: Params, *, seconds: float, session: str | None = None) -> Params:
        """Done at once."""
        return {}

    async def screenshot(self, seconds: float = 10.0) -> bytes:
        """Not to be had."""
        raise BrowserGoneError("a fake")


class FakeDriver(Driver):
    """Delivers nothing."""

    version = "0"

    def __init__(self) -> None:
        pass

    async def quit(self) -> None:
        """Done at once."""


class FakeBrowser(Browser):
    """A browser without a Chromium."""

    async def start(self, seconds: float = 60.0) -> None:
        """Done at once."""
        self._page, self._driver = FakePage(), FakeDriver()

    async def close(self) -> None:
        """Done at once."""
        self._page, self._driver = None, None

    @property
    def alive(self) -> bool:
        """From start to close."""
        return self._page is not None


async def shows_a_button(_: Probe, __: Page) -> PageSnapshot:
    return PageSnapshot(frozenset(), frozenset({"join"}))


def test_each_kind_has_its_ends() -> None:
    assert set(ENDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(4), ids=("starting", "opening", "reading", "acting"))
async def test_each_kind_ends_in_a_typed_way(
    number: int, kind: type[BrowserError], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(join_loop, "PageResponsive", partial(PageResponsive, seconds=0))
    monkeypatch.setattr(Probe, "read", shows_a_button)
    monkeypatch.setattr(meeting_run, "_REJOIN_PAUSE", 0)
    owner, name = ((FakeBrowser, "start"), (FakePage, "navigate"), (Probe, "read"), (FakePage, "evaluate"))[number]
    monkeypatch.setattr(owner, name, raising(kind("broken")))
    bot = Attending("http://127.0.0.1:9", tmp_path, LINK, synthetic_table(load=1, join=1))
    bot.browser = FakeBrowser((1280, 720))
    async with bot:
        assert (await bot.ending(20)).reason is ENDS[kind][number]


async def test_a_page_that_cannot_be_read_in_the_call_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = synthetic_table(missing=0.5)
    [call] = [signal for signal in table.signals if signal.state is State.IN_CALL]
    bot = Attending("http://127.0.0.1:9", tmp_path, LINK, table)
    bot.browser = FakeBrowser((1280, 720))
    opened = 0

    async def navigate(_: Page, __: str, ___: float = 30.0) -> None:
        nonlocal opened
        opened += 1

    async def look(_: Probe, __: Page) -> PageSnapshot | None:
        return None if opened == 1 and bot.recorder.entries else PageSnapshot(frozenset(call.all))

    monkeypatch.setattr(FakePage, "navigate", navigate)
    monkeypatch.setattr(Probe, "read", look)
    async with bot:
        async with asyncio.timeout(60):
            while not await bot.events("rejoined"):  # noqa: ASYNC110 -- a file
                await asyncio.sleep(0.1)
        assert opened == 2
        assert [cause for _, _, cause in bot.recorder.gaps] == ["connection lost"]
