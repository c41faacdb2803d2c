"""What pods leave behind when nobody is left to end them: processes, shims, control groups, mounts.

Processes gone while mounts, bridge and chains remain is the common case after a kill. Everything here is recognised by
what it is attached to (our control group, our socket, our folder), never by a name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.local.cluster.paths import Paths
from tests.local.machine.control_group import ROOT, prefer, unified
from tests.local.machine.execute import succeeds
from tests.local.machine.process import Identity, command_lines, identify
from tests.local.machine.process import kill as end

CGROUP = "meeting-buddy"
"""The control group under which the kubelet puts every pod."""

_SHIM_SOCKETS = Path("/run/containerd/s")  # compiled into containerd; one socket per pod


def make_cgroup() -> None:
    """Make our control group in every hierarchy, which the kubelet insists on; its processes go before all others."""
    for hierarchy in _hierarchies():
        controllers = hierarchy / "cgroup.controllers"
        if controllers.is_file():  # cgroup v2: a child has the controllers that its parent hands down
            wanted = " ".join(f"+{name}" for name in controllers.read_text().split())
            (hierarchy / "cgroup.subtree_control").write_text(wanted)
        group = hierarchy / CGROUP
        group.mkdir(exist_ok=True)
        prefer(group)


def remove_cgroup() -> None:
    """Remove our control group and everything below it, once it is empty."""
    for root in {*(hierarchy / CGROUP for hierarchy in _hierarchies()), ROOT / "unified" / CGROUP}:
        for folder, _, _ in os.walk(root, topdown=False):
            with suppress(FileNotFoundError):  # whoever ran the pod removes its group, too
                Path(folder).rmdir()


def kill(paths: Paths) -> None:
    """End every process of every pod, then the shims, by SIGKILL; the pods are past being asked."""
    for identity in (*_members(), *_shims(paths)):
        end(identity)
    for address in (paths.containerd / "state").glob("io.containerd.runtime.v2.task/*/*/address"):
        socket = Path(address.read_text().removeprefix("unix://"))
        if socket.parent == _SHIM_SOCKETS:
            socket.unlink(missing_ok=True)


def mounts_below(folder: Path) -> list[Path]:
    """The mount points under `folder`, in the order in which they were mounted."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (Path(line.split()[4].encode().decode("unicode_escape")) for line in lines)
    return [point for point in points if point.is_relative_to(folder)]


def unmount_below(folder: Path) -> None:
    """Take down every mount under `folder`, the latest first; raises when one stays."""
    for point in reversed(mounts_below(folder)):
        # Lazy: a dying process may still hold it for a moment. Unasked for its result: it may have gone meanwhile.
        succeeds("umount", "--lazy", point)
    left = mounts_below(folder)
    if left:
        raise OSError(f"still mounted: {', '.join(map(str, left))}")


def _hierarchies() -> list[Path]:
    """One folder per control group hierarchy: the only one (v2), or one per controller (v1)."""
    if unified():
        return [ROOT]
    # `unified` holds no controllers beside v1; runc makes our folder there by itself.
    folders = (folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.is_symlink())
    return [folder for folder in folders if folder.name != "unified"]


def _members() -> Iterator[Identity]:
    pids = {
        int(pid)
        for hierarchy in _hierarchies()
        for procs in (hierarchy / CGROUP).rglob("cgroup.procs")
        for pid in procs.read_text().split()
    }
    # A container's first process, which takes all others with it, is the oldest.
    yield from filter(None, map(identify, sorted(pids)))


def _shims(paths: Paths) -> Iterator[Identity]:
    for pid, line in command_lines():
        argv = line.decode(errors="replace").split("\0")
        if "shim" in argv[0] and str(paths.containerd_socket) in argv:
            identity = identify(pid)
            if identity is not None:
                yield identity
