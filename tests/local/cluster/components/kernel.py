"""Kernel settings that the node needs, put back by `stop`.

Forwarding is for the pods' packets. The others are the ones that a kubelet sets by itself when it starts: they are set
here so that somebody remembers what they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.local.cluster.host_changes import HostChanges

_WANTED = {
    "net.ipv4.ip_forward": "1",
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.keys.root_maxbytes": "25000000",
}


@dataclass(frozen=True, slots=True)
class Kernel:
    """The settings."""

    host_changes: HostChanges
    name: str = field(default="kernel settings", init=False)

    def start(self) -> str:
        """Set what differs, after noting what it was."""
        if self.ready():
            return "adopted"
        for key, value in _WANTED.items():
            before = _path(key).read_text().strip()
            if before != value:
                self.host_changes.note("sysctl", key, before)
                _path(key).write_text(value)
        return "set"

    def ready(self) -> bool:
        """True when every setting is as wanted."""
        return all(_path(key).read_text().strip() == value for key, value in _WANTED.items())

    def stop(self) -> None:
        """Put back what was there before."""
        for key, before in self.host_changes.things("sysctl").items():
            _path(key).write_text(before)
            self.host_changes.forget("sysctl", key)


def _path(key: str) -> Path:
    return Path("/proc/sys") / key.replace(".", "/")
