"""LocalAgreement-2: what two decodings in a row agree on is committed, and never changes again while a segment is open.

Macháček, Dabre, Bojar: "Turning Whisper into Real-Time Transcription System" (2023). Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

_UNSPACED: Final = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, Japanese, Chinese: no blanks between words, so that each character counts as one."""
_UNIT: Final = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)")
_ANCHOR: Final = 3
"""Words of the committed text that are looked for when a decoding has grown or lost a word before its end."""
_SHIFT: Final = 3
"""Words by which they may have moved."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A text and how much of it stays."""

    text: str
    committed: int
    """Characters."""


def unspaced(text: str) -> bool:
    """Whether a text begins in a script that puts no blanks between words."""
    return re.match(rf"[{_UNSPACED}]", text) is not None


def words(text: str) -> list[str]:
    """The text's words with the blanks before them; joined they are the text, without blanks around it."""
    return _UNIT.findall(text.strip())


class LocalAgreement:
    """The agreement of one segment's decodings, each of which begins where the segment does."""

    def __init__(self) -> None:
        self._committed: list[str] = []
        self._tail: list[str] = []

    def update(self, text: str) -> Agreed:
        """Take the next decoding into account.

        A decoding's last word is never committed by it: the sound may end in the midst of the word, and its full stop
        is that of the sound, not of the sentence.
        """
        tail = self._beyond(words(text))
        pairs = zip(self._tail, tail[:-1], strict=False)
        agreed = sum(1 for _ in takewhile(lambda pair: _plain(pair[0]) == _plain(pair[1]), pairs))
        self._committed += tail[:agreed]
        self._tail = tail[agreed:]
        committed = "".join(self._committed)
        return Agreed(committed + "".join(self._tail), len(committed))

    def _beyond(self, decoded: list[str]) -> list[str]:
        """What follows the committed words in a decoding, which may have read those differently this time."""
        count = len(self._committed)
        return decoded[_end_of(self._committed[-_ANCHOR:], decoded, count) :] if count else decoded


def _end_of(anchor: Sequence[str], decoded: Sequence[str], expected: int) -> int:
    """Where the anchor's words end in a decoding, as near to the expected place as can be; there, if nowhere."""
    wanted = [_plain(word) for word in anchor]
    for shift in sorted(range(-_SHIFT, _SHIFT + 1), key=abs):
        end = expected + shift
        if len(wanted) <= end <= len(decoded) and [_plain(word) for word in decoded[end - len(wanted) : end]] == wanted:
            return end
    return expected


def _plain(word: str) -> str:
    """A word as it sounds: "Country," agrees with "country"."""
    bare = "".join(letter for letter in word.casefold() if letter.isalnum())
    return bare or word.strip()
