"""Segment files: names, numbers, hashes, and the room they need."""

import hashlib
import signal
from pathlib import Path

import pytest

from meeting_buddy_bot.recording import plan, segments, storage
from meeting_buddy_bot.support.volume import VolumeTimeoutError

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
