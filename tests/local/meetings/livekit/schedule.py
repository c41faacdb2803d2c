"""Who speaks which clip when: a conversation that is the same every time, and never repeats itself.

One person at a time, with pauses; who follows whom and with which clip changes from round to round, so that a piece of
a recording fits the schedule in one place only.  Pure: the same people and clips give the same conversation.

Times are seconds after the conversation's beginning, an instant that all speakers share.
"""

from __future__ import annotations

import random
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST_WORD = 2.0  # seconds: time for everybody's media to be connected
_PAUSES = (0.8, 1.3, 1.0, 1.7)  # seconds between two turns
RATE = 16_000  # samples per second of every clip
FRAME_RATE = 10  # pictures per second: each stands long enough for any recorder at 15 fps to see it


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken sentence: its file and its length in seconds."""

    path: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody says something: from `start` for `clip.seconds`."""

    person: str
    clip: Clip
    start: float

    @property
    def end(self) -> float:
        """When the turn is over."""
        return self.start + self.clip.seconds


def conversation_clips(folder: Path) -> list[Clip]:
    """The clips of a folder that are spoken in meetings, by name.

    Raises `ValueError` for a file that is not 16 kHz, mono, 16 bit.
    """
    return [_clip(path) for path in sorted(folder.glob("*.wav"))]


def conversation(people: Sequence[str], sentences: Sequence[Clip]) -> Iterator[Turn]:
    """The turns in order, without end. Raises `ValueError` when there is nobody or nothing to say."""
    if not people or not sentences:
        raise ValueError("a conversation needs somebody and something to say")
    at, number, rounds = FIRST_WORD, 0, 0
    while True:
        order = list(sentences)
        random.Random(rounds).shuffle(order)  # noqa: S311 -- an order, not a secret
        for clip in order:
            # Without the round in it, people and clips whose counts have a common divisor would always pair alike.
            yield Turn(people[(number + rounds) % len(people)], clip, at)
            at += clip.seconds + _PAUSES[number % len(_PAUSES)]
            number += 1
        rounds += 1


def _clip(path: Path) -> Clip:
    with wave.open(str(path)) as sound:
        shape = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth())
        if shape != (RATE, 1, 2):
            raise ValueError(f"{path.name}: {shape} instead of 16 kHz, mono, 16 bit")
        return Clip(path, sound.getnframes() / RATE)
