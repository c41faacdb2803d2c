"""Room on the volume: what warns, and what makes the recorder stop while it can still close its files."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meeting_buddy_bot.recording import segments

RESERVE_BYTES: Final = 16 * 1024 * 1024
"""Kept free for closing segments, manifest, events and ``session.json``; below it the recorder stops."""
WARN_SECONDS: Final = 600
"""Warn when what is free does not last that long and then hold the finished file beside the segments."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one look at the volume finds."""

    free: int
    """Bytes that an unprivileged process may still write."""
    open_segment: int
    """Number of the newest segment file, 0 without one."""
    open_bytes: int
    """Its size."""


def measure(folder: Path) -> Measurement:
    """Look at the volume once. Blocking.

    Raises:
        OSError: the volume is gone (ESTALE, ENOTCONN, EIO).
    """
    newest = segments.highest(folder)
    sizes = [file.stat().st_size for file in (folder / segments.SEGMENTS_FOLDER).glob(f"{newest:05d}.*")]
    return Measurement(free_bytes(folder), newest, max(sizes, default=0))


def free_bytes(folder: Path) -> int:
    """Bytes that an unprivileged process may still write into ``folder``'s volume."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


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
