"""Slots for tests on this machine: what a two-processor machine can promise to what runs in real time.

An ordinary test takes one slot, whichever is free first, one that judges what it records as it happens takes four, and
one that nearly only waits takes none. Each slot has a queue, and so have those who take any, so that those who come
later do not keep out the one who waits. The slots are the machine's, not a run's: a second clone's tests wait in the
same queues. So are the cluster and the local meeting, which many use or one has for itself; who needs several takes the
cluster first, then the meeting, then the slots.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SLOTS = 5
"""The mean test keeps a processor busy for less than half its time."""
REAL_TIME_SLOTS = 4
"""Of a test that judges what is recorded as it happens: one ordinary test may run beside it, and what only waits."""
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

    slots: int = 1
    cluster: Use | None = None
    meeting: Use | None = None


class Held:
    """What one process has of the machine, for a test or for several that follow one another."""

    def __init__(self, first: int, folder: Path = _FOLDER) -> None:
        """``first``: the slot to begin with."""
        self._first = first
        self._folder = folder
        self._slots: list[int] = []
        self._common: list[int] = []
        self._needs = Needs(0)

    def take(self, needs: Needs) -> None:
        """Hold what a test needs, and no more; waits for what is not held already."""
        if not self._suffices(needs):
            self.give_back()
            for name, use in (("cluster", needs.cluster), ("meeting", needs.meeting)):
                if use is not None:
                    self._common.append(self._taken(name, f"queue-{name}", use.value))
            if needs.slots == 1:
                self._slots.append(self._any())
            else:
                numbers = {number % SLOTS for number in range(self._first, self._first + min(needs.slots, SLOTS))}
                for number in sorted(numbers):  # no two wait in a ring
                    self._slots.append(self._taken(f"slot-{number}", f"queue-{number}"))
        while len(self._slots) > needs.slots:
            os.close(self._slots.pop())
        self._needs = needs

    def give_back(self, following: Needs | None = None) -> None:
        """Let others have it, unless the test that follows needs most of the machine, too, and no more than is held.

        It would wait until what began meanwhile has ended, and keep from others what it had got by then.
        """
        if following is not None and following.slots > 1 and self._suffices(following):
            return
        for each in (*self._slots, *self._common):
            os.close(each)
        self._slots.clear()
        self._common.clear()
        self._needs = Needs(0)

    def _suffices(self, needs: Needs) -> bool:
        held = self._needs
        return len(self._slots) >= needs.slots and (held.cluster, held.meeting) == (needs.cluster, needs.meeting)

    def _any(self) -> int:
        """The descriptor of the first slot that gets free."""
        turn = self._open("queue-any")
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            while (free := self._free()) is None:
                time.sleep(_PAUSE)
            return free
        finally:
            os.close(turn)

    def _free(self) -> int | None:
        """The descriptor of a slot that nobody holds or waits for."""
        for number in range(self._first, self._first + SLOTS):
            queue, held = self._open(f"queue-{number % SLOTS}"), self._open(f"slot-{number % SLOTS}")
            try:
                fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
            else:
                return held
            finally:
                os.close(queue)
        return None

    def _taken(self, name: str, queue_name: str, how: int = fcntl.LOCK_EX) -> int:
        """The descriptor that holds it, once it is free."""
        queue, held = self._open(queue_name), self._open(name)
        try:
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(held, how)
        finally:
            os.close(queue)
        return held

    def _open(self, name: str) -> int:
        return os.open(self._folder / f"meeting-buddy-tests.{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
