"""Programs that end by themselves: run one, get its output, and see what it wrote when it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.local.machine import cache, progress
from tests.local.machine.cli_errors import CliError


class CommandFailedError(CliError):
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
        raise _failed(argv, run.returncode, run.stdout + run.stderr)
    return run.stdout


def narrated(
    *argv: str | Path,
    log: str,
    meaning: Callable[[str], str | None] = str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program that takes minutes: what it writes goes to a log, how far it is to the step at work.

    Args:
        argv: the command line.
        log: name of the log, in `<cache>/logs`.
        meaning: what a line says to somebody who waits; `None` for a line that says nothing.
        folder: where it runs.
        environment: added to ours.

    Raises:
        CommandFailedError: it ended with an error; the message has the end of what it wrote, and the log's path.
    """
    path = cache.root() / "logs" / f"{log}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("w") as file,
        subprocess.Popen(
            [str(part) for part in argv],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        for line in process.stdout or ():
            file.write(line)
            text = meaning(line.strip())
            if text:
                progress.tell(text)
    if process.returncode != 0:
        raise _failed(argv, process.returncode, path.read_text(), f"; see {path}")


def succeeds(*argv: str | Path) -> bool:
    """True when the program ends well; its output is dropped."""
    return subprocess.run([str(part) for part in argv], capture_output=True, check=False).returncode == 0


def _failed(argv: Sequence[str | Path], code: int, said: str, where: str = "") -> CommandFailedError:
    tail = "\n".join(said.strip().splitlines()[-40:])
    return CommandFailedError(f"`{' '.join(map(str, argv))}` ended with {code}{where}:\n{tail}")
