"""What calls to bots and readers have in common: an HTTP client on which nothing sticks, and the key to hear with."""

from pathlib import Path
from typing import Final

import aiohttp

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

NO_KEY: Final = "this server has no key to hear with"
NO_KEY_REMEDY: Final = (
    "The operator has not made its key yet (Secret meeting-buddy-bot-key, item read): wait, or tell the administrator."
)


class BrokenError(Exception):
    """The connection to a bot or a reader broke: what follows comes to who connects again."""


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
