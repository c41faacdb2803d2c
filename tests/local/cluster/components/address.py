"""The node's address: an extra one on `lo`, since not every kernel has a link type for it.

Everything that pods may reach on this machine is there and nothing of it depends on the machine's own networks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.local.cluster.host_changes import HostChanges
from tests.local.cluster.paths import NODE_ADDRESS
from tests.local.machine import address


@dataclass(frozen=True, slots=True)
class Address:
    """`NODE_ADDRESS` on `lo`."""

    host_changes: HostChanges
    name: str = field(default="node address", init=False)

    def start(self) -> str:
        """Add it unless it is there."""
        if self.ready():
            return "adopted"
        self.host_changes.note("address", NODE_ADDRESS)
        address.ensure(NODE_ADDRESS)
        return "added"

    def ready(self) -> bool:
        """True when `lo` has it."""
        return address.present(NODE_ADDRESS)

    def stop(self) -> None:
        """Remove it if it was ours."""
        for noted in self.host_changes.things("address"):
            address.remove(noted)
            self.host_changes.forget("address", noted)
