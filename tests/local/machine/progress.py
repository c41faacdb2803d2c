"""One line per step with the seconds that it took, so that whoever waits knows for what.

    with step("etcd") as line:
        ...
        line.note = "adopted"

prints `  etcd                      adopted            0.0 s`. A step whose programs used much processor time says so.
A step that takes minutes says in between how far it is (`tell`): on a terminal in its own line, elsewhere by a line
now and then. A step that raises prints `failed` and lets the error pass.
"""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_QUIET_SECONDS = 20.0  # between two lines about the same step where nobody looks at a terminal
_LIVE_SECONDS = 0.1  # between two changes of a terminal's line
_WORTH_A_WORD = 10.0  # CPU seconds
_WIDTH = 56  # characters of a text beside the step's name, in a log


def _cpu_seconds() -> float:
    """Processor seconds of all programs that this process has run to their end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(slots=True)
class Line:
    """What the finished line will say beside the step's name."""

    name: str
    note: str = "ready"
    began: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=_cpu_seconds)
    told: float = field(default_factory=time.monotonic)


_open: list[Line] = []  # steps may contain steps; the innermost one is at work


@contextmanager
def step(name: str) -> Iterator[Line]:
    """Time the block; on a terminal the line is visible while the block runs."""
    line = Line(name)
    _show(line, "…")
    _open.append(line)
    try:
        yield line
    except BaseException:
        line.note = "failed"
        raise
    finally:
        _open.remove(line)
        start = "\r\033[K" if sys.stdout.isatty() else ""
        used = _cpu_seconds() - line.used
        cpu = f" {used:7.1f} s CPU" if used >= _WORTH_A_WORD else ""
        print(f"{start}  {name:28} {line.note:24} {time.monotonic() - line.began:7.1f} s{cpu}", flush=True)


def tell(text: str) -> None:
    """Say how far the step at work has got; without effect outside of steps."""
    if not _open:
        return
    line, now = _open[-1], time.monotonic()
    if now - line.told < (_LIVE_SECONDS if sys.stdout.isatty() else _QUIET_SECONDS):
        return
    line.told = now
    if sys.stdout.isatty():
        _show(line, f"… {text}")
    else:
        print(f"  {line.name:28} … {text[:_WIDTH]:{_WIDTH}} {now - line.began:7.1f} s", flush=True)


def _show(line: Line, text: str) -> None:
    if sys.stdout.isatty():
        shown = f"  {line.name:28} {text}".expandtabs(1)[: shutil.get_terminal_size().columns - 1]
        print(f"\r\033[K{shown}", end="", flush=True)
