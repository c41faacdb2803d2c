"""What pods may reach: each other, the API server, the cluster's DNS, the local meeting; nothing else here, or beyond.

Own chains, hooked in before everybody else's: kube-proxy accepts what it marked, so a Service with a foreign endpoint
would otherwise lead out. (It is refused, but the pod does not notice and runs into its time-out: the reset carries
the endpoint's address, not the Service's.) Replies to what the node itself began (the kubelet's probes, the tests)
pass. What nobody translated of the service range is refused at once instead of leaving the machine.

Nobody from outside the machine reaches the node's address or the pods.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.local.cluster.host_changes import HostChanges
from tests.local.cluster.paths import (
    BRIDGE,
    DNS_PORT,
    MEETING_MEDIA_PORT,
    MEETING_TLS_PORT,
    NODE_ADDRESS,
    PLATFORM_SITES_PORT,
    POD_CIDR,
    SERVICE_CIDR,
    Ports,
)
from tests.local.machine.execute import output, succeeds

_CHAINS = {"FORWARD": "MB-FORWARD", "INPUT": "MB-INPUT", "OUTPUT": "MB-OUTPUT"}
_KNOWN = "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"


@dataclass(frozen=True, slots=True)
class Firewall:
    """The chains and their hooks."""

    host_changes: HostChanges
    ports: Ports
    name: str = field(default="firewall", init=False)

    def rules(self) -> dict[str, list[str]]:
        """Chain → its rules, in order; what no rule names goes on to the machine's own rules."""
        media = MEETING_MEDIA_PORT
        served = f"{self.ports.api},{DNS_PORT},{MEETING_TLS_PORT},{PLATFORM_SITES_PORT}"
        return {
            "MB-FORWARD": [
                *_refuse(f"-d {SERVICE_CIDR}"),
                f"-i {BRIDGE} -o {BRIDGE} -s {POD_CIDR} -d {POD_CIDR} -j ACCEPT",
                *_refuse(f"-i {BRIDGE}"),
                *_refuse(f"-o {BRIDGE}"),
            ],
            "MB-INPUT": [
                f"-i {BRIDGE} {_KNOWN}",
                f"-i {BRIDGE} -s {POD_CIDR} -d {NODE_ADDRESS} -p tcp -m multiport --dports {served} -j ACCEPT",
                f"-i {BRIDGE} -s {POD_CIDR} -d {NODE_ADDRESS} -p udp --dport {media} -j ACCEPT",
                f"-i {BRIDGE} -s {POD_CIDR} -d {NODE_ADDRESS} -p udp --dport {DNS_PORT} -j ACCEPT",
                *_refuse(f"-i {BRIDGE}"),
                *_refuse(f"! -i lo -d {NODE_ADDRESS}"),
            ],
            "MB-OUTPUT": _refuse(f"-d {SERVICE_CIDR}"),
        }

    def start(self) -> str:
        """Write the chains in one stroke, then hook them in first."""
        if self.ready():
            return "adopted"
        for chain in _CHAINS.values():
            self.host_changes.note("chain", chain)
        lines = ["*filter", *(f":{chain} - [0:0]" for chain in _CHAINS.values())]
        lines += [f"-A {chain} {rule}" for chain, rules in self.rules().items() for rule in rules]
        output("iptables-restore", "--wait", "--noflush", stdin="\n".join([*lines, "COMMIT", ""]))
        for builtin, chain in _CHAINS.items():
            if not _first(builtin, chain):
                output("iptables", "--wait", "--insert", builtin, "1", "--jump", chain)
                _remove_hooks(builtin, chain, keep=1)
        return "written"

    def ready(self) -> bool:
        """True when every chain has its rules and stands first."""
        whole = all(
            _count(chain) == len(rules) and all(_has(chain, rule) for rule in rules)
            for chain, rules in self.rules().items()
        )
        return whole and all(_first(builtin, chain) for builtin, chain in _CHAINS.items())

    def stop(self) -> None:
        """Unhook and remove the chains."""
        for builtin, chain in _CHAINS.items():
            if chain in self.host_changes.things("chain"):
                _remove_hooks(builtin, chain, keep=0)
                succeeds("iptables", "--wait", "--flush", chain)
                succeeds("iptables", "--wait", "--delete-chain", chain)
                self.host_changes.forget("chain", chain)


def _refuse(what: str) -> list[str]:
    """Rules that refuse `what` at once: TCP by a reset, since the kernel limits the rate of the other refusal."""
    return [f"{what} -p tcp -j REJECT --reject-with tcp-reset", f"{what} -j REJECT"]


def _rules_of(chain: str) -> list[str]:
    if not succeeds("iptables", "--wait", "--numeric", "--list", chain):
        return []
    return [line for line in output("iptables", "--wait", "--list-rules", chain).splitlines() if line.startswith("-A")]


def _count(chain: str) -> int:
    return len(_rules_of(chain))


def _has(chain: str, rule: str) -> bool:
    return succeeds("iptables", "--wait", "--check", chain, *rule.split())


def _first(builtin: str, chain: str) -> bool:
    return _rules_of(builtin)[:1] == [f"-A {builtin} -j {chain}"]


def _remove_hooks(builtin: str, chain: str, *, keep: int) -> None:
    """Delete hooks from the end until `keep` are left, so that the first one never misses."""
    hooks = [number for number, rule in enumerate(_rules_of(builtin), 1) if rule == f"-A {builtin} -j {chain}"]
    for number in reversed(hooks[keep:]):
        output("iptables", "--wait", "--delete", builtin, str(number))
