"""The HTTP API's server: TLS that follows its files, the end of its process, its metrics and logs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from meeting_buddy.http_api.gate import Gate
from meeting_buddy.http_api.limits import Limits
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.tls import Certificate
from tests.local.clone import REPOSITORY
from tests.local.machine.certificates import Authority, Pair, Subject
from tests.support.awaiting import until
from tests.support.http_server import HOST, Echo, Running, read_answer, running
from tests.support.machine_wide import free_port
from tests.support.streaming_server import FAREWELL

SHORT = Limits(head_seconds=0.4, graceful_seconds=1)
GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
CANARY = "canary-7f3a"


class SecretVolume:
    """A folder as the kubelet fills it from a Secret: names lead through one symlink that is swapped."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._generation = folder, 0
        folder.mkdir()

    @property
    def pair(self) -> Pair:
        return Pair(self.folder / "tls.crt", self.folder / "tls.key")

    def swap(self, certificate: bytes, key: bytes) -> None:
        self._generation += 1
        target = self.folder / f"..{self._generation}"
        target.mkdir()
        (target / "tls.crt").write_bytes(certificate)
        (target / "tls.key").write_bytes(key)
        aside = self.folder / "..data_tmp"
        aside.symlink_to(target.name)
        aside.rename(self.folder / "..data")
        for name in ("tls.crt", "tls.key"):
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        shutil.rmtree(self.folder / f"..{self._generation - 1}", ignore_errors=True)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.ensure(tmp_path / "ca", "authority of a test")


@pytest.fixture
def volume(tmp_path: Path, authority: Authority) -> SecretVolume:
    found = SecretVolume(tmp_path / "tls")
    found.swap(*issued(authority, "first"))
    return found


def issued(authority: Authority, name: str) -> tuple[bytes, bytes]:
    pair = authority.issue(name, Subject(name, dns=("localhost",), addresses=(HOST,)))
    return pair.certificate.read_bytes(), pair.key.read_bytes()


@contextlib.asynccontextmanager
async def with_tls(volume: SecretVolume, limits: Limits | None = None) -> AsyncIterator[Running]:
    pair = volume.pair
    async with running(Echo(), limits, plain=False, tls_certificate=pair.certificate, tls_key=pair.key) as server:
        yield server


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


async def name_of(server: Running, authority: Authority, *, sni: bool = True) -> str:
    """Common name of the certificate that a new connection gets; the request is answered too."""
    tls = trusting(authority)
    tls.check_hostname = sni
    server_name = "localhost" if sni else ""
    reader, writer = await asyncio.open_connection(HOST, server.port, ssl=tls, server_hostname=server_name)
    subject = dict(pair for [pair] in writer.get_extra_info("peercert")["subject"])
    writer.write(GET)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    return str(subject["commonName"])


