"""The recordings reader when the volume hangs, clients are slow or go away, or it is asked to end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meeting_buddy_bot.recording.manifest import MANIFEST_FILE
from meeting_buddy_bot.recordings import access, listing, server
from meeting_buddy_bot.recordings.access import THREADS
from meeting_buddy_bot.recordings.files import FileState, OpenFile
from tests.support.awaiting import until
from tests.support.recordings_reader import RunningReader, running_reader

RECORDING = "recording.mp4"
BIG = 64 * 2**20
"""Bytes; more than the kernel keeps for two ends of a connection."""


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[RunningReader]:
    async with running_reader(tmp_path) as running:
        running.save().finished(b"")
        with (running.save().folder / RECORDING).open("wb") as file:
            file.truncate(BIG)
        yield running


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    """Set once the volume answers."""
    event = threading.Event()
    yield event
    event.set()


def volume_descriptors(reader: RunningReader) -> list[str]:
    """What this process has open of the volume."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(each.readlink()))
        except OSError:
            continue
    return [each for each in found if each.startswith(str(reader.root))]


def volume_threads() -> int:
    return sum(each.name.startswith("volume") for each in threading.enumerate())


async def nothing_left(reader: RunningReader) -> None:
    await until(lambda: not volume_descriptors(reader) and not volume_threads(), 60)


async def healthy(reader: RunningReader) -> None:
    began = time.monotonic()
    async with reader.client.get(f"http://127.0.0.1:{reader.port}/healthz") as answer:
        assert answer.status == 200
    assert time.monotonic() - began < 8  # a call on the volume waits for 10


async def taken(reading: asyncio.StreamReader) -> int:
    """Bytes until the connection's end."""
    count = 0
    while piece := await reading.read(2**20):
        count += len(piece)
    return count


def hangs(answers: threading.Event, call: Callable[..., Any], after: int = 0) -> Callable[..., Any]:
    """``call``, which answers ``after`` times and from then on when the volume does."""
    answered = iter(range(after))

    def hanging(*given: Any) -> Any:
        if next(answered, None) is None:
            answers.wait()
        return call(*given)

    return hanging


async def test_a_volume_that_hangs_when_it_is_asked_costs_503_and_nothing_stays(
    reader: RunningReader, answers: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "list_files", hangs(answers, listing.list_files))
    monkeypatch.setattr(listing, "open_file", hangs(answers, listing.open_file))
    monkeypatch.setattr(access.VolumeAccess.call, "__kwdefaults__", {"discard": None, "seconds": 2.0})
    names = ("", RECORDING) * 40
    began = time.monotonic()
    asked = asyncio.gather(*(reader.ask(name) for name in names))
    await asyncio.sleep(0.2)
    await healthy(reader)
    assert volume_threads() <= THREADS
    for answer in await asked:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert time.monotonic() - began < 30  # at once, not one after the other
    assert volume_threads() == THREADS
    answers.set()
    await nothing_left(reader)  # what was opened too late is closed
    assert (await reader.ask()).status == 200


async def test_a_volume_that_hangs_at_the_first_piece_is_told_by_the_status(
    reader: RunningReader, answers: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenFile, "read", hangs(answers, OpenFile.read, after=2))  # the manifest and its end
    monkeypatch.setattr(access.VolumeAccess.call, "__kwdefaults__", {"discard": None, "seconds": 2.0})
    assert (await reader.ask(RECORDING)).status == 503
    await healthy(reader)
    answers.set()
    await nothing_left(reader)


async def test_one_that_hangs_later_breaks_the_connection(
    reader: RunningReader, answers: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenFile, "read", hangs(answers, OpenFile.read, after=12))
    monkeypatch.setattr(access.VolumeAccess.call, "__kwdefaults__", {"discard": None, "seconds": 2.0})
    with pytest.raises(aiohttp.ClientError):
        await reader.ask(RECORDING)
    await healthy(reader)
    answers.set()
    await nothing_left(reader)
    assert len((await reader.ask(RECORDING)).body) == BIG


