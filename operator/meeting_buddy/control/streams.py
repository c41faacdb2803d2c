"""Reads each bot's report stream (server-sent events on the pod's address) and passes the wish to leave on.

A report that arrives is detail, never the outcome: when the stream is cut the pod watch still ends the session. Each
event is the whole document, so a reconnect needs no memory of what was missed.

What happens if this process dies here? The bot notices a closed connection and goes on; the next process reads anew.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from pydantic import ValidationError

from meeting_buddy.contract.identity import session_id
from meeting_buddy.contract.report import MAX_REPORT_BYTES, PORT, READABLE_VERSIONS, Report
from meeting_buddy.control.store import Record
from meeting_buddy.domain.facts import Clock, StreamFacts
from meeting_buddy.domain.significance import stirs

CONNECT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 30.0
"""A stream that says nothing for so long is opened again: a dead network does not close connections."""
FIRST_RETRY_SECONDS: Final = 0.3
LAST_RETRY_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class BotUnreachableError(Exception):
    """The bot did not answer as its contract says."""


@dataclass(frozen=True, slots=True)
class Line:
    """How to reach one bot."""

    ip: str
    attempt: int
    token: str = field(repr=False)
    port: int = PORT


class Streams:
    """One task for each bot that is followed; what it reads goes into the session's record."""

    def __init__(self, clock: Clock, stirred: Callable[[str], None], counted: Callable[[str], None]) -> None:
        self._clock = clock
        self._stirred = stirred
        self._counted = counted
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._http: aiohttp.ClientSession | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    def follow(self, record: Record, line: Line) -> None:
        """Read reports until told to stop; twice is once."""
        if record.uid in self._tasks:
            return
        record.stream = StreamFacts(connected=False, lost_since=self._clock())
        self._tasks[record.uid] = asyncio.create_task(self._follow(record, line), name=f"stream {record.uid}")

    def stop(self, record: Record) -> None:
        """Stop reading; what was read stays known."""
        record.stream = None
        task = self._tasks.pop(record.uid, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Stop all streams and close their connections."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def ask_leave(self, line: Line) -> bool:
        """Ask a bot to leave; whether it confirmed."""
        try:
            async with self._session().post(
                _url(line, "/v1/leave"), headers=_bearer(line), timeout=aiohttp.ClientTimeout(total=CONNECT_SECONDS)
            ) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            # Straight to the pod: a proxy of the environment's is for other addresses. No limit: one stream a bot.
            connector = aiohttp.TCPConnector(limit=0)
            self._http = aiohttp.ClientSession(trust_env=False, connector=connector, read_bufsize=2 * MAX_REPORT_BYTES)
        return self._http

    async def _follow(self, record: Record, line: Line) -> None:
        failures = 0
        while True:
            try:
                async for text in self._events(line):
                    failures = 0
                    self._accept(record, line, text)
            except (BotUnreachableError, aiohttp.ClientError, TimeoutError, OSError) as error:
                _log.debug("stream cut", extra={"uid": record.uid, "error": type(error).__name__})
            if not await self._still_there(record, line):
                failures += 1
            await asyncio.sleep(_pause(failures))

    async def _still_there(self, record: Record, line: Line) -> bool:
        """After a cut: one quick question decides whether the bot counts as lost."""
        try:
            async with self._session().get(
                _url(line, "/v1/report"), headers=_bearer(line), timeout=aiohttp.ClientTimeout(total=CONNECT_SECONDS)
            ) as answer:
                if answer.status == 200:
                    self._accept(record, line, await _report_text(answer.content))
                    return True
        except (BotUnreachableError, aiohttp.ClientError, TimeoutError, OSError):
            pass
        if record.stream is not None and record.stream.lost_since is None:
            record.stream = StreamFacts(connected=False, lost_since=self._clock())
            self._counted("lost")
            self._stirred(record.uid)
        return False

    async def _events(self, line: Line) -> AsyncIterator[str]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        headers = _bearer(line) | {"Accept": "text/event-stream"}
        async with self._session().get(_url(line, "/v1/events"), headers=headers, timeout=timeout) as answer:
            if answer.status != 200:
                raise BotUnreachableError(f"status {answer.status}")
            data: list[str] = []
            size = 0
            async for text in _lines(answer.content):
                size += len(text)
                if size > 2 * MAX_REPORT_BYTES:
                    raise BotUnreachableError("an event is too long")
                if text.startswith("data:"):
                    data.append(text[5:].removeprefix(" "))
                elif not text:
                    if data:
                        yield "\n".join(data)
                    data, size = [], 0

    def _accept(self, record: Record, line: Line, text: str) -> None:
        try:
            report = Report.model_validate_json(text)
        except ValidationError:
            self._counted("unreadable")
            return
        if report.contract not in READABLE_VERSIONS or report.session_id != session_id(record.uid):
            self._counted("foreign")
            return
        known = record.report
        fresh = known is None or report.attempt > known.attempt or report.revision > known.revision
        if report.attempt != line.attempt or record.stream is None:
            self._counted("foreign")
            return
        was_lost = not record.stream.connected
        if was_lost:
            record.stream = StreamFacts(connected=True, lost_since=None)
        if fresh:
            self._counted("accepted")
            record.report = report
        if was_lost or (fresh and stirs(known, report)):
            self._stirred(record.uid)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[str]:
    """Lines of a stream without their ends; raises BotUnreachableError for one that no event has."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").rstrip("\r")
        if len(rest) > 2 * MAX_REPORT_BYTES:
            raise BotUnreachableError("a line is too long")


async def _report_text(content: aiohttp.StreamReader) -> str:
    """A whole body; raises BotUnreachableError for one that is longer than a report may be."""
    body = b""
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MAX_REPORT_BYTES:
            raise BotUnreachableError("a report is too long")
    return body.decode(errors="replace")


def _url(line: Line, path: str) -> str:
    host = f"[{line.ip}]" if ":" in line.ip else line.ip
    return f"http://{host}:{line.port}{path}"


def _bearer(line: Line) -> dict[str, str]:
    return {"Authorization": f"Bearer {line.token}"}


def _pause(failures: int) -> float:
    pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 16), LAST_RETRY_SECONDS)
    return pause * random.uniform(0.8, 1.2)  # noqa: S311 -- spreads reconnects, guards nothing
