"""``transcript.jsonl``: lines with numbers that stay, whatever the volume and the names do."""

import asyncio
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine, Word
from meeting_buddy_bot.support import append_file
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError
from meeting_buddy_bot.transcription import writer as module
from meeting_buddy_bot.transcription.writer import StoredLines, TranscriptWriter


def line(text: str = "hello", segment: str = "1", **fields: object) -> TranscriptLine:
    document = {"segment": segment, "revision": 1, "final": True, "start": 1.0, "end": 2.0, "language": "en"}
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    return TranscriptLine.model_validate({**document, "at": at, "text": text, **fields})


def everything(path: Path) -> list[tuple[int, str]]:
    stored, lines = StoredLines(path), []
    while (some := stored.read()) is not None:
        lines += some
    return lines


def texts(path: Path) -> list[tuple[int, str]]:
    return [(number, json.loads(text)["text"]) for number, text in everything(path)]


async def test_lines_are_written_counted_and_handed_on(tmp_path: Path) -> None:
    handed: list[tuple[int, str]] = []
    writer = await TranscriptWriter.open(Volume(tmp_path), lambda number, line: handed.append((number, line.text)))
    assert [writer.append(line(text)) for text in ("a", "b", "c")] == [1, 2, 3]
    assert await writer.close(60)
    assert handed == texts(tmp_path / TRANSCRIPT_FILE) == [(1, "a"), (2, "b"), (3, "c")]
    assert (writer.lines, writer.lost) == (3, 0)
    first = (tmp_path / TRANSCRIPT_FILE).read_bytes().splitlines()[0]
    assert TranscriptLine.model_validate_json(first) == line("a")


async def test_a_torn_line_is_skipped_and_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / TRANSCRIPT_FILE
    whole = line("a").to_json()
    path.write_text(f"{whole}\n{whole[:40]}")
    assert texts(path) == [(1, "a")]
    writer = await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)
    assert writer.lines == 2
    assert writer.append(line("b")) == 3
    assert await writer.close(60)
    assert texts(path) == [(1, "a"), (3, "b")]


async def test_a_torn_line_is_ended_once_whoever_comes_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first try is given up while it opens the file for writing, and goes on behind the second one's line."""
    path = tmp_path / TRANSCRIPT_FILE
    path.write_text(line("a").to_json()[:40])
    opening, may_go_on, came_back = Path.open, threading.Event(), threading.Event()
    first = ["once"]

    def late(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        waits = mode == "ab" and bool(first)
        if waits:
            first.clear()
            may_go_on.wait(20)
        file = opening(path, mode, *arguments, **options)
        if waits:
            threading.Timer(0.2, came_back.set).start()
        return file

    monkeypatch.setattr(Path, "open", late)
    monkeypatch.setattr(module, "_COUNT_SECONDS", 0.2)
    with pytest.raises(VolumeTimeoutError):
        await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)
    monkeypatch.setattr(module, "_COUNT_SECONDS", 20)
    writer = await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)
    assert writer.append(line("b")) == 2
    assert await writer.flush(20)
    may_go_on.set()
    assert await asyncio.to_thread(came_back.wait, 20)
    assert writer.append(line("c")) == 3
    assert await writer.close(20)
    assert b"\n\n" not in path.read_bytes()
    assert texts(path) == [(2, "b"), (3, "c")]


async def test_a_line_that_the_volume_took_twice_has_one_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, refusals = os.fsync, [True]

    def refusing(descriptor: int) -> None:
        if refusals:
            refusals.pop()
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    writer = await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)
    assert (writer.append(line("a")), writer.append(line("b"))) == (1, 2)
    assert await writer.close(60)
    assert len((tmp_path / TRANSCRIPT_FILE).read_bytes().splitlines()) == 3
    assert texts(tmp_path / TRANSCRIPT_FILE) == [(1, "a"), (2, "b")]


async def test_names_and_texts_are_fit_to_be_kept(tmp_path: Path) -> None:
    writer = await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)
    hostile = line(speaker=" \u2066Eve\n" + "x" * 500).model_copy(  # unlike what is validated, with a lone surrogate
        update={
            "text": "a\r\n\n--> \u202eb\x00\ud800 <v Eve>",
            "words": (Word(text="\u200b", start=1, end=2), Word(text="b\n", start=1, end=2)),
        }
    )
    writer.append(hostile)
    writer.append(line("c", speaker="\u200b"))
    assert await writer.close(60)
    first, second = (json.loads(text) for _, text in everything(tmp_path / TRANSCRIPT_FILE))
    assert first["text"] == "a --> b\ufffd <v Eve>"
    assert first["speaker"] == "Eve " + "x" * 96
    assert [word["text"] for word in first["words"]] == ["b"]
    assert second["speaker"] is None


async def test_a_volume_that_hangs_holds_nobody_up_and_what_finds_no_room_has_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append_file, "MAX_LINES", 3)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a pipe has none
    handed: list[int] = []
    os.mkfifo(tmp_path / TRANSCRIPT_FILE)  # opening it for writing blocks until somebody reads
    writer = TranscriptWriter(tmp_path / TRANSCRIPT_FILE, lambda number, line: handed.append(number), 7)
    numbers = [writer.append(line(str(count))) for count in range(8)]
    taken = [number for number in numbers if number is not None]
    assert taken == handed == list(range(8, 8 + len(taken)))
    assert writer.lost == 8 - len(taken) > 0
    assert not await writer.flush(0.05)
    with (tmp_path / TRANSCRIPT_FILE).open("rb") as reader:
        assert await writer.close(60)
        assert len(os.read(reader.fileno(), 65536).splitlines()) == len(taken)


async def test_it_knows_the_highest_segment_of_the_file(tmp_path: Path) -> None:
    writer = await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)
    assert writer.segments == 0
    for name in ("2", "11b", "9"):
        writer.append(line(segment=name))
    assert writer.segments == 11
    assert await writer.close(60)
    assert (await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)).segments == 11


async def test_only_final_lines_are_stored(tmp_path: Path) -> None:
    writer = await TranscriptWriter.open(Volume(tmp_path), lambda number, line: None)
    with pytest.raises(ValueError, match="final"):
        writer.append(line(final=False))


def test_it_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / TRANSCRIPT_FILE
    path.write_text("".join(f"{line(f'é{count}').to_json()}\n" for count in range(30)))
    whole = texts(path)
    monkeypatch.setattr(module, "_CHUNK", 7)
    assert texts(path) == whole == [(count + 1, f"é{count}") for count in range(30)]


def test_what_is_no_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / TRANSCRIPT_FILE
    path.write_bytes(b'[1]\n\xff\xfe\n{"segment\n' + line("a").to_json().encode() + b"\n" + b"[" * 100_000 + b"\n")
    assert texts(path) == [(4, "a")]
