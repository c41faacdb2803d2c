"""Are the words that were spoken in the recording? Word error rate (WER) of what Whisper base hears in it.

The clips' transcripts lie beside them (`<clip>.txt`). Both texts are brought to one spelling by Whisper's own English
normaliser before words are compared.

Only the utterances that are judged are transcribed, each by itself: what else was said, before the recording's first
whole sentence or around a gap, adds no words, and none is lost where Whisper parts a long recording into half minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from tests.local.media.sound import RATE, Samples, Utterance
from tests.local.media.whisper import transcribe

MAX_WRONG = 0.15  # of the words: the clips themselves have 1 to 3 %, noise as loud as the speech has 60 %
_FOUND = 0.5  # of a sentence's words: with fewer it is lost
_BESIDE = 0.4  # seconds before and after an utterance: the shortest pause between two is twice as long


@dataclass(frozen=True, slots=True)
class Words:
    """What was understood: wrong words (substituted, lost, added) of how many, and sentences that are not there."""

    wrong: int
    spoken: int
    lost: tuple[Utterance, ...]
    text: str

    @property
    def error_rate(self) -> float:
        """Wrong words per spoken word; 1 when nothing was spoken."""
        return self.wrong / self.spoken if self.spoken else 1.0

    @property
    def passed(self) -> bool:
        """Words were spoken, at most 15 % of them are wrong, and no sentence is lost."""
        return self.error_rate <= MAX_WRONG and not self.lost

    def __str__(self) -> str:
        lost = "".join(f", lost: {one.path.stem} at {one.start:.1f} s" for one in self.lost)
        return f"{self.wrong} of {self.spoken} words wrong ({self.error_rate:.1%}){lost}"


def compare(recording: Samples, spoken: Sequence[Utterance]) -> Words:
    """Transcribe `spoken`, whose starts are the recording's times, and compare the words."""
    ordered = sorted(spoken, key=lambda one: one.start)
    return judge(" ".join(transcribe(_excerpt(recording, one)) for one in ordered), ordered)


def judge(text: str, spoken: Sequence[Utterance]) -> Words:
    """Compare what was understood of these utterances, which are in the order in which they were spoken."""
    if not spoken:
        return Words(0, 0, (), "")
    normal = EnglishTextNormalizer()
    sentences = [normal(one.path.with_suffix(".txt").read_text()).split() for one in spoken]
    expected = [word for sentence in sentences for word in sentence]
    aligned = jiwer.process_words(" ".join(expected), normal(text))
    equal = [chunk for chunk in aligned.alignments[0] if chunk.type == "equal"]
    right = {place for chunk in equal for place in range(chunk.ref_start_idx, chunk.ref_end_idx)}
    lost, first = [], 0
    for utterance, sentence in zip(spoken, sentences, strict=True):
        places = range(first, first + len(sentence))
        if sum(place in right for place in places) < _FOUND * len(sentence):
            lost.append(utterance)
        first = places.stop
    wrong = aligned.substitutions + aligned.deletions + aligned.insertions
    return Words(wrong, len(expected), tuple(lost), text)


def has(clip: Path, word: str) -> bool:
    """Whether the word is spoken in this clip."""
    normal = EnglishTextNormalizer()
    return set(normal(word).split()) <= set(normal(clip.with_suffix(".txt").read_text()).split())


def _excerpt(recording: Samples, utterance: Utterance) -> Samples:
    first = max(round((utterance.start - _BESIDE) * RATE), 0)
    return recording[first : round((utterance.end + _BESIDE) * RATE)]
