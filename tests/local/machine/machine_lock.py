"""Slots for tests on this machine: what a two-processor machine can promise to what runs in real time.

An ordinary test takes one slot, one whose recording is judged takes all but one, and one that measures takes all. Each
slot has a queue, so that those who come later do not keep the one who waits for it out. The slots are the machine's,
not a run's: a second clone's tests wait in the same queues. So is the cluster, which many use or one has for itself;
who needs both takes the cluster first.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

SLOTS = 4
"""As many as `make test` runs processes: the mean test keeps a processor busy for less than half its time."""
_FOLDER = Path("/run/lock")


@contextmanager
def slots(first: int, count: int = 1, folder: Path = _FOLDER) -> Iterator[None]:
    """Hold `count` of the `SLOTS` slots for the block, from number `first` on and round; waits until they are free.

    Tests that run side by side are given different first slots; else they wait for each other.
    """
    with ExitStack() as held:
        for number in sorted(each % SLOTS for each in range(first, first + min(count, SLOTS))):  # no two wait in a ring
            held.callback(os.close, _taken(folder, f"slot-{number}", f"queue-{number}"))
        yield


@contextmanager
def cluster(*, alone: bool, folder: Path = _FOLDER) -> Iterator[None]:
    """Hold the local cluster for the block, `alone` or beside others."""
    held = _taken(folder, "cluster", "queue-cluster", fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(held)


def _taken(folder: Path, name: str, queue_name: str, how: int = fcntl.LOCK_EX) -> int:
    """The descriptor that holds it, once it is free."""
    queue, held = _open(folder, queue_name), _open(folder, name)
    try:
        fcntl.flock(queue, fcntl.LOCK_EX)
        fcntl.flock(held, how)
    finally:
        os.close(queue)
    return held


def _open(folder: Path, name: str) -> int:
    return os.open(folder / f"meeting-buddy-tests.{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
