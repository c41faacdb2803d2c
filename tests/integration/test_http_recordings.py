"""Recordings and stored transcripts over the HTTP API: a real API server with real RBAC, the reader's own server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from meeting_buddy.contract.reader import MAX_FILES, reader_key
from meeting_buddy.http_api import media_access
from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.readers import LONGEST_LIST, Readers
from meeting_buddy_bot.recordings import listing
from meeting_buddy_bot.recordings.server import RecordingsServer
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import (
    NOBODYS_ID,
    Answer,
    Door,
    Tenant,
    make_tenant,
    may_do,
    named,
    served,
    set_status,
    withdraw,
)
from tests.integration.test_http_transcript import KEY, make_listener
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import until, wait_until
from tests.support.machine_wide import free_port

FILM = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(FILM).hexdigest()


@pytest.fixture(scope="module")
def mine(crd: ApiServer) -> Tenant:
    return make_listener(crd)


@dataclass
class Shelf:
    """The API, and the reader of one tenant's namespace."""

    door: Door
    server: ApiServer
    tenant: Tenant
    folder: Path
    reader: RecordingsServer
    port: int
    metrics: Metrics

    @property
    def key(self) -> Path:
        return self.folder / "read"

    async def session(self, *, tenant: Tenant | None = None, **status: Any) -> Stored:
        """A session that is over, as the operator shows it, unless ``status`` says something else."""
        tenant = tenant or self.tenant
        made = await self.door.create(tenant)
        name = (await asyncio.to_thread(named, self.server, tenant, made))["metadata"]["name"]
        status = {"phase": "Completed", "reason": "MeetingEnded", **status}
        await asyncio.to_thread(partial(set_status, self.server, tenant, name, **status))
        return Stored(self, tenant, made["session_id"], self.folder / "volume" / made["session_id"])


