"""Slots for tests on this machine: what a two-processor machine can promise to what runs in real time.

An ordinary test takes one slot, one whose recording is judged takes two, and one that measures takes all. Whoever wants
slots holds the head of a queue until it has them, so that those who come later do not keep the one who waits out. The
slots are the machine's, not a run's: a second clone's tests wait in the same queue.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

SLOTS = 3
_FOLDER = Path("/run/lock")


@contextmanager
def slots(first: int, count: int = 1, folder: Path = _FOLDER) -> Iterator[None]:
    """Hold `count` of the `SLOTS` slots for the block, from number `first` on and round; waits until they are free.

    Tests that run side by side are given different first slots; else they wait for each other.
    """
    with ExitStack() as held:
        queue = _open(folder, "queue")
        try:
            fcntl.flock(queue, fcntl.LOCK_EX)
            for number in range(first, first + min(count, SLOTS)):
                slot = _open(folder, f"slot-{number % SLOTS}")
                held.callback(os.close, slot)
                fcntl.flock(slot, fcntl.LOCK_EX)
        finally:
            os.close(queue)
        yield


def _open(folder: Path, name: str) -> int:
    return os.open(folder / f"meeting-buddy-tests.{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
