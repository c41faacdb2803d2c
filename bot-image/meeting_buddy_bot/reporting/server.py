"""The report server: the bot's report over HTTP, as it is now and as it changes, and the one request it takes: leave.

Every answer but the probes' needs a bearer token whose SHA-256 the assignment names; the token itself is in no file of
the pod and in no log. An event carries the whole report, at most one a second; who falls behind gets the newest.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Final

from aiohttp import web

from meeting_buddy.contract.assignment import TokenDigests
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import report_json
from meeting_buddy.contract.token import Scope, matches
from meeting_buddy_bot.reporting.event_stream import EventStream, Subscribers
from meeting_buddy_bot.reporting.problems import Handler, problem, problems
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.leave import LeaveSignal

EVENT_SECONDS: Final = 1.0
"""Least distance of two events of a stream."""
KEPT_FREE: Final = 4
"""Places that readers of the transcript leave to whoever follows the report: the operator above all."""
_OPEN: Final = frozenset({"/livez", "/readyz", "/healthz"})
_SCOPE: Final = web.RequestKey("scope", Scope)

_log = logging.getLogger(__name__)


class ReportServer:
    """Serves one bot's report on all addresses of the pod."""

    def __init__(self, state: ReportState, tokens: TokenDigests, leave: LeaveSignal, port: int) -> None:
        self._state = state
        self._tokens = tokens
        self._leave = leave
        self._port = port
        self._delivered: dict[int, int] = {}  # subscriber → revision last sent to it
        self._next_subscriber = 0
        self.subscribers = Subscribers()
        self._progress = asyncio.Event()  # set with each event sent and each subscriber gone
        app = web.Application(middlewares=[problems, self._authorise])
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/v1/report", self._report)
        app.router.add_get("/v1/events", self._events, allow_head=False)
        app.router.add_post("/v1/leave", self._leave_now)
        app.router.add_get("/v1/transcript", self._transcript, allow_head=False)
        self.transcript: Handler | None = None
        """Streams the transcript; ``None``: there is none."""
        # Cancelled handlers: a subscriber that hangs up frees its place at once. No access log: it has no reader.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()
        _log.info("report server listens on port %d", self._port)

    async def wait_delivered(self, seconds: float) -> bool:
        """Wait until every subscriber was sent the present revision; False when ``seconds`` were not enough."""
        try:
            async with asyncio.timeout(seconds):
                while any(revision < self._state.report.revision for revision in self._delivered.values()):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Close all streams and the port."""
        await self._runner.cleanup()

    @web.middleware
    async def _authorise(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _OPEN:
            return await handler(request)
        scope = self._scope(request)
        if scope is None:
            return problem(HTTPStatus.UNAUTHORIZED, "send the session's bearer token", {"WWW-Authenticate": "Bearer"})
        request[_SCOPE] = scope
        return await handler(request)

    def _scope(self, request: web.Request) -> Scope | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            return None
        # Both are always compared: the time taken does not tell which one was nearer.
        control, read = matches(token.strip(), self._tokens.control), matches(token.strip(), self._tokens.read)
        return Scope.CONTROL if control else Scope.READ if read else None

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # that the loop gets here is the answer

    async def _readyz(self, _: web.Request) -> web.Response:
        if self._state.in_meeting:
            return web.Response(text="in the meeting\n")
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "not in the meeting")

    async def _healthz(self, _: web.Request) -> web.Response:
        if (found := self._state.health.problem()) is not None:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, found)
        return web.Response(text="the browser answers\n")

    async def _report(self, _: web.Request) -> web.Response:
        return web.Response(text=report_json(self._state.report), content_type="application/json")

    async def _leave_now(self, request: web.Request) -> web.Response:
        if request[_SCOPE] is not Scope.CONTROL:
            return problem(HTTPStatus.FORBIDDEN, "this token may only read")
        self._leave.request(Reason.LEAVE_REQUESTED)
        return web.Response(
            status=HTTPStatus.ACCEPTED, text=report_json(self._state.report), content_type="application/json"
        )

    async def _transcript(self, request: web.Request) -> web.StreamResponse:
        if self.transcript is None:
            return problem(HTTPStatus.NOT_FOUND, "this session has no transcript")
        if (refusal := self.subscribers.refusal(KEPT_FREE)) is not None:
            return refusal
        with self.subscribers.place():
            return await self.transcript(request)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self.subscribers.refusal()) is not None:
            return refusal
        subscriber = self._next_subscriber
        self._next_subscriber += 1
        self._delivered[subscriber] = 0
        try:
            with self.subscribers.place():
                return await self._follow(await EventStream.begin(request), subscriber)
        finally:
            del self._delivered[subscriber]
            self._progress.set()

    async def _follow(self, stream: EventStream, subscriber: int) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        while True:
            report = self._state.report
            await stream.send(f"id: {report.revision}\nevent: report\ndata: {report_json(report)}\n\n".encode())
            self._delivered[subscriber] = report.revision
            self._progress.set()
            if report.phase is ReportPhase.ENDED:
                return stream.response
            earliest = loop.time() + EVENT_SECONDS
            await stream.wait(self._state.newer_than(report.revision))
            await asyncio.sleep(max(0.0, earliest - loop.time()))
