"""What the figures of the HTTP API are taken of: its real process, a real API server, real tokens, and raw clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from aiohttp import web

from meeting_buddy.contract import identity
from meeting_buddy.contract.assignment import TokenDigests
from meeting_buddy.contract.report import PORT
from meeting_buddy.contract.token import Scope, derive, digest
from meeting_buddy.contract.transcript import TranscriptLine
from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.stream import TranscriptHub, transcript_stream
from meeting_buddy_bot.transcription.writer import TranscriptWriter
from tests.integration.crd import install_crd, session
from tests.local.clone import PLATFORM_TABLES, REPOSITORY
from tests.local.cluster.api_only import ApiServer
from tests.local.machine.certificates import Authority, Pair, Subject
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_loopback, free_port

HOST = "127.0.0.1"
NAMESPACE = "bench"
CREATED_IN = "bench-created"
"""Where sessions are created by the hundred: finding one among many is another figure."""
USERS = 6
"""Service accounts; each may have 50 streams of a process."""
_KEY = bytes(range(32))
_ATTEMPT = 1
_RIGHTS = (
    ("meetingsessions", ("create", "get", "list", "watch", "patch", "delete")),
    ("meetingsessions/transcript", ("get",)),
)


@dataclass(frozen=True, slots=True)
class Place:
    """An API server with the CRD, callers, and what the API's process is given."""

    server: ApiServer
    folder: Path
    tokens: list[str]
    pair: Pair
    bot_address: str
    """Of this machine's loopback; a bot's port is fixed."""
    tls: ssl.SSLContext
    """Trusts the API and the API server."""

    @staticmethod
    def prepare(server: ApiServer, folder: Path) -> Place:
        """Make the callers and the files."""
        kubectl = server.kubectl
        install_crd(kubectl)
        names = [f"caller-{number}" for number in range(USERS)]
        for namespace in (NAMESPACE, CREATED_IN):
            kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            kubectl.create(*_granted(namespace, names))
        kubectl.create(*(_named("v1", "ServiceAccount", name) for name in names))
        (folder / "read").write_bytes(_KEY)
        (folder / "installation.yaml").write_text('botClasses: {default: {image: "example.org/bot:1"}}')
        authority = Authority.ensure(folder / "ca", "authority of a bench")
        tls = ssl.create_default_context(cafile=authority.certificate)
        tls.load_verify_locations(server.authority)
        tokens = [kubectl("create", "token", name, f"--namespace={NAMESPACE}").strip() for name in names]
        pair = authority.issue("api", Subject("api", addresses=(HOST,)))
        return Place(server, folder, tokens, pair, free_loopback(), tls)

    def recording(self, name: str) -> tuple[str, str]:
        """A session that a bot records, as the operator shows it: its id and its uid."""
        kubectl, where = self.server.kubectl, f"--namespace={NAMESPACE}"
        kubectl.create(session(name, namespace=NAMESPACE))
        uid = kubectl.json("get", "meetingsession", name, where)["metadata"]["uid"]
        session_id = identity.session_id(uid)
        status = {"sessionId": session_id, "phase": "Recording", "attempt": _ATTEMPT, "botAddress": self.bot_address}
        patch = json.dumps({"status": status})
        kubectl("patch", "meetingsession", name, where, "--subresource=status", "--type=merge", f"--patch={patch}")
        return session_id, uid


def _granted(namespace: str, names: list[str]) -> Iterator[dict[str, Any]]:
    """What gives these callers their rights in a namespace."""
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["meetingbuddy.io"], "resources": [what], "verbs": list(verbs)} for what, verbs in _RIGHTS]
    yield _named(f"{group}/v1", "Role", "caller", namespace) | {"rules": rules}
    yield _named(f"{group}/v1", "RoleBinding", "caller", namespace) | {
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "caller"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE} for name in names],
    }


