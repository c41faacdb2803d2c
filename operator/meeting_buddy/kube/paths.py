"""Paths and words of the API server that every client needs; imports nothing heavy."""

from functools import lru_cache
from typing import Final
from urllib.parse import quote

FIELD_MANAGER: Final = "meeting-buddy"
JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
"""An object's metadata alone: the shortest answer that there is."""
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"
PODS: Final = "pods"


@lru_cache(maxsize=4096)  # an object is written several times
def path_of(group_version: str, namespace: str | None, plural: str, name: str = "", subresource: str = "") -> str:
    """``/api/v1/namespaces/…`` or ``/apis/<group>/<version>/namespaces/…``; without a namespace, all of them."""
    parts = ["/api" if "/" not in group_version else "/apis", group_version]
    parts += ["namespaces", quote(namespace, safe="")] if namespace is not None else []
    parts += [plural, *(quote(part, safe="") for part in (name, subresource) if part)]
    return "/".join(parts)