async def test_new_connections_get_the_new_certificate_and_open_ones_live_on(
    volume: SecretVolume, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with with_tls(volume) as server:
        assert await name_of(server, authority) == "first"
        kept = await server.connect(trusting(authority))
        volume.swap(*issued(authority, "second"))
        await until(lambda: "the TLS certificate was read again" in caplog.text)
        assert await name_of(server, authority) == "second"
        assert await name_of(server, authority, sni=False) == "second"
        assert await kept.ask(GET) == 200


async def test_a_new_certificate_that_is_wrong_leaves_the_old_one_and_is_logged_once(
    volume: SecretVolume, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async with with_tls(volume) as server:
        volume.swap(issued(authority, "second")[0], issued(authority, "third")[1])
        await until(lambda: "the new TLS certificate is wrong" in caplog.text)
        assert await name_of(server, authority) == "first"
        volume.swap(b"", b"")
        await until(lambda: caplog.text.count("the new TLS certificate is wrong") == 2)
        assert await name_of(server, authority) == "first"
        volume.swap(*issued(authority, "fourth"))
        deadline = time.monotonic() + 60
        while await name_of(server, authority) != "fourth":
            assert time.monotonic() < deadline


async def test_a_new_certificate_that_cannot_be_read_at_first_is_read_again_without_another_change(
    volume: SecretVolume, authority: Authority, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, tries = Certificate._load, 0

    def loaded(certificate: Certificate) -> ssl.SSLContext:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise OSError(errno.EIO, "the disk fails")
        return load(certificate)

    caplog.set_level(logging.INFO)
    async with with_tls(volume) as server:
        monkeypatch.setattr(Certificate, "_load", loaded)
        volume.swap(*issued(authority, "second"))
        await until(lambda: "the TLS certificate was read again" in caplog.text)
        assert await name_of(server, authority) == "second"
        assert caplog.text.count("the new TLS certificate is wrong") == 1
        await asyncio.sleep(0.2)
        assert tries == 4, "a pair that was read is left alone"


async def test_tls_connections_read_into_one_buffer_and_mix_nothing(volume: SecretVolume, authority: Authority) -> None:
    """Clients of this loop share it too; each body is larger than it, and comes in pieces between the others'."""
    pair, echo, size = volume.pair, Echo(), 5
    bodies = [bytes([letter]) * 50_000 for letter in b"abc"]
    async with running(echo, plain=False, tls_certificate=pair.certificate, tls_key=pair.key) as server:
        clients = [await server.connect(trusting(authority)) for _ in bodies]
        buffers = {id(client.writer.transport._ssl_protocol._ssl_buffer) for client in clients}  # type: ignore[attr-defined]
        assert len(buffers) == 1
        for client in clients:
            client.writer.write(b"POST /read HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 50000\r\n\r\n")
        for place in range(0, 50_000, 50_000 // size):
            for client, body in zip(clients, bodies, strict=True):
                client.writer.write(body[place : place + 50_000 // size])
                await client.writer.drain()
        for client in clients:
            assert b"ok" in await client.rest()
    assert sorted(echo.bodies) == bodies


async def test_old_versions_of_tls_are_refused(volume: SecretVolume, authority: Authority) -> None:
    old = trusting(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with with_tls(volume) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await server.connect(old)
        assert await name_of(server, authority) == "first"


async def test_a_handshake_that_does_not_come_is_cut_at_the_deadline_of_a_head(volume: SecretVolume) -> None:
    async with with_tls(volume, SHORT) as server:
        begin = time.monotonic()
        assert await (await server.connect()).ask(b"\x16\x03\x01") is None
        assert 0.3 < time.monotonic() - begin < 20


async def test_connections_in_their_handshake_are_counted_and_those_beyond_the_limit_are_cut(
    volume: SecretVolume, authority: Authority
) -> None:
    limits = Limits(head_seconds=60, connections=2, handshakes=1)
    async with with_tls(volume, limits) as server, with_tls(volume, limits) as other:
        silent = [await server.connect() for _ in range(3)]
        assert await (await server.connect()).rest() == b""
        assert server.counted("connections_refused_total", reason="connections") == 1
        assert await name_of(other, authority) == "first", "each server has its own number"
        silent.pop().writer.close()
        deadline = time.monotonic() + 60
        while True:  # the server may not know yet that one has gone
            try:
                assert await name_of(server, authority) == "first"
                break
            except (ConnectionError, ssl.SSLError):
                assert time.monotonic() < deadline
        for each in silent:
            assert not each.reader.at_eof(), "those that were there first stay"
            each.writer.close()
        for _ in range(5):  # connections that came to an end are counted no more, however they ended
            await (await server.connect()).ask(b"no TLS")
            await until(lambda: server.counted("connections") == 0)
        assert await name_of(server, authority) == "first"
        assert server.counted("connections") <= 1


SIZE, PIECE = 1_600_000, 64 * 1024
SOON = 600_000
"""Bytes that are read at once; then some 400 KB are in the server's own buffers, the rest in the kernel's."""


async def large(scope: object, receive: object, send: object) -> None:
    """An application that answers SIZE bytes; `/torn` breaks off behind them."""
    assert callable(send)
    assert isinstance(scope, dict)
    torn = scope["path"] == "/torn"
    length = (b"content-length", str(SIZE + torn).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    for place in range(0, SIZE, PIECE):
        part = b"x" * min(PIECE, SIZE - place)
        await send({"type": "http.response.body", "body": part, "more_body": torn or place + PIECE < SIZE})
    if torn:
        raise ValueError(CANARY)


@contextlib.asynccontextmanager
async def large_answer(volume: SecretVolume, authority: Authority, path: str) -> AsyncIterator[tuple[Running, Narrow]]:
    """A server of large answers, and a client with small buffers that has read the first part of one."""
    pair, limits = volume.pair, Limits(send_seconds=1, graceful_seconds=1)
    async with running(large, limits, plain=False, tls_certificate=pair.certificate, tls_key=pair.key) as server:
        client = await asyncio.to_thread(Narrow, server.port, trusting(authority), path)
        try:
            yield server, client
        finally:
            client.socket.close()


class Narrow:
    """A client of a blocking socket: nothing but the kernel reads ahead."""

    def __init__(self, port: int, tls: ssl.SSLContext, path: str) -> None:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        raw.settimeout(20)
        raw.connect((HOST, port))
        self.socket = tls.wrap_socket(raw, server_hostname="localhost")
        self.socket.sendall(GET.replace(b" / ", f" {path} ".encode()))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        self.received = 0
        while self.received < SOON:
            self.received += len(self.socket.recv(16 * 1024))

    def read_on(self, slow_seconds: float) -> int:
        """Read to the end, at first 50 KB a second: bytes of the whole body."""
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            while part := self.socket.recv(4 * 1024):
                self.received += len(part)
                if time.monotonic() - begin < slow_seconds:
                    time.sleep(0.08)
        return self.received


@pytest.mark.parametrize("path", ["/", "/torn"])
async def test_a_client_that_reads_slowly_gets_all_of_an_answer_behind_which_the_connection_is_closed(
    volume: SecretVolume, authority: Authority, path: str
) -> None:
    async with large_answer(volume, authority, path) as (_, client):
        # longer than any fixed time for the server's own buffers
        assert await asyncio.to_thread(client.read_on, 4) == SIZE


@pytest.mark.parametrize("path", ["/", "/torn"])
async def test_a_client_that_does_not_read_the_end_of_its_answer_is_cut(
    volume: SecretVolume, authority: Authority, path: str
) -> None:
    async with large_answer(volume, authority, path) as (server, client):
        await until(lambda: server.counted("connections") == 0)
        assert await asyncio.to_thread(client.read_on, 0) < SIZE


@contextmanager
def child(graceful: int, gone_after: int) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process of its own that serves streams: process, port, health port; its patience, in seconds."""
    port, health_port = free_port(), free_port()
    numbers = map(str, (port, health_port, graceful, gone_after))
    line = (sys.executable, "-m", "tests.support.streaming_server", *numbers)
    environment = {"PYTHONPATH": f"{REPOSITORY}/operator:{REPOSITORY}"}
    process = subprocess.Popen(line, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process, port, health_port
    finally:
        process.kill()
        process.communicate()


async def opened(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose first bytes have come."""
    async with asyncio.timeout(60):
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, port)
                break
            except OSError:
                await asyncio.sleep(0.02)
        writer.write(
            f"GET {path}?secret={CANARY} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {CANARY}\r\n\r\n".encode()
        )
        await reader.readuntil(b": hello\n\n")
    return reader, writer


async def test_a_process_that_is_told_to_end_tells_its_streams_and_is_gone_whatever_they_do() -> None:
    # Streams that go on are cut late enough for all that is looked at before.
    with child(graceful=5, gone_after=60) as (process, port, health_port):
        polite, writer = await opened(port, "/polite")
        stubborn, other_writer = await opened(port, "/stubborn")
        idle_reader, idle_writer = await asyncio.open_connection(HOST, port)
        url = f"http://{HOST}:{health_port}"
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{url}/readyz") as answer:
                assert answer.status == 200
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert FAREWELL in await asyncio.wait_for(polite.read(), 60), "told before anything is cut"
            assert await asyncio.wait_for(idle_reader.read(), 60) == b""
            async with client.get(f"{url}/readyz") as answer:
                assert (answer.status, await answer.text()) == (503, "ending\n")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)
        assert FAREWELL not in await asyncio.wait_for(stubborn.read(), 60)
        assert await asyncio.to_thread(process.wait, 60) == 0
        print(f"gone {time.monotonic() - begin:.2f} s after SIGTERM, 5 s of which are the stubborn stream's")
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        for each in (writer, other_writer, idle_writer):
            each.close()
    assert [line["message"] for line in lines if line["logger"] == "meeting_buddy.http_api.server"] == [
        "serving",
        "ending",
    ]
    assert not [line for line in lines if line["level"] in ("warning", "error")], "all of that is ordinary"
    assert CANARY not in json.dumps(lines), "no log carries a header or a query, at any level"


async def test_what_has_no_answer_when_the_process_has_to_be_gone_is_told_to_come_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    asked = asyncio.Event()

    async def app(scope: object, receive: object, send: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with running(Gate(app), SHORT) as server:
        client = await server.connect()
        client.writer.write(b"GET /v1/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\n\r\n")
        unread = await server.connect()  # its body does not come
        unread.writer.write(b"POST /v1/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\nContent-Length: 1\r\n\r\n")
        await asyncio.wait_for(asked.wait(), 20)
        server.ending.set()
        for each in (client, unread):
            answer = read_answer(await each.rest())
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert answer.headers["Connection"] == "close"
            assert answer.headers["Cache-Control"] == "no-store"
            assert json.loads(answer.read())["type"].endswith(":upstream-unavailable")
        assert server.counted("requests_total", operation="unknown", status="5xx") == 2
    requests = [vars(each) for each in caplog.records if each.message == "request"]
    assert [each["status"] for each in requests] == [503, 503]
    assert not [each.message for each in caplog.records if each.levelno > logging.INFO]


async def test_a_stream_that_cannot_even_be_cancelled_does_not_keep_the_process() -> None:
    with child(graceful=1, gone_after=3) as (process, port, _):
        _, writer = await opened(port, "/deaf")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 1
        writer.close()


async def test_no_log_quotes_what_the_health_port_cannot_read() -> None:
    with child(graceful=1, gone_after=60) as (process, port, health_port):
        _, writer = await opened(port, "/polite")
        writer.close()
        for head in (
            f"GET /healthz HTTP/1.1\r\nHost: h\r\nAuthorization : Bearer {CANARY}\r\n\r\n",
            f"GET /{CANARY} HTTP/9\r\n\r\n",
            f"GET {CANARY}\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection(HOST, health_port)
            writer.write(head.encode())
            assert b" 400 " in await asyncio.wait_for(reader.readline(), 60)
            writer.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
        assert process.stderr is not None
        assert CANARY not in process.stderr.read()


async def test_no_log_of_a_refused_request_carries_what_it_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    async with running(Echo(), SHORT) as server:
        for start in (
            "GET /?{} HTTP/1.1\r\nHost : h\r\n",
            "GET /?{} HTTP/1.1\r\nHost: h\r\nX: {}",
            "GET /{} HTTP/1.1\r\n\r\n",
        ):
            await (await server.connect()).ask(start.replace("{}", CANARY).encode())
    assert CANARY not in caplog.text
    assert "uvicorn.access" not in caplog.text


async def test_a_crash_is_logged_by_class_and_place_and_not_in_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        raise ValueError(CANARY)

    async with running(app) as server:
        assert await (await server.connect()).ask(GET) == 500
    [record] = [vars(record) for record in caplog.records if record.levelno >= logging.ERROR]
    assert record["error"] == "ValueError"
    assert __file__ in record["traceback"]
    assert CANARY not in caplog.text + json.dumps(record, default=str)


async def test_metrics_know_operations_and_classes_of_status_and_no_path() -> None:
    class Route:
        operation_id = "get_session"

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        assert callable(send)
        if scope["path"] == "/known":
            scope["route"] = Route()
        await send({"type": "http.response.start", "status": 200 if "route" in scope else 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with running(app) as server:
        for path in ("known", "known", CANARY):
            await (await server.connect()).ask(GET.replace(b" / ", f" /{path} ".encode()))
        assert server.counted("requests_total", operation="get_session", status="2xx") == 2
        assert server.counted("requests_total", operation="unknown", status="4xx") == 1
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://{HOST}:{server.health_port}/metrics") as answer,
        ):
            page = await answer.text()
    assert CANARY not in page
    for name in ("process_resident_memory_bytes", "python_gc_collections_total", "meetingbuddy_http_build_info"):
        assert f"\n{name}" in page


def test_a_stream_is_counted_while_it_is_open_and_its_end_has_a_reason() -> None:
    metrics = Metrics()
    value = metrics.registry.get_sample_value
    with metrics.stream("events") as end:
        assert value("meetingbuddy_http_streams", {"operation": "events"}) == 1
        end("finished")
    assert value("meetingbuddy_http_streams", {"operation": "events"}) == 0
    with pytest.raises(ValueError, match=CANARY), metrics.stream("events"):
        raise ValueError(CANARY)
    assert value("meetingbuddy_http_stream_ends_total", {"operation": "events", "reason": "fault"}) == 1
    assert value("meetingbuddy_http_stream_ends_total", {"operation": "events", "reason": "finished"}) == 1
    metrics.upstream("kubernetes", "get", 200, 0.2)
    labels = {"upstream": "kubernetes", "verb": "get", "code": "200"}
    assert value("meetingbuddy_http_upstream_seconds_count", labels) == 1


def test_a_bot_that_makes_up_codes_makes_up_no_labels() -> None:
    metrics = Metrics()
    for code in (0, 200, 418, *range(600, 1000), 99, -1):
        metrics.upstream("bot", "GET", code, 0.2)
    [family] = [each for each in metrics.registry.collect() if each.name == "meetingbuddy_http_upstream_seconds"]
    counts = {each.labels["code"]: each.value for each in family.samples if each.name.endswith("_count")}
    assert counts == {"0": 1, "200": 1, "418": 1, "other": 402}


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with running(Echo()) as server:
        with pytest.raises(OSError, match="address already in use"):
            async with running(Echo(), port=server.port):
                pass
