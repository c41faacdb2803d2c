"""The decoding that is made in a pause of the open segment: its final, should the segment be over by then."""

from typing import Final

from meeting_buddy_bot.transcription.engine import Decoding
from meeting_buddy_bot.transcription.segmenter import SpeechSegment

_MAX_COST: Final = 2.0
"""Seconds that the last one took; with a slower decoder they would hold up all that follows."""


class EarlyDecoding:
    """The last one that was begun, and what came of it."""

    def __init__(self) -> None:
        self._extent: tuple[int, int] | None = None
        self._cost = 0.0
        self._awaited = False
        self.decoding: Decoding | None = None
        """What came of it; ``None``: nothing yet, or it failed."""

    def is_of(self, segment: SpeechSegment) -> bool:
        """Whether it was made of exactly this sound."""
        return self._extent == _extent(segment)

    def is_due(self, segment: SpeechSegment) -> bool:
        """Whether one is to be made of a segment in its pause."""
        return self._cost <= _MAX_COST and not self.is_of(segment)

    def begin(self, segment: SpeechSegment) -> None:
        """One is being made."""
        self._extent, self.decoding = _extent(segment), None

    def segment_ended(self) -> None:
        """The segment is over, while its decoding is still being made."""
        self._awaited = True

    def finished(self, seconds: float) -> bool:
        """It took so long; whether its segment has ended meanwhile, so that it is the final."""
        awaited, self._awaited, self._cost = self._awaited, False, seconds
        return awaited

    def final_finished(self, seconds: float) -> None:
        """So long a final took: where none are made in pauses, these show that the decoder is fast again."""
        self._cost = min(self._cost, seconds)

    def keep(self, decoding: Decoding) -> None:
        """What came of it, while its segment goes on."""
        self.decoding = decoding


def _extent(segment: SpeechSegment) -> tuple[int, int]:
    """Which segment, and how many samples of it: the same sound, if both are the same."""
    return segment.number, len(segment.pcm)
