"""Wires everything together and runs it until the process gets SIGTERM."""

import asyncio
import gc
import os
import signal
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from meeting_buddy.app import gauges
from meeting_buddy.app.key import bot_keys
from meeting_buddy.app.metrics import Metrics
from meeting_buddy.app.reader_keys import ReaderKeys
from meeting_buddy.app.settings import Settings
from meeting_buddy.app.watch_listener import SILENCE_SECONDS, WatchListener
from meeting_buddy.app.watches import watch
from meeting_buddy.controller.class_check import ClassCheck
from meeting_buddy.controller.clock import SystemClock
from meeting_buddy.controller.controller import Controller
from meeting_buddy.controller.crd_check import CrdCheck
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.executor import Executor
from meeting_buddy.controller.lease import Lease
from meeting_buddy.controller.observe import Observer
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.report_streams import BotReportStreams
from meeting_buddy.controller.resync import NamespaceResync, Resync
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.process.health import serving
from meeting_buddy.resource.config_files import load_installation, load_tables

Found = TypeVar("Found")


async def operate(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    installation = load_installation(settings.installation)
    resolved = load_tables(settings.tables)
    tables = {platform: each.table for platform, each in resolved.items() if each.table is not None}
    faults = {platform: str(each.fault) for platform, each in resolved.items() if each.fault is not None}
    clock = SystemClock()
    metrics, cache, queue = Metrics(), SessionCache(clock), KeyedQueue()
    for platform, each in resolved.items():
        metrics.platform_table(platform, each.state)
    events = EventHandler(cache, queue)
    client = KubeClient(await configuration(settings.kubeconfig), RateLimiter(), metrics.request)
    api = KubernetesApi(client, settings.identity)
    lease = Lease(api, settings.own_namespace, settings.identity, clock)
    checked = settings.namespaces or installation.recordings.claims or installation.recordings.namespaces
    class_check = ClassCheck(api, installation.bot_classes, checked, metrics.bot_class)
    crd_check = CrdCheck(api, metrics.crd_schema)
    streams = BotReportStreams(clock, queue.add, metrics.report)
    stop = asyncio.Event()
    _install_signal_handlers(stop)
    gauges.register(metrics, cache, queue, streams, lease)
    controller: Controller | None = None

    def not_ready() -> str | None:
        return controller.not_ready() if controller is not None else "starting"

    try:
        async with (
            serving(settings.host, settings.port, not_ready, metrics.page),
            class_check.running(),
            crd_check.running(),
        ):
            keys = await _unless_stopped(bot_keys(api, settings.own_namespace), stop)
            if keys is None:
                return
            executor = Executor(api, cache, streams, tables, keys, clock, lambda: lease.held, metrics)
            scope: tuple[str | None, ...] = settings.namespaces or (None,)
            listings = {each: NamespaceResync(api, cache, events, each, clock, metrics) for each in scope}
            resync = Resync(tuple(listings.values()))
            listener = WatchListener(
                SILENCE_SECONDS,
                metrics.watch_age,
                metrics.watch_reopened,
                lambda namespace: listings[namespace or None].trigger(),
                cache.echoes.take,
                events.event,
            )
            observer = Observer(api, cache, installation, tables, class_check.refusal, faults, keys, clock)
            controller = Controller(cache, queue, events, observer, executor, streams, lease, resync, clock, metrics)
            reader_keys = ReaderKeys(
                api, installation.recordings.namespaces, keys.read, lambda: lease.held, metrics.reader_key
            )
            _tune_collector()
            async with reader_keys.running():
                await _run(controller, _watching(listener, settings, tuple(listings), stop), stop)
    finally:
        await client.close()


async def _unless_stopped(work: Coroutine[Any, Any, Found], stop: asyncio.Event) -> Found | None:
    """What ``work`` finds; ``None``: it is to end before."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _tune_collector() -> None:
    """What is loaded by now stays; of what a session costs nearly nothing is a cycle that has to be searched for."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _run(controller: Controller, watches: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Controller first, then kopf's watches; whichever ends first ends both."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    working = asyncio.create_task(controller.run(), name="controller")
    synced = asyncio.create_task(controller.synced.wait(), name="synced")
    watching: asyncio.Task[None] | None = None
    try:
        # kopf gives up on a CRD that is not there; our own first listing waits for it.
        await asyncio.wait((stopping, working, synced), return_when=asyncio.FIRST_COMPLETED)
        if synced.done() and not stopping.done():
            watching = asyncio.create_task(watches, name="kopf")
            await asyncio.wait((stopping, working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        if watching is not None and watching.done():
            watching.result()
    finally:
        stop.set()
        if watching is None:
            watches.close()
        for task in (stopping, working, synced):
            task.cancel()
        # kopf is not cancelled: it heard `stop` and closes its watches in order.
        await asyncio.gather(stopping, working, synced, *([watching] if watching else []), return_exceptions=True)


async def _watching(
    listener: WatchListener, settings: Settings, scope: Sequence[str | None], stop: asyncio.Event
) -> None:
    """The watches of all namespaces, until ``stop``."""
    if settings.kubeconfig is not None:
        os.environ["KUBECONFIG"] = settings.kubeconfig  # where kopf's login looks
    async with asyncio.TaskGroup() as group:
        for namespace in scope:
            signals = partial(_install_signal_handlers, stop)
            group.create_task(watch(listener, settings, namespace, stop, signals))


def _install_signal_handlers(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
