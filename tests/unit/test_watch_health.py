"""What is known of watches: how old their last word is, and why they were opened again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meeting_buddy.app.watch_health import Reopened, WatchHealth

PODS = "/api/v1/namespaces/team-a/pods"
SESSIONS = "/apis/meetingbuddy.io/v1alpha1/meetingsessions"
SILENCE = 0.2

End = Callable[[web.Request], Awaitable[None]]


async def closes(_: web.Request) -> None:
    """The API server ends the watch."""


async def breaks(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


async def stays(_: web.Request) -> None:
    await asyncio.sleep(30)


@dataclass
class Place:
    """An API server that answers each watch with one line, and what was heard of the watches."""

    ending: End = closes
    status: int = 200
    hangs: bool = False
    ages: dict[tuple[str, str], Callable[[], float]] = field(default_factory=dict)
    reopened: list[Reopened] = field(default_factory=list)
    http: aiohttp.ClientSession = field(init=False)
    server: TestServer = field(init=False)

    def first(self, resource: str, namespace: str, age: Callable[[], float]) -> None:
        assert (resource, namespace) not in self.ages, "told once"
        self.ages[resource, namespace] = age

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.hangs:
            await stays(request)
        response = web.StreamResponse(status=self.status)
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"{}\n")
        await self.ending(request)
        return response

    async def watch(self, path: str = PODS, parts: int | None = None, seconds: float = 5) -> None:
        """Read as kopf does: so many parts, or to the end, at most so many seconds."""
        with suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(seconds):
                async with self.http.get(self.server.make_url(path), params={"watch": "true"}) as response:
                    content = response.content.iter_chunked(1024)
                    seen = 0
                    async for _ in content:
                        seen += 1
                        if seen == parts:
                            break


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    found = Place()
    application = web.Application()
    application.router.add_get("/{path:.*}", found.answer)
    found.server = TestServer(application)
    await found.server.start_server()
    health = WatchHealth(SILENCE, found.first, found.reopened.append, lambda _resource, _version: None)
    found.http = health.session(kopf.ConnectionInfo(server=str(found.server.make_url("/"))))
    yield found
    await found.http.close()
    await found.server.close()


async def test_each_watch_is_known_by_resource_and_namespace_and_ages_until_it_is_heard_again(place: Place) -> None:
    await place.watch(PODS)
    await place.watch(SESSIONS)
    assert place.ages.keys() == {("pods", "team-a"), ("meetingsessions", "")}
    await asyncio.sleep(0.1)
    assert place.ages["pods", "team-a"]() >= 0.1
    await place.watch(PODS)
    assert place.ages["pods", "team-a"]() < 0.1
    assert place.ages["meetingsessions", ""]() >= 0.1


@pytest.mark.parametrize(
    ("ending", "parts", "seconds", "reason"),
    [
        pytest.param(closes, None, 5, Reopened.CLOSED, id="the API server ends it"),
        pytest.param(breaks, None, 5, Reopened.BROKEN, id="the connection is lost"),
        pytest.param(stays, None, 2 * SILENCE, Reopened.SILENT, id="kopf gives it up after the silence"),
        pytest.param(stays, None, SILENCE / 4, Reopened.RESTARTED, id="kopf is stopped before"),
        pytest.param(stays, 1, 5, Reopened.EXPIRED, id="kopf reads no further after a 410"),
    ],
)
async def test_why_it_ended_is_counted_when_it_is_open_again(
    place: Place, ending: End, parts: int | None, seconds: float, reason: Reopened
) -> None:
    place.ending = ending
    await place.watch(parts=parts, seconds=seconds)
    assert place.reopened == []
    place.ending = closes
    await place.watch()
    await place.watch()
    assert place.reopened == [reason, Reopened.CLOSED]


async def test_a_watch_that_is_refused_is_not_open(place: Place) -> None:
    await place.watch()
    place.status = 403
    await place.watch()
    assert place.reopened == []


async def test_other_requests_are_no_watches(place: Place) -> None:
    async with place.http.get(place.server.make_url(PODS)) as response:
        assert await response.read() == b"{}\n"
    assert place.ages == {}


async def test_a_watch_that_is_not_answered_at_all_was_silent(place: Place) -> None:
    await place.watch()
    place.hangs = True
    await place.watch(seconds=SILENCE)
    place.hangs = False
    await place.watch()
    assert place.reopened == [Reopened.SILENT]
