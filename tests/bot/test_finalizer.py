"""Joining segments: nothing of them is lost, nothing is moved, and what is not whole is not called verified."""

import functools
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from meeting_buddy_bot.recording import finalizer, storage
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import Segment
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.segments import probe as probe_segment
from meeting_buddy_bot.runtime import processes
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from tests.local.media.probe import probe, run

PLAN = CapturePlan(":0", "unix:/nowhere", "meeting.monitor", (320, 180), 15)


def make_run(
    folder: Path, *, first: int, video: float, audio: float, video_late: float = 0.0, each: int = 4, rate: int = 48000
) -> list[Path]:
    """Segments of one run, of ``each`` seconds: ``video`` and ``audio`` seconds, the picture ``video_late`` later.

    ``rate``: samples a second; the fewer, the further a segment's last 1024 of them reach into the next one.
    """
    (folder / "segments").mkdir(exist_ok=True)
    files = []
    for number, data in enumerate(_encoded(video, audio, video_late, each, rate), first):
        files.append(folder / "segments" / f"{number:05d}.mkv")
        files[-1].write_bytes(data)
    return files


@functools.cache
def _encoded(video: float, audio: float, video_late: float, each: int, rate: int) -> tuple[bytes, ...]:
    """The segments' bytes: many tests begin with the same ones."""
    with tempfile.TemporaryDirectory() as folder:
        # fmt: off
        subprocess.run([
            "ffmpeg", "-v", "error", "-copyts",
            "-f", "lavfi", "-i", f"sine=440:r={rate}:d={audio}",
            "-itsoffset", str(video_late), "-f", "lavfi", "-i", f"testsrc=s=320x180:r=15:d={video}",
            "-map", "1:v", "-map", "0:a", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30",
            "-force_key_frames", "expr:gte(t,n_forced*2)", "-c:a", "aac",
            "-f", "segment", "-segment_time", str(each), "-segment_format", "matroska", f"{folder}/%05d.mkv",
        ], check=True)
        # fmt: on
        return tuple(path.read_bytes() for path in sorted(Path(folder).iterdir()))


async def entered(folder: Path, files: list[Path], run_number: int) -> list[Segment]:
    found = []
    for file in files:
        span = await probe_segment(file)
        assert span is not None
        size = len(file.read_bytes())
        found.append(Segment(int(file.stem), f"segments/{file.name}", span.start, span.end, "", size, "", run_number))
    return found


def packets(path: Path, kind: str) -> int:
    answer = run("ffprobe", "-select_streams", kind, "-show_entries", "packet=pts", "-of", "csv=p=0", str(path))
    return len(answer.split())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def finishing(folder: Path) -> RecordingFinalizer:
    return RecordingFinalizer(Volume(folder), PLAN, EventLog(folder / "events.jsonl", SessionClock()))


async def test_every_packet_of_every_segment_is_in_the_file(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=10, audio=10.5, video_late=0.5)
    assert len(files) == 3
    finished = await finishing(tmp_path).run(await entered(tmp_path, files, 1), {})
    assert finished.verified, finished.cause
    result = tmp_path / "recording.mp4"
    for kind in ("v", "a"):
        assert packets(result, kind) == sum(packets(file, kind) for file in files)
    assert finished.duration == pytest.approx(10.5, abs=0.1)


async def test_the_sound_in_which_segments_overlap_counts_once_however_many_there_are(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=48, audio=48, each=2, rate=8000)
    segments = await entered(tmp_path, files, 1)
    assert sum(segment.seconds for segment in segments) > 48.9  # more than a file may differ
    finished = await finishing(tmp_path).run(segments, {1: 48.0})
    assert finished.verified, finished.cause
    assert finished.duration == pytest.approx(48, abs=0.2)


async def test_a_segment_that_cannot_be_read_is_a_gap_and_no_fault_of_the_others(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=40, audio=40, each=2)
    segments = [segment for segment in await entered(tmp_path, files, 1) if not 5 <= segment.segment <= 12]
    finished = await finishing(tmp_path).run(segments, {1: 40.0})
    assert finished.verified, finished.cause
    assert finished.duration == pytest.approx(24, abs=0.2)


async def test_a_last_segment_of_a_few_frames_makes_no_hole(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=8.2, audio=7.9)
    assert [packets(file, "a") for file in files][-1] == 0
    finished = await finishing(tmp_path).run(await entered(tmp_path, files, 1), {})
    assert finished.verified, finished.cause
    assert finished.duration == pytest.approx(8.2, abs=0.1)


async def test_runs_follow_each_other_without_the_gap_between_them(tmp_path: Path) -> None:
    first = make_run(tmp_path, first=1, video=5, audio=5)
    second = make_run(tmp_path, first=10, video=3, audio=3)
    segments = await entered(tmp_path, first, 1) + await entered(tmp_path, second, 2)
    finished = await finishing(tmp_path).run(segments, {})
    assert finished.verified, finished.cause
    assert probe(tmp_path / "recording.mp4").seconds == pytest.approx(8, abs=0.2)


