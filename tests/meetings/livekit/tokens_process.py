"""Runs the token endpoint as a process of its own.

What happens if this process dies here? The endpoint runs on by itself; the next `up` finds and adopts it.
"""

from __future__ import annotations

import sys
import urllib.request

from tests.clone import REPOSITORY
from tests.machine.process import Process
from tests.meetings.livekit.places import ORIGIN, TOKEN_PORT, Places


def process(places: Places) -> Process:
    """The endpoint's process; what it signs with is read anew for each request."""
    module = "tests.meetings.livekit.tokens"
    return Process(
        name="token-endpoint",
        argv=(sys.executable, "-m", module, str(places.keys), str(TOKEN_PORT), ORIGIN.replace("https", "wss")),
        log=places.logs / "token-endpoint.log",
        state_dir=places.processes,
        environment={"PYTHONPATH": str(REPOSITORY)},
    )


def answers() -> bool:
    """True when it serves. Raises `OSError` when it cannot be reached within two seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{TOKEN_PORT}/healthz", timeout=2) as response:
        return bool(response.status == 200)
