"""How far the waveforms of a recording and of what was spoken correlate, window by window: printed, never judged.

A jitter buffer's stretching, which nobody hears, lowers it: recordings that were transcribed without a fault have had
medians of 0.27. Where it is high, nothing at all was changed on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.local.media.sound import RATE, Samples, Utterance, sliding_products

WINDOW = 3.0  # seconds
_REACH = 1.0  # seconds that a window may lie beside the lag
_SHORTEST = 1.5  # seconds: a shorter piece of speech is no window


@dataclass(frozen=True, slots=True)
class Window:
    """One piece of an utterance, where it was found, and how alike it is: 1 is the same, 0 is unrelated."""

    utterance: Utterance
    offset: float
    lag: float
    correlation: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """All windows that lie inside a recording."""

    windows: tuple[Window, ...]

    @property
    def median(self) -> float:
        """The middle window's correlation; 0 without any window."""
        return float(np.median([window.correlation for window in self.windows])) if self.windows else 0.0

    def __str__(self) -> str:
        worst = min((window.correlation for window in self.windows), default=0.0)
        return f"waveforms of {len(self.windows)} windows correlate with median {self.median:.2f}, worst {worst:.2f}"


def compare(recording: Samples, spoken: Sequence[Utterance], lag: float) -> Correlation:
    """Search every window of what was spoken around its place in the recording."""
    found = []
    for utterance in spoken:
        for first, length in _windows(utterance.clip):
            expected = utterance.start + lag + first / RATE
            begin, end = round((expected - _REACH) * RATE), round((expected + _REACH) * RATE) + length
            if begin < 0 or end > len(recording):
                continue
            shift, correlation = _best_match(recording[begin:end], utterance.clip[first : first + length])
            at = (begin + shift) / RATE - utterance.start - first / RATE
            found.append(Window(utterance, first / RATE, at, correlation))
    return Correlation(tuple(found))


def _best_match(haystack: Samples, needle: Samples) -> tuple[int, float]:
    """The shift in samples at which `needle` is most alike, and its normalised correlation (-1 to 1)."""
    wanted = needle - needle.mean(dtype=np.float64)
    products = sliding_products(haystack.astype(np.float64), wanted)
    sums = np.concatenate(([0.0], np.cumsum(haystack, dtype=np.float64)))
    squares = np.concatenate(([0.0], np.cumsum(np.square(haystack, dtype=np.float64))))
    length = len(needle)
    energy = squares[length:] - squares[:-length] - np.square(sums[length:] - sums[:-length]) / length
    scale = np.sqrt(np.maximum(energy, 0) * np.square(wanted).sum())
    # Digital silence has no energy to compare with: it is unlike anything.
    alike = np.divide(products, scale, out=np.zeros_like(products), where=scale > 1e-9)
    best = int(np.argmax(alike))
    return best, float(alike[best])


def _windows(clip: Samples) -> list[tuple[int, int]]:
    """(first sample, length): windows end to end; the last one ends with the clip; a short clip is one window."""
    length = round(WINDOW * RATE)
    if len(clip) <= length:
        return [(0, len(clip))] if len(clip) >= _SHORTEST * RATE else []
    starts = list(range(0, len(clip) - length + 1, length))
    if len(clip) - (starts[-1] + length) >= RATE:
        starts.append(len(clip) - length)
    return [(start, length) for start in starts]
