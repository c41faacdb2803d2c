"""Runs the token endpoint as a process of its own."""

from __future__ import annotations

import sys
import urllib.request

from tests.local.clone import REPOSITORY
from tests.local.machine.process import Process
from tests.local.meetings.livekit.paths import ORIGIN, TOKEN_PORT, Paths


def process(paths: Paths) -> Process:
    """The endpoint's process; what it signs with is read anew for each request."""
    module = "tests.local.meetings.livekit.tokens"
    return Process(
        name="token-endpoint",
        argv=(sys.executable, "-m", module, str(paths.keys), str(TOKEN_PORT), ORIGIN.replace("https", "wss")),
        log=paths.logs / "token-endpoint.log",
        state_dir=paths.processes,
        environment={"PYTHONPATH": str(REPOSITORY)},
    )


def answers() -> bool:
    """True when it serves. Raises `OSError` when it cannot be reached within two seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{TOKEN_PORT}/healthz", timeout=2) as response:
        return bool(response.status == 200)
