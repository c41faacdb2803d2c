"""Versions of objects that this process wrote: a watch repeats each, and what it repeats is known already."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

_REMEMBERED: Final = 4096
"""An echo comes within milliseconds; one that came before the write's own answer is never asked for again."""


class Echoes:
    """What the watches are about to repeat; by resource, because etcd may keep each in a store of its own."""

    def __init__(self) -> None:
        self._expected: OrderedDict[tuple[str, str], str] = OrderedDict()
        """Uids by resource and version."""

    def expect(self, resource: str, document: Mapping[str, Any]) -> None:
        """The cache holds an object in this version, and a watch of ``resource`` (its plural) will show it."""
        metadata = document["metadata"]
        self._expected[resource, metadata["resourceVersion"]] = metadata["uid"]
        if len(self._expected) > _REMEMBERED:
            self._expected.popitem(last=False)

    def take(self, resource: str, version: str) -> str | None:
        """Uid of the object of which this version was expected; it is not any more, since a version is shown once."""
        return self._expected.pop((resource, version), None)
