"""Displays and ports that no two tests choose: not those of another worker, nor those of another clone's run."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

_LOCKS = Path("/run/lock")
_held: list[int] = []
"""Descriptors of the locks; the kernel gives them up with this process."""


def free_display() -> int:
    """Number of an X display that is this process's alone until its end."""
    for number in range(200, 10_000):
        descriptor = os.open(_LOCKS / f"meeting-buddy-tests.display-{number}", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        if Path(f"/tmp/.X11-unix/X{number}").exists() and _answers(number):
            os.close(descriptor)
            continue
        _held.append(descriptor)
        return number
    raise RuntimeError("no X display is free")


def free_port() -> int:
    """A TCP port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(number: int) -> bool:
    """Whether somebody who knows no locks has this display."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(f"/tmp/.X11-unix/X{number}")
        except OSError:
            return False
    return True
