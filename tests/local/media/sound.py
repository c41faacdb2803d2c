"""Was what was spoken recorded? Normalised cross-correlation, window by window.

Each window of the spoken files is searched in the recording and aligned on its own, so that neither clock drift nor a
jitter buffer's slow stretching counts as damage, but concealment, gaps and noise inside a window do.  The place to
search comes from one coarse alignment of everything that was spoken.

Samples are `float32` arrays at 16 kHz, mono; times are seconds. A *lag* is the recording's time minus the schedule's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.local.media.probe import run

Samples = npt.NDArray[np.float32]

RATE = 16_000
WINDOW = 3.0  # seconds
GOOD = 0.8  # a window that correlates better was heard
GOOD_SHARE = 0.9  # of the windows have to be good
_REACH = 1.0  # seconds that a window may lie beside the lag: transport on a busy machine takes half of it
_LOUDNESS_STEP = 0.01  # seconds
_SHORTEST = 1.5  # seconds: a shorter piece of speech is no window
_VOICED_SHARE = 0.4  # of a window's 20 ms frames must be speech, not pause
_VOICED_DB = -30.0  # below the clip's loudest frame a frame is a pause


@dataclass(frozen=True, slots=True)
class Utterance:
    """A file that was spoken from `start` on, by the schedule's clock."""

    path: Path
    start: float
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """One piece of an utterance, where it was found, and how alike it is: 1 is the same, 0 is unrelated."""

    utterance: Utterance
    offset: float
    seconds: float
    lag: float
    correlation: float


@dataclass(frozen=True, slots=True)
class SoundReport:
    """All windows that lie inside the recording, and their common lag."""

    lag: float
    windows: tuple[Window, ...]

    @property
    def good_share(self) -> float:
        """The share of windows that were heard; 0 without any window."""
        good = sum(window.correlation > GOOD for window in self.windows)
        return good / len(self.windows) if self.windows else 0.0

    @property
    def passed(self) -> bool:
        """At least nine of ten windows were heard, and there were some."""
        return self.good_share >= GOOD_SHARE

    def __str__(self) -> str:
        values = sorted(window.correlation for window in self.windows)
        if not values:
            return "no speech inside the recording"
        return (
            f"{len(values)} windows of {WINDOW:g} s, {self.good_share:.0%} correlate > {GOOD} "
            f"(median {values[len(values) // 2]:.3f}, worst {values[0]:.3f})"
        )

    def table(self) -> str:
        """One line per window, for a failing test: who, which file, where, how alike, how far from the common lag."""
        return "\n".join(
            f"{window.utterance.start + window.offset:8.2f} s  {window.utterance.speaker:14} "
            f"{window.utterance.path.stem:40} {window.correlation:6.3f}  {1000 * (window.lag - self.lag):+5.0f} ms"
            for window in self.windows
        )


def decode(path: Path) -> Samples:
    """The sound of a file; sample n is heard at n / 16000 s of the file (gaps become silence).

    Raises `UnreadableMediaError` when there is none.
    """
    # async=1 fills and trims by timestamps but never stretches; first_pts=0 with the file's own times (copyts) keeps
    # the place of the first sample: ffmpeg would otherwise shift the file so that its earliest stream begins at 0.
    steady = f"aresample={RATE}:async=1:first_pts=0"
    raw = run("ffmpeg", "-copyts", "-i", str(path), "-map", "0:a:0", "-af", steady, "-ac", "1", "-f", "f32le", "-")
    return np.frombuffer(raw, np.float32)


def compare(recording: Samples, spoken: Sequence[Utterance], *, lag: float | None = None) -> SoundReport:
    """Search every window of what was spoken in a recording.

    `lag` is about where the schedule's zero lies in the recording, within a second, where the caller knows it
    (from wall clocks); otherwise everything together is aligned once. Windows outside the recording do not count.
    """
    clips = {utterance.path: decode(utterance.path) for utterance in spoken}
    if lag is None:
        lag = _coarse_lag(recording, spoken, clips)
    found = []
    for utterance in spoken:
        clip = clips[utterance.path]
        for first, length in _windows(clip):
            piece = clip[first : first + length]
            expected = utterance.start + lag + first / RATE
            begin, end = round((expected - _REACH) * RATE), round((expected + _REACH) * RATE) + length
            if begin < 0 or end > len(recording) or not _voiced(piece, clip):
                continue
            shift, correlation = best_match(recording[begin:end], piece)
            at = (begin + shift) / RATE - utterance.start - first / RATE
            found.append(Window(utterance, first / RATE, length / RATE, at, correlation))
    heard = [window.lag for window in found if window.correlation > GOOD]
    return SoundReport(float(np.median(heard)) if heard else lag, tuple(found))


def best_match(haystack: Samples, needle: Samples) -> tuple[int, float]:
    """The shift in samples at which `needle` is most alike, and its normalised correlation (-1 to 1)."""
    wanted = needle - needle.mean(dtype=np.float64)
    products = _correlate(haystack.astype(np.float64), wanted)
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


def _voiced(piece: Samples, clip: Samples) -> bool:
    loudest = _frame_levels(clip).max()
    return bool((_frame_levels(piece) > loudest * 10 ** (_VOICED_DB / 20)).mean() >= _VOICED_SHARE)


def _frame_levels(samples: Samples) -> npt.NDArray[np.float64]:
    frame = RATE // 50
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    levels: npt.NDArray[np.float64] = np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1))
    return levels


def _coarse_lag(recording: Samples, spoken: Sequence[Utterance], clips: dict[Path, Samples]) -> float:
    """The lag at which everything that was spoken fits best, in seconds; either may begin before the other."""
    if not spoken or not len(recording):
        return 0.0
    first = min(utterance.start for utterance in spoken)
    end = max(utterance.start + len(clips[utterance.path]) / RATE for utterance in spoken)
    track = np.zeros(round((end - first) * RATE) + 1, np.float32)
    for utterance in spoken:
        clip = clips[utterance.path]
        at = round((utterance.start - first) * RATE)
        track[at : at + len(clip)] += clip
    # Loudness, not waveform: it still fits where the sound was stretched a little, and 10 ms are near enough.
    wanted, heard = _loudness(track), _loudness(recording)
    beside = np.zeros(len(wanted) - 1)
    best = int(np.argmax(_correlate(np.concatenate((beside, heard, beside)), wanted))) - len(beside)
    return best * _LOUDNESS_STEP - first


def _loudness(samples: Samples) -> npt.NDArray[np.float64]:
    """The loudness of each 10 ms around its mean; the root keeps the loudest clip from deciding alone."""
    frame = round(_LOUDNESS_STEP * RATE)
    frames = np.resize(samples, (max(len(samples) // frame, 1), frame))
    levels: npt.NDArray[np.float64] = np.sqrt(np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1)))
    levels -= levels.mean()
    return levels


def _correlate(haystack: npt.NDArray[np.float64], needle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sliding products of `needle` over `haystack`, by FFT; length len(haystack) - len(needle) + 1."""
    size = 1 << (len(haystack) + len(needle) - 1).bit_length()
    product = np.fft.rfft(haystack, size) * np.conj(np.fft.rfft(needle, size))
    result: npt.NDArray[np.float64] = np.fft.irfft(product, size)[: len(haystack) - len(needle) + 1]
    return result
