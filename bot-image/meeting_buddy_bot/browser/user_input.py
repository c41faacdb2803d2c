"""Mouse and keyboard as a person's: trusted input at places of the tab's view, and text into the focused field."""

from typing import Final

from meeting_buddy_bot.browser.errors import StepFailedError
from meeting_buddy_bot.browser.page import Page

_SECONDS: Final = 5.0
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
    """Input into one tab; all methods raise as :meth:`Page.call`."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def hover(self, x: float, y: float) -> None:
        """Move the pointer to a place of the tab's view, in CSS pixels."""
        await self._mouse("mouseMoved", x, y, button="none")

    async def click(self, x: float, y: float) -> None:
        """Move there, press and release the left button."""
        await self.hover(x, y)
        await self._mouse("mousePressed", x, y, button="left", clicks=1)
        await self._mouse("mouseReleased", x, y, button="left", clicks=1)

    async def replace_text(self, text: str) -> None:
        """Replace what the focused field holds, as typed by an input method: the page hears ``input`` events."""
        await self._key("rawKeyDown", "a", modifiers=_MODIFIERS["Control"], commands=["selectAll"])
        await self._key("keyUp", "a", modifiers=_MODIFIERS["Control"])
        await self._page.call("Input.insertText", {"text": text}, seconds=_SECONDS)

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
        await self._key("keyDown" if text else "rawKeyDown", key, modifiers=modifiers, text=text)
        await self._key("keyUp", key, modifiers=modifiers)

    async def _key(
        self, kind: str, key: str, *, modifiers: int = 0, text: str = "", commands: list[str] | None = None
    ) -> None:
        single = len(key) == 1
        params = {
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
        await self._page.call("Input.dispatchKeyEvent", params, seconds=_SECONDS)

    async def _mouse(self, kind: str, x: float, y: float, *, button: str, clicks: int = 0) -> None:
        params = {"type": kind, "x": x, "y": y, "button": button, "clickCount": clicks}
        await self._page.call("Input.dispatchMouseEvent", params, seconds=_SECONDS)
