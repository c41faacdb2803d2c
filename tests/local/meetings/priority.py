"""Lets the meeting keep its rhythm on a busy machine.

In life a meeting's server and its people sit on machines of their own. Here they share two cores with a cluster, image
builds and the bot under test, and a late packet makes the receiver stretch the sound: the test would measure the
machine. `nice` alone does nothing across sessions where the kernel groups processes by session (autogroup): each
session gets the same share, whatever is nice inside it. So both are set: niceness, and that of the session's group.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

NICENESS = -10
ARGV = ("nice", "-n", str(NICENESS))
"""Put before a command: nice passes its niceness on to the command and all its threads."""


def prefer_session(pid: int) -> None:
    """Prefer the whole session of a process that leads one; needs root, and does nothing where there are no groups."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))
