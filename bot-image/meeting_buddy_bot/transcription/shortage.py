"""Whether processors are short, as the kernel tells: then text waits, because sound and picture cannot.

The browser, which plays the meeting, is in another cgroup. No niceness makes this process yield to it, so that it has
to leave processors alone by itself. What the browser suffers cannot be seen from this container; what can is

* how long anything runnable on the node waits for a processor (``/proc/pressure/cpu``), while nothing is decoded here,
  as a niced decoder that waits hurts nobody, and while few processors idle (``/proc/stat``), as on a large node
  something always waits, and what its own limit stops counts as waiting; who idles counts beside a decoding, too,
* how often the container is stopped for its CPU limit (``cpu.stat`` of its cgroup),
* how long a decoding itself waits (``/proc/self/task/*/schedstat``).

Before the first decoding none of that says what one would cost. Then processors are short unless one idles for it.

Where the kernel tells none of it, nothing is short.
"""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

_SMOOTHING_SECONDS: Final = 5.0
"""In which about two thirds of a change are taken over."""


class Shortage(IntEnum):
    """Of processors."""

    NONE = 0
    SHORT = 1
    SEVERE = 2


@dataclass(frozen=True, slots=True)
class _Limit:
    """Share from which on it is so, and below which it is not any more."""

    above: float
    below: float


_NODE: Final = (_Limit(0.6, 0.4), _Limit(0.8, 0.65))
"""Measured on two cores under many small programs: 0.4 with a quarter of them idle, 0.6 with a tenth, 0.8 with none."""
_ROOM: Final = 0.2
"""Share of the processors' time that is idle, from which on nothing is short on the node, whatever waits."""
_FIRST_ROOM: Final = 1.0
"""Processors that idle before the first decoding, below which it has no room."""
_ROOM_AGAIN: Final = 1.25
"""From which on it has room again."""
_THROTTLED: Final = (_Limit(0.25, 0.1), _Limit(0.5, 0.25))
"""Of the limit's periods. The recorder is stopped along with the decoder, and loses frames. Measured on two busy cores:
what has to be ready thirty times a second is late in 2 to 8 % at 0, in 0 to 11 % up to 0.3, in 15 to 27 % above 0.5."""

Throttled = tuple[float, float]
"""In how many of a limit's periods the container was stopped, and in how many it wanted to run, so far."""


class _Level:
    """A share, smoothed over time, and what it amounts to."""

    def __init__(self, limits: tuple[_Limit, _Limit]) -> None:
        self._limits = limits
        self._share = 0.0
        self.shortage = Shortage.NONE

    def assume(self, shortage: Shortage) -> None:
        """Until there is something to add it is so, and just so."""
        self.shortage = shortage
        self._share = self._limits[shortage - 1].above if shortage else 0.0

    def add(self, part: float, whole: float, seconds: float) -> None:
        """So much of the whole, in the last seconds."""
        if seconds <= 0:
            return
        share = min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
        self._share += (share - self._share) * _taken_over(seconds)
        found = Shortage.NONE
        for each, limit in zip((Shortage.SHORT, Shortage.SEVERE), self._limits, strict=True):
            if self._share > (limit.below if self.shortage >= each else limit.above):
                found = each
        self.shortage = found


@dataclass(frozen=True, slots=True)
class _Look:
    """What the kernel's counters said."""

    at: float
    stalled: float | None
    idle: float | None
    throttled: Throttled | tuple[None, None]


