"""How starved of processors this machine was while something was measured.

Real-time media judged on a machine that was busy with other work says something about the machine. The kernel's
pressure stall information is the share of time in which some process had to wait for a processor.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STARVED = 0.4  # at 37 to 45 % the local meeting still sounded right, at 48 % no longer always (two cores, 2026-11-23)


@dataclass(slots=True)
class Pressure:
    """The share of the block's time in which some process waited for a processor; 0 where the kernel does not say."""

    share: float = 0.0

    @property
    def starved(self) -> bool:
        """True when timing that was measured meanwhile means nothing."""
        return self.share > STARVED


@contextmanager
def measured() -> Iterator[Pressure]:
    """Measure the block; the result is filled in at its end."""
    pressure = Pressure()
    began, waited = time.monotonic(), _waited_seconds()
    try:
        yield pressure
    finally:
        pressure.share = (_waited_seconds() - waited) / max(time.monotonic() - began, 1e-6)


def _waited_seconds() -> float:
    try:
        text = Path("/proc/pressure/cpu").read_text()
    except OSError:  # a kernel without pressure stall information
        return 0.0
    total = re.search(r"^some .*total=(\d+)", text, re.MULTILINE)
    return int(total[1]) / 1e6 if total else 0.0
