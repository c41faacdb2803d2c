"""What calls to bots and readers have in common: an HTTP client on which nothing sticks, and the read key."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

Observe = Callable[[str, int, float], None]

READ_KEY: Final = Path("/etc/meeting-buddy/bot-key/read")
"""Where the chart mounts the item ``read`` of the operator's Secret."""
USER_AGENT: Final = "meeting-buddy-http-api"
CONNECT_SECONDS: Final = 5.0
HEAD_SECONDS: Final = 15.0
"""From the call to the head of the answer."""
SILENT_SECONDS: Final = 45.0
"""Who says nothing for so long is gone: a bot sends a comment every 15 s."""
READ_AT_ONCE: Final = 16 * 1024
"""Bytes that wait for a client that is slow."""

NO_KEY: Final = "this server has no key to read with"
NO_KEY_REMEDY: Final = (
    "The operator has not made its key yet (Secret meeting-buddy-bot-key, item read): wait, or tell the administrator."
)


class BrokenError(Exception):
    """The connection to a bot or a reader broke: what follows comes to who connects again."""


class UnreachableError(Exception):
    """No answer came."""


class NoKeyError(Exception):
    """The operator has not made the key yet, or it cannot be read."""


def client() -> aiohttp.ClientSession:
    """An HTTP client without cookies, proxies of the environment and connections that are kept.

    To be made inside the running event loop. Each call has a connection of its own: an address is soon another pod's.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=READ_AT_ONCE,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS),
    )


def headers(token: str, accept: str) -> dict[str, str]:
    """Headers built from nothing."""
    return {
        "Authorization": f"Bearer {token}",
        "Accept": accept,
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
    }


async def ask(
    http: aiohttp.ClientSession, method: str, url: str | URL, headers: Mapping[str, str], observe: Observe
) -> aiohttp.ClientResponse:
    """The head of an answer; close it. ``observe`` is told verb, status (0: no answer) and seconds.

    Raises:
        UnreachableError: there is none in time.
    """
    start, status = time.monotonic(), 0
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            answer = await http.request(method, url, headers=headers, allow_redirects=False)
        status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise UnreachableError from None
    finally:
        observe(method, status, time.monotonic() - start)
    return answer


async def part(reading: Awaitable[bytes]) -> bytes:
    """What a read of an answer's content gives; empty: it is over.

    Raises:
        BrokenError: the connection is gone, or silent for too long. What is no HTTP stops aiohttp's own clock.
    """
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            return await reading
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise BrokenError("the connection broke") from None


def read_key(file: Path) -> bytes:
    """The key; read for each call, so that another one is taken at once.

    Raises:
        NoKeyError: there is none.
    """
    try:
        key = file.read_bytes()
    except OSError:
        key = b""
    if not key:
        raise NoKeyError
    return key
