"""Languages of a transcript: Whisper's codes, an optional region, or ``auto``."""

import re
from functools import cache
from pathlib import PurePosixPath
from typing import Final

WHISPER: Final[frozenset[str]] = frozenset(
    (  # noqa: SIM905 -- a hundred quoted codes would be a hundred lines
        "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy "
        "id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru "
        "sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh"
    ).split()
)
"""The hundred codes that Whisper knows, of openai/whisper ``tokenizer.py``."""

_ADDED_LAST: Final = frozenset({"yue"})
"""What only the models from large-v3 on know."""
_NAMED_BY_SIZE: Final = (
    # By the words of a model's name, which are told apart by what is neither a letter nor a digit.
    (("large", "v3"), WHISPER),
    (("turbo",), WHISPER),
    (("large", "v1"), WHISPER - _ADDED_LAST),
    (("large", "v2"), WHISPER - _ADDED_LAST),
    (("tiny",), WHISPER - _ADDED_LAST),
    (("base",), WHISPER - _ADDED_LAST),
    (("small",), WHISPER - _ADDED_LAST),
    (("medium",), WHISPER - _ADDED_LAST),
)

AUTO: Final = "auto"

_CODE: Final = "|".join(sorted(WHISPER))

CODE_PATTERN: Final = f"^({_CODE})$"
"""One of the codes, as a regular expression."""
PATTERN: Final = rf"^(auto|({_CODE})(-[A-Z]{{2}})?)$"
"""A language of a session: a code with or without a region, or ``auto``; for the CRD's schema, too."""


def whisper_code(language: str) -> str | None:
    """Code to hand to the engine: ``de-DE`` → ``de``; ``None`` for ``auto``.

    Raises:
        ValueError: ``language`` is none of the contract's languages.
    """
    if not re.fullmatch(PATTERN, language):
        raise ValueError(f"unknown language {language!r}: use a code such as en, de or de-DE, or auto")
    return None if language == AUTO else language.partition("-")[0]


@cache
def known_languages(model: str) -> frozenset[str] | None:
    """Codes that a model knows, by its name and the way in which Whisper's models are named; ``None``: it says nothing.

    ``model`` is a name or a folder, such as ``/models/faster-whisper-base.en`` or ``large-v3``. What is named after a
    size but was trained for less (Distil-Whisper) says nothing.
    """
    name = PurePosixPath(model.lower()).name
    if re.search(r"\b(tiny|base|small|medium)\.en\b", name) or name.endswith(".en"):
        return frozenset({"en"})
    words = set(re.split(r"[^a-z0-9]+", name))
    if "distil" in words:
        return None
    return next((known for parts, known in _NAMED_BY_SIZE if words.issuperset(parts)), None)
