"""What was parsed of a file already: a player that seeks asks for hundreds of ranges, each of which needs the manifest.

Whether a file has changed is told by its state, which is looked at each time. ``ctime`` is part of it, which nobody can
set. Only a change that keeps the size within the same tick of that clock, a few milliseconds, goes unseen; a manifest
is only appended to.
"""

import threading
from collections import OrderedDict
from typing import Final, Generic, TypeVar

from meeting_buddy_bot.recordings.files import FileState

MAX_BYTES: Final = 32 * 1024 * 1024
"""Bytes of the files of which something is kept, together: of some 300 sessions of four hours, or the longest manifest,
in 60 MB of memory."""
_LEAST_BYTES: Final = 1024
"""What a file counts at the least."""

T = TypeVar("T")


class ParsedFiles(Generic[T]):
    """What was parsed of the files that were used last; for several threads."""

    def __init__(self, most_bytes: int = MAX_BYTES) -> None:
        """``most_bytes``: sizes of the files together."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[FileState, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, state: FileState) -> T | None:
        """What was parsed of a file in exactly this state; ``None``: nothing is kept of it."""
        with self._lock:
            found = self._kept.get(state)
            if found is not None:
                self._kept.move_to_end(state)
            return found

    def put(self, state: FileState, parsed: T) -> None:
        """Keep it; what was not used for longest goes, and with it what belongs to states that are over."""
        with self._lock:
            if state not in self._kept:
                self._bytes += max(state.size, _LEAST_BYTES)
            self._kept[state] = parsed
            while self._bytes > self._most_bytes:
                dropped, _ = self._kept.popitem(last=False)
                self._bytes -= max(dropped.size, _LEAST_BYTES)
