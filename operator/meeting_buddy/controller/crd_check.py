"""Compares the CRD that the cluster has with the one of this version, by the hash in its schema's description.

Who applies CRDs by hand (``crds.enabled: false``) may forget it at an upgrade, and the API server drops in silence the
fields that its CRD does not know. So a line in the log and a metric say what to do; nothing else follows from it.

The API server publishes the schema in its OpenAPI document, which every account may read; CRDs the operator may not.

If this process dies: the next one looks anew.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from meeting_buddy.controller.background import beside
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.resource.crd import schema_hash, stated_hash

FIRST_RETRY_SECONDS: Final = 2.0
PERIOD_SECONDS: Final = 300.0
"""Pauses until the CRD is looked at again, the first and the longest."""
MAX_MESSAGE: Final = 400
REMEDY: Final = (
    "the CRD in the cluster is not this version's; upgrade the chart with crds.enabled, or run: "
    "kubectl apply --server-side -f crds/meetingsessions.yaml"
)

_log = logging.getLogger(__name__)

Observe = Callable[[bool | None], None]
"""Told of every look: whether the CRD is this version's; ``None``: it could not be read."""


class CrdCheck:
    """Looks at the CRD until it is this version's."""

    def __init__(self, api: KubernetesApi, observe: Observe, period: float = PERIOD_SECONDS) -> None:
        """``period``: the longest pause between two looks, in seconds."""
        self._api = api
        self._observe = observe
        self._period = period
        self._wanted = schema_hash()
        self._said: str | None = None
        """What the log said last."""
        self._wait = 0.0
        """Seconds that the API server asked to wait when it was looked at last."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Look beside the block."""
        return beside(self._until_it_matches, "crd check")

    async def once(self) -> bool | None:
        """Whether the CRD is this version's; ``None``: it could not be read."""
        self._wait = 0.0
        try:
            description = (await self._api.served_schema()).get("description")
        except KubeError as error:
            self._wait = error.retry_after
            self._say(logging.INFO, "the CRD's schema could not be read", error=str(error)[:MAX_MESSAGE])
            return None
        found = stated_hash(description) if isinstance(description, str) else None
        if found == self._wanted:
            if self._said is not None:
                self._say(logging.INFO, "the CRD is this version's now", schema=found)
            return True
        self._say(
            logging.WARNING,
            REMEDY,
            schema=found or "unknown",
            expected=self._wanted,
        )
        return False

    async def _until_it_matches(self) -> None:
        backoff = Backoff(FIRST_RETRY_SECONDS, self._period)
        while True:
            try:
                matches = await self.once()
            except Exception:
                _log.exception("the CRD could not be checked")
                matches = None
            self._observe(matches)
            if matches:
                return
            await asyncio.sleep(backoff.next(self._wait))

    def _say(self, level: int, message: str, **facts: str) -> None:
        said = f"{message} {facts}"
        if said != self._said:
            _log.log(level, message, extra=facts)
        self._said = said
