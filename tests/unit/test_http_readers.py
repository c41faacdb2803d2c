"""What the HTTP API asks recordings readers and bots, and which of their answers it takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from meeting_buddy.contract.reader import KEY_SECRET, MAX_FILES, Unavailable
from meeting_buddy.http_api.bots import Bots
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.readers import LONGEST_ASKED, LONGEST_LIST, Readers, StoredFiles
from meeting_buddy_bot.recordings.listing import MAX_SEGMENTS, Claim, Entry
from tests.support.http_server import HOST

OTHERS = 10
"""Files beside the segments: recording, transcripts, events."""


def test_a_list_with_all_segments_that_a_reader_names_is_taken() -> None:
    assert MAX_SEGMENTS + OTHERS <= MAX_FILES
    assert MAX_FILES >= 5 * 48 * 120 + OTHERS, "as many as five bots of 48 hours record"
    size = 10**8  # half a minute of a large picture
    entries = [
        Entry.of(f"segments/{number:05d}.mkv", Claim("segment", size, "0" * 64), size)
        for number in range(100_000, 100_000 + MAX_FILES)
    ]
    files = [{**asdict(each), "media_type": each.media_type, "final": each.final} for each in entries]
    body = json.dumps({"files": files, "verified": False})
    assert len(body) <= LONGEST_LIST
    found = StoredFiles.model_validate_json(body)
    assert (len(found.files), found.files[-1].name, found.files[-1].bytes) == (MAX_FILES, entries[-1].name, size)
    assert not hasattr(found.files[0], "__dict__"), "of thousands, each takes little memory"


@asynccontextmanager
async def answering(answer: str) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives each request this answer: its port, and the heads that it was sent."""
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).lower())
        writer.write(answer.encode())
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1], heads


@pytest.fixture
def read_key(tmp_path: Path) -> Path:
    found = tmp_path / "key"
    found.write_bytes(b"k" * 32)
    return found


@pytest.mark.parametrize(("said", "passed"), [("7", "7"), ("\u0663", "5"), ("soon", "5"), ("99999", "5")])
async def test_only_a_bots_ascii_number_becomes_a_time_to_wait(read_key: Path, said: str, passed: str) -> None:
    answer = f"HTTP/1.1 503 Busy\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n"
    async with answering(answer) as (port, _):
        bots = Bots(read_key, port)
        try:
            with pytest.raises(ProblemError) as refused:
                await bots.transcript(HOST, "uid", 1)
        finally:
            await bots.close()
    assert refused.value.response().headers["Retry-After"] == passed


@pytest.mark.parametrize(("length", "ranged"), [(LONGEST_ASKED, True), (LONGEST_ASKED + 1, False)])
async def test_a_range_goes_with_its_condition_or_not_at_all(read_key: Path, length: int, ranged: bool) -> None:
    async with answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, heads):
        readers = Readers(read_key, f"http://{HOST}:{port}")
        try:
            asked = {"range": "bytes=0-3", "if-range": "x" * length}
            found = await readers.file("team-a", "mbsess_1", "recording.mp4", asked)
            assert found is not None
            found.close()
        finally:
            await readers.close()
    assert (b"\r\nrange:" in heads[0], b"\r\nif-range:" in heads[0]) == (ranged, ranged)


@pytest.mark.parametrize(
    ("words", "detail", "remedy"),
    [
        (Unavailable.VOLUME, "volume", "administrator"),
        (Unavailable.BUSY, "busy", "Repeat."),
        (Unavailable.LISTING, "busy", "Repeat."),
        (Unavailable.KEY, "key", KEY_SECRET),
        ("<b>of another version", "503", "administrator"),
        ("", "503", "administrator"),
    ],
)
@pytest.mark.parametrize("name", ["", "recording.mp4"])
async def test_why_a_reader_refuses_is_told(read_key: Path, name: str, words: str, detail: str, remedy: str) -> None:
    answer = f"HTTP/1.1 503 Service Unavailable\r\nContent-Length: {len(words) + 1}\r\n\r\n{words}\n"
    async with answering(answer) as (port, _):
        readers = Readers(read_key, f"http://{HOST}:{port}")
        try:
            with pytest.raises(ProblemError) as refused:
                await (readers.file("team-a", "mbsess_1", name, {}) if name else readers.files("team-a", "mbsess_1"))
        finally:
            await readers.close()
    problem = json.loads(bytes(refused.value.response().body))
    assert problem["type"].endswith("reader-unavailable")
    assert detail in problem["detail"]
    assert remedy in problem["remedy"]
    assert ("volume does not" in problem["detail"]) == (words == Unavailable.VOLUME)
    assert "<b>" not in str(problem)