class ShortageGauge:
    """Looks at what waits on the node between two decodings, at who idles and the container's limit all the time."""

    def __init__(
        self,
        stalled: Callable[[], float | None] | None = None,
        idle: Callable[[], float | None] | None = None,
        throttled: Callable[[], Throttled | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        processors: int | None = None,
    ) -> None:
        """Nothing is short before the first look.

        Args:
            stalled: seconds for which something has waited on the node so far; ``None``: the kernel does not tell.
            idle: seconds for which a processor has idled so far, in the mean of all; ``None``: the same.
            throttled: periods of this container's limit so far; ``None``: there is no limit, or the same.
            clock: seconds.
            processors: of the node.
        """
        self._stalled = stalled or node_stalled
        self._idle = idle or node_idle
        self._throttled = throttled or container_throttled
        self._clock = clock
        self._processors = processors or os.cpu_count() or 1
        self._node, self._container = _Level(_NODE), _Level(_THROTTLED)
        self._decoding = False
        self._decoded = False
        self._idle_share: float | None = None
        """Of the processors' time before the first decoding, smoothed."""
        self._looked: _Look | None = None

    def begin(self) -> None:
        """A decoding begins."""
        self.look()
        self._decoding = True

    def end(self) -> None:
        """A decoding has ended."""
        self.look()
        self._decoding, self._decoded = False, True

    def look(self) -> None:
        """Take in what has happened since the last look; to be called now and then."""
        before, now = self._looked, self._now()
        self._looked = now
        if before is None:
            return
        seconds = now.at - before.at
        if not self._decoded:
            if not self._decoding and before.idle is not None and now.idle is not None and seconds > 0:
                self._expect((now.idle - before.idle) / seconds, seconds)
            return
        if _more(before.idle, now.idle) >= _ROOM * seconds:
            self._node.add(0.0, seconds, seconds)
        elif not self._decoding:
            self._node.add(_more(before.stalled, now.stalled), seconds, seconds)
        stopped, periods = (_more(*each) for each in zip(before.throttled, now.throttled, strict=True))
        self._container.add(stopped, periods, seconds)

    def _expect(self, idle: float, seconds: float) -> None:
        """What a first decoding would meet: this share of the processors' time was idle in the last seconds."""
        before = idle if self._idle_share is None else self._idle_share
        self._idle_share = before + (idle - before) * _taken_over(seconds)
        needed = _ROOM_AGAIN if self._node.shortage else _FIRST_ROOM
        self._node.assume(Shortage.SHORT if self._idle_share * self._processors < needed else Shortage.NONE)

    def _now(self) -> _Look:
        return _Look(self._clock(), self._stalled(), self._idle(), self._throttled() or (None, None))

    @property
    def shortage(self) -> Shortage:
        """As of the last look."""
        return max(self._node.shortage, self._container.shortage)


def _taken_over(seconds: float) -> float:
    """How much of a change that has lasted so long counts."""
    return -math.expm1(-seconds / _SMOOTHING_SECONDS)


def _more(before: float | None, now: float | None) -> float:
    """By how much a counter grew; not at all where the kernel does not tell."""
    return 0.0 if before is None or now is None else now - before


def node_stalled(path: Path = Path("/proc/pressure/cpu")) -> float | None:
    """Seconds; ``None`` where the kernel was built or started without it, or the container may not read it."""
    try:
        for line in path.read_text().splitlines():
            kind, *facts = line.split()
            if kind == "some":
                return int(dict(each.split("=") for each in facts)["total"]) / 1e6
    except (OSError, ValueError, KeyError):
        pass
    return None


def node_idle(path: Path = Path("/proc/stat")) -> float | None:
    """Seconds for which a processor idled, or waited for a disk, in the mean of all; ``None``: not to be read."""
    try:
        lines = path.read_text().splitlines()
        idle, for_disks = (int(each) for each in lines[0].split()[4:6])
        processors = sum(line.startswith("cpu") for line in lines) - 1
        return (idle + for_disks) / os.sysconf("SC_CLK_TCK") / processors
    except (OSError, ValueError, IndexError, ZeroDivisionError):
        return None


def container_throttled(root: Path = Path("/sys/fs/cgroup")) -> Throttled | None:
    """``None`` without a cgroup to read (version 2, or 1).

    How long it was stopped does not tell: the kernel adds that up over processors.
    """
    for path in (root / "cpu.stat", root / "cpu" / "cpu.stat"):
        try:
            facts = dict(line.split() for line in path.read_text().splitlines())
            return int(facts["nr_throttled"]), int(facts["nr_periods"])
        except (OSError, ValueError, KeyError):
            continue
    return None


def thread_waits(tasks: Path = Path("/proc/self/task")) -> Mapping[str, float]:
    """Seconds for which each thread of this process was runnable and had no processor; those that can be read."""
    found: dict[str, float] = {}
    try:
        for each in tasks.iterdir():
            try:
                found[each.name] = int((each / "schedstat").read_text().split()[1]) / 1e9
            except (OSError, ValueError, IndexError):  # among others a thread that has just ended
                continue
    except OSError:
        pass
    return found


def longest_wait(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Of any thread, in seconds, between two times."""
    return max((waited - before.get(thread, 0.0) for thread, waited in after.items()), default=0.0)
