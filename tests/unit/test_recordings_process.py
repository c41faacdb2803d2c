"""The recordings reader's real process: small, without a browser's driver, ends when it is asked, tells no secrets."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.local.clone import REPOSITORY
from tests.support.awaiting import until
from tests.support.faulty_volume import faulty_volume
from tests.support.machine_wide import free_port
from tests.support.recordings_reader import HOST, KEY, RunningReader, hashed

RECORDING = "recording.mp4"
ENVIRONMENT = {"PYTHONPATH": f"{REPOSITORY}/operator:{REPOSITORY}/bot-image"}
MAX_IDLE = 60e6
"""Bytes of an idle process."""
MAX_BUSY = 128e6
"""Bytes with 200 downloads; the chart's limit is twice that."""
STUCK = 8.0
"""Seconds that no probe takes on any machine, unless it waits for the volume, for which one waits 10."""
SMALL = os.urandom(3 * 2**20 + 1)


class Program:
    """The process and its caller."""

    def __init__(self, process: subprocess.Popen[bytes], reader: RunningReader, log: Path) -> None:
        self.process = process
        self.reader = reader
        self.log = log

    def memory(self, which: str = "VmRSS") -> float:
        """Bytes."""
        found = re.search(rf"{which}:\s+(\d+) kB", self.proc("status"))
        assert found is not None
        return int(found[1]) * 1024.0

    def proc(self, name: str) -> str:
        """What the kernel says of it."""
        return Path(f"/proc/{self.process.pid}/{name}").read_text()

    async def health(self) -> float | None:
        """Seconds that the probe takes; ``None``: it is not answered."""
        began = time.monotonic()
        try:
            async with self.reader.client.get(f"http://{HOST}:{self.reader.port}/healthz") as answer:
                return time.monotonic() - began if answer.status == 200 else None
        except aiohttp.ClientError:
            return None

    async def ended(self, seconds: float) -> int:
        """Its exit code."""
        await until(lambda: self.process.poll() is not None, seconds)
        assert self.process.returncode is not None
        return self.process.returncode


@contextmanager
def started(tmp_path: Path, root: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path, int, Path]]:
    (key_file := tmp_path / "key").write_bytes(KEY)
    port, log = free_port(), tmp_path / "log"
    words = (
        f"-P -m meeting_buddy_bot recordings serve --host {HOST} --port {port} --folder {root} --key-file {key_file}"
    )
    with log.open("wb") as errors:
        process = subprocess.Popen((sys.executable, *words.split()), env=ENVIRONMENT, stderr=errors)
    try:
        yield process, key_file, port, log
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    """With one finished recording."""
    (root := tmp_path / "volume").mkdir()
    with started(tmp_path, root) as (process, key_file, port, log):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            running = Program(process, RunningReader(root, key_file, port, None, client), log)
            await answering(running)
            running.reader.save().finished(SMALL)
            yield running


async def answering(program: Program) -> None:
    deadline = time.monotonic() + 60
    while await program.health() is None:
        assert program.process.poll() is None, program.log.read_text()
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_it_is_small_and_carries_nothing_of_a_bot_at_work(program: Program) -> None:
    assert (await program.reader.ask(RECORDING)).body == SMALL
    assert program.memory() < MAX_IDLE
    assert not re.search("numpy|ctranslate2|onnxruntime|_yaml", program.proc("maps"))


