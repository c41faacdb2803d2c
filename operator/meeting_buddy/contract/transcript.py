"""The transcript's lines: what ``transcript.jsonl`` holds, and what ``GET /v1/transcript`` streams.

A line is one segment of speech, from a pause to the next. A later line with the same ``segment`` and a higher
``revision`` takes its place (a name that became known late); readers take the last. Times are seconds on the session's
clock, as in ``manifest.jsonl`` and ``events.jsonl``.
"""

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
