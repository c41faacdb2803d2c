"""Carries a step's verb out: finds the target in whatever frame and however deep it lies, and acts on it as a person.

A click goes to the middle of the target as the tab shows it, and only if nothing lies over it there.
"""

import asyncio
import json
from typing import Any, Final
from urllib.parse import urljoin

from meeting_buddy.contract.table import Step, Verb
from meeting_buddy_bot.browser.errors import StepFailedError
from meeting_buddy_bot.browser.page import FrameAnswer, Page
from meeting_buddy_bot.browser.user_input import UserInput

_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 0.3  # what was scrolled into view, or is drawn anew, may still move
_TRIES: Final = 5


async def perform(page: Page, step: Step, script: str, value: str, origin: str) -> None:
    """Do what ``step`` says.

    Args:
        page: the meeting's tab.
        step: the step.
        script: what makes ``meetingBuddy`` in a document (:attr:`Probe.script`).
        value: the step's value with the meeting's own values put in.
        origin: of the meeting's site; what is opened cannot leave it.

    Raises:
        StepFailedError: the target is not there, something lies over it, or the meeting's tab changed meanwhile.
        NavigationError, PageTimeoutError, CdpError, BrowserGoneError: as the methods of :class:`Page`.
    """
    actor = UserInput(page)  # before the target is looked for: what is for this tab must not reach another one
    match step.do:
        case Verb.OPEN:
            # A path: urljoin cannot leave the meeting's own origin, since validation lets no host in.
            await page.navigate(urljoin(origin, value))
        case Verb.RELOAD:
            await page.call("Page.reload", {}, seconds=_SECONDS)
        case Verb.PRESS:
            if step.target is not None:
                await _call(page, script, "focus", step.target)
            await actor.press(value)
        case Verb.SCROLL:
            await _call(page, script, "point", step.target)
        case Verb.HOVER:
            await actor.hover(*await _place(page, script, step.target))
        case Verb.CLICK | Verb.TOGGLE_OFF:
            await actor.click(*await _place(page, script, step.target))
        case Verb.TYPE:
            await actor.click(*await _place(page, script, step.target))
            await actor.replace_text(value)


async def _place(page: Page, script: str, element: str | None) -> tuple[float, float]:
    """Where to click in the tab's view, once the target stands still and nothing lies over it."""
    before: tuple[float, float] | None = None
    cover: str | None = None
    for _ in range(_TRIES):
        answer = await _call(page, script, "point", element)
        left, top = await page.offset_of(answer.frame)
        x, y, cover = answer.value["x"] + left, answer.value["y"] + top, answer.value["cover"]
        if cover is None and (x, y) == before:
            return x, y
        before = (x, y)
        await asyncio.sleep(_SETTLE_SECONDS / _TRIES)
    raise StepFailedError(f"{cover} lies over it" if cover else "it does not stand still")


async def _call(page: Page, script: str, function: str, element: str | None) -> FrameAnswer:
    """What the function says of the element, in the first frame that has it."""
    answers = await page.evaluate(f"meetingBuddy.{function}({json.dumps(element)})", _SECONDS, prepare=script)
    for answer in answers:
        if _found(answer.value):
            return answer
    raise StepFailedError("it is not there")


def _found(value: Any) -> bool:
    return value is not None and value is not False
