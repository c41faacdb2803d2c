"""Makes one playable file of the segments, and opens it before anybody calls it a recording.

Concatenated and remuxed without encoding (seconds per hour of meeting), written aside, verified, fsynced, renamed.
Verified means: each segment has the size that the manifest says; the file opens, has the streams that were asked for,
its length is that of the segments in the manifest, its key frames and all of its sound decode without an error. Every
frame would take minutes of the grace period.

The segments stay: they are what the manifest's hashes speak of. Gaps without media are left out, not filled.

If this process dies, or its time is up: the segments and the manifest are whole; a file under its dotted name beside
them is no recording, and the next attempt removes it. No ``verified`` line is written then.
"""

import asyncio
import contextlib
import errno
import json
import logging
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meeting_buddy_bot.recording import storage
from meeting_buddy_bot.recording.manifest import Finished, Segment, media_seconds, stretches
from meeting_buddy_bot.recording.plan import CapturePlan, MediaFormat
from meeting_buddy_bot.recording.segments import Span, fsync_and_hash, fsync_and_hash_pieces, probe
from meeting_buddy_bot.runtime.processes import run
from meeting_buddy_bot.support.atomic_file import sync_folder
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import GONE, Volume

_ALLOWED_SECONDS: Final = 0.5
"""Difference of lengths that containers and codecs bring along (priming, the last frame)."""
_SLOW_SECONDS: Final = 600.0
"""For what a slow volume does as a whole, such as removing hours of meeting."""
_TIDY_SECONDS: Final = 2.0
"""What is left lies under dotted names, and the time for finishing may be over."""
_CLOCK_SECONDS: Final = 12.0
"""By which a run's media may differ from the session clock: ten seconds of sound may wait in a starved encoder."""
_ALLOWED_PER_STRETCH: Final = 0.25
"""Likewise for each stretch without a gap: its sound and its picture start and end at different moments."""
_SILENT_DECIBELS: Final = -90.0
"""The loudest sample of digital silence, as ffmpeg prints it, is -91 dB for 16 bit."""

_REFUSALS: Final = ("Read error", *(os.strerror(each) for each in GONE))
"""What ffmpeg says where a read failed; of what is cut off its reader of Matroska says that it ended prematurely."""

PROBES: Final = 4
"""Segments that are probed at the same time: enough to keep a slow volume busy, few enough for a small CPU share."""

_log = logging.getLogger(__name__)


def _joint(span: Span) -> float:
    """The moment of a file that ffmpeg puts at the end of the file before it."""
    return span.start if span.demuxer_start is None else span.demuxer_start


class VerificationError(Exception):
    """The finished file is not what the manifest promises; the message says how."""


