"""Segment files: names, numbers, hashes, and the room they need."""

import errno
import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy_bot.recording import plan, segments, storage
from meeting_buddy_bot.support.volume import SECONDS, Volume, VolumeTimeoutError

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("00001.mkv", 1),
        ("00480.mka", 480),
        ("123456.mkv", 123456),
        ("1.mkv", None),
        ("00001.mp4", None),
        ("x.mkv", None),
    ],
)
def test_number_of_a_segment(name: str, number: int | None) -> None:
    assert segments.number(Path("segments") / name) == number


def test_numbers_go_on_after_whatever_lies_there(tmp_path: Path) -> None:
    assert segments.highest(tmp_path) == 0
    (tmp_path / "segments").mkdir()
    for name in ("00001.mkv", "00007.mkv", "notes.txt"):
        (tmp_path / "segments" / name).touch()
    assert segments.highest(tmp_path) == 7


def test_a_sealed_file_is_told_by_size_and_hash(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(data)
    assert segments.fsync_and_hash(tmp_path / "x") == (len(data), hashlib.sha256(data).hexdigest())


PIECE = 4096
"""Bytes, as :func:`small_pieces` makes it."""


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_PIECE", PIECE)
    monkeypatch.setattr(segments, "_CHUNK", PIECE // 4)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
async def test_a_long_file_is_put_on_the_disk_and_hashed_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (tmp_path / "x").write_bytes(os.urandom(size))
    synced, sync_range, fsync = list[int | str](), segments._sync_range, os.fsync

    def sync_part(descriptor: int, at: int) -> None:
        synced.append(at)
        sync_range(descriptor, at)

    def sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(segments, "_sync_range", sync_part)
    monkeypatch.setattr(os, "fsync", sync)
    found = await segments.fsync_and_hash_pieces(Volume(tmp_path), tmp_path / "x")
    assert synced == [*range(0, size, PIECE), size, "x", tmp_path.name]
    assert found == segments.fsync_and_hash(tmp_path / "x")


class SlowVolume(Volume):
    """Takes so many seconds for each of these bytes that is hashed, which are not waited for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, seconds_per_byte: float) -> None:
        super().__init__(folder)
        self.took = 0.0
        self._seconds_per_byte = seconds_per_byte
        monkeypatch.setattr(segments, "hashlib", self)

    def sha256(self) -> Any:
        volume, real = self, hashlib.sha256()

        class Digest:
            hexdigest = real.hexdigest

            def update(self, data: bytes) -> None:
                volume.took += len(data) * volume._seconds_per_byte
                real.update(data)

        return Digest()

    async def call(self, what: str, access: Callable[[], Any], seconds: float = SECONDS) -> Any:
        began = self.took
        result = await super().call(what, access)
        if what == "hash" and self.took - began > seconds:
            raise VolumeTimeoutError(what)
        return result


@pytest.mark.usefixtures("small_pieces")
async def test_it_may_take_any_time_as_long_as_the_volume_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(data := os.urandom(100 * PIECE))
    volume = SlowVolume(tmp_path, monkeypatch, 59 / PIECE)
    assert await segments.fsync_and_hash_pieces(volume, tmp_path / "x") == (len(data), hashlib.sha256(data).hexdigest())
    assert volume.took == pytest.approx(5900)
    with pytest.raises(VolumeTimeoutError):
        await segments.fsync_and_hash_pieces(SlowVolume(tmp_path, monkeypatch, 61 / PIECE), tmp_path / "x")


def test_a_volume_that_does_not_take_a_part_says_so_and_one_that_knows_no_parts_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"media")
    with (tmp_path / "x").open("rb") as file:
        closed = os.dup(file.fileno())
        os.close(closed)
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            segments._sync_range(closed, 0)
        monkeypatch.setattr(segments, "_WRITE_AND_WAIT", 1 << 10)  # no such flag
        segments._sync_range(file.fileno(), 0)


async def test_a_file_without_media_has_no_span(tmp_path: Path) -> None:
    (tmp_path / "00001.mkv").write_bytes(b"not a film")
    assert await segments.probe(tmp_path / "00001.mkv") is None
    (tmp_path / "00002.mkv").touch()
    assert await segments.probe(tmp_path / "00002.mkv") is None


def blocked(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An ffprobe that does this."""
    program = folder / "ffprobe"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


async def test_a_killed_ffprobe_says_nothing_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked(tmp_path, monkeypatch, "kill -9 $$")
    with pytest.raises(OSError, match=f"signal {signal.SIGKILL:d}"):
        await segments.probe(tmp_path / "00001.mkv")


async def test_one_that_waits_for_the_volume_is_a_volume_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked(tmp_path, monkeypatch, "exec sleep 3600")
    monkeypatch.setattr(segments, "PROBE_SECONDS", 0.1)
    with pytest.raises(VolumeTimeoutError):
        await segments.probe(tmp_path / "00001.mkv")


@pytest.mark.parametrize(
    ("free", "recorded", "rate", "scarce"),
    [
        (10_000 * MEGABYTE, 0, 0.0, False),
        (10 * MEGABYTE, 0, 0.0, True),  # below the reserve
        (1000 * MEGABYTE, 100 * MEGABYTE, 0.1 * MEGABYTE, False),
        (1000 * MEGABYTE, 900 * MEGABYTE, 0.1 * MEGABYTE, True),  # the finished file would not fit beside the segments
        (1000 * MEGABYTE, 100 * MEGABYTE, 1.0 * MEGABYTE, True),  # gone within ten minutes
    ],
)
def test_when_room_is_scarce(free: int, recorded: int, rate: float, scarce: bool) -> None:
    assert storage.scarce(free, recorded, rate) is scarce


@pytest.mark.parametrize(("free", "full"), [(storage.RESERVE_BYTES, False), (storage.RESERVE_BYTES - 1, True)])
def test_when_the_recorder_must_stop(free: int, full: bool) -> None:
    assert storage.full(free) is full


def test_one_clock_for_sound_and_picture() -> None:
    what = plan.CapturePlan(":99", "unix:/run/mb/pulse", "meeting.monitor", (1280, 720))
    argv = plan.capture_argv(what, epoch=1000.5, pattern=Path("%05d.mkv"), first=3, list_fd=9)
    assert argv.count("-copyts") == 1
    assert [argv[index + 1] for index, word in enumerate(argv) if word == "-itsoffset"] == ["-1000.500000"] * 2


def test_sound_alone_needs_no_display() -> None:
    what = plan.CapturePlan(":99", "unix:/run/mb/pulse", "meeting.monitor", None)
    argv = plan.capture_argv(what, epoch=0, pattern=Path("%05d.mka"), first=1, list_fd=9)
    assert not {"x11grab", "libx264", ":99"} & set(argv)
    assert (what.suffix, what.result) == (".mka", "recording.m4a")
