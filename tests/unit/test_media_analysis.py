"""The analysis of recordings judges right in both directions: a good file passes, each kind of damage is seen."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.local.clone import SPEECH
from tests.local.media import frame_code, likeness, picture, probe, sync
from tests.local.media.sound import RATE, Samples, Utterance, coarse_lag, decode
from tests.local.meetings.livekit.picture import HEIGHT, WIDTH, Picture
from tests.local.meetings.livekit.schedule import conversation, conversation_clips

COUNTER_RATE = 10
FRAME_RATE = 15
SECONDS = 20.0


@pytest.fixture(scope="module")
def spoken() -> list[Utterance]:
    turns = islice(conversation(["Ada"], conversation_clips(SPEECH / "en")), 4)
    return [Utterance(turn.clip.path, turn.start, turn.person) for turn in turns if turn.end < SECONDS - 1]


@pytest.fixture(scope="module")
def track(spoken: list[Utterance]) -> Samples:
    """What a perfect recording would hold, with a little room noise."""
    track = np.random.default_rng(1).normal(0, 1e-4, round(SECONDS * RATE)).astype(np.float32)
    for utterance in spoken:
        clip = decode(utterance.path)
        at = round(utterance.start * RATE)
        track[at : at + len(clip)] += clip
    return track


def shifted(track: Samples, seconds: float) -> Samples:
    return np.concatenate((np.zeros(round(seconds * RATE), np.float32), track))


@pytest.mark.parametrize("counter", [0, 1, 4095, 0xAAAA, 0xFFFF, 0x10003])
def test_a_counter_is_read_back(counter: int) -> None:
    luma = shown(counter)
    place = frame_code.find(luma)
    assert place is not None
    assert frame_code.read(luma, place) == counter % frame_code.MODULO


@pytest.mark.parametrize("width", [240, 420, 627, 1011])
def test_a_counter_is_found_at_any_size_and_place_of_a_page(width: int, tmp_path: Path) -> None:
    page = np.full((720, 1280), 30, np.uint8)
    tile = scaled(shown(777), width, tmp_path)
    page[40 : 40 + tile.shape[0], 200 : 200 + tile.shape[1]] = tile
    place = frame_code.find(page)
    assert place is not None
    assert frame_code.read(page, place) == 777


def test_a_page_without_a_panel_has_no_counter() -> None:
    noise = np.random.default_rng(4).integers(0, 255, (360, 640), np.uint8)
    assert frame_code.find(noise) is None
    assert frame_code.find(np.zeros((360, 640), np.uint8)) is None


def test_a_flipped_cell_is_refused() -> None:
    luma = shown(1234)
    place = frame_code.find(luma)
    assert place is not None
    top = round(place.y + 7 * place.module)
    luma[top - 8 : top + 24, round(place.x) - 28 : round(place.x) + 4] ^= 0xFF
    assert frame_code.read(luma, place) is None


def test_a_moving_picture_passes(tmp_path: Path, track: Samples, spoken: list[Utterance]) -> None:
    path = recording(tmp_path, track)
    report = picture.watch(path, frame_rate=FRAME_RATE)
    assert report.readable_share == 1
    assert report.missing_counters == 0
    assert report.missing_frames == 0
    assert report.backwards == 0
    assert report.longest_freeze < 0.2
    offset = offset_of(path, spoken, report)
    assert offset is not None
    assert abs(offset.seconds) < 0.035  # half a frame: nobody sees when inside a frame a change happened
    media = probe.probe(path)
    assert media.seconds == pytest.approx(SECONDS, abs=0.1)
    assert [stream.kind for stream in media.streams] == ["video", "audio"]


@pytest.mark.parametrize("late", [0.3, -0.3])
def test_sound_beside_the_picture_is_measured(
    tmp_path: Path, track: Samples, spoken: list[Utterance], late: float
) -> None:
    moved = shifted(track, late) if late > 0 else track[round(-late * RATE) :]
    path = recording(tmp_path, moved)
    report = picture.watch(path, frame_rate=FRAME_RATE)
    offset = offset_of(path, spoken, report)
    assert offset is not None
    assert offset.seconds == pytest.approx(late, abs=0.035)


def test_a_frozen_picture_is_seen(tmp_path: Path, track: Samples) -> None:
    path = recording(tmp_path, track, counter_at=lambda seconds: int(min(seconds, 5) * COUNTER_RATE))
    report = picture.watch(path, frame_rate=FRAME_RATE)
    assert report.longest_freeze == pytest.approx(SECONDS - 5, abs=0.3)


def test_lost_pictures_are_counted(tmp_path: Path, track: Samples) -> None:
    path = recording(tmp_path, track, counter_at=lambda seconds: int(seconds * COUNTER_RATE) // 2 * 2)
    assert picture.watch(path, frame_rate=FRAME_RATE).missing_counters == pytest.approx(0.5, abs=0.02)


def test_frames_that_a_recorder_dropped_are_counted(tmp_path: Path, track: Samples) -> None:
    path = recording(tmp_path, track)
    thinner = tmp_path / "thinner.mkv"
    probe.run("ffmpeg", "-i", str(path), "-vf", "select=mod(n\\,5)", "-fps_mode", "vfr", str(thinner))
    assert picture.watch(thinner, frame_rate=FRAME_RATE).missing_frames == pytest.approx(0.2, abs=0.03)


def test_a_picture_without_a_panel_has_no_counter(tmp_path: Path, track: Samples) -> None:
    path = recording(tmp_path, track, counter_at=lambda seconds: None)
    report = picture.watch(path, frame_rate=FRAME_RATE)
    assert report.readable_share == 0
    assert report.missing_counters == 1
    assert report.longest_freeze > SECONDS - 1


def test_a_still_is_taken(tmp_path: Path, track: Samples) -> None:
    path = recording(tmp_path, track)
    assert probe.still(path, 3, tmp_path / "still.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(probe.UnreadableMediaError):
        probe.still(path, SECONDS + 10, tmp_path / "none.png")


def test_what_is_no_media_file_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "broken.mkv"
    path.write_bytes(b"not a film")
    with pytest.raises(probe.UnreadableMediaError):
        probe.probe(path)


def test_the_conversation_is_the_same_every_time_and_one_speaks_at_a_time() -> None:
    clips = conversation_clips(SPEECH / "en")
    turns = list(islice(conversation(["Ada", "Grace", "Alan"], clips), 40))
    assert turns == list(islice(conversation(["Ada", "Grace", "Alan"], clips), 40))
    assert all(earlier.end + 0.5 < later.start for earlier, later in pairwise(turns))
    assert {turn.person for turn in turns} == {"Ada", "Grace", "Alan"}
    rounds = [tuple(turn.clip.path for turn in turns[at : at + len(clips)]) for at in (0, len(clips))]
    assert rounds[0] != rounds[1]


def offset_of(path: Path, spoken: list[Utterance], report: picture.PictureReport) -> sync.Offset | None:
    """Sound against picture of a recording whose beginning nobody knows."""
    heard = decode(path)
    alike = likeness.compare(heard, spoken, coarse_lag(heard, spoken))
    return sync.offset(alike, report, counter_rate=COUNTER_RATE)


def shown(counter: int) -> npt.NDArray[np.uint8]:
    """The luma of a participant's frame."""
    content = Picture("Ada Lovelace").frame(counter, "12:34:56")
    return np.frombuffer(content, np.uint8)[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH).copy()