async def test_a_segment_that_was_cut_off_is_joined_as_far_as_it_goes(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=4, audio=4)
    data = files[0].read_bytes()
    files[0].write_bytes(data[: len(data) * 2 // 3])
    finished = await finishing(tmp_path).run(await entered(tmp_path, files[:1], 1), {})
    assert finished.verified, finished.cause
    assert 1 < finished.duration < 4


async def test_a_segment_that_is_gone_is_told(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=6, audio=6)
    segments = await entered(tmp_path, files, 1)
    files[1].unlink()
    finished = await finishing(tmp_path).run(segments, {})
    assert (finished.verified, finished.cause) == (False, "segments/00002.mkv cannot be read")
    assert names(tmp_path) - {"events.jsonl"} == {"segments"}, "no file that is half made"


@pytest.mark.parametrize("share", [0.95, 1.05])
async def test_a_segment_whose_size_is_not_that_of_its_line_is_told(tmp_path: Path, share: float) -> None:
    files = make_run(tmp_path, first=1, video=12, audio=12)
    segments = await entered(tmp_path, files, 1)
    data = files[1].read_bytes()
    files[1].write_bytes((data + bytes(len(data)))[: round(len(data) * share)])
    finished = await finishing(tmp_path).run(segments, {1: 12.0})
    assert not finished.verified
    size = files[1].stat().st_size
    assert finished.cause == f"segments/00002.mkv has {size} bytes, its line of the manifest says {len(data)}"
    assert names(tmp_path) - {"events.jsonl"} == {"segments"}, "no file that is half made"


async def test_a_file_without_its_sound_is_not_verified(tmp_path: Path) -> None:
    [whole] = make_run(tmp_path, first=1, video=3, audio=3)
    silent = whole.with_name("00002.mkv")
    run("ffmpeg", "-i", str(whole), "-map", "0:v", "-c", "copy", str(silent))
    finished = await finishing(tmp_path).run(await entered(tmp_path, [silent], 1), {})
    assert not finished.verified
    assert finished.cause == "the file holds ['video'], not ['audio', 'video']"


async def test_a_file_shorter_than_its_manifest_is_not_verified(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=3, audio=3)
    [segment] = await entered(tmp_path, files, 1)
    longer = Segment(1, segment.file, segment.start, segment.end + 30, "", segment.bytes, "", 1)
    finished = await finishing(tmp_path).run([longer], {})
    assert not finished.verified
    assert "its segments 33" in str(finished.cause)


async def test_without_segments_nothing_is_verified(tmp_path: Path) -> None:
    finished = await finishing(tmp_path).run([], {})
    assert (finished.verified, finished.cause) == (False, "nothing was recorded")


async def test_what_a_killed_remux_left_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = await entered(tmp_path, make_run(tmp_path, first=1, video=6, audio=6), 1)
    left = (".recording.mp4", ".0a1b2c3d.recording.mp4", ".segments.ffconcat", ".0a1b2c3d.ffconcat")
    for name in left:
        (tmp_path / name).write_bytes(b"x")

    def free_bytes(_folder: Path) -> int:
        return 0 if names(tmp_path) & set(left) else 10**9

    monkeypatch.setattr(storage, "free_bytes", free_bytes)
    finished = await finishing(tmp_path).run(segments, {})
    assert finished.verified, finished.cause
    assert names(tmp_path) - {"events.jsonl"} == {"segments", "recording.mp4"}


@pytest.mark.parametrize("answer", ["", "{}", '{"streams": [{}]}', '{"streams": [], "format": {"duration": "N/A"}}'])
async def test_an_answer_of_ffprobe_that_says_nothing_is_not_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    segments = await entered(tmp_path, make_run(tmp_path, first=1, video=3, audio=3), 1)

    async def says(name: str, argv: Sequence[str]) -> tuple[int, str, list[str]]:
        return (0, answer, []) if name == "ffprobe" else await processes.run(name, argv)

    monkeypatch.setattr(finalizer, "run", says)
    finished = await finishing(tmp_path).run(segments, {})
    assert not finished.verified
    assert finished.cause == "ffprobe tells neither streams nor length of the file"


async def test_a_fault_of_ours_is_not_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = await entered(tmp_path, make_run(tmp_path, first=1, video=3, audio=3), 1)

    async def fails(file: Path, latest: float) -> None:
        raise KeyError(file, latest)

    monkeypatch.setattr(finalizer, "probe", fails)
    finished = await finishing(tmp_path).run(segments, {})
    assert (finished.verified, finished.cause) == (False, "finishing failed: KeyError")


async def test_media_that_lasts_longer_than_the_clock_is_not_verified(tmp_path: Path) -> None:
    files = make_run(tmp_path, first=1, video=20, audio=20)
    segments = await entered(tmp_path, files, 1)
    finished = await finishing(tmp_path).run(segments, {1: 5.0})
    assert not finished.verified
    assert str(finished.cause).endswith("s of media; the session clock counted 5.0 s")
    assert (await finishing(tmp_path).run(segments, {1: 20.4})).verified
