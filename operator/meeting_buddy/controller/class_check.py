"""Asks the API server, without creating anything, whether it would take a bot of each class in some namespaces.

Pod security, quotas and policies refuse a pod only when it is created. A server-side dry run at the operator's start
says so before the first meeting, by log and metric; it never keeps the operator from starting. A class that was not
accepted is asked about again, so that a refusal does not outlive its cause.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from meeting_buddy.controller.background import beside
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.session import MeetingSessionSpec

PERIOD_SECONDS: Final = 300.0
FIRST_RETRY_SECONDS: Final = 2.0
MAX_MESSAGE: Final = 400

_UID: Final = "00000000-0000-0000-0000-000000000000"
_QUOTA: Final = "exceeded quota"
"""Admission asks quotas last: a pod that only a full one refuses has passed all else."""
_NO_VERDICT: Final = (_QUOTA, "does not support dry run", "being terminated")
"""Refusals that are not the class': a full quota is a matter of the moment, the others of the question."""
_NOT_CHECKED: Final = "a bot class could not be checked"

_log = logging.getLogger(__name__)

Observe = Callable[[str, str, bool], None]
"""Told of every verdict: class, namespace, whether the API server refuses its pods."""


class ClassCheck:
    """What the API server says of the bot classes."""

    def __init__(
        self,
        api: KubernetesApi,
        bot_classes: Mapping[str, BotClass],
        namespaces: Sequence[str],
        observe: Observe,
        period: float = PERIOD_SECONDS,
    ) -> None:
        """``namespaces``: those that are asked about."""
        self._api = api
        self._bot_classes = bot_classes
        self._observe = observe
        self._period = period
        self._open = {(name, namespace) for namespace in namespaces for name in bot_classes}
        self._refusals: dict[tuple[str, str], str] = {}

    @property
    def refusals(self) -> Mapping[tuple[str, str], str]:
        """The API server's words by class and namespace, of the classes whose pods it refuses there."""
        return self._refusals

    def refusal(self, bot_class: str, namespace: str) -> str | None:
        """Why a class' pods are refused in a namespace; ``None``: they are not, or it was not asked about."""
        return self._refusals.get((bot_class, namespace))

    def running(self) -> AbstractAsyncContextManager[None]:
        """Check beside the block."""
        return beside(self._until_accepted, "class check")

    async def once(self) -> float:
        """Ask about every class that was not accepted yet; the seconds that the API server asked to wait."""
        wait = 0.0
        for bot_class, namespace in sorted(self._open):
            try:
                wait = max(wait, await self._check(bot_class, namespace))
            except Exception:
                # One class' trouble must not keep the others from being asked about.
                _log.exception(_NOT_CHECKED, extra={"bot_class": bot_class, "namespace": namespace})
        return wait

    async def _until_accepted(self) -> None:
        if not self._open:
            _log.info("bot classes are not checked beforehand: no namespace is known in which people record")
        backoff = Backoff(FIRST_RETRY_SECONDS, self._period)
        while self._open:
            wait = await self.once()
            await asyncio.sleep(backoff.next(wait))

    async def _check(self, bot_class: str, namespace: str) -> float:
        """Ask about one class; the seconds that the API server asked to wait."""
        pod_input = BotPodInput(namespace, "class-check", _UID, MeetingSessionSpec(), self._bot_classes[bot_class])
        about = {"bot_class": bot_class, "namespace": namespace}
        try:
            await self._api.dry_run_pod(session_pod(pod_input))
        except KubeError as error:
            if not error.refused or any(words in error.message for words in _NO_VERDICT):
                _log.info(_NOT_CHECKED, extra=about | {"error": str(error)[:MAX_MESSAGE]})
                if error.refused and _QUOTA in error.message and not error.denied:
                    self._withdraw(bot_class, namespace)
                return error.retry_after
            message = error.message[:MAX_MESSAGE]
            if self._refusals.get((bot_class, namespace)) != message:
                _log.warning("the API server refuses this bot class' pods", extra=about | {"error": message})
            self._refusals[bot_class, namespace] = message
            self._observe(bot_class, namespace, True)
            return 0.0
        self._open.discard((bot_class, namespace))
        if not self._withdraw(bot_class, namespace):
            self._observe(bot_class, namespace, False)
        return 0.0

    def _withdraw(self, bot_class: str, namespace: str) -> bool:
        """Tell that a class is not refused any more; ``False``: it was not."""
        if self._refusals.pop((bot_class, namespace), None) is None:
            return False
        about = {"bot_class": bot_class, "namespace": namespace}
        _log.info("the API server does not refuse this bot class' pods any more", extra=about)
        self._observe(bot_class, namespace, False)
        return True
