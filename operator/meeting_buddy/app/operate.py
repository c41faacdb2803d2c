"""Wires everything together and runs it until the process is told to stop."""

import asyncio
import os
import signal

import kopf

from meeting_buddy.app import settings as files
from meeting_buddy.app.key import bot_keys
from meeting_buddy.app.metrics import Metrics
from meeting_buddy.app.settings import Settings
from meeting_buddy.app.watches import registry_for, settings_for
from meeting_buddy.app.web import serving
from meeting_buddy.contract.phases import Phase
from meeting_buddy.controller.class_check import ClassCheck
from meeting_buddy.controller.controller import Controller, log_unreadable, utc_now
from meeting_buddy.controller.executor import Executor
from meeting_buddy.controller.lease import Lease
from meeting_buddy.controller.observe import Observer
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.report_streams import BotReportStreams
from meeting_buddy.controller.resync import Resync
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter


async def operate(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    installation = files.load_installation(settings.installation)
    tables = files.load_tables(settings.tables)
    loop = asyncio.get_running_loop()
    metrics, cache, queue = Metrics(), SessionCache(), KeyedQueue()
    client = KubeClient(await configuration(settings.kubeconfig), RateLimiter(), metrics.request)
    api = KubernetesApi(client, settings.identity)
    lease = Lease(api, settings.own_namespace, settings.identity, loop.time)
    checked = settings.namespaces or (settings.own_namespace,)
    class_check = ClassCheck(api, installation.bot_classes, checked, metrics.bot_class)
    streams = BotReportStreams(utc_now, queue.add, metrics.report)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _gauges(metrics, cache, queue, streams, lease)
    controller: Controller | None = None

    def ready() -> bool:
        return controller is not None and controller.synced.is_set()

    try:
        async with serving(settings.host, settings.port, ready, metrics), class_check.running():
            keys = await bot_keys(api, settings.own_namespace)
            executor = Executor(api, cache, streams, tables, keys, utc_now, loop.time, lambda: lease.held, metrics)
            scope: tuple[str | None, ...] = settings.namespaces or (None,)
            resync = Resync(api, cache, scope, queue.add, log_unreadable, utc_now)
            observer = Observer(api, cache, installation, tables)
            controller = Controller(cache, queue, observer, executor, streams, lease, resync, utc_now, metrics)
            await _run(controller, settings, stop)
    finally:
        await client.close()


async def _run(controller: Controller, settings: Settings, stop: asyncio.Event) -> None:
    """Controller first, then kopf's watches; whichever ends first ends both."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    working = asyncio.create_task(controller.run(), name="controller")
    synced = asyncio.create_task(controller.synced.wait(), name="synced")
    watching: asyncio.Task[None] | None = None
    try:
        # kopf gives up on a CRD that is not there; our own first listing waits for it.
        await asyncio.wait((stopping, working, synced), return_when=asyncio.FIRST_COMPLETED)
        if synced.done() and not stopping.done():
            watching = asyncio.create_task(_watch(controller, settings, stop), name="kopf")
            await asyncio.wait((stopping, working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        if watching is not None and watching.done():
            watching.result()
    finally:
        stop.set()
        for task in (stopping, working, synced):
            task.cancel()
        # kopf is not cancelled: it heard `stop` and closes its watches in order.
        await asyncio.gather(stopping, working, synced, *([watching] if watching else []), return_exceptions=True)


async def _watch(controller: Controller, settings: Settings, stop: asyncio.Event) -> None:
    if settings.kubeconfig is not None:
        os.environ["KUBECONFIG"] = settings.kubeconfig  # where kopf's login looks
    await kopf.operator(
        registry=registry_for(controller, kubeconfig=settings.kubeconfig is not None),
        settings=settings_for(),
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        identity=settings.identity,  # else kopf asks for the user's name, which an arbitrary uid does not have
        standalone=True,
        stop_flag=stop,
    )


def _gauges(metrics: Metrics, cache: SessionCache, queue: KeyedQueue, streams: BotReportStreams, lease: Lease) -> None:
    metrics.sessions(
        lambda phase: sum(
            1 for entry in cache if entry.session is not None and (entry.session.status.phase or _NEW) is phase
        )
    )
    metrics.gauge("workqueue_depth", "Keys that wait in the queue", lambda: len(queue))
    metrics.gauge("cache_objects", "Sessions in the cache", lambda: len(cache))
    metrics.gauge("streams", "Bots whose reports are followed", lambda: len(streams))
    metrics.gauge("leader", "Whether this replica acts", lambda: float(lease.held))


_NEW = Phase.INITIALIZING
