"""Slots for tests on this machine, and who may use its cluster and its local meeting.

A test takes one slot, whichever is free first; one that nearly only waits takes none. Many use the cluster or the
meeting, or one has it alone. Each has a queue, so that those who come later do not keep out the one who waits. All of
it is the machine's, not a run's: a second clone's tests wait in the same queues. Who needs several takes the cluster
first, then the meeting, then the slot.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SLOTS = 5
"""The mean test keeps a processor busy for less than half its time."""
_FOLDER = Path("/run/lock")
_PAUSE = 0.01
"""Seconds between two looks for a free slot, of the one whose turn it is."""


class Use(Enum):
    """How a test needs the local cluster, or the local meeting."""

    SHARED = fcntl.LOCK_SH
    ALONE = fcntl.LOCK_EX


@dataclass(frozen=True, slots=True)
class Needs:
    """What a test needs of the machine."""

    slot: bool = True
    cluster: Use | None = None
    meeting: Use | None = None


class Held:
    """What one process has of the machine, for a test."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._folder = folder
        self._held: list[int] = []

    def take(self, needs: Needs) -> None:
        """Hold what a test needs; waits for it."""
        for name, use in (("cluster", needs.cluster), ("meeting", needs.meeting)):
            if use is not None:
                with self._turn(name):
                    self._held.append(self._locked(name, use.value))
        if needs.slot:
            with self._turn("slot"):
                while (free := self._free_slot()) is None:
                    time.sleep(_PAUSE)
                self._held.append(free)

    def give_back(self) -> None:
        """Let others have it."""
        for each in self._held:
            os.close(each)
        self._held.clear()

    def _free_slot(self) -> int | None:
        for number in range(SLOTS):
            try:
                return self._locked(f"slot-{number}", fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
        return None

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Once all who came before have got it, or gone."""
        queue = self._locked(f"queue-{name}", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(queue)

    def _locked(self, name: str, how: int) -> int:
        """The descriptor that holds a lock."""
        path = self._folder / f"meeting-buddy-tests.{name}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, how)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
