"""An API server with its etcd and nothing else: ready in seconds, gone with the process that asked for it.

For tests of what the API server itself decides: schema, CEL, defaults, columns, RBAC, admission. No controller runs, so
nothing is scheduled, collected or given a service account; the ServiceAccount admission is off for that reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.local.cluster import commands
from tests.local.cluster.components.apiserver import Listener, api_server
from tests.local.cluster.components.etcd import etcd
from tests.local.cluster.components.pki import ADMIN, Pki
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import Paths, Ports
from tests.support.machine_wide import free_port

_LAUNCHER = ("setpriv", "--pdeathsig", "KILL")


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running API server: how to reach it as administrator."""

    url: str
    kubeconfig: Path
    authority: Path
    kubectl: Kubectl


@contextmanager
def running(folder: Path, *more: str, processors: int | None = None) -> Iterator[ApiServer]:
    """An API server for the block, with its data and logs under `folder`, on free ports of 127.0.0.1.

    `more` are further flags of it. It uses so many `processors` at a time, all by default; with one it needs a third
    less while nobody asks it anything.
    """
    commands.kubernetes()
    paths, ports = Paths(folder), Ports(free_port(), free_port(), free_port())
    url = f"https://127.0.0.1:{ports.api}"
    pki = Pki(paths, url)
    pki.start()
    launcher = _LAUNCHER if processors is None else ("env", f"GOMAXPROCS={processors}", *_LAUNCHER)
    store = etcd(paths, ports, launcher)
    server = api_server(
        paths,
        ports,
        pki,
        Listener(bind="127.0.0.1", advertise="127.0.0.1"),
        more=("--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", *more),
        launcher=launcher,
    )
    with ExitStack() as stack:
        for component in (store, server):
            stack.callback(component.stop)
            component.start()
        kubeconfig = pki.kubeconfig(ADMIN)
        yield ApiServer(url, kubeconfig, pki.authority.certificate, Kubectl(commands.kubectl(), kubeconfig))
