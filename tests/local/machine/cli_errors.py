"""Errors whose text is meant for the person at the terminal: commands print it instead of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from tests.local.machine import direct


class CliError(Exception):
    """`str(error)` says what is wrong and what to do, or where to look."""


def run(command: Callable[[], int]) -> NoReturn:
    """End this process with the command's exit status; 1, with the explanation on stderr, when it raises one."""
    direct.spare()
    try:
        sys.exit(command())
    except CliError as error:
        print(f"\n{error}", file=sys.stderr)
        sys.exit(1)
