"""chromedriver as a whole: whether it is there, which sessions it holds, and how they are ended for certain.

Before a new session every other one is ended, whoever forgot it: a browser that lives on is a second guest in the
meeting, and its window lies over the recording.

How chromedriver behaves decides how: it does not answer ``GET /sessions`` while one of its sessions is being made or is
busy, and ``GET /shutdown`` *while a session is being made* leaves a chromedriver that listens no more, never ends and
keeps its Chromium. So a session in the making is waited for, and the shutdown is for those that cannot be ended.
"""

import asyncio
import contextlib
import json
import logging
from typing import Any, Final

import aiohttp

from meeting_buddy_bot.browser.chromium import SANDBOX_REFUSED
from meeting_buddy_bot.browser.errors import BrowserGoneError, SandboxRefusedError

CHROMEDRIVER: Final = "http://127.0.0.1:9515"
"""chromedriver of container ``browser``, on the pod's loopback."""

LIST_SECONDS: Final = 75.0
"""For chromedriver to list its sessions: it gives up making one after 60 s."""
_END_SECONDS: Final = 15.0  # chromedriver kills a Chromium that does not close by itself
_SHUTDOWN_SECONDS: Final = 20.0  # it took 8 to 10 s with a session that could not be ended
_LOOK_SECONDS: Final = 0.2  # between two looks whether chromedriver is there: refused connections cannot be awaited

_log = logging.getLogger(__name__)


async def wait_ready(url: str = CHROMEDRIVER) -> None:
    """Return once chromedriver takes a new session; for ever, unless the caller sets a deadline.

    Raises:
        SandboxRefusedError: container ``browser`` says that Chromium cannot be started.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError):
                async with http.get(f"{url}/status") as answer:
                    status: dict[str, Any] = (await answer.json(content_type=None))["value"]
                if SANDBOX_REFUSED in status:
                    raise SandboxRefusedError(str(status[SANDBOX_REFUSED]))
                if status["ready"]:
                    return
            await asyncio.sleep(_LOOK_SECONDS)


async def wait_without_sessions(url: str = CHROMEDRIVER) -> None:
    """Return once chromedriver takes a new session and holds none; for ever, unless the caller sets a deadline.

    Raises:
        BrowserGoneError: chromedriver cannot list its sessions.
        SandboxRefusedError: as :func:`wait_ready`.
    """
    while True:
        await wait_ready(url)
        try:
            sessions = await _sessions(url)
        except TimeoutError:
            await _shut_down(url, f"it has not listed its sessions for {LIST_SECONDS:g} s")
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(_LOOK_SECONDS)  # it ended meanwhile
        else:
            if not sessions:
                return
            for session in sessions:
                _log.warning("ending a browser that an earlier start left behind")
                await end_session(session, url)


async def end_session(session: str, url: str = CHROMEDRIVER) -> None:
    """End a session and with it Chromium, whatever state they are in; without effect when chromedriver is gone.

    Where even that hangs, chromedriver is shut down: its container restarts, and nothing of the old browser is left.
    """
    try:
        await _ask(url, "DELETE", f"/session/{session}", _END_SECONDS)
    except TimeoutError:
        await _shut_down(url, f"it did not end a session in {_END_SECONDS:g} s")
    except (aiohttp.ClientError, OSError) as error:
        _log.info("chromedriver is gone already: %s", type(error).__name__)


async def _sessions(url: str) -> list[str]:
    text = await _ask(url, "GET", "/sessions", LIST_SECONDS)
    try:
        return [str(each["id"]) for each in json.loads(text)["value"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BrowserGoneError("chromedriver does not list its sessions") from error


async def _shut_down(url: str, why: str) -> None:
    _log.warning("chromedriver is shut down: %s", why)
    try:
        await _ask(url, "GET", "/shutdown", _SHUTDOWN_SECONDS)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        _log.info("chromedriver did not answer: %s", type(error).__name__)


async def _ask(url: str, method: str, path: str, seconds: float) -> str:
    async with (
        asyncio.timeout(seconds),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as http,
        http.request(method, f"{url}{path}") as answer,
    ):
        return await answer.text()
