"""The transcriber as a process, with the real voice detector and Whisper base: what is understood, never how fast."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from meeting_buddy_bot.recording.audio_source import FRAME_SECONDS
from meeting_buddy_bot.transcription.messages import (
    MESSAGES,
    Fault,
    Message,
    Missed,
    Partial,
    Progress,
    Ready,
    TranscriberConfig,
    Utterance,
)
from meeting_buddy_bot.transcription.sparing import MAX_BEHIND_SECONDS
from tests.local.clone import SPEECH
from tests.local.media import speech_server, transcriber
from tests.local.media.probe import run
from tests.local.media.sound import RATE, Samples, decode
from tests.local.media.speech_model import model_folder
from tests.local.media.speech_server import Answer, Request, SpeechServer
from tests.support.awaiting import wait_until

BEGINNING = 100.0
"""Of the sound, on the session's clock."""
CLIPS = sorted((SPEECH / "en").glob("*.wav"))
MAX_WRONG = 0.08

pytestmark = pytest.mark.timeout(1800)  # the process is niced: on a busy machine it waits for everybody else


def config(language: str = "en", model: str | None = None) -> TranscriberConfig:
    found = transcriber.config(language)
    return found if model is None else found.model_copy(update={"model": model})


def frames(pcm: Samples, start: float = BEGINNING) -> bytes:
    return b"".join(transcriber.frames(pcm, start))


def transcribed(sound: bytes, asked: TranscriberConfig, *options: str) -> tuple[int, list[Message]]:
    """Exit code and messages of a process that was given all of the sound at once."""
    done = subprocess.run(transcriber.argv(asked, *options), input=sound, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr.decode()
    return done.returncode, [MESSAGES.validate_json(line) for line in done.stdout.splitlines()]


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def utterances(messages: Sequence[Message]) -> list[Utterance]:
    return [each for each in messages if isinstance(each, Utterance)]


def spoken(clips: Sequence[Path]) -> tuple[Samples, str]:
    """Sentences with pauses, and their words."""
    parts = [part for clip in clips for part in (decode(clip), silence(1.2))]
    return np.concatenate(parts), " ".join(clip.with_suffix(".txt").read_text() for clip in clips)


def wrong(expected: str, messages: Sequence[Message]) -> float:
    """Share of words that are missing, wrong or too many."""
    normal = EnglishTextNormalizer()
    return float(jiwer.wer(normal(expected), normal(" ".join(each.text for each in utterances(messages)))))


@pytest.fixture(scope="module")
def half_minute() -> tuple[Samples, str]:
    """Four sentences: with partial texts, each is decoded many times."""
    return spoken(CLIPS[:4])


@pytest.fixture(scope="module")
def understood(half_minute: tuple[Samples, str]) -> list[Message]:
    """What is said of them."""
    code, messages = transcribed(frames(half_minute[0]), config(), "--offline")
    assert code == 0
    return messages


def test_half_a_minute_of_speech_is_understood(understood: list[Message], half_minute: tuple[Samples, str]) -> None:
    sound, text = half_minute
    last = understood[-1]
    assert isinstance(last, Progress)
    print(
        f"{wrong(text, understood):.1%} of the words wrong, "
        f"{last.cpu_seconds / (len(sound) / RATE):.2f} CPU s per second of sound"
    )
    assert wrong(text, understood) <= MAX_WRONG, utterances(understood)
    assert isinstance(understood[0], Ready)
    assert last.done == last.heard == pytest.approx(BEGINNING + len(sound) / RATE, abs=FRAME_SECONDS)


def test_what_was_committed_stays_until_the_final_and_revisions_rise(understood: list[Message]) -> None:
    said: dict[int, list[Partial | Utterance]] = {}
    for each in understood:
        if isinstance(each, Partial | Utterance):
            said.setdefault(each.segment, []).append(each)
    assert list(said) == sorted(said)
    for segment in said.values():
        assert [each.revision for each in segment] == list(range(1, len(segment) + 1))
        assert [isinstance(each, Utterance) for each in segment] == [False] * (len(segment) - 1) + [True]
        prefixes = [each.text[: each.committed] for each in segment if isinstance(each, Partial)]
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(prefixes)), prefixes
    committed = [each for each in understood if isinstance(each, Partial) and each.committed]
    assert len(committed) > len(said)


