"""Languages of a transcript."""

import re

import pytest

from meeting_buddy.contract.languages import PATTERN, WHISPER, whisper_code


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
