"""Was what was spoken recorded as people hear it? Two measures judge, and a third is printed beside them.

Words: what a speech recogniser understands. Likeness: the share of the spoken time that is present in the spectra.
Correlation of waveforms is no verdict; see `correlation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.local.media import correlation, likeness, words
from tests.local.media.correlation import Correlation
from tests.local.media.likeness import Likeness
from tests.local.media.sound import Samples, Utterance, coarse_lag
from tests.local.media.words import Words


@dataclass(frozen=True, slots=True)
class Heard:
    """What each measure says of the utterances that lie wholly inside a recording, and their common lag."""

    lag: float
    words: Words
    likeness: Likeness
    correlation: Correlation

    def check(self, *, present: float = 0.0) -> None:
        """Raise `AssertionError` when words are missing, or less than a share of the spoken time is present."""
        if not self.words.passed or self.likeness.share < present:
            raise AssertionError(self.table())

    def __str__(self) -> str:
        return f"{self.words}; {self.likeness}; {self.correlation}"

    def table(self) -> str:
        """One line per utterance and what was understood, for a failing test."""
        lines = [
            f"{passage.utterance.start:8.2f} s  {passage.utterance.speaker:14} {passage.utterance.path.stem:40} "
            f"{passage.share:6.1%} present  {1000 * (passage.lag - self.lag):+5.0f} ms"
            for passage in self.likeness.passages
        ]
        return "\n".join([str(self), *lines, self.words.text])


def compare(recording: Samples, spoken: Sequence[Utterance], *, lag: float | None = None) -> Heard:
    """Compare a recording with what was spoken by all measures.

    `lag` is about where the schedule's zero lies in the recording, within two seconds, where the caller knows
    it (from clocks); otherwise everything together is aligned once. Utterances outside the recording do not count.

    Raises `ValueError` when two speak at the same time: nobody knows in which order their words are heard. In the
    recording an utterance may come so late that it touches the next one.
    """
    ordered = sorted(spoken, key=lambda one: one.start)
    if any(later.start < earlier.end for earlier, later in pairwise(ordered)):
        raise ValueError("utterances overlap")
    about = coarse_lag(recording, spoken) if lag is None else lag
    alike = likeness.compare(recording, spoken, about)
    common = about if alike.lag is None else alike.lag
    placed = [
        replace(one.utterance, start=one.utterance.start + (one.lag if one.found else common)) for one in alike.passages
    ]
    inside = [one.utterance for one in alike.passages]
    return Heard(common, words.compare(recording, placed), alike, correlation.compare(recording, inside, common))
