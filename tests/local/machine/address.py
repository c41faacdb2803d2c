"""The node's address: a /32 on the loopback interface, shared by the cluster and the local meeting.

An address on `lo` is reachable from pods (their traffic is routed to the host), from the host itself, and from nowhere
else. Either room may come up first: whoever needs the address adds it, and it is not an error when it is there.
"""

from __future__ import annotations

import json
import subprocess

_INTERFACE = "lo"


def present(address: str) -> bool:
    """True when the loopback interface carries `address`."""
    run = subprocess.run(
        ["ip", "-json", "address", "show", "dev", _INTERFACE], capture_output=True, text=True, check=True
    )
    return any(entry.get("local") == address for link in json.loads(run.stdout) for entry in link["addr_info"])


def ensure(address: str) -> bool:
    """Add `address`/32 unless it is there; True when it was added now. Needs root."""
    if present(address):
        return False
    run = subprocess.run(
        ["ip", "address", "add", f"{address}/32", "dev", _INTERFACE], capture_output=True, text=True, check=False
    )
    if run.returncode != 0 and not present(address):  # another process may have added it in between
        raise OSError(f"cannot add {address} to {_INTERFACE}: {run.stderr.strip()}")
    return run.returncode == 0


def remove(address: str) -> bool:
    """Take `address` away; True when it was there."""
    if not present(address):
        return False
    subprocess.run(["ip", "address", "del", f"{address}/32", "dev", _INTERFACE], capture_output=True, check=False)
    return True
