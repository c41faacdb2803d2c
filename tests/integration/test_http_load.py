"""Clients that open streams and read nothing, and requests that are never finished, all at once at the real process.

What one such connection costs and when it is cut stands in tests/unit/test_http_protocol.py; here it is hundreds.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.streams import StreamLimits
from tests.integration.http_process import HOST, ApiProcess, replica, running
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import Door, Tenant, make_tenant, named, set_status
from tests.local.clone import CHART
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import until, wait_until

USERS = 4
EACH = 50
"""Streams of a user: as many as one may have."""
HALF = 500
ROUNDS = 20
"""Changes of each session, of some 45 KB: more than kernel and process hold back for one client, 600 KB."""
STREAM_BYTES = 1_500_000
"""Most that one of them may cost: what waits for its client, the event that is being sent, and what waits behind it."""
HALF_BYTES = 40_000
STREAMS = "meetingbuddy_http_streams"
ENDS = "meetingbuddy_http_stream_ends_total"
REFUSED = "meetingbuddy_http_connections_refused_total"


async def opened(port: int, request: str) -> socket.socket:
    """A connection with the smallest receive buffer there is, which has said this and reads nothing."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    found.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(found, (HOST, port))
    await loop.sock_sendall(found, request.encode())
    return found


@asynccontextmanager
async def held() -> AsyncIterator[list[socket.socket]]:
    """Connections that are closed in the end."""
    found: list[socket.socket] = []
    try:
        yield found
    finally:
        for each in found:
            each.close()


def crowd(number: int) -> dict[str, Any]:
    """As many people, of as long names, as a status takes; different ones each time."""
    people = [{"name": f"{number} {each} ".ljust(256, "x"), "joinedAt": "2026-11-23T10:00:00Z"} for each in range(50)]
    return {"currentParticipants": people, "participantHistory": people, "participantCount": 50}


async def test_readers_that_do_not_read_and_half_requests_cost_little_and_are_cut(
    crd: ApiServer, tmp_path: Path
) -> None:
    process = replica(crd, tmp_path)
    tenants = [await asyncio.to_thread(make_tenant, crd) for _ in range(USERS)]
    with running(process):
        async with aiohttp.ClientSession() as client, held() as connections:
            door = Door(process.url, client, StreamLimits(), asyncio.Event())
            before = process.counted("process_resident_memory_bytes")
            made = [await door.create(each) for each in tenants]
            for tenant, session in zip(tenants, made, strict=True):
                head = f"GET {SESSIONS}/{session['session_id']}/events HTTP/1.1\r\nHost: h\r\n"
                whole = f"{head}Authorization: Bearer {tenant.token}\r\n\r\n"
                connections += [await opened(process.port, whole) for _ in range(EACH)]
            connections += [await opened(process.port, "GET /v1/half HTTP/1.1\r\nHost: h\r\nX: ") for _ in range(HALF)]
            await until(lambda: process.counted(STREAMS, operation="followSession") == USERS * EACH, 60)
            assert process.healthy()
            most = await _change_until_cut(crd, process, tenants, made)
            await until(lambda: process.counted(REFUSED, reason="head_timeout") == HALF, 60)
            gone = sum(process.counted(ENDS, reason=reason) for reason in ("slow", "client"))
            assert gone == process.counted(ENDS) == USERS * EACH, "cut, and for nothing else than that they do not read"
            assert process.counted(REFUSED, reason="send_timeout") > 0
            for tenant, session in zip(tenants, made, strict=True):
                shown = await door("GET", f"{SESSIONS}/{session['session_id']}", tenant.token)
                assert shown.status == 200, "their users are served as before, and have their places again"
            again = await opened(process.port, whole)
            connections.append(again)
            await until(lambda: process.counted(STREAMS, operation="followSession") == 1)
    print(
        f"{before / 1e6:.0f} MB resident, {most / 1e6:.0f} MB beside {USERS * EACH} deaf streams, {HALF} half requests"
    )
    assert most - before < USERS * EACH * STREAM_BYTES + HALF * HALF_BYTES
    assert most < _limit()


async def _change_until_cut(
    server: ApiServer, process: ApiProcess, tenants: list[Tenant], sessions: list[Any]
) -> float:
    """Have the sessions change until no stream is left; the most memory that the process had meanwhile."""
    names = [
        (await asyncio.to_thread(named, server, tenant, session))["metadata"]["name"]
        for tenant, session in zip(tenants, sessions, strict=True)
    ]
    most = 0.0

    def gone() -> bool:
        nonlocal most
        assert process.healthy()
        most = max(most, process.counted("process_resident_memory_bytes"))
        return process.counted(STREAMS, operation="followSession") == 0

    for number in range(ROUNDS):
        for tenant, name in zip(tenants, names, strict=True):
            await asyncio.to_thread(set_status, server, tenant, name, phase="Recording", **crowd(number))
        await asyncio.to_thread(gone)
    await asyncio.to_thread(wait_until, gone, "all are cut", 60)
    return most


def _limit() -> float:
    """Bytes that the chart lets the process have, beyond which Kubernetes would kill it."""
    text = yaml.safe_load((CHART / "values.yaml").read_text())["api"]["resources"]["limits"]["memory"]
    assert text.endswith("Mi")
    return float(text.removesuffix("Mi")) * (1 << 20)
