"""Do sound and picture of a recording belong together?

The sender speaks and counts frames by one clock: the first sample of an utterance leaves at its `start`, and counter n
is shown from n / frame rate on.  So a recording has two lags against that clock, one for what was heard (found by
likeness) and one for what was seen (the first frame that shows a new counter), and their difference is the offset
between sound and picture. No flash or click is needed; every word and every frame takes part.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.local.media.likeness import Likeness
from tests.local.media.picture import PictureReport


@dataclass(frozen=True, slots=True)
class Offset:
    """Sound against picture in seconds, positive when the sound is late; `spread` is the middle half's width."""

    seconds: float
    spread: float
    samples: int

    def __str__(self) -> str:
        late = "late" if self.seconds >= 0 else "early"
        within = f"middle half within {self.spread * 1000:.0f} ms, utterances: {self.samples}"
        return f"sound {abs(self.seconds) * 1000:.0f} ms {late} ({within})"


def picture_lags(picture: PictureReport, counter_rate: float) -> list[tuple[float, float]]:
    """(time, lag) of each change of the counter that was recorded without a hole before it.

    A change happened somewhere between the last frame before it and the first frame after it: the middle is taken.
    """
    counted = picture.counted
    return [
        (later, (earlier + later) / 2 - after / counter_rate)
        for (earlier, before), (later, after) in pairwise(counted)
        if after == before + 1 and later - earlier < 1.5 / picture.frame_rate
    ]


def offset(sound: Likeness, picture: PictureReport, *, counter_rate: float) -> Offset | None:
    """The offset over all utterances found, of the one who shows the picture; None without any.

    Each utterance is compared with the picture around it, so that a common drift cancels out.
    """
    lags = picture_lags(picture, counter_rate)
    if not lags:
        return None
    times, values = np.array(lags).T
    differences = []
    for passage in sound.passages:
        if not passage.found:
            continue
        near = (times >= passage.utterance.start + passage.lag) & (times <= passage.utterance.end + passage.lag)
        if near.sum() >= 5:
            differences.append(passage.lag - float(np.median(values[near])))
    if not differences:
        return None
    low, middle, high = np.percentile(differences, (25, 50, 75))
    return Offset(float(middle), float(high - low), len(differences))
