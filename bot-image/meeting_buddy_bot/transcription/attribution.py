"""Who said it: the page's speaking hints give each word its speaker, and a segment is split where the speaker changes.

Hints are late, and an interval is known only when it is over. What was said is told at once, with what is known by
then; an interval that comes later gives later lines of the same segments with a higher ``revision``. A part that the
new split no longer has gets a line without text.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

from meeting_buddy.contract.text import MAX_NAME, page_text, spoken_text
from meeting_buddy.contract.transcript import MAX_TEXT, SpeakerSource, TranscriptLine, Word
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.transcription.messages import Partial, Utterance

LAG: Final = 0.3
"""Seconds by which a hint is later than the sound that it speaks of."""
MAX_WORD: Final = 200
"""Code points of one word."""
UNDECIDED_SECONDS: Final = 30.0
"""So long after a segment came, a hint may still change its speakers."""
_SHORTEST_TURN: Final = 0.5
"""Seconds; what is shorter is taken for a flicker of the hints."""
_BRIDGED: Final = 1.0
"""Seconds without a hint that do not hide who goes on speaking."""
_LEAST_WORD: Final = 0.01
"""Seconds; engines give some words no length."""
_STEP: Final = 0.1
"""Seconds between two looks at who is speaking now: pages are not asked more often."""
_MAX_SEGMENTS: Final = 256
MAX_INTERVALS: Final = 5000
"""An hour of lively talk, for a transcriber that is far behind."""

Span = tuple[float, float]
_Arrived = tuple[float, int, Interval]
"""An interval behind its beginning and its place among all that came."""
SpeakingNow = Callable[[float], tuple[str, ...]]
"""Whose interval was begun before a moment and is not over, in the order of beginning."""


def nobody(_: float) -> tuple[str, ...]:
    """For a page that gives no hints."""
    return ()


def part_name(segment: int, index: int) -> str:
    """``12``, ``12b``, ``12c``, … ``12z``, ``12aa``."""
    letters, rest = "", index + 1
    while index and rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return f"{segment}{letters}"


def word_offsets(text: str, words: Iterable[Word]) -> list[int] | None:
    """Where in ``text`` each word begins; ``None`` when they are not all in it, in order.

    One that cannot be read, as servers tell it that part a character, is where the one before ends.
    """
    offsets, behind = [], 0
    for word in words:
        if _unreadable(word):
            offsets.append(behind)
            continue
        offset = text.find(word.text, behind)
        if offset < 0:
            return None
        offsets.append(offset)
        behind = offset + len(word.text)
    return offsets


def _unreadable(word: Word) -> bool:
    return "\ufffd" in word.text


def open_intervals(speaking_now: SpeakingNow, start: float, end: float) -> list[Interval]:
    """What is known so far, between ``start`` and ``end``, of the intervals that are not over."""
    found: dict[str, Span] = {}
    for step in range(int((end - start) / _STEP) + 1):
        moment = start + step * _STEP
        for name in speaking_now(moment):
            found[name] = (found.get(name, (moment, moment))[0], moment + _STEP)
    return [Interval(name, *span) for name, span in found.items()]


def speakers(spans: Sequence[Span], intervals: Sequence[Interval]) -> list[str | None]:
    """Who spoke each of these words; ``intervals`` on the clock of the sound."""
    names = [_most_overlapping(span, intervals) for span in spans]
    return _smoothed(spans, _bridged(spans, names))


def _most_overlapping(span: Span, intervals: Iterable[Interval]) -> str | None:
    start, end = span[0], max(span[1], span[0] + _LEAST_WORD)
    overlaps: dict[str, float] = {}
    begins: dict[str, float] = {}
    for each in intervals:
        overlap = min(end, each.end) - max(start, each.start)
        if overlap > 0:
            overlaps[each.name] = overlaps.get(each.name, 0.0) + overlap
            begins[each.name] = min(each.start, begins.get(each.name, each.start))
    # Rounded: one and the same overlap comes out a little different from another subtraction.
    return min(overlaps, key=lambda name: (-round(overlaps[name], 3), begins[name], name), default=None)


def _bridged(spans: Sequence[Span], names: Sequence[str | None]) -> list[str | None]:
    """Words without a hint go to who speaks before and after; where a pause is on one side, to the other side's."""
    filled = list(names)
    for first, last, name in _turns(names):
        if name is not None:
            continue
        before, after = first - 1, last + 1
        gap_start = spans[before][1] if before >= 0 else spans[first][0]
        gap_end = spans[after][0] if after < len(spans) else spans[last][1]
        around = {names[each] for each in (before, after) if 0 <= each < len(names)}
        if len(around) == 1 and gap_end - gap_start < _BRIDGED:
            filled[first:after] = [around.pop()] * (after - first)
    return filled


