"""Timed sound of the meeting for whoever listens live: the level meter now, transcription later.

A reader of its own on the same monitor as the recorder: it costs next to nothing (16 kHz mono), and neither can hold
the other up.
"""

import array
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Protocol

from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.support.clock import SessionClock

RATE: Final = 16_000
"""Samples per second: what speech recognition takes."""
FRAME_SECONDS: Final = 0.1
FRAME_BYTES: Final = int(RATE * FRAME_SECONDS) * 2
_MAX_DRIFT: Final = 0.25
"""Seconds by which counted samples may differ from the clock before the count is set anew."""
_STEADY_FRAMES: Final = 20
"""Frames in a row that have to be late alike before sound counts as dropped."""


@dataclass(frozen=True, slots=True)
class PcmFrame:
    """A tenth of a second of sound."""

    start: float
    """Of its first sample, seconds on the session clock, within :data:`_MAX_DRIFT`."""
    pcm: bytes
    """Signed 16-bit little-endian samples, mono, :data:`RATE` per second."""

    @property
    def peak(self) -> int:
        """The largest sample without its sign, 0 (digital silence) to 32768."""
        samples = array.array("h", self.pcm)
        return max(max(samples), -min(samples))


class FrameTimes:
    """Start times of the frames of one reader: samples are counted, and the clock corrects the count.

    After a hiccup of the reader its frames are late, although none is lost: what waited is read at once, and each is
    less late than the one before. Where sound was dropped, frames come at the clock's pace and stay late.
    """

    def __init__(self) -> None:
        self._expected: float | None = None
        self._late: deque[float] = deque(maxlen=_STEADY_FRAMES)
        """By how much the last frames came after their time."""

    def next(self, now: float) -> float:
        """Time of the first sample of a frame that was read at ``now``."""
        start = self._corrected(self._expected, now - FRAME_SECONDS)
        self._expected = start + FRAME_SECONDS
        return start

    def _corrected(self, expected: float | None, by_clock: float) -> float:
        if expected is None or by_clock <= expected - _MAX_DRIFT:
            self._late.clear()
            return by_clock
        self._late.append(by_clock - expected)
        least = min(self._late)
        if len(self._late) < _STEADY_FRAMES or least <= _MAX_DRIFT or max(self._late) - least > _MAX_DRIFT:
            return expected
        self._late.clear()
        return expected + least


class AudioSource(Protocol):
    """Where timed frames of the meeting's sound come from."""

    def frames(self) -> AsyncGenerator[PcmFrame, None]:
        """Frames in order, from now on; ends when the source ends. To be closed by the listener (``aclosing``)."""


class PulseAudioSource:
    """Frames from a PulseAudio source, by ``parec``."""

    def __init__(self, server: str, source: str, clock: SessionClock) -> None:
        self._server = server
        self._source = source
        self._clock = clock
        self.last_line = ""
        """What the last ``parec`` that ended said last."""

    async def frames(self) -> AsyncGenerator[PcmFrame, None]:
        """Frames until ``parec`` ends; it is ended when the listener goes."""
        self.last_line = ""
        # fmt: off
        child = await Child.start("parec", [
            "parec", "--server", self._server, "--device", self._source, "--raw", "--format=s16le", f"--rate={RATE}",
            "--channels=1", "--latency-msec=50", "--client-name=Meeting Buddy", "--stream-name=listener",
        ], read_output=True)
        # fmt: on
        times = FrameTimes()
        try:
            while child.process.stdout is not None:
                pcm = await child.process.stdout.readexactly(FRAME_BYTES)
                yield PcmFrame(times.next(self._clock.now()), pcm)
        except EOFError:
            return
        finally:
            await (child.kill() if child.alive else child.wait())
            self.last_line = child.stderr_tail[-1] if child.stderr_tail else ""
