"""The key from which bot tokens are derived: in a Secret beside the operator, made by it if there is none.

Made here and not by the chart: a random value in a chart drifts with each render under GitOps.
"""

import asyncio
import base64
import logging
import secrets
from typing import Final

from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError

NAME: Final = "meeting-buddy-bot-key"
BYTES: Final = 32

_log = logging.getLogger(__name__)


async def bot_key(api: KubernetesApi, namespace: str) -> bytes:
    """The key; waits while the API server does not give it.

    Two replicas that start together agree: the second one's Secret is refused, and it reads the first one's.
    """
    backoff = Backoff(first=1.0, last=15.0)
    while True:
        try:
            return await api.bot_key(namespace, NAME) or await _make(api, namespace)
        except KubeError as error:
            if not error.exists:
                _log.warning("the bot key is not available yet", extra={"error": str(error)})
                await asyncio.sleep(backoff.next(error.retry_after))


async def _make(api: KubernetesApi, namespace: str) -> bytes:
    key = secrets.token_bytes(BYTES)
    await api.create_secret(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": NAME, "namespace": namespace},
            "type": "Opaque",
            "data": {"key": base64.b64encode(key).decode()},
        }
    )
    return key
