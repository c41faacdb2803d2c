"""Mouse and keyboard as a person's: trusted input at places of the tab's view, and text into the focused field.

What is pressed may close its tab, and what a page does meanwhile may put another tab in its place: input is for the
tab that it was meant for, or for none.
"""

import contextlib
from typing import Final

from meeting_buddy_bot.browser.cdp import Params
from meeting_buddy_bot.browser.errors import FrameGoneError, StepFailedError
from meeting_buddy_bot.browser.page import Page

_SECONDS: Final = 5.0
_MOUSE: Final = "Input.dispatchMouseEvent"
_KEY: Final = "Input.dispatchKeyEvent"
_MODIFIERS: Final = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
_KEYS: Final = {
    "ArrowDown": 40,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "ArrowUp": 38,
    "Backspace": 8,
    "Delete": 46,
    "End": 35,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "PageDown": 34,
    "PageUp": 33,
    "Space": 32,
    "Tab": 9,
}
"""Keys with a name and their codes, as the DOM's ``keyCode`` has them."""
_TEXT_OF: Final = {"Enter": "\r", "Space": " "}


class UserInput:
    """Input into the tab that is the meeting's now; all methods raise as :meth:`Page.call`.

    Raises:
        StepFailedError: by all methods: another tab has become the meeting's since.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.session

    async def hover(self, x: float, y: float) -> None:
        """Move the pointer to a place of the tab's view, in CSS pixels."""
        await self._begin(_MOUSE, _mouse("mouseMoved", x, y, button="none"))

    async def click(self, x: float, y: float) -> None:
        """Move there, press and release the left button."""
        await self.hover(x, y)
        await self._begin(_MOUSE, _mouse("mousePressed", x, y, button="left", clicks=1))
        await self._send(_MOUSE, _mouse("mouseReleased", x, y, button="left", clicks=1))

    async def replace_text(self, text: str) -> None:
        """Replace what the focused field holds, as typed by an input method: the page hears ``input`` events."""
        await self._begin(_KEY, _key("rawKeyDown", "a", modifiers=_MODIFIERS["Control"], commands=["selectAll"]))
        await self._send(_KEY, _key("keyUp", "a", modifiers=_MODIFIERS["Control"]))
        await self._begin("Input.insertText", {"text": text})

    async def press(self, keys: str) -> None:
        """Press a key with what is held, such as ``Escape`` or ``Control+Shift+H``.

        Raises:
            StepFailedError: there is no such key.
        """
        *held, key = keys.split("+")
        if (key not in _KEYS and len(key) != 1) or not all(each in _MODIFIERS for each in held):
            raise StepFailedError(f"there is no key {keys}")
        modifiers = sum(_MODIFIERS[each] for each in held)
        text = _TEXT_OF.get(key, key if len(key) == 1 and not modifiers & ~_MODIFIERS["Shift"] else "")
        await self._begin(_KEY, _key("keyDown" if text else "rawKeyDown", key, modifiers=modifiers, text=text))
        await self._send(_KEY, _key("keyUp", key, modifiers=modifiers))

    async def _begin(self, method: str, params: Params) -> None:
        """Send input that begins something, unless another tab is the meeting's by now."""
        if self._page.session != self._session:
            raise StepFailedError("the tab changed")
        await self._send(method, params)

    async def _send(self, method: str, params: Params) -> None:
        """Send input to the tab, such as a release to the one that has the press, whichever is the meeting's by now."""
        with contextlib.suppress(FrameGoneError):  # it closed its own tab, and is answered by nobody
            await self._page.call(method, params, session=self._session, seconds=_SECONDS)


def _key(kind: str, key: str, *, modifiers: int = 0, text: str = "", commands: list[str] | None = None) -> Params:
    single = len(key) == 1
    params: Params = {
        "type": kind,
        "key": " " if key == "Space" else key,
        "code": (f"Key{key.upper()}" if key.isalpha() else f"Digit{key}") if single else key,
        "windowsVirtualKeyCode": ord(key.upper()) if single else _KEYS[key],
        "modifiers": modifiers,
    }
    if text:
        params["text"] = text
    if commands:
        params["commands"] = commands
    return params


def _mouse(kind: str, x: float, y: float, *, button: str, clicks: int = 0) -> Params:
    return {"type": kind, "x": x, "y": y, "button": button, "clickCount": clicks}
