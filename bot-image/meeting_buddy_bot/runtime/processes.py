"""Child processes of the bot: started, read and ended in one place. Orphans are the business of tini, which is PID 1.

If this process dies: in the pod the kernel kills everything in the container with it. The children hold nothing that
their successors need: sockets are replaced, and the recorder's segments lie on the volume.
"""

import asyncio
import contextlib
import errno
import logging
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_KILL_SECONDS: Final = 5.0
_ERRORS_SECONDS: Final = 1.0
"""After a program's end, for the rest of what it wrote."""
_OUTPUT: Final = 1
_CHUNK: Final = 2**16
_LONGEST_LINE: Final = 4096
"""Bytes of a line of standard error that are kept."""

_log = logging.getLogger(__name__)


class _Streams(asyncio.subprocess.SubprocessStreamProtocol):
    """Says that the process has ended, whoever still holds its pipes; asyncio's own ``wait`` waits for these, too."""

    def __init__(self, line_bytes: int) -> None:
        super().__init__(limit=line_bytes, loop=asyncio.get_running_loop())
        self.exited = asyncio.Event()
        self.output_ended = asyncio.Event()
        """Set once nobody holds its standard output, and all of that was taken out of the pipe."""
        self._made: asyncio.SubprocessTransport | None = None
        self._abandoned = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if isinstance(transport, asyncio.SubprocessTransport):
            self._made = transport
        if self._abandoned:
            transport.close()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        super().pipe_connection_lost(fd, exc)
        if fd == _OUTPUT:
            self.output_ended.set()

    def abandon(self) -> None:
        """Kill the process as soon as there is one: nobody will own it."""
        self._abandoned = True
        if self._made is not None:
            self._made.close()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class Child:
    """One running program. Its standard error is kept (the last lines) and logged at debug level."""

    def __init__(self, name: str, transport: asyncio.SubprocessTransport, streams: _Streams) -> None:
        self.name = name
        self.process = asyncio.subprocess.Process(transport, streams, asyncio.get_running_loop())
        self._transport = transport
        self._streams = streams
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
        write_input: bool = False,
        line_bytes: int = 2**16,
    ) -> "Child":
        """Start ``argv``; ``environment`` is added to ours.

        ``read_output``: standard output is ``process.stdout``, with lines of at most ``line_bytes``; ``write_input``:
        standard input is ``process.stdin``.

        Raises:
            OSError: the program cannot be started.
        """
        streams = _Streams(line_bytes)
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: streams,
                *argv,
                stdin=asyncio.subprocess.PIPE if write_input else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if read_output else asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                pass_fds=pass_fds,
            )
        except RuntimeError as error:  # it runs, and the thread that waits for its end is one more than may be
            streams.abandon()
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        child = cls(name, transport, streams)
        _log.debug("started %s as process %d", name, child.pid)
        return child

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
        await self._streams.exited.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ERRORS_SECONDS):
                await asyncio.wait({self._reader})
                if self.process.stdout is not None:
                    await self._streams.output_ended.wait()
                return self.process.returncode or 0
        self._transport.close()  # a grandchild holds the pipes open
        return self.process.returncode or 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; without effect once it has ended."""
        # Not by `Popen`, which asks first whether it ended: the thread that waits for its end would learn no exit code.
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def stop(self, grace: float) -> int:
        """Ask it to end (SIGTERM), after ``grace`` seconds make it (SIGKILL); return its exit code.

        It is asked once, however often this is called: ffmpeg takes a second SIGTERM for "now", and leaves its file
        as it is.
        """
        if not self._asked_to_end:
            self._asked_to_end = True
            self.signal(signal.SIGTERM)
        # Not `wait_for`: until Python 3.12 it takes a cancellation that comes with the end for the end alone.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                return await self.wait()
        return await self.kill()

    async def kill(self, seconds: float = _KILL_SECONDS) -> int:
        """End it at once; return its exit code.

        A process that waits for a volume that does not answer cannot die before it does: after ``seconds`` it is left
        to the kernel, which ends it as soon as it can, and the code is that of a killed process.
        """
        self.signal(signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self.wait())
        _log.warning("%s (process %d) cannot be killed yet: it waits for the volume", self.name, self.pid)
        return -signal.SIGKILL

    async def _read_errors(self) -> None:
        if self.process.stderr is None:
            return
        rest = b""
        while chunk := await self.process.stderr.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[: _LONGEST_LINE + 1]
            for line in lines:
                self._keep(line)
        if rest:
            self._keep(rest)

    def _keep(self, raw: bytes) -> None:
        line = raw[:_LONGEST_LINE].decode(errors="replace").rstrip()
        if len(raw) > _LONGEST_LINE:
            line += " (cut)"
        self.stderr_tail.append(line)
        _log.debug("%s: %s", self.name, line)


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
