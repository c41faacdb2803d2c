"""Control groups whose processes go before all others, for what has to happen in time on a machine that is busy.

In life a node, and a bot, is not where tests run; here what a bot records would have holes whenever others are busy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PREFERRED = {"cpu.shares": 10 * 1024, "cpu.weight": 10 * 100}
"""Of the processors, by the version of control groups: ten times what others have, as much as the people of the local
meeting (`tests/local/meetings/priority.py`), who must be in time for what is recorded of them."""
_PASSES = 3
"""Through the processes of a group that is left: one that is moved may just have started another."""


def unified() -> bool:
    """Whether there is one hierarchy for all controllers (version 2)."""
    return (ROOT / "cgroup.controllers").is_file()


def prefer(group: Path) -> None:
    """Let the processes of a group that is there go before all others, where the group shares out processors."""
    for name, weight in PREFERRED.items():
        if (group / name).is_file():
            (group / name).write_text(str(weight))


@contextmanager
def preferred(name: str) -> Iterator[None]:
    """This process, and what it starts meanwhile, goes before all others, in a group of this name and its own number.

    What still runs afterwards is like everybody again. Where control groups cannot be written, nothing is changed.
    """
    hierarchy = ROOT if unified() else ROOT / "cpu"
    group, before = hierarchy / f"{name}-{os.getpid()}", hierarchy / _own_group().lstrip("/")
    with suppress(OSError):
        if unified():
            (hierarchy / "cgroup.subtree_control").write_text("+cpu")
        group.mkdir(exist_ok=True)
        prefer(group)
        _move(os.getpid(), group)
    try:
        yield
    finally:
        with suppress(OSError):
            for _ in range(_PASSES):
                for pid in (group / "cgroup.procs").read_text().split():
                    with suppress(ProcessLookupError):
                        _move(int(pid), before)
            group.rmdir()


def _own_group() -> str:
    """Where the processors of this process are counted."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    groups = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    return next((path for controllers, path in groups.items() if "cpu" in controllers.split(",")), groups.get("", "/"))


def _move(pid: int, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(pid))
