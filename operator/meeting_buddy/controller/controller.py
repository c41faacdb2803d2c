"""Lets workers observe → decide → apply while the Lease is held.

A replica without the Lease keeps its cache warm and does nothing else. Losing the Lease stops work at once: workers are
cancelled, streams closed, and every write asks again (``controller.executor``).
"""

import asyncio
import logging
from datetime import datetime
from functools import partial
from typing import Final

from meeting_buddy.controller import failures
from meeting_buddy.controller.clock import Clock
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.executor import Executor, NotLeaderError, Progress
from meeting_buddy.controller.lease import Lease
from meeting_buddy.controller.observe import Observer
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.report_streams import BotReportStreams
from meeting_buddy.controller.resync import Resync
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.controller.telemetry import Telemetry
from meeting_buddy.controller.unanswered import Unanswered
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.plan import EmitEvent, PatchStatus
from meeting_buddy.kube.errors import KubeError

WORKERS: Final = 24
"""Reconciliations at the same time. One waits for the API server most of its life, so many cost next to nothing."""
_NOT_LEADER_SECONDS: Final = 1.0
"""Until a session is looked at again when the Lease was late: it may be renewed before work is stopped."""
MAX_PASSES: Final = 5
"""Observe → decide → apply passes of one reconciliation before other keys get their turn."""

_log = logging.getLogger(__name__)


class Controller:
    """All moving parts of the controller, wired once by ``app``."""

    def __init__(
        self,
        cache: SessionCache,
        queue: KeyedQueue,
        events: EventHandler,
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
        self._events = events
        self._observer = observer
        self._executor = executor
        self._streams = streams
        self._lease = lease
        self._resync = resync
        self._clock = clock
        self._telemetry = telemetry
        clock.on_step(lambda _step: events.look_at_all())  # timers were set by the time before
        self._workers: list[asyncio.Task[None]] = []
        self.synced = asyncio.Event()
        """Set once a watched namespace was listed for the first time: work begins."""

    def not_ready(self) -> str | None:
        """Why this replica cannot stand in for another one yet; ``None``: it can.

        Work begins with the first listing. But an upgrade ends the replica that leads as soon as this one is ready, so
        by then this one has to know all namespaces; one that may not be listed keeps nobody waiting.
        """
        unanswered = self._resync.unanswered
        if unanswered:
            return f"not listed yet: {', '.join(unanswered)}"
        return None if self.synced.is_set() else "none of the watched namespaces may be listed"

    async def run(self) -> None:
        """List, then contend for the Lease and work while it is held; until cancelled."""
        contending: asyncio.Task[None] | None = None
        resyncing: asyncio.Task[None] | None = None
        try:
            resyncing = asyncio.create_task(self._resync.run(), name="resync")
            await self._resync.wait_first_listing()
            self.synced.set()
            contending = asyncio.create_task(self._lease.contend(), name="lease")
            while True:
                self._lease.changed.clear()
                if self._lease.held and not self._workers:
                    self._start_work()
                if not self._lease.held and self._workers:
                    await self._stop_work()
                for task in (contending, resyncing, *self._workers):
                    if task.done():
                        task.result()  # none ends by itself: this raises what ended it
                await _wait_lease_change(self._lease.changed)
        finally:
            await self._stop_work()
            background = [task for task in (contending, resyncing) if task is not None]
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._lease.release()

    # Work

    def _start_work(self) -> None:
        self._events.start_leading()
        self._workers = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(WORKERS)]

    async def _stop_work(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []
        await self._streams.close()
        for entry in self._cache:
            entry.forget_work()
        self._events.stop_leading()

    async def _work(self) -> None:
        while True:
            uid, waited = await self._queue.take()
            started = self._clock.monotonic()
            failed = False
            try:
                await self._reconcile(uid)
            except NotLeaderError:
                self._queue.done(uid)
                self._queue.wake(uid, _NOT_LEADER_SECONDS)
            except Exception as error:
                # One session's trouble must not take the others along; it is retried, counted and reported.
                failed = True
                self._failed(uid, error)
            finally:
                self._telemetry.reconciled(waited, self._clock.monotonic() - started, failed=failed)

    def _failed(self, uid: str, error: Exception) -> None:
        entry = self._cache.get(uid)
        link = entry.session.spec.meeting_link if entry is not None and entry.session is not None else None
        found = failures.counted(entry.error if entry is not None else None, error, link, self._clock.now())
        if entry is not None:
            entry.error = found
            if entry.progressed:  # an API server that is busy refuses one call after the other, and takes each later
                self._queue.progressed(uid)
            entry.progressed = False
        facts: dict[str, object] = {"uid": uid, "tries": found.count, "error": found.message}
        if isinstance(error, KubeError):
            self._telemetry.reconcile_failed(error.kind, str(error.status))
            pause = self._queue.failed(uid, error.retry_after)
        else:
            self._telemetry.reconcile_failed("", "")
            pause = self._queue.failed(uid)
            facts |= {"type": type(error).__name__, "frames": failures.origin(error)}
        _log.warning("reconcile failed; will retry", extra=facts | {"seconds": round(pause, 1)})

    async def _reconcile(self, uid: str) -> None:
        entry = self._cache.get(uid)
        if entry is None:
            self._queue.done(uid)
            return
        for _ in range(MAX_PASSES):
            if await self._reconcile_once(entry) is Progress.NEXT:
                break
        else:
            raise failures.UnsettledError(f"not settled after {MAX_PASSES} passes")
        if entry.has_persistent_error or entry.overheard:
            self._queue.add(uid)  # for what came meanwhile, or without the error: the status still shows it
        entry.error = None
        if entry.session is None or entry.of(entry.current).rejection is None:
            entry.announced_errors.clear()
        self._queue.done(uid)
        if entry.gone and self._cache.forget_if_gone(uid):
            self._streams.stop_all(entry)
            self._queue.forget(uid)

    async def _reconcile_once(self, entry: CacheEntry) -> Progress:
        """One observe → decide → apply."""
        entry.overheard.clear()
        facts, failure = await self._observer.observe(entry)
        if entry.unanswered is not None:
            await self._executor.catch_up(entry)
        plan = decide(facts, self._clock.now)
        for number, action in enumerate(plan.actions):
            try:
                progress = await self._executor.execute(entry, facts, action)
            except KubeError as error:
                if isinstance(action, PatchStatus) and (error.status == 0 or error.status >= 500):
                    events = tuple(each for each in plan.actions[number:] if isinstance(each, EmitEvent))
                    entry.unanswered = Unanswered(facts, action.patch, events)
                raise
            if progress is Progress.OBSERVE_AGAIN:
                return Progress.OBSERVE_AGAIN
        if failure is not None:
            raise failure
        if plan.requeue_at is None:
            self._queue.wake(entry.uid, None)
        else:
            left = partial(self._seconds_until, plan.requeue_at)
            self._queue.wake(entry.uid, left(), left)
        return Progress.NEXT

    def _seconds_until(self, moment: datetime) -> float:
        return (moment - self._clock.now()).total_seconds()


async def _wait_lease_change(event: asyncio.Event) -> None:
    """Wait for a change of the Lease, at most a second: it also expires silently, by its own clock."""
    try:
        async with asyncio.timeout(1.0):
            await event.wait()
    except TimeoutError:
        return
