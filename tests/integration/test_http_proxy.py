"""The HTTP API behind a real nginx, as an Ingress stands: requests of several users follow each other on one
connection, and nobody's answer depends on somebody else's bytes; streams and downloads come as they are sent.

What is sent here is read differently by different servers. It goes through nginx, and besides that straight to the API,
as a proxy that notices nothing would pass it on: with the next user's request behind it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meeting_buddy.contract import identity
from meeting_buddy.contract.reader import reader_key
from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.streams import StreamLimits
from meeting_buddy_bot.recordings.server import RecordingsServer
from tests.integration.http_process import ApiProcess, followed, replica, running
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.reverse_proxy import ReverseProxy, proxied
from tests.integration.test_http_api import (
    NOBODYS_ID,
    Door,
    Tenant,
    client_of,
    events,
    make_tenant,
    named,
    set_status,
)
from tests.integration.test_http_recordings import DIGEST, FILM
from tests.integration.test_http_transcript import KEY, make_listener, spoken
from tests.local.bench.http_place import Place, bot
from tests.local.cluster.api_only import ApiServer
from tests.local.machine.certificates import Pair
from tests.support.awaiting import until
from tests.support.machine_wide import free_loopback, free_port

HOST = "127.0.0.1"
STREAMS = "meetingbuddy_http_streams"
REFUSED = "meetingbuddy_http_connections_refused_total"

CODINGS = {
    "plain": "Transfer-Encoding: chunked",
    "twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "behind": "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "list": "Transfer-Encoding: identity, chunked",
    "list ends otherwise": "Transfer-Encoding: chunked, identity",
    "unknown": "Transfer-Encoding: xchunked",
    "quoted": 'Transfer-Encoding: "chunked"',
    "capitals": "TRANSFER-ENCODING: CHUNKED",
    "tab": "Transfer-Encoding:\tchunked",
    "vertical tab": "Transfer-Encoding: \x0bchunked",
    "blank before the colon": "Transfer-Encoding : chunked",
    "blank in front": "X: a\r\n Transfer-Encoding: chunked",
    "folded": "Transfer-Encoding:\r\n chunked",
    "bare LF": "X: a\nTransfer-Encoding: chunked",
    "bare CR": "X: a\rTransfer-Encoding: chunked",
    "underscore": "Transfer_Encoding: chunked",
    "NUL": "Transfer-Encoding: chunked\x00",
}
LENGTHS = {
    "none, then all": "Content-Length: 0\r\nContent-Length: {all}",
    "all, then none": "Content-Length: {all}\r\nContent-Length: 0",
    "list": "Content-Length: 0, {all}",
    "sign": "Content-Length: +{all}",
    "hexadecimal": "Content-Length: 0x{all:x}",
    "folded": "Content-Length: \r\n {all}",
    "underscore": "Content_Length: 0\r\nContent-Length: {all}",
    "blank before the colon": "Content-Length : {all}",
}
"""Each is followed by as many bytes as `all` says."""
HEADERS = {
    "h2c": "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    "websocket": "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA",
    "hop by hop": "Connection: Authorization, Host, Content-Length",
    "keep": "Connection: keep-alive, close, Authorization",
    "expectation": "Expect: 100-continue",
    "another path": "X-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz\r\nX-HTTP-Method-Override: DELETE",
    "no colon": "Authorization",
    "no name": ": a",
    "two hosts": "Host: other",
    "two tokens": "Authorization: Bearer other",
}
TARGETS = {
    "absolute": f"http://other{SESSIONS}",
    "absolute without path": "http://other",
    "two slashes": f"/{SESSIONS}",
    "dots": f"/elsewhere/..{SESSIONS}",
    "encoded dots": f"/elsewhere/%2e%2e{SESSIONS}",
    "encoded line ends": f"{SESSIONS}/a%20HTTP/1.1%0d%0aX:%20b",
    "encoded NUL": f"{SESSIONS}/%00",
    "blank": f"{SESSIONS}/a HTTP/1.1 b",
    "tab": f"{SESSIONS}\t/a",
    "fragment": f"{SESSIONS}#/a",
    "backslash": SESSIONS.replace("/", "\\"),
    "asterisk": "*",
    "authority": "h:443",
}


def attacks(token: str) -> dict[str, str]:
    """What somebody with this token sends, by a name for it."""
    bearer = f"Host: h\r\nAuthorization: Bearer {token}\r\n"
    head = f"POST {SESSIONS} HTTP/1.1\r\n{bearer}Content-Type: application/json\r\n"
    # A request of the attacker's; the next one on the connection would be its last header.
    hidden = f"GET {SESSIONS}/{NOBODYS_ID} HTTP/1.1\r\n{bearer}X-Swallow: "
    return dict([*_bodies(head, hidden), *_heads(head, hidden)])


def _bodies(head: str, hidden: str) -> Iterator[tuple[str, str]]:
    for name, coding in CODINGS.items():
        body = f"0\r\n\r\n{hidden}"
        yield f"length says more than chunks, {name}", f"{head}Content-Length: {len(body)}\r\n{coding}\r\n\r\n{body}"
        size = f"{len(hidden):x}\r\n"
        chunks = f"{size}{hidden}\r\n0\r\n\r\n"
        yield f"length says less than chunks, {name}", f"{head}Content-Length: {len(size)}\r\n{coding}\r\n\r\n{chunks}"
    for name, length in LENGTHS.items():
        yield f"length, {name}", f"{head}{length.format(all=len(hidden))}\r\n\r\n{hidden}"
    yield "trailer", f"{head}Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer other\r\n\r\n"
    yield "line feed in a chunk's extension", f"{head}Transfer-Encoding: chunked\r\n\r\n1;\nA\r\n0\r\n\r\n"
    yield "line feeds around chunks", f"{head}Transfer-Encoding: chunked\r\n\r\n1\nA\n0\n\n"


def _heads(head: str, hidden: str) -> Iterator[tuple[str, str]]:
    for name, header in HEADERS.items():
        yield f"header, {name}", f"{head}{header}\r\nContent-Length: 0\r\n\r\n"
    for name, target in TARGETS.items():
        yield f"target, {name}", f"{head.replace(SESSIONS, target)}Content-Length: 0\r\n\r\n"
    for version in ("0.9", "1.0", "1.2", "2.0"):
        yield f"version {version}", head.replace("HTTP/1.1", f"HTTP/{version}") + "Connection: keep-alive\r\n\r\n"
    yield "no version", f"GET {SESSIONS}\r\n\r\n"
    for method in ("GET", "HEAD", "CONNECT", "TRACE", "PRI"):
        other = head.replace("POST", method)
        yield f"{method} with a body", f"{other}Content-Length: {len(hidden)}\r\n\r\n{hidden}"


@dataclass
class Site:
    """The API's process, nginx before it, and two users."""

    process: ApiProcess
    proxy: ReverseProxy
    attacker: Tenant
    victim: Tenant
    session_id: str
    """Of the victim."""

    @property
    def asked(self) -> bytes:
        """The victim's request; the connection is closed behind its answer."""
        head = f"GET {SESSIONS}/{self.session_id} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        return f"{head}Authorization: Bearer {self.victim.token}\r\n\r\n".encode()

    async def begun(self) -> int:
        """How many requests the API has logged, now that all that was asked before is among them."""
        count = len(self.process.requests())
        [answer] = answers(await exchanged(self.process.port, self.asked))
        assert_own(self, *answer)
        await until(lambda: self.requests(count)[0])
        return len(self.process.requests())

    def requests(self, begun: int) -> tuple[list[Any], list[Any]]:
        """Requests that the API saw since then: the victim's, and others."""
        found = self.process.requests()[begun:]
        mine = [each for each in found if each.get("user") == self.victim.user]
        return mine, [each for each in found if each not in mine]


