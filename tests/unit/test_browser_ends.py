"""How a browser and its tabs end, whatever comes at the same time."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import pytest

from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.page import Page


async def test_a_close_that_is_cut_short_is_done_by_the_next_one() -> None:
    browser, hangs = Browser((1280, 720)), asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        hangs.set()
        await asyncio.Event().wait()

    browser._cdp = cast(Any, Mock(closed=asyncio.Event(), call=never, close=AsyncMock()))
    browser._driver = driver = cast(Any, Mock(quit=AsyncMock()))
    closing = asyncio.create_task(browser.close())
    await hangs.wait()
    closing.cancel()
    await asyncio.wait({closing})
    assert not browser.alive
    cast(Any, browser._cdp).closed.set()
    await browser.close()
    assert driver.quit.await_count == 1
    await browser.close()
    assert driver.quit.await_count == 1


async def test_a_tab_that_closes_as_soon_as_it_opens_is_not_the_meeting_s() -> None:
    page = Page(cast(Any, Mock()), "meeting", "session 1")

    async def attach(*_: object) -> dict[str, str]:
        page._detached({"sessionId": "session 2"})  # in the same packet as the answer
        page._destroyed({"targetId": "other"})
        return {"sessionId": "session 2"}

    cast(Any, page._cdp).call = attach
    page._opening.add("other")
    await page._follow("other")
    assert page._tabs == {"meeting": "session 1"}
    assert not page.gone.is_set()


@pytest.mark.parametrize("told", ["to the session", "to the browser"])
@pytest.mark.parametrize(("crashed", "gone"), [("client", True), ("opener", False)])
async def test_a_followed_tab_that_crashed_was_not_closed(told: str, crashed: str, gone: bool) -> None:
    """The tab that opened it would look like a meeting that is over."""
    page = Page(cast(Any, Mock(call=AsyncMock(return_value={"sessionId": "session 2"}))), "opener", "session 1")
    page._opening.add("client")
    await page._follow("client")
    handlers: dict[str, Any] = {}
    cast(Any, page._cdp).on = handlers.__setitem__
    page._listen()
    if told == "to the session":
        handlers["Inspector.targetCrashed"]({}, {"opener": "session 1", "client": "session 2"}[crashed])
    else:
        handlers["Target.targetCrashed"]({"targetId": crashed}, None)
    assert page.gone.is_set() is gone
    assert page._target == "client"


@pytest.mark.parametrize("told", ["detached", "destroyed"])
async def test_the_tab_that_opened_a_closed_one_is_the_meeting_s_again(told: str) -> None:
    page = Page(cast(Any, Mock(call=AsyncMock(return_value={"sessionId": "session 2"}))), "opener", "session 1")
    page._opening.add("client")
    await page._follow("client")
    if told == "detached":
        page._detached({"sessionId": "session 2"})
    else:
        page._destroyed({"targetId": "client"})
    assert not page.gone.is_set()
    assert page._target == "opener"
