"""The operator's pages answer on IPv4 and IPv6."""

from __future__ import annotations

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