@dataclass(frozen=True, slots=True)
class RecordingFinalizer:
    """One attempt to finish the recording in the session's folder."""

    volume: Volume
    plan: CapturePlan | MediaFormat
    events: EventLog

    @property
    def folder(self) -> Path:
        """The session's folder."""
        return self.volume.folder

    async def run(self, segments: list[Segment], run_ends: Mapping[int, float]) -> Finished:
        """Make, verify and name the file; the line returned says what is wrong with it.

        Args:
            segments: the manifest's segments, in order.
            run_ends: run → when it wrote last, by the session clock.

        Raises:
            OSError: the volume does not answer, or refuses, or a program was killed; that says nothing of the
                recording.
        """
        if not segments:
            return Finished(False, cause="nothing was recorded")
        # Names of this try alone: a call of an earlier one that comes back late must not touch what this one writes.
        prefix = f".{secrets.token_hex(4)}."
        tmp_path, concat_list = self.folder / f"{prefix}{self.plan.result}", self.folder / f"{prefix}ffconcat"
        try:
            _compare_with_clock(segments, run_ends)
            left = await self.volume.call("look for what was left aside", self._left_aside)
            await self.volume.call("remove what was left aside", lambda: _remove(*left), _SLOW_SECONDS)
            free = await self.volume.call("ask for free room", lambda: storage.free_bytes(self.folder))
            if not storage.fits(free, sum(each.bytes for each in segments)):
                raise VerificationError("no room for one file beside the segments")
            text = await self._concat_list(segments)
            await self._compare_sizes(segments)
            await self.volume.call("write the list of segments", lambda: concat_list.write_text(text))
            await self._remux(concat_list, tmp_path)
            duration = await self._verify(tmp_path, segments)
            size, sha256 = await fsync_and_hash_pieces(self.volume, tmp_path)
            await self.volume.call("publish", lambda: self._publish(tmp_path), _SLOW_SECONDS)
        except VerificationError as error:
            return self._not_verified(segments, str(error))
        except OSError:
            raise
        except Exception as error:  # a fault of ours; the line is written all the same
            _log.exception("finishing failed")
            return self._not_verified(segments, f"finishing failed: {type(error).__name__}")
        finally:
            with contextlib.suppress(OSError):
                await self.volume.call("tidy up", lambda: _remove(concat_list, tmp_path), _TIDY_SECONDS)
        self.events.write("recording_verified", file=self.plan.result, seconds=duration, bytes=size)
        return Finished(True, self.plan.result, sha256, size, duration, len(segments))

    def _not_verified(self, segments: list[Segment], cause: str) -> Finished:
        self.events.write("recording_not_verified", cause=cause)
        return Finished(False, segments=len(segments), cause=cause)

    def _left_aside(self) -> list[Path]:
        """What a try that was killed, or that the volume did not answer, left under its dotted names. Blocking."""
        return [*self.folder.glob(f".*{self.plan.result}"), *self.folder.glob(".*ffconcat")]

    async def verified_before(self, before: Finished, segments: list[Segment]) -> Finished | None:
        """What an earlier process said of the finished file, if it is still so: of these segments, and unchanged.

        Raises:
            OSError: the volume does not hand the file out.
        """
        if not before.verified or before.segments != len(segments):
            return None
        if before.file is not None:
            path = self.folder / before.file
            try:
                found = await fsync_and_hash_pieces(self.volume, path)
            except FileNotFoundError:
                return None
            if found != (before.bytes, before.sha256):
                return None
        self.events.write("recording_verified_before", file=before.file)
        return before

    async def _concat_list(self, segments: list[Segment]) -> str:
        """ffmpeg's list. Lengths are given, from one segment's start to the next one's within a run: a length guessed
        from a cut-off file, or one that ends with its longest stream, would add up to a drift."""
        lines = ["ffconcat version 1.0"]
        spans = await self._spans(segments)
        for index, (segment, span) in enumerate(zip(segments, spans, strict=True)):
            if span is None:
                raise VerificationError(f"{segment.file} cannot be read")
            following = spans[index + 1] if index + 1 < len(segments) else None
            joined = following is not None and segments[index + 1].follows(segment)
            end = _joint(following) if following and joined else span.end
            lines += [f"file '{segment.file}'", f"duration {end - _joint(span):.6f}"]
            if span.demuxer_start is None:
                # Only where ffmpeg finds no start: an inpoint seeks to a key frame and drops the sound before it.
                lines.append(f"inpoint {span.start:.6f}")
            if segment.cut_at is not None:
                lines.append(f"outpoint {span.end:.6f}")
        return "\n".join(lines) + "\n"

    async def _spans(self, segments: list[Segment]) -> list[Span | None]:
        slots = asyncio.Semaphore(PROBES)

        async def span(segment: Segment) -> Span | None:
            latest = float("inf") if segment.cut_at is None else segment.cut_at
            path = self.folder / segment.file
            async with slots:
                if (found := await probe(path, latest)) is not None:
                    return found
                # ffprobe does not tell a volume that refuses from a file without media.
                with contextlib.suppress(FileNotFoundError):
                    await self.volume.call("read a segment", lambda: fsync_and_hash(path), _SLOW_SECONDS)
                return await probe(path, latest)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(span(segment)) for segment in segments]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _compare_sizes(self, segments: list[Segment]) -> None:
        """Raise VerificationError for a segment whose file is shorter or longer than when it was entered."""
        # Behind the probes: opening a file makes a network volume ask its server for the size.
        for segment in segments:
            path = self.folder / segment.file
            size = (await self.volume.call("look at a segment", path.stat)).st_size
            if size != segment.bytes:
                raise VerificationError(
                    f"{segment.file} has {size} bytes, its line of the manifest says {segment.bytes}"
                )

    async def _remux(self, concat_list: Path, tmp_path: Path) -> None:
        # fmt: off
        code, _, stderr_tail = await run("ffmpeg remux", [
            "ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y",
            "-f", "concat", "-safe", "0", "-i", str(concat_list), "-map", "0", "-c", "copy",
            "-movflags", "+faststart", "-f", "mp4" if self.plan.size else "ipod", str(tmp_path),
        ])
        # fmt: on
        _raise_if_refused(stderr_tail, cut_off=code == 0)
        _raise_if_killed("ffmpeg remux", code)
        if code != 0:
            raise VerificationError(f"the segments cannot be joined: {' / '.join(stderr_tail[-2:]) or code}")

    async def _verify(self, tmp_path: Path, segments: list[Segment]) -> float:
        """Length of the file in seconds. Raises VerificationError."""
        # fmt: off
        code, output, stderr_tail = await run("ffprobe", [
            "ffprobe", "-v", "error", "-show_entries", "format=duration:stream=codec_type", "-of", "json",
            str(tmp_path),
        ])
        # fmt: on
        _raise_if_refused(stderr_tail)
        _raise_if_killed("ffprobe", code)
        if code != 0:
            raise VerificationError(f"the file cannot be opened: {' / '.join(stderr_tail[-2:])}")
        try:
            found = json.loads(output)
            kinds = {stream["codec_type"] for stream in found["streams"]}
            duration = float(found["format"]["duration"])
        except (ValueError, KeyError) as error:
            raise VerificationError("ffprobe tells neither streams nor length of the file") from error
        wanted = {"audio", "video"} if self.plan.size else {"audio"}
        if kinds != wanted:
            raise VerificationError(f"the file holds {sorted(kinds)}, not {sorted(wanted)}")
        promised = media_seconds(segments)
        allowed = _ALLOWED_SECONDS + _ALLOWED_PER_STRETCH * len(stretches(segments))
        if abs(duration - promised) > allowed:
            raise VerificationError(f"the file lasts {duration:.2f} s, its segments {promised:.2f} s")
        await self._decode(tmp_path)
        return round(duration, 3)

    async def _decode(self, tmp_path: Path) -> None:
        # fmt: off
        code, _, stderr_tail = await run("ffmpeg verify", [
            "ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info", "-skip_frame:v", "nokey",
            "-i", str(tmp_path),
            "-map", "0:v?", "-f", "null", "-", "-map", "0:a", "-af", "volumedetect", "-f", "null", "-",
        ])
        # fmt: on
        _raise_if_refused(stderr_tail)
        _raise_if_killed("ffmpeg verify", code)
        # "… to muxer" speaks of the null output: two frames that x11grab took within one tick of the declared rate.
        faults = [line for line in stderr_tail if ("rror" in line or "nvalid" in line) and "to muxer" not in line]
        if code != 0 or faults:
            raise VerificationError(f"the file does not decode: {' / '.join(faults[:2]) or code}")
        loudest = re.search(r"max_volume: (-?[\d.]+) dB", "\n".join(stderr_tail))
        if loudest and float(loudest[1]) < _SILENT_DECIBELS:
            self.events.write("recording_silent", loudest_decibels=float(loudest[1]))

    def _publish(self, tmp_path: Path) -> None:
        tmp_path.rename(self.folder / self.plan.result)
        sync_folder(self.folder)


