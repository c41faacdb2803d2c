"""Languages of a transcript."""

import re

import pytest

from meeting_buddy.contract.languages import PATTERN, WHISPER, known_languages, whisper_code


@pytest.mark.parametrize(
    ("language", "code"),
    [("en", "en"), ("de-DE", "de"), ("pt-BR", "pt"), ("yue", "yue"), ("haw-US", "haw"), ("auto", None)],
)
def test_code_for_the_engine(language: str, code: str | None) -> None:
    assert whisper_code(language) == code


@pytest.mark.parametrize("language", ["", "english", "EN", "en-us", "en_US", "xx", "auto-DE", "en-USA", "en ", "en\n"])
def test_anything_else_is_refused_with_advice(language: str) -> None:
    with pytest.raises(ValueError, match="or auto"):
        whisper_code(language)


def test_whispers_hundred_codes_all_fit_the_schemas_pattern() -> None:
    assert len(WHISPER) == 100
    assert all(re.fullmatch(PATTERN, code) for code in WHISPER)


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("/models/whisper-base.en", {"en"}),
        ("Systran/faster-whisper-tiny.en", {"en"}),
        ("distil-small.en", {"en"}),
        ("ggml-base.en-q5_1.bin", {"en"}),
        ("ggml-small.en-tdrz.bin", {"en"}),
        ("/models/faster-whisper-base/", WHISPER - {"yue"}),
        ("small", WHISPER - {"yue"}),
        ("Whisper-Medium-int8", WHISPER - {"yue"}),
        ("faster-whisper-large-v1", WHISPER - {"yue"}),
        ("large_v2", WHISPER - {"yue"}),
        ("Systran/faster-whisper-large-v3", WHISPER),
        ("large-v3-turbo", WHISPER),
        ("turbo", WHISPER),
        ("large", None),  # of whichever version is the newest
        ("/models/whisper", None),
        ("/models/base/ours", None),
        ("database", None),
        ("whisper-1", None),
        ("distil-large-v3", None),
        ("", None),
    ],
)
def test_what_a_models_name_says_of_its_languages(model: str, known: set[str] | None) -> None:
    assert known_languages(model) == known
