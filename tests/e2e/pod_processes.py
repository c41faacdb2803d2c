"""Processes of a pod, as the node sees them: for tests that kill one of them.

Only processes of pods of the local cluster are ever found: the pod's UID stands in their control group.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.local.cluster.kubectl import Kubectl


def pids(kubectl: Kubectl, namespace: str, pod: str, command: str) -> list[int]:
    """Process ids whose ``comm`` is ``command``, oldest first."""
    uid = kubectl("get", "pod", pod, f"--namespace={namespace}", "--output=jsonpath={.metadata.uid}")
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is(entry, uid, command)]
    return sorted(found, key=lambda pid: _started(pid))


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


def _is(entry: Path, uid: str, command: str) -> bool:
    try:
        return (entry / "comm").read_text().strip() == command and uid in (entry / "cgroup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _started(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
