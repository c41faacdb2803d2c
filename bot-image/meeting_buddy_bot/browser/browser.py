"""The browser as the session knows it: start, open the meeting, know at once that it died, start again."""

import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from meeting_buddy_bot.browser.cdp import Cdp
from meeting_buddy_bot.browser.chromedriver import CHROMEDRIVER
from meeting_buddy_bot.browser.driver import Driver
from meeting_buddy_bot.browser.errors import BrowserError, BrowserGoneError, SandboxRefusedError
from meeting_buddy_bot.browser.options import Size, chromium_options
from meeting_buddy_bot.browser.page import Page
from meeting_buddy_bot.browser.sandbox_check import build_age_days, read_sandbox

_CLOSE_SECONDS: Final = 3.0
_MAX_STARTS: Final = 3
"""Of browsers that die at once, or take their tab for hidden, in a row."""

_log = logging.getLogger(__name__)


class Browser:
    """One Chromium at a time, in container ``browser``."""

    def __init__(self, size: Size, chromedriver: str = CHROMEDRIVER) -> None:
        self._options = chromium_options(size)
        self._chromedriver = chromedriver
        self._driver: Driver | None = None
        self._cdp: Cdp | None = None
        self._page: Page | None = None
        self.sandbox: str | None = None
        """``seccomp``, ``none``, or ``None`` while unknown."""
        self.age_days = build_age_days()

    @property
    def page(self) -> Page:
        """The meeting's tab; raises ``BrowserGoneError`` when no browser runs."""
        if self._page is None:
            raise BrowserGoneError("no browser runs")
        return self._page

    @property
    def alive(self) -> bool:
        """Whether browser and tab are there, as far as the open connection shows."""
        return (
            self._cdp is not None
            and self._page is not None
            and not (self._cdp.closed.is_set() or self._page.gone.is_set())
        )

    @property
    def version(self) -> str | None:
        """Version of the running browser."""
        return self._driver.version if self._driver else None

    async def start(self, seconds: float = 60.0) -> None:
        """Start Chromium once chromedriver answers, and read its sandbox before any page is loaded.

        Raises:
            BrowserGoneError: no browser within ``seconds``.
            SandboxRefusedError: the node does not let Chromium make its sandbox.
        """
        for left in reversed(range(_MAX_STARTS)):
            await self.close()
            try:
                await self._open(seconds)
                if await self.page.bring_to_front():
                    break
            except (BrowserGoneError, SandboxRefusedError) as error:
                if not left or self._driver is None:  # without a session it is chromedriver that does not answer
                    raise
                _log.warning("the new browser died: %s", error)
            except BrowserError as error:
                if not left:
                    raise BrowserGoneError(f"the new browser does not answer: {error}") from error
                _log.warning("the new browser does not answer: %s", error)
            else:
                # The last one is used all the same: whoever acts in it will learn whether it takes input.
                _log.warning("the new browser takes its tab for hidden")
        _log.info("browser started", extra={"facts": {"version": self.version, "sandbox": self.sandbox}})

    async def _open(self, seconds: float) -> None:
        self._driver = await Driver.start(self._options, self._chromedriver, seconds)
        self._cdp = await Cdp.connect(self._driver.debugger)
        self._page = await Page.attach(self._cdp)
        await self._cdp.call("Browser.setDownloadBehavior", {"behavior": "deny"})
        if self.sandbox is None:
            self.sandbox = await read_sandbox(self._page)

    async def grant(self, origin: str, permissions: Sequence[str]) -> None:
        """Let pages of ``origin`` use what they may ask for (``audioCapture``, ``videoCapture``), and nothing else.

        Raises:
            BrowserError: the browser is gone, does not answer, or refuses.
        """
        if self._cdp is None:
            raise BrowserGoneError("no browser runs")
        await self._cdp.call(*_granting(origin, permissions))

    def grant_soon(self, origin: str, permissions: Sequence[str]) -> None:
        """As :meth:`grant`, from inside a handler: before the page that has just begun there can have loaded."""
        if self._cdp is not None:
            self._cdp.send(*_granting(origin, permissions))

    async def close(self) -> None:
        """End the browser, dead or alive; without effect when none runs. What is cut short is done by the next one."""
        if self._page is not None:
            self._page.gone.set()
            self._page = None
        if self._cdp is not None:
            if not self._cdp.closed.is_set():
                # First here: while a call of its own is stuck in the page, chromedriver would let us wait.
                with contextlib.suppress(BrowserError):
                    await self._cdp.call("Browser.close", seconds=_CLOSE_SECONDS)
            await self._cdp.close()
            self._cdp = None
        if self._driver is not None:
            await self._driver.quit()
            self._driver = None


def _granting(origin: str, permissions: Sequence[str]) -> tuple[str, dict[str, object]]:
    return "Browser.grantPermissions", {"origin": origin, "permissions": list(permissions)}
