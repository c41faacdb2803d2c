"""What display and sound have in common: one process each, ready when it answers, restarted by their supervision.

If this process dies: a device dies with PID 1. The socket that it leaves behind is removed or replaced at the next
start, because the sockets' folders are shared with the browser and outlive the process.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.support.causes import WordedError

_log = logging.getLogger(__name__)

_START_SECONDS = 15.0
"""Until a device answers; measured 0.1-0.7 s on two idle cores, several seconds on starved ones."""
_STOP_SECONDS = 3.0
_POLL_SECONDS = 0.02
"""Between two tries of a socket that does not answer yet; a kernel does not say when another process listens."""


class DeviceError(WordedError):
    """A device did not come up; the message says which and carries its last lines."""


class Device(ABC):
    """Async context manager that owns exactly one process."""

    name: str

    def __init__(self) -> None:
        self._child: Child | None = None
        self._answering = asyncio.Event()
        self.starts = 0

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except DeviceError as error:
            _log.error("%s; it is started once more", error)
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def answering(self) -> bool:
        """Whether it answered after its last start and has not ended since."""
        return self._answering.is_set() and self.pid is not None

    async def wait_answering(self) -> None:
        """Return while the device can be used; waits through a restart."""
        await self._answering.wait()

    async def start(self) -> None:
        """Start the process and return when it answers.

        Raises:
            DeviceError: it ended or did not answer in time.
        """
        self.starts += 1
        try:
            self._prepare()
            child = self._child = await Child.start(self.name, self._argv(), environment=self._environment())
        except OSError as error:
            raise DeviceError(f"{self.name} cannot be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self.responds():
                    if not child.alive:
                        raise DeviceError(f"{self.name} ended at its start: {_tail(child)}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            await child.kill()
            raise DeviceError(f"{self.name} did not answer in {_START_SECONDS:.0f} s: {_tail(child)}") from None
        self._answering.set()
        _log.info("%s answers (process %d)", self.name, child.pid)

    async def wait_ended(self) -> int:
        """Return the exit code when the process has ended, whatever ended it."""
        if self._child is None:
            return 0
        code = await self._child.wait()
        self._answering.clear()
        return code

    async def stop(self) -> None:
        """End the process, if it lives."""
        self._answering.clear()
        if self._child is not None and self._child.alive:
            await self._child.stop(_STOP_SECONDS)

    async def kill(self) -> None:
        """End a process that no longer does its work; :meth:`wait_ended` returns."""
        self._answering.clear()
        if self._child is not None and self._child.alive:
            await self._child.kill()

    @abstractmethod
    def _argv(self) -> list[str]: ...

    def _environment(self) -> Mapping[str, str]:
        return {}

    @abstractmethod
    def _prepare(self) -> None:
        """Clear what an earlier, killed process left."""

    @abstractmethod
    async def responds(self) -> bool:
        """Whether it answers right now; within a few seconds, even if it hangs."""


async def socket_accepts(path: str) -> bool:
    """Whether a server accepts a connection on a Unix socket."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _tail(child: Child) -> str:
    return " / ".join(list(child.stderr_tail)[-3:]) or "without a word"
