"""kube-proxy: service addresses lead to pods."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.local.cluster import commands
from tests.local.cluster.component import Daemon
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.host_changes import HostChanges
from tests.local.cluster.paths import NODE_NAME, POD_CIDR, Paths
from tests.local.machine.execute import output
from tests.local.machine.http_check import answers_ok
from tests.local.machine.process import Process

_HEALTH = "127.0.0.1:10256"
_TABLES = ("filter", "nat", "mangle")


@dataclass(frozen=True, slots=True)
class Proxy:
    """kube-proxy and its rules."""

    paths: Paths
    pki: Pki
    host_changes: HostChanges

    @property
    def name(self) -> str:
        """Its name."""
        return "kube-proxy"

    def start(self) -> str:
        """Run it; ready once its first rules are written."""
        self.host_changes.note("service rules", "KUBE-*")
        return self._daemon().start()

    def ready(self) -> bool:
        """True when it says that its rules are current."""
        return self._daemon().ready()

    def stop(self) -> None:
        """End it and remove its rules: by its own command, then the chains that this leaves."""
        self._daemon().stop()
        if self.host_changes.things("service rules"):
            if self._program.exists():
                subprocess.run([self._program, "--cleanup"], capture_output=True, check=False)
            for table in _TABLES:
                _remove_chains(table)
            self.host_changes.forget("service rules", "KUBE-*")

    @property
    def _program(self) -> Path:
        return commands.kubernetes_command("kube-proxy")

    def _daemon(self) -> Daemon:
        argv = (
            str(self._program),
            f"--kubeconfig={self.pki.kubeconfig('proxy')}",
            f"--hostname-override={NODE_NAME}",
            f"--cluster-cidr={POD_CIDR}",
            "--proxy-mode=iptables",
            # Two pods on one bridge answer each other directly; only a rewritten source brings replies back this way.
            "--masquerade-all=true",
            # The machine's own limits and loopback routing stay as they are.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
            "--iptables-localhost-nodeports=false",
            f"--healthz-bind-address={_HEALTH}",
            "--metrics-bind-address=127.0.0.1:10249",
        )
        process = Process("kube-proxy", argv, self.paths.logs / "kube-proxy.log", self.paths.processes)
        return Daemon(process, lambda: answers_ok(f"http://{_HEALTH}/healthz"))


def _remove_chains(table: str) -> None:
    """Remove every KUBE- chain of `table` and the rules that jump there."""
    saved = output("iptables", "--wait", "--table", table, "--list-rules").splitlines()
    chains = [line.split()[1] for line in saved if line.startswith("-N KUBE-")]
    if not chains:
        return
    jumps = [
        line for line in saved if line.startswith("-A ") and not line.startswith("-A KUBE-") and "-j KUBE-" in line
    ]
    lines = [f"*{table}", *(f":{chain} - [0:0]" for chain in chains)]  # naming a chain empties it
    lines += [line.replace("-A ", "-D ", 1) for line in jumps]
    lines += [f"-X {chain}" for chain in chains]
    output("iptables-restore", "--wait", "--noflush", stdin="\n".join([*lines, "COMMIT", ""]))