def _raise_if_refused(stderr_tail: Sequence[str], *, cut_off: bool = False) -> None:
    """What ffmpeg says of a volume that refuses says nothing of the recording, and its exit code nothing of a refusal.

    A read that fails need not end it: Matroska's reader goes on behind the next cluster, and leaves a hole.

    Args:
        stderr_tail: what it said.
        cut_off: what it read may end in the middle, which it calls an I/O error, too.

    Raises:
        OSError: the volume refused something.
    """
    words = _REFUSALS if cut_off else (*_REFUSALS, os.strerror(errno.EIO))
    for line in stderr_tail:
        if any(each in line for each in words):
            raise OSError(errno.EIO, line.strip()[-200:])


def _raise_if_killed(name: str, code: int) -> None:
    """A program that a signal ended, such as for lack of memory, says nothing of the recording. Raises OSError."""
    if code < 0:
        raise OSError(errno.EINTR, f"{name} was ended by signal {-code}")


def _compare_with_clock(segments: list[Segment], run_ends: Mapping[int, float]) -> None:
    """Raise VerificationError for media that is longer or shorter than the time in which it was captured.

    A segment between two others that cannot be read is a gap that is stated; its time was captured all the same.
    """
    for number, end in run_ends.items():
        mine = [segment for segment in segments if segment.run == number]
        if mine and abs(mine[-1].end - end) > _CLOCK_SECONDS:
            start = mine[0].start
            raise VerificationError(
                f"run {number} holds {mine[-1].end - start:.1f} s of media; "
                f"the session clock counted {end - start:.1f} s"
            )


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
