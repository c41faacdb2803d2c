"""A bot's report server without a bot: says what a test wants said."""

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


class ReportApi:
    """``/v1/events``, ``/v1/report`` and ``/v1/leave`` in the caller's event loop."""

    def __init__(self, report: str, *, greets: bool = False) -> None:
        self.report = report
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        """What the stream sends, byte by byte as given; None ends it."""
        self.sent = b""
        """The last of them that went out."""
        self.connections = 0
        self.events_status = 200
        self.leave_status = 202
        self.tokens: set[str] = set()
        self.asked_to_leave = threading.Event()
        self._greets = greets

    def say(self, report: str) -> None:
        """Report this from now on, to those who follow too."""
        self.report = report
        self.lines.put_nowait(_event(report))

    async def start(self, address: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/events", self._events),
                web.get("/v1/report", self._report),
                web.post("/v1/leave", self._leave),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, address, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the port and all connections."""
        await self._runner.cleanup()

    def _note(self, request: web.Request) -> None:
        self.tokens.add(request.headers["Authorization"].removeprefix("Bearer "))

    async def _report(self, request: web.Request) -> web.Response:
        self._note(request)
        return web.Response(text=self.report)

    async def _leave(self, request: web.Request) -> web.Response:
        self._note(request)
        self.asked_to_leave.set()
        return web.Response(status=self.leave_status)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        self.connections += 1
        if self.events_status != 200:
            return web.Response(status=self.events_status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        line = _event(self.report) if self._greets else await self.lines.get()
        while line is not None:
            await response.write(line)
            self.sent = line
            line = await self.lines.get()
        return response


class ReportServer:
    """The same in a thread of its own, as the bot of one session, at an address that a pod's status can name."""

    def __init__(self, uid: str, attempt: int = 1) -> None:
        self.address = free_loopback()
        self._document: dict[str, Any] = {
            "contract": 1,
            "revision": 0,
            "sessionId": session_id(uid),
            "attempt": attempt,
        }
        self._api = ReportApi(json.dumps(self._next("Joining", waiting="Connecting")), greets=True)
        self.tokens = self._api.tokens
        self.asked_to_leave = self._api.asked_to_leave
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ReportServer:
        self._thread.start()
        assert self._started.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def say(self, phase: str, **fields: Any) -> dict[str, Any]:
        """Report this from now on; returns the whole document."""
        document = self._next(phase, **fields)
        self._loop.call_soon_threadsafe(self._api.say, json.dumps(document))
        return document

    def has_told(self, document: dict[str, Any]) -> bool:
        """Whether this very report is the last that went out."""
        return self._api.sent == _event(json.dumps(document))

    def _next(self, phase: str, **fields: Any) -> dict[str, Any]:
        revision = int(self._document["revision"]) + 1
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self._document |= {"waiting": None, **fields, "phase": phase, "revision": revision, "time": now}
        return dict(self._document)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._api.start(self.address, PORT))
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._api.stop())
        self._loop.close()


def _event(report: str) -> bytes:
    return f"event: report\ndata: {report}\n\n".encode()
