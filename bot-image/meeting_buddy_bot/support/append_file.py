"""A file that only grows, line by line, written by a thread of its own.

Whoever appends never waits for the volume. A volume that hangs, or that refuses a line (full), delays the lines behind
it and keeps their order; they are written once it takes them. A line that it does not make durable is in the file
twice, one after the other. If this process dies, what is still queued is lost, and at most the last line of the file is
cut.
"""

import asyncio
import errno
import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

MAX_LINES: Final = 20_000
"""Lines that may wait for the volume: an hour of a busy meeting's events."""

_log = logging.getLogger(__name__)

_Flushed = Callable[[bool], None]


class AppendFile:
    """Appends lines to ``path``; the file and the thread come with the first line."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        """``durable``: each line is fsynced before it counts as written."""
        self._path = path
        self._durable = durable
        self._queue: queue.SimpleQueue[bytes | _Flushed | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._descriptor: int | None = None
        self._unwritten: deque[bytes] = deque()
        self._begun = False
        """Whether the first that is unwritten may be in the file already, as a whole or in part."""

    def append(self, line: bytes) -> bool:
        """Queue one line, without its end; False when too many wait and it was dropped."""
        if self._queue.qsize() + len(self._unwritten) >= MAX_LINES:
            return False
        self._queue.put(line + b"\n")
        self._ensure_thread()
        return True

    async def flush(self, seconds: float) -> bool:
        """Wait until all that was appended is in the file; False when the volume did not take it in time."""
        if self._thread is None and self._queue.empty() and not self._unwritten:
            return True
        if not self._ensure_thread():
            return False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()

        def answer(written: bool) -> None:
            if not future.done():
                future.set_result(written)

        def flushed(written: bool) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(answer, written)

        self._queue.put(flushed)
        await asyncio.wait({future}, timeout=seconds)
        return future.done() and future.result()

    async def close(self, seconds: float) -> bool:
        """Flush, then end the thread; a later line starts another one.

        A thread that still has lines stays with them: two would write the same ones.
        """
        written = await self.flush(seconds)
        if written and self._thread is not None:
            self._queue.put(None)
            self._thread = None
        return written

    def _ensure_thread(self) -> bool:
        """Whether there is a thread; where the container may start no more, a later line or flush tries again."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=f"append {self._path.name}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def _work(self) -> None:
        refused = False
        while (item := self._queue.get()) is not None:
            if isinstance(item, bytes):
                self._unwritten.append(item)
            try:
                while self._unwritten:
                    self._write_first()
                    self._unwritten.popleft()
                refused = False
            except OSError as error:
                if not refused:
                    _log.error("%s cannot be written: %s", self._path.name, error.strerror)
                refused = True
                self._reopen()
            if not isinstance(item, bytes):
                item(not self._unwritten)
        self._reopen()

    def _write_first(self) -> None:
        line = self._unwritten[0]
        if self._descriptor is None:
            self._descriptor, line = self._open(line)
        self._begun = True
        if os.write(self._descriptor, line) < len(line):  # a volume that is full takes a part
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._durable:
            os.fsync(self._descriptor)
        self._begun = False

    def _open(self, line: bytes) -> tuple[int, bytes]:
        """Open for appending; the descriptor, and what of ``line`` is to be written.

        That is its rest, where the file ends within this very line. A whole one that was not made durable is written
        again. Whatever else the file ends with is a line that a process that died has left torn, and is ended.
        """
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o664)
        try:
            torn = self._torn(os.fstat(descriptor).st_size, len(line))
            if self._begun and line.startswith(torn):
                return descriptor, line[len(torn) :]
            if torn:
                os.write(descriptor, b"\n")
        except OSError:
            os.close(descriptor)
            raise
        return descriptor, line

    def _torn(self, size: int, most: int) -> bytes:
        """What follows the last line's end, of which at most so many bytes."""
        if not size:
            return b""
        with self._path.open("rb") as file:
            file.seek(max(size - most, 0))
            return file.read().rpartition(b"\n")[2]

    def _reopen(self) -> None:
        """Close the file: the next line opens it anew, since a mount that came back knows no old descriptors."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            try:
                os.close(descriptor)
            except OSError as error:
                _log.debug("closing %s: %s", self._path.name, error.strerror)
