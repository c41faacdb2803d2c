"""LiveKit's own server, built from its pinned Go module, with nothing of it reachable but what the meeting needs.

Signalling is plain HTTP on 127.0.0.1 (nginx forwards to it); all media is one UDP port of the node's address,
which pods and this machine reach. It asks no STUN server, and offers the clients one that does not exist: with neither
STUN nor TURN configured LiveKit would hand out public ones.
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from tests.local.machine import go
from tests.local.machine.cache import cached, digest
from tests.local.machine.process import Process
from tests.local.meetings import priority
from tests.local.meetings.livekit import keys
from tests.local.meetings.livekit.paths import ADDRESS, MEDIA_PORT, SIGNAL_PORT, Paths

MODULE = Path(__file__).parent / "server"
COMMAND = "github.com/livekit/livekit-server/cmd/server"
SELDOM_RUN = (
    "github.com/goccy/go-json/...",
    "github.com/google/cel-go/...",
    "github.com/livekit/protocol/...",
    "github.com/nats-io/...",
    "github.com/olekukonko/...",
    "github.com/redis/...",
    "github.com/urfave/...",
)
"""None of these carries media: a forwarder that is not optimised is heard in the recording."""


def build_inputs() -> list[str | Path]:
    """What the binary is made of; the Go version is part of go.mod."""
    return [MODULE / "go.mod", MODULE / "go.sum", COMMAND, *SELDOM_RUN, *go.SETTINGS]


def binary() -> Path:
    """livekit-server; built at the first call (about a minute on two cores)."""

    def build(folder: Path) -> None:
        go.build(folder / "livekit-server", COMMAND, module=MODULE, seldom_run=SELDOM_RUN)

    return cached("livekit-server", build_inputs(), build) / "livekit-server"


def configuration(key_file: Path) -> dict[str, object]:
    """LiveKit's configuration, as it reads it (JSON is YAML)."""
    return {
        "port": SIGNAL_PORT,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "udp_port": MEDIA_PORT,
            "tcp_port": 0,  # any other number listens on every interface, whatever bind_addresses says
            "use_external_ip": False,
            "node_ip": ADDRESS,
            "enable_loopback_candidate": True,  # the node's address lies on `lo`
            "ips": {"includes": [f"{ADDRESS}/32"]},
            # Nobody listens there, and it must not be the media port: libwebrtc takes every packet from a STUN
            # server's address for a STUN reply, and then no client connects.
            "stun_servers": ["127.0.0.1:3478"],
        },
        "key_file": str(key_file),
        "logging": {"level": "info", "json": False},
        "room": {"empty_timeout": 60, "departure_timeout": 5},
    }


def process(paths: Paths) -> Process:
    """The server's process. Its configuration's hash is in its file name, so that a change restarts it."""
    path = _configuration_file(paths)
    return Process(
        name="livekit-server",
        argv=(*priority.ARGV, str(binary()), "--config", str(path)),
        log=paths.logs / "livekit-server.log",
        state_dir=paths.processes,
    )


def prepare(paths: Paths) -> None:
    """Write configuration and, unless the server is running with its key, a new key."""
    paths.server.mkdir(parents=True, exist_ok=True)
    _configuration_file(paths).write_text(json.dumps(configuration(paths.keys), indent=2))
    if not (paths.keys.is_file() and process(paths).up_to_date()):
        keys.create(paths.keys)


def answers() -> bool:
    """True when the server says OK. Raises `OSError` when it cannot be reached within two seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{SIGNAL_PORT}/", timeout=2) as response:
        return bool(response.read() == b"OK")


def _configuration_file(paths: Paths) -> Path:
    return paths.server / f"livekit-{digest([json.dumps(configuration(paths.keys))])}.yaml"
