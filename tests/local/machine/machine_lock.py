"""Seats for tests on this machine: what a two-processor machine can promise to what runs in real time.

An ordinary test takes one seat, one whose recording is judged takes two, and one that measures takes all. Whoever wants
seats queues at a turnstile until it has them, so that those who come later do not keep the one who waits out. The seats
are the machine's, not a run's: a second clone's tests stand in the same queue.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

SEATS = 3
_FOLDER = Path("/run/lock")


@contextmanager
def seats(first: int, count: int = 1, folder: Path = _FOLDER) -> Iterator[None]:
    """Hold `count` of the `SEATS` seats for the block, from number `first` on and round; waits until they are free.

    Tests that run side by side are given different first seats; else they wait for each other.
    """
    with ExitStack() as held:
        turnstile = _open(folder, "turnstile")
        try:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            for number in range(first, first + min(count, SEATS)):
                seat = _open(folder, f"seat-{number % SEATS}")
                held.callback(os.close, seat)
                fcntl.flock(seat, fcntl.LOCK_EX)
        finally:
            os.close(turnstile)
        yield


def _open(folder: Path, name: str) -> int:
    return os.open(folder / f"meeting-buddy-tests.{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
