"""Listens to kopf's requests: what its watches say, when each last said something, and why it was opened again.

kopf takes an HTTP session of ours, whose middleware sees each watch being opened and what arrives of it. Events are
taken from there (``app.watch_reader``); the rest is for kopf. Before a watch begins anew kopf lists, to learn from
which version on. That is all it gets: ``controller.resync`` lists what is there, and can tell what is gone.

A network that loses packets does not close connections. So kopf opens a watch again that was silent for too long, and
goes on from the last version that it saw; it tells nobody, and shows its bookmarks to nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, cast

import aiohttp
import kopf
import orjson

from meeting_buddy.app.watch_reader import Expected, Take, without_events
from meeting_buddy.kube.paths import PODS
from meeting_buddy.resource.session import PLURAL

SILENCE_SECONDS: Final = 70.0
"""The API server sends a bookmark every 60 s, and remembers what happened in the last 75."""
_NEARLY: Final = 0.9
"""Share of the longest silence after which a watch that is cancelled was silent: else somebody stops it."""

Clock = Callable[[], float]


class Reopened(StrEnum):
    """Why a watch was opened again."""

    SILENT = "silent"
    """Neither an event nor a bookmark for too long."""
    CLOSED = "closed"
    """Ended by the API server, as it does every few minutes."""
    BROKEN = "broken"
    """The connection was lost."""
    EXPIRED = "expired"
    """What it had seen last is not known any more (410): everything is listed first."""
    RESTARTED = "restarted"
    """kopf as a whole was started again, because one of its watches was refused."""


@dataclass(slots=True)
class _Watch:
    heard_at: float
    ended: Reopened | None = None
    """Why it ended; ``None`` while it was never open."""


class WatchListener:
    """Knows all watches of this process by resource and namespace (empty: all)."""

    def __init__(
        self,
        silence: float,
        on_first: Callable[[str, str, Callable[[], float]], None],
        on_reopened: Callable[[Reopened], None],
        on_listed: Callable[[str], None],
        expected: Callable[[str, str], str | None],
        take: Callable[[str, str, dict[str, Any]], None],
        clock: Clock | None = None,
    ) -> None:
        """What to tell whom.

        Args:
            silence: seconds after which kopf opens a silent watch again.
            on_first: told once of each watch: resource, namespace, what says its age in seconds.
            on_reopened: told whenever one that was open before is open again.
            on_listed: told the namespace whenever one begins anew: what is there by now, it will not say.
            expected: uid of the object of this resource that this process wrote in this version (the second).
            take: told of each event of this resource: its type and the object. It must not raise.
            clock: seconds that only go forward; default: the running event loop's.
        """
        self.silence = silence
        self._on_first = on_first
        self._on_reopened = on_reopened
        self._on_listed = on_listed
        self._expected = expected
        self._take = take
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._watches: dict[tuple[str, str], _Watch] = {}

    def session(self, info: kopf.ConnectionInfo) -> aiohttp.ClientSession:
        """A session as kopf would make it from these credentials, but for our middleware."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            proxy=info.proxy_url,
            trust_env=info.trust_env,
            middlewares=(self._listen,),
        )

    async def _listen(
        self, request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Any]
    ) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse
        key, asked_at = _resource_and_namespace(request.url.path), self._clock()
        if request.url.query.get("watch") != "true":
            response = await handler(request)
            if key[0] in (PODS, PLURAL) and response.status == 200:
                response.content = cast(aiohttp.StreamReader, _VersionAlone(response.content))
                self._on_listed(key[1])
            return response
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            watch = self._watches.get(key)
            if watch is not None and self._clock() - asked_at >= self.silence * _NEARLY:
                watch.ended = Reopened.SILENT
            raise
        if response.status == 200:
            expected, take = partial(self._expected, key[0]), partial(self._take, key[0])
            content = _Heard(response.content, self._opened(key), self._clock, self.silence, expected, take)
            response.content = cast(aiohttp.StreamReader, content)
        return response

    def _opened(self, key: tuple[str, str]) -> _Watch:
        now = self._clock()
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = _Watch(now)
            self._on_first(*key, partial(self._age, watch))
        elif watch.ended is not None:
            self._on_reopened(watch.ended)
        # What holds if kopf leaves it before its end: any error in it but a 410 ends kopf as a whole.
        watch.heard_at, watch.ended = now, Reopened.RESTARTED
        return watch

    def _age(self, watch: _Watch) -> float:
        return self._clock() - watch.heard_at


class _VersionAlone:
    """A listing's content: as of which version it is, and no objects."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self) -> bytes:
        """What kopf reads; raises `ValueError` or `KeyError` for what is no listing, and the watch begins anew."""
        metadata = orjson.loads(await self._content.read())["metadata"]
        return orjson.dumps({"metadata": {"resourceVersion": metadata["resourceVersion"]}, "items": []})


class _Heard:
    """A response's content, which notes when parts of it arrive and how it ends, and whose events are taken."""

    def __init__(
        self,
        content: aiohttp.StreamReader,
        watch: _Watch,
        clock: Clock,
        silence: float,
        expected: Expected,
        take: Take,
    ) -> None:
        self._content = content
        self._watch = watch
        self._clock = clock
        self._silence = silence
        self._expected = expected
        self._take = take

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """What kopf reads, as it comes; after a 410 it reads no further."""
        async for lines in without_events(self._parts(size), self._expected, self._take):
            if b'"ERROR"' in lines and any(map(_is_expiry, lines.splitlines())):
                self._watch.ended = Reopened.EXPIRED
            yield lines

    async def _parts(self, size: int) -> AsyncIterator[bytes]:
        watch = self._watch
        try:
            async for part in self._content.iter_chunked(size):
                watch.heard_at = self._clock()
                yield part
        except asyncio.CancelledError:
            silent = self._clock() - watch.heard_at >= self._silence * _NEARLY
            watch.ended = Reopened.SILENT if silent else Reopened.RESTARTED
            raise
        except (aiohttp.ClientError, OSError):
            watch.ended = Reopened.BROKEN
            raise
        watch.ended = Reopened.CLOSED


def _is_expiry(line: bytes) -> bool:
    try:
        event = orjson.loads(line)
        return bool(event["type"] == "ERROR" and event["object"]["code"] == 410)
    except (ValueError, KeyError, TypeError):
        return False


def _resource_and_namespace(path: str) -> tuple[str, str]:
    *before, resource = path.strip("/").split("/")
    return resource, before[-1] if before[-2:-1] == ["namespaces"] else ""