async def test_a_file_that_becomes_shorter_breaks_the_connection(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = OpenFile.read

    def shorter(file: OpenFile, at: int, count: int) -> bytes:
        return read(file, at, count) if at < 2**20 else b""

    monkeypatch.setattr(OpenFile, "read", shorter)
    with pytest.raises(aiohttp.ClientError):
        await reader.ask(RECORDING)
    await nothing_left(reader)


async def test_a_client_that_takes_nothing_is_cut(reader: RunningReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CLIENT_SECONDS", 1.0)
    reading, writing = await reader.stalled(RECORDING)
    await until(lambda: bool(volume_descriptors(reader)), 60)
    began = time.monotonic()
    await nothing_left(reader)
    assert 0.5 < time.monotonic() - began < 25  # and not the 90 of every day
    assert await taken(reading) < BIG
    writing.close()


async def test_a_client_that_becomes_slow_is_not_cut(reader: RunningReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CLIENT_SECONDS", 6.0)  # a busy machine may pass over a process for seconds
    reading, writing = await reader.stalled(RECORDING, 2**16)
    await reading.readexactly(BIG // 2)  # until then its connection's buffers have grown
    for _ in range(60):
        await reading.readexactly(64 * 1024)
        await asyncio.sleep(0.15)
    await reading.readexactly(BIG // 2 - 60 * 64 * 1024)
    writing.close()


async def test_one_that_goes_away_frees_what_it_held(reader: RunningReader) -> None:
    for _ in range(20):
        _, writing = await reader.stalled(RECORDING)
        await until(lambda: bool(volume_descriptors(reader)), 60)
        writing.transport.abort()
    await nothing_left(reader)


async def test_one_that_goes_away_while_the_volume_hangs_does_not_either_keep_anything(
    reader: RunningReader, answers: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "open_file", hangs(answers, listing.open_file))
    writers = [(await reader.stalled(RECORDING))[1] for _ in range(THREADS + 4)]
    await until(lambda: volume_threads() == THREADS, 60)
    for each in writers:
        each.transport.abort()
    await asyncio.sleep(0.2)
    answers.set()
    await nothing_left(reader)


async def test_more_requests_than_there_is_room_for_are_asked_to_come_again(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_REQUESTS", 2)
    connections = [await reader.stalled(RECORDING) for _ in range(2)]
    await until(lambda: len(volume_descriptors(reader)) == 2, 60)
    answer = await reader.ask(RECORDING)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    await healthy(reader)
    connections[0][1].transport.abort()
    await until(lambda: len(volume_descriptors(reader)) == 1, 60)
    assert (await reader.ask()).status == 200


FILES = 20_000
"""Of a long list; its text is larger than what the kernel keeps for a connection whose client does not read."""


def save_many(reader: RunningReader) -> None:
    """A session with a long list."""
    (session := reader.save()).segment(0, b"")
    line = (session.folder / MANIFEST_FILE).read_bytes().splitlines(keepends=True)[-1]
    with (session.folder / MANIFEST_FILE).open("ab") as file:
        for number in range(1, FILES):
            file.write(line.replace(b"00000.mkv", b"%05d.mkv" % number))
            (session.folder / f"segments/{number:05d}.mkv").touch()


def running(reader: RunningReader) -> int:
    """Requests that the server counts."""
    assert reader.server is not None
    return len(reader.server._running)


async def test_a_list_that_is_not_read_counts_and_is_cut_in_time(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_many(reader)
    monkeypatch.setattr(server, "CLIENT_SECONDS", 2.0)
    reading, writing = await reader.stalled("")
    await until(lambda: running(reader) == 1, 60)
    began = time.monotonic()
    await until(lambda: running(reader) == 0, 60)
    assert time.monotonic() - began > 1
    with contextlib.suppress(ConnectionError):
        assert await taken(reading) < FILES * 100
    writing.close()


async def test_lists_that_are_not_read_keep_further_ones_from_being_made_and_no_file(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LIST_SECONDS", 0.2)
    save_many(reader)
    connections = [await reader.stalled("") for _ in range(server.LISTS)]
    await until(lambda: running(reader) == server.LISTS, 60)
    answer = await reader.ask()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await reader.ask("segments/00001.mkv")).status == 200
    connections[0][1].transport.abort()
    await until(lambda: running(reader) == server.LISTS - 1, 60)
    assert len((await reader.ask()).files) > FILES
    for _, writing in connections[1:]:
        writing.transport.abort()
    await until(lambda: running(reader) == 0, 60)


async def test_a_short_list_gives_its_place_back_before_it_is_sent(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LIST_SECONDS", 0.2)
    monkeypatch.setattr(server, "LONG_LIST", 2**30)
    save_many(reader)
    connections = [await reader.stalled("") for _ in range(server.LISTS)]
    await until(lambda: running(reader) == server.LISTS, 60)
    monkeypatch.setattr(server, "LIST_SECONDS", 60.0)
    assert (await reader.ask()).status == 200
    for _, writing in connections:
        writing.transport.abort()


async def test_the_end_waits_for_lists(reader: RunningReader) -> None:
    assert reader.server is not None
    save_many(reader)
    reading, writing = await reader.stalled("")
    await until(lambda: running(reader) == 1, 60)
    ending = asyncio.create_task(reader.server.stop(60))
    await asyncio.sleep(2.5)  # aiohttp itself waits for two seconds
    assert not ending.done()
    head = await reading.readuntil(b"\r\n\r\n")
    content = b""
    while piece := await reading.read(2**20):
        content += piece
    assert b"HTTP/1.1 200" in head
    assert len(json.loads(content)["files"]) > FILES
    await ending
    writing.close()


async def test_a_fault_in_mid_download_breaks_the_connection_and_adds_nothing_to_the_content(
    reader: RunningReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = OpenFile.read

    def faulty(file: OpenFile, at: int, count: int) -> bytes:
        if at >= 2**20:
            raise MemoryError
        return read(file, at, count)

    monkeypatch.setattr(OpenFile, "read", faulty)
    reading, writing = await reader.stalled(RECORDING, 2**16)
    await reading.readuntil(b"\r\n\r\n")
    content = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reading.read(2**20):
            content += piece
    writing.close()
    assert content.strip(b"\0") == b""
    await nothing_left(reader)


async def test_the_end_waits_for_downloads_and_not_for_ever(reader: RunningReader) -> None:
    assert reader.server is not None
    _, writing = await reader.stalled(RECORDING)
    await until(lambda: bool(volume_descriptors(reader)), 60)
    reading, slow = await reader.stalled(RECORDING)
    await until(lambda: len(volume_descriptors(reader)) == 2, 60)
    began = time.monotonic()
    ending = asyncio.create_task(reader.server.stop(6))
    await asyncio.sleep(0.2)
    assert await taken(reading) > BIG  # and the head
    await ending
    assert 5.5 < time.monotonic() - began < 60
    await nothing_left(reader)
    for each in (writing, slow):
        each.close()


@pytest.mark.parametrize("late", [False, True], ids=["served", "opened too late"])
async def test_a_descriptor_is_given_back_although_no_thread_can_be_started(
    reader: RunningReader, answers: threading.Event, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    start, refused = threading.Thread.start, 0

    def refusing(thread: threading.Thread) -> None:
        nonlocal refused
        if thread.name == "volume: close" and refused < 2:
            refused += 1
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    monkeypatch.setattr(access, "_AGAIN_SECONDS", 0.05)
    if late:
        monkeypatch.setattr(listing, "open_file", hangs(answers, listing.open_file))
        monkeypatch.setattr(access.VolumeAccess.call, "__kwdefaults__", {"discard": None, "seconds": 0.5})
    assert (await reader.ask(RECORDING, Range="bytes=0-0")).status == (503 if late else 206)
    answers.set()
    await until(lambda: refused == 2)
    await nothing_left(reader)


async def test_a_descriptor_is_not_given_back_while_it_is_read(
    tmp_path: Path, answers: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "file").write_bytes(b"content")
    descriptor = os.open(path, os.O_RDONLY)
    file = OpenFile(descriptor, FileState.of(os.fstat(descriptor)))
    reads: list[bytes] = []
    monkeypatch.setattr(os, "pread", hangs(answers, os.pread))
    reading = threading.Thread(target=lambda: reads.append(file.read(0, 7)))
    reading.start()
    closing = threading.Thread(target=file.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    os.fstat(descriptor)
    answers.set()
    closing.join(60)
    reading.join(60)
    assert reads == [b"content"]
    with pytest.raises(OSError, match="closed"):
        file.read(0, 1)
    file.close()  # once more is no harm
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_waiting_for_a_thread_counts_and_can_be_given_up(answers: threading.Event) -> None:
    volume = access.VolumeAccess(threads=1)
    call = partial(volume.call, "wait", seconds=0.3)
    first = asyncio.create_task(volume.call("hang", answers.wait))
    await asyncio.sleep(0.05)
    with pytest.raises(OSError, match="does not answer"):
        await call(lambda: True)
    given_up = asyncio.create_task(volume.call("wait", lambda: True))
    await asyncio.sleep(0.05)
    given_up.cancel()
    await asyncio.sleep(0)
    answers.set()
    assert await first
    assert await volume.call("wait", lambda: True)
