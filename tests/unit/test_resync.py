"""Listing: one namespace that cannot be listed is one, its return is picked up, and the others do not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
from tests.support import operator_documents as documents
from tests.support.awaiting import until


class Namespaces:
    """What an API server lists: documents by namespace, or the error that it answers."""

    def __init__(self) -> None:
        self.answers: dict[str, list[documents.Document] | Exception] = {}

    async def list_sessions(self, namespace: str) -> AsyncIterator[documents.Document]:
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
