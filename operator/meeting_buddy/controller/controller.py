"""Feeds the queue from watches and lets workers observe → decide → apply while the Lease is held.

A replica without the Lease keeps its cache warm and does nothing else. Losing the Lease stops work at once: workers are
cancelled, streams closed, and every write asks again (``controller.executor``).
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from meeting_buddy.contract import identity
from meeting_buddy.controller.executor import Executor, NotLeaderError, StaleFactsError
from meeting_buddy.controller.lease import Lease
from meeting_buddy.controller.observe import Observer
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.report_streams import BotReportStreams
from meeting_buddy.controller.resync import Resync
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.controller.telemetry import Telemetry
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import Clock
from meeting_buddy.kube.errors import KubeError

WORKERS: Final = 24
"""Reconciliations at the same time. One waits for the API server most of its life, so many cost next to nothing."""
MAX_PASSES: Final = 5
"""Observe → decide → apply passes of one reconciliation before other keys get their turn."""

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The operator's clock."""
    return datetime.now(UTC)


class Controller:
    """All moving parts of the controller, wired once by ``app``."""

    def __init__(
        self,
        cache: SessionCache,
        queue: KeyedQueue,
        observer: Observer,
        executor: Executor,
        streams: BotReportStreams,
        lease: Lease,
        resync: Resync,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._observer = observer
        self._executor = executor
        self._streams = streams
        self._lease = lease
        self._resync = resync
        self._clock = clock
        self._telemetry = telemetry
        self._workers: list[asyncio.Task[None]] = []
        self.synced = asyncio.Event()
        """Set once everything was listed for the first time."""

    async def run(self) -> None:
        """List, then contend for the Lease and work while it is held; until cancelled."""
        contending: asyncio.Task[None] | None = None
        resyncing: asyncio.Task[None] | None = None
        try:
            await self._resync.until_first()
            self.synced.set()
            contending = asyncio.create_task(self._lease.contend(), name="lease")
            resyncing = asyncio.create_task(self._resync.forever(), name="resync")
            while True:
                self._lease.changed.clear()
                if self._lease.held and not self._workers:
                    self._start_work()
                if not self._lease.held and self._workers:
                    await self._stop_work()
                for task in (contending, resyncing):
                    if task.done():
                        task.result()  # neither ends by itself: this raises what ended it
                await _wait_lease_change(self._lease.changed)
        finally:
            await self._stop_work()
            background = [task for task in (contending, resyncing) if task is not None]
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._lease.release()

    # Events of the watches

    def session_event(self, kind: str | None, document: dict[str, Any]) -> None:
        """An event of the MeetingSessions' watch."""
        if kind == "DELETED":
            self._add(self._cache.remove_session(document["metadata"]["uid"], confirmed=True))
            return
        try:
            self._add(self._cache.upsert_session(document, asyncio.get_running_loop().time(), self._clock()))
        except (ValidationError, ValueError) as error:
            log_unreadable(document, error)

    def pod_event(self, kind: str | None, document: dict[str, Any]) -> None:
        """An event of the bot pods' watch."""
        if kind != "DELETED":
            self._add(self._cache.upsert_pod(document, asyncio.get_running_loop().time()))
            return
        metadata = document["metadata"]
        uids = {owner["uid"] for owner in metadata.get("ownerReferences", ())}
        # An orphan has no owner left; that it is gone must be known all the same.
        for uid in uids or {metadata.get("labels", {}).get(identity.LABEL_SESSION_UID, "")}:
            self._add(self._cache.remove_pod(uid, metadata["name"], document))

    def _add(self, uid: str | None) -> None:
        if uid is not None:
            self._queue.add(uid)

    # Work

    def _start_work(self) -> None:
        for entry in self._cache:
            self._queue.add(entry.uid)
        self._workers = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(WORKERS)]

    async def _stop_work(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []
        self._queue.release_all()
        await self._streams.close()
        for entry in self._cache:
            entry.stream = None
            entry.leave = None

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            uid, waited = await self._queue.take()
            started = loop.time()
            failed = False
            try:
                await self._reconcile(uid)
            except NotLeaderError:
                self._queue.done(uid)
            except KubeError as error:
                failed = True
                pause = self._queue.failed(uid)
                _log.warning("will retry", extra={"uid": uid, "seconds": round(pause, 1), "error": str(error)})
            except Exception:
                # One session's trouble must not take the others along; it is retried, counted and logged.
                failed = True
                self._queue.failed(uid)
                _log.exception("reconcile failed", extra={"uid": uid})
            finally:
                self._telemetry.worked(waited, loop.time() - started, failed=failed)

    async def _reconcile(self, uid: str) -> None:
        entry = self._cache.get(uid)
        if entry is None:
            self._queue.done(uid)
            return
        for _ in range(MAX_PASSES):
            if await self._reconcile_once(entry):
                break
        else:
            self._queue.wake(uid, 0.2)
        self._queue.done(uid)
        if entry.session is None and entry.gone and not entry.pods:
            self._streams.stop(entry)
            self._queue.forget(uid)
            self._cache.forget(uid)

    async def _reconcile_once(self, entry: CacheEntry) -> bool:
        """One observe → decide → apply; whether the reconciliation is done."""
        facts = await self._observer.facts(entry, asyncio.get_running_loop().time(), self._clock())
        plan = decide(facts, self._clock)
        try:
            for action in plan.actions:
                await self._executor.execute(entry, facts, action)
        except StaleFactsError:
            return False
        seconds = None if plan.requeue_at is None else (plan.requeue_at - self._clock()).total_seconds()
        self._queue.wake(entry.uid, seconds)
        return True


def log_unreadable(document: dict[str, Any], error: Exception) -> None:
    """Say that a stored object cannot be read, without quoting any of its values."""
    fields: Iterable[str] = ()
    if isinstance(error, ValidationError):
        fields = (".".join(map(str, each["loc"])) for each in error.errors(include_input=False))
    metadata = document.get("metadata", {})
    _log.error(
        "a MeetingSession cannot be read and is left alone",
        extra={"namespace": metadata.get("namespace"), "session": metadata.get("name"), "fields": list(fields)},
    )


async def _wait_lease_change(event: asyncio.Event) -> None:
    """Wait for a change of the Lease, at most a second: it also expires silently, by its own clock."""
    try:
        async with asyncio.timeout(1.0):
            await event.wait()
    except TimeoutError:
        return
