"""The use of kopf: login, and two watches, whose events are taken from their lines (``app.watch_reader``).

kopf's low-level ``on.event`` handlers write nothing. Its stateful ones (create, update, timer, daemon) keep their state
in annotations and finalizers on users' objects, and miss level-triggering; none of them is registered.

A watch that says nothing for 70 s, not even a bookmark, is opened again by kopf (``app.watch_listener``).

One kopf a watched namespace: kopf ends when one of its watches is refused, as in a namespace that was deleted. It is
started again until the namespace is back, and those of other namespaces do not notice.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable
from typing import Any, Final

import kopf

from meeting_buddy.app.settings import Settings
from meeting_buddy.app.watch_listener import WatchListener
from meeting_buddy.contract.identity import POD_SELECTOR
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.kube.paths import PODS
from meeting_buddy.resource.session import GROUP, PLURAL, VERSION

FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 30.0
HEALTHY_SECONDS: Final = 300.0
"""A watch that ran for so long begins with the shortest pause again."""

_log = logging.getLogger(__name__)


def registry_for(listener: WatchListener, *, kubeconfig: bool) -> kopf.OperatorRegistry:
    """An explicit registry: no global state, so that several can live in one process."""
    registry = kopf.OperatorRegistry()
    sessions: dict[kopf.ConnectionInfo, kopf.AiohttpSession] = {}

    async def login(**facts: Any) -> kopf.AiohttpSession | None:
        found = _credentials(facts, kubeconfig=kubeconfig)
        if found is None:
            return None
        # The same object for the same credentials: that is how kopf knows them again once they were refused, and gives
        # up instead of trying them for ever.
        if found not in sessions:
            sessions[found] = kopf.AiohttpSession(
                server=found.server, default_namespace=found.default_namespace, aiohttp_session=listener.session(found)
            )
        return sessions[found]

    async def nothing(**_: Any) -> None:
        """kopf watches what has a handler."""

    # Called, not used as decorators: kopf's decorators have no types that a strict checker can follow.
    kopf.on.login(registry=registry)(login)
    kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(nothing)
    kopf.on.event("", "v1", PODS, registry=registry)(nothing)
    return registry


def _credentials(facts: dict[str, Any], *, kubeconfig: bool) -> kopf.ConnectionInfo | None:
    found: kopf.ConnectionInfo | None = (
        kopf.login_with_kubeconfig(**facts) if kubeconfig else kopf.login_with_service_account(**facts)
    )
    address = os.environ.get("KUBERNETES_SERVICE_HOST")
    if found is None or kubeconfig or address is None:
        return found
    # kopf asks for kubernetes.default.svc; the address that every pod has in its environment needs no cluster DNS.
    host = f"[{address}]" if ":" in address else address
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return dataclasses.replace(found, server=f"https://{host}:{port}")


def settings_for(silence: float) -> kopf.OperatorSettings:
    """What kopf must not do, and how long it waits; ``silence``: seconds until a silent watch is opened again."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # Literal namespaces or all of them: nothing to discover, and no right to list namespaces or CRDs is needed.
    settings.scanning.disabled = True
    settings.networking.request_timeout = 30.0
    # Few tries, since kopf itself is started again (`watch`): a namespace that is back is seen the sooner.
    settings.networking.error_backoffs = (1, 2, 4)
    # Server-side: without it every pod of the cluster would come over the wire.
    settings.watching.label_selectors[PODS] = POD_SELECTOR
    settings.watching.inactivity_timeout = silence
    # From which version to watch is all that a listing of kopf's has to say (`app.watch_listener`).
    settings.watching.initial_streaming = False
    settings.watching.chunk_size = 1
    # kopf ends ten minutes after a watch failed by killing the process; here it is started again instead.
    settings.process.ultimate_exiting_timeout = None
    return settings


async def watch(
    listener: WatchListener,
    settings: Settings,
    namespace: str | None,
    stop: asyncio.Event,
    install_signal_handlers: Callable[[], None],
) -> None:
    """Watch one namespace, or all of them, until ``stop`` is set.

    Args:
        listener: hears what the watches say.
        settings: how this process runs.
        namespace: ``None`` for all.
        stop: ends the watch in order.
        install_signal_handlers: called after kopf has put its own in their place, which stop one kopf alone.
    """
    loop = asyncio.get_running_loop()
    backoff = Backoff(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS)
    while not stop.is_set():
        started = loop.time()
        try:
            await _watch_once(listener, settings, namespace, stop, install_signal_handlers)
        except Exception as error:
            _log.warning(
                "the watches ended; will start again",
                extra={"namespace": namespace or "all", "error": type(error).__name__},
            )
        if loop.time() - started > HEALTHY_SECONDS:
            backoff.reset()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(backoff.next()):
                await stop.wait()


async def _watch_once(
    listener: WatchListener,
    settings: Settings,
    namespace: str | None,
    stop: asyncio.Event,
    install_signal_handlers: Callable[[], None],
) -> None:
    """One life of kopf; raises what ended it.

    Not ``kopf.operator()``: when that ends it cancels every task of the loop that is younger than itself, ours too.
    """
    tasks = await kopf.spawn_tasks(
        registry=registry_for(listener, kubeconfig=settings.kubeconfig is not None),
        settings=settings_for(listener.silence),
        clusterwide=namespace is None,
        namespaces=() if namespace is None else (namespace,),
        identity=settings.identity,  # else kopf asks for the user's name, which an arbitrary uid does not have
        standalone=True,
        stop_flag=stop,
    )
    install_signal_handlers()
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(set(tasks))
        # A watch that failed leaves the one of the other kind running.
        await _cancel({task for task in asyncio.all_tasks() if _is_watch_of(task, namespace)})
    for task in done:
        task.result()


def _is_watch_of(task: asyncio.Task[Any], namespace: str | None) -> bool:
    """By kopf's own name for it, which ends with the namespace."""
    return task.get_name().startswith("watcher for ") and task.get_name().endswith(f"@{namespace}")


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
