"""``python -m meeting_buddy.app.release``: releases the pods of all sessions, before the operator is uninstalled.

Their finalizer waits for an operator that records their outcome. Without one they could not be deleted, nor could their
namespace. Bots go on and finish their files; what became of them is in ``session.json`` beside these.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from typing import Final

from meeting_buddy.app.settings import add_scope
from meeting_buddy.contract.identity import FINALIZER_OUTCOME
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.process import logs

_log = logging.getLogger("meeting_buddy")


PATIENCE_SECONDS: Final = 30.0
"""For so long what failed is tried again: the Job has 120 seconds, in which it may run this program twice."""
PAUSE_SECONDS: Final = 3.0


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


async def _run(namespaces: Sequence[str], kubeconfig: str | None) -> bool:
    client = KubeClient(await configuration(kubeconfig), RateLimiter())
    try:
        released, complete = await release(KubernetesApi(client, "uninstall"), namespaces)
    finally:
        await client.close()
    _log.info("pods were released", extra={"pods": released})
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
        complete = asyncio.run(_run(found.namespace, found.kubeconfig))
    except (OSError, ValueError) as error:
        _log.error("cannot ask the API server", extra={"error": str(error)})
        return 1
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
