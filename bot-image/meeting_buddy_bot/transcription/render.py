"""The transcript as people and players read it: WebVTT with voices, SRT, plain text. Blocking.

Made from ``transcript.jsonl``, of which each segment's last revision counts. Subtitles are timed to fit the finished
recording, which leaves out the gaps; what was said while nothing was recorded is in the text alone. Whatever a name or
a text holds, it begins no cue, no paragraph and no tag.
"""

import bisect
import hashlib
import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, groupby
from pathlib import Path
from typing import Final

import srt
import webvtt
from pydantic import ValidationError

from meeting_buddy.contract.text import spoken_text, utf8
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine
from meeting_buddy_bot.recording.manifest import Derived, Segment
from meeting_buddy_bot.recording.segments import fsync_and_hash
from meeting_buddy_bot.support.atomic_file import atomic_write
from meeting_buddy_bot.transcription.attribution import Span, word_offsets
from meeting_buddy_bot.transcription.writer import StoredLines, cleaned

VTT_FILE: Final = "transcript.vtt"
SRT_FILE: Final = "transcript.srt"
TEXT_FILE: Final = "transcript.txt"
UNKNOWN: Final = "Unknown speaker"
CUE_SECONDS: Final = 7.0
CUE_CHARACTERS: Final = 84
_SHORTEST_CUE: Final = 0.1
"""Seconds; a cue without length is shown by no player."""
_ARROW: Final = re.compile(r"-[ -] *>")
_LETTERS: Final = re.compile(r"(\d+)([a-z]*)")


class Timeline:
    """From the session's clock to the finished recording, which has the segments one behind the other."""

    def __init__(self, segments: Sequence[Segment], offset: float | None = None) -> None:
        """``offset``: where the recording begins on the session's clock; by default where its first segment does."""
        ordered = sorted(segments, key=lambda each: each.segment)
        if offset is None:
            offset = ordered[0].start if ordered else 0.0
        self._spans: list[tuple[float, float, float]] = []
        """Start and end on the session's clock, start in the recording."""
        self._offset = offset
        position = ordered[0].start - offset if ordered else 0.0
        for index, segment in enumerate(ordered):
            end = segment.end
            if index + 1 < len(ordered) and ordered[index + 1].follows(segment):
                end = ordered[index + 1].start
            self._spans.append((segment.start, end, position))
            position += max(0.0, end - segment.start)
        self._starts = [span[0] for span in self._spans]
        self._positions = [span[2] for span in self._spans]
        by_start = sorted(self._spans)
        self._begins = [span[0] for span in by_start]
        self._reached = list(accumulate((span[1] for span in by_start), max))
        """For each of ``_begins``, the last end of the spans that begin no later."""
        self.seconds = position
        """Length of the recording."""

    def at(self, moment: float) -> float:
        """Seconds from the recording's beginning; within a gap, those of what comes next."""
        if not self._spans:
            return max(0.0, moment - self._offset)
        index = bisect.bisect_right(self._starts, moment) - 1
        if index < 0:
            return max(0.0, self._spans[0][2])
        start, end, position = self._spans[index]
        return max(0.0, position + min(moment, end) - start)

    def moment(self, position: float) -> float:
        """The moment on the session's clock that is ``position`` seconds from the recording's beginning."""
        if not self._spans:
            return position + self._offset
        index = bisect.bisect_right(self._positions, position) - 1
        start, _, begin = self._spans[max(index, 0)]
        return start + position - begin

    def recorded(self, start: float, end: float) -> bool:
        """Whether anything between two moments is in the recording; without one, everything is."""
        begun = bisect.bisect_right(self._begins, end)
        return not self._spans or (begun > 0 and start < self._reached[begun - 1])


@dataclass(frozen=True, slots=True)
class _Cue:
    start: float
    end: float
    speaker: str
    text: str


def last_lines(path: Path) -> list[TranscriptLine]:
    """What counts of a transcript's lines, in the order in which it was said. Raises OSError."""
    newest: dict[str, TranscriptLine] = {}
    stored = StoredLines(path)
    while (lines := stored.read()) is not None:
        for _, text in lines:
            try:
                line = cleaned(TranscriptLine.model_validate_json(text))
            except ValidationError:  # of another version, or torn and ended by chance
                continue
            times = (line.start, line.end, *(each for word in line.words for each in (word.start, word.end)))
            if not line.final or not all(map(math.isfinite, times)):
                continue
            before = newest.get(line.segment)
            if before is None or before.revision <= line.revision:
                newest[line.segment] = line
    said = [line for line in newest.values() if line.text]
    return sorted(said, key=lambda line: (line.start, _place(line.segment)))


def line_ends(folder: Path, moment: float) -> list[float]:
    """The ends of the lines before ``moment`` in a folder's transcript. Raises OSError."""
    path = folder / TRANSCRIPT_FILE
    return [line.end for line in last_lines(path) if line.end <= moment] if path.exists() else []


def _place(segment: str) -> tuple[int, int, str]:
    found = _LETTERS.fullmatch(segment)
    return (int(found[1]), len(found[2]), found[2]) if found else (0, 0, segment)


def cues(lines: Sequence[TranscriptLine], timeline: Timeline) -> list[_Cue]:
    """What is shown when: pieces of lines that are short enough to be read."""
    found = [cue for line in lines for cue in _cues_of(line, timeline)]
    return sorted(found, key=lambda cue: (cue.start, cue.end))


