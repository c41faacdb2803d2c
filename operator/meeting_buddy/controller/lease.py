"""Who acts: the holder of one Lease. A second replica watches and waits, warm.

Rules as in client-go's leader election: others' clocks are not trusted, a Lease counts as abandoned when it did not
change for its duration by our own clock (but see :data:`UNINSTALL`); a holder that could not renew for
:data:`RENEW_DEADLINE` stops acting, well before another may begin. What a machine slept through counts, too.

If this process dies: the other replica takes over after :data:`DURATION` seconds; after an orderly end at once,
because the Lease is given back.
"""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from meeting_buddy.controller.clock import Clock
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError

NAME: Final = "meeting-buddy-operator"
DURATION: Final = 15.0
RENEW_DEADLINE: Final = 10.0
CALL_SECONDS: Final = RENEW_DEADLINE / 2
"""For one call, which hangs if its connection is dead: another fits before the Lease is lost."""
PERIOD: Final = 2.0
"""From one try to the next."""
UNINSTALL: Final = "uninstall"
"""Holds the Lease while the operator is uninstalled, and gives it back to nobody. An operator that is installed much
later need not wait by its own clock once more."""
CLOCK_DIFFERENCE: Final = 120.0
"""By so many seconds the clocks of an uninstall and of an operator may differ."""

_log = logging.getLogger(__name__)


class Lease:
    """One contender for the Lease."""

    def __init__(self, api: KubernetesApi, namespace: str, identity: str, clock: Clock) -> None:
        self._api = api
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._held_until = float("-inf")
        self._document: dict[str, Any] | None = None
        self._seen_at = 0.0
        self._renewed = False
        """Whether the last write was ours and arrived: then it need not be read before the next one."""
        self.changed = asyncio.Event()
        """Set whenever holding began or ended; whoever waits clears it."""

    @property
    def held(self) -> bool:
        """Whether we may act now; turns false by itself when renewing fails, without anybody running."""
        return self._clock.boottime() < self._held_until

    async def contend(self) -> None:
        """Acquire and renew until cancelled."""
        announced = False
        while True:
            started = self._clock.monotonic()
            try:
                await self._try()
            except (KubeError, TimeoutError) as error:
                said = str(error) or type(error).__name__
                _log.warning("the Lease could not be renewed", extra={"error": said})
            if self.held != announced:  # it also ends between two tries
                announced = self.held
                _log.info(
                    "became leader" if announced else "is not leader any more", extra={"identity": self._identity}
                )
            self.changed.set()
            pause = max(0.0, PERIOD - (self._clock.monotonic() - started))
            if self.held:
                pause = min(pause, max(0.0, self._held_until - self._clock.boottime()))
            await asyncio.sleep(pause)

    async def release(self) -> None:
        """Give the Lease back, so that the other replica need not wait; only if held."""
        if not self.held or self._document is None:
            return
        self._held_until = float("-inf")
        try:
            try:
                await self._give_back(self._document)
            except KubeError as error:
                if error.status != 409:
                    raise
                # A renewal that was cancelled on its way may have arrived all the same: ours still, but newer.
                document = await self._api.get_lease(self._namespace, NAME)
                if document["spec"].get("holderIdentity") == self._identity:
                    await self._give_back(document)
        except KubeError as error:
            _log.warning("the Lease could not be given back", extra={"error": str(error)})

    async def _give_back(self, document: dict[str, Any]) -> None:
        spec = {**document["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        await self._api.update_lease({**document, "spec": spec})

    async def _try(self) -> None:
        if self.held and self._renewed and await self._write(create=False):
            return
        started = self._clock.monotonic()
        try:
            document = await _in_time(self._api.get_lease(self._namespace, NAME))
        except KubeError as error:
            if not error.not_found:
                raise
            if not self.held and self._is_made_again(started):
                return
            self._document = None  # a new one has nothing of one that was deleted
            await self._write(create=True)
            return
        if self._document is None or document["metadata"]["resourceVersion"] != _version(self._document):
            self._document, self._seen_at = document, started
        holder = document["spec"].get("holderIdentity") or ""
        if holder in ("", self._identity) or self._is_abandoned(document, started):
            await self._write(create=False)
        else:
            self._held_until = float("-inf")

    def _is_made_again(self, now: float) -> bool:
        """Whether a Lease that somebody deleted will be made again by its holder."""
        known = self._document
        if known is None or known["spec"].get("holderIdentity") == UNINSTALL:
            return False
        return not self._is_abandoned(known, now)

    def _is_abandoned(self, document: dict[str, Any], now: float) -> bool:
        spec = document["spec"]
        seconds = float(spec.get("leaseDurationSeconds") or DURATION)
        if now >= self._seen_at + seconds:
            return True
        if spec.get("holderIdentity") != UNINSTALL or not spec.get("renewTime"):
            return False
        over = datetime.fromisoformat(spec["renewTime"]) + timedelta(seconds=seconds + CLOCK_DIFFERENCE)
        return self._clock.now() >= over

    async def _write(self, *, create: bool) -> bool:
        """Acquire or renew; False if it is another one than was known: somebody was faster, or deleted it.

        Or it was this very renewal, sent twice because its first answer was lost. Whoever reads it then can tell.
        """
        started, self._renewed = self._clock.monotonic(), False  # whoever waits for its end sees this write later
        held_until = self._clock.boottime() + RENEW_DEADLINE
        now = _micro(self._clock.now())
        known = self._document or {"metadata": {"name": NAME, "namespace": self._namespace}, "spec": {}}
        spec = dict(known["spec"])
        if spec.get("holderIdentity") != self._identity:
            spec |= {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (not create)}
        spec |= {"holderIdentity": self._identity, "leaseDurationSeconds": int(DURATION), "renewTime": now}
        document = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": known["metadata"],
            "spec": spec,
        }
        try:
            write = self._api.create_lease if create else self._api.update_lease
            self._document = await _in_time(write(document))
        except KubeError as error:
            if error.status not in (404, 409):
                raise
            return False
        self._seen_at, self._renewed = started, True
        self._held_until = held_until
        return True


async def _in_time(call: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """A call's answer; one that is cut off closes its connection, so that the next call takes another."""
    async with asyncio.timeout(CALL_SECONDS):
        return await call


async def assign(api: KubernetesApi, namespace: str, holder: str, seconds: int) -> bool:
    """Give the Lease to somebody for so many seconds, whoever holds it; empty: to nobody.

    Returns:
        whether a former holder may act for some time yet: it learns of this at its next renewal, and without an answer
        stops within :data:`DURATION`. False: nobody held it.
    """
    now = _micro(datetime.now(UTC))
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": now, "renewTime": now}
    document = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": spec,
    }
    try:
        known = await api.get_lease(namespace, NAME)
    except KubeError as error:
        if not error.not_found:
            raise
        await api.create_lease(document)
        return True  # somebody may have deleted it from under its holder
    await api.update_lease({**document, "metadata": known["metadata"], "spec": {**known["spec"], **spec}})
    return bool(known["spec"].get("holderIdentity"))


def _version(document: dict[str, Any]) -> str:
    return str(document["metadata"].get("resourceVersion", ""))


def _micro(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
