"""A worker's looks: what came while it wrote is looked at, what it wrote itself is not."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import pytest

from meeting_buddy.app.metrics import Metrics
from meeting_buddy.contract.token import BotKeys
from meeting_buddy.controller.controller import Controller
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.executor import Executor
from meeting_buddy.controller.lease import Lease
from meeting_buddy.controller.observe import Observer
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.report_streams import BotReportStreams
from meeting_buddy.controller.resync import Resync
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.installation import Installation
from meeting_buddy.resource.session import PLURAL
from tests.support import operator_documents as documents
from tests.support.awaiting import until
from tests.support.operator_clock import ManualClock


class ScriptedApi:
    """An API server that takes each patch of a status, and whose watch is quicker than its answer."""

    def __init__(self, events: EventHandler, *shown: dict[str, Any]) -> None:
        self.events = events
        self.shown = list(shown)
        self.patched: dict[str, Any] = {}

    async def patch_status(self, _namespace: str, _name: str, _version: str, patch: dict[str, Any]) -> dict[str, Any]:
        self.patched |= patch
        while self.shown:
            self.events.event(PLURAL, "MODIFIED", {**self.shown.pop(0), "status": self.patched})
        return {**documents.session(version=9), "status": self.patched}

    async def get_pod(self, namespace: str, name: str) -> dict[str, Any]:
        raise KubeError("Pod", namespace, name, 404, "NotFound", "not found")

    async def create_event(self, *_: object) -> None:
        """Nobody reads it here."""


class Looks(Metrics):
    """Counts what workers did."""

    count = 0

    def reconciled(self, waited: float, seconds: float, *, failed: bool) -> None:
        assert not failed
        self.count += 1


def controller(events: EventHandler, cache: SessionCache, queue: KeyedQueue, api: ScriptedApi, looks: Looks) -> Any:
    clock = ManualClock()
    installation = Installation(bot_classes={"default": BotClass(image="registry.example/bot:1")})
    keys = BotKeys(control=b"c" * 32, read=b"r" * 32)
    given = cast(KubernetesApi, api)
    streams = BotReportStreams(clock, lambda _uid: None, lambda _result: None)
    observer = Observer(given, cache, installation, {}, lambda _name, _namespace: None, {}, keys, clock)
    executor = Executor(given, cache, streams, {}, keys, clock, lambda: True, looks)
    lease, resync = cast(Lease, None), cast(Resync, None)
    return Controller(cache, queue, events, observer, executor, streams, lease, resync, clock, looks)


@pytest.mark.parametrize(
    ("shown", "looks"),
    [
        ([], 1),
        ([documents.session(version=9)], 1),  # the write itself
        ([documents.session(version=9), documents.session(version=10)], 2),  # and somebody else's behind it
    ],
)
async def test_an_own_write_that_a_watch_shows_first_is_not_looked_at(shown: list[dict[str, Any]], looks: int) -> None:
    cache, queue, counted = SessionCache(ManualClock()), KeyedQueue(), Looks()
    events = EventHandler(cache, queue)
    # No platform table is known, so that the session ends with one write.
    working = controller(events, cache, queue, ScriptedApi(events, *shown), counted)
    events.start_leading()
    events.event(PLURAL, "ADDED", documents.session())
    worker = asyncio.create_task(working._work())
    await until(lambda: counted.count >= looks and not len(queue))
    await asyncio.sleep(0)
    assert counted.count == looks
    worker.cancel()


async def test_a_worker_that_ends_ends_the_operator() -> None:
    """A session that it had would never be looked at again, and nobody would know."""
    cache, queue, looks = SessionCache(ManualClock()), KeyedQueue(), Looks()
    events = EventHandler(cache, queue)
    working = controller(events, cache, queue, ScriptedApi(events), looks)
    working._lease = Mock(held=True, changed=asyncio.Event(), contend=asyncio.Event().wait, release=AsyncMock())
    working._resync = Mock(run=asyncio.Event().wait, wait_first_listing=AsyncMock())
    working._telemetry = Mock(reconciled=Mock(side_effect=RuntimeError("a counter")))
    events.event(PLURAL, "ADDED", documents.session())
    with pytest.raises(RuntimeError, match="a counter"):
        async with asyncio.timeout(20):
            await working.run()
    working._lease.release.assert_awaited_once()
