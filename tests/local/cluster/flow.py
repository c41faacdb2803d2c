"""The whole cluster: which components in which order, up, down and how it stands.

`up` asks every component to start; each adopts what runs, so a healthy cluster (started from this clone or another) is
adopted as a whole, and one that lost some processes gets these back. When what was left over does not come up, it is
cleared and the cluster starts from nothing: a local cluster is never worth repairing by hand.

If this process dies: processes run in sessions of their own and are found again; everything made outside the root was
noted before it was made. The next `up` continues, `down` removes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.local.cluster import commands
from tests.local.cluster.component import Component
from tests.local.cluster.components import workloads
from tests.local.cluster.components.address import Address
from tests.local.cluster.components.apiserver import Listener, api_server
from tests.local.cluster.components.bridge import Bridge
from tests.local.cluster.components.containerd import Containerd
from tests.local.cluster.components.controller_manager import controller_manager
from tests.local.cluster.components.defaults import DefaultNamespace
from tests.local.cluster.components.dns import ClusterDns
from tests.local.cluster.components.etcd import etcd
from tests.local.cluster.components.firewall import Firewall
from tests.local.cluster.components.kernel import Kernel
from tests.local.cluster.components.kubelet import Kubelet
from tests.local.cluster.components.node import Node
from tests.local.cluster.components.pki import ADMIN, Pki
from tests.local.cluster.components.proxy import Proxy
from tests.local.cluster.components.registry import registry
from tests.local.cluster.components.scheduler import scheduler
from tests.local.cluster.components.volumes import Volumes
from tests.local.cluster.host_changes import HostChanges
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import CLONE_KUBECONFIG, HERE, NODE_ADDRESS, Paths, Ports
from tests.local.machine import packages
from tests.local.machine.lock import exclusive
from tests.local.machine.progress import step


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is up: how to reach it as administrator."""

    paths: Paths
    kubeconfig: Path
    kubectl: Kubectl
    volumes: Volumes


def up(paths: Paths = HERE) -> Cluster:
    """Bring the cluster up, or adopt it; write `.cluster/kubeconfig` in this clone.

    Prints one line per component.  Raises `MachineUnsuitableError` when this machine cannot carry it.
    """
    packages.ensure()
    with step("Kubernetes commands") as line:
        line.note = commands.kubernetes_version()
        commands.kubernetes(), commands.clients()
    with exclusive(paths.lock, "the local cluster"):
        left_over = paths.host_changes.exists()
        try:
            _start(components(paths))
        except Exception as error:  # whatever kept the remains of an earlier run from coming up
            if not left_over:
                raise
            print(f"  What an earlier run left does not come up; starting from nothing. ({error})", flush=True)
            _clear(paths)
            _start(components(paths))
    _hand_out(paths)
    return _at(paths)


def down(paths: Paths = HERE) -> None:
    """Remove the cluster and everything that it made, its volumes included."""
    with exclusive(paths.lock, "the local cluster"):
        _clear(paths)
    CLONE_KUBECONFIG.unlink(missing_ok=True)


def _at(paths: Paths) -> Cluster:
    """The cluster as it was last brought up; whether it answers is another question."""
    pki = _pki(paths)
    kubectl = Kubectl(commands.kubectl(), pki.kubeconfig(ADMIN))
    return Cluster(paths, pki.kubeconfig(ADMIN), kubectl, Volumes(paths, pki, kubectl))


def components(paths: Paths = HERE) -> Sequence[Component]:
    """Every component, in the order in which they start; they stop in reverse."""
    host_changes, ports, pki = HostChanges(paths.host_changes), Ports(), _pki(paths)
    listener = Listener(bind=NODE_ADDRESS, advertise=NODE_ADDRESS)
    kubectl = Kubectl(commands.kubectl(), pki.kubeconfig(ADMIN))
    return (
        Kernel(host_changes),
        Address(host_changes),
        pki,
        etcd(paths, ports),
        api_server(paths, ports, pki, listener),
        controller_manager(paths, pki),
        scheduler(paths, pki),
        Node(pki, kubectl),
        Bridge(paths, host_changes),
        Proxy(paths, pki, host_changes),
        Firewall(host_changes, ports),  # after kube-proxy, whose hooks go first when it starts; before any pod
        ClusterDns(paths, pki),
        registry(paths),
        Containerd(paths),
        Kubelet(paths, pki),
        Volumes(paths, pki, kubectl),
        DefaultNamespace(pki),
    )


def _pki(paths: Paths) -> Pki:
    return Pki(paths, f"https://{NODE_ADDRESS}:{Ports().api}")


def _start(parts: Sequence[Component]) -> None:
    for part in parts:
        with step(part.name) as line:
            line.note = part.start()


def _clear(paths: Paths) -> None:
    if not paths.root.exists():
        return
    for part in reversed(components(paths)):
        with step(part.name) as line:
            part.stop()
            line.note = "gone"
    with step("files") as line:
        workloads.unmount_below(paths.root)
        shutil.rmtree(paths.root)
        line.note = "gone"


def _hand_out(paths: Paths) -> None:
    CLONE_KUBECONFIG.parent.mkdir(exist_ok=True)
    aside = CLONE_KUBECONFIG.with_suffix(".new")
    aside.touch(mode=0o600)
    aside.write_bytes(paths.kubeconfig.read_bytes())
    aside.replace(CLONE_KUBECONFIG)
