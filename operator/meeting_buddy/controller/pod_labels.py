"""Puts a pod's labels back: a pod without them is in no watch and no listing, and nothing more is heard of it."""

import logging
from typing import Any

from meeting_buddy.contract import identity
from meeting_buddy.controller.parsing import parse_pod
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError

_log = logging.getLogger(__name__)


async def with_labels(api: KubernetesApi, session_uid: str, document: dict[str, Any]) -> dict[str, Any]:
    """A pod that was read by its name, with the labels that it was made with; one that is not the session's as it is.

    Raises:
        KubeError: the pod is gone. Other failures are logged: what was read is true without the labels, too.
    """
    seen = parse_pod(document)
    if seen is None or seen.facts.orphaned or seen.session_uid != session_uid:
        return document
    known = document["metadata"].get("labels", {})
    wanted = identity.pod_labels(session_uid, seen.facts.id)
    lost = {label: value for label, value in wanted.items() if known.get(label) != value}
    if not lost:
        return document
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
