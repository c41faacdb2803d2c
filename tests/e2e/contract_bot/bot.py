"""A bot that speaks the contract and nothing else: no browser, no devices, no meeting; for e2e tests of the operator.

What it does is written in its session's ``spec.metadata``, so a test needs nothing but a MeetingSession:

* ``script``: steps, separated by ``;``: ``wait 1s``, ``lobby 1s``, ``join [1s]``, ``record [1s]``,
  ``people Ann, Bo``, ``end REASON``. After the last step it stays until asked to leave. Default: ``join; record``.
* ``hang-at`` / ``crash-at`` / ``mute-at``: ``joining``, ``active``, ``recording`` or ``leaving``; there it stops
  obeying anyone, ends with code 1 and without a word, or closes its report server.
* ``leaving``: what leaving takes, such as ``1s``; nothing by default.
* ``unverified``: present = it does not verify its recording.
* ``finisher``: what its finisher makes of the recording, ``verified`` (the default) or ``unverified``; ``finishing``:
  what that takes, such as ``1s``.

It is judged by the same conformance suite as the real bot.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from meeting_buddy.contract.assignment import (
    ASSIGNMENT_FILE,
    DIGEST_VARIABLE,
    LINK_FILE,
    RECORDINGS,
    Assignment,
    AttemptConfig,
    FinisherAssignment,
    assignment_sha256,
)
from meeting_buddy.contract.links import LinkError, parse_link
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import (
    MAX_CURRENT,
    MAX_LEFT,
    MAX_TERMINATION_BYTES,
    PORT,
    BrowserReport,
    LeftReport,
    PeopleReport,
    PersonReport,
    RecordingReport,
    Report,
    report_json,
)
from meeting_buddy.contract.table import table_hash
from meeting_buddy.contract.token import matches


def place(name: str, default: object) -> Path:
    """A path of the pod; the environment may name another, as for the real bot."""
    return Path(os.environ.get(f"MEETING_BUDDY_{name}", str(default)))


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Bot:
    """One attempt: a report, who listens to it, and the wish to leave."""

    def __init__(self, assignment: AttemptConfig | None) -> None:
        self.assignment = assignment
        self.asked: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()
        self.streams: set[asyncio.Future[None]] = set()
        self.report = Report(
            revision=1,
            session_id=assignment.session_id if assignment else "",
            attempt=assignment.attempt if assignment else 0,
            time=datetime.now(UTC),
            phase=ReportPhase.JOINING,
            table_hash=table_hash(assignment.table) if isinstance(assignment, Assignment) else None,
            browser=BrowserReport(alive=True, version="0", sandbox="seccomp"),
        )

    def tell(self, **changes: object) -> None:
        new = {"revision": self.report.revision + 1, "time": datetime.now(UTC)}
        self.report = self.report.model_copy(update={**changes, **new})
        self.changed.set()
        self.changed = asyncio.Event()

    def ask(self, reason: Reason) -> None:
        if not self.asked.done():
            self.asked.set_result(reason)

    async def enter(self, phase: ReportPhase, **changes: object) -> None:
        self.tell(phase=phase, **changes)
        wishes = self.assignment.metadata if self.assignment else {}
        if wishes.get("crash-at") == phase.lower():
            os._exit(1)
        if wishes.get("mute-at") == phase.lower():
            await self.runner.cleanup()
        if wishes.get("hang-at") == phase.lower():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, lambda: None)
            await asyncio.Event().wait()

    async def play(self) -> Reason:
        """Run the script until its end or until asked to leave."""
        assert self.assignment is not None
        await self.enter(ReportPhase.JOINING, waiting=Waiting.CONNECTING)
        for step in self.assignment.metadata.get("script", "join; record").split(";"):
            verb, _, rest = step.strip().partition(" ")
            if verb == "end":
                return Reason(rest)
            if verb == "people":
                names = tuple(name.strip() for name in rest.split(","))
                self.tell(people=people(names, self.report.people))
                continue
            if verb == "lobby":
                self.tell(waiting=Waiting.WAITING_ROOM)
            if verb == "record":
                one = RecordingReport(segments=1, audio_files=1, video_files=1, bytes=1000, seconds=1.0)
                await self.enter(ReportPhase.RECORDING, recording=one)
            await asyncio.wait({self.asked}, timeout=float(rest.removesuffix("s") or 0))
            if self.asked.done():
                return self.asked.result()
            if verb == "join":
                now = datetime.now(UTC)
                await self.enter(ReportPhase.ACTIVE, waiting=None, joined_at=now, ever_joined=True)
        return await self.asked

    async def serve(self) -> None:
        app = web.Application(middlewares=[self.guard])
        app.router.add_get("/livez", self.live)
        app.router.add_get("/readyz", self.ready)
        app.router.add_get("/healthz", self.live)
        app.router.add_get("/v1/report", self.tell_report)
        app.router.add_get("/v1/events", self.stream)
        app.router.add_post("/v1/leave", self.leave)
        self.runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await self.runner.setup()
        await web.TCPSite(self.runner, port=int(os.environ.get("MEETING_BUDDY_PORT", PORT))).start()

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert self.assignment is not None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        request["control"] = matches(token, self.assignment.tokens.control)
        if request.path.startswith("/v1/") and not request["control"]:
            if not matches(token, self.assignment.tokens.read):
                return problem(401)
            if request.method == "POST" and request.path == "/v1/leave":
                return problem(403)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return problem(error.status)

    async def live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(self, _: web.Request) -> web.Response:
        there = self.report.phase in (ReportPhase.ACTIVE, ReportPhase.RECORDING)
        return web.Response(text="ok") if there else problem(503)

    async def tell_report(self, _: web.Request) -> web.Response:
        return web.Response(text=report_json(self.report), content_type="application/json")

    async def leave(self, request: web.Request) -> web.Response:
        self.ask(Reason.LEAVE_REQUESTED)
        response = await self.tell_report(request)
        response.set_status(202)
        return response

    async def stream(self, request: web.Request) -> web.StreamResponse:
        if len(self.streams) >= 16:
            return problem(503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        closed = asyncio.get_running_loop().create_future()
        self.streams.add(closed)
        told = 0
        try:
            await response.prepare(request)
            while True:
                if told < self.report.revision:
                    told = self.report.revision
                    data = f"id: {self.report.revision}\nevent: report\ndata: {report_json(self.report)}\n\n"
                    await response.write(data.encode())
                    if self.report.phase is ReportPhase.ENDED:
                        return response
                    await asyncio.sleep(1)
                else:
                    await self.changed.wait()
        finally:
            self.streams.discard(closed)
            closed.set_result(None)

    async def end(self, reason: Reason, message: str | None = None) -> None:
        """Tell the outcome in all three places."""
        left = datetime.now(UTC) if self.report.ever_joined else None
        self.tell(phase=ReportPhase.ENDED, reason=reason, message=message, waiting=None, left_at=left)
        place("TERMINATION_LOG", "/dev/termination-log").write_text(report_json(self.report, MAX_TERMINATION_BYTES))
        folder = place("RECORDINGS", RECORDINGS)
        if self.assignment and folder.is_dir():
            whole = {**json.loads(self.report.to_json()), "metadata": self.assignment.metadata}
            (folder / "session.json").write_text(json.dumps(whole))
        if self.streams:  # each sends the last report within a second and then closes
            await asyncio.wait(self.streams, timeout=3)


def people(names: Sequence[str], before: PeopleReport) -> PeopleReport:
    """Who is there now, where others were there ``before``."""
    now = datetime.now(UTC)
    known = {person.name: person for person in before.current}
    gone = [LeftReport(**person.model_dump(), left_at=now) for name, person in known.items() if name not in names]
    current = [known.get(name) or PersonReport(name=name, joined_at=now) for name in names]
    return PeopleReport(
        current=tuple(current[:MAX_CURRENT]),
        left=(*gone, *before.left)[:MAX_LEFT],
        present=len(names),
        seen=max(len(known | dict.fromkeys(names)) + len(before.left), before.seen),
    )


def problem(status: int) -> web.Response:
    text = json.dumps({"type": "about:blank", "title": web.Response(status=status).reason, "status": status})
    return web.Response(status=status, text=text, content_type="application/problem+json")


def assignment_content() -> bytes:
    """The mounted assignment; ValueError when it is not the pod's."""
    content = place("ASSIGNMENT", ASSIGNMENT_FILE).read_bytes()
    if os.environ.get(DIGEST_VARIABLE, assignment_sha256(content)) != assignment_sha256(content):
        raise ValueError
    return content


