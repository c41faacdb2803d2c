"""Which share of what was spoken is present in a recording? Log-mel spectra, compared along a time-warping path.

A jitter buffer stretches and squeezes speech, which nobody hears but which tears waveforms apart. So each utterance is
laid over the recording by dynamic time warping (DTW): every 10 ms of the clip find their place in the recording, in
order, at half to double speed. Where the spectra of the two then differ, speech was lost, concealed or drowned.

The limits were chosen by measurement on `tests/speech/en`; spoken time that is present:

* 99.6 to 100 %: Opus at 16 to 128 kbit/s (mono, "voip"), Opus and then AAC, tempo ±5 %, another tempo between 0.75
  and 1.3 every half second, a quarter of the level, noise 30 dB below the speech;
* 98.6 % when one in fifty frames of 20 ms is silent, 96.1 to 96.5 % when it is one in twenty;
* 97.8 % when one in twenty frames repeats the one before, 94.4 % when it is one in ten;
* 5 % with noise 10 dB below the speech, none with noise as loud as the speech.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.local.media.sound import RATE, Samples, Utterance

Spectra = npt.NDArray[np.float64]
"""One row per frame: the power in each mel band."""

_FOUND = 0.5  # of an utterance's spoken time: with less its place is not certain
PRESENT_SHARE = 0.98  # of the spoken time: less is damage
REACH = 2.0  # seconds that an utterance may lie beside the lag: more than the transport takes on a busy machine
STEP = 0.01  # seconds from frame to frame
_WINDOW = 0.024  # seconds: steady over a voice's single pulses, and a lost packet of 20 ms still tears it
_FFT = 512
_BANDS, _LOWEST, _HIGHEST = 24, 100.0, 7000.0  # Hz: below and above, codecs for voices change what they like
_LIKE = 3.0  # dB: mean difference of the bands up to which a frame is present
_RANGE = 30.0  # dB: what is so far below a clip's loud frames is not heard, and its difference does not count
_PAUSE = 25.0  # dB below a clip's loud frames a frame is a pause
_LEAP = 6.0  # dB: price of each 10 ms left out or repeated, so that the path does not jump around what is missing
_GAIN = 20.0  # dB: loudness may differ by so much


@dataclass(frozen=True, slots=True)
class Passage:
    """One utterance as it was found: the spoken seconds in it, how many of them are present, and its own lag."""

    utterance: Utterance
    spoken: float
    present: float
    lag: float

    @property
    def share(self) -> float:
        """The share of its spoken time that is present."""
        return self.present / self.spoken

    @property
    def found(self) -> bool:
        """Enough of it is present that its lag means something."""
        return self.share >= _FOUND


@dataclass(frozen=True, slots=True)
class Likeness:
    """All utterances that lie inside a recording."""

    passages: tuple[Passage, ...]

    @property
    def share(self) -> float:
        """The share of the spoken time that is present; 0 without any."""
        spoken = sum(passage.spoken for passage in self.passages)
        return sum(passage.present for passage in self.passages) / spoken if spoken else 0.0

    @property
    def passed(self) -> bool:
        """Speech was spoken inside the recording, and all but two hundredths of it are there."""
        return self.share >= PRESENT_SHARE

    @property
    def lag(self) -> float | None:
        """The middle lag of the utterances that were found; None without any."""
        lags = [passage.lag for passage in self.passages if passage.found]
        return float(np.median(lags)) if lags else None

    def __str__(self) -> str:
        spoken = sum(passage.spoken for passage in self.passages)
        return f"{self.share:.1%} of {spoken:.0f} s of speech present in spectra"


def compare(recording: Samples, spoken: Sequence[Utterance], lag: float) -> Likeness:
    """Find each utterance in the recording. `lag` is right within two seconds; what lies outside does not count."""
    inside = [one for one in spoken if one.start + lag >= 0 and (one.end + lag) * RATE <= len(recording)]
    if not inside:
        return Likeness(())
    # Two rows of frames, 5 ms apart: a voice's pulses look different half a frame later.
    heard = np.stack([spectra(recording, between) for between in (0.0, STEP / 2)], axis=1)
    heard *= _gain(recording, inside, lag)
    return Likeness(tuple(_find(heard, utterance, lag) for utterance in inside))


def spectra(samples: Samples, first: float = 0.0) -> Spectra:
    """Mel spectra of frames whose middles are 10 ms apart, the first at `first` seconds."""
    length, step, skipped = round(_WINDOW * RATE), round(STEP * RATE), round(first * RATE)
    padded = np.concatenate((np.zeros(length // 2, np.float32), samples, np.zeros(length // 2 + skipped, np.float32)))
    frames = np.lib.stride_tricks.sliding_window_view(padded[skipped:], length)[::step]
    power: Spectra = np.square(np.abs(np.fft.rfft(frames * np.hanning(length), _FFT))) @ _mel_bands()
    return power


def _find(heard: Spectra, utterance: Utterance, lag: float) -> Passage:
    clip = spectra(utterance.clip)
    levels = _decibels(clip.sum(axis=1))
    loud = float(np.percentile(levels, 95))
    floor = 10 ** ((loud - _RANGE) / 10) / _BANDS
    first = max(round((utterance.start + lag - REACH) / STEP), 0)
    section = heard[first : round((utterance.end + lag + REACH) / STEP)]
    path, differences = _warp(_decibels(clip + floor), _decibels(section + floor))
    speech = levels > loud - _PAUSE
    present = speech & (differences < _LIKE)
    lags = (path + first - np.arange(len(path))) * STEP - utterance.start
    own = float(np.median(lags[present])) if present.any() else lag
    return Passage(utterance, float(speech.sum()) * STEP, float(present.sum()) * STEP, own)


def _warp(clip: Spectra, section: Spectra) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For each frame of the clip, the frame of the section that belongs to it, and how they differ in dB.

    A frame of the section is a pair, 5 ms apart, of which the one that is more like counts.
    From one frame of the clip to the next the section goes on by one frame, by two, or by none (never twice in a row).
    The path begins and ends where it fits best.
    """
    rows, columns = len(clip), len(section)
    bands = np.ascontiguousarray(section.reshape(2 * columns, -1).T)  # one row per band: much faster to work through
    apart = np.empty_like(bands)
    differences = np.empty((rows, columns))
    moves = np.zeros((rows, columns), np.int8)  # how a cell was entered by moving: one or two, plus four from a halt
    nowhere = np.full(2, np.inf)
    moved, halted = np.zeros(columns), np.full(columns, np.inf)  # the cheapest ways to each cell, by the last step
    for row in range(rows):
        np.abs(np.subtract(bands, clip[row][:, None], out=apart), out=apart)
        differences[row] = apart.mean(axis=0).reshape(columns, 2).min(axis=1)
        if row == 0:
            moved = differences[0].copy()
            continue
        after_halt = np.concatenate(([False, False], halted < moved))
        best = np.concatenate((nowhere, np.minimum(moved, halted)))
        one, two = best[1:-1], best[:-2] + _LEAP
        leaps = two < one
        moves[row] = np.where(leaps, 2 + 4 * after_halt[:-2], 1 + 4 * after_halt[1:-1])
        moved, halted = np.minimum(one, two) + differences[row], moved + _LEAP + differences[row]
    path = np.empty(rows, np.int64)
    is_halted = bool(halted.min() < moved.min())
    column = int(np.argmin(halted if is_halted else moved))
    for row in range(rows - 1, -1, -1):
        path[row] = column
        if is_halted:
            is_halted = False
        else:
            move = int(moves[row, column])
            column -= move & 3
            is_halted = move >= 4
    return path, differences[np.arange(rows), path]


