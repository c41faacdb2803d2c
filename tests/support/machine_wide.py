"""Displays, addresses, ports and interfaces that no two tests choose, of another worker or of another clone alike."""

from __future__ import annotations

import fcntl
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCKS = Path("/run/lock")
PASSING_ADDRESS = "198.51.100.7"
"""Of :func:`another_interface`."""
_PORTS = range(13_000, 28_000)
"""Below those of outgoing connections (``ip_local_port_range``) and of services (``--service-node-port-range``), above
the local cluster's own."""
_TIME_WAIT = "06"
"""State of a connection in ``/proc/net/tcp`` that keeps nobody from listening on its port."""
_held: list[int] = []
"""Descriptors of the locks; the kernel gives them up with this process."""


def free_display() -> int:
    """Number of an X display that is this process's alone until its end.

    One of which anything is left over is passed by: a bot without privileges cannot take away what a killed one left
    that ran as root.
    """
    return next(
        number
        for number in range(200, 10_000)
        if not any(Path(each).exists() for each in (f"/tmp/.X11-unix/X{number}", f"/tmp/.X{number}-lock"))
        and _take(f"display-{number}")
    )


def free_loopback() -> str:
    """An address of loopback that is this process's alone until its end, for servers whose port is fixed."""
    return next(address for last in range(1, 255) if _take(address := f"127.0.77.{last}"))


def free_port() -> int:
    """A TCP port that nobody uses now, on any address, and that no other test is given.

    None of those that the kernel hands out by itself: it would give one away before a slow server has it.
    """
    while True:
        port = random.choice(_PORTS)  # noqa: S311 -- no secret
        if _take(f"port-{port}") and _is_free(port):
            return port


def _is_free(port: int) -> bool:
    """Asked without a socket: a process that another thread is just starting would hold it open for a moment more."""
    sockets = [
        line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    return not any(local.endswith(f":{port:04X}") and state != _TIME_WAIT for _, local, _, state, *_ in sockets)


def _take(name: str) -> bool:
    """Lock a name for as long as this process lives; False when another one has it."""
    descriptor = os.open(_LOCKS / f"meeting-buddy-tests.{name}", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held.append(descriptor)
    return True


@contextmanager
def another_interface() -> Iterator[None]:
    """This machine has one more for the block, as when a pod runs on it; each browser on it hears of that.

    Those of a process that was killed are taken away by the next one with its number.
    """
    ours, other = (f"mbtest{os.getpid()}{end}" for end in "ab")
    subprocess.run(["ip", "link", "delete", ours], check=False, capture_output=True)
    subprocess.run(["ip", "link", "add", ours, "type", "veth", "peer", "name", other], check=True)
    try:
        for arguments in (
            ("address", "add", f"{PASSING_ADDRESS}/32", "dev", ours),
            ("link", "set", ours, "up"),
            ("link", "set", other, "up"),
        ):
            subprocess.run(["ip", *arguments], check=True)
        yield
    finally:
        subprocess.run(["ip", "link", "delete", ours], check=True)
