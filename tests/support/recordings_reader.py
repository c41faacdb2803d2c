"""The recordings reader on loopback over real folders, and a caller that signs what it asks for."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from meeting_buddy.contract.reader import TOKEN_SECONDS, sign
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Derived, Finished, Line, Segment, encode
from meeting_buddy_bot.recordings.server import RecordingsServer
from tests.support.machine_wide import free_port

HOST = "127.0.0.1"
SESSION = "mbsess_0b5c8f0e1d2a4f4b9a530d5c3f1d2a4f"
KEY = bytes(range(32))


def token(name: str = "", session: str = SESSION, key: bytes = KEY, expires: float | None = None) -> str:
    """As the HTTP API signs it, now."""
    return sign(key, session, name, int(time.time()) + TOKEN_SECONDS if expires is None else int(expires))


@dataclass(frozen=True)
class SavedSession:
    """What a session left on the volume."""

    folder: Path

    def add(self, *lines: Line) -> None:
        """Lines of the manifest."""
        with (self.folder / MANIFEST_FILE).open("ab") as file:
            for line in lines:
                file.write(encode(line) + b"\n")

    def segment(self, number: int, content: bytes) -> None:
        """A closed segment."""
        (path := self.folder / f"segments/{number:05d}.mkv").parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self.add(Segment(number, f"segments/{path.name}", 0.0, 30.0, "2026-11-26T12:00:00.000Z", *hashed(content), 1))

    def finished(self, content: bytes, name: str = "recording.mp4") -> str:
        """The finished recording; its SHA-256."""
        (self.folder / name).write_bytes(content)
        size, sha256 = hashed(content)
        self.add(Finished(True, name, sha256, size, 30.0, 1))
        return sha256

    def derived(self, name: str, content: bytes) -> None:
        """A file beside the recording."""
        (self.folder / name).write_bytes(content)
        self.add(Derived(name, *hashed(content)))


def hashed(content: bytes) -> tuple[int, str]:
    """Size and SHA-256, as in a line of the manifest."""
    return len(content), hashlib.sha256(content).hexdigest()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """The list, by name."""
        return {each["name"]: each for each in json.loads(self.body)["files"]}


@dataclass
class RunningReader:
    """The server and its volume."""

    root: Path
    key_file: Path
    port: int
    server: RecordingsServer | None
    client: aiohttp.ClientSession

    def save(self, session: str = SESSION) -> SavedSession:
        """A session's folder, with nothing in it when it is new."""
        (folder := self.root / session).mkdir(exist_ok=True)
        return SavedSession(folder)

    def address(self, name: str, session: str = SESSION) -> str:
        """Path of a file, of the list without a name."""
        return f"/v1/sessions/{session}/files" + (f"/{name}" if name else "")

    async def ask(
        self, name: str = "", session: str = SESSION, bearer: str | None = None, method: str = "GET", **headers: str
    ) -> Answer:
        """Ask with a token of our own, or with ``bearer``; headers are named as ``If_Range``."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("Authorization", f"Bearer {token(name, session) if bearer is None else bearer}")
        url = URL(f"http://{HOST}:{self.port}{self.address(name, session)}", encoded=True)
        async with self.client.request(method, url, headers=given) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def raw(self, target: str, bearer: str) -> int:
        """Status of a GET whose target is sent byte by byte as it is given."""
        reading, writing = await asyncio.open_connection(HOST, self.port)
        try:
            head = f"GET {target} HTTP/1.1\r\nHost: reader\r\nAuthorization: Bearer {bearer}\r\n\r\n"
            writing.write(head.encode("utf-8", "surrogateescape"))
            return int((await reading.readline()).split()[1])
        finally:
            writing.close()

    async def stalled(self, name: str, limit: int = 2**12) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that has asked for a file and takes little of it (``limit``), until it is read from."""
        reading, writing = await asyncio.open_connection(HOST, self.port, limit=limit)
        head = f"GET {self.address(name)} HTTP/1.1\r\nHost: reader\r\nAuthorization: Bearer {token(name)}\r\n\r\n"
        writing.write(head.encode())
        await writing.drain()
        return reading, writing


@asynccontextmanager
async def running_reader(tmp_path: Path) -> AsyncIterator[RunningReader]:
    """Serve a new, empty volume below ``tmp_path``."""
    (root := tmp_path / "volume").mkdir()
    (key_file := tmp_path / "key").write_bytes(KEY)
    server, port = RecordingsServer(root, key_file), free_port()
    await server.start(HOST, port)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            yield RunningReader(root, key_file, port, server, client)
    finally:
        await server.stop(0)
