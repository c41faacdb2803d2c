"""``python -m meeting_buddy.app.release``: releases the pods of all sessions, before the operator is uninstalled.

Their finalizer waits for an operator that records their outcome. Without one they could not be deleted, nor could their
namespace. Bots go on and finish their files; what became of them is in ``session.json`` beside these.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from meeting_buddy.app.settings import add_scope
from meeting_buddy.contract.identity import FINALIZER_OUTCOME
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.process import logs

_log = logging.getLogger("meeting_buddy")


async def release(api: KubernetesApi, namespaces: Sequence[str]) -> int:
    """Take our finalizer from each pod that has it.

    Args:
        api: the API server.
        namespaces: where; none: everywhere.

    Returns:
        how many pods were released; refusals are in the log, and keep no other pod.
    """
    released = 0
    for namespace in namespaces or (None,):
        try:
            pods = [pod["metadata"] async for pod in api.list_pods(namespace)]
        except KubeError as error:
            _log.warning("the pods of a namespace cannot be listed", extra={"error": str(error)})
            continue
        for pod in pods:
            if FINALIZER_OUTCOME not in pod.get("finalizers", ()):
                continue
            try:
                await api.release_pod(pod["namespace"], pod["name"], pod["uid"], FINALIZER_OUTCOME)
            except KubeError as error:
                if not error.not_found:
                    _log.warning("a pod cannot be released", extra={"error": str(error)})
                continue
            released += 1
    return released


async def _run(namespaces: Sequence[str], kubeconfig: str | None) -> None:
    client = KubeClient(await configuration(kubeconfig), RateLimiter())
    try:
        released = await release(KubernetesApi(client, "uninstall"), namespaces)
    finally:
        await client.close()
    _log.info("pods were released", extra={"pods": released})


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; exit status 1 if the API server cannot be reached as configured."""
    parser = argparse.ArgumentParser(
        prog="python -m meeting_buddy.app.release",
        description="Release the pods of all sessions, before the operator is uninstalled.",
    )
    add_scope(parser, "in")
    found = parser.parse_args(arguments)
    logs.configure("INFO")
    try:
        asyncio.run(_run(found.namespace, found.kubeconfig))
    except (OSError, ValueError) as error:
        _log.error("cannot ask the API server", extra={"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