@pytest.fixture(scope="module")
def site(crd: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("proxied")
    process = replica(crd, folder)
    attacker, victim = make_tenant(crd), make_tenant(crd)
    with running(process), proxied(process.port, folder) as proxy:
        made = asyncio.run(_created(proxy, victim))
        yield Site(process, proxy, attacker, victim, made)


async def _created(proxy: ReverseProxy, tenant: Tenant) -> str:
    async with aiohttp.ClientSession() as client:
        made = await Door(proxy.url, client, StreamLimits(), asyncio.Event()).create(tenant)
        return str(made["session_id"])


async def exchanged(port: int, sent: bytes) -> bytes:
    """What comes until the other side closes."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)
    try:
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def answers(given: bytes, *, head_only: bool = False) -> list[tuple[int, bytes]]:
    """Status and body of each answer, in their order; the status is 0 of one that has no head.

    Args:
        given: the answers. Each has a length, but for interim ones.
        head_only: the first one is that of a HEAD.
    """
    found: list[tuple[int, bytes]] = []
    while given:
        if not given.startswith(b"HTTP/"):
            return [*found, (0, given)]  # as HTTP/0.9 has it
        head, _, given = given.partition(b"\r\n\r\n")
        status, fields = int(head.split(b" ", 2)[1]), head.lower().split(b"\r\n")
        if status == 100:
            continue
        lengths = [int(each.split(b":")[1]) for each in fields if each.startswith(b"content-length:")]
        length = sum(lengths) if found or not head_only else 0
        found.append((status, given[:length]))
        given = given[length:]
    return found


def assert_own(site: Site, status: int, body: bytes) -> None:
    """That an answer is the victim's own session."""
    assert (status, json.loads(body)["session_id"]) == (200, site.session_id), body


@pytest.mark.parametrize("name", attacks("token"))
async def test_nobodys_answer_depends_on_what_another_user_sent_through_the_same_proxy(site: Site, name: str) -> None:
    begun = await site.begun()
    sent = attacks(site.attacker.token)[name].encode("latin-1")
    given = answers(await exchanged(site.proxy.port, sent), head_only=sent.startswith(b"HEAD"))
    assert 101 not in {status for status, _ in given}
    for _ in range(3):
        [answer] = answers(await exchanged(site.proxy.port, site.asked))
        assert_own(site, *answer)
    await until(lambda: len(site.requests(begun)[0]) == 3)
    mine, others = site.requests(begun)
    assert {each["status"] for each in mine} == {200}
    assert len(others) <= 1, "what was hidden was never a request"


@pytest.mark.parametrize("name", attacks("token"))
async def test_what_two_servers_could_read_differently_ends_its_connection_or_is_read_as_one_request(
    site: Site, name: str
) -> None:
    begun = await site.begun()
    sent = attacks(site.attacker.token)[name].encode("latin-1") + site.asked
    given = answers(await exchanged(site.process.port, sent), head_only=sent.startswith(b"HEAD"))
    assert 101 not in {status for status, _ in given}
    assert len(given) <= 2
    if len(given) == 2:
        assert_own(site, *given[1])
    own = [body for status, body in given[:1] if status < 300]
    assert not any(site.session_id.encode() in each for each in own)
    await until(lambda: len(site.requests(begun)[0]) == len(given[1:]))
    assert len(site.requests(begun)[1]) <= 1


async def test_requests_of_several_users_share_one_connection(site: Site) -> None:
    """What the tests above stand on: nginx keeps its connection to the API, for whoever asks next."""
    async with aiohttp.ClientSession() as client:
        door = Door(site.proxy.url, client, StreamLimits(), asyncio.Event())
        for _ in range(5):
            for tenant, expected in ((site.victim, [site.session_id]), (site.attacker, [])):
                listed = await door("GET", SESSIONS, tenant.token)
                assert [each["session_id"] for each in listed.body["sessions"]] == expected
            await until(lambda: site.process.counted("meetingbuddy_http_connections") == 1)
            refused = await door(
                "POST", SESSIONS, None, json={"meeting_link": "x" * 10_000}
            )  # answered before its body is read
            refused.problem(401, "unauthorized")


# Streams


@dataclass
class Theatre:
    """The API's process behind nginx, with a bot's address and a reader."""

    process: ApiProcess
    door: Door
    server: ApiServer
    tenant: Tenant
    folder: Path
    bots: Place

    async def session(self, **status: Any) -> tuple[str, str]:
        """A new session's id, and its object's name."""
        made = await self.door.create(self.tenant)
        name = (await asyncio.to_thread(named, self.server, self.tenant, made))["metadata"]["name"]
        await self.set(name, **status)
        return made["session_id"], name

    async def set(self, name: str, **status: Any) -> None:
        await asyncio.to_thread(partial(set_status, self.server, self.tenant, name, **status))

    def url(self, session_id: str, what: str) -> str:
        return f"{self.door.url}{SESSIONS}/{session_id}/{what}"

    async def closed(self, operation: str) -> None:
        """Return once no stream of this kind is open."""
        await until(lambda: self.process.counted(STREAMS, operation=operation) == 0)

    def film(self, session_id: str, content: bytes) -> None:
        """A finished recording on the volume."""
        (folder := self.folder / "volume" / session_id).mkdir(parents=True)
        (folder / "recording.mp4").write_bytes(content)
        line = {"verified": True, "file": "recording.mp4", "sha256": DIGEST, "bytes": len(content)}
        (folder / "manifest.jsonl").write_text(json.dumps(line) + "\n")


@pytest.fixture
async def theatre(crd: ApiServer, tmp_path: Path) -> AsyncIterator[Theatre]:
    tenant, port = make_listener(crd), free_port()
    (tmp_path / "read").write_bytes(KEY)
    (tmp_path / "reader-key").write_bytes(reader_key(KEY, tenant.namespace))
    reader = RecordingsServer(tmp_path / "volume", tmp_path / "reader-key")
    await reader.start(HOST, port)
    process = replica(crd, tmp_path, f"--read-key={tmp_path / 'read'}", f"--readers=http://{HOST}:{port}")
    bots = Place(crd, tmp_path, [], Pair(tmp_path, tmp_path), free_loopback(), ssl.create_default_context())
    with running(process), proxied(process.port, tmp_path) as proxy:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {tenant.token}"}) as client:
            door = Door(proxy.url, client, StreamLimits(), asyncio.Event())
            yield Theatre(process, door, crd, tenant, tmp_path, bots)
    await reader.stop(0)


async def test_events_come_as_they_happen_and_end_with_their_client(theatre: Theatre) -> None:
    session_id, name = await theatre.session(phase="Joining")
    async with (
        asyncio.timeout(60),
        followed(theatre.door.client, theatre.url(session_id, "events"), theatre.tenant.token) as answer,
    ):
        coming = events(answer)
        assert (await anext(coming))[2]["status"] == "joining"
        await until(lambda: theatre.process.counted("meetingbuddy_http_upstream_seconds_count", verb="WATCH"))
        await theatre.set(name, phase="Recording")
        assert (await anext(coming))[2]["status"] == "recording"
        assert theatre.process.counted(STREAMS, operation="followSession") == 1
        answer.close()
        await theatre.closed("followSession")


async def test_a_transcript_comes_line_by_line_and_ends_with_its_client(theatre: Theatre) -> None:
    session_id, name = await theatre.session()
    found = client_of(theatre.server, theatre.tenant.namespace).get("meetingsessions", name)
    uid = found["metadata"]["uid"]
    assert identity.session_id(uid) == session_id
    await theatre.set(name, phase="Recording", attempt=1, botAddress=theatre.bots.bot_address)
    async with asyncio.timeout(60), bot(theatre.bots, session_id, uid) as speaker:
        speaker.say("one")
        async with followed(theatre.door.client, theatre.url(session_id, "transcript"), theatre.tenant.token) as answer:
            coming = events(answer)
            assert await spoken(coming) == ("line", "1", "one")
            speaker.say("two")
            assert await spoken(coming) == ("line", "2", "two")
            answer.close()
            await theatre.closed("followTranscript")
        await until(lambda: speaker.server.subscribers.taken == 0)


async def test_a_part_of_a_recording_comes_as_the_reader_sent_it(theatre: Theatre) -> None:
    session_id, _ = await theatre.session(phase="Completed", reason="MeetingEnded")
    theatre.film(session_id, FILM)
    asked = {"Range": "bytes=1000-400999", "If-Range": f'"{DIGEST}"'}
    async with theatre.door.client.get(theatre.url(session_id, "recordings/recording.mp4"), headers=asked) as answer:
        assert (answer.status, await answer.read()) == (206, FILM[1000:401_000])
        assert answer.headers["Content-Range"] == f"bytes 1000-400999/{len(FILM)}"
        assert answer.headers["ETag"] == f'"{DIGEST}"'
        assert answer.headers["Accept-Ranges"] == "bytes"
    asked = {"Range": f"bytes={len(FILM)}-"}
    async with theatre.door.client.get(theatre.url(session_id, "recordings/recording.mp4"), headers=asked) as answer:
        assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(FILM)}")


async def test_a_download_is_not_kept_by_the_proxy_and_ends_with_its_client(theatre: Theatre) -> None:
    """The proxy would take all of it onto its own disk, and go on handing it out when the right has ended."""
    session_id, _ = await theatre.session(phase="Completed", reason="MeetingEnded")
    theatre.film(session_id, bytes(64 << 20))
    url = theatre.url(session_id, "recordings/recording.mp4")
    async with theatre.door.client.get(url) as answer:
        await answer.content.readexactly(1)
        assert theatre.process.counted(STREAMS, operation="downloadRecording") == 1
        answer.close()
        await theatre.closed("downloadRecording")
    async with theatre.door.client.get(url) as answer:
        await answer.content.readexactly(1)  # and no more: the API's own deadline notices through the proxy
        await until(lambda: theatre.process.counted(REFUSED, reason="send_timeout") == 1, 60)
