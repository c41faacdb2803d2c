"""Segment files: their names, what is inside them, and putting them on the disk for good.

If this process dies: a segment that was being hashed has no manifest line yet; its file is complete, and whoever
finishes the folder later finds it by name.
"""

import ctypes
import errno
import hashlib
import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from meeting_buddy_bot.runtime.processes import run
from meeting_buddy_bot.support.atomic_file import sync_folder
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError

SEGMENTS_FOLDER: Final = "segments"

_NAME = re.compile(r"(\d{5,})\.(mkv|mka)")
_CHUNK = 1024 * 1024
_EARLY_SECONDS: Final = 1.0
"""Sound that PulseAudio had buffered before the run began may be stamped a little before it."""
PROBE_SECONDS: Final = 60.0
"""For reading one segment, some megabytes, from a slow volume."""
_PIECE: Final = 16 * _CHUNK
"""Of a long file, about as much as a segment."""
_PIECE_SECONDS: Final = 60.0
"""For syncing and reading one; a volume that takes longer does not answer."""
_SYNC_SECONDS: Final = 600.0
"""For what is left to sync when all pieces are: a server's own memory, and the folder."""
_WRITE_AND_WAIT: Final = 7
"""``SYNC_FILE_RANGE_WRITE_AND_WAIT``."""
_NO_RANGES: Final = (errno.ENOSYS, errno.EPERM, errno.EINVAL)
"""Where no part of a file can be synced alone: the sync of the whole file does it."""
_KILLED: Final = (-signal.SIGKILL, -signal.SIGTERM)
"""Ends of ffprobe that somebody else wanted; by another signal it ended because of the file."""


@dataclass(frozen=True, slots=True)
class Span:
    """First and last moment of the media in a file, seconds in the file's own timestamps."""

    start: float
    end: float
    demuxer_start: float | None = None
    """What ffmpeg takes for the start when it opens the file; ``None``: it cannot tell (a file of a few frames)."""
    cut: bool = False
    """Whether packets outside the time in which the file was written (a clock that was set) were left out."""


def pattern(folder: Path, suffix: str) -> Path:
    """ffmpeg's pattern for segment files."""
    return folder / SEGMENTS_FOLDER / f"%05d{suffix}"


def number(file: Path) -> int | None:
    """Number of a segment file; ``None`` when the name is not one."""
    found = _NAME.fullmatch(file.name)
    return int(found[1]) if found else None


def highest(folder: Path) -> int:
    """Highest number in use, 0 when there is none; also counts files that were never entered in the manifest. Blocking.

    Raises:
        OSError: the volume cannot be read.
    """
    try:
        return max((number(file) or 0 for file in (folder / SEGMENTS_FOLDER).iterdir()), default=0)
    except FileNotFoundError:
        return 0


def try_writing(folder: Path) -> None:
    """Have the volume take a byte: one that only lists is of no use. Blocking.

    If this process dies: the file stays under a name that is no segment's, and the next one removes it.

    Raises:
        OSError: it does not take it.
    """
    trial = folder / SEGMENTS_FOLDER / ".trial"
    try:
        with trial.open("wb", buffering=0) as stream:
            stream.write(b"\n")
            os.fsync(stream.fileno())
    finally:
        trial.unlink(missing_ok=True)


async def probe(file: Path, latest: float = float("inf")) -> Span | None:
    """Span of the media that can be read from a segment, cut off or not; ``None`` when there is none.

    Reads every packet's header: a file that was cut off has no index and no length to ask for. Packets that claim to
    be from after ``latest`` (seconds in the file's own timestamps), or from before the run, are left out: a wall clock
    that was set stamps them so.

    Raises:
        VolumeTimeoutError: the volume does not hand the file out.
        OSError: ffprobe could not be started, or was killed; that says nothing of the file.
    """
    # fmt: off
    argv = [
        "ffprobe", "-v", "quiet", "-show_entries", "format=start_time:packet=pts_time,duration_time",
        "-of", "json", str(file),
    ]
    # fmt: on
    try:
        code, output, _ = await run("ffprobe", argv, seconds=PROBE_SECONDS)
    except TimeoutError:
        raise VolumeTimeoutError("read a segment") from None
    if code in _KILLED:
        raise OSError(errno.EINTR, f"ffprobe was ended by signal {-code}")
    try:
        found = json.loads(output)
    except ValueError:
        return None
    stamped = [packet for packet in found.get("packets", []) if "pts_time" in packet]
    inside = [packet for packet in stamped if -_EARLY_SECONDS <= float(packet["pts_time"]) <= latest]
    if not inside:
        return None
    demuxer_start = found.get("format", {}).get("start_time")
    return Span(
        min(float(packet["pts_time"]) for packet in inside),
        max(float(packet["pts_time"]) + float(packet.get("duration_time", 0)) for packet in inside),
        float(demuxer_start) if demuxer_start else None,
        cut=len(inside) < len(stamped),
    )


def fsync_and_hash(file: Path) -> tuple[int, str]:
    """Put a file on the disk for good; its size in bytes and its SHA-256 in hex. Blocking."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
        size = stream.tell()
    sync_folder(file.parent)
    return size, digest.hexdigest()


async def fsync_and_hash_pieces(volume: Volume, file: Path) -> tuple[int, str]:
    """The same for hours of meeting: it may take as long as it likes, provided that the volume goes on.

    Raises:
        VolumeTimeoutError: it did not go on.
        OSError: it refuses.
    """
    digest, size = hashlib.sha256(), 0
    while count := await volume.call("hash", partial(_piece, file, size, digest.update), _PIECE_SECONDS):
        size += count
    await volume.call("sync", partial(_sync, file), _SYNC_SECONDS)
    return size, digest.hexdigest()


def _piece(file: Path, at: int, update: Callable[[bytes], object]) -> int:
    """Put a piece on the disk, then hash it; its bytes, 0 behind the file's end."""
    with file.open("rb") as stream:  # anew for each: a call that comes back late needs nothing that is closed by then
        _sync_range(stream.fileno(), at)
        stream.seek(at)
        while stream.tell() < at + _PIECE and (chunk := stream.read(_CHUNK)):
            update(chunk)
        return stream.tell() - at


def _sync_range(descriptor: int, at: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sync_file_range(descriptor, ctypes.c_int64(at), ctypes.c_int64(_PIECE), _WRITE_AND_WAIT) < 0:
        number = ctypes.get_errno()
        if number not in _NO_RANGES:
            raise OSError(number, os.strerror(number))


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
    sync_folder(file.parent)
