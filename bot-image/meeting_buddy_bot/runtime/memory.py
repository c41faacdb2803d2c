"""How near the container is to its memory limit, from its own cgroup, version 2 or 1.

The working set is what the kernel counts against the limit and cannot drop at will: usage without inactive file cache,
as the kubelet reckons. A recorder writes files, so without that subtraction it would always look full.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRESSURE: Final = 0.90
"""Share of the limit above which memory is short."""
RELIEF: Final = 0.80
"""Share below which it is not any more; between the two it stays as it was."""
_UNLIMITED: Final = 1 << 60
"""Version 1 spells "no limit" as the largest page-aligned number."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes used and allowed."""

    working_set: int
    limit: int

    @property
    def share(self) -> float:
        """Part of the limit in use."""
        return self.working_set / self.limit

    def pressed(self, before: bool) -> bool:
        """Whether memory is short, given whether it was."""
        return self.share > (RELIEF if before else PRESSURE)


def read_memory(root: Path = Path("/sys/fs/cgroup")) -> Memory | None:
    """Memory of this container; ``None`` where there is no limit or no cgroup to read."""
    for folder, limit, usage, cache in (
        (root, "memory.max", "memory.current", "inactive_file"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            text = (folder / limit).read_text().strip()
            used = int((folder / usage).read_text())
            facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if text == "max" or int(text) >= _UNLIMITED:
            return None
        return Memory(max(0, used - int(facts.get(cache, 0))), int(text))
    return None
