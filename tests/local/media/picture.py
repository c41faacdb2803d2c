"""Was what was shown recorded? Reads the frame counter off every recorded frame.

*Shown late or never* and *recorded late or never* are two things: a counter that no frame shows was lost somewhere
between sender and file; a recorded frame that is missing leaves a hole in the file's own times.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.local.media import frame_code
from tests.local.media.frame_code import Luma, Place
from tests.local.media.probe import frame_times, probe

_SEARCH_EVERY = 8  # frames: a search of the whole picture costs ten times a reading


@dataclass(frozen=True, slots=True)
class Seen:
    """One recorded frame: its time in the file, and the counter it shows (None: no panel, or unreadable)."""

    seconds: float
    counter: int | None


@dataclass(frozen=True, slots=True)
class PictureReport:
    """What the frames of a recording say. `frame_rate` is the declared one of the recording."""

    frames: tuple[Seen, ...]
    frame_rate: float

    def after(self, seconds: float) -> PictureReport:
        """The same report over the frames from `seconds` of the file on."""
        return PictureReport(tuple(frame for frame in self.frames if frame.seconds >= seconds), self.frame_rate)

    @property
    def counted(self) -> list[tuple[float, int]]:
        """(time, counter) of every readable frame, with the counter's wrap-around undone."""
        result: list[tuple[float, int]] = []
        for frame in self.frames:
            if frame.counter is not None:
                last = result[-1][1] if result else frame.counter
                step = (frame.counter - last + frame_code.MODULO // 2) % frame_code.MODULO - frame_code.MODULO // 2
                result.append((frame.seconds, last + step))
        return result

    @property
    def readable_share(self) -> float:
        """The share of frames with a readable counter."""
        return len(self.counted) / len(self.frames) if self.frames else 0.0

    @property
    def moves(self) -> bool:
        """Whether a counter was seen to run."""
        return len({counter for _, counter in self.counted}) > 1

    @property
    def missing_counters(self) -> float:
        """The share of counters between the first and the last seen that no frame shows (1 when nothing moved)."""
        numbers = {counter for _, counter in self.counted}
        span = max(numbers) - min(numbers) + 1 if numbers else 0
        return 1 - len(numbers) / span if span > 1 else 1.0

    @property
    def backwards(self) -> int:
        """How often the counter went back; nothing should ever do that."""
        numbers = [counter for _, counter in self.counted]
        return sum(later < earlier for earlier, later in pairwise(numbers))

    @property
    def missing_frames(self) -> float:
        """The share of frames that the recording lacks by its own times, against its declared rate."""
        if len(self.frames) < 2:
            return 1.0
        seconds = self.frames[-1].seconds - self.frames[0].seconds
        return max(0.0, 1 - (len(self.frames) - 1) / round(seconds * self.frame_rate))

    @property
    def longest_freeze(self) -> float:
        """The longest time in seconds in which no new counter appeared, the ends of the recording included."""
        if not self.counted:
            return self.frames[-1].seconds - self.frames[0].seconds if self.frames else 0.0
        changes = [self.frames[0].seconds]
        last = None
        for seconds, counter in self.counted:
            if counter != last:
                changes.append(seconds)
                last = counter
        changes.append(self.frames[-1].seconds)
        return max(later - earlier for earlier, later in pairwise(changes))

    def __str__(self) -> str:
        return (
            f"{len(self.frames)} frames at {self.frame_rate:g}/s, {self.missing_frames:.1%} missing; counter readable "
            f"in {self.readable_share:.0%}, {self.missing_counters:.1%} of its steps unseen, "
            f"longest freeze {self.longest_freeze:.2f} s"
        )


def watch(path: Path, *, frame_rate: float) -> PictureReport:
    """Read every frame of a recording. Raises `UnreadableMediaError` when it holds no picture."""
    times = frame_times(path)
    place: Place | None = None
    seen = []
    for number, (seconds, luma) in enumerate(zip(times, frames(path), strict=False)):
        counter = frame_code.read(luma, place) if place is not None else None
        if counter is None and (place is not None or number % _SEARCH_EVERY == 0):
            place = frame_code.find(luma)  # the layout may have changed
            counter = frame_code.read(luma, place) if place is not None else None
        seen.append(Seen(seconds, counter))
    return PictureReport(tuple(seen), frame_rate)


def frames(path: Path) -> Iterator[Luma]:
    """The luma plane of each coded frame, in order of showing. Raises `UnreadableMediaError`."""
    video = probe(path).of("video")
    if not video:
        return
    width, height = video[0].width, video[0].height
    argv = ("ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough")
    # Two frames within one tick are an "error" to the raw video's muxer and to nobody else: its words stay in a file.
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [*argv, "-pix_fmt", "gray", "-f", "rawvideo", "-"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        assert process.stdout is not None
        while len(raw := process.stdout.read(width * height)) == width * height:
            yield np.frombuffer(raw, np.uint8).reshape(height, width)
        if process.wait() != 0:
            log.seek(0)
            raise ValueError(f"{path} cannot be decoded: {log.read().decode(errors='replace')[-400:]}")
