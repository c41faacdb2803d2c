"""A bot's report server without a bot: says what a test wants said, at an address that a pod's status can name."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from meeting_buddy.contract.identity import session_id
from meeting_buddy.contract.report import PORT
from tests.support.machine_wide import free_loopback


class ReportServer:
    """Serves ``/v1/events``, ``/v1/report`` and ``/v1/leave`` in a thread of its own."""

    def __init__(self, uid: str) -> None:
        self.address = free_loopback()
        self.document: dict[str, Any] = {
            "contract": 1,
            "revision": 0,
            "sessionId": session_id(uid),
            "attempt": 1,
        }
        self.told = 0
        """Revision that was last sent to a subscriber."""
        self.tokens: set[str] = set()
        self.asked_to_leave = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ReportServer:
        self.say("Joining", waiting="Connecting")
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def say(self, phase: str, **fields: Any) -> dict[str, Any]:
        """Report this from now on; returns the whole document."""
        revision = int(self.document["revision"]) + 1
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self.document = {**self.document, "waiting": None, **fields, "phase": phase, "revision": revision, "time": now}
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._changed.set)
        return self.document

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/events", self._events),
                web.get("/v1/report", self._report),
                web.post("/v1/leave", self._leave),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.address, PORT).start()

    def _note(self, request: web.Request) -> None:
        self.tokens.add(request.headers["Authorization"].removeprefix("Bearer "))

    async def _report(self, request: web.Request) -> web.Response:
        self._note(request)
        return web.json_response(self.document)

    async def _leave(self, request: web.Request) -> web.Response:
        self._note(request)
        self.asked_to_leave.set()
        return web.json_response({}, status=202)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            self._changed.clear()
            await response.write(f"event: report\ndata: {json.dumps(self.document)}\n\n".encode())
            self.told = int(self.document["revision"])
            await self._changed.wait()
