"""What a server with OpenAI's ``/v1/audio/transcriptions`` answers: of a text, all; of the rest, what can be used.

Servers differ: the language is a code or a name, words stand beside the segments or inside them, and each field but
``text`` may be missing or of another type. Such a field counts as missing; without ``text`` there is no answer.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar
from unicodedata import category

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from meeting_buddy.contract.languages import WHISPER
from meeting_buddy.contract.text import spoken_text
from meeting_buddy.contract.transcript import MAX_TEXT
from meeting_buddy_bot.transcription.agreement import unspaced
from meeting_buddy_bot.transcription.engine import Decoding, TimedWord, repetition
from meeting_buddy_bot.transcription.messages import UNKNOWN_LANGUAGE

_MAX_WORD: Final = 100
"""Characters."""
MAX_WORDS: Final = 500
"""Of half a minute, and segments of it; more were not spoken by anybody."""

_NAMES: Final = (
    "af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, "
    "bn bengali, bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek, "
    "en english, es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician, "
    "gu gujarati, ha hausa, haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian, "
    "hy armenian, id indonesian, is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer, "
    "kn kannada, ko korean, la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, "
    "mi maori, mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay, mt maltese, my myanmar, ne nepali, "
    "nl dutch, nn nynorsk, no norwegian, oc occitan, pa punjabi, pl polish, ps pashto, pt portuguese, ro romanian, "
    "ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak, sl slovenian, sn shona, so somali, sq albanian, "
    "sr serbian, su sundanese, sv swedish, sw swahili, ta tamil, te telugu, tg tajik, th thai, tk turkmen, tl tagalog, "
    "tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek, vi vietnamese, yi yiddish, yo yoruba, yue cantonese, "
    "zh chinese"
)
"""Whisper's names, of openai/whisper ``tokenizer.py``: the API answers with them."""
_ALIASES: Final = "es castilian, nl flemish, zh mandarin, my burmese, jw jv, ro moldavian, ps pushto, pa panjabi"
"""Other names and codes of the same."""
CODES: Final[Mapping[str, str]] = {
    name: code for code, _, name in (entry.partition(" ") for entry in f"{_NAMES}, {_ALIASES}".split(", "))
}
"""Whisper's code by name."""


class AnswerError(Exception):
    """Not an answer of this API; the message quotes nothing of it."""


def _or_missing(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


_T = TypeVar("_T")
_Lenient = Annotated[_T | None, WrapValidator(_or_missing)]
"""``None`` for what has another type."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class _Word(_Model):
    word: str
    start: float
    end: float
    probability: _Lenient[Annotated[float, Field(ge=0, le=1)]] = None


_Words = Annotated[list[_Word], Field(max_length=MAX_WORDS)]


class _Segment(_Model):
    avg_logprob: _Lenient[float] = None
    no_speech_prob: _Lenient[Annotated[float, Field(ge=0, le=1)]] = None
    words: _Lenient[_Words] = None


_Segments = Annotated[list[_Segment], Field(max_length=MAX_WORDS)]


class _Answer(_Model):
    text: str
    language: _Lenient[str] = None
    segments: _Lenient[_Segments] = None
    words: _Lenient[_Words] = None


def decoding(content: bytes, asked: str | None) -> Decoding:
    """The decoding that an answer holds.

    Args:
        content: JSON, as ``response_format`` ``json`` or ``verbose_json`` gives it.
        asked: code of the language that was asked for; ``None``: it was to be detected.

    Raises:
        AnswerError: it is no such JSON.
    """
    try:
        answer = _Answer.model_validate_json(content)
    except ValidationError as error:
        # What pydantic says quotes the answer, in which anything may stand.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise AnswerError("is not JSON" if first["type"] == "json_invalid" else _fault(first["loc"])) from None
    text = spoken_text(answer.text, MAX_TEXT)
    segments = answer.segments or []
    parts = [answer.words] if answer.words else [segment.words for segment in segments if segment.words]
    logprobs = [each.avg_logprob for each in segments if each.avg_logprob is not None]
    return Decoding(
        text=text,
        language=_code(answer.language) or asked or UNKNOWN_LANGUAGE,
        words=_joined(parts),
        no_speech_probability=max((each.no_speech_prob or 0.0 for each in segments), default=0.0),
        average_logprob=sum(logprobs) / len(logprobs) if logprobs else 0.0,
        compression_ratio=repetition(text),
    )


def _fault(where: tuple[int | str, ...]) -> str:
    return f"has no usable {where[-1]}" if where else "is not a JSON object"


def _joined(parts: list[list[_Word]]) -> tuple[TimedWord, ...]:
    """Words, where whisper.cpp and others give the model's pieces: a piece that begins a word has a blank before it.

    The blank may be a piece of its own; the first piece of a part (a segment) may have lost it. Servers that part the
    words themselves leave all blanks away.
    """
    pieces = [(piece, index == 0) for part in parts for index, piece in enumerate(part)][:MAX_WORDS]
    in_pieces = any(piece.word[:1].isspace() for piece, _ in pieces[1:])
    found: list[TimedWord] = []
    blank = False
    for piece, first in pieces:
        timed = _timed(piece)
        blank = blank or piece.word[:1].isspace()
        if timed is None:
            continue
        begins = blank or unspaced(timed.text) or (first and not _closing(timed.text))
        if in_pieces and found and not begins:
            timed = _one(found.pop(), timed)
        found.append(timed)
        blank = False
    return tuple(found)


def _closing(text: str) -> bool:
    """Whether it is punctuation alone, of the kind that stands behind a word."""
    return all(category(letter) in ("Po", "Pe", "Pf") and letter not in "¿¡" for letter in text)


def _one(first: TimedWord, second: TimedWord) -> TimedWord:
    """The word that two pieces make, no surer than the less sure one."""
    sure = [each for each in (first.probability, second.probability) if each is not None]
    text = spoken_text(first.text + second.text, _MAX_WORD)
    return TimedWord(text, first.start, max(first.end, second.end), min(sure, default=None))


def _timed(word: _Word) -> TimedWord | None:
    text = spoken_text(word.word, _MAX_WORD)
    start = max(0.0, word.start)
    return TimedWord(text, start, max(start, word.end), word.probability) if text else None


def _code(language: str | None) -> str | None:
    """Whisper's code of what a server calls a language: ``en``, ``en-US``, ``English``."""
    name = (language or "").strip().lower()
    code = re.split(r"[-_]", name)[0]
    return CODES.get(name) or (code if code in WHISPER else CODES.get(code))