def test_words_of_a_final_lie_inside_it_and_in_order(understood: list[Message]) -> None:
    for each in utterances(understood):
        assert " ".join(word.text for word in each.words).split() == each.text.split()
        assert all(a.start <= b.start for a, b in itertools.pairwise(each.words))
        assert each.start <= each.words[0].start
        assert each.words[-1].end <= each.end
    assert all(a.end <= b.start + 0.001 for a, b in itertools.pairwise(utterances(understood)))


def test_zeros_noise_and_hum_say_nothing() -> None:
    noise = np.random.default_rng(1).normal(0, 10 ** (-40 / 20), 30 * RATE).astype(np.float32)
    hum = (0.1 * np.sin(2 * np.pi * 50 * np.arange(30 * RATE) / RATE)).astype(np.float32)
    code, messages = transcribed(frames(np.concatenate((silence(30), noise, hum))), config())
    assert code == 0
    assert not [each for each in messages if not isinstance(each, Ready | Progress)]


@pytest.mark.parametrize("voice", ["slt", "awb", "rms"])  # flite's "kal" says something like "yeah", loud or quiet
def test_one_quiet_word_is_heard(voice: str) -> None:
    source = f"flite=text=Yes.:voice={voice}"
    said = run("ffmpeg", "-f", "lavfi", "-i", source, "-ar", str(RATE), "-ac", "1", "-f", "f32le", "-")
    word = np.frombuffer(said, np.float32)
    loud = word[np.abs(word) > 0.05 * np.abs(word).max()]
    quiet = word * np.float32(10 ** (-35 / 20) / np.sqrt(np.mean(np.square(loud))))
    hiss = np.random.default_rng(1).normal(0, 10 ** (-70 / 20), len(quiet) + 4 * RATE).astype(np.float32)
    room = hiss + np.concatenate((silence(2), quiet, silence(2)))
    code, messages = transcribed(frames(room), config())
    assert code == 0
    assert [EnglishTextNormalizer()(each.text) for each in utterances(messages)] == ["yes"], messages


def test_a_language_that_is_not_given_is_found() -> None:
    clip = decode(SPEECH / "de" / "thorsten3.wav")
    _, messages = transcribed(frames(np.concatenate((silence(1), clip, silence(1)))), config("auto"))
    assert {each.language for each in utterances(messages)} == {"de"}


def test_speech_that_comes_faster_than_it_can_be_decoded_waits() -> None:
    sound, text = spoken([*CLIPS, *CLIPS[:2]])  # every clip, and no more than may wait
    assert 55 < len(sound) / RATE <= MAX_BEHIND_SECONDS
    code, messages = transcribed(frames(sound), config())
    assert code == 0
    assert not [each for each in messages if isinstance(each, Missed)]
    assert wrong(text, messages) <= MAX_WRONG, utterances(messages)
    assert sum(each.end - each.start for each in utterances(messages)) > 40
    last = messages[-1]
    assert isinstance(last, Progress)
    assert last.done == last.heard


STALLED = """
import sys, time
from meeting_buddy_bot.transcription import process, shortage

def clock():
    return time.monotonic() * 1e6  # however quickly all is decoded here, it has been so for long

def throttled():
    return clock(), clock()

process.ShortageGauge = lambda: shortage.ShortageGauge(clock, lambda: None, throttled, clock)
sys.exit(process.main())
"""
"""The process on a node where something always waits for a processor, and where its own limit always stops it."""


def test_where_processors_are_short_all_is_understood_and_it_says_that_it_spares() -> None:
    sound = np.concatenate((silence(3), decode(SPEECH / "en" / "jfk.wav"), silence(1)))
    argv = [sys.executable, "-c", STALLED, config().model_dump_json()]
    done = subprocess.run(argv, input=frames(sound), capture_output=True, check=True)
    messages = [MESSAGES.validate_json(line) for line in done.stdout.splitlines()]
    normal = EnglishTextNormalizer()
    text = " ".join(each.text for each in utterances(messages))
    assert normal(text) == normal((SPEECH / "en" / "jfk.txt").read_text())
    spares = [each.spares for each in messages if isinstance(each, Progress)]
    assert spares[0] is False
    assert spares[-1] is True


