"""Lists everything at the start, when a watch begins anew, and every few minutes, and compares: heals what was lost.

A watch that begins anew (a 410, say) shows neither what is there by then nor what vanished meanwhile, and watches die
silently behind load balancers.

Each namespace is listed by itself, with its own pauses: one that was deleted, or whose roles are gone, is asked again
until it is back, and the others do not notice.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from meeting_buddy.contract import identity
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.controller.clock import Clock
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.failures import origin
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.controller.telemetry import Telemetry
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError

PERIOD_SECONDS: Final = 300.0
FIRST_RETRY_SECONDS: Final = 0.5
LAST_RETRY_SECONDS: Final = 15.0
SETTLING_SECONDS: Final = 0.5
"""For which others may ask, too: both watches of a namespace begin at nearly the same time."""

_log = logging.getLogger(__name__)


class NamespaceResync:
    """Compares the cache with one namespace, or with all of them (``None``)."""

    def __init__(
        self,
        api: KubernetesApi,
        cache: SessionCache,
        events: EventHandler,
        namespace: str | None,
        clock: Clock,
        telemetry: Telemetry,
        period: float = PERIOD_SECONDS,
    ) -> None:
        self._api = api
        self._cache = cache
        self._events = events
        self._namespace = namespace
        self._clock = clock
        self._telemetry = telemetry
        self._period = period
        self._backoff = Backoff(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS)
        self._wanted = asyncio.Event()
        self.listed = asyncio.Event()
        """Set once the namespace was listed for the first time."""
        self.answered = asyncio.Event()
        """Set once it was listed, or the API server said that it may not be, or is not there."""

    @property
    def name(self) -> str:
        """For people."""
        return self._namespace or "all namespaces"

    def trigger(self) -> None:
        """List as soon as possible: a watch begins anew and does not say what it missed."""
        self._wanted.set()

    async def run(self) -> None:
        """List again and again, until cancelled."""
        while True:
            if await self._tried():
                await self._pause()
            else:
                await asyncio.sleep(self._backoff.next())
            self._wanted.clear()

    async def _tried(self) -> bool:
        try:
            await self.once()
        except KubeError as error:
            self._report(f"{error.kind}: {error.message or error.reason or error.status}")
            if error.status == 403 or error.not_found:
                self.answered.set()  # an earlier leader knows no more of it
            return False
        except Exception as error:
            # Whatever it is about this namespace: the others go on.
            self._report(type(error).__name__, origin(error))
            return False
        self._backoff.reset()
        self.listed.set()
        self.answered.set()
        return True

    async def _pause(self) -> None:
        """Until somebody asks for a listing, or it is time for one."""
        try:
            async with asyncio.timeout(self._period):
                await self._wanted.wait()
        except TimeoutError:
            return
        await asyncio.sleep(SETTLING_SECONDS)

    def _report(self, error: str, frames: Sequence[str] = ()) -> None:
        self._telemetry.listing_failed(self._namespace or "")
        _log.warning(
            "a namespace cannot be listed; will retry",
            extra={"namespace": self._namespace or "all", "error": error, "frames": list(frames)},
        )

    async def once(self) -> None:
        """List pods, then sessions: a session whose pod is known is never given another."""
        began = self._clock.monotonic()
        missing_pods = {(entry.uid, seen.facts.uid) for entry in self._cache for seen in entry.pods.values()}
        missing_sessions = {entry.uid for entry in self._cache if entry.session is not None}
        async for document in self._api.list_pods(self._namespace):
            metadata = document["metadata"]
            uids = [owner["uid"] for owner in metadata.get("ownerReferences", ())]
            label = metadata.get("labels", {}).get(identity.LABEL_SESSION_UID, "")  # of an orphan
            missing_pods.difference_update((uid, metadata["uid"]) for uid in uids or [label])
            self._events.upsert_pod(document, began)
        async for document in self._api.list_sessions(self._namespace):
            missing_sessions.discard(document["metadata"]["uid"])
            self._events.upsert_session(document, began)
        self._remove(missing_pods, missing_sessions)

    def _remove(self, pods: set[tuple[str, str]], sessions: set[str]) -> None:
        """What was known before the listing began, and is not in it, is gone.

        Args:
            pods: uid of the session and of the pod.
            sessions: uids.
        """
        for entry in self._cache:
            if self._namespace not in (None, entry.namespace):
                continue
            for name, seen in tuple(entry.pods.items()):
                if (entry.uid, seen.facts.uid) in pods:
                    self._events.enqueue(self._cache.remove_pod(entry.uid, name))
            if entry.session is not None and entry.uid in sessions:
                self._events.enqueue(self._cache.remove_session(entry.uid, confirmed=False))


class Resync:
    """All watched namespaces, side by side."""

    def __init__(self, namespaces: Sequence[NamespaceResync]) -> None:
        self._namespaces = namespaces

    async def run(self) -> None:
        """List again and again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._namespaces:
                group.create_task(each.run(), name="resync")

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The namespaces of which it is not known yet what they hold, and that may be listed as far as is known."""
        return tuple(each.name for each in self._namespaces if not each.answered.is_set())

    async def wait_first_listing(self) -> None:
        """Wait until one namespace was listed: the CRD and the roles may be installed a moment after the operator.

        One is enough. What an unlisted namespace holds is unknown, so nothing is done about it, and a pod that is there
        already is found when it would be made again.
        """
        waiting = [asyncio.create_task(each.listed.wait()) for each in self._namespaces]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