def _gain(recording: Samples, spoken: Sequence[Utterance], lag: float) -> float:
    """By what the recording's power has to be multiplied to be as loud as the clips."""
    limit = 10 ** (_GAIN / 10)
    ratios = []
    for utterance in spoken:
        at = max(round((utterance.start + lag) * RATE), 0)
        heard = recording[at : at + len(utterance.clip)]
        ratios.append(_loud(utterance.clip) / max(_loud(heard), 1e-12))
    # The middle one: a sentence that is lost must not make the others louder.
    return float(np.clip(np.median(ratios), 1 / limit, limit))


def _loud(samples: Samples) -> float:
    return float(np.percentile(spectra(samples).sum(axis=1), 95))


def _decibels(power: Spectra) -> Spectra:
    result: Spectra = 10 * np.log10(power + 1e-12)
    return result


def _mel_bands() -> Spectra:
    """Weights of the spectrum's lines (rows) in triangular bands that lie evenly on the mel scale (columns)."""
    lowest, highest = (2595 * np.log10(1 + hertz / 700) for hertz in (_LOWEST, _HIGHEST))
    edges = 700 * (10 ** (np.linspace(lowest, highest, _BANDS + 2) / 2595) - 1)
    lines = np.fft.rfftfreq(_FFT, 1 / RATE)[:, None]
    rising = (lines - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - lines) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None)
