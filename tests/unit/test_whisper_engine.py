"""The engine around faster-whisper, with a decoder that says what the test wrote: no model is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faster_whisper
import faster_whisper.transcribe
import numpy as np
import pytest

from meeting_buddy_bot.recording.audio_source import RATE
from meeting_buddy_bot.transcription.engine import LOOPING, repetition
from meeting_buddy_bot.transcription.messages import TranscriberConfig
from meeting_buddy_bot.transcription.whisper_engine import WhisperEngine
from tests.unit.test_invented import LOOPS, PLAIN

PROMPT = 3
"""Tokens, at least."""


class Model:
    """In the place of ``WhisperModel``."""

    max_length = 448
    supported_languages = ("en", "ta", "my")
    model = SimpleNamespace(is_multilingual=True)

    def __init__(self, *given: Any, **named: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self.goes: list[list[str]] = [["Ask not."]]
        """Texts of the segments of each go at the sound."""
        self.hf_tokenizer = SimpleNamespace(
            token_to_id=lambda token: 1, encode=lambda text: SimpleNamespace(ids=text.split())
        )

    def encode(self, features: Any) -> Any:
        return features

    def transcribe(self, pcm: Any, **options: Any) -> tuple[Iterator[Any], Any]:
        self.asked.append(options)
        found = [
            SimpleNamespace(
                text=text,
                seek=seek,
                tokens=[1],
                words=[],
                no_speech_prob=0.0,
                avg_logprob=-0.2,
                compression_ratio=len(text.encode()) / 40,
            )
            for seek, texts in enumerate(self.goes)
            for text in texts
        ]
        return iter(found), SimpleNamespace(language="ta", language_probability=1.0)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WhisperEngine:
    return make(monkeypatch, tmp_path)


def make(monkeypatch: pytest.MonkeyPatch, folder: Path, language: str = "auto", *vocabulary: str) -> WhisperEngine:
    for name in ("model.bin", "tokenizer.json"):
        (folder / name).touch()
    monkeypatch.setattr(faster_whisper, "WhisperModel", Model)
    monkeypatch.setattr(
        faster_whisper.transcribe, "get_compression_ratio", faster_whisper.transcribe.get_compression_ratio
    )
    return WhisperEngine(TranscriberConfig(model=str(folder), language=language, vocabulary=vocabulary))


def sound(seconds: float) -> Any:
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.mark.parametrize("language", PLAIN)
def test_plain_speech_repeats_nothing_in_any_script(engine: WhisperEngine, language: str) -> None:
    engine._whisper.goes = [[PLAIN[language]]]
    assert engine.transcribe(sound(12), final=True, prompt=None).compression_ratio < LOOPING
    assert len(engine._whisper.asked) == 1  # it was not doubted either


def test_what_repeats_itself_is_decoded_with_all_of_the_context(engine: WhisperEngine) -> None:
    engine._whisper.goes = [["Ask not."], [" Thank you very much."] * 10]  # a go is parted at the times in it
    assert engine.transcribe(sound(3), final=True, prompt=None).compression_ratio > LOOPING
    assert len(engine._whisper.asked) == 2


@pytest.mark.parametrize(("said", "tries"), [*((PLAIN[each], 1) for each in PLAIN), *((each, 3) for each in LOOPS)])
@pytest.mark.usefixtures("engine")
def test_only_what_repeats_itself_is_decoded_warmer(said: str, tries: int) -> None:
    asked: list[float] = []

    def generate(*_: Any, **options: Any) -> list[Any]:
        asked.append(options.get("sampling_temperature", 0.0))
        return [SimpleNamespace(sequences_ids=[[1] * 50], scores=[-0.2], no_speech_prob=0.0)]

    whisper = SimpleNamespace(
        time_precision=0.02, max_length=448, model=SimpleNamespace(generate=generate), logger=logging.getLogger("test")
    )
    options = SimpleNamespace(
        max_initial_timestamp=1.0,
        max_new_tokens=None,
        temperatures=(0.0, 0.2, 0.4),
        beam_size=5,
        best_of=1,
        patience=1,
        length_penalty=1,
        repetition_penalty=1,
        no_repeat_ngram_size=0,
        suppress_blank=True,
        suppress_tokens=[],
        compression_ratio_threshold=LOOPING,
        log_prob_threshold=-1.0,
        no_speech_threshold=0.6,
    )
    tokenizer: Any = SimpleNamespace(decode=lambda _: said)
    library: Any = faster_whisper.transcribe.WhisperModel
    *_, ratio = library.generate_with_fallback(whisper, None, [1, 2, 3], tokenizer, options)
    assert len(asked) == tries
    assert ratio == repetition(said.strip())


@pytest.mark.parametrize(
    ("language", "seconds", "least"),
    [("en", 4, 55), ("my", 4, 200), ("auto", 4, 200), ("ta", 2, 55), ("en", 15, 160)],
)
@pytest.mark.parametrize("final", [True, False])
def test_no_script_is_cut_for_its_many_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: str, seconds: float, least: int, final: bool
) -> None:
    engine = make(monkeypatch, tmp_path, language)
    engine.transcribe(sound(seconds), final=final, prompt=None)
    [asked] = engine._whisper.asked
    assert (PROMPT + asked["max_new_tokens"]) // 2 >= least  # as CTranslate2 understands it


def test_one_short_sound_keeps_a_decoder_that_runs_in_circles_busy_for_a_moment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for language, most in (("en", 30), ("ta", 40), ("my", 70)):
        engine = make(monkeypatch, tmp_path, language)
        engine.transcribe(sound(1), final=True, prompt=None)
        assert (PROMPT + engine._whisper.asked[0]["max_new_tokens"]) // 2 <= most


def test_prompt_and_text_fit_into_the_decoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = make(monkeypatch, tmp_path, "my", *(f"word{n}" for n in range(150)))
    engine.transcribe(sound(15), final=True, prompt="so " * 90)
    [asked] = engine._whisper.asked
    told = [*asked["hotwords"].split(), *asked["initial_prompt"].split()]
    assert len(told) == 160
    assert len(told) + 5 + asked["max_new_tokens"] <= Model.max_length
