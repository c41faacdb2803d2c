"""Facts about a media file from ffprobe and ffmpeg: lengths, streams, times of frames, a still."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path


class UnreadableMediaError(Exception):
    """ffmpeg or ffprobe could not make sense of the file; the message carries what it said."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: `video` or `audio`, its codec, and its length in seconds (None where the file does not say)."""

    kind: str
    codec: str
    seconds: float | None
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Media:
    """What a file holds; `seconds` is the container's length."""

    seconds: float
    streams: tuple[Stream, ...]

    def of(self, kind: str) -> list[Stream]:
        """The streams of one kind."""
        return [stream for stream in self.streams if stream.kind == kind]


def probe(path: Path) -> Media:
    """Open a file with ffprobe. Raises `UnreadableMediaError`."""
    answer = json.loads(run("ffprobe", "-show_format", "-show_streams", "-of", "json", str(path)))
    streams = tuple(
        Stream(
            one["codec_type"],
            one.get("codec_name", "unknown"),
            float(one["duration"]) if "duration" in one else None,
            one.get("width", 0),
            one.get("height", 0),
        )
        for one in answer["streams"]
    )
    return Media(float(answer["format"].get("duration", 0)), streams)


def frame_times(path: Path) -> list[float]:
    """When each video frame is shown, in seconds of the file, in order. Raises `UnreadableMediaError`."""
    return packet_times(path, "v:0")


def packet_times(path: Path, stream: str) -> list[float]:
    """When each packet of a stream (`v:0`, `a:0`) is due, likewise."""
    entries = ("-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "csv=print_section=0")
    lines = run("ffprobe", *entries, str(path)).decode().split()
    return sorted(float(line.strip(",")) for line in lines if line[0].isdigit() or line[0] == "-")


def still(path: Path, seconds: float, target: Path) -> Path:
    """Write the picture shown at `seconds` as PNG. Raises `UnreadableMediaError`, also when there is none."""
    target.unlink(missing_ok=True)
    run("ffmpeg", "-y", "-ss", f"{seconds:.3f}", "-i", str(path), "-frames:v", "1", str(target))
    if not target.exists():
        raise UnreadableMediaError(f"{path.name} shows nothing at {seconds:g} s")
    return target


def run(program: str, *arguments: str) -> bytes:
    """Standard output of ffmpeg or ffprobe. Raises `UnreadableMediaError`."""
    done = subprocess.run(
        [program, "-v", "error", *arguments], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise UnreadableMediaError(f"{program}: {done.stderr.decode(errors='replace').strip()[-500:]}")
    return done.stdout
