"""The cluster's name server: Services by name, and no other name at all.

Debian's dnsmasq with no upstream: whatever is not a Service of this cluster does not exist, at once, and no question
leaves this machine. Beside it a process that watches the Services and writes them into the folder that dnsmasq reads
(it notices by inotify, within milliseconds). A watch, not a list that an installation writes: Services come and go with
every `helm install` and `kubectl apply`, whoever runs them.

If one of the two dies: names are not answered, or stay as they were, until the next `up`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from tests.local.cluster import service_names
from tests.local.cluster.component import Daemon
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.paths import CLUSTER_DOMAIN, DNS_PORT, FIRST_SERVICE_ADDRESS, NODE_ADDRESS, Paths
from tests.local.machine.dns_query import ask
from tests.local.machine.process import Process

_SCRIPT = Path(service_names.__file__)


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """dnsmasq on one address, and the process that tells it of the Services."""

    paths: Paths
    pki: Pki
    address: str = NODE_ADDRESS
    port: int = DNS_PORT
    launcher: tuple[str, ...] = ()
    """Put before both command lines."""
    name: str = field(default="cluster DNS", init=False)

    def start(self) -> str:
        """Run both; ready once the API server's own name is answered."""
        words = [daemon.start() for daemon in (self._names(), self._server())]
        return "started" if "started" in words else "adopted"

    def ready(self) -> bool:
        """True when both run and the API server's own name is answered."""
        return all(daemon.ready() for daemon in (self._names(), self._server()))

    def stop(self) -> None:
        """End both."""
        for daemon in (self._server(), self._names()):
            daemon.stop()

    @property
    def _hosts(self) -> Path:
        return self.paths.dns / "hosts" / "services"

    def _names(self) -> Daemon:
        source = _SCRIPT.read_text()
        # Named by its content: another version is another command line, for which the running one is ended.
        copy = self.paths.dns / f"service-names-{hashlib.sha256(source.encode()).hexdigest()[:12]}.py"
        pair = self.pki.client("dns")
        argv = (
            *self.launcher,
            "python3",
            "-I",
            str(copy),
            f"--server={self.pki.server}",
            f"--domain={CLUSTER_DOMAIN}",
            f"--authority={self.pki.authority.certificate}",
            f"--certificate={pair.certificate}",
            f"--key={pair.key}",
            f"--hosts={self._hosts}",
        )

        def prepare() -> None:
            self._hosts.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(source)

        process = Process("cluster-dns-names", argv, self.paths.logs / "cluster-dns-names.log", self.paths.processes)
        return Daemon(process, self._hosts.is_file, prepare)

    def _server(self) -> Daemon:
        argv = (
            *self.launcher,
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--log-facility=-",
            "--user=nobody",
            "--group=nogroup",
            f"--listen-address={self.address}",
            f"--port={self.port}",
            "--bind-interfaces",  # to that address alone
            "--no-hosts",
            "--no-resolv",
            "--no-poll",
            "--local=/#/",  # every name is ours, so what is in no file does not exist
            "--cache-size=0",
            f"--hostsdir={self._hosts.parent}",
        )
        process = Process("cluster-dns", argv, self.paths.logs / "cluster-dns.log", self.paths.processes)
        return Daemon(process, self._answers)

    def _answers(self) -> bool:
        found = ask(f"kubernetes.default.svc.{CLUSTER_DOMAIN}", self.address, self.port)
        return found.addresses == (FIRST_SERVICE_ADDRESS,)
