"""Room on the volume: what warns, and what makes the recorder stop while it can still close its files."""

import os
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 16 * 1024 * 1024
"""Kept free for closing segments, manifest, events and ``session.json``; below it the recorder stops."""
WARN_SECONDS: Final = 600
"""Warn when what is free does not last that long and then hold the finished file beside the segments."""


def free_bytes(folder: Path) -> int:
    """Bytes that an unprivileged process may still write into ``folder``'s volume."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def full(free: int) -> bool:
    """Whether nothing more may be recorded."""
    return free < RESERVE_BYTES


def scarce(free: int, recorded: int, bytes_per_second: float) -> bool:
    """Whether recording for :data:`WARN_SECONDS` more and then finishing one file would not fit."""
    ahead = bytes_per_second * WARN_SECONDS
    return free < RESERVE_BYTES + ahead + (recorded + ahead)


def fits(free: int, segments_bytes: int) -> bool:
    """Whether one file of all segments can be written beside them; twice over, since ``faststart`` moves the index."""
    return free > segments_bytes * 1.02 + 1024 * 1024