def _named(version: str, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


@dataclass
class Replica:
    """A process of the API."""

    process: subprocess.Popen[bytes]
    port: int
    health_port: int
    place: Place
    with_tls: bool
    held: list[Connection] = field(default_factory=list)
    """Connections that stay open until the replica's end."""

    @property
    def url(self) -> str:
        """Of its sessions."""
        return f"http{'s' if self.with_tls else ''}://{HOST}:{self.port}{SESSIONS}"

    def rss(self) -> int:
        """Bytes resident, of this process alone."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    def hang_up(self) -> None:
        """Close all connections."""
        while self.held:
            self.held.pop().writer.transport.abort()

    async def connect(self) -> Connection:
        """A new connection."""
        tls = self.place.tls if self.with_tls else None
        connection = Connection(*await asyncio.open_connection(HOST, self.port, ssl=tls))
        self.held.append(connection)
        return connection

    async def stream(self, what: str, session_id: str, user: int, seen: int = 0) -> Connection:
        """An open stream of ``events`` or ``transcript`` that has had its first event."""
        connection = await self.connect()
        resumed = {"Last-Event-ID": str(seen)} if seen else {}
        bearer = {"Authorization": f"Bearer {self.place.tokens[user % USERS]}"}
        await connection.ask(f"{SESSIONS}/{session_id}/{what}", bearer | resumed)
        await connection.event()
        return connection


@dataclass
class Connection:
    """A raw connection to a replica."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, path: str, headers: dict[str, str]) -> None:
        """Send a request."""
        lines = [f"GET {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in headers.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        await self.writer.drain()

    async def event(self) -> None:
        """Read up to the next event that has an id."""
        async with asyncio.timeout(60):
            while not (line := await self.reader.readline()).startswith(b"id: "):
                if not line or (line.startswith(b"HTTP/1.1") and b" 200 " not in line):
                    raise RuntimeError(f"no stream: {line!r} {await self.reader.read(2000)!r}")


@asynccontextmanager
async def replica(place: Place, *, with_tls: bool = True) -> AsyncIterator[Replica]:
    """A process of the API for the block, ready."""
    found = _started(place, with_tls)
    try:
        await asyncio.to_thread(wait_until, lambda: _is_ready(found.health_port), "the API is ready", 60)
        yield found
    finally:
        found.hang_up()
        found.process.kill()
        found.process.wait()


def _started(place: Place, with_tls: bool) -> Replica:
    port, health_port = free_port(), free_port()
    flags = f"--host={HOST} --port={port} --health-port={health_port} --api-server={place.server.url}"
    files = {"ca-file": place.server.authority, "read-key": place.folder / "read", "tables": PLATFORM_TABLES}
    files["installation"] = place.folder / "installation.yaml"
    if with_tls:
        files |= {"tls-certificate": place.pair.certificate, "tls-key": place.pair.key}
    line = (sys.executable, "-P", "-m", "meeting_buddy.http_api", *flags.split())
    line += tuple(f"--{name}={path}" for name, path in files.items())
    with (place.folder / f"replica-{port}.log").open("wb") as log:
        process = subprocess.Popen(line, env={"PYTHONPATH": f"{REPOSITORY}/operator"}, stderr=log)
    return Replica(process, port, health_port, place, with_tls)


def _is_ready(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    with contextlib.suppress(OSError):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


@dataclass
class Bot:
    """A bot's own server, and what it says."""

    server: ReportServer
    writer: TranscriptWriter
    lines: int = 0

    def say(self, text: str) -> None:
        """A line of the transcript."""
        at = datetime.now(UTC)
        line = TranscriptLine(segment=text, revision=1, final=True, start=1, end=2, at=at, language="en", text=text)
        if self.writer.append(line) is None:
            raise RuntimeError("the transcript takes no line")
        self.lines += 1


@asynccontextmanager
async def bot(place: Place, session_id: str, uid: str) -> AsyncIterator[Bot]:
    """A bot's own server in this process, for the block."""
    volume = Volume(place.folder)
    hub = TranscriptHub(volume)
    writer = await TranscriptWriter.open(volume, hub.publish_final)
    hub.begin(writer.lines)
    read = digest(derive(_KEY, uid, _ATTEMPT, Scope.READ))
    tokens = TokenDigests(control=digest("nobody's"), read=read)
    server = ReportServer(ReportState(session_id, _ATTEMPT, SessionClock()), tokens, LeaveSignal(), PORT)
    server.transcript = transcript_stream(hub)
    await server._runner.setup()
    await web.TCPSite(server._runner, place.bot_address, PORT).start()  # its own way is to listen on all addresses
    try:
        yield Bot(server, writer)
    finally:
        await server.stop()
        await writer.close(5)
