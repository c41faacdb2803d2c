"""What turns sound into words: one blocking call, made in one thread, so that another engine is another class here."""

import zlib
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""Mono at 16 kHz, -1 to 1."""

LOOPING: Final = 2.4
"""Of :func:`repetition`, above which a text repeats itself; Whisper's own limit. A loop of ten has more than six."""


def repetition(text: str) -> float:
    """How much shorter the text becomes when what it repeats is written once: less than 1.6 for speech of any language.

    Whisper compresses UTF-8, in which plain Tamil, Burmese or Georgian is three bytes a letter and takes half as many.
    Here each character counts the same, whatever its script.
    """
    numbers: dict[str, int] = {}
    for character in text:
        numbers.setdefault(character, len(numbers))
    width = 1 if len(numbers) <= 256 else 3
    raw = b"".join(numbers[character].to_bytes(width) for character in text)
    return len(text) / len(zlib.compress(raw)) if text else 0.0


class EngineError(Exception):
    """The engine cannot do its work; the message is for people and free of keys."""

    def __init__(
        self,
        reason: Literal["NoModel", "LanguageNotSupported", "ServerFailed"],
        cause: str,
        remedy: str = "",
        kind: str = "",
        *,
        passes: bool = False,
    ) -> None:
        """The message is ``cause`` and ``remedy``.

        Args:
            reason: as the report gives it.
            cause: what is wrong.
            remedy: what somebody can do about it.
            kind: what two failures have in common that differ in their words alone; empty: the words.
            passes: it is not about this sound, and may be over in a while.
        """
        super().__init__(f"{cause}: {remedy}" if remedy else cause)
        self.reason = reason
        self.cause = cause
        self.kind = kind or str(self)
        self.passes = passes


@dataclass(frozen=True, slots=True)
class TimedWord:
    """One word, in seconds from the start of the sound that was given."""

    text: str
    start: float
    end: float
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """What an engine understood, and how sure it was: what tells speech from text that was made up."""

    text: str
    language: str
    words: tuple[TimedWord, ...] = ()
    """Of final decodings only."""
    no_speech_probability: float = 0.0
    average_logprob: float = 0.0
    compression_ratio: float = 1.0
    """Of the text, by :func:`repetition`: high when the engine repeats itself."""
    language_probability: float = 1.0
    """That it is this language, where it was detected."""


class Engine(Protocol):
    """Words of sound."""

    @property
    def name(self) -> str:
        """As the configuration calls it."""

    @property
    def model(self) -> str:
        """For people."""

    @property
    def languages(self) -> frozenset[str]:
        """Codes that it can be asked for; empty when only the other side knows."""

    def transcribe(self, pcm: Samples, *, final: bool, prompt: str | None) -> Decoding:
        """Decode a stretch of speech of at most half a minute. Blocking.

        Args:
            pcm: the sound.
            final: with all care, and with the times of words; otherwise as fast as can be.
            prompt: what was said directly before.

        Raises:
            EngineError: not this time.
        """

    def settle(self, decoding: Decoding) -> None:
        """The text of this decoding stays: what it tells of the language holds for those that follow."""
