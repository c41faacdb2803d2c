"""One line per step with the seconds that it took, so that whoever waits knows for what.

    with step("etcd") as line:
        ...
        line.note = "adopted"

prints `  etcd                      adopted            0.0 s`.
A step that raises prints `failed` and lets the error pass.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Line:
    """What the finished line will say beside the step's name."""

    note: str = "ready"


@contextmanager
def step(name: str) -> Iterator[Line]:
    """Time the block; on a terminal the line is visible while the block runs."""
    line = Line()
    began = time.monotonic()
    live = sys.stdout.isatty()
    if live:
        print(f"  {name:28} …", end="", flush=True)
    try:
        yield line
    except BaseException:
        _finish(name, "failed", began, live)
        raise
    _finish(name, line.note, began, live)


def _finish(name: str, note: str, began: float, live: bool) -> None:
    start = "\r" if live else ""
    print(f"{start}  {name:28} {note:24} {time.monotonic() - began:7.1f} s", flush=True)
