"""A token that ends while streams are open ends them: events, transcript and a download.

The test signs it as the API server would, whose own TokenRequest gives none for less than ten minutes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from meeting_buddy.http_api.bots import Bots
from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.readers import Readers
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import Tenant, client_of, events, served
from tests.integration.test_http_transcript import KEY, Place, make_listener
from tests.local.cluster.api_only import ApiServer
from tests.local.machine.certificates import signing_key
from tests.support.machine_wide import free_port

pytestmark = pytest.mark.waits

ISSUER = "https://kubernetes.default.svc"
LEEWAY = 60
"""Seconds for which the API server takes a token after its `exp`: go-jose's default for clocks that differ."""
LIFE = 20
"""Seconds to sign the token and open the streams in, also on a slow machine.

The API server remembers for 10 s that a token was good: so all end after some 20 s, and with half a life after 10."""


def signed(server: ApiServer, tenant: Tenant, expires: float) -> str:
    """A token of a tenant's account, by the API server's own key."""
    account = client_of(server, tenant.namespace).get("serviceaccounts", "caller")
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": tenant.user,
        "iat": int(expires) - 600,
        "nbf": int(expires) - 600,
        "exp": int(expires),
        "kubernetes.io": {
            "namespace": tenant.namespace,
            "serviceaccount": {"name": "caller", "uid": account["metadata"]["uid"]},
        },
    }
    _, private = signing_key(server.authority.parent, "service-accounts")
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    said = f"{_base64(json.dumps({'alg': 'ES256'}).encode())}.{_base64(json.dumps(claims).encode())}"
    numbers = decode_dss_signature(key.sign(said.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{said}.{_base64(b''.join(each.to_bytes(32, 'big') for each in numbers))}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@asynccontextmanager
async def endless_reader() -> AsyncIterator[str]:
    """Where a reader is whose file has no end; it stands for a large file on a slow volume."""

    async def content(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000000000", "ETag": '"a"'})
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 1024)
            await asyncio.sleep(0.05)

    application, port = web.Application(), free_port()
    application.router.add_get("/{path:.*}", content)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_streams_and_downloads_end_with_the_token(
    crd: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.service.WATCH_SECONDS", 1)
    monkeypatch.setattr("meeting_buddy.http_api.media_access.RECHECK_SECONDS", 1.0)
    tenant = await asyncio.to_thread(make_listener, crd)
    port, metrics = free_port(), Metrics()
    (tmp_path / "read").write_bytes(KEY)
    async with endless_reader() as reader:
        bots = Bots(tmp_path / "read", port, partial(metrics.upstream, "bot"))
        readers = Readers(tmp_path / "read", reader)
        async with served(crd, bots, readers, metrics) as door:
            session = await Place(door, crd, tmp_path, port, metrics).session(tenant)
            async with session.bot() as bot:
                bot.say("a")
                expires = int(time.time()) + LIFE  # as whole as the token has it
                token = await asyncio.to_thread(signed, crd, tenant, expires - LEEWAY)
                session.tenant = replace(tenant, token=token)
                headers, base = {"Authorization": f"Bearer {token}"}, f"{door.url}{SESSIONS}/{session.session_id}"

                async def told(path: str) -> list[tuple[str, str]]:
                    """Names of the events, and the type of the problem."""
                    async with door.client.get(f"{base}/{path}", headers=headers) as answer:
                        assert answer.status == 200, await answer.text()
                        return [
                            (name, data.get("type", "")) async for name, _, data in events(answer) if name != "comment"
                        ]

                async def downloaded() -> int:
                    """Bytes of the recording until it is cut."""
                    count = 0
                    async with door.client.get(f"{base}/recordings/recording.mp4", headers=headers) as answer:
                        assert answer.status == 200, await answer.text()
                        try:
                            async for part in answer.content.iter_any():
                                count += len(part)
                        except aiohttp.ClientPayloadError:
                            return count
                    raise AssertionError("it came to an end")

                async with asyncio.timeout(150):
                    lines, states, size = await asyncio.gather(told("transcript"), told("events"), downloaded())
                assert time.time() > expires, "they lived as long as the token"
                unauthorized = ("problem", "urn:meeting-buddy:problem:unauthorized")
                assert lines == [("line", ""), unauthorized]
                assert states == [("session", ""), unauthorized]
                assert size > 0
                for path in ("transcript", "events", "recordings", "recordings/recording.mp4"):
                    again = await door("GET", f"{SESSIONS}/{session.session_id}/{path}", token)
                    again.problem(401, "unauthorized")
                assert door.streams._open.total() == 0
    page = metrics.page().decode()
    for operation in ("followTranscript", "followSession", "downloadRecording"):
        assert f'stream_ends_total{{operation="{operation}",reason="problem"}} 1.0' in page
