"""Listing: one namespace that cannot be listed is one, its return is picked up, and the others do not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import pytest

from meeting_buddy.app.metrics import Metrics
from meeting_buddy.controller import resync as subject
from meeting_buddy.controller.clock import SystemClock
from meeting_buddy.controller.controller import Controller
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.resync import NamespaceResync, Resync
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.paths import PODS
from meeting_buddy.resource.session import PLURAL
from tests.support import operator_documents as documents
from tests.support.awaiting import until


class Namespaces:
    """What an API server lists: documents by namespace, or the error that it answers."""

    def __init__(self) -> None:
        self.answers: dict[str, list[documents.Document] | Exception] = {}
        self.meanwhile: Callable[[], object] = lambda: None
        """Happens during each listing."""
        self.pods: list[documents.Document] = []
        self.listings = 0

    async def list_sessions(self, namespace: str) -> AsyncIterator[documents.Document]:
        self.listings += 1
        self.meanwhile()
        answer = self.answers[namespace]
        if isinstance(answer, Exception):
            raise answer
        for each in answer:
            yield each

    async def list_pods(self, namespace: str) -> AsyncIterator[documents.Document]:
        if isinstance(answer := self.answers[namespace], Exception):
            raise answer
        for each in self.pods:
            yield each


FORBIDDEN = KubeError("Pod", "gone", "", 403, "Forbidden", "no")


@pytest.mark.parametrize("error", [FORBIDDEN, KeyError("metadata")], ids=["403", "an answer that nobody can read"])
async def test_a_namespace_that_is_gone_stops_no_other_and_comes_back(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(subject, "FIRST_RETRY_SECONDS", 0.001)
    server, cache, metrics = Namespaces(), SessionCache(SystemClock()), Metrics()
    server.answers = {"gone": error, "there": [documents.session("a", "there")]}
    events = EventHandler(cache, KeyedQueue())
    listings = [
        NamespaceResync(cast(KubernetesApi, server), cache, events, name, SystemClock(), metrics, period=0.001)
        for name in server.answers
    ]

    def known() -> set[str]:
        return {entry.uid for entry in cache}

    task = asyncio.create_task(Resync(listings).run())
    try:
        await Resync(listings).wait_first_listing()
        await until(lambda: known() == {"a"})
        server.answers["there"] = [documents.session("b", "there")]
        await until(lambda: known() == {"b"})
        assert b'listing_failures_total{namespace="gone"}' in metrics.page()
        server.answers["gone"] = [documents.session("c", "gone")]
        await until(lambda: known() == {"b", "c"})
        server.answers["gone"] = error
        server.answers["there"] = []
        await until(lambda: known() == {"c"})
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


EXPIRED = KubeError("Pod", "slow", "", 410, "Expired", "the continue token is too old")
BUSY = KubeError("Pod", "slow", "", 503, "ServiceUnavailable", "no")
SILENT = KubeError("Pod", "slow", "", 0, "TimeoutError", "no answer")
NO_KIND = KubeError("MeetingSession", "slow", "", 404, "", "404 page not found")
NOT_FOUND = KubeError("Pod", "gone", "", 404, "NotFound", "not found")


class Replica:
    """What lists, and what ``/readyz`` is asked."""

    def __init__(self, answers: dict[str, list[documents.Document] | Exception]) -> None:
        self.server, self.cache, self.clock = Namespaces(), SessionCache(SystemClock()), SystemClock()
        self.server.answers = answers
        events, metrics = EventHandler(self.cache, KeyedQueue()), Metrics()
        api, others = cast(KubernetesApi, self.server), cast(Any, Mock())
        self.resync = Resync(
            [NamespaceResync(api, self.cache, events, name, self.clock, metrics, period=0.001) for name in answers]
        )
        lease = cast(Any, Mock(held=False, changed=asyncio.Event(), contend=AsyncMock(), release=AsyncMock()))
        lease.contend.side_effect = asyncio.Event().wait
        streams = cast(Any, Mock(close=AsyncMock()))
        self.controller = Controller(
            self.cache, KeyedQueue(), events, others, others, streams, lease, self.resync, self.clock, metrics
        )


@asynccontextmanager
async def replica(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[documents.Document] | Exception]
) -> AsyncIterator[Replica]:
    monkeypatch.setattr(subject, "FIRST_RETRY_SECONDS", 0.001)
    found = Replica(answers)
    task = asyncio.create_task(found.controller.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("error", [BUSY, SILENT, EXPIRED, NO_KIND], ids=lambda error: f"{error.status}")
async def test_a_replica_is_ready_once_it_knows_every_namespace(
    monkeypatch: pytest.MonkeyPatch, error: KubeError
) -> None:
    """An upgrade ends the one that leads as soon as this one is ready."""
    async with replica(monkeypatch, {"fine": [], "slow": error}) as found:
        assert found.controller.not_ready() == "not listed yet: fine, slow"
        await until(found.controller.synced.is_set)
        await until(lambda: found.server.listings > 3)
        assert found.controller.not_ready() == "not listed yet: slow"
        found.server.answers["slow"] = [documents.session("a", "slow")]
        await until(lambda: found.controller.not_ready() is None)
        assert len(found.cache) == 1
        found.server.answers["slow"] = error
        seen = found.server.listings
        await until(lambda: found.server.listings > seen + 3)
        assert found.controller.not_ready() is None, "it was known once"


@pytest.mark.parametrize("error", [FORBIDDEN, NOT_FOUND], ids=["403", "404"])
async def test_a_namespace_that_may_not_be_listed_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, error: KubeError
) -> None:
    async with replica(monkeypatch, {"gone": error, "fine": []}) as found:
        await until(lambda: found.controller.not_ready() is None)


async def test_a_replica_that_may_list_nothing_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async with replica(monkeypatch, {"gone": FORBIDDEN}) as found:
        await until(lambda: found.controller.not_ready() == "none of the watched namespaces may be listed")
        found.server.answers["gone"] = []
        await until(lambda: found.controller.not_ready() is None)


@dataclass
class Place:
    """One namespace, and what is known of it."""

    server: Namespaces = field(default_factory=Namespaces)
    cache: SessionCache = field(default_factory=lambda: SessionCache(SystemClock()))
    events: EventHandler = field(init=False)
    listing: NamespaceResync = field(init=False)

    def __post_init__(self) -> None:
        self.server.answers = {"meetings": []}
        self.events = EventHandler(self.cache, KeyedQueue())
        api = cast(KubernetesApi, self.server)
        self.listing = NamespaceResync(api, self.cache, self.events, "meetings", SystemClock(), Metrics())

    def known(self) -> list[tuple[str, int]]:
        """Uids of sessions that exist, and how many pods they have."""
        return sorted((entry.uid, len(entry.pods)) for entry in self.cache if entry.session is not None)


async def test_what_came_while_it_was_listed_stays() -> None:
    place = Place()

    def create() -> None:
        place.events.event(PLURAL, "ADDED", documents.session("a"))
        place.events.event(PODS, "ADDED", documents.pod("a"))

    place.server.meanwhile = create
    await place.listing.once()
    assert place.known() == [("a", 1)]
    place.server.meanwhile = lambda: None
    await place.listing.once()
    assert place.known() == []


async def test_what_is_gone_is_known_to_be_gone_although_the_rest_of_it_is_busy() -> None:
    place = Place()
    place.events.event(PLURAL, "ADDED", documents.session("a"))
    place.events.event(PODS, "ADDED", documents.pod("a"))
    place.server.answers["meetings"] = [documents.session("a")]
    place.server.meanwhile = lambda: place.events.event(PLURAL, "MODIFIED", documents.session("a", version=9))
    await place.listing.once()
    assert place.known() == [("a", 0)]


async def test_an_object_that_nobody_can_read_stops_no_listing(caplog: pytest.LogCaptureFixture) -> None:
    place = Place()
    place.server.answers["meetings"] = [{**documents.session("b"), "spec": 7}, documents.session("a")]
    place.server.pods = [{**documents.pod("b"), "status": {"conditions": None}}, documents.pod("a")]
    await place.listing.once()
    assert place.known() == [("a", 1)]
    assert {vars(record)["kind"] for record in caplog.records} == {"Pod", "MeetingSession"}
    assert "parsing.py" in str(vars(caplog.records[0])["frames"])


async def test_who_asks_twice_in_a_row_gets_one_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "SETTLING_SECONDS", 0.2)
    place = Place()
    task = asyncio.create_task(place.listing.run())
    await until(place.listing.listed.is_set)
    place.listing.trigger()
    await asyncio.sleep(0)  # it wakes
    place.listing.trigger()
    await until(lambda: place.server.listings == 2)
    assert not place.listing._wanted.is_set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
