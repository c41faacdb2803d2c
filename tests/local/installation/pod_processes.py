"""Processes of a pod, as the node sees them: for tests that kill one of them, and for what one of them costs.

Only processes of pods of the local cluster are ever found: the pod's UID stands in their control group.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.local.cluster.kubectl import Kubectl


def pids(kubectl: Kubectl, namespace: str, pod: str, command: str | None = None) -> list[int]:
    """Process ids whose ``comm`` is ``command``, or all of the pod's, oldest first."""
    uid = kubectl("get", "pod", pod, f"--namespace={namespace}", "--output=jsonpath={.metadata.uid}")
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            if entry.name.isdigit() and _is(entry, uid, command):
                found.append((_started(entry), int(entry.name)))
    return [pid for _, pid in sorted(found)]


def kill(kubectl: Kubectl, namespace: str, pod: str, command: str) -> int:
    """``kill -9`` of the oldest such process; returns its pid.

    Raises:
        LookupError: the pod runs no such process.
    """
    found = pids(kubectl, namespace, pod, command)
    if not found:
        raise LookupError(f"pod {pod} runs no {command}")
    os.kill(found[0], signal.SIGKILL)
    return found[0]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has used since its start."""

    rss: int
    """Resident memory, bytes."""
    cpu: float
    """Processor seconds, user and system."""
    age: float
    """Seconds since its start."""


def cost(pid: int) -> Cost:
    """What a process costs by now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return Cost(
        rss=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        cpu=(int(fields[11]) + int(fields[12])) / ticks,
        age=uptime - int(fields[19]) / ticks,
    )


def cpu_seconds(kubectl: Kubectl, namespace: str, pod: str) -> dict[str, float]:
    """Processor seconds of the pod's living processes, by their ``comm``."""
    found: dict[str, float] = {}
    for pid in pids(kubectl, namespace, pod):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            found[name] = found.get(name, 0.0) + cost(pid).cpu
    return found


def cpu_in_all(kubectl: Kubectl, namespace: str, pod: str) -> float:
    """Processor seconds of all processes of the pod, those included that have ended: their parents know."""
    ticks = 0
    for pid in pids(kubectl, namespace, pod):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(kubectl: Kubectl, namespace: str, pod: str) -> int:
    """Resident memory of the pod's processes, bytes; what several share is counted once."""
    total = 0
    for pid in pids(kubectl, namespace, pod):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


def _is(entry: Path, uid: str, command: str | None) -> bool:
    named = command is None or (entry / "comm").read_text().strip() == command
    return named and uid in (entry / "cgroup").read_text()


def _started(entry: Path) -> int:
    return int((entry / "stat").read_text().rpartition(")")[2].split()[19])
