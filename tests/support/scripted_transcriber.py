"""A transcriber process that says what a test wrote, and a source without sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

from meeting_buddy_bot.recording.audio_source import PcmFrame
from meeting_buddy_bot.transcription.messages import Message


class ScriptedProcess:
    """Stands for the process: says what it is told to, until it is killed or the meeting is over."""

    pid = 1
    stderr_tail = "killed"

    def __init__(self, messages: Iterable[Message] = (), *, hears_the_end: bool = True) -> None:
        """``messages``: said first; ``hears_the_end``: whether it ends when the meeting does."""
        self.said: asyncio.Queue[Message | None] = asyncio.Queue()
        for message in messages:
            self.said.put_nowait(message)
        self.code = 0
        self.killed = False
        self.fed: list[float] = []
        self.takes = 10**6
        """Frames, before it reads no more."""
        self._hears_the_end = hears_the_end

    async def messages(self) -> AsyncIterator[Message]:
        while (message := await self.said.get()) is not None:
            yield message

    def feed(self, frame: PcmFrame) -> bool:
        if len(self.fed) >= self.takes:
            return False
        self.fed.append(frame.start)
        return True

    def end_of_meeting(self) -> None:
        if self._hears_the_end:
            self.said.put_nowait(None)

    async def wait(self) -> int:
        return self.code

    async def kill(self) -> None:
        self.killed = True
        self.said.put_nowait(None)


class NoSound:
    """A source that never has any."""

    async def frames(self) -> AsyncGenerator[PcmFrame, None]:
        await asyncio.Event().wait()
        yield PcmFrame(0.0, b"")
