"""Child processes of PID 1: started, read, ended and reaped in one place.

PID 1 of a container inherits every orphan of the pod's `bot` container and must collect them, yet must leave its own
children's exit codes to whoever waits for those. Both are decided here, because only here both are known.

If this process dies: in the pod the kernel kills everything in the container with it. The children hold nothing that
their successors need: sockets are replaced, and the recorder's segments lie on the volume.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_KILL_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)

_own: set[int] = set()
_starting = 0
"""How many children are between fork and being known; no reaping in that moment."""


class Child:
    """One running program. Its standard error is kept (the last lines) and logged at debug level."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.stderr_tail: deque[str] = deque(maxlen=60)
        self._asked_to_end = False
        self._reader = asyncio.create_task(self._read_errors(), name=f"{name} stderr")

    @classmethod
    async def start(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        pass_fds: Sequence[int] = (),
        read_output: bool = False,
    ) -> "Child":
        """Start ``argv``; ``environment`` is added to ours. ``read_output``: standard output is ``process.stdout``.

        Raises:
            OSError: the program cannot be started.
        """
        global _starting
        _starting += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if read_output else asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                pass_fds=pass_fds,
            )
            _own.add(process.pid)
        finally:
            _starting -= 1
        _log.debug("started %s as process %d", name, process.pid)
        return cls(name, process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not been seen to end."""
        return self.process.returncode is None

    async def wait(self) -> int:
        """Return its exit code, negative for a signal, after its end and its last line of standard error."""
        code = await self.process.wait()
        _own.discard(self.pid)
        with contextlib.suppress(asyncio.TimeoutError):  # a grandchild may hold the pipe open
            await asyncio.wait_for(asyncio.shield(self._reader), 1)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; without effect once it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def stop(self, grace: float) -> int:
        """Ask it to end (SIGTERM), after ``grace`` seconds make it (SIGKILL); return its exit code.

        It is asked once, however often this is called: ffmpeg takes a second SIGTERM for "now", and leaves its file
        as it is.
        """
        if not self._asked_to_end:
            self._asked_to_end = True
            self.signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.wait(), grace)
        except TimeoutError:
            return await self.kill()

    async def kill(self, seconds: float = _KILL_SECONDS) -> int:
        """End it at once; return its exit code.

        A process that waits for a volume that does not answer cannot die before it does: after ``seconds`` it is left
        to the kernel, which ends it as soon as it can, and the code is that of a killed process.
        """
        self.signal(signal.SIGKILL)
        try:
            return await asyncio.wait_for(asyncio.shield(self.wait()), seconds)
        except TimeoutError:
            _log.warning("%s (process %d) cannot be killed yet: it waits for the volume", self.name, self.pid)
            return -signal.SIGKILL

    async def _read_errors(self) -> None:
        if self.process.stderr is None:
            return
        try:
            async for raw in self.process.stderr:
                line = raw.decode(errors="replace").rstrip()
                self.stderr_tail.append(line)
                _log.debug("%s: %s", self.name, line)
        except ValueError:  # a line longer than the reader's limit; what is left of it is of no use either
            self.stderr_tail.append("(a line that is too long)")


async def run(
    name: str,
    argv: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> tuple[int, str, list[str]]:
    """Run a program to its end: exit code, standard output, last lines of standard error.

    It is killed when this is cancelled, and after ``seconds``.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it took longer.
    """
    child = await Child.start(name, argv, folder=folder, environment=environment, read_output=True)
    try:
        async with asyncio.timeout(seconds):
            output = await child.process.stdout.read() if child.process.stdout else b""
            return await child.wait(), output.decode(errors="replace"), list(child.stderr_tail)
    finally:
        if child.alive:
            await child.kill()


def reap_orphans() -> list[int]:
    """Collect zombies that are nobody's here; return their pids. For PID 1, upon SIGCHLD and now and then."""
    if _starting:
        return []
    reaped = []
    for pid in _zombie_children():
        if pid not in _own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
                reaped.append(pid)
    return reaped


def _zombie_children() -> list[int]:
    # Not /proc/self/task/*/children: many kernels are built without it.
    pids: list[int] = []
    ours = str(os.getpid())
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = (entry / "stat").read_text()
                state, parent = text[text.rindex(")") + 2 :].split()[:2]
                if state == "Z" and parent == ours:
                    pids.append(int(entry.name))
    return pids
