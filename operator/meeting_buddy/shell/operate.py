"""Wires everything together and runs it until the process is told to stop.

What happens if this process dies here? Bots go on, the kubelet keeps their outcomes, the finalizer keeps their pods;
the next process lists, reads and goes on (or the other replica does, once the Lease is free).
"""

import asyncio
import os
import signal

import kopf

from meeting_buddy.contract.phases import Phase
from meeting_buddy.control.apply import Hands
from meeting_buddy.control.engine import Engine, complain, utc_now
from meeting_buddy.control.lease import Lease
from meeting_buddy.control.observe import Observer
from meeting_buddy.control.queue import KeyedQueue
from meeting_buddy.control.resync import Resync
from meeting_buddy.control.store import Store
from meeting_buddy.control.streams import Streams
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.objects import Objects
from meeting_buddy.kube.pace import Pace
from meeting_buddy.shell import settings as files
from meeting_buddy.shell.key import bot_key
from meeting_buddy.shell.metrics import Metrics
from meeting_buddy.shell.settings import Settings
from meeting_buddy.shell.watches import registry_for, settings_for
from meeting_buddy.shell.web import serving


async def operate(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    installation = files.load_installation(settings.installation)
    tables = files.load_tables(settings.tables)
    loop = asyncio.get_running_loop()
    metrics, store, queue = Metrics(), Store(), KeyedQueue()
    client = KubeClient(await configuration(settings.kubeconfig), Pace(), metrics.request)
    objects = Objects(client, settings.identity)
    lease = Lease(objects, settings.own_namespace, settings.identity, loop.time)
    streams = Streams(utc_now, queue.add, metrics.report)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _gauges(metrics, store, queue, streams, lease)
    engine: Engine | None = None

    def ready() -> bool:
        return engine is not None and engine.synced.is_set()

    try:
        async with serving(settings.host, settings.port, ready, metrics):
            key = await bot_key(objects, settings.own_namespace)
            hands = Hands(objects, store, streams, tables, key, utc_now, loop.time, lambda: lease.held, metrics)
            scope: tuple[str | None, ...] = settings.namespaces or (None,)
            resync = Resync(objects, store, scope, queue.add, complain, utc_now)
            observer = Observer(objects, store, installation, tables)
            engine = Engine(store, queue, observer, hands, streams, lease, resync, utc_now, metrics)
            await _run(engine, settings, stop)
    finally:
        await client.close()


async def _run(engine: Engine, settings: Settings, stop: asyncio.Event) -> None:
    """Engine first, then kopf's watches; whichever ends first ends both."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    working = asyncio.create_task(engine.run(), name="engine")
    synced = asyncio.create_task(engine.synced.wait(), name="synced")
    watching: asyncio.Task[None] | None = None
    try:
        # kopf gives up on a CRD that is not there; our own first listing waits for it.
        await asyncio.wait((stopping, working, synced), return_when=asyncio.FIRST_COMPLETED)
        if synced.done() and not stopping.done():
            watching = asyncio.create_task(_watch(engine, settings, stop), name="kopf")
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


async def _watch(engine: Engine, settings: Settings, stop: asyncio.Event) -> None:
    if settings.kubeconfig is not None:
        os.environ["KUBECONFIG"] = settings.kubeconfig  # where kopf's login looks
    await kopf.operator(
        registry=registry_for(engine, kubeconfig=settings.kubeconfig is not None),
        settings=settings_for(),
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        identity=settings.identity,  # else kopf asks for the user's name, which an arbitrary uid does not have
        standalone=True,
        stop_flag=stop,
    )


def _gauges(metrics: Metrics, store: Store, queue: KeyedQueue, streams: Streams, lease: Lease) -> None:
    metrics.sessions(
        lambda phase: sum(
            1 for record in store if record.session is not None and (record.session.status.phase or _NEW) is phase
        )
    )
    metrics.gauge("workqueue_depth", "Keys that wait for their turn", lambda: len(queue))
    metrics.gauge("cache_objects", "Sessions that are remembered", lambda: len(store))
    metrics.gauge("streams", "Bots whose reports are followed", lambda: len(streams))
    metrics.gauge("leader", "Whether this replica acts", lambda: float(lease.held))


_NEW = Phase.INITIALIZING