def _smoothed(spans: Sequence[Span], names: Sequence[str | None]) -> list[str | None]:
    """Turns that are too short go to a turn beside them, the shortest turn first."""
    smooth = list(names)
    while True:
        turns = _turns(smooth)
        short = []
        for index, (first, last, _) in enumerate(turns):
            beside = [
                (max(0.0, gap), turns[other][2])
                for other, gap in (
                    (index - 1, spans[first][0] - spans[first - 1][1]),
                    (index + 1, spans[(last + 1) % len(spans)][0] - spans[last][1]),
                )
                if 0 <= other < len(turns) and turns[other][2] is not None
            ]
            length = spans[last][1] - spans[first][0]
            if beside and length < _SHORTEST_TURN:
                short.append((length, first, last, min(beside, key=lambda each: each[0])[1]))
        if not short:
            return smooth
        _, first, last, name = min(short, key=lambda each: each[:2])
        smooth[first : last + 1] = [name] * (last + 1 - first)


def _turns(names: Sequence[str | None]) -> list[tuple[int, int, str | None]]:
    """First and last word of each turn, and whose it is."""
    turns = []
    for name, indices in groupby(range(len(names)), key=lambda index: names[index]):
        of_turn = list(indices)
        turns.append((of_turn[0], of_turn[-1], name))
    return turns


@dataclass(frozen=True, slots=True)
class _Part:
    """What one person said of a segment."""

    speaker: str | None
    start: float
    end: float
    language: str
    text: str
    words: tuple[Word, ...]


def _writing_order(before: Sequence[_Part], parts: Sequence[_Part]) -> list[int]:
    """In which order the lines of a new split are written: what a part loses, another one has by then.

    A process that is killed between two lines so leaves words twice, and never none. Where a boundary moves to the
    left, the part behind it takes over words and comes first; elsewhere the part before it does.
    """
    order: list[int] = []
    run: list[int] = []
    for index in range(len(parts)):
        run.append(index)
        if not before or _boundary(parts, index) >= _boundary(before, index):
            order += reversed(run)
            run.clear()
    return order + run[::-1]


def _boundary(parts: Sequence[_Part], index: int) -> tuple[float, int]:
    """Where the part with this index ends and the next begins; behind everything where there is no next one.

    The number of words tells boundaries apart between words without length.
    """
    if index + 1 >= len(parts):
        return math.inf, 0
    return parts[index + 1].start, sum(len(part.words) for part in parts[: index + 1])


@dataclass(slots=True)
class _Segment:
    """A segment, and the lines that were last made of it."""

    utterance: Utterance
    came_at: float
    revision: int
    parts: list[_Part] = field(default_factory=list)


