"""Does sound from the meeting reach the recorder? Listens to the level, because a silent file looks like a good one.

"Flowing" is anything but digital silence within the last half minute: a muted meeting is nothing wrong, but a
sink into which nobody plays is exactly zero.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final, Protocol

from meeting_buddy_bot.recording.audio_source import AudioSource, PcmFrame
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog

SILENT_AFTER_SECONDS: Final = 30.0
STALLED_AFTER_SECONDS: Final = 5.0
"""A monitor delivers frames even when nobody plays; none for so long means that PulseAudio hangs."""
_SILENT_PEAK: Final = 2
"""Of 32768, -84 dB; dither of a muted sender stays under it."""

_log = logging.getLogger(__name__)


class SoundListener(Protocol):
    """Who hears of the meeting's sound."""

    def sound_heard(self, at: float) -> None:
        """Something other than silence was heard at ``at``, seconds on the session clock."""

    def sound_flows(self, *, flowing: bool) -> None:
        """Whether sound was heard within the last half minute."""


class AudioLevelMonitor:
    """Keeps ``media.flowing`` true to what can be heard."""

    def __init__(self, source: AudioSource, clock: SessionClock, listener: SoundListener, events: EventLog) -> None:
        self._source = source
        self._clock = clock
        self._listener = listener
        self._events = events
        self._heard_at: float | None = None

    async def listen(self, answering: Callable[[], Awaitable[None]], stalled: Callable[[], Awaitable[None]]) -> None:
        """Listen until cancelled.

        Args:
            answering: returns once the source can be opened.
            stalled: called when the source gives no frames although it is open.
        """
        while True:
            await answering()
            try:
                async with aclosing(self._source.frames()) as frames:
                    while True:
                        async with asyncio.timeout(STALLED_AFTER_SECONDS):
                            frame = await anext(frames)
                        self.hear(frame)
            except TimeoutError:
                self._events.write("sound_stalled")
                await stalled()
            except StopAsyncIteration:
                await asyncio.sleep(0.2)  # parec ended: as a rule its server did, and that is noticed within this time

    def hear(self, frame: PcmFrame) -> None:
        """Take one frame into account."""
        if frame.peak > _SILENT_PEAK:
            self._heard_at = frame.start
            self._listener.sound_heard(frame.start)
        flowing = self._heard_at is not None and self._clock.now() - self._heard_at < SILENT_AFTER_SECONDS
        self._listener.sound_flows(flowing=flowing)
