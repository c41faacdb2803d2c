"""`python -m tests.local.api_clients`: fetch what generated clients need, before any test's time-out runs."""

from __future__ import annotations

from tests.local.api_clients import tools
from tests.local.machine import cli_errors
from tests.local.machine.progress import step


def main() -> int:
    """Fetch it; 0 when it is there."""
    with step("generated clients"):
        tools.python()
        tools.typescript()
    return 0


if __name__ == "__main__":
    cli_errors.run(main)
