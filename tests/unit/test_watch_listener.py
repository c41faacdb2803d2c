"""What is known of watches: how old their last word is, and why they were opened again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meeting_buddy.app.watch_listener import Reopened, WatchListener

PODS = "/api/v1/namespaces/team-a/pods"
SESSIONS = "/apis/meetingbuddy.io/v1alpha1/meetingsessions"
SILENCE = 70.0

LINE = b"{}\n"
End = Callable[[web.Request], Awaitable[None]]


async def closes(_: web.Request) -> None:
    """The API server ends the watch."""


async def breaks(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


async def stays(_: web.Request) -> None:
    await asyncio.Event().wait()


def error(code: int) -> bytes:
    """What a watch says when it cannot go on."""
    return b'{"type":"ERROR","object":{"kind":"Status","metadata":{},"code":%d}}\n' % code


@dataclass
class Place:
    """An API server that answers each watch with one line, and what was heard of the watches."""

    ending: End = closes
    status: int = 200
    hangs: bool = False
    now: float = 0.0
    """What the listener's clock says."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    ages: dict[tuple[str, str], Callable[[], float]] = field(default_factory=dict)
    reopened: list[Reopened] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    line: bytes = LINE
    taken: list[tuple[str, str, object]] = field(default_factory=list)
    listener: WatchListener = field(init=False)
    http: aiohttp.ClientSession = field(init=False)
    server: TestServer = field(init=False)

    def first(self, resource: str, namespace: str, age: Callable[[], float]) -> None:
        assert (resource, namespace) not in self.ages, "told once"
        self.ages[resource, namespace] = age

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.set()
        if self.hangs:
            await stays(request)
        response = web.StreamResponse(status=self.status)
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(self.line)
        await self.ending(request)
        return response

    async def watch(self, path: str = PODS, parts: int | None = None, given_up_after: float | None = None) -> None:
        """Read as kopf does: so many parts, or to the end, or until it is given up after so many silent seconds."""
        self.asked.clear()
        self.heard.clear()
        reading = asyncio.create_task(self._read(path, parts))
        async with asyncio.timeout(60):
            if given_up_after is not None:
                await (self.asked if self.hangs else self.heard).wait()
                self.now += given_up_after
                reading.cancel()
            with suppress(asyncio.CancelledError, aiohttp.ClientError):
                await reading

    async def _read(self, path: str, parts: int | None) -> None:
        async with self.http.get(self.server.make_url(path), params={"watch": "true"}) as response:
            seen = 0
            async for _ in response.content.iter_chunked(1024):
                seen += 1
                self.heard.set()
                if seen == parts:
                    break


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    found = Place()
    application = web.Application()
    application.router.add_get("/{path:.*}", found.answer)
    found.server = TestServer(application)
    await found.server.start_server()
    found.listener = WatchListener(
        SILENCE,
        found.first,
        found.reopened.append,
        found.listed.append,
        lambda _resource, _version: None,
        lambda *event: found.taken.append(event),
        clock=lambda: found.now,
    )
    found.http = found.listener.session(kopf.ConnectionInfo(server=str(found.server.make_url("/"))))
    yield found
    await found.http.close()
    await found.server.close()


async def test_each_watch_is_known_by_resource_and_namespace_and_ages_until_it_is_heard_again(place: Place) -> None:
    await place.watch(PODS)
    await place.watch(SESSIONS)
    assert place.ages.keys() == {("pods", "team-a"), ("meetingsessions", "")}
    place.now += 7
    assert place.ages["pods", "team-a"]() == 7
    await place.watch(PODS)
    assert place.ages["pods", "team-a"]() == 0
    assert place.ages["meetingsessions", ""]() == 7


@pytest.mark.parametrize(
    ("ending", "line", "parts", "given_up_after", "reason"),
    [
        pytest.param(closes, LINE, None, None, Reopened.CLOSED, id="the API server ends it"),
        pytest.param(breaks, LINE, None, None, Reopened.BROKEN, id="the connection is lost"),
        pytest.param(stays, LINE, None, SILENCE, Reopened.SILENT, id="kopf gives it up after the silence"),
        pytest.param(stays, LINE, None, SILENCE / 4, Reopened.RESTARTED, id="kopf is stopped before"),
        pytest.param(stays, LINE + error(410), 1, None, Reopened.EXPIRED, id="kopf reads no further after a 410"),
        pytest.param(stays, error(500), 1, None, Reopened.RESTARTED, id="another error ends kopf as a whole"),
        pytest.param(stays, b'{"type":"ERROR"}\n', 1, None, Reopened.RESTARTED, id="nor does it know what this is"),
    ],
)
async def test_why_it_ended_is_counted_when_it_is_open_again(
    place: Place, ending: End, line: bytes, parts: int | None, given_up_after: float | None, reason: Reopened
) -> None:
    place.ending, place.line = ending, line
    await place.watch(parts=parts, given_up_after=given_up_after)
    assert place.reopened == []
    place.ending, place.line = closes, LINE
    await place.watch()
    await place.watch()
    assert place.reopened == [reason, Reopened.CLOSED]


async def test_a_watch_that_is_refused_is_not_open(place: Place) -> None:
    await place.watch()
    place.status = 403
    await place.watch()
    assert place.reopened == []


async def test_an_event_is_taken_with_its_resource(place: Place) -> None:
    place.line = b'{"type":"ADDED","object":{"metadata":{"resourceVersion":"7"}}}\n'
    await place.watch(PODS)
    await place.watch(SESSIONS)
    document = {"metadata": {"resourceVersion": "7"}}
    assert place.taken == [("pods", "ADDED", document), ("meetingsessions", "ADDED", document)]


@pytest.mark.parametrize(("path", "namespace"), [(PODS, "team-a"), (SESSIONS, "")])
async def test_a_listing_tells_kopf_its_version_alone_and_us_to_list(place: Place, path: str, namespace: str) -> None:
    pod = {"metadata": {"name": "standup", "resourceVersion": "7"}}
    metadata = {"resourceVersion": "9", "continue": "there are more"}
    place.line = json.dumps({"kind": "PodList", "metadata": metadata, "items": [pod]}).encode()
    async with place.http.get(place.server.make_url(path), params={"limit": "1"}) as response:
        assert await response.json(content_type=None) == {"metadata": {"resourceVersion": "9"}, "items": []}
    assert place.listed == [namespace]
    assert (place.ages, place.taken) == ({}, [])


async def test_a_listing_that_is_refused_says_so_to_kopf(place: Place) -> None:
    place.status, place.line = 403, b'{"kind":"Status","code":403}'
    async with place.http.get(place.server.make_url(PODS), params={"limit": "1"}) as response:
        assert await response.read() == place.line
    assert place.listed == []


async def test_other_requests_are_none_of_its_business(place: Place) -> None:
    async with place.http.get(place.server.make_url("/api/v1")) as response:
        assert await response.read() == b"{}\n"
    assert (place.ages, place.listed) == ({}, [])


async def test_a_watch_that_is_not_answered_at_all_was_silent(place: Place) -> None:
    await place.watch()
    place.hangs = True
    await place.watch(given_up_after=SILENCE)
    place.hangs = False
    await place.watch()
    assert place.reopened == [Reopened.SILENT]