@dataclass
class Stored:
    """A session with files."""

    shelf: Shelf
    tenant: Tenant
    session_id: str
    folder: Path

    def write(self, **files: bytes) -> Stored:
        """Files as a bot leaves them; ``film`` and ``lines`` get their line in the manifest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        manifest = []
        if (film := files.get("film")) is not None:
            (self.folder / "recording.mp4").write_bytes(film)
            digest = hashlib.sha256(film).hexdigest()
            manifest.append({"verified": True, "file": "recording.mp4", "sha256": digest, "bytes": len(film)})
        if (lines := files.get("lines")) is not None:
            (self.folder / "transcript.jsonl").write_bytes(lines)
            digest = hashlib.sha256(lines).hexdigest()
            manifest.append({"derived": "transcript.jsonl", "sha256": digest, "bytes": len(lines)})
        text = "".join(json.dumps(each) + "\n" for each in manifest)
        (self.folder / "manifest.jsonl").write_text(text)
        return self

    async def ask(self, what: str = "recordings", method: str = "GET", token: str | None = None, **headers: str) -> Any:
        path = f"{SESSIONS}/{self.session_id}/{what}"
        bearer = {"Authorization": f"Bearer {token or self.tenant.token}"}
        door = self.shelf.door
        async with door.client.request(method, door.url + path, headers=bearer | headers) as answer:
            return Bytes(answer.status, answer.headers, await answer.read())


@dataclass
class Bytes:
    status: int
    headers: Any
    content: bytes

    def problem(self, status: int, kind: str) -> Any:
        return Answer(self.status, self.headers, self.content.decode()).problem(status, kind)


@pytest.fixture
async def shelf(crd: ApiServer, mine: Tenant, tmp_path: Path) -> AsyncIterator[Shelf]:
    (tmp_path / "volume").mkdir()
    (tmp_path / "read").write_bytes(KEY)
    (tmp_path / "reader-key").write_bytes(reader_key(KEY, mine.namespace))
    reader, port, metrics = RecordingsServer(tmp_path / "volume", tmp_path / "reader-key"), free_port(), Metrics()
    await reader.start("127.0.0.1", port)
    readers = Readers(tmp_path / "read", f"http://127.0.0.1:{port}", partial(metrics.upstream, "reader"))
    async with served(crd, readers=readers, metrics=metrics) as door:
        yield Shelf(door, crd, mine, tmp_path, reader, port, metrics)
    await reader.stop(0)


async def test_files_are_listed_and_come_as_they_are(shelf: Shelf) -> None:
    session = (await shelf.session()).write(film=FILM, lines=b'{"segment":"1"}\n')
    listed = json.loads((await session.ask()).content)
    assert listed["verified"] is True
    film, lines = listed["recordings"]
    assert film == {
        "name": "recording.mp4",
        "kind": "recording",
        "media_type": "video/mp4",
        "size_bytes": len(FILM),
        "sha256": DIGEST,
        "final": True,
        "url": f"{SESSIONS}/{session.session_id}/recordings/recording.mp4?namespace={shelf.tenant.namespace}",
    }
    assert (lines["name"], lines["final"]) == ("transcript.jsonl", True)
    whole = await session.ask("recordings/recording.mp4")
    assert (whole.status, whole.content) == (200, FILM)
    assert whole.headers["ETag"] == f'"{DIGEST}"'
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="recording.mp4"'
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["Content-Security-Policy"].startswith("sandbox")
    by_url = await shelf.door("GET", film["url"], shelf.tenant.token, headers={"Range": "bytes=0-0"})
    assert by_url.status == 206
    head = await session.ask("recordings/recording.mp4", "HEAD")
    assert (head.status, head.content, head.headers["Content-Length"]) == (200, b"", str(len(FILM)))
    assert head.headers["ETag"] == f'"{DIGEST}"'
    assert 'upstream_seconds_count{code="206",upstream="reader",verb="GET"} 1.0' in shelf.metrics.page().decode()


@pytest.mark.parametrize(
    ("asked", "status", "expected", "said"),
    [
        ({"Range": "bytes=0-99"}, 206, FILM[:100], "bytes 0-99/1048576"),
        ({"Range": "bytes=1048000-"}, 206, FILM[1048000:], "bytes 1048000-1048575/1048576"),
        ({"Range": "bytes=-10"}, 206, FILM[-10:], "bytes 1048566-1048575/1048576"),
        ({"Range": "bytes=5-9", "If-Range": f'"{DIGEST}"'}, 206, FILM[5:10], "bytes 5-9/1048576"),
        ({"Range": "bytes=5-9", "If-Range": '"other"'}, 200, FILM, None),
        ({"Range": "bytes=0-1,5-6"}, 200, FILM, None),
        ({"If-None-Match": f'"{DIGEST}"'}, 304, b"", None),
        ({"If-Match": f'"other", "{DIGEST}"', "Range": "bytes=5-9"}, 206, FILM[5:10], "bytes 5-9/1048576"),
        ({"If-Match": "*"}, 200, FILM, None),
    ],
    ids=["first", "rest", "last", "unchanged", "changed", "two", "known", "meant", "any"],
)
async def test_a_part_of_a_file_is_told_as_the_reader_told_it(
    shelf: Shelf, asked: dict[str, str], status: int, expected: bytes, said: str | None
) -> None:
    session = (await shelf.session()).write(film=FILM)
    answer = await session.ask("recordings/recording.mp4", **asked)
    assert (answer.status, answer.content) == (status, expected)
    assert answer.headers.get("Content-Range") == said
    assert answer.headers["ETag"] == f'"{DIGEST}"'


async def test_a_range_outside_of_the_file_is_refused(shelf: Shelf) -> None:
    session = (await shelf.session()).write(film=FILM)
    headers = {"Range": "bytes=1048576-"}
    answer = await session.ask("recordings/recording.mp4", **headers)
    answer.problem(416, "range-not-satisfiable")
    assert answer.headers["Content-Range"] == "bytes */1048576"


@pytest.mark.parametrize("given", ['"other"', f'W/"{DIGEST}"', "nonsense"], ids=["other", "weak", "odd"])
async def test_another_state_of_a_file_than_the_one_that_is_meant_is_refused(shelf: Shelf, given: str) -> None:
    session = (await shelf.session()).write(film=FILM)
    headers = {"If-Match": given, "If-None-Match": f'"{DIGEST}"'}
    (await session.ask("recordings/recording.mp4", **headers)).problem(412, "precondition-failed")
    assert (await session.ask("recordings/recording.mp4", "HEAD", **headers)).status == 412
    (session.folder / "recording.mp4").write_bytes(FILM[1:])  # it has no ETag now
    (await session.ask("recordings/recording.mp4", **headers)).problem(412, "precondition-failed")
    assert shelf.door.streams._open.total() == 0


async def test_a_precondition_is_never_left_out(shelf: Shelf) -> None:
    session = (await shelf.session()).write(film=FILM)
    long = {"If-Match": '"x", ' * 300}
    answer = await session.ask("recordings/recording.mp4", **long)
    assert answer.problem(400, "bad-request")["field"] == "If-Match"
    for empty in ("", '"*"'):
        (await session.ask("recordings/recording.mp4", **{"If-Match": empty})).problem(412, "precondition-failed")
    bearer = ("Authorization", f"Bearer {shelf.tenant.token}")
    url = f"{shelf.door.url}{SESSIONS}/{session.session_id}/recordings/recording.mp4"
    twice = [bearer, ("If-Match", f'"{DIGEST}"'), ("If-Match", '"other"')]
    async with shelf.door.client.get(url, headers=twice) as refused:
        assert refused.status == 400


async def test_hearing_needs_a_right_of_its_own(shelf: Shelf, crd: ApiServer) -> None:
    caller = await asyncio.to_thread(make_tenant, crd)
    session = (await shelf.session(tenant=caller)).write(film=FILM)
    for method, what in (("GET", "recordings"), ("GET", "recordings/recording.mp4")):
        problem = (await session.ask(what, method)).problem(403, "forbidden")
        assert problem["detail"] == f"your token may not get meetingsessions/recordings in namespace {caller.namespace}"
        assert "meeting-buddy-listener" in problem["remedy"]
    assert (await session.ask("recordings/recording.mp4", "HEAD")).status == 403


ODD = (
    "other.mp4",
    "manifest.jsonl",
    "..%2fx",
    "%2e%2e/x",
    "a%00b",
    "%5c",
    "%2fetc/passwd",
    "a%0ab",
    ".hidden",
    "x" * 300,
)


@pytest.mark.parametrize("name", ODD)
async def test_no_other_name_is_served(shelf: Shelf, name: str) -> None:
    session = (await shelf.session()).write(film=FILM)
    url = URL(f"{shelf.door.url}{SESSIONS}/{session.session_id}/recordings/{name}", encoded=True)
    bearer = {"Authorization": f"Bearer {shelf.tenant.token}"}
    async with shelf.door.client.get(url, headers=bearer) as answer:
        found = Answer(answer.status, answer.headers, await answer.text())
    if len(name) > 256:
        found.problem(422, "invalid")
    elif found.status == 404 and "no-such-recording" not in found.text:
        found.problem(404, "not-found")  # dots were taken out of the path on the way
    else:
        found.problem(404, "no-such-recording")
        assert "Retry-After" not in found.headers  # it never comes


async def test_a_session_without_files_has_an_empty_list(shelf: Shelf) -> None:
    session = await shelf.session(phase="Joining", reason=None)
    assert json.loads((await session.ask()).content) == {"recordings": [], "verified": False}
    answer = await session.ask("recordings/recording.mp4")
    answer.problem(404, "no-such-recording")
    assert answer.headers["Retry-After"] == "10"
    stranger = Stored(shelf, shelf.tenant, NOBODYS_ID, shelf.folder)
    (await stranger.ask()).problem(404, "not-found")


async def test_what_grows_is_served_as_it_is(shelf: Shelf) -> None:
    session = (await shelf.session(phase="Recording", reason=None)).write()
    (session.folder / "transcript.jsonl").write_bytes(b'{"segment":"1"}\n')
    (only,) = json.loads((await session.ask()).content)["recordings"]
    assert (only["name"], only["final"], only["sha256"]) == ("transcript.jsonl", False, None)
    answer = await session.ask("recordings/transcript.jsonl")
    assert answer.content == b'{"segment":"1"}\n'
    assert "ETag" not in answer.headers


async def test_without_key_or_reader_it_says_what_to_do(shelf: Shelf) -> None:
    session = (await shelf.session()).write(film=FILM)
    shelf.key.write_bytes(b"another key" * 3)
    answer = await session.ask()
    assert "meeting-buddy-reader-key" in answer.problem(503, "reader-unavailable")["remedy"]
    assert answer.headers["Retry-After"] == "5"
    shelf.key.unlink()
    assert "bot-key" in (await session.ask()).problem(503, "reader-unavailable")["remedy"]
    shelf.key.write_bytes(KEY)
    (shelf.folder / "reader-key").write_bytes(b"short")
    refused = (await session.ask()).problem(503, "reader-unavailable")
    assert "volume" not in refused["detail"]
    assert "meeting-buddy-reader-key" in refused["remedy"]
    await shelf.reader.stop(0)
    for what in ("recordings", "recordings/recording.mp4", "transcript"):
        answer = await session.ask(what)
        assert "meeting-buddy-reader" in answer.problem(503, "reader-unavailable")["remedy"]


async def test_a_right_that_is_withdrawn_cuts_a_download(
    shelf: Shelf, crd: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.media_access.RECHECK_SECONDS", 0.5)
    tenant = await asyncio.to_thread(make_listener, crd)
    (shelf.folder / "reader-key").write_bytes(reader_key(KEY, tenant.namespace))
    long = bytes(64 << 20)
    session = (await shelf.session(tenant=tenant)).write(film=long)
    url = f"{shelf.door.url}{SESSIONS}/{session.session_id}/recordings/recording.mp4"
    bearer = {"Authorization": f"Bearer {tenant.token}"}
    async with shelf.door.client.get(url, headers=bearer) as answer:
        assert (await answer.content.readexactly(1 << 20)) == bytes(1 << 20)
        await asyncio.to_thread(withdraw, crd, tenant, "listener")
        withdrawn = partial(may_do, crd, tenant, "get", "recordings")
        await asyncio.to_thread(wait_until, lambda: not withdrawn(), "the authoriser knows", 60)
        await asyncio.sleep(1)  # who reads on is judged again
        with pytest.raises(Exception, match=r"payload|closed|Connection"):
            await answer.content.readexactly(len(long) - (1 << 20))
    await until(lambda: shelf.door.streams._open.total() == 0)


async def test_an_api_server_that_is_away_for_a_moment_cuts_no_download(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_access, "RECHECK_SECONDS", 0.5)
    monkeypatch.setattr(media_access, "_AGAIN_SECONDS", 0.1)
    may_still, looks = media_access.MediaAccess._may_still, itertools.count()

    async def away_at_first(*arguments: Any) -> bool:
        if next(looks) < 3:
            raise ProblemError("upstream-unavailable", "it restarts")
        return await may_still(*arguments)

    monkeypatch.setattr(media_access.MediaAccess, "_may_still", away_at_first)
    long = bytes(64 << 20)
    session = (await shelf.session()).write(film=long)
    url = f"{shelf.door.url}{SESSIONS}/{session.session_id}/recordings/recording.mp4"
    bearer = {"Authorization": f"Bearer {shelf.tenant.token}"}
    async with shelf.door.client.get(url, headers=bearer) as answer:
        await answer.content.readexactly(1 << 20)
        await asyncio.sleep(1)  # who reads on is judged again
        await answer.content.readexactly(len(long) - (1 << 20))
    assert next(looks) > 3


async def test_a_client_that_goes_away_frees_its_place(shelf: Shelf) -> None:
    session = (await shelf.session()).write(film=bytes(64 << 20))
    url = f"{shelf.door.url}{SESSIONS}/{session.session_id}/recordings/recording.mp4"
    bearer = {"Authorization": f"Bearer {shelf.tenant.token}"}
    async with shelf.door.client.get(url, headers=bearer) as answer:
        await answer.content.readexactly(1)
        assert shelf.door.streams._open.total() == 1
        answer.close()
    await until(lambda: shelf.door.streams._open.total() == 0)
    await until(lambda: not shelf.reader._running)


async def test_the_transcript_of_a_session_that_is_over_comes_from_the_volume(shelf: Shelf) -> None:
    session = await shelf.session()
    lines = [json.dumps({"segment": str(number), "text": f"word {number} Zoë 你好"}) for number in range(1, 3001)]
    written = [*lines[:1000], "torn {", lines[999], lines[999], *lines[1000:]]
    session.write(lines="\n".join(written).encode() + b'\n{"torn": ')
    answer = await session.ask("transcript")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    found = [each for each in answer.content.decode().split("\n\n") if each.startswith("id: ")]
    # A torn line has a number; one that the volume took twice has one.
    numbers = [*range(1, 1001), 1002, *range(1003, 3003)]
    expected = [lines[999] if n == 1002 else lines[n - 1] if n <= 1000 else lines[n - 3] for n in numbers]
    assert found == [f"id: {n}\nevent: line\ndata: {text}" for n, text in zip(numbers, expected, strict=True)]
    assert answer.content.endswith(b"event: end\ndata: {}\n\n")
    headers = {"Last-Event-ID": "3001"}
    again = await session.ask("transcript", **headers)
    assert again.content.decode().count("event: line") == 1


async def test_a_carriage_return_on_the_volume_splits_no_event(shelf: Shelf) -> None:
    session = (await shelf.session()).write(lines=b'{"segment":\r"1"}\r\n{"segment":"2","text":"a\rb"}\n')
    answer = await session.ask("transcript")
    assert b"\r" not in answer.content
    told = [each.split("data: ")[1] for each in answer.content.decode().split("\n\n") if each.startswith("id: ")]
    assert [json.loads(each) for each in told] == [{"segment": "1"}]  # the second one is no JSON


async def test_a_session_that_was_not_transcribed_has_no_transcript(shelf: Shelf) -> None:
    session = (await shelf.session()).write(film=FILM)
    (await session.ask("transcript")).problem(409, "no-transcript")


async def test_streams_of_ended_sessions_need_the_transcripts_right(shelf: Shelf, crd: ApiServer) -> None:
    caller = await asyncio.to_thread(make_tenant, crd)
    session = (await shelf.session(tenant=caller)).write(lines=b'{"segment":"1"}\n')
    problem = (await session.ask("transcript")).problem(403, "forbidden")
    assert "meetingsessions/transcript" in problem["detail"]


async def scripted(shelf: Shelf, sent: bytes) -> asyncio.Server:
    """Somebody else in the reader's place, who says this to everybody; the reader itself is stopped."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            await writer.drain()
            await reader.read()
        writer.close()

    await shelf.reader.stop(0)
    return await asyncio.start_server(answer, "127.0.0.1", shelf.port)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        OK + "Content-Type: text/html€\r\nContent-Length: 1\r\n\r\nx".encode(),
        OK + b"Content-Type: text/plain\r\n\r\nno length",
        OK + b"Content-Length: 1\r\nETag: \xff\r\n\r\nx",
        b"HTTP/1.1 416 No\r\nContent-Range: \xe2\x82\xac\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["type", "no length", "etag", "range"],
)
async def test_a_reader_that_says_odd_things_is_told_as_such_and_costs_no_place(shelf: Shelf, sent: bytes) -> None:
    session = await shelf.session()
    server = await scripted(shelf, sent)
    try:
        for _ in range(3):
            (await session.ask("recordings/recording.mp4")).problem(502, "upstream-error")
        assert shelf.door.streams._open.total() == 0
    finally:
        server.close()


