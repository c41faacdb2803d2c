"""Slots for tests on this machine: what a two-processor machine can promise to what runs in real time.

An ordinary test takes one slot, one whose recording is judged takes two, and one that measures takes all. Each slot
has a queue, so that those who come later do not keep the one who waits for it out. The slots are the machine's, not a
run's: a second clone's tests wait in the same queues.
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
        for number in sorted(each % SLOTS for each in range(first, first + min(count, SLOTS))):  # no two wait in a ring
            held.callback(os.close, _taken(folder, number))
        yield


def _taken(folder: Path, number: int) -> int:
    """The descriptor that holds a slot, once it is free."""
    queue, slot = _open(folder, f"queue-{number}"), _open(folder, f"slot-{number}")
    try:
        fcntl.flock(queue, fcntl.LOCK_EX)
        fcntl.flock(slot, fcntl.LOCK_EX)
    finally:
        os.close(queue)
    return slot


def _open(folder: Path, name: str) -> int:
    return os.open(folder / f"meeting-buddy-tests.{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
