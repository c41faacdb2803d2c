"""The keys of the recordings readers: one Secret in each namespace with recordings, made where it is absent.

The holder of the Lease asks for each Secret's creation, at its start and again every few minutes. Nothing is read and
nothing that is there is changed: 409 says that there is one. A Secret that was deleted is made again, so deleting them
all is how keys are rotated after the read key was.

If this process dies: the next holder of the Lease asks anew.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple

from meeting_buddy.contract.reader import KEY_ITEM, KEY_SECRET, reader_key
from meeting_buddy.controller.background import beside
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.kube.api import JsonObject, KubernetesApi
from meeting_buddy.kube.errors import KubeError

PERIOD_SECONDS: Final = 300.0
FIRST_RETRY_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 30.0
"""Pauses, the first and the longest, until a namespace that refused is asked again."""
_LOOK_SECONDS: Final = 1.0
"""Between two looks at the Lease and at what is due."""
_MAX_MESSAGE: Final = 400

_log = logging.getLogger(__name__)

Observe = Callable[[str, bool], None]
"""Told of every answer: namespace, whether its reader's key is missing."""


class ReaderKeys:
    """Gives each namespace's reader its key, while this replica acts."""

    def __init__(
        self,
        api: KubernetesApi,
        namespaces: Sequence[str],
        read_key: bytes,
        leads: Callable[[], bool],
        observe: Observe,
        period: float = PERIOD_SECONDS,
    ) -> None:
        """``read_key``: the one that bots' read tokens are derived from; ``period``: seconds between two rounds."""
        self._api = api
        self._namespaces = tuple(dict.fromkeys(namespaces))
        self._read_key = read_key
        self._leads = leads
        self._observe = observe
        self._period = period
        self._due: dict[str, float] = {}
        """When a namespace is asked next, by the event loop's clock."""
        self._failures: dict[str, _Failure] = {}
        self._missing: set[str] = set()
        """Of which it was last said that the key is missing."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Work beside the block."""
        return beside(self._run, "reader keys")

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        while self._namespaces:
            for namespace in self._namespaces:
                if not self._leads():
                    self._rest()
                elif self._due.get(namespace, 0.0) <= now():
                    self._due[namespace] = now() + await self._make(namespace)
            await asyncio.sleep(min(_LOOK_SECONDS, self._period))

    def _rest(self) -> None:
        """Whoever acts now says what is missing; acting again begins with a whole round."""
        self._due.clear()
        self._failures.clear()
        for namespace in tuple(self._missing):
            self._say(namespace, missing=False)

    def _say(self, namespace: str, *, missing: bool) -> None:
        if missing:
            self._missing.add(namespace)
        else:
            self._missing.discard(namespace)
        self._observe(namespace, missing)

    async def _make(self, namespace: str) -> float:
        """Ask for one Secret; the seconds until this namespace is asked again. Raises nothing: the operator goes on."""
        about = {"namespace": namespace, "secret": KEY_SECRET}
        try:
            await self._api.create_secret(_secret(namespace, reader_key(self._read_key, namespace)))
            _log.info("made a recordings reader's key", extra=about)
        except KubeError as error:
            if not error.exists:
                return self._failed(namespace, error)
        except Exception:
            _log.exception("a recordings reader's key could not be made", extra=about)
            self._say(namespace, missing=True)
            return RETRY_SECONDS
        if self._failures.pop(namespace, None) is not None:
            _log.info("a recordings reader has its key now", extra=about)
        self._say(namespace, missing=False)
        return self._period

    def _failed(self, namespace: str, error: KubeError) -> float:
        before = self._failures.get(namespace)
        if before is None or before.answer != (error.status, error.reason):
            about = {"namespace": namespace, "secret": KEY_SECRET, "error": str(error)[:_MAX_MESSAGE]}
            _log.warning("a recordings reader has no key; will retry", extra=about)
        backoff = before.backoff if before is not None else Backoff(FIRST_RETRY_SECONDS, RETRY_SECONDS)
        self._failures[namespace] = _Failure((error.status, error.reason), backoff)
        self._say(namespace, missing=True)
        return backoff.next(error.retry_after)


class _Failure(NamedTuple):
    """What a namespace answered, and how long to wait then."""

    answer: tuple[int, str]
    backoff: Backoff


def _secret(namespace: str, key: bytes) -> JsonObject:
    # Not immutable: the kubelet would never look at it again, and a pod keep a key that was rotated.
    labels = {"app.kubernetes.io/name": "meeting-buddy", "app.kubernetes.io/component": "reader"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": KEY_SECRET, "namespace": namespace, "labels": labels},
        "type": "Opaque",
        "data": {KEY_ITEM: base64.b64encode(key).decode()},
    }
