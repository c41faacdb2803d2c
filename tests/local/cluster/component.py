"""What every part of the cluster is: something with a name that can be started, asked and stopped.

`start` is idempotent and returns only when the part is ready; `stop` removes what `start` made and may be called when
nothing was. Neither may rely on the process that called the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.local.machine.process import Process


class Component(Protocol):
    """One part of the cluster."""

    @property
    def name(self) -> str:
        """How progress and status call it."""

    def start(self) -> str:
        """Make it and wait until it is ready; a word on what happened: `started`, `adopted`."""

    def ready(self) -> bool:
        """True when it does its work now. Never raises `OSError`: what cannot be asked is not ready."""

    def stop(self) -> None:
        """Undo `start`."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A component that is one long-lived process."""

    process: Process
    answers: Callable[[], bool]
    prepare: Callable[[], None] = lambda: None
    patience: float = 60  # seconds until ready; a loaded two-core machine needs several times the usual
    grace: float = 10  # seconds between SIGTERM and SIGKILL

    @property
    def name(self) -> str:
        """The process's name."""
        return self.process.name

    def start(self) -> str:
        """Write its configuration, run it unless it runs, wait until it answers."""
        self.prepare()
        started = self.process.start()
        self.process.wait_ready(self.answers, self.patience)
        return "started" if started else "adopted"

    def ready(self) -> bool:
        """True when the process runs and answers."""
        try:
            return self.process.find() is not None and self.answers()
        except OSError:
            return False

    def stop(self) -> None:
        """End the process."""
        self.process.stop(self.grace)
