"""The node's sudden end: it goes with all that runs on it, and nobody is left who could report that.

The control plane, the registry and the pods' network are other machines' in this picture: they stay. So does what was
written to volumes, be it on the disk or not: what a disk loses with its power is not shown by this.
"""

from __future__ import annotations

from tests.local.cluster.components import workloads
from tests.local.cluster.components.containerd import Containerd
from tests.local.cluster.paths import Paths
from tests.local.machine.process import Process, kill


def cut(paths: Paths) -> None:
    """End kubelet and container runtime, then the pods' processes; drop what a machine forgets when it is off.

    The node's object stays as it is: the control plane finds out, or is told. `flow.up` starts the node again.
    """
    for name in ("kubelet", "containerd"):  # first: whoever sees a pod end must not be able to say so
        found = Process(name, (), paths.logs / f"{name}.log", paths.processes).find()
        if found is not None:
            kill(found)
    workloads.kill(paths)
    workloads.unmount_below(paths.kubelet)
    workloads.remove_cgroup()
    Containerd(paths).forget()