async def finish() -> None:
    """What a finisher does: it says that the recording which its bot left is whole, or that it is not."""
    assignment = FinisherAssignment.model_validate_json(assignment_content())
    bot = Bot(assignment)
    await bot.serve()
    bot.tell(phase=ReportPhase.LEAVING, ever_joined=True, joined_at=assignment.joined_at)
    await asyncio.sleep(float(assignment.metadata.get("finishing", "0s").removesuffix("s")))
    verified = assignment.metadata.get("finisher", "verified") == "verified"
    files = int(verified)
    bot.tell(recording=RecordingReport(segments=1, audio_files=files, video_files=files, bytes=900, verified=verified))
    await bot.end(assignment.reason, assignment.message if verified else "the segments cannot be joined")


async def run() -> None:
    try:
        assignment = Assignment.model_validate_json(assignment_content())
        link = assignment.link or place("LINK", LINK_FILE).read_text().strip()
    except (OSError, ValueError):
        return await Bot(None).end(Reason.CONFIG_INVALID, "the assignment or the link cannot be read")
    bot = Bot(assignment)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, bot.ask, Reason.EVICTED)
    await bot.serve()
    try:
        parse_link(
            link,
            assignment.platform,
            assignment.self_hosted,
            {assignment.table.platform: assignment.table.link_rules},
        )
    except LinkError as error:
        return await bot.end(error.reason, str(error))
    reason = await bot.play()
    await bot.enter(ReportPhase.LEAVING, people=people((), bot.report.people))
    await asyncio.sleep(float(assignment.metadata.get("leaving", "0s").removesuffix("s")))
    verified = bot.report.recording.segments > 0 and "unverified" not in assignment.metadata
    bot.tell(recording=bot.report.recording.model_copy(update={"verified": verified}))
    return await bot.end(reason)


def main() -> None:
    sys.exit(asyncio.run(finish() if sys.argv[1:] == ["finish"] else run()))


if __name__ == "__main__":
    main()
