"""``python -m meeting_buddy.app.release``: releases the pods of all sessions, before the operator is uninstalled.

Their finalizer waits for an operator that records their outcome. Without one they could not be deleted, nor could their
namespace. Bots go on and finish their files; what became of them is in ``session.json`` beside these.

The operator still runs meanwhile, and would make further pods that nobody releases: so its Lease is taken first, and
given back where not all pods could be released.
"""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

from meeting_buddy.app.settings import add_scope, own_namespace
from meeting_buddy.contract.identity import FINALIZER_OUTCOME
from meeting_buddy.controller import lease
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.process import logs

_log = logging.getLogger("meeting_buddy")


PATIENCE_SECONDS: Final = 30.0
"""For so long what failed is tried again: the Job has 180 seconds, in which it may run this program twice."""
PAUSE_SECONDS: Final = 3.0
FORMER_HOLDER_SECONDS: Final = lease.DURATION
"""After these the operator that held the Lease acts no more, whether or not it could learn that it lost it."""
HOLD_SECONDS: Final = 300
"""Longer than the Job may take. Were it killed without a word, the operator would go on after that."""
REMOVAL_SECONDS: Final = 60
"""Within these the operator is removed once all pods are released. An operator that is installed again right then
waits as long from its start; one that is installed minutes later acts at once."""


async def release_instead_of_operator(api: KubernetesApi, own: str, namespaces: Sequence[str]) -> bool:
    """Release all pods once the operator acts no more; whether that was done.

    Args:
        api: the API server.
        own: the operator's own namespace, where its Lease is.
        namespaces: where its sessions are; none: everywhere.
    """
    complete = False
    acting = await _assign_lease(api, own, lease.UNINSTALL, HOLD_SECONDS)
    if acting is None:
        return False
    try:
        if acting:
            _log.info("waiting until the operator acts no more", extra={"seconds": FORMER_HOLDER_SECONDS})
            await asyncio.sleep(FORMER_HOLDER_SECONDS)
        released, complete = await release(api, namespaces)
        _log.info("pods were released", extra={"pods": released})
    finally:
        holder, seconds = (lease.UNINSTALL, REMOVAL_SECONDS) if complete else ("", 1)
        await _assign_lease(api, own, holder, seconds)
    return complete


async def _assign_lease(api: KubernetesApi, own: str, holder: str, seconds: int) -> bool | None:
    """Whether the former holder of the Lease may act for some time yet; ``None``: it could not be written."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await lease.assign(api, own, holder, seconds)
        except KubeError as error:
            if error.refused or time.monotonic() >= end:
                _log.warning("the operator's Lease cannot be written", extra={"error": str(error)})
                return None
        await asyncio.sleep(PAUSE_SECONDS)


async def release(
    api: KubernetesApi, namespaces: Sequence[str], patience: float = PATIENCE_SECONDS
) -> tuple[int, bool]:
    """Take our finalizer from each pod that has it. What fails keeps no other pod, and is in the log.

    Args:
        api: the API server.
        namespaces: where; none: everywhere.
        patience: for so many seconds all of it is done again, where that may help.

    Returns:
        how many pods were released, and whether that was all of them.
    """
    released = 0
    end = time.monotonic() + patience
    while True:
        errors: list[KubeError] = []
        for namespace in namespaces or (None,):
            released += await _release_in(api, namespace, errors)
        if not any(map(_may_pass, errors)) or time.monotonic() >= end:
            return released, not errors
        await asyncio.sleep(PAUSE_SECONDS)


def _may_pass(error: KubeError) -> bool:
    """Whether it helps to try again: also where a pod was made anew meanwhile, or a listing took too long."""
    return not error.refused or error.invalid or error.status == 410


async def _release_in(api: KubernetesApi, namespace: str | None, errors: list[KubeError]) -> int:
    """How many pods were released; a named namespace that is gone, and the rights in it with it, has none."""
    try:
        pods = [pod["metadata"] async for pod in api.list_pods(namespace)]
    except KubeError as error:
        _log.warning("the pods of a namespace cannot be listed", extra={"error": str(error)})
        if namespace is None or not (error.status == 403 or error.not_found):
            errors.append(error)
        return 0
    released = 0
    for pod in pods:
        if FINALIZER_OUTCOME not in pod.get("finalizers", ()):
            continue
        try:
            await api.release_pod(pod["namespace"], pod["name"], pod["uid"], FINALIZER_OUTCOME)
        except KubeError as error:
            if not error.not_found:
                _log.warning("a pod cannot be released", extra={"error": str(error)})
                errors.append(error)
            continue
        released += 1
    return released


async def _run(found: argparse.Namespace) -> bool:
    client = KubeClient(await configuration(found.kubeconfig), RateLimiter())
    api, own = KubernetesApi(client, lease.UNINSTALL), own_namespace(found.own_namespace)
    work = asyncio.create_task(release_instead_of_operator(api, own, found.namespace))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    try:
        complete = await work
    except asyncio.CancelledError:
        complete = False
        _log.warning("was told to end")
    finally:
        await client.close()
    if not complete:
        _log.error("not all pods were released; what is in the way is said above")
    return complete


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; exit status 1 if the API server cannot be reached as configured, or a pod was not released.

    Helm then keeps the release and the Job with its log, where it would delete both.
    """
    parser = argparse.ArgumentParser(
        prog="python -m meeting_buddy.app.release",
        description="Release the pods of all sessions, before the operator is uninstalled.",
    )
    add_scope(parser, "in")
    found = parser.parse_args(arguments)
    logs.configure("INFO")
    try:
        complete = asyncio.run(_run(found))
    except (OSError, ValueError) as error:
        _log.error("cannot ask the API server", extra={"error": str(error)})
        return 1
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
