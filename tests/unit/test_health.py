"""The operator's pages answer on IPv4 and IPv6."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import aiohttp
import pytest

from meeting_buddy.app.metrics import Metrics
from meeting_buddy.app.settings import parse
from meeting_buddy.process import health
from tests.support.machine_wide import free_port


async def status(host: str, port: int) -> int:
    async with aiohttp.ClientSession() as client, client.get(f"http://{host}:{port}/healthz") as answer:
        return answer.status


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this kernel has no IPv6")
async def test_the_default_is_every_address_of_both_families() -> None:
    settings, port = parse(["--all-namespaces"]), free_port()
    async with health.serving(settings.host, port, lambda: None, Metrics().page):
        assert await status("127.0.0.1", port) == 200
        assert await status("[::1]", port) == 200


async def test_where_ipv6_is_switched_off_ipv4_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server

    def without_ipv6(address: Any, *, family: int = socket.AF_INET, **more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "IPv6 is switched off")
        return create(address, family=family, **more)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "create_server", without_ipv6)
    port = free_port()
    async with health.serving(None, port, lambda: None, Metrics().page):
        assert await status("127.0.0.1", port) == 200


def test_a_port_that_is_taken_is_an_error() -> None:
    with health.every_address(0) as taken, pytest.raises(OSError, match="in use"):
        health.every_address(taken.getsockname()[1])


async def test_what_is_not_ready_is_alive() -> None:
    port = free_port()
    async with health.serving("127.0.0.1", port, lambda: "listing", Metrics().page), aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "listing\n")
        assert await status("127.0.0.1", port) == 200


async def test_a_page_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> bytes:
        raise ValueError("no page today")

    port = free_port()
    async with health.serving("127.0.0.1", port, lambda: None, fails), aiohttp.ClientSession() as client:
        for path, expected in (("/metrics", 500), ("/none", 404), ("/readyz", 200)):
            async with client.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == expected
    [record] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.name == "meeting_buddy.process.health"
    assert "no page today" in caplog.text


async def test_a_connection_that_says_nothing_more_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "IDLE_SECONDS", 0.2)
    port = free_port()
    async with health.serving("127.0.0.1", port, lambda: None, Metrics().page):
        for said in (b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /healthz HTTP/1.1\r\nX: "):
            reading, writing = await asyncio.open_connection("127.0.0.1", port)
            writing.write(said)
            await asyncio.wait_for(reading.read(), 20)
            writing.close()


async def test_a_client_that_does_not_read_keeps_no_end_waiting() -> None:
    port, asked = free_port(), asyncio.Event()

    def large() -> bytes:
        asked.set()
        return bytes(1 << 26)  # more than the buffers of both ends hold

    async with asyncio.timeout(20):
        async with health.serving("127.0.0.1", port, lambda: None, large):
            _, writing = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writing.write(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
            await asyncio.wait_for(asked.wait(), 10)
    writing.close()
