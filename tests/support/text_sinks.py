"""Everything that the bot and the operator write, with one text of the page's in all the places a page can put it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from meeting_buddy.contract.phases import Phase, ReportPhase
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.report import Gap, RecordingReport, Report, report_json
from meeting_buddy.domain import status
from meeting_buddy.domain.snapshot import Snapshot
from meeting_buddy.resource.session import MeetingSessionStatus
from meeting_buddy_bot.browser.page import WORLD, Page
from meeting_buddy_bot.platforms import diagnostics
from meeting_buddy_bot.platforms.people import People
from meeting_buddy_bot.platforms.probe import PageSnapshot, Probe
from meeting_buddy_bot.platforms.speakers import SpeakingHints
from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, GapLine, encode
from meeting_buddy_bot.reporting.outcome import write_session, write_termination_message
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EVENTS_FILE, EventLog
from meeting_buddy_bot.support.logs import JsonLines
from meeting_buddy_bot.support.volume import Volume
from tests.support import operator_facts as make
from tests.support.synthetic_table import synthetic_table

_TARGET, _SESSION = "tab", "session"


class FakeCdp:
    """A browser with one tab: each expression has the value that `evaluate` gives it."""

    def __init__(self, evaluate: Callable[[str], Any]) -> None:
        self._evaluate = evaluate
        self._handlers: dict[str, Callable[[dict[str, Any], str | None], None]] = {}

    def on(self, event: str, handler: Callable[[dict[str, Any], str | None], None]) -> None:
        self._handlers[event] = handler

    def emit(self, event: str, **params: Any) -> None:
        self._handlers[event](params, _SESSION)

    def send(self, method: str, params: Any = None, *, session: str | None = None) -> None:
        """Nobody waits for the answer."""

    async def call(self, method: str, params: Any = None, *, session: str | None = None, seconds: float = 5) -> Any:
        match method:
            case "Target.getTargets":
                return {"targetInfos": [{"type": "page", "targetId": _TARGET}]}
            case "Target.attachToTarget":
                return {"sessionId": _SESSION}
            case "DOMSnapshot.captureSnapshot":
                return {"strings": [], "documents": []}
            case "Page.captureScreenshot":
                return {"data": ""}
            case "Runtime.evaluate":
                return {"result": {"value": self._evaluate(params["expression"])}}
        return {}


async def page_saying(text: str) -> Page:
    """A page that shows `text` as a name and as its document, and says it in a dialog and on the console."""

    def evaluate(expression: str) -> Any:
        if "getHTML" in expression:
            return {"host": "meet.test", "path": "/", "html": f"<html><body><p>{text}</p></body></html>"}
        if not expression.endswith("meetingBuddy.look()"):
            return None
        probe = Probe(synthetic_table())
        return {
            "seen": [False] * len(probe.matches),
            "actable": [False] * len(probe.steps),
            "count": None,
            "people": [{"name": text, "own": False, "speaking": True}],
            "audio": [],
            "video": [],
            "status": 200,
            "bad": [],
            "seconds": 0.001,
        }

    cdp = FakeCdp(evaluate)
    page = await Page.attach(cdp)  # type: ignore[arg-type]
    cdp.emit("Runtime.executionContextCreated", context={"name": WORLD, "id": 1, "auxData": {"frameId": _TARGET}})
    cdp.emit("Runtime.consoleAPICalled", args=[{"type": "string", "value": text}])
    page.on_alert = lambda _: None
    cdp.emit("Page.javascriptDialogOpening", message=text)
    return page


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    snapshot: PageSnapshot
    page: Page
    report: Report
    status: MeetingSessionStatus
    sinks: dict[str, str]
    """Text by the name of its sink: the container's log, the report, the termination message, files on the volume."""

    def events(self) -> list[dict[str, Any]]:
        """Lines of the event log."""
        return [json.loads(line) for line in self.sinks[EVENTS_FILE].splitlines()]

    def log(self) -> list[dict[str, Any]]:
        """Lines of the container's log."""
        return [json.loads(line) for line in self.sinks["log"].splitlines()]


@contextmanager
def container_log(redact: Redactor) -> Iterator[io.BytesIO]:
    """What the bot's loggers write meanwhile, in a container whose standard error takes UTF-8 and nothing else."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="utf-8", errors="strict", write_through=True)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(redact))
    handler.handleError = _raise_again  # type: ignore[method-assign]
    logger = logging.getLogger("meeting_buddy_bot")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield written
    finally:
        logger.removeHandler(handler)
        stream.detach()
        logger.setLevel(level)
        logger.propagate = propagate


def _raise_again(record: logging.LogRecord) -> None:
    raise  # logging calls this inside its own except


async def write_everywhere(
    text: str, folder: Path, redact: Redactor, *, publish: bool = True, careless: bool = True
) -> Written:
    """Let a page say `text`, and carry it to everything that is written of a session.

    `careless`: also by callers that hand it on as it is, where they should not.
    """
    clock = SessionClock()
    page = await page_saying(text)
    snapshot = await Probe(synthetic_table()).read(page)
    assert snapshot is not None
    with container_log(redact) as log:
        state = ReportState("mbsess_" + make.UID.replace("-", ""), 1, clock, redact=redact)
        events = EventLog(folder / EVENTS_FILE, clock)
        events.configure(redact, publish_personal=publish)
        reporter = SessionReporter(state, events, publish_names=publish)
        people, speakers = People("Meeting Buddy"), SpeakingHints(reporter.speaking)
        reporter.admitted(clock.utc(), "hints")
        gone = replace(snapshot, people=(), count=1)
        for seconds, shown in ((0, snapshot), (1, gone), (5, gone), (6, snapshot)):  # there, gone, there again
            changes = people.take(shown, clock.utc(seconds))
            reporter.people(people.report, people.names, changes)
        speakers.take(snapshot.people, 1.0)
        speakers.close(2.0)
        events.write("page_dialog", personal={"text": page.alerts[0]})
        await diagnostics.collect(page, Volume(folder), "shown", [], redact, reporter.evidence)
        if careless:
            events.write("whatever", raw=text, deep=[{"raw": [text]}])
            gap = Gap(start=1, end=2, cause=text)
            state.update(phase=ReportPhase.ENDED, message=f"ended: {text}", recording=RecordingReport(gaps=(gap,)))
            (folder / MANIFEST_FILE).write_bytes(encode(GapLine(redact(text), 1.0, 2.0)))
            _log_carelessly(text)
        write_termination_message(folder / "termination-log", state.report)
        write_session(folder, state.report, state.redacted(metadata={"note": text}, participants=state.participants))
        await events.close()
    facts = make.facts(make.session(), make.RUNNING_POD, report=state.report)
    composed = status.compose(
        Snapshot.of(facts, make.session(), make.NOW).going_on(Phase.RECORDING, None, creating=False)
    )
    sinks = {
        "log": log.getvalue(),
        "report": report_json(state.report).encode(),
        "status": json.dumps(status.merge_patch(MeetingSessionStatus(), composed), ensure_ascii=False).encode(),
        **_texts(folder),
    }
    return Written(snapshot, page, state.report, composed, {name: each.decode() for name, each in sinks.items()})


def _log_carelessly(text: str) -> None:
    logger = logging.getLogger("meeting_buddy_bot.test")
    logger.info("the page says %s", text, extra={"facts": {"raw": text, "deep": {"list": [text]}}})
    logger.warning("%d", text)  # arguments that do not fit their message
    try:
        raise ValueError(f"could not handle {text}")
    except ValueError:
        logger.exception("failed")


def _texts(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".png"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
