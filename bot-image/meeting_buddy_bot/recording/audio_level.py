"""Does sound from the meeting reach the recorder? Listens to the level, because a silent file looks like a good one.

"Flowing" is anything but digital silence within the last half minute: a muted meeting is nothing wrong, but a
sink into which nobody plays is exactly zero.

This only observes: a reader that fails is started again, and what it did not hear is no silence. The sound server is
said to hang when two readers in a row have stalled; a slow node stalls one. The second need not open as slowly as a
first one may: where the one before it had frames, the server was up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final, Protocol

from meeting_buddy_bot.recording.audio_source import AudioSource, PcmFrame
from meeting_buddy_bot.recording.capture import OPENING_SECONDS
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog

SILENT_AFTER_SECONDS: Final = 30.0
STALLED_AFTER_SECONDS: Final = 5.0
"""A monitor delivers frames even when nobody plays; none for so long after the first one is a stall."""
_STALLS: Final = 2
"""So many stalled readers in a row mean that PulseAudio hangs; one that lasts in between begins the count anew."""
_FIRST_PAUSE: Final = 0.2
"""Seconds after a reader that ended: as a rule its server did, and that is noticed within this time. Each further pause
is twice as long, up to :data:`_LONGEST_PAUSE`."""
_LONGEST_PAUSE: Final = 5.0
_STEADY_SECONDS: Final = 5.0
"""Once a reader has given frames for so long, the outage is over."""
_SILENT_PEAK: Final = 2
"""Of 32768, -84 dB; dither of a muted sender stays under it."""


class LevelSource(AudioSource, Protocol):
    """A source that can say why it failed."""

    @property
    def last_line(self) -> str:
        """What its last reader that ended said last; empty: nothing."""


class SoundListener(Protocol):
    """Who hears of the meeting's sound."""

    def sound_read(self, at: float) -> None:
        """A frame came at ``at``, silent or not: until then, nothing was missed. Seconds on the session clock."""

    def sound_heard(self, at: float) -> None:
        """Something other than silence was heard at ``at``, seconds on the session clock."""

    def sound_flows(self, *, flowing: bool) -> None:
        """Whether sound was heard within the last half minute."""


class AudioLevelMonitor:
    """Keeps ``media.flowing`` true to what can be heard."""

    def __init__(self, source: LevelSource, clock: SessionClock, listener: SoundListener, events: EventLog) -> None:
        self._source = source
        self._clock = clock
        self._listener = listener
        self._events = events
        self._read_at: float | None = None
        self._heard_at: float | None = None
        self._stalls = 0
        self._stalled_after_frames = False
        """Whether the last reader did."""
        self._failed_at: float | None = None
        """Begin of an outage; ``None``: there is none."""
        self._pause = _FIRST_PAUSE

    async def listen(self, answering: Callable[[], Awaitable[None]], stalled: Callable[[], Awaitable[None]]) -> None:
        """Listen until cancelled.

        Args:
            answering: returns once the source can be opened.
            stalled: called when one reader after the other gets no frames although the source is open.
        """
        while True:
            await self._wait(answering)
            try:
                cause = await self._read()
            except TimeoutError:
                self._note_failure("no sound came", stalled=True)
                self._stalls += 1
                if self._stalls == _STALLS:
                    self._stalls, self._stalled_after_frames = 0, False
                    self._events.write("sound_stalled")
                    await stalled()
            else:
                self._note_failure(cause, stalled=False)
                self._stalls = 0
                await asyncio.sleep(self._pause)
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    async def _wait(self, answering: Callable[[], Awaitable[None]]) -> None:
        """Until the source can be opened; sound that nobody could hear for long flows no more."""
        try:
            async with asyncio.timeout(_AWAY_SECONDS):
                await answering()
        except TimeoutError:
            self._listener.sound_flows(flowing=False)
            await answering()

    async def _read(self) -> str:
        """Listen with one reader until it ends; why it did.

        Raises:
            TimeoutError: it stalled.
        """
        first: float | None = None
        opening = 2 * STALLED_AFTER_SECONDS if self._stalled_after_frames else OPENING_SECONDS
        self._stalled_after_frames = False
        try:
            async with aclosing(self._source.frames()) as frames:
                while True:
                    async with asyncio.timeout(opening if first is None else STALLED_AFTER_SECONDS):
                        frame = await anext(frames, None)
                    if frame is None:
                        return "it ended"
                    self.hear(frame)
                    now = self._clock.now()
                    first = now if first is None else first
                    if now - first >= _STEADY_SECONDS:
                        self._stalls = 0
                        self._note_recovery(now)
        except TimeoutError:
            self._stalled_after_frames = first is not None
            raise
        except OSError as error:
            return f"it failed: {error.strerror or type(error).__name__}"

    def hear(self, frame: PcmFrame) -> None:
        """Take one frame into account."""
        now = self._clock.now()
        self._read_at = now
        self._listener.sound_read(now)
        if frame.peak > _SILENT_PEAK:
            self._heard_at = frame.start
            self._listener.sound_heard(frame.start)
        flowing = self._heard_at is not None and now - self._heard_at < SILENT_AFTER_SECONDS
        self._listener.sound_flows(flowing=flowing)

    def _note_failure(self, cause: str, *, stalled: bool) -> None:
        """Say once per outage that nobody listens."""
        now = self._clock.now()
        if stalled or self._read_at is None or now - self._read_at >= STALLED_AFTER_SECONDS:
            self._listener.sound_flows(flowing=False)
        if self._failed_at is None:
            self._failed_at = now
            self._events.write("sound_reader_failed", cause=cause, stderr=self._source.last_line)

    def _note_recovery(self, now: float) -> None:
        if self._failed_at is not None:
            self._events.write("sound_reader_recovered", seconds=round(now - self._failed_at, 1))
            self._failed_at = None
            self._pause = _FIRST_PAUSE


_AWAY_SECONDS: Final = 5.0
"""The sound server may be away for so long before sound counts as flowing no more."""