class _Heard:
    """Intervals that are over, found by where they begin: a meeting of a day has tens of thousands."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._arrived: deque[_Arrived] = deque()
        self._by_start: list[_Arrived] = []
        self._count = 0
        self._longest = 0.0

    def add(self, interval: Interval) -> None:
        """One more; the first of too many is forgotten."""
        self._count += 1
        # One whose beginning is no number overlaps nothing, wherever it is put.
        arrived = (-math.inf if math.isnan(interval.start) else interval.start, self._count, interval)
        self._arrived.append(arrived)
        insort(self._by_start, arrived)  # they come in the order in which they end, more or less
        self._longest = max(self._longest, interval.end - interval.start)
        if self._most is not None and len(self._arrived) > self._most:
            del self._by_start[bisect_left(self._by_start, self._arrived.popleft())]

    def between(self, start: float, end: float) -> list[Interval]:
        """Those that overlap this stretch, as they came."""
        # By the least word more than needed: lengths are rounded.
        first = bisect_left(self._by_start, start - self._longest - _LEAST_WORD, key=itemgetter(0))
        last = bisect_left(self._by_start, end, key=itemgetter(0))
        found = [each for each in self._by_start[first:last] if each[2].start < end and start < each[2].end]
        return [interval for _, _, interval in sorted(found, key=itemgetter(1))]


class Attributor:
    """Makes lines of what was understood and of who was shown as speaking."""

    def __init__(
        self,
        utc: Callable[[float], datetime],
        speaking_now: SpeakingNow = nobody,
        lag: float = LAG,
        most_intervals: int | None = MAX_INTERVALS,
    ) -> None:
        """Nobody has spoken yet.

        Args:
            utc: a moment on the session's clock in UTC.
            speaking_now: who speaks at a moment.
            lag: seconds by which hints are late.
            most_intervals: that are kept, the last ones; ``None``: all, of a meeting that is over.
        """
        self._utc = utc
        self._speaking_now = speaking_now
        self._lag = lag
        self._intervals = _Heard(most_intervals)
        """On the clock of the sound."""
        self._segments: dict[int, _Segment] = {}
        self._highest = 0
        """Number of a segment that was told of."""
        self._behind = 0

    def new_run(self, segments: int = 0) -> None:
        """A transcriber begins, which numbers from 1: its segments go on behind those known.

        ``segments``: highest number in the session's file, which an earlier bot may have begun.
        """
        self._behind = self._highest = max(self._highest, segments)

    def take(self, utterance: Utterance, now: float) -> list[TranscriptLine]:
        """Lines of a segment that is over, or over once more."""
        utterance = utterance.model_copy(update={"segment": self._number(utterance.segment)})
        before = self._segments.pop(utterance.segment, None)
        revision = utterance.revision if before is None else max(before.revision + 1, utterance.revision)
        kept = _Segment(_cleaned(utterance), now, max(1, revision), before.parts if before else [])
        self._segments[utterance.segment] = kept
        while len(self._segments) > _MAX_SEGMENTS:
            del self._segments[next(iter(self._segments))]
        parts = self._parts(kept.utterance)
        lines = self._changes(kept, parts)
        if not parts and before is None:  # nothing stands in the file; who follows live has seen a partial text
            nothing = _Part(None, utterance.start, utterance.end, utterance.language, "", ())
            lines = [self._line(utterance.segment, 0, kept.revision, nothing)]
        kept.parts = parts
        return lines

    def partial(self, partial: Partial) -> TranscriptLine:
        """The line of a segment that is still open."""
        text = spoken_text(partial.text, MAX_TEXT)
        [speaker] = self._speakers([(partial.start, partial.end)])
        return TranscriptLine(
            segment=part_name(self._number(partial.segment), 0),
            revision=max(1, partial.revision),
            final=False,
            speaker=speaker,
            source=SpeakerSource.UNKNOWN if speaker is None else SpeakerSource.HINTS,
            start=partial.start,
            end=partial.end,
            at=self._utc(partial.start),
            language=partial.language,
            text=text,
            committed=max(0, min(partial.committed, len(text))),
        )

    def spoke(self, interval: Interval, now: float) -> list[TranscriptLine]:
        """An interval is over; lines of the segments whose speakers it changes."""
        heard = Interval(interval.name, interval.start - self._lag, interval.end - self._lag)
        self._intervals.add(heard)
        return self._again(now, lambda kept: heard.start < kept.utterance.end and kept.utterance.start < heard.end)

    def look_again(self, now: float) -> list[TranscriptLine]:
        """Lines of the segments that nobody could be named for, and for which somebody can now: ask each second."""
        return self._again(now, lambda kept: any(part.speaker is None for part in kept.parts))

    def _number(self, segment: int) -> int:
        number = self._behind + segment
        self._highest = max(self._highest, number)
        return number

    def _again(self, now: float, concerned: Callable[[_Segment], bool]) -> list[TranscriptLine]:
        lines = []
        for kept in self._segments.values():
            if kept.parts and now - kept.came_at <= UNDECIDED_SECONDS and concerned(kept):
                parts = self._parts(kept.utterance)
                if parts != kept.parts:
                    kept.revision += 1
                    lines += self._changes(kept, parts)
                    kept.parts = parts
        return lines

    def _changes(self, kept: _Segment, parts: list[_Part]) -> list[TranscriptLine]:
        segment, before = kept.utterance.segment, kept.parts
        lines = []
        for index in _writing_order(before, parts):
            if index >= len(before) or before[index] != parts[index]:
                lines.append(self._line(segment, index, kept.revision, parts[index]))
        for index in range(len(parts), len(before)):
            old = before[index]
            withdrawn = _Part(None, old.start, old.end, old.language, "", ())
            lines.append(self._line(segment, index, kept.revision, withdrawn))
        return lines

    def _line(self, segment: int, index: int, revision: int, part: _Part) -> TranscriptLine:
        return TranscriptLine(
            segment=part_name(segment, index),
            revision=revision,
            final=True,
            speaker=part.speaker,
            source=SpeakerSource.UNKNOWN if part.speaker is None else SpeakerSource.HINTS,
            start=part.start,
            end=part.end,
            at=self._utc(part.start),
            language=part.language,
            text=part.text,
            words=part.words,
        )

    def _speakers(self, spans: Sequence[Span]) -> list[str | None]:
        start, end = min(span[0] for span in spans), max(span[1] for span in spans) + _LEAST_WORD
        over = self._intervals.between(start, end)
        begun = open_intervals(self._speaking_now, start + self._lag, end + self._lag)
        lasting = [Interval(each.name, each.start - self._lag, each.end - self._lag) for each in begun]
        return [(name and page_text(name, MAX_NAME)) or None for name in speakers(spans, over + lasting)]

    def _parts(self, utterance: Utterance) -> list[_Part]:
        text, words = utterance.text, utterance.words
        if not text:
            return []
        names = self._speakers([(word.start, word.end) for word in words] or [(utterance.start, utterance.end)])
        turns = _turns(names)
        readable = _readable(words)
        offsets = word_offsets(text, words)
        if len(readable) < len(words) and not _parted_for_sure(text, words, turns):
            # The text alone has all that was said.
            turns = [(0, len(names) - 1, _main_speaker(names, words))]
        if len(turns) == 1:
            return [_Part(turns[0][2], utterance.start, utterance.end, utterance.language, text, readable)]
        parts = []
        for first, last, name in turns:
            mine = words[first : last + 1]
            if offsets is None:
                said = spoken_text(" ".join(word.text for word in mine), MAX_TEXT)
            else:
                until = offsets[last + 1] if last + 1 < len(words) else len(text)
                said = text[offsets[first] if first else 0 : until].strip()
            start = utterance.start if first == 0 else mine[0].start
            end = utterance.end if last + 1 == len(words) else mine[-1].end
            parts.append(_Part(name, start, max(start, end), utterance.language, said, _readable(mine)))
        return parts


def _parted_for_sure(text: str, words: Sequence[Word], turns: Sequence[tuple[int, int, str | None]]) -> bool:
    """Whether there is one place alone in ``text`` where each turn can begin, though some words cannot be read."""
    offsets = word_offsets(text, words)
    if offsets is None:
        return False
    sure, until = [False] * len(words), len(text)
    for index in range(len(words) - 1, -1, -1):
        if not _unreadable(words[index]):
            until = text.rfind(words[index].text, 0, until)
            sure[index] = until == offsets[index]
    begins = [first for first, _, _ in turns[1:]]
    return any(_readable(words[: turns[0][1] + 1])) and all(
        not _unreadable(words[first]) and (sure[first] or sure[first - 1]) for first in begins
    )


def _readable(words: Iterable[Word]) -> tuple[Word, ...]:
    return tuple(word for word in words if not _unreadable(word))


def _main_speaker(names: Sequence[str | None], words: Sequence[Word]) -> str | None:
    """Who spoke longest."""
    seconds: dict[str | None, float] = {}
    for name, word in zip(names, words, strict=True):
        seconds[name] = seconds.get(name, 0.0) + word.end - word.start
    return max(seconds, key=lambda name: seconds[name])


def _cleaned(utterance: Utterance) -> Utterance:
    """The same with text that is fit to be kept, and without words of which nothing is left then."""
    return utterance.model_copy(
        update={"text": spoken_text(utterance.text, MAX_TEXT), "words": cleaned_words(utterance.words)}
    )


def cleaned_words(words: Iterable[Word]) -> tuple[Word, ...]:
    """Words that are fit to be kept, without those of which nothing is left then."""
    cleaned = (word.model_copy(update={"text": spoken_text(word.text, MAX_WORD)}) for word in words)
    return tuple(word for word in cleaned if word.text)
