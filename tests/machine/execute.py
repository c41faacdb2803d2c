"""Short-lived programs: run one, get its output, and see what it wrote when it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class CommandFailedError(Exception):
    """A program ended with an error; the message has its command line and what it wrote."""


def output(
    *argv: str | Path,
    stdin: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Its stdout; raises `CommandFailedError`, with the end of stdout and stderr, when it fails."""
    run = subprocess.run(
        [str(part) for part in argv],
        input=stdin,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        said = "\n".join((run.stdout + run.stderr).strip().splitlines()[-40:])
        raise CommandFailedError(f"`{' '.join(map(str, argv))}` ended with {run.returncode}:\n{said}")
    return run.stdout


def succeeds(*argv: str | Path) -> bool:
    """True when the program ends well; its output is dropped."""
    return subprocess.run([str(part) for part in argv], capture_output=True, check=False).returncode == 0
