"""One run of ffmpeg, from its start to its end, watched: does it write, does it still move, what did it close?

A run has an origin on the session clock, which is zero in its files' timestamps. Frozen is told by the progress lines
that ffmpeg writes four times a second: a process that exists but whose output time stands still is killed.

If ffmpeg dies: :meth:`Run.wait` says so at once; the recorder starts the next run, and the segment that was being
written is kept as far as it got (at most one half-second cluster and what sat in pipes is lost).
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from meeting_buddy_bot.recording.plan import CapturePlan, capture_argv
from meeting_buddy_bot.recording.segments import SEGMENTS_FOLDER, highest, pattern
from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.support.clock import SessionClock

FROZEN_SECONDS: Final = 5.0
"""Without progress for so long, a run that was writing is frozen."""
OPENING_SECONDS: Final = 20.0
"""So long may it take to open picture and sound; up to 5 s were seen on starved cores."""
_WATCH_SECONDS: Final = 0.5

_log = logging.getLogger(__name__)


class Run:
    """One start of ffmpeg."""

    def __init__(self, number: int, plan: CapturePlan, folder: Path, first: int, clock: SessionClock) -> None:
        self.number = number
        self.plan = plan
        self.first = first
        """Number of its first segment."""
        self.last = first - 1
        """Number of its last segment, known once it has ended; the next run may be writing its own by then."""
        self.origin = 0.0
        """Seconds on the session clock that are zero in its files."""
        self.writing = asyncio.Event()
        """Set once media has reached a file."""
        self._folder = folder
        self._clock = clock
        self._child: Child | None = None
        self._moved_at = 0.0
        self._out_time = -1
        self._header_bytes = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """ffmpeg's process id, while it lives."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def closed_properly(self) -> bool:
        """Whether ffmpeg ended because it was asked to and closed its file; 255 is its code for that."""
        return self._child is not None and self._child.process.returncode == 255

    @property
    def stderr_tail(self) -> list[str]:
        """Last lines of ffmpeg's standard error."""
        return list(self._child.stderr_tail) if self._child else []

    def file(self, number: int) -> Path:
        """Path of a segment of this run."""
        return self._folder / SEGMENTS_FOLDER / f"{number:05d}{self.plan.suffix}"

    async def start(self, closed: Callable[[Path], None]) -> None:
        """Start ffmpeg; ``closed`` is called with each segment that it has closed.

        Raises:
            OSError: it cannot be started.
        """
        (self._folder / SEGMENTS_FOLDER).mkdir(exist_ok=True)
        reading, writing = os.pipe()
        self.origin, epoch = self._clock.now(), time.time()
        self._moved_at = self.origin
        try:
            argv = capture_argv(
                self.plan,
                epoch=epoch,
                pattern=pattern(self._folder, self.plan.suffix),
                first=self.first,
                list_fd=writing,
            )
            self._child = await Child.start("ffmpeg", argv, pass_fds=(writing,), read_output=True)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._tasks = [
            asyncio.create_task(self._read_progress(self._child), name="ffmpeg progress"),
            asyncio.create_task(self._read_closed(reading, closed), name="ffmpeg segments"),
        ]

    async def wait(self) -> str:
        """Return why it ended, in a few words, after its last closed segment was told."""
        if self._child is None:
            return "ffmpeg was not started"
        ended = asyncio.create_task(self._child.wait())
        frozen = False
        while not (await asyncio.wait({ended}, timeout=_WATCH_SECONDS))[0]:
            if not frozen and self.stalled():
                frozen = True
                _log.warning("ffmpeg is frozen; killing it")
                await self._child.kill()
        code = ended.result()
        await asyncio.gather(*self._tasks)
        self.last = highest(self._folder)
        if frozen:
            return "the recorder froze"
        return "the recorder was killed" if code < 0 else f"the recorder ended with code {code}"

    def stalled(self) -> bool:
        """Whether nothing has moved for longer than it may."""
        limit = FROZEN_SECONDS if self.writing.is_set() else OPENING_SECONDS
        return self._clock.now() - self._moved_at > limit

    async def stop(self, grace: float) -> None:
        """Have it close its file and end; kill it when that takes longer than ``grace`` seconds."""
        if self._child is not None and self._child.alive:
            await self._child.stop(grace)

    async def _read_progress(self, child: Child) -> None:
        if child.process.stdout is None:
            return
        async for raw in child.process.stdout:
            key, _, value = raw.decode(errors="replace").strip().partition("=")
            if key != "out_time_us" or not value.lstrip("-").isdigit():
                continue
            if int(value) > self._out_time:
                self._out_time = int(value)
                self._moved_at = self._clock.now()
            if not self.writing.is_set() and self._has_media():
                self.writing.set()

    def _has_media(self) -> bool:
        """Whether the first file has grown since it was first seen: its header is written at once, media later."""
        try:
            size = self.file(self.first).stat().st_size
        except OSError:
            return False
        self._header_bytes = self._header_bytes or size
        return size > self._header_bytes

    async def _read_closed(self, descriptor: int, closed: Callable[[Path], None]) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
        )
        try:
            async for raw in reader:
                closed(self._folder / SEGMENTS_FOLDER / Path(raw.decode().strip()).name)
        finally:
            transport.close()
