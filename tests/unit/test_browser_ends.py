"""How a browser and its tabs end, whatever comes at the same time."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import pytest

from meeting_buddy.contract.table import Step
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import CdpError, StepFailedError
from meeting_buddy_bot.browser.frames import Session
from meeting_buddy_bot.browser.page import Page
from meeting_buddy_bot.browser.user_input import UserInput
from meeting_buddy_bot.platforms import actions


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


class Tabs:
    """A page of two tabs, in which some input closes the second one, or opens a third."""

    def __init__(self, at: str, does: str = "closes", answer: str = "answered") -> None:
        self.sent: list[tuple[str, str]] = []
        """Input, and the session that it was for."""
        self.page = Page(cast(Any, Mock(call=self._call)), "first", "session 1")
        self._add("second", "session 2")
        self._at, self._does, self._answer = at, does, answer

    def _add(self, target: str, session: str) -> None:
        self.page._frames.attach(session, Session(target))
        self.page._tabs[target] = session

    def change(self) -> None:
        """As the browser tells of it."""
        if self._does == "opens":
            self._add("third", "session 3")
        else:
            self.page._detached({"sessionId": "session 2"})
            self.page._destroyed({"targetId": "second"})

    async def _call(self, method: str, params: dict[str, Any], *, session: str, seconds: float) -> dict[str, Any]:
        what = params.get("type", method)
        self.sent.append((what, session))
        await asyncio.sleep(0)
        if what == self._at:
            self.change()
            if self._answer == "refused":
                raise CdpError("Session with given id not found.")
            if self._answer == "not answered":
                await asyncio.Event().wait()
        return {}


@pytest.mark.parametrize("answer", ["answered", "not answered", "refused"])
@pytest.mark.parametrize("at", ["mousePressed", "mouseReleased", "keyDown", "keyUp", "rawKeyDown"])
async def test_what_closes_its_own_tab_was_pressed(at: str, answer: str) -> None:
    tabs = Tabs(at, answer=answer)
    actor = UserInput(tabs.page)
    match at:
        case "mousePressed" | "mouseReleased":
            await actor.click(10, 10)
        case "rawKeyDown":
            await actor.press("Escape")
        case _:
            await actor.press("Enter")
    assert tabs.page._target == "first"
    assert (at, "session 2") in tabs.sent
    assert {session for _, session in tabs.sent} == {"session 2"}


@pytest.mark.parametrize("does", ["closes", "opens"])
async def test_a_press_is_released_where_it_is_held_or_nowhere(does: str) -> None:
    tabs = Tabs("mousePressed", does)
    await UserInput(tabs.page).click(10, 10)
    released = [session for what, session in tabs.sent if what == "mouseReleased"]
    assert released == (["session 2"] if does == "opens" else [])


@pytest.mark.parametrize("does", ["closes", "opens"])
@pytest.mark.parametrize(("at", "unsent"), [("mouseMoved", "mousePressed"), ("mouseReleased", "Input.insertText")])
async def test_what_is_for_one_tab_reaches_no_other(at: str, unsent: str, does: str) -> None:
    tabs = Tabs(at, does)
    actor = UserInput(tabs.page)

    async def type_text() -> None:
        await actor.click(10, 10)
        await actor.replace_text("a passcode")

    with pytest.raises(StepFailedError, match="the tab changed"):
        await type_text()
    assert unsent not in [what for what, _ in tabs.sent]
    assert {session for _, session in tabs.sent} == {"session 2"}


@pytest.mark.parametrize("does", ["closes", "opens"])
@pytest.mark.parametrize("verb", ["click", "type", "hover", "press"])
async def test_a_tab_that_changes_while_the_target_is_looked_for_gets_no_input(
    verb: str, does: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tabs = Tabs("nothing", does)

    async def found(*_: object) -> tuple[float, float]:
        tabs.change()
        return 10, 10

    monkeypatch.setattr(actions, "_place", found)
    monkeypatch.setattr(actions, "_call", found)
    value = {"type": "a passcode", "press": "Enter"}.get(verb)
    step = Step.model_validate({"name": "step", "do": verb, "target": "target", "value": value})
    with pytest.raises(StepFailedError, match="the tab changed"):
        await actions.perform(tabs.page, step, "", value or "", "https://meet.test")
    assert tabs.sent == []
