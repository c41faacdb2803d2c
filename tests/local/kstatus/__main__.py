"""`python -m tests.local.kstatus`: build the program that asks the library, before any test's time-out runs."""

from __future__ import annotations

from tests.local.kstatus import library
from tests.local.machine import cli_errors
from tests.local.machine.progress import step


def main() -> int:
    """Build it; 0 when it is there."""
    with step("kstatus"):
        library.program()
    return 0


if __name__ == "__main__":
    cli_errors.run(main)