def scaled(luma: npt.NDArray[np.uint8], width: int, folder: Path) -> npt.NDArray[np.uint8]:
    """As a page would show it in a tile of this width."""
    height = width * 9 // 16
    source = folder / "tile.gray"
    source.write_bytes(luma.tobytes())
    size = f"{WIDTH}x{HEIGHT}"
    raw = probe.run(
        *("ffmpeg", "-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-i", str(source)),
        *("-vf", f"scale={width}:{height}", "-pix_fmt", "gray", "-f", "rawvideo", "-"),
    )
    return np.frombuffer(raw, np.uint8).reshape(height, width)


def recording(
    folder: Path,
    track: Samples,
    counter_at: Callable[[float], int | None] = lambda seconds: int(seconds * COUNTER_RATE),
) -> Path:
    """A film of `SECONDS`: the picture as a participant sends it, `track` as its sound."""
    target, heard = folder / "recording.mkv", folder / "track.f32"
    heard.write_bytes(track.tobytes())
    painter = Picture("Ada Lovelace")
    blank = bytes(WIDTH * HEIGHT * 3 // 2)
    argv = [
        *("ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}"),
        *("-r", str(FRAME_RATE), "-i", "-", "-f", "f32le", "-ar", str(RATE), "-ac", "1", "-i", str(heard)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "26", "-c:a", "libopus", "-b:a", "64k"),
        *("-t", str(SECONDS), str(target)),
    ]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number in range(round(SECONDS * FRAME_RATE)):
            counter = counter_at(number / FRAME_RATE)
            process.stdin.write(blank if counter is None else painter.frame(counter, "12:34:56"))
        process.stdin.close()
    assert process.returncode == 0
    return target