def _cues_of(line: TranscriptLine, timeline: Timeline) -> Iterator[_Cue]:
    speaker = line.speaker or UNKNOWN
    waiting: list[tuple[str, float, float]] = []

    def cue() -> Iterator[_Cue]:
        text = spoken_text("".join(piece[0] for piece in waiting), CUE_CHARACTERS)
        if not waiting or not text or not timeline.recorded(waiting[0][1], waiting[-1][2]):
            return
        start = timeline.at(waiting[0][1])
        end = max(start + _SHORTEST_CUE, min(start + CUE_SECONDS, timeline.at(waiting[-1][2])))
        yield _Cue(start, end, speaker, text)

    for piece in _pieces(line):
        text = "".join(each[0] for each in waiting) + piece[0]
        too_long = bool(waiting) and timeline.at(piece[2]) - timeline.at(waiting[0][1]) > CUE_SECONDS
        if too_long or len(text.strip()) > CUE_CHARACTERS:
            yield from cue()
            waiting.clear()
        waiting.append(piece)
    yield from cue()


def _pieces(line: TranscriptLine) -> Iterator[tuple[str, float, float]]:
    """The words with what stands behind them, and when each was said, in order, none longer than a cue."""
    behind = line.start
    for text, (start, end) in _timed(line):
        start = min(max(start, behind), max(line.end, behind))
        end = max(start, end)
        behind = start
        count = math.ceil(len(text.strip()) / CUE_CHARACTERS) or 1
        for index in range(count):  # a "word" of hundreds of characters: a language without blanks, or nonsense
            until = len(text) if index + 1 == count else (index + 1) * CUE_CHARACTERS
            part = text[index * CUE_CHARACTERS : until]
            yield part, start + (end - start) * index / count, start + (end - start) * (index + 1) / count


def _timed(line: TranscriptLine) -> list[tuple[str, Span]]:
    text = line.text
    offsets = word_offsets(text, line.words)
    if line.words and offsets is not None:
        ends = [*offsets[1:], len(text)]
        offsets[0] = 0
        return [
            (text[offset:end], (word.start, word.end))
            for offset, end, word in zip(offsets, ends, line.words, strict=True)
        ]
    # Without times of words: as if all characters took equally long.
    each = max(0.0, line.end - line.start) / len(text)
    return [
        (found[0], (line.start + each * found.start(), line.start + each * found.end()))
        for found in re.finditer(r"\S+\s*", text)
    ]


def _vtt(shown: Sequence[_Cue]) -> str:
    document = webvtt.WebVTT()
    for cue in shown:
        name = html.escape(cue.speaker, quote=False)
        if name.endswith("--"):  # with the tag's own bracket behind it, that would be the arrow between two times
            name = f"{name[:-1]}&#45;"
        payload = f"<v {name}>{html.escape(cue.text, quote=False)}"
        document.captions.append(webvtt.Caption(_clock(cue.start), _clock(cue.end), payload))
    return str(document.content).rstrip("\n") + "\n"


def _srt(shown: Sequence[_Cue]) -> str:
    subtitles = [
        srt.Subtitle(
            None,
            timedelta(milliseconds=round(cue.start * 1000)),
            timedelta(milliseconds=round(cue.end * 1000)),
            # At the line's beginning, players that are not strict would take a name for the time of a cue.
            f"{_ARROW.sub('→', cue.speaker)}: {cue.text}",
        )
        for cue in shown
    ]
    return str(srt.compose(subtitles, reindex=True))


def _text(lines: Sequence[TranscriptLine], timeline: Timeline) -> str:
    paragraphs = []
    for speaker, of_turn in groupby(lines, key=lambda line: line.speaker):
        turn = list(of_turn)
        relative, absolute = _clock(timeline.at(turn[0].start))[:-4], turn[0].at.strftime("%H:%M:%S UTC")
        said = " ".join(line.text for line in turn)
        paragraphs.append(f"[{relative}, {absolute}] {speaker or UNKNOWN}: {said}\n")
    return "\n".join(paragraphs)


def _clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"


def render(folder: Path, segments: Sequence[Segment], offset: float | None = None) -> list[Derived]:
    """Write the files beside ``transcript.jsonl``; the manifest's lines for all of them, none without a transcript.

    Args:
        folder: the session's.
        segments: the manifest's, in any order.
        offset: see :class:`Timeline`.

    Raises:
        OSError: the volume does not take or hand out a file.
    """
    path = folder / TRANSCRIPT_FILE
    if not path.exists():
        return []
    size, sha256 = fsync_and_hash(path)
    derived = [Derived(TRANSCRIPT_FILE, size, sha256)]
    timeline = Timeline(segments, offset)
    lines = last_lines(path)
    shown = cues(lines, timeline)
    for name, text in ((VTT_FILE, _vtt(shown)), (SRT_FILE, _srt(shown)), (TEXT_FILE, _text(lines, timeline))):
        content = utf8(text)
        atomic_write(folder / name, content)
        derived.append(Derived(name, len(content), hashlib.sha256(content).hexdigest()))
    return derived


def differing_files(folder: Path, derived: Sequence[Derived]) -> list[str]:
    """Names of the files that are missing, or hold something other than their lines of the manifest say.

    Raises:
        OSError: the volume does not hand out a file that is there.
    """
    return [each.derived for each in derived if not _holds(folder / each.derived, each)]


def _holds(path: Path, expected: Derived) -> bool:
    try:
        return fsync_and_hash(path) == (expected.bytes, expected.sha256)
    except FileNotFoundError:
        return False