async def test_of_too_many_files_each_can_be_had_although_not_their_list(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_FILES", 2)
    session = (await shelf.session(phase="Leaving", reason="BotCrashed")).write(lines=b"{}\n")
    (session.folder / "segments").mkdir()
    with (session.folder / "manifest.jsonl").open("a") as manifest:
        for number in range(3):
            (session.folder / f"segments/{number:05d}.mkv").write_bytes(FILM)
            line = {"segment": number, "file": f"segments/{number:05d}.mkv", "sha256": DIGEST, "bytes": len(FILM)}
            manifest.write(json.dumps(line) + "\n")
    problem = (await session.ask()).problem(409, "too-many-files")
    assert problem["detail"] == f"this session has more than {MAX_FILES:,} files"
    assert "by its name" in problem["remedy"]
    assert (await session.ask("recordings/segments/00002.mkv")).content == FILM
    assert shelf.door.streams._open.total() == 0


@pytest.mark.parametrize("what", ["list", "length"])
async def test_a_list_without_end_is_left(shelf: Shelf, what: str) -> None:
    entry = b'{"name":"a","kind":"b","bytes":1,"sha256":null,"media_type":"c","final":false},'
    entries = LONGEST_LIST // len(entry) + 1 if what == "length" else MAX_FILES + 1
    body = b'{"files":[' + (entry * entries).removesuffix(b",") + b'],"verified":true}'
    session = await shelf.session()
    server = await scripted(shelf, OK + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    try:
        (await session.ask()).problem(502, "upstream-error")
        assert shelf.door.streams._open.total() == 0
    finally:
        server.close()


async def test_what_is_no_http_in_mid_download_cuts_it(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.upstream.SILENT_SECONDS", 3)
    session = await shelf.session()
    server = await scripted(shelf, OK + b"Content-Length: 10\r\n\r\nabc")
    try:
        with pytest.raises(aiohttp.ClientPayloadError):
            await session.ask("recordings/recording.mp4")
        await until(lambda: shelf.door.streams._open.total() == 0)
    finally:
        server.close()


async def test_a_session_that_is_deleted_cuts_its_download(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.media_access.RECHECK_SECONDS", 0.5)
    session = (await shelf.session()).write(film=bytes(64 << 20))
    url = f"{shelf.door.url}{SESSIONS}/{session.session_id}"
    bearer = {"Authorization": f"Bearer {shelf.tenant.token}"}
    async with shelf.door.client.get(f"{url}/recordings/recording.mp4", headers=bearer) as answer:
        await answer.content.readexactly(1 << 20)
        await shelf.door("DELETE", f"{SESSIONS}/{session.session_id}", shelf.tenant.token)
        await asyncio.sleep(1)  # who reads on is judged again
        with pytest.raises((aiohttp.ClientError, asyncio.IncompleteReadError)):
            await answer.content.readexactly(63 << 20)
    await until(lambda: shelf.door.streams._open.total() == 0)
    assert 'stream_ends_total{operation="downloadRecording",reason="problem"} 1.0' in shelf.metrics.page().decode()


async def test_an_answer_that_has_no_content_says_no_length(shelf: Shelf) -> None:
    session = (await shelf.session()).write(film=FILM)
    headers = {"If-None-Match": f'"{DIGEST}"'}
    for method in ("GET", "HEAD"):
        answer = await session.ask("recordings/recording.mp4", method, **headers)
        assert answer.status == 304
        assert "Content-Length" not in answer.headers
    long = {"If-None-Match": "x" * 9000}
    assert (await session.ask("recordings/recording.mp4", **long)).status == 200
