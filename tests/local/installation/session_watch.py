"""Follows a session as a user would, with `kubectl get --watch`, and keeps what it said."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.local.cluster.kubectl import Kubectl
from tests.local.machine.cli_errors import CliError

TERMINAL = ("Completed", "Failed")


class SessionEndedEarlyError(CliError):
    """The session did not get where it should in time."""


@dataclass
class SessionWatch:
    """The lines of one watch, the header first, each with the second at which it came."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, seconds: float, line: str) -> None:
        """Note a line and wake whoever waits."""
        with self._changed:
            self.lines.append((seconds, line))
            self._changed.notify_all()

    @property
    def phases(self) -> list[str]:
        """Phases in the order in which they were first seen."""
        seen = (line.split()[1] for _, line in self.lines[1:] if len(line.split()) > 2)
        return list(dict.fromkeys(phase for phase in seen if phase[0].isupper()))

    def wait_for(self, phases: tuple[str, ...], seconds: float) -> str:
        """Wait until one of ``phases`` was seen; returns it.

        Raises:
            SessionEndedEarlyError: the session ended otherwise, or nothing of the kind came within ``seconds``.
        """
        wanted = (*phases, *TERMINAL)

        def arrived() -> bool:
            return any(phase in wanted for phase in self.phases)

        with self._changed:
            self._changed.wait_for(arrived, seconds)
        found = next((phase for phase in reversed(self.phases) if phase in wanted), None)
        if found not in phases:
            raise SessionEndedEarlyError(f"waited {seconds:.0f} s for {' or '.join(phases)}; saw {self.phases}")
        return found


@contextmanager
def followed(kubectl: Kubectl, name: str, show: Callable[[float, str], None]) -> Iterator[SessionWatch]:
    """Watch a session of kubectl's namespace while the block runs; ``show`` gets each line as it comes."""
    watch = SessionWatch()
    began = time.monotonic()
    selected = f"--field-selector=metadata.name={name}"  # a watch by name wants the object to be there already
    argv = kubectl.argv("get", "meetingsessions", selected, "--watch", "--output=wide")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            watch.add(time.monotonic() - began, line.rstrip())
            show(time.monotonic() - began, line.rstrip())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield watch
    finally:
        process.terminate()
        process.wait()
        reader.join()
