"""Where the local meeting keeps its things, and which names, addresses and ports it uses.

Outside every clone, like the cluster: there is one local meeting per machine, and a second clone adopts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.local.cluster.paths import MEETING_MEDIA_PORT, MEETING_TLS_PORT, NODE_ADDRESS
from tests.local.machine.paths import Root

HOST = "meet.buddy.test"
ADDRESS = NODE_ADDRESS
TLS_PORT = MEETING_TLS_PORT
MEDIA_PORT = MEETING_MEDIA_PORT
SIGNAL_PORT = 7880  # LiveKit's HTTP and WebSocket, on 127.0.0.1 only; nginx is the way in
TOKEN_PORT = 7890  # the token endpoint, on 127.0.0.1 only
ORIGIN = f"https://{HOST}:{TLS_PORT}"


@dataclass(frozen=True, slots=True)
class Paths(Root):
    """The meeting's folders."""

    @property
    def authority(self) -> Path:
        """The certificate a browser has to trust."""
        return self.root / "ca.crt"

    @property
    def server(self) -> Path:
        """LiveKit's configuration and keys."""
        return self.root / "server"

    @property
    def keys(self) -> Path:
        """LiveKit's API key and secret, as its `key_file`: whoever reads it can enter and end every room."""
        return self.server / "keys.yaml"

    @property
    def nginx(self) -> Path:
        """nginx's prefix: configuration, temporary files, the page."""
        return self.root / "front"

    @property
    def rooms(self) -> Path:
        """What was spoken, one folder per room."""
        return self.root / "rooms"

    @property
    def address_mark(self) -> Path:
        """Present when it was the meeting that added the node's address."""
        return self.root / "address.added"


HERE = Paths(Path("/var/lib/meeting-buddy/meeting"))
"""The one local meeting of this machine."""
