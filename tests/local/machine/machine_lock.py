"""Tests that share this machine, and tests that want it alone: what a two-processor machine can promise real time.

Everybody holds one lock: shared by those who may work side by side, exclusive for who measures sound and pictures in
real time. Whoever wants a lock queues at a turnstile, so that those who come later do not keep the one who waits out.
The locks are the machine's, not a run's: a second clone's tests stand in the same queue.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path("/run/lock")


@contextmanager
def among_others(folder: Path = _FOLDER) -> Iterator[None]:
    """Work side by side with others for the block, and with nobody who wants the machine alone; waits for its turn."""
    with _turn(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def alone(folder: Path = _FOLDER) -> Iterator[None]:
    """Have the machine alone for the block, as far as tests are concerned; waits until all others are done."""
    with _turn(folder, fcntl.LOCK_EX):
        yield


@contextmanager
def _turn(folder: Path, kind: int) -> Iterator[None]:
    turnstile, machine = (_open(folder / f"meeting-buddy-tests.{name}") for name in ("turnstile", "machine"))
    try:
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        fcntl.flock(machine, kind)
        fcntl.flock(turnstile, fcntl.LOCK_UN)
        yield
    finally:
        os.close(machine)
        os.close(turnstile)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
