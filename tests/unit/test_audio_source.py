"""Times of the sound that a reader delivers: late frames are not late sound, and dropped sound is noticed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, FRAME_SECONDS, PulseAudioSource
from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.transcription.engine import Samples
from meeting_buddy_bot.transcription.segmenter import GAP_SECONDS, Segmenter
from tests.support.bot_clock import StandingClock


class Reader:
    """Stands for ``parec``: each frame is there at a time of its own."""

    alive = False

    def __init__(self, clock: StandingClock, read_at: Iterable[float]) -> None:
        self._clock = clock
        self._read_at = list(read_at)
        self.process = SimpleNamespace(stdout=self)
        self.stderr_tail: list[str] = []

    async def readexactly(self, size: int) -> bytes:
        if not self._read_at:
            raise EOFError
        self._clock.time = self._read_at.pop(0)
        return bytes(size)

    async def wait(self) -> int:
        return 0


async def starts(monkeypatch: pytest.MonkeyPatch, read_at: Iterable[float]) -> list[float]:
    """Times of frames that are read at these moments."""
    clock = StandingClock()

    async def start(*_: Any, **__: Any) -> Reader:
        return Reader(clock, read_at)

    monkeypatch.setattr(Child, "start", start)
    frames: AsyncGenerator[Any, None] = PulseAudioSource("unix:/x", "monitor", clock).frames()
    return [frame.start async for frame in frames]


def spoken(frames: int) -> list[float]:
    """When frames are over that follow one another, from 10 s on."""
    return [10 + FRAME_SECONDS * (n + 1) for n in range(frames)]


def stalled(over: Iterable[float], *stalls: tuple[float, float]) -> list[float]:
    """When they are read if nobody reads from one moment to another: what waits is read a millisecond per frame."""
    read_at: list[float] = []
    for at in over:
        ready = max(at, read_at[-1] + 0.001 if read_at else at)
        read_at.append(next((end for begin, end in stalls if begin < ready < end), ready))
    return read_at


STALLS = {
    "short": ((12.05, 12.45),),
    "long": ((12.05, 16.8),),
    "two": ((12.05, 14.0), (14.0055, 16.0)),
    "again and again": tuple((12.05 + n, 12.6 + n) for n in range(12)),
}


@pytest.mark.parametrize("stalls", STALLS.values(), ids=STALLS)
async def test_frames_that_had_to_wait_keep_the_time_of_their_sound(
    monkeypatch: pytest.MonkeyPatch, stalls: tuple[tuple[float, float], ...]
) -> None:
    over = spoken(150)
    found = await starts(monkeypatch, stalled(over, *stalls))
    assert found == pytest.approx([at - FRAME_SECONDS for at in over], abs=0.01)


async def test_a_hiccup_of_the_reader_does_not_cut_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    class Voice:
        def probability(self, window: Samples) -> float:
            return 0.9

        def reset(self) -> None: ...

    segmenter = Segmenter(Voice())
    closed = []
    for start in await starts(monkeypatch, stalled(spoken(60), (12.05, 14.6))):
        closed += segmenter.feed(start, np.zeros(FRAME_BYTES // 2, np.float32))
    assert closed == []
    (segment,) = segmenter.flush()
    assert (segment.start, segment.end) == pytest.approx((10, 16), abs=0.05)


@pytest.mark.parametrize("jitter", [0.0, 0.1])
@pytest.mark.parametrize("dropped", [0.4, 3.0])
async def test_after_sound_that_was_dropped_times_are_set_anew_once(
    monkeypatch: pytest.MonkeyPatch, dropped: float, jitter: float
) -> None:
    over = spoken(50) + [at + dropped for at in spoken(100)[50:]]
    found = await starts(monkeypatch, [at + jitter * (n % 3) for n, at in enumerate(over)])
    jumps = [n for n, (one, next_one) in enumerate(pairwise(found)) if next_one - one > FRAME_SECONDS + 0.01]
    assert len(jumps) == 1
    assert jumps[0] < 50 + 25
    assert found[-1] == pytest.approx(over[-1] - FRAME_SECONDS, abs=0.15)


async def test_a_source_whose_clock_is_slow_is_corrected_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    over = [at * 1.001 for at in spoken(10_000)]
    found = await starts(monkeypatch, over)
    assert found == pytest.approx([at - FRAME_SECONDS for at in over], abs=0.3)
    assert max(next_one - one - FRAME_SECONDS for one, next_one in pairwise(found)) < GAP_SECONDS


async def test_frames_never_run_far_ahead_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one was late, and what waited behind it is read at once."""
    read_at = stalled(spoken(100), (10.05, 12.0))
    found = await starts(monkeypatch, read_at)
    assert all(start <= at - FRAME_SECONDS + 0.25 for start, at in zip(found, read_at, strict=True))
    assert found[-1] == pytest.approx(read_at[-1] - FRAME_SECONDS, abs=0.25)
