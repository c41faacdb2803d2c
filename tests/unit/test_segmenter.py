"""Speech is cut at its pauses; what is no speech is never heard of. With the real detector, and a scripted one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest

from meeting_buddy_bot.recording.audio_source import RATE
from meeting_buddy_bot.transcription.engine import Samples
from meeting_buddy_bot.transcription.messages import CAP_SECONDS
from meeting_buddy_bot.transcription.segmenter import (
    WINDOW,
    Segmenter,
    SileroDetector,
    SpeechSegment,
)
from tests.local.clone import SPEECH
from tests.local.media.sound import decode

FRAME = RATE // 10


class ScriptedDetector:
    """Says the loudness of a window: tests write the probability of speech as samples."""

    def __init__(self) -> None:
        self.resets = 0

    def probability(self, window: Samples) -> float:
        return float(np.median(window))

    def reset(self) -> None:
        self.resets += 1


def script(*parts: tuple[float, float]) -> Samples:
    """Probabilities, each for so many seconds."""
    return np.concatenate([np.full(round(seconds * RATE), level, np.float32) for level, seconds in parts])


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def segments(segmenter: Segmenter, pcm: Samples, start: float = 0.0, *, flush: bool = True) -> list[SpeechSegment]:
    found = []
    for first in range(0, len(pcm), FRAME):
        found += segmenter.feed(start + first / RATE, pcm[first : first + FRAME])
    return found + (segmenter.flush() if flush else [])


def scripted(pcm: Samples, start: float = 0.0) -> list[SpeechSegment]:
    return segments(Segmenter(ScriptedDetector()), pcm, start)


def spans(found: Iterable[SpeechSegment]) -> list[tuple[float, float]]:
    return [(round(each.start, 1), round(each.end, 1)) for each in found]


def test_a_segment_has_a_lead_and_a_little_silence_after_it() -> None:
    assert spans(scripted(script((0, 2), (0.9, 3), (0, 2)), start=100.0)) == [(101.6, 105.2)]


def test_a_short_pause_does_not_part_and_a_longer_one_does() -> None:
    assert len(scripted(script((0, 1), (0.9, 1), (0, 0.5), (0.9, 1), (0, 1)))) == 1
    two = scripted(script((0, 1), (0.9, 1), (0, 0.75), (0.9, 1), (0, 1)))
    assert [each.number for each in two] == [1, 2]
    assert two[0].end <= two[1].start + 0.001


def test_speech_goes_on_at_a_probability_at_which_it_would_not_begin() -> None:
    assert scripted(script((0.45, 5))) == []
    assert len(scripted(script((0, 1), (0.9, 1), (0.4, 2), (0.9, 1), (0, 1)))) == 1


def test_a_click_is_no_speech() -> None:
    assert scripted(script((0, 1), (0.9, 0.05), (0, 2))) == []


def test_no_segment_is_longer_than_the_cap_and_the_cut_is_at_the_weakest_point() -> None:
    pcm = script((0, 1), (0.9, 11.5), (0.6, 0.3), (0.9, 12), (0, 1))
    first, second = scripted(pcm)
    assert first.end == pytest.approx(12.65, abs=0.15)
    assert first.seconds <= CAP_SECONDS
    assert second.start == pytest.approx(first.end, abs=0.001)
    assert second.continues
    assert not first.continues
    assert second.end == pytest.approx(25.0, abs=0.1)


def test_endless_speech_is_cut_without_losing_a_sample() -> None:
    found = scripted(script((0.9, 60)))
    assert len(found) >= 4
    assert all(a.end == pytest.approx(b.start, abs=0.001) for a, b in pairwise(found))
    assert sum(each.seconds for each in found) == pytest.approx(60, abs=WINDOW / RATE)


def test_a_gap_between_frames_closes_the_segment_and_time_goes_on_behind_it() -> None:
    detector = ScriptedDetector()
    segmenter = Segmenter(detector)
    assert segments(segmenter, script((0.9, 2)), flush=False) == []
    (before,) = segmenter.feed(7.0, script((0.9, 0.1)))
    assert before.end == pytest.approx(2.0, abs=WINDOW / RATE)
    (after,) = segments(segmenter, script((0.9, 1)), start=7.1)
    assert after.start == pytest.approx(7.0, abs=WINDOW / RATE)
    assert not after.continues
    assert detector.resets >= 2


def test_a_correction_of_the_clock_is_no_gap() -> None:
    segmenter = Segmenter(ScriptedDetector())
    segments(segmenter, script((0.9, 2)), flush=False)
    assert segmenter.feed(2.26, script((0.9, 0.1))) == []


def test_the_open_segment_ends_with_the_speech_that_was_heard() -> None:
    segmenter = Segmenter(ScriptedDetector())
    segments(segmenter, script((0, 1), (0.9, 1), (0, 0.5)), flush=False)
    opened = segmenter.open
    assert opened is not None
    assert spans([opened]) == [(0.6, 2.2)]
    assert segmenter.settled == pytest.approx(0.6, abs=0.05)
    segments(segmenter, script((0, 0.5)), start=2.5, flush=False)
    assert segmenter.open is None
    assert segmenter.settled >= 2.2


def test_sound_is_handed_on_as_it_came() -> None:
    rng = np.random.default_rng(3)
    pcm = (script((0, 1), (0.9, 2), (0, 1)) + rng.normal(0, 0.01, 4 * RATE)).astype(np.float32)
    (found,) = scripted(pcm)
    first = round(found.start * RATE)
    assert np.array_equal(found.pcm, pcm[first : first + len(found.pcm)])


# --- the real detector --------------------------------------------------------------------------------------------


def real(pcm: Samples) -> list[SpeechSegment]:
    return segments(Segmenter(SileroDetector()), pcm)


def noise(seconds: float, decibels: float) -> Samples:
    level = 10 ** (decibels / 20)
    return np.random.default_rng(1).normal(0, level, round(seconds * RATE)).astype(np.float32)


def hum(seconds: float) -> Samples:
    at = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * np.sin(2 * np.pi * 50 * at) + 0.03 * np.sin(2 * np.pi * 150 * at)).astype(np.float32)


@pytest.mark.parametrize(
    "sound", [lambda: silence(30), lambda: noise(30, -40), lambda: hum(30)], ids=["zeros", "noise", "hum"]
)
def test_what_is_no_speech_gives_nothing(sound: Callable[[], Samples]) -> None:
    assert real(sound()) == []


def test_sentences_are_found_where_they_are() -> None:
    clips = [decode(SPEECH / "en" / name) for name in ("6930-75918-0000.wav", "7902-96591-0000.wav")]
    pcm = np.concatenate((silence(2), clips[0], silence(2), clips[1], silence(2)))
    found = real(pcm)
    assert len(found) == 2
    begun, again = 2.0, 2.0 + len(clips[0]) / RATE + 2
    assert found[0].start == pytest.approx(begun, abs=0.6)
    assert found[1].start == pytest.approx(again, abs=0.6)


def test_frames_of_any_length_are_cut_alike() -> None:
    pcm = np.concatenate((silence(1), decode(SPEECH / "en" / "7902-96591-0000.wav"), silence(1)))
    (frames,) = real(pcm)
    segmenter = Segmenter(SileroDetector())
    (whole,) = segmenter.feed(0.0, pcm) + segmenter.flush()
    assert np.array_equal(frames.pcm, whole.pcm)
    assert frames.start == pytest.approx(whole.start, abs=0.001)
