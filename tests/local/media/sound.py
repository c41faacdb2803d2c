"""Sound of recordings and of what was spoken, as samples, and where the one lies in the other.

Samples are `float32` arrays at 16 kHz, mono; times are seconds. A *lag* is the recording's time minus the schedule's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.local.media.probe import run

Samples = npt.NDArray[np.float32]

RATE = 16_000
_LOUDNESS_STEP = 0.01  # seconds


@dataclass(frozen=True, slots=True)
class Utterance:
    """A file that was spoken from `start` on, by the schedule's clock."""

    path: Path
    start: float
    speaker: str = ""

    @property
    def clip(self) -> Samples:
        """What was spoken."""
        return _clip(self.path)

    @property
    def end(self) -> float:
        """When it was over, by the schedule's clock."""
        return self.start + len(self.clip) / RATE


def decode(path: Path) -> Samples:
    """The sound of a file; sample n is heard at n / 16000 s of the file (gaps become silence).

    Raises `UnreadableMediaError` when there is none.
    """
    # async=1 fills and trims by timestamps but never stretches; first_pts=0 with the file's own times (copyts) keeps
    # the place of the first sample: ffmpeg would otherwise shift the file so that its earliest stream begins at 0.
    steady = f"aresample={RATE}:async=1:first_pts=0"
    raw = run("ffmpeg", "-copyts", "-i", str(path), "-map", "0:a:0", "-af", steady, "-ac", "1", "-f", "f32le", "-")
    return np.frombuffer(raw, np.float32)


def perfect_track(spoken: Sequence[Utterance]) -> Samples:
    """What a recording without any fault holds, from the schedule's zero to a second after the last utterance."""
    track = np.zeros(round((max(one.end for one in spoken) + 1) * RATE), np.float32)
    for utterance in spoken:
        at = round(utterance.start * RATE)
        track[at : at + len(utterance.clip)] += utterance.clip
    return track


def coarse_lag(recording: Samples, spoken: Sequence[Utterance]) -> float:
    """The lag at which everything that was spoken fits best, in seconds; either may begin before the other."""
    if not spoken or not len(recording):
        return 0.0
    # Loudness, not waveform: it still fits where the sound was stretched a little, and 10 ms are near enough.
    wanted, heard = _loudness(perfect_track(spoken)), _loudness(recording)
    beside = np.zeros(len(wanted) - 1)
    best = int(np.argmax(sliding_products(np.concatenate((beside, heard, beside)), wanted))) - len(beside)
    return best * _LOUDNESS_STEP


def sliding_products(haystack: npt.NDArray[np.float64], needle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sliding products of `needle` over `haystack`, by FFT; length len(haystack) - len(needle) + 1."""
    size = 1 << (len(haystack) + len(needle) - 1).bit_length()
    product = np.fft.rfft(haystack, size) * np.conj(np.fft.rfft(needle, size))
    result: npt.NDArray[np.float64] = np.fft.irfft(product, size)[: len(haystack) - len(needle) + 1]
    return result


@lru_cache(maxsize=32)
def _clip(path: Path) -> Samples:
    return decode(path)


def _loudness(samples: Samples) -> npt.NDArray[np.float64]:
    """The loudness of each 10 ms around its mean; the root keeps the loudest clip from deciding alone."""
    frame = round(_LOUDNESS_STEP * RATE)
    frames = np.resize(samples, (max(len(samples) // frame, 1), frame))
    levels: npt.NDArray[np.float64] = np.sqrt(np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1)))
    levels -= levels.mean()
    return levels
