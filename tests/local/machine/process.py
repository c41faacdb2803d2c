"""Long-lived processes that outlive the command that started them, and are found again by the next one.

A process is known by its pid, its start time and the machine's boot: a pid alone is reused, and after a reboot even
pid and start time can agree with a stranger's. Signals go through a pidfd, so they cannot hit a successor either.

If this process dies: between the start of a child and the writing of its record there is a moment in which the child
is known to nobody: `find()` therefore also recognises a process by its exact command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.local.machine.cli_errors import CliError

_POLL_SECONDS = 0.05  # between two looks at a readiness condition; the child's death interrupts the wait


class ProcessFailedError(CliError):
    """A process ended, or did not become ready in time; the message carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process we mean, for as long as the machine runs."""

    pid: int
    started: int  # clock ticks since boot, field 22 of /proc/<pid>/stat
    boot: str  # /proc/sys/kernel/random/boot_id

    def alive(self) -> bool:
        """True while exactly this process runs (a zombie does not)."""
        return self.boot == boot_id() and _stat(self.pid) == self.started


_LONGEST = 400
"""Characters of a log's line that are shown."""

_KILL = (signal.SIGKILL, 10.0)
"""The signal that nothing withstands, and the seconds until its process is gone."""


@dataclass(frozen=True, slots=True)
class Process:
    """One supervised command: how it is started, where it logs, where its record lies.

    `state_dir/<name>.process.json` is the record; with an empty `argv` the process is known by it alone.
    `environment` is added to ours.  The command runs in a session of its own, with `/` as working folder, so nothing of
    the caller (terminal, pipe, folder) holds it or is held by it.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    state_dir: Path
    environment: Mapping[str, str] | None = None

    @property
    def record(self) -> Path:
        """The file that says which process this is."""
        return self.state_dir / f"{self.name}.process.json"

    def find(self) -> Identity | None:
        """The running process, started by whomever; None when it is not running."""
        noted = self._noted()
        if noted is not None and noted[0].alive():
            return noted[0]
        return _by_command_line(self.argv)

    def up_to_date(self) -> bool:
        """True when it runs, with the very command line that we would use."""
        noted = self._noted()
        if noted is not None and noted[0].alive():
            return noted[1] == self.argv
        return _by_command_line(self.argv) is not None

    def start(self) -> bool:
        """Run it unless it runs already; True when it was started now, False when adopted.

        A process of this name with another command line (an older version of the tree) is stopped first.  The log of
        the previous run is kept beside as `<log>.1`.
        """
        found = self.find()
        if found is not None:
            if self.up_to_date():
                os.kill(found.pid, signal.SIGCONT)  # a test that froze it may have been killed before it let it go on
                self._note(found)
                return False
            self.stop()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_name(self.log.name + ".1"))
        with self.log.open("wb") as log:
            child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **(self.environment or {})},
                start_new_session=True,
            )
        self._note(Identity(child.pid, _stat(child.pid) or 0, boot_id()))
        child.returncode = 0  # It is not ours to wait for: it outlives us, and a later command stops it.
        return True

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return as soon as `ready()` holds.

        Raises `ProcessFailedError` at once when the process ends, or after `seconds`.  `ready` may raise `OSError`
        (connection refused, file not there yet); that counts as not ready.
        """
        deadline = time.monotonic() + seconds
        while not _holds(ready):
            found = self.find()
            if found is None:
                raise ProcessFailedError(f"{self.name} ended while starting:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ProcessFailedError(f"{self.name} was not ready after {seconds:g} s:\n{self.log_tail()}")
            _wait_for_end(found, _POLL_SECONDS)

    def stop(self, grace: float = 10) -> bool:
        """SIGTERM, wait up to `grace` seconds for the end, then SIGKILL; True when there was something to stop."""
        found = self.find()
        if found is not None:
            terminate(found, grace)
        self.record.unlink(missing_ok=True)
        return found is not None

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        try:
            return "\n".join(line[:_LONGEST] for line in self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return f"(no log at {self.log})"

    def _noted(self) -> tuple[Identity, tuple[str, ...]] | None:
        try:
            fields = json.loads(self.record.read_text())
            return Identity(fields["pid"], fields["started"], fields["boot"]), tuple(fields["argv"])
        except (FileNotFoundError, ValueError, KeyError):  # absent, or cut short by a kill
            return None

    def _note(self, identity: Identity) -> None:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        fields = {"pid": identity.pid, "started": identity.started, "boot": identity.boot, "argv": self.argv}
        aside = self.record.with_suffix(".new")
        aside.write_text(json.dumps(fields))
        aside.rename(self.record)


def kill(identity: Identity) -> None:
    """End one process by SIGKILL and return when it is gone: until then it would be found, and adopted."""
    _end(identity, (_KILL,))


def terminate(identity: Identity, grace: float = 10) -> None:
    """End one process: SIGTERM, wait for its end up to `grace` seconds, SIGKILL, wait again."""
    _end(identity, ((signal.SIGTERM, grace), _KILL))


def _end(identity: Identity, attempts: Sequence[tuple[signal.Signals, float]]) -> None:
    for number, seconds in attempts:
        try:
            descriptor = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            return
        try:
            if not identity.alive():
                return
            signal.pidfd_send_signal(descriptor, number)
            if _ended(descriptor, seconds):
                return
        except ProcessLookupError:
            return
        finally:
            os.close(descriptor)
            _reap(identity.pid)
    raise ProcessFailedError(f"process {identity.pid} survived SIGKILL")


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None when there is none of that pid."""
    started = _stat(pid)
    return None if started is None else Identity(pid, started, boot_id())


def command_lines() -> Iterator[tuple[int, bytes]]:
    """Process id and command line of each process that runs now; each part of a command line ends with a NUL."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # ended while we looked
            yield int(entry.name), line


def boot_id() -> str:
    """Which boot of the machine this is: a new one after every restart."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _holds(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:
        return False


def _wait_for_end(identity: Identity, seconds: float) -> None:
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return
    try:
        _ended(descriptor, seconds)
    finally:
        os.close(descriptor)


def _ended(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)  # a pidfd becomes readable when its process ends
    return bool(poll.poll(seconds * 1000))


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # another command's child: init reaps it
        os.waitpid(pid, os.WNOHANG)


def _stat(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in "ZX" else int(fields[19])


def _by_command_line(argv: tuple[str, ...]) -> Identity | None:
    if not argv:
        return None  # what has no command line is not ours: a kernel's thread, a process that wiped its own
    wanted = b"".join(part.encode() + b"\0" for part in argv)
    return next((identify(pid) for pid, found in command_lines() if found == wanted), None)
