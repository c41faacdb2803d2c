"""The texts of a segment that is still open: when the next one is due, and what of it is new."""

from typing import Final

from meeting_buddy.contract.text import spoken_text
from meeting_buddy.contract.transcript import MAX_TEXT
from meeting_buddy_bot.transcription.agreement import LocalAgreement
from meeting_buddy_bot.transcription.engine import Decoding
from meeting_buddy_bot.transcription.messages import Partial
from meeting_buddy_bot.transcription.segmenter import SpeechSegment

_CADENCE: Final = 1.0
"""Seconds of new sound between two partial texts of a segment, if the decoder is fast enough for it."""
_FIRST: Final = 0.8
"""Seconds of speech before the first one."""
_SHARE: Final = 0.6
"""Of the time that partial texts may take."""
_SLOWEST_CADENCE: Final = 6.0
"""With the slowest decoder, and while processors are short."""


class PartialTexts:
    """What was said of open segments, and in how many revisions."""

    def __init__(self) -> None:
        self._agreement = LocalAgreement()
        self._agreed_on = 0
        """Number of the segment that the agreement is about."""
        self._decoded_seconds = 0.0
        """Of that segment's sound, at its last partial text."""
        self._cost: float | None = None
        self._revisions: dict[int, int] = {}
        self._last: Partial | None = None

    def due(self, opened: SpeechSegment, *, spare: bool) -> bool:
        """Whether enough is new of the open segment since it was last decoded; ``spare``: processors are short."""
        if opened.number == self._agreed_on:
            return opened.seconds - self._decoded_seconds >= (_SLOWEST_CADENCE if spare else self._cadence)
        return opened.seconds - opened.onset >= (_SLOWEST_CADENCE if spare else _FIRST)

    @property
    def _cadence(self) -> float:
        return min(max(_CADENCE, (self._cost or 0.0) / _SHARE), _SLOWEST_CADENCE)

    def took(self, seconds: float) -> None:
        """A decoding for a partial text took so long."""
        self._cost = seconds if self._cost is None else 0.7 * self._cost + 0.3 * seconds

    def decoded(self, segment: SpeechSegment) -> None:
        """So much of a segment was decoded, whatever came of it."""
        if segment.number != self._agreed_on:
            self._agreement, self._agreed_on = LocalAgreement(), segment.number
        self._decoded_seconds = segment.seconds

    def update(self, segment: SpeechSegment, decoding: Decoding) -> Partial | None:
        """The segment's next partial text; ``None``: it is the last one's."""
        agreed = self._agreement.update(spoken_text(decoding.text, MAX_TEXT))  # what is counted is what is shown
        last = self._last
        if last and (last.segment, last.text, last.committed) == (segment.number, agreed.text, agreed.committed):
            return None
        revision = self._revisions[segment.number] = self._revisions.get(segment.number, 0) + 1
        self._last = Partial(
            segment=segment.number,
            revision=revision,
            start=round(segment.start, 3),
            end=round(segment.end, 3),
            language=decoding.language,
            text=agreed.text[:MAX_TEXT],
            committed=min(agreed.committed, MAX_TEXT),
        )
        return self._last

    def shown(self, segment: SpeechSegment) -> bool:
        """Whether the segment has partial texts, and nothing has replaced them yet."""
        return segment.number in self._revisions

    def last_revision(self, segment: SpeechSegment) -> int:
        """The revision of what replaces the segment's partial texts."""
        return self._revisions.pop(segment.number, 0) + 1

    @property
    def language(self) -> str:
        """Of the last partial text."""
        return self._last.language if self._last is not None else ""
