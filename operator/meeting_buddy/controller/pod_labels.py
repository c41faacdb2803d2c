"""Reads a pod by its name, and puts its labels back.

A pod without them is in no watch and no listing, and nothing more is heard of it.

They are always the same, so whoever holds the Lease by now would write no others: it is not asked.
"""

import logging
from typing import Any, Final

from meeting_buddy.contract import identity
from meeting_buddy.controller.parsing import parse_pod
from meeting_buddy.controller.session_cache import CacheEntry
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError

_PAUSE_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


async def read_pod(api: KubernetesApi, entry: CacheEntry, name: str, now: float) -> dict[str, Any]:
    """One of a session's pods, with the labels that it was made with.

    At most once a minute (``now``: monotonic seconds) they are put back: somebody may take them away each time.

    Raises:
        KubeError: it is gone, or cannot be read. That its labels are refused is logged: what was read is true without
            them, too.
    """
    return await _with_labels(api, entry, await api.get_pod(entry.namespace, name), now)


async def _with_labels(api: KubernetesApi, entry: CacheEntry, document: dict[str, Any], now: float) -> dict[str, Any]:
    seen = parse_pod(document)
    if seen is None or seen.facts.orphaned or seen.session_uid != entry.uid:
        return document  # it is not the session's
    known = document["metadata"].get("labels", {})
    wanted = identity.pod_labels(entry.uid, seen.facts.id)
    lost = {label: value for label, value in wanted.items() if known.get(label) != value}
    if not lost or now < entry.labels_due_at:
        return document
    entry.labels_due_at = now + _PAUSE_SECONDS
    facts = {"namespace": seen.namespace, "pod": seen.facts.name, "labels": sorted(lost)}
    try:
        labelled = await api.label_pod(seen.namespace, seen.facts.name, seen.facts.uid, lost)
    except KubeError as error:
        if error.not_found:
            raise
        _log.warning("a pod's labels could not be put back", extra=facts | {"error": str(error)})
        return document
    _log.warning("a pod's labels were put back", extra=facts)
    return labelled
