"""Listing: one namespace that cannot be listed is one, its return is picked up, and the others do not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from meeting_buddy.app.metrics import Metrics
from meeting_buddy.controller import resync as subject
from meeting_buddy.controller.clock import SystemClock
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
        return
        yield {}


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
