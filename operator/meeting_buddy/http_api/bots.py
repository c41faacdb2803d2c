"""A bot's transcript, straight from its pod: with a token of the read key, which reads and never commands.

Tokens and keys stand in no problem and no log. Of a caller nothing reaches a bot but the number of a line.
"""

import ipaddress
from pathlib import Path
from typing import Final

import aiohttp

from meeting_buddy.contract.report import PORT
from meeting_buddy.contract.token import Scope, derive
from meeting_buddy.http_api import upstream
from meeting_buddy.http_api.problems import ProblemError, not_yet
from meeting_buddy.http_api.upstream import BrokenError

LONGEST_EVENT: Final = 512 * 1024
"""Bytes; a line has at most 4000 characters, and its words."""
_STATUS_ADDRESS: Final = "the session's status holds no address of a pod"


class BotStream:
    """Events of one bot, as it sent them."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self._held = bytearray()

    async def next(self) -> bytes | None:
        """The next event with the empty line behind it, or ``None`` behind the last one. May be cancelled.

        Raises:
            BrokenError: the bot is gone, or sends what is no event.
        """
        while True:
            while (end := self._held.find(b"\n\n")) >= 0:
                event = bytes(self._held[: end + 2])
                del self._held[: end + 2]
                if not event.startswith((b":", b"\n")):  # its heartbeat is not ours
                    return event
            if len(self._held) > LONGEST_EVENT:
                raise BrokenError("an event is too long")
            chunk = await upstream.part(self._answer.content.readany())
            if not chunk:
                if self._held:
                    raise BrokenError("the last event is torn")
                return None
            self._held += chunk

    def close(self) -> None:
        """Hang up."""
        self._answer.close()


class Bots:
    """Connections to bots. To be made inside the running event loop."""

    def __init__(
        self,
        read_key: Path = upstream.READ_KEY,
        bot_port: int = PORT,
        observe: upstream.Observe = lambda _verb, _code, _seconds: None,
    ) -> None:
        """Collaborators.

        Args:
            read_key: file with the key; read for each stream, so that another one is taken at once.
            bot_port: where bots listen.
            observe: told verb, status (0: no answer) and seconds of each call.
        """
        self._read_key = read_key
        self._port = bot_port
        self._observe = observe
        self._http = upstream.client()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def transcript(self, address: str, uid: str, attempt: int, after: int = 0) -> BotStream:
        """Follow a bot's transcript. Close what it gives.

        Args:
            address: of the pod, IPv4 or IPv6.
            uid: of the session.
            attempt: number of the bot.
            after: number of the line behind which it begins; 0: with the first one.

        Raises:
            ProblemError: there is no key, no bot, or it refuses.
        """
        token = derive(self._key(), uid, attempt, Scope.READ)
        headers = upstream.headers(token, "text/event-stream")
        if after:
            headers["Last-Event-ID"] = str(after)
        url = f"http://{_host(address)}:{self._port}/v1/transcript"
        try:
            answer = await upstream.ask(self._http, "GET", url, headers, self._observe)
        except upstream.UnreachableError:
            raise unavailable("the bot cannot be reached") from None
        if answer.status == 200 and answer.content_type == "text/event-stream":
            return BotStream(answer)
        answer.close()
        raise _refused(answer.status, answer.headers.get("Retry-After", ""))

    def _key(self) -> bytes:
        try:
            return upstream.read_key(self._read_key)
        except upstream.NoKeyError:
            raise unavailable(upstream.NO_KEY, remedy=upstream.NO_KEY_REMEDY) from None


def _host(address: str) -> str:
    """The address as a URL has it; nothing else than a pod's own address is called."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise ProblemError("upstream-error", _STATUS_ADDRESS) from None
    meant = getattr(found, "ipv4_mapped", None) or found
    odd = (
        meant.is_link_local or meant.is_multicast or meant.is_unspecified or (meant.version == 4 and meant.is_reserved)
    )
    if odd or "%" in address:
        raise ProblemError("upstream-error", _STATUS_ADDRESS)
    return f"[{found}]" if found.version == 6 else str(found)


def unavailable(detail: str, seconds: str = "5", remedy: str | None = None) -> ProblemError:
    """503: it cannot be heard now."""
    return ProblemError("bot-unavailable", detail, headers={"Retry-After": seconds}, remedy=remedy)


def _refused(status: int, wait: str) -> ProblemError:
    if status == 404:
        return ProblemError("no-transcript", "this session has no transcript")
    if status == 409:
        return not_yet("the bot has no transcript yet")
    if status == 503:
        number = wait.isascii() and wait.isdecimal() and len(wait) < 5
        return unavailable("too many follow this bot", wait if number else "5")
    if status == 401:
        return unavailable(
            "the bot does not know this server's key: it was started with another one",
            remedy="A bot keeps the key that it was started with; afterwards its transcript is on the volume.",
        )
    return unavailable(f"the bot answered {status}")
