"""The judgement of sound follows people's ears: what nobody hears passes, each kind of damage fails its measure.

Damage is done to real speech, so these tests also hold the limits: they were measured on these clips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.local.clone import SPEECH
from tests.local.media import correlation, hearing, likeness, probe, words
from tests.local.media.sound import RATE, Samples, Utterance, coarse_lag, decode, perfect_track
from tests.local.meetings.livekit.schedule import conversation, conversation_clips

FRAME = RATE // 50
Damage = Callable[[Samples], Samples]


@pytest.fixture(scope="module")
def spoken() -> list[Utterance]:
    """Five sentences of two people, in 28 seconds."""
    turns = islice(conversation(["Ada", "Grace"], conversation_clips(SPEECH / "en")), 5)
    return [Utterance(turn.clip.path, turn.start, turn.person) for turn in turns]


@pytest.fixture(scope="module")
def track(spoken: list[Utterance]) -> Samples:
    """What a perfect recording would hold, with a little noise of a room."""
    return in_a_room(perfect_track(spoken))


@pytest.fixture(scope="module")
def three(spoken: list[Utterance]) -> list[Utterance]:
    """The middle ones, the first after two seconds."""
    return [replace(one, start=one.start - spoken[1].start + 2) for one in spoken[1:4]]


@pytest.fixture(scope="module")
def track_of_three(three: list[Utterance]) -> Samples:
    return in_a_room(perfect_track(three))


def noise(level: float, length: int) -> Samples:
    return np.random.default_rng(1).normal(0, level, length).astype(np.float32)


def in_a_room(samples: Samples) -> Samples:
    return (samples + noise(1e-4, len(samples))).astype(np.float32)


def filtered(samples: Samples, graph: str, folder: Path) -> Samples:
    """What ffmpeg's audio filters make of it."""
    source = folder / "source.f32"
    source.write_bytes(samples.tobytes())
    shape = ("-f", "f32le", "-ar", str(RATE), "-ac", "1")
    return np.frombuffer(probe.run("ffmpeg", *shape, "-i", str(source), "-af", graph, *shape, "-"), np.float32)


def coded(samples: Samples, folder: Path, *encoder: str) -> Samples:
    """What a lossy codec leaves of it."""
    source, target = folder / "source.f32", folder / "coded.mkv"
    source.write_bytes(samples.tobytes())
    shape = ("-f", "f32le", "-ar", str(RATE), "-ac", "1")
    probe.run("ffmpeg", "-y", *shape, "-i", str(source), "-c:a", *encoder, str(target))
    return decode(target)


def silenced(samples: Samples, share: float) -> Samples:
    """Frames of 20 ms, as lost packets leave them, replaced by silence."""
    holed = samples.copy()
    count = len(holed) // FRAME
    for frame in np.random.default_rng(5).choice(count, round(count * share), replace=False):
        holed[frame * FRAME : (frame + 1) * FRAME] = 0
    return holed


def drowned(samples: Samples, spoken: list[Utterance]) -> Samples:
    """Noise as loud as the speech: 0 dB."""
    speech = np.concatenate([one.clip for one in spoken])
    return (samples + noise(float(np.sqrt(np.square(speech).mean())), len(samples))).astype(np.float32)


def without(samples: Samples, utterance: Utterance) -> Samples:
    lost = samples.copy()
    lost[round(utterance.start * RATE) : round(utterance.end * RATE)] = 0
    return lost


def slower(spoken: list[Utterance], tempo: float) -> list[Utterance]:
    """The schedule of a track whose tempo was changed; the clips stay as they are."""
    return [Utterance(one.path, one.start / tempo, one.speaker) for one in spoken]


@pytest.mark.parametrize("tempo", [0.95, 1.05])
def test_another_tempo_passes_both_measures(
    tmp_path: Path, track_of_three: Samples, three: list[Utterance], tempo: float
) -> None:
    heard = hearing.compare(filtered(track_of_three, f"atempo={tempo}", tmp_path), slower(three, tempo), lag=0.0)
    assert len(heard.likeness.passages) == len(three)
    assert heard.words.error_rate <= 0.05, heard.table()
    assert heard.words.passed
    assert heard.likeness.passed, heard.table()
    assert np.median([window.correlation for window in heard.correlation.windows]) < 0.8  # why it does not judge


def test_a_lost_sentence_fails_both_measures(track_of_three: Samples, three: list[Utterance]) -> None:
    shortest = min(three, key=lambda one: len(one.clip))
    heard = hearing.compare(without(track_of_three, shortest), three, lag=0.0)
    assert [one.path for one in heard.words.lost] == [shortest.path]
    assert not heard.words.passed
    assert not heard.likeness.passed
    share = {passage.utterance: passage.share for passage in heard.likeness.passages}
    assert share[shortest] < 0.1
    assert min(value for utterance, value in share.items() if utterance != shortest) > 0.98


