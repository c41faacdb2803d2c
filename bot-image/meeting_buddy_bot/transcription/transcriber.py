"""The transcriber process as the supervisor sees it: sound goes in and never waits, messages come out.

If the process dies: its messages end; what it had heard and not made final is for the next one (``pending``).
"""

import sys
from collections.abc import AsyncIterator
from typing import Final, Self

from pydantic import ValidationError

from meeting_buddy_bot.recording.audio_source import PcmFrame
from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.transcription.messages import FRAME_HEAD, MESSAGES, Message, TranscriberConfig

_MODULE: Final = "meeting_buddy_bot.transcription.process"
_MAX_LINE: Final = 4 * 2**20
"""Bytes of a message; one with all its words has some tens of thousands."""
MAX_WAITING: Final = 30 * 32_000
"""Bytes of sound that may wait for a process that does not read: half a minute."""


class Transcriber:
    """One run of the process."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @classmethod
    async def start(cls, config: TranscriberConfig, *options: str) -> Self:
        """Start it, with ``options`` of its command line.

        Raises:
            OSError: it cannot be started.
        """
        argv = [sys.executable, "-P", "-m", _MODULE, config.to_json(), *options]
        child = await Child.start("transcriber", argv, read_output=True, write_input=True, line_bytes=_MAX_LINE)
        return cls(child)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def feed(self, frame: PcmFrame) -> bool:
        """Hand a frame over; ``False``: the process takes none now."""
        pipe = self._child.process.stdin
        if pipe is None or pipe.is_closing() or pipe.transport.get_write_buffer_size() > MAX_WAITING:
            return False
        pipe.write(FRAME_HEAD.pack(frame.start) + frame.pcm)
        return True

    async def deliver(self, frame: PcmFrame) -> None:
        """Hand a frame over as soon as it is taken: of a recording, whose sound can wait.

        Raises:
            ConnectionError: the process has ended.
        """
        pipe = self._child.process.stdin
        if pipe is None or pipe.is_closing():
            raise BrokenPipeError
        pipe.write(FRAME_HEAD.pack(frame.start) + frame.pcm)
        await pipe.drain()

    def end_of_meeting(self) -> None:
        """No frame follows: the process makes final what it has heard, and ends."""
        if self._child.process.stdin is not None:
            self._child.process.stdin.close()

    async def messages(self) -> AsyncIterator[Message]:
        """What it says, until it ends; what is no message is left out."""
        if self._child.process.stdout is None:
            return
        async for line in self._child.process.stdout:
            try:
                yield MESSAGES.validate_json(line)
            except ValidationError:
                continue

    async def wait(self) -> int:
        """Its exit code, after its end."""
        return await self._child.wait()

    async def kill(self) -> None:
        """End it at once."""
        if self._child.alive:
            await self._child.kill()

    @property
    def stderr_tail(self) -> str:
        """The last line of its standard error."""
        return self._child.stderr_tail[-1] if self._child.stderr_tail else ""