def test_the_command_imports_no_browser() -> None:
    code = (
        "import sys, meeting_buddy_bot.__main__, meeting_buddy_bot.tools.cli, meeting_buddy_bot.recordings.process\n"
        "sys.exit(' '.join({name.split('.')[0] for name in sys.modules} & {'selenium', 'urllib3', 'yaml', 'srt'}))"
    )
    run = subprocess.run(
        (sys.executable, "-P", "-c", code), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert run.stderr.strip() == ""


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_process_ends_at_once(program: Program, which: signal.Signals) -> None:
    await program.reader.ask()  # the connection stays open
    program.process.send_signal(which)
    assert await program.ended(30) == 0


async def test_a_download_under_way_is_ended_before_the_process_is(program: Program) -> None:
    (folder := program.reader.save().folder / "segments").mkdir()
    content = os.urandom(2**20) * 32
    (folder / "00001.mkv").write_bytes(content)
    program.reader.save().segment(1, content)
    reading, writing = await program.reader.stalled("segments/00001.mkv")
    head = await reading.readuntil(b"\r\n\r\n")
    assert b" 200 OK" in head
    program.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        while (await program.reader.ask()).status != 503:  # on a connection that was kept
            pass
    assert program.process.poll() is None
    with pytest.raises(aiohttp.ClientError):
        await program.reader.ask()
    assert await reading.readexactly(len(content)) == content
    assert await program.ended(30) == 0
    writing.close()


async def test_200_downloads_side_by_side_take_little_memory(program: Program) -> None:
    content = os.urandom(2**20) * 4
    program.reader.save().finished(content)
    connections = await asyncio.gather(*(program.reader.stalled(RECORDING) for _ in range(200)))
    heads = await asyncio.gather(*(reading.readuntil(b"\r\n\r\n") for reading, _ in connections))
    assert all(b" 200 OK" in head for head in heads)
    taken = await program.health()
    assert taken is not None
    assert taken < STUCK

    async def whole(reading: asyncio.StreamReader) -> None:
        left = memoryview(content)
        while left:
            piece = await reading.read(2**16)
            assert piece == left[: len(piece)]
            assert piece
            left = left[len(piece) :]

    await asyncio.gather(*(whole(reading) for reading, _ in connections))
    assert program.memory("VmHWM") < MAX_BUSY
    for _, writing in connections:
        writing.close()


async def test_nothing_that_was_sent_is_in_its_log(program: Program) -> None:
    canary = "canary0123456789"
    reader = program.reader
    for _ in range(2):
        await reader.ask(RECORDING)
        await reader.ask(f"{canary}.mp4")
        await reader.ask(RECORDING, bearer=canary)
        await reader.ask(RECORDING, Range=canary, If_Range=canary, If_None_Match=canary)
    await reader.raw(f"/v1/sessions/mbsess_{canary}/files?token={canary}", canary)
    for head in (f"GET / HTTP/1.1\r\nAuthorization : Bearer {canary}\r\n\r\n", f"GET /{canary} HTTP/9\r\n\r\n", canary):
        reading, writing = await asyncio.open_connection(HOST, reader.port)
        writing.write(f"{head}\r\n\r\n".encode())
        await reading.read(1)
        writing.close()
    program.process.send_signal(signal.SIGTERM)
    await program.ended(30)
    log = program.log.read_text()
    assert '"message":"served"' in log
    assert hashed(SMALL)[1] not in log
    assert canary not in log
    assert "Bearer" not in log
    assert all(line.startswith("{") for line in log.splitlines())


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server((HOST, 0)) as taken:
        line = f"-P -m meeting_buddy_bot recordings serve --host {HOST} --port {taken.getsockname()[1]}"
        words = (sys.executable, *line.split())
        run = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 2
    assert "address already in use" in run.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
async def test_a_file_system_that_hangs_and_answers_again(tmp_path: Path) -> None:
    (backing := tmp_path / "backing").mkdir()
    (root := tmp_path / "volume").mkdir()
    async with aiohttp.ClientSession() as client:
        with faulty_volume(root, backing) as volume, started(tmp_path, root) as (process, key_file, port, log):
            program = Program(process, RunningReader(root, key_file, port, None, client), log)
            reader = program.reader
            try:
                RunningReader(backing, key_file, port, None, client).save().finished(SMALL)
                await answering(program)
                assert (await reader.ask(RECORDING)).body == SMALL
                volume.hang()
                began = time.monotonic()
                asked = asyncio.create_task(reader.ask(RECORDING))
                while not asked.done():
                    taken = await program.health()
                    assert taken is not None
                    assert taken < STUCK
                    await asyncio.sleep(0.2)
                assert (await asked).status == 503
                assert 9 < time.monotonic() - began < 60
                volume.answer()
                assert (await reader.ask(RECORDING)).body == SMALL
                volume.hang()
                asked = asyncio.create_task(reader.ask(RECORDING))
                await asyncio.sleep(0.5)
                asked.cancel()
                process.send_signal(signal.SIGTERM)
                await asyncio.sleep(1)
            finally:
                volume.answer()  # not even SIGKILL ends a process whose call is under way
            assert await program.ended(30) == 0
