"""Versions of objects that this process wrote: a watch repeats each, and what it repeats is known already."""

from collections import OrderedDict
from typing import Final

_REMEMBERED: Final = 4096
"""An echo comes within milliseconds; one that came before the write's own answer is never asked for again."""


class Echoes:
    """What the watches are about to repeat; by resource, because etcd may keep each in a store of its own."""

    def __init__(self) -> None:
        self._expected: OrderedDict[tuple[str, str], None] = OrderedDict()

    def expect(self, resource: str, version: str) -> None:
        """The cache holds this version of an object, and a watch will show it.

        Args:
            resource: plural, as in a watch's path.
            version: the object's resourceVersion.
        """
        self._expected[resource, version] = None
        if len(self._expected) > _REMEMBERED:
            self._expected.popitem(last=False)

    def take(self, resource: str, version: str) -> bool:
        """Whether this was expected; it is not any more, since a version is shown once."""
        return self._expected.pop((resource, version), 0) is None
