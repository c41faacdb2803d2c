"""Whether a decoding's text is the engine's own: Whisper writes sentences for silence, noise and music."""

import re
from typing import Final

from meeting_buddy_bot.transcription.engine import LOOPING, Decoding
from meeting_buddy_bot.transcription.segmenter import SpeechSegment

_NO_SPEECH: Final = 0.6
_UNSURE: Final = -1.0
"""Average log probability; Whisper's own limit, which counts together with the one above."""
_GUESSED: Final = -1.6
"""Average log probability of words that are no better than chance."""
_WORDS_PER_SECOND: Final = 8.0
_FREE_WORDS: Final = 4
"""More words than these and the rate above allow for were not spoken by anybody."""
_LETTER: Final = re.compile(r"[^\W_]")


def is_invented(decoding: Decoding, segment: SpeechSegment) -> bool:
    """Whether nobody said this; nothing here speaks against a single quiet word."""
    return (
        not _LETTER.search(decoding.text)
        or decoding.compression_ratio > LOOPING
        or (decoding.no_speech_probability > _NO_SPEECH and decoding.average_logprob < _UNSURE)
        or decoding.average_logprob < _GUESSED
        or len(decoding.text.split()) > _FREE_WORDS + _WORDS_PER_SECOND * segment.voiced_seconds
    )
