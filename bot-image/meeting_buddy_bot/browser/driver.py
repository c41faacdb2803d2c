"""WebDriver, bounded: makes the session in container ``browser`` and ends it; all between goes over CDP.

If this process dies: chromedriver keeps the session and its Chromium; the pod's end takes both.
"""

import asyncio
from typing import Final

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.common.proxy import Proxy, ProxyType
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.webdriver import WebDriver
from urllib3.exceptions import HTTPError

from meeting_buddy.contract.report import MAX_WORD
from meeting_buddy.contract.text import page_text
from meeting_buddy_bot.browser.chromedriver import CHROMEDRIVER, end_session, wait_without_sessions
from meeting_buddy_bot.browser.chromium import sandbox_fault
from meeting_buddy_bot.browser.errors import BrowserGoneError, SandboxRefusedError
from meeting_buddy_bot.support.threads import call_in_thread

_HTTP_SECONDS: Final = 30.0
"""For a new session. The client blocks: after this time its thread is given up, and its own time-out ends it."""


class Driver:
    """One WebDriver session."""

    def __init__(self, session: WebDriver, url: str) -> None:
        self._session = session
        self._url = url

    @classmethod
    async def start(cls, options: Options, url: str = CHROMEDRIVER, seconds: float = 60.0) -> "Driver":
        """Start a browser, as soon as chromedriver answers and has ended every other one.

        Raises:
            BrowserGoneError: no browser within ``seconds``.
            SandboxRefusedError: the node does not let Chromium make its sandbox.
        """
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
        making = call_in_thread("webdriver: new session", lambda: WebDriver(url, options=options, client_config=config))
        try:
            async with asyncio.timeout(_HTTP_SECONDS):
                session = await _claimed(making)
        except TimeoutError:
            raise BrowserGoneError(f"a new browser took longer than {_HTTP_SECONDS:g} s") from None
        except (WebDriverException, HTTPError, OSError) as error:
            if (words := sandbox_fault(str(error))) is not None:
                raise SandboxRefusedError(words) from error
            raise BrowserGoneError(f"no new browser: {_first_line(error)}") from error
        return cls(session, url)

    @property
    def debugger(self) -> str:
        """``host:port`` of the browser's debugger, on the pod's loopback."""
        address = str(self._session.capabilities["goog:chromeOptions"]["debuggerAddress"])
        return address.replace("localhost", "127.0.0.1")

    @property
    def version(self) -> str:
        """Version of Chromium, such as ``156.0.8078.79``."""
        return page_text(str(self._session.capabilities["browserVersion"]), MAX_WORD)

    async def quit(self) -> None:
        """End the session and with it Chromium; see :func:`end_session`."""
        if self._session.session_id is not None:
            await end_session(self._session.session_id, self._url)


async def _claimed(making: asyncio.Future[WebDriver]) -> WebDriver:
    """What is made; who stops waiting for it leaves nothing behind: its browser is ended as soon as it is there."""
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(_end)
        raise


def _end(made: asyncio.Future[WebDriver]) -> None:
    if made.exception() is None:
        call_in_thread("webdriver: end", made.result().quit)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
