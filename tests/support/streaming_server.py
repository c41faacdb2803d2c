"""``python -m tests.support.streaming_server PORT HEALTH_PORT GRACEFUL GONE_AFTER``: the HTTP API's server and streams.

`/polite` tells its client that the process ends, and returns; `/stubborn` goes on; `/deaf` does so even if cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import replace
from typing import Any

from meeting_buddy.http_api.limits import Limits
from meeting_buddy.http_api.server import serve
from meeting_buddy.process import logs
from tests.support.http_server import SETTINGS

FAREWELL = b"event: end\n\n"


async def run(port: int, health_port: int, graceful: int, gone_after: int) -> None:
    """Serve until SIGTERM; the last two are seconds from then on."""
    ending = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        while scope["path"] == "/deaf":
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        if scope["path"] == "/stubborn":
            await asyncio.Event().wait()
        await ending.wait()
        await send({"type": "http.response.body", "body": FAREWELL})

    found = replace(SETTINGS, port=port, health_port=health_port)
    await serve(app, found, ending, limits=Limits(graceful_seconds=graceful), gone_after=gone_after)


if __name__ == "__main__":
    logs.configure("DEBUG")
    asyncio.run(run(*map(int, sys.argv[1:])))
