"""What every part of this machine's installation keeps below a root of its own, outside every clone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Root:
    """A folder with the records and logs of the processes that belong together."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops them; beside the root, so that a wipe does not remove it."""
        return self.root.with_name(self.root.name + ".lock")

    @property
    def processes(self) -> Path:
        """One record per running process."""
        return self.root / "processes"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"