def test_silent_packets_fail_the_likeness(track: Samples, spoken: list[Utterance]) -> None:
    assert likeness.compare(track, spoken, 0.0).share > 0.99
    assert not likeness.compare(silenced(track, 0.05), spoken, 0.0).passed


def test_noise_as_loud_as_the_speech_fails_the_likeness(track: Samples, spoken: list[Utterance]) -> None:
    assert likeness.compare(drowned(track, spoken), spoken, 0.0).share < 0.1


@pytest.mark.parametrize(
    "damage",
    [
        lambda track: np.zeros_like(track),
        lambda track: noise(0.1, len(track)),
        lambda track: track[::-1].copy(),
        lambda track: np.roll(track, 4 * RATE),
    ],
    ids=["silent", "noise", "wrong words", "another place"],
)
def test_what_is_no_speech_of_this_schedule_is_not_present(
    track: Samples, spoken: list[Utterance], damage: Damage
) -> None:
    assert likeness.compare(damage(track), spoken, 0.0).share < 0.5


def test_what_nobody_hears_is_no_damage(tmp_path: Path, track_of_three: Samples, three: list[Utterance]) -> None:
    voice = coded(track_of_three, tmp_path, "libopus", "-b:a", "32k", "-application", "voip")
    stored = coded(voice, tmp_path, "aac", "-b:a", "96k")
    assert likeness.compare(stored, three, 0.0).passed
    assert likeness.compare((track_of_three * 0.25).astype(np.float32), three, 0.0).passed
    pieces = [track_of_three[at : at + 2 * RATE] for at in range(0, len(track_of_three), 2 * RATE)]
    tempos = (0.8, 4 / 3)  # two pieces last as long as before
    stretched = [filtered(piece, f"atempo={tempos[n % 2]}", tmp_path) for n, piece in enumerate(pieces)]
    assert likeness.compare(np.concatenate(stretched), three, 0.0).passed


@pytest.mark.parametrize("lag", [0.0, 0.7, 4.25, -1.5])
def test_a_recording_may_begin_anywhere(track: Samples, spoken: list[Utterance], lag: float) -> None:
    ahead = np.zeros(max(round(lag * RATE), 0), np.float32)
    recording = np.concatenate((ahead, track[max(round(-lag * RATE), 0) :]))
    assert coarse_lag(recording, spoken) == pytest.approx(lag, abs=0.011)
    alike = likeness.compare(recording, spoken, lag + 1.2)  # farther from the truth than a busy machine's transport
    assert alike.share > 0.99
    assert {round(passage.lag - lag, 2) + 0.0 for passage in alike.passages} <= {-0.01, 0.0, 0.01}
    exact = correlation.compare(recording, spoken, lag)
    assert all(window.correlation > 0.99 for window in exact.windows)
    assert [window.lag for window in exact.windows] == pytest.approx([lag] * len(exact.windows), abs=0.001)


def test_utterances_outside_the_recording_do_not_count(track: Samples, spoken: list[Utterance]) -> None:
    middle = track[round((spoken[1].start - 0.5) * RATE) : round((spoken[3].end + 0.5) * RATE)]
    heard = hearing.compare(middle, spoken, lag=0.5 - spoken[1].start)
    assert [passage.utterance for passage in heard.likeness.passages] == spoken[1:4]
    assert heard.words.passed, heard.table()


def test_nothing_spoken_inside_the_recording_is_no_pass(spoken: list[Utterance]) -> None:
    heard = hearing.compare(np.zeros(RATE, np.float32), spoken, lag=0.0)
    assert heard.likeness.passages == ()
    assert not heard.words.passed
    assert not heard.likeness.passed


def test_words_are_counted_as_the_field_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """One substituted, one lost, one added word; spelling is no error."""
    coast, tents = (SPEECH / "en" / f"{name}.wav" for name in ("7902-96591-0000", "6930-75918-0000"))
    heard = iter(("I'm from the cutter flying off coast.", "Concord returned to its own place, amidst the tents."))
    monkeypatch.setattr(words, "transcribe", lambda _samples: next(heard))
    counted = words.compare(np.zeros(20 * RATE, np.float32), [Utterance(tents, 10), Utterance(coast, 0)])
    assert (counted.wrong, counted.spoken, counted.lost) == (3, 17, ())


def test_two_who_speak_at_once_are_refused(spoken: list[Utterance], track: Samples) -> None:
    with pytest.raises(ValueError, match="overlap"):
        hearing.compare(track, [spoken[0], Utterance(spoken[1].path, spoken[0].end - 0.1)], lag=0.0)


def test_an_utterance_that_comes_so_late_that_it_touches_the_next_one_is_judged(spoken: list[Utterance]) -> None:
    first = Utterance(spoken[0].path, 1.0)
    second = Utterance(spoken[1].path, first.end + 0.4)
    late = [replace(first, start=first.start + 0.6), replace(second, start=second.start + 0.1)]
    recording = np.concatenate((perfect_track(late), np.zeros(2 * RATE, np.float32)))
    heard = hearing.compare(recording, [first, second], lag=0.0)
    assert heard.likeness.passed, heard.table()
