"""The manifest: lines that survive whatever happens around them."""

from pathlib import Path

import pytest

from meeting_buddy_bot.recording.manifest import Finished, GapLine, Line, Segment, encode, read

LINES: list[Line] = [
    Segment(1, "segments/00001.mkv", 0.5, 30.5, "2026-11-23T10:00:00.500Z", 1000, "ab" * 32, 1),
    GapLine("the recorder was killed", 30.5, 31.2),
    Segment(2, "segments/00002.mkv", 31.2, 40.0, "2026-11-23T10:00:31.200Z", 500, "cd" * 32, 2, complete=False),
    GapLine("browser restarted", 35.0, 38.0, recorded=True),
    Finished(True, "recording.mp4", "ef" * 32, 1500, 38.8, 2),
]


def written(folder: Path) -> Path:
    path = folder / "manifest.jsonl"
    path.write_bytes(b"".join(encode(line) + b"\n" for line in LINES))
    return path


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    assert list(read(written(tmp_path))) == LINES


def test_a_torn_last_line_is_skipped(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    assert list(read(path)) == LINES[:-1]


def test_lines_and_fields_from_the_future_are_skipped(tmp_path: Path) -> None:
    path = written(tmp_path)
    with path.open("a") as file:
        file.write('{"upload": "s3://x"}\n[1]\n{"verified": false, "cause": "x", "mood": "bad"}\n')
    assert list(read(path)) == [*LINES, Finished(False, cause="x")]


@pytest.mark.parametrize(
    "nonsense",
    [
        '{"segment": 3}',
        '{"started": 1, "first": "1", "start": 1.0, "utc": "2026-11-23T10:00:00.500Z"}',
        '{"started": 1, "first": 1, "start": 1e300, "utc": "2026-11-23T10:00:00.500Z"}',
        '{"started": 1, "first": 1, "start": 1.0, "utc": null}',
        '{"gap": "x", "start": 1.0, "end": Infinity}',
        '{"gap": "x", "start": NaN, "end": 2}',
        '{"gap": "x", "start": 1, "end": 1' + 400 * "0" + "}",
        '{"verified": 1}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_skipped(tmp_path: Path, nonsense: str) -> None:
    path = written(tmp_path)
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first, nonsense, *rest]))
    assert list(read(path)) == LINES


def test_whole_numbers_are_seconds_too(tmp_path: Path) -> None:
    (path := tmp_path / "manifest.jsonl").write_text('{"gap": "x", "start": 1, "end": 2}\n')
    assert list(read(path)) == [GapLine("x", 1.0, 2.0)]


def test_a_folder_without_one_has_no_lines(tmp_path: Path) -> None:
    assert list(read(tmp_path / "manifest.jsonl")) == []


def test_a_line_that_was_written_twice_counts_once(tmp_path: Path) -> None:
    path = written(tmp_path)
    *rest, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*rest, last, last]))
    assert list(read(path)) == LINES
