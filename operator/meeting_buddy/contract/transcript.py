"""The transcript's lines: what ``transcript.jsonl`` holds, and what ``GET /v1/transcript`` streams.

A line is one segment of speech, from a pause to the next. A later line with the same ``segment`` and a higher
``revision`` takes its place (a name that became known late); readers take the last. Times are seconds on the session's
clock, as in ``manifest.jsonl`` and ``events.jsonl``.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import Field

from meeting_buddy.contract.wire import ContractModel, Timestamp

TRANSCRIPT_FILE: Final = "transcript.jsonl"
MAX_TEXT: Final = 4000
"""Characters of one line's text: no segment lasts longer than half a minute."""


class SpeakerSource(StrEnum):
    """How a line's speaker is known."""

    TRACK = "track"
    """The sound was one person's own."""
    HINTS = "hints"
    """The page showed who spoke at that time."""
    UNKNOWN = "unknown"


def whole_segment(name: str) -> str:
    """Name of the segment that a line's ``segment`` names, or names a part of: ``12`` of ``12b``."""
    return name.rstrip("abcdefghijklmnopqrstuvwxyz")


class Word(ContractModel):
    """One word of a final line."""

    text: str
    """As the engine writes it, without blanks around it."""
    start: float
    end: float
    probability: float | None = Field(None, ge=0, le=1)


class TranscriptLine(ContractModel):
    """One segment of speech, or the part of one that one person spoke."""

    segment: str
    """Names the segment within the session, such as ``12`` or ``12b``."""
    revision: int = Field(ge=1)
    final: bool
    """``False``: the text may still change; such lines are streamed and never stored."""
    speaker: str | None = None
    """As the page shows the name; ``None``: nobody can be named."""
    source: SpeakerSource = SpeakerSource.UNKNOWN
    start: float
    end: float
    at: Timestamp
    """``start`` in UTC."""
    language: str
    """Whisper's code of the language, such as ``en``; ``und`` where a server does not say which it detected."""
    text: str = Field(max_length=MAX_TEXT)
    words: tuple[Word, ...] = ()
    committed: int = Field(0, ge=0)
    """Of a line that is not final: so many characters at the text's start will not change any more."""


@dataclass(slots=True)
class NumberedLines:
    """The lines of ``transcript.jsonl`` with their numbers, from its pieces in order.

    A line's number is its place in the file, from 1. A line that is torn keeps its number; one that the volume took
    twice, since it refused to make it durable the first time, has one number.
    """

    number: int = 0
    """Of the last line that was read."""
    _last: bytes = b""
    _rest: bytes = field(default=b"", repr=False)
    """A line's beginning; its end is not read yet, or not there."""

    def feed(self, piece: bytes) -> list[tuple[int, str]]:
        """The lines that end in this piece, each a JSON object on one line, without those that are none."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        lines = []
        for raw in whole:
            if raw == self._last:
                continue
            self._last = raw
            self.number += 1
            if (text := _document(raw)) is not None:
                lines.append((self.number, text))
        return lines

    @property
    def open(self) -> int:
        """Bytes at hand of a line whose end was not read."""
        return len(self._rest)


def _document(raw: bytes) -> str | None:
    try:
        text = raw.decode()
        # A carriage return, which JSON has between tokens alone, would end a line of an event.
        return text.replace("\r", " ") if isinstance(json.loads(text), dict) else None
    except (ValueError, RecursionError):
        return None
