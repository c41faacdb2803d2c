"""One run of ffmpeg, from its start to its end, watched: does it write, does it still move, what did it close?

A run has an origin on the session clock, which is zero in its files' timestamps. A frozen run is known by the progress
lines that ffmpeg writes four times a second: a process that exists but whose output time stands still is killed.

If ffmpeg dies: :meth:`Run.wait` says so at once; the recorder starts the next run, and the segment that was being
written is kept as far as it got (at most one half-second cluster and what sat in pipes is lost).
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from meeting_buddy_bot.recording.plan import CapturePlan, capture_argv
from meeting_buddy_bot.recording.segments import SEGMENTS_FOLDER, pattern
from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.volume import Volume

FROZEN_SECONDS: Final = 5.0
"""Without progress for so long, a run that was writing is frozen."""
OPENING_SECONDS: Final = 20.0
"""So long may it take to open picture and sound; up to 5 s were seen on starved cores."""
NO_ANSWER: Final = "the volume does not answer"
"""Why a run ended whose ffmpeg cannot even be killed."""
_WATCH_SECONDS: Final = 0.5
_FIRST_BYTES_SECONDS: Final = 0.2
"""Between two looks whether media has reached the first file."""

_log = logging.getLogger(__name__)


class Run:
    """One start of ffmpeg."""

    def __init__(self, number: int, plan: CapturePlan, volume: Volume, first: int, clock: SessionClock) -> None:
        self.number = number
        self.plan = plan
        self.first = first
        """Number of its first segment."""
        self.last: int | None = None
        """Number of its last segment, once it has ended and the volume could be listed."""
        self.last_closed = first - 1
        """Number of the last segment that ffmpeg said it has closed."""
        self.origin = 0.0
        """Seconds on the session clock that are zero in its files."""
        self.progress_at = 0.0
        """When media was last written, seconds on the session clock."""
        self.ended_at: float | None = None
        """When it had ended, seconds on the session clock."""
        self.writing = asyncio.Event()
        """Set once media has reached a file."""
        self._volume = volume
        self._clock = clock
        self._child: Child | None = None
        self._out_time = -1
        self._readers: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """ffmpeg's process id, while it lives."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def closed_properly(self) -> bool:
        """Whether ffmpeg ended because it was asked to and closed its file; 255 is its code for that."""
        return self._child is not None and self._child.process.returncode == 255

    @property
    def killed(self) -> bool:
        """Whether it did not close what it was writing."""
        code = 0 if self._child is None else self._child.process.returncode
        return code is None or code < 0

    @property
    def stderr_tail(self) -> list[str]:
        """Last lines of ffmpeg's standard error."""
        return list(self._child.stderr_tail) if self._child else []

    def file(self, number: int) -> Path:
        """Path of a segment of this run."""
        return self._volume.folder / SEGMENTS_FOLDER / f"{number:05d}{self.plan.suffix}"

    async def start(self, closed: Callable[[Path], None]) -> None:
        """Start ffmpeg; ``closed`` is called with each segment that it has closed.

        Raises:
            OSError: it cannot be started, or the volume does not take its folder.
        """
        folder = self._volume.folder / SEGMENTS_FOLDER
        self.origin = self.progress_at = self._clock.now()  # of a run that cannot be started, too
        await self._volume.call("make the segments' folder", lambda: folder.mkdir(exist_ok=True))
        reading, writing = os.pipe()
        self.origin, epoch = self._clock.now(), time.time()
        self.progress_at = self.origin
        try:
            argv = capture_argv(
                self.plan,
                epoch=epoch,
                pattern=pattern(self._volume.folder, self.plan.suffix),
                first=self.first,
                list_fd=writing,
            )
            self._child = await Child.start("ffmpeg", argv, pass_fds=(writing,), read_output=True)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._readers = [
            asyncio.create_task(self._read_progress(self._child), name="ffmpeg progress"),
            asyncio.create_task(self._read_closed(reading, closed), name="ffmpeg segments"),
            asyncio.create_task(self._await_first_bytes(), name="ffmpeg first bytes"),
        ]

    async def wait(self) -> str:
        """Return why it ended, in a few words, after its last closed segment was passed on.

        Raises:
            Exception: whatever ended one of the readers of its output; ffmpeg goes on, see :meth:`kill`.
        """
        if self._child is None:
            return "ffmpeg was not started"
        ended = asyncio.create_task(self._child.wait())
        frozen = False
        try:
            while not (await asyncio.wait({ended}, timeout=_WATCH_SECONDS))[0]:
                for reader in self._readers:
                    if reader.done():
                        reader.result()
                if not frozen and self.stalled():
                    frozen = True
                    _log.warning("ffmpeg is frozen; killing it")
                    await self._child.kill()
                    if not ended.done():  # it waits for the volume, and its files with it
                        self.ended_at = self._clock.now()
                        return NO_ANSWER
            self.ended_at = self._clock.now()
            code = ended.result()
        finally:
            ended.cancel()
            await self._end_readers()
        if frozen:
            return "the recorder froze"
        if code == 0:  # nothing else ends it in peace but a signal, for which its code is 255
            return "the recorder's sound or picture ended"
        return "the recorder was killed" if code < 0 else f"the recorder ended with code {code}"

    def stalled(self) -> bool:
        """Whether nothing has moved for longer than it may."""
        limit = FROZEN_SECONDS if self.writing.is_set() else OPENING_SECONDS
        return self._clock.now() - self.progress_at > limit

    async def stop(self, grace: float) -> None:
        """Have it close its file and end; kill it when that takes longer than ``grace`` seconds."""
        if self._child is not None and self._child.alive:
            await self._child.stop(grace)

    def kill(self) -> None:
        """End it at once, whatever it holds open; :meth:`wait` returns."""
        if self._child is not None and self._child.alive:
            self._child.signal(signal.SIGKILL)

    async def _end_readers(self) -> None:
        """Let those that read ffmpeg's pipes finish what is in them; the pipes ended with it."""
        progress, closed, first_bytes = self._readers
        first_bytes.cancel()
        if self._child is not None and self._child.alive:
            progress.cancel()
            closed.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for reader in (progress, closed):
            if not reader.cancelled() and (error := reader.exception()) is not None:
                raise error

    async def _read_progress(self, child: Child) -> None:
        if child.process.stdout is None:
            return
        async for raw in child.process.stdout:
            key, _, value = raw.decode(errors="replace").strip().partition("=")
            if key == "out_time_us" and value.lstrip("-").isdigit() and int(value) > self._out_time:
                self._out_time = int(value)
                self.progress_at = self._clock.now()

    async def _await_first_bytes(self) -> None:
        """Set ``writing`` once the first file has grown: its header is written at once, media later."""
        header, first = 0, self.file(self.first)
        while True:
            try:
                size = await self._volume.call("look at the first segment", lambda: first.stat().st_size)
            except OSError:  # not there yet, or the volume does not answer: then nothing is being written either
                size = 0
            if header and size > header:
                self.writing.set()
                return
            header = header or size
            await asyncio.sleep(_FIRST_BYTES_SECONDS)

    async def _read_closed(self, descriptor: int, closed: Callable[[Path], None]) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
        )
        try:
            async for raw in reader:
                closed(self._volume.folder / SEGMENTS_FOLDER / Path(raw.decode().strip()).name)
        finally:
            transport.close()
