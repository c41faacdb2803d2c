"""WebDriver, bounded: makes the session in container ``browser``, clicks and types as a person would, quits.

If this process dies: chromedriver keeps the session and its Chromium; the pod's end takes both.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from selenium.common.exceptions import (
    InvalidSessionIdException,
    NoSuchElementException,
    NoSuchWindowException,
    WebDriverException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.common.proxy import Proxy, ProxyType
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from urllib3.exceptions import HTTPError

from meeting_buddy_bot.browser.chromedriver import CHROMEDRIVER, end_session, wait_without_sessions
from meeting_buddy_bot.browser.chromium import sandbox_fault
from meeting_buddy_bot.browser.errors import BrowserGoneError, SandboxRefusedError, StepFailedError
from meeting_buddy_bot.browser.timed_calls import TimedBlockingCalls

T = TypeVar("T")

_HTTP_SECONDS: Final = 30.0  # ends a thread that was given up


class Driver:
    """One WebDriver session."""

    def __init__(self, session: WebDriver, calls: TimedBlockingCalls, url: str) -> None:
        self._session = session
        self._calls = calls
        self._url = url

    @classmethod
    async def start(cls, options: Options, url: str = CHROMEDRIVER, seconds: float = 60.0) -> "Driver":
        """Start a browser, as soon as chromedriver answers and has ended every other one.

        Raises:
            BrowserGoneError: no browser within ``seconds``.
            SandboxRefusedError: the node does not let Chromium make its sandbox.
        """
        calls = TimedBlockingCalls()
        config = ClientConfig(
            remote_server_addr=url,
            timeout=int(_HTTP_SECONDS),
            keep_alive=True,
            proxy=Proxy({"proxyType": ProxyType.DIRECT}),  # the environment's proxy is for the meeting, not for us
        )
        try:
            async with asyncio.timeout(seconds):
                await wait_without_sessions(url)
        except TimeoutError:
            raise BrowserGoneError(f"chromedriver did not answer in {seconds:g} s") from None
        try:
            session = await calls.run(
                "new session", lambda: WebDriver(url, options=options, client_config=config), _HTTP_SECONDS
            )
        except (WebDriverException, HTTPError, OSError) as error:
            if (words := sandbox_fault(str(error))) is not None:
                raise SandboxRefusedError(words) from error
            raise BrowserGoneError(f"no new browser: {_first_line(error)}") from error
        return cls(session, calls, url)

    @property
    def debugger(self) -> str:
        """``host:port`` of the browser's debugger, on the pod's loopback."""
        address = str(self._session.capabilities["goog:chromeOptions"]["debuggerAddress"])
        return address.replace("localhost", "127.0.0.1")

    @property
    def version(self) -> str:
        """Version of Chromium, such as ``156.0.8078.79``."""
        return str(self._session.capabilities["browserVersion"])

    async def click(self, css: str, *, only_if_on: bool = False) -> None:
        """Click the first shown element; with ``only_if_on`` only if it does not say that it is off."""

        def act() -> None:
            element = self._shown(css)
            if not only_if_on or _is_on(element):
                element.click()

        await self._act("click", act)

    async def type(self, css: str, text: str) -> None:
        """Replace what the first shown field holds by ``text``."""

        def act() -> None:
            field = self._shown(css)
            # Not clear(): pages that keep a field's value themselves do not hear of it.
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(Keys.DELETE)
            field.send_keys(text)

        await self._act("type", act)

    async def press(self, keys: str, css: str | None = None) -> None:
        """Press ``keys``, such as ``Escape`` or ``Control+Shift+H``, in the element or in the page."""

        def act() -> None:
            if css is not None:
                self._shown(css).click()
            *held, last = (getattr(Keys, key.upper(), key) for key in keys.split("+"))
            chain = ActionChains(self._session)
            for key in held:
                chain.key_down(key)
            chain.send_keys(last)
            for key in reversed(held):
                chain.key_up(key)
            chain.perform()

        await self._act("press", act)

    async def enter_frame(self, css: str) -> None:
        """Let the following actions look for their targets in this frame."""
        await self._act("enter frame", lambda: self._session.switch_to.frame(self._shown(css)))

    async def leave_frames(self) -> None:
        """Let the following actions look for their targets in the whole page again."""
        await self._act("leave frames", self._session.switch_to.default_content)

    async def quit(self) -> None:
        """End the session and with it Chromium; see :func:`end_session`."""
        if self._session.session_id is not None:
            await end_session(self._session.session_id, self._url)

    def _shown(self, css: str) -> WebElement:
        for element in self._session.find_elements(By.CSS_SELECTOR, css):
            if element.is_displayed():
                return element
        raise NoSuchElementException("nothing that is shown matches")

    async def _act(self, what: str, act: Callable[[], T], seconds: float = 10.0) -> T:
        try:
            return await self._calls.run(what, act, seconds)
        except (InvalidSessionIdException, NoSuchWindowException) as error:
            raise BrowserGoneError(f"{what}: the browser's tab is gone") from error
        except WebDriverException as error:
            if "disconnected" in _first_line(error) or "crash" in _first_line(error):
                raise BrowserGoneError(f"{what}: the browser is gone") from error
            raise StepFailedError(f"{what}: {type(error).__name__.removesuffix('Exception')}") from error
        except (HTTPError, OSError) as error:
            raise BrowserGoneError(f"{what}: chromedriver is gone") from error


def _is_on(element: WebElement) -> bool:
    for attribute in ("aria-pressed", "aria-checked"):
        value = element.get_attribute(attribute)
        if value is not None:
            return value == "true"
    if element.tag_name == "input":
        return element.is_selected()
    return True  # it does not say; the step's condition has


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
