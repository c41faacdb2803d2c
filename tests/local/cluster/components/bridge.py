"""The pods' network: a bridge of our own, and the CNI configuration that plugs pods into it.

The bridge is made here and not by the first pod, because it has to exist without IPv6: over link-local addresses pods
would reach every server of this machine past the firewall's IPv4 rules. No masquerading: pods have no business beyond
this machine, and so no rule of theirs is left anywhere.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, field
from pathlib import Path

from tests.local.cluster.host_changes import HostChanges
from tests.local.cluster.paths import BRIDGE, POD_CIDR, Paths
from tests.local.machine.execute import output, succeeds

_NETWORK = "meeting-buddy"
_GATEWAY = str(next(ipaddress.ip_network(POD_CIDR).hosts()))
_RESULTS = Path("/var/lib/cni/results")  # the CNI library's own cache, one file per pod


@dataclass(frozen=True, slots=True)
class Bridge:
    """`BRIDGE` with the gateway's address, and `<root>/cni/net.d`."""

    paths: Paths
    host_changes: HostChanges
    name: str = field(default="pod network", init=False)

    @property
    def configuration(self) -> Path:
        """The folder that containerd reads."""
        return self.paths.cni / "net.d"

    def start(self) -> str:
        """Make bridge and configuration unless they are there."""
        self.configuration.mkdir(parents=True, exist_ok=True)
        (self.configuration / "10-meeting-buddy.conflist").write_text(json.dumps(self._conflist(), indent=1))
        if self.ready():
            return "adopted"
        self.host_changes.note("bridge", BRIDGE)
        if not _exists(BRIDGE):
            output("ip", "link", "add", BRIDGE, "type", "bridge")
        Path(f"/proc/sys/net/ipv6/conf/{BRIDGE}/disable_ipv6").write_text("1")
        prefix = ipaddress.ip_network(POD_CIDR).prefixlen
        succeeds("ip", "address", "add", f"{_GATEWAY}/{prefix}", "dev", BRIDGE)
        output("ip", "link", "set", BRIDGE, "up")
        return "made"

    def ready(self) -> bool:
        """True when the bridge is up, has the gateway's address and no IPv6."""
        if not _exists(BRIDGE):
            return False
        addresses = output("ip", "-oneline", "address", "show", "dev", BRIDGE, "up")
        return f" {_GATEWAY}/" in addresses and "inet6" not in addresses

    def stop(self) -> None:
        """Remove the bridge, the pods' ends of it, and what the CNI library noted about them."""
        for bridge in self.host_changes.things("bridge"):
            if _exists(bridge):
                for port in json.loads(output("ip", "-json", "link", "show", "master", bridge)):
                    succeeds("ip", "link", "delete", port["ifname"])
                output("ip", "link", "delete", bridge)
            self.host_changes.forget("bridge", bridge)
        for result in _RESULTS.glob(f"{_NETWORK}-*"):
            result.unlink()

    def _conflist(self) -> dict[str, object]:
        addresses = {
            "type": "host-local",
            "ranges": [[{"subnet": POD_CIDR, "gateway": _GATEWAY}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(self.paths.cni / "leases"),
        }
        plugin = {
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,  # a pod may reach itself through its service
            "ipam": addresses,
        }
        return {"cniVersion": "0.4.0", "name": _NETWORK, "plugins": [plugin]}


def _exists(link: str) -> bool:
    return succeeds("ip", "link", "show", "dev", link)
