"""The keys from which bot tokens are derived: in a Secret beside the operator, made by it if there is none.

Made here and not by the chart: a random value in a chart drifts with each render under GitOps. Items: ``control`` for
the operator, ``read`` for whoever may only listen. Earlier versions had one item ``key`` for both: it is kept, because
live pods know nothing but tokens of it (which ones, their annotation says), and may be removed by hand once they ended.
"""

import asyncio
import base64
import binascii
import logging
import secrets
from typing import Final

from meeting_buddy.contract.token import BotKeys
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.kube.api import JsonObject, KubernetesApi
from meeting_buddy.kube.errors import KubeError

NAME: Final = "meeting-buddy-bot-key"
BYTES: Final = 32
_CONTROL: Final = "control"
_READ: Final = "read"
_FORMER: Final = "key"

_log = logging.getLogger(__name__)


async def bot_keys(api: KubernetesApi, namespace: str) -> BotKeys:
    """The keys; waits while the API server does not give them.

    Two replicas that start together agree: the second one's write is refused, and it reads what the first one wrote.
    """
    backoff = Backoff(first=1.0, last=15.0)
    while True:
        try:
            return await _read_or_make(api, namespace)
        except KubeError as error:
            if not (error.exists or error.conflict):
                _log.warning("the bot keys are not available yet", extra={"error": str(error)})
                await asyncio.sleep(backoff.next(error.retry_after))


async def _read_or_make(api: KubernetesApi, namespace: str) -> BotKeys:
    secret = await api.get_key_secret(namespace, NAME)
    items = _items(secret or {})
    made = {item: secrets.token_bytes(BYTES) for item in (_CONTROL, _READ) if item not in items}
    data = {item: base64.b64encode(key).decode() for item, key in made.items()}
    if secret is None:
        metadata = {"name": NAME, "namespace": namespace}
        await api.create_secret(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        )
    elif made:
        await api.patch_key_secret(namespace, NAME, secret["metadata"]["resourceVersion"], data)
    items |= made
    return BotKeys(items[_CONTROL], items[_READ], items.get(_FORMER))


def _items(secret: JsonObject) -> dict[str, bytes]:
    """What can be used of it; an empty item counts as missing."""
    found = {}
    for item in (_CONTROL, _READ, _FORMER):
        try:
            key = base64.b64decode((secret.get("data") or {}).get(item, ""))
        except binascii.Error:
            continue
        if key:
            found[item] = key
    return found
