"""The operator's engine: feeds the queue from watches, lets workers observe → decide → apply while the Lease is held.

A replica without the Lease keeps its store warm and does nothing else. Losing the Lease stops work at once: workers are
cancelled, streams closed, and every write asks again (``control.apply``).

What happens if this process dies here? See the docstring of ``domain.decide``; a restart is the ordinary repair.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from meeting_buddy.control.apply import Hands, LeaseLostError, StaleFactsError
from meeting_buddy.control.lease import Lease
from meeting_buddy.control.observe import Observer
from meeting_buddy.control.queue import KeyedQueue
from meeting_buddy.control.resync import Resync
from meeting_buddy.control.store import Record, Store
from meeting_buddy.control.streams import Streams
from meeting_buddy.control.telemetry import Telemetry
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import Clock
from meeting_buddy.kube.errors import KubeError

WORKERS: Final = 24
"""Turns at the same time. A turn waits for the API server most of its life, so they cost next to nothing."""
MAX_LOOKS: Final = 5
"""How often one turn may look again before others get theirs."""

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The operator's clock."""
    return datetime.now(UTC)


class Engine:
    """All moving parts of control, wired once by the shell."""

    def __init__(
        self,
        store: Store,
        queue: KeyedQueue,
        observer: Observer,
        hands: Hands,
        streams: Streams,
        lease: Lease,
        resync: Resync,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._queue = queue
        self._observer = observer
        self._hands = hands
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
                await _news(self._lease.changed)
        finally:
            await self._stop_work()
            background = [task for task in (contending, resyncing) if task is not None]
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._lease.release()

    # What watches tell

    def session_event(self, kind: str | None, document: dict[str, Any]) -> None:
        """An event of the MeetingSessions' watch."""
        if kind == "DELETED":
            self._add(self._store.lost_session(document["metadata"]["uid"], confirmed=True))
            return
        try:
            self._add(self._store.saw_session(document, asyncio.get_running_loop().time(), self._clock()))
        except (ValidationError, ValueError) as error:
            complain(document, error)

    def pod_event(self, kind: str | None, document: dict[str, Any]) -> None:
        """An event of the bot pods' watch."""
        if kind != "DELETED":
            self._add(self._store.saw_pod(document, asyncio.get_running_loop().time()))
            return
        for owner in document["metadata"].get("ownerReferences", ()):
            self._add(self._store.lost_pod(owner["uid"], document["metadata"]["name"], document))

    def _add(self, uid: str | None) -> None:
        if uid is not None:
            self._queue.add(uid)

    # Work

    def _start_work(self) -> None:
        for record in self._store:
            self._queue.add(record.uid)
        self._workers = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(WORKERS)]

    async def _stop_work(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []
        self._queue.release_all()
        await self._streams.close()
        for record in self._store:
            record.stream = None
            record.leave = None

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            uid, waited = await self._queue.take()
            started = loop.time()
            failed = False
            try:
                await self._turn(uid)
            except LeaseLostError:
                self._queue.done(uid)
            except KubeError as error:
                failed = True
                pause = self._queue.failed(uid)
                _log.warning("will retry", extra={"uid": uid, "seconds": round(pause, 1), "error": str(error)})
            except Exception:
                # One session's trouble must not take the others along; it is retried, counted and told.
                failed = True
                self._queue.failed(uid)
                _log.exception("reconcile failed", extra={"uid": uid})
            finally:
                self._telemetry.worked(waited, loop.time() - started, failed=failed)

    async def _turn(self, uid: str) -> None:
        record = self._store.get(uid)
        if record is None:
            self._queue.done(uid)
            return
        for _ in range(MAX_LOOKS):
            if await self._look(record):
                break
        else:
            self._queue.wake(uid, 0.2)
        self._queue.done(uid)
        if record.session is None and record.gone and not record.pods:
            self._streams.stop(record)
            self._queue.forget(uid)
            self._store.forget(uid)

    async def _look(self, record: Record) -> bool:
        """One observe → decide → apply; whether it was the last one of this turn."""
        facts = await self._observer.facts(record, asyncio.get_running_loop().time(), self._clock())
        plan = decide(facts, self._clock)
        try:
            for action in plan.actions:
                await self._hands.do(record, facts, action)
        except StaleFactsError:
            return False
        seconds = None if plan.requeue_at is None else (plan.requeue_at - self._clock()).total_seconds()
        self._queue.wake(record.uid, seconds)
        return True


def complain(document: dict[str, Any], error: Exception) -> None:
    """Say that a stored object cannot be read, without quoting any of its values."""
    fields: Iterable[str] = ()
    if isinstance(error, ValidationError):
        fields = (".".join(map(str, each["loc"])) for each in error.errors(include_input=False))
    metadata = document.get("metadata", {})
    _log.error(
        "a MeetingSession cannot be read and is left alone",
        extra={"namespace": metadata.get("namespace"), "session": metadata.get("name"), "fields": list(fields)},
    )


async def _news(event: asyncio.Event) -> None:
    """Wait for the Lease's news, at most a second: it also ends silently, by its own clock."""
    try:
        async with asyncio.timeout(1.0):
            await event.wait()
    except TimeoutError:
        return