def test_a_slow_server_is_asked_for_partial_texts_all_the_same() -> None:
    def decoder(samples: Samples, request: Request) -> Answer:
        return {"text": f"{len(samples)} samples", "language": "english"}

    sound = np.concatenate((silence(1), decode(SPEECH / "en" / "jfk.wav"), silence(1)))
    with SpeechServer(decoder) as server:
        server.fail(speech_server.Fault.SLOW)
        asked = TranscriberConfig(engine="openai", model="whisper-1", base_url=server.url)
        messages = [message for _, message in transcriber.in_real_time(transcriber.frames(sound), asked, lead=2)]
    assert len([each for each in messages if isinstance(each, Partial)]) > 1
    assert not [each for each in messages if isinstance(each, Progress) and each.spares]


BROKEN = """
import sys
from meeting_buddy_bot.transcription import engines, process

def build(config):
    raise RuntimeError("words that somebody spoke")

engines.build = build
code = process.main()
sys.stdout.flush()
process.os._exit(code)
"""


def test_what_ends_the_process_is_named_in_its_last_line() -> None:
    argv = [sys.executable, "-c", BROKEN, config().model_dump_json()]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.wait(60) == 1, "while its input is still open"
        assert running.stderr is not None
        last = running.stderr.read().decode().splitlines()[-1]
    assert "RuntimeError in " in last
    assert "spoke" not in last


IMPATIENT = """
import sys
from meeting_buddy_bot.transcription import process

process.LONGEST_DECODING = 2.0
sys.exit(process.main())
"""


def test_a_process_whose_decoding_does_not_end_gives_up_for_the_next_one() -> None:
    """Such as with a server that sends a head without end, a byte each second."""
    asked, over = [], threading.Event()

    def decoder(samples: Samples, request: Request) -> Answer:
        asked.append(request)
        over.wait(60)
        return {"text": "", "language": "english"}

    with SpeechServer(decoder) as server:
        configured = TranscriberConfig(engine="openai", model="whisper-1", base_url=server.url)
        sound = frames(np.concatenate((silence(1), decode(SPEECH / "en" / "jfk.wav"), silence(1))))
        argv = [sys.executable, "-c", IMPATIENT, configured.model_dump_json()]
        done = subprocess.run(argv, input=sound, capture_output=True, check=False)
        over.set()
    assert asked
    assert (done.returncode, done.stderr.decode().splitlines()[-1:]) == (
        1,
        ["ERROR:meeting_buddy_bot.transcription.process:a decoding did not end within 2 s"],
    )


def test_a_process_that_is_killed_leaves_whole_lines(half_minute: tuple[Samples, str], tmp_path: Path) -> None:
    output = tmp_path / "said"
    with output.open("wb") as stream:
        process = subprocess.Popen(transcriber.argv(config()), stdin=subprocess.PIPE, stdout=stream)
        try:
            assert process.stdin is not None
            process.stdin.write(frames(half_minute[0][: 20 * RATE]))
            process.stdin.flush()
            wait_until(lambda: process.poll() is not None or b"utterance" in output.read_bytes(), "an utterance", 600)
            assert process.poll() is None
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == -signal.SIGKILL
    written = output.read_bytes()
    assert written.endswith(b"\n")
    assert utterances([MESSAGES.validate_json(line) for line in written.splitlines()])


def test_a_model_without_its_tokenizer_is_none(tmp_path: Path) -> None:
    (tmp_path / "model.bin").symlink_to(model_folder() / "model.bin")
    (tmp_path / "config.json").symlink_to(model_folder() / "config.json")
    code, (fault,) = transcribed(b"", config(model=str(tmp_path)))
    assert code == 1
    assert isinstance(fault, Fault)
    assert fault.reason == "NoModel", "faster-whisper would ask a hub for one"


@pytest.mark.parametrize(
    ("language", "model", "reason", "advice"),
    [
        ("en", "/nowhere/whisper", "NoModel", "no speech model in /nowhere/whisper"),
        ("en", "", "NoModel", "use an image with one"),
        ("xx", None, "LanguageNotSupported", "choose another"),
        ("yue", None, "LanguageNotSupported", "choose another"),
    ],
)
def test_what_cannot_work_is_said_at_once(language: str, model: str | None, reason: str, advice: str) -> None:
    code, messages = transcribed(b"", config(language, model))
    (fault,) = messages
    assert code == 1
    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert advice in fault.message
