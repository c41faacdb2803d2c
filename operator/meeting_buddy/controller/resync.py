"""Lists everything at the start and every few minutes, and compares: heals what a watch lost.

After a 410 kopf lists again but never tells what vanished meanwhile, and watches die silently behind load balancers.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError

from meeting_buddy.controller.parsing import parse_pod
from meeting_buddy.controller.queue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.domain.facts import Clock
from meeting_buddy.kube.api import JsonObject, KubernetesApi
from meeting_buddy.kube.errors import KubeError

PERIOD_SECONDS: Final = 300.0

_log = logging.getLogger(__name__)


class Resync:
    """Compares the cache with the API server."""

    def __init__(
        self,
        api: KubernetesApi,
        cache: SessionCache,
        namespaces: Sequence[str | None],
        changed: Callable[[str], None],
        unreadable: Callable[[JsonObject, Exception], None],
        clock: Clock,
        period: float = PERIOD_SECONDS,
    ) -> None:
        """``namespaces``: those that are watched, or ``[None]`` for all."""
        self._api = api
        self._cache = cache
        self._namespaces = namespaces
        self._changed = changed
        self._unreadable = unreadable
        self._clock = clock
        self._period = period

    async def until_first(self) -> None:
        """List until it worked once; the CRD or a role may be installed a moment after the operator."""
        pause = FIRST_RETRY_SECONDS
        while True:
            try:
                await self.once()
            except KubeError as error:
                _log.warning("cannot list yet", extra={"error": str(error)})
                await asyncio.sleep(pause)
                pause = min(pause * 2, LAST_RETRY_SECONDS / 6)
            else:
                return

    async def forever(self) -> None:
        """List again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._period)
            try:
                await self.once()
            except KubeError as error:
                _log.warning("resync failed", extra={"error": str(error)})

    async def once(self) -> None:
        """List pods, then sessions: a session whose pod is known is never given another."""
        began = asyncio.get_running_loop().time()
        pods: set[tuple[str, str]] = set()
        sessions: set[str] = set()
        for namespace in self._namespaces:
            async for document in self._api.list_pods(namespace):
                seen = parse_pod(document)
                if seen is not None:
                    pods.add((seen.session_uid, seen.facts.name))
                    self._tell(self._cache.upsert_pod(document, began))
            async for document in self._api.list_sessions(namespace):
                sessions.add(document["metadata"]["uid"])
                try:
                    self._tell(self._cache.upsert_session(document, began, self._clock()))
                except (ValidationError, ValueError) as error:
                    self._unreadable(document, error)
        self._miss(began, pods, sessions)

    def _miss(self, began: float, pods: set[tuple[str, str]], sessions: set[str]) -> None:
        for entry in self._cache:
            if entry.last_event_at > began:
                continue
            for name in tuple(entry.pods):
                if (entry.uid, name) not in pods:
                    self._tell(self._cache.remove_pod(entry.uid, name))
            if entry.session is not None and entry.uid not in sessions:
                self._tell(self._cache.remove_session(entry.uid, confirmed=False))

    def _tell(self, uid: str | None) -> None:
        if uid is not None:
            self._changed(uid)
