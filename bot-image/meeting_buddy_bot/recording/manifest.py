"""``manifest.jsonl``: what was recorded, what was not, and whether it was found whole; append-only, fsynced per line.

Six kinds of line, told apart by their first key: ``started`` (a run of the recorder begins), ``segment`` (one closed
file), ``ended`` (a run is over; until when it wrote), ``gap`` (a stretch that is missing, or that shows no
meeting), ``verified`` (how finishing went; the last one counts), ``derived`` (a file that was made from the meeting
beside the recording; the last one of a name counts). Seconds are on the session clock.

If this process dies: each line is one write followed by fsync; a torn last line is skipped by :func:`read`. A segment
without a line is found again by its file's name, and placed by the ``started`` line of its run (:mod:`recovery`).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from meeting_buddy.contract.text import json_text

MANIFEST_FILE: Final = "manifest.jsonl"
MAX_SECONDS: Final = 1e10
"""On the session clock; who reads a larger number, some centuries, reads nonsense."""
_MOST: Final = 1 << 63
"""Of what is counted: bytes, segments, runs."""


@dataclass(frozen=True, slots=True)
class RunStart:
    """A start of the recorder, of which segments may follow."""

    started: int
    """Its number, a segment's ``run``."""
    first: int
    """Number of its first segment; a later start with the same one says that this one wrote none."""
    start: float
    """The moment that is zero in its files' timestamps."""
    utc: str
    """UTC of ``start``."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One closed file with media."""

    segment: int
    """Number, from 1; never reused."""
    file: str
    """Relative to the session's folder."""
    start: float
    end: float
    utc: str
    """UTC of ``start``."""
    bytes: int
    sha256: str
    run: int
    """Which start of the recorder wrote it, from 1; within a run the segments follow each other without a gap."""
    complete: bool = True
    """False when the recorder was cut off while writing it; what it holds is playable all the same."""
    cut_at: float | None = None
    """Seconds in the file's own timestamps behind which its packets are stamped by a clock that was set; they do not
    count. ``None``: all of them count."""

    @property
    def seconds(self) -> float:
        """Length of the media."""
        return self.end - self.start

    def follows(self, before: "Segment") -> bool:
        """Whether nothing lies between ``before`` and this one."""
        return self.run == before.run and self.segment == before.segment + 1


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A start of the recorder is over, and its last segment has its line."""

    ended: int
    """Its number; its last line counts."""
    end: float
    """When it last wrote, which is where its media has to end."""


def segments_of(lines: Iterable["Line"]) -> list[Segment]:
    """Each segment once, by its number, as its last line has it: a volume may have taken a line and refused it."""
    by_number = {line.segment: line for line in lines if isinstance(line, Segment)}
    return [by_number[which] for which in sorted(by_number)]


def stretches(segments: Iterable[Segment]) -> list[tuple[Segment, Segment]]:
    """First and last segment of each stretch of media between which nothing is missing; ``segments`` in order."""
    found: list[tuple[Segment, Segment]] = []
    for segment in segments:
        if found and segment.follows(found[-1][1]):
            found[-1] = found[-1][0], segment
        else:
            found.append((segment, segment))
    return found


def media_seconds(segments: Iterable[Segment]) -> float:
    """Length of the media of segments in order.

    Not the sum of their lengths: the last frame of sound in a file reaches past the key frame with which the next one
    begins, by some 10 ms, which would make a second of a hundred segments.
    """
    return sum(last.end - first.start for first, last in stretches(segments))


@dataclass(frozen=True, slots=True)
class GapLine:
    """A stretch without media (``recorded`` false), or with media that does not show the meeting."""

    gap: str
    """The cause, in a few words."""
    start: float
    end: float
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """How finishing went."""

    verified: bool
    file: str | None = None
    """``None`` although verified: the stay was over before anything could be written."""
    sha256: str | None = None
    bytes: int = 0
    duration: float = 0.0
    """Seconds of media in the file; gaps without media are left out of it."""
    segments: int = 0
    cause: str | None = None
    """Why it is not verified."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A file beside the recording, such as the transcript."""

    derived: str
    """Its name, relative to the session's folder."""
    bytes: int
    sha256: str


Line = RunStart | Segment | RunEnd | GapLine | Finished | Derived


_KINDS: Final[dict[str, type[Line]]] = {
    "started": RunStart,
    "segment": Segment,
    "ended": RunEnd,
    "gap": GapLine,
    "verified": Finished,
    "derived": Derived,
}


def utc_text(moment: datetime) -> str:
    """A moment as the manifest spells it: UTC with milliseconds and a ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(line: Line) -> bytes:
    """A line of the manifest, without its end."""
    return json_text(asdict(line)).encode()


def read(path: Path) -> Iterator[Line]:
    """Lines of a manifest, in order; what is torn, damaged, of an unknown kind or repeated is skipped.

    A line is written once more when the volume took it and then refused to make it durable.
    """
    if not path.exists():
        return
    before = None
    for text in path.read_text(errors="replace").splitlines():
        if text == before:
            continue
        before = text
        line = _line(text)
        if line is not None:
            yield line


def _line(text: str) -> Line | None:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = next((_KINDS[key] for key in _KINDS if key in fields), None) if isinstance(fields, dict) else None
    if kind is None:
        return None
    known = {name: fields[name] for name in kind.__dataclass_fields__ if name in fields}
    if not all(_fits(value, kind.__dataclass_fields__[name].type) for name, value in known.items()):
        return None
    try:
        return kind(**known)
    except TypeError:  # a field is missing
        return None


def _fits(value: object, kind: Any) -> bool:
    """Whether a field of this type may hold it."""
    match value:
        case bool():
            return kind is bool
        case int() if kind is int:
            return abs(value) < _MOST
        case int() | float():  # neither Infinity nor NaN
            return isinstance(0.0, kind) and abs(value) <= MAX_SECONDS
    return isinstance(value, kind)
