"""Reads each bot's report stream (server-sent events on the pod's address) and passes a request to leave on.

A report that arrives is detail, never the outcome: when the stream is cut the pod watch still ends the session. Each
event is the whole document, so a reconnect needs no memory of what was missed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from meeting_buddy.contract.identity import PodId, session_id
from meeting_buddy.contract.lean import make_lean
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.report import MAX_REPORT_BYTES, PORT
from meeting_buddy.contract.report_reader import ReportError, read_report
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.controller.clock import Clock
from meeting_buddy.controller.event_stream import CONNECT_SECONDS, BotUnreachableError, read_events
from meeting_buddy.controller.failures import origin
from meeting_buddy.controller.session_cache import CacheEntry
from meeting_buddy.domain.facts import LeaveFacts, StreamFacts
from meeting_buddy.domain.significance import is_significant
from meeting_buddy.domain.snapshot import UNREACHABLE_AFTER

FIRST_RETRY_SECONDS: Final = 0.3
LAST_RETRY_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BotEndpoint:
    """How to reach one bot."""

    ip: str
    pod: PodId
    token: str = field(repr=False)
    port: int = PORT


class BotReportStreams:
    """One task for each bot that is followed; what it reads goes into the session's entry.

    Redirects are not followed: a bot must not choose to whom the operator speaks.
    """

    def __init__(self, clock: Clock, on_change: Callable[[str], None], on_result: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_change = on_change
        self._on_result = on_result
        self._tasks: dict[tuple[str, PodId], asyncio.Task[None]] = {}
        self._leaves: dict[tuple[str, PodId], asyncio.Task[None]] = {}
        """Requests to leave that are not answered yet."""
        self._http: aiohttp.ClientSession | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    def follow(self, entry: CacheEntry, endpoint: BotEndpoint) -> None:
        """Read reports until :meth:`stop`; calling it twice changes nothing."""
        key = entry.uid, endpoint.pod
        if key in self._tasks:
            return
        entry.note(endpoint.pod, stream=StreamFacts(connected=False, lost_since=self._clock.now()))
        self._tasks[key] = asyncio.create_task(self._follow(entry, endpoint), name=f"stream {entry.uid}")

    def stop(self, entry: CacheEntry, pod: PodId) -> None:
        """Stop reading one pod's; what was read stays known, and whether that was all."""
        known = entry.of(pod)
        if known.stream is not None:
            lost_since = known.stream.lost_since
            followed = lost_since is None or self._clock.now() < lost_since + UNREACHABLE_AFTER
            entry.note(pod, stream=None, followed=followed)
        task = self._tasks.pop((entry.uid, pod), None)
        if task is not None:
            task.cancel()

    def stop_all(self, entry: CacheEntry) -> None:
        """Stop reading all of a session's, and asking its bots to leave."""
        for pod in tuple(entry.attempts):
            self.stop(entry, pod)
        for key in [each for each in self._leaves if each[0] == entry.uid]:
            self._leaves.pop(key).cancel()

    async def close(self) -> None:
        """Stop all streams and requests, and close their connections."""
        tasks = [*self._tasks.values(), *self._leaves.values()]
        self._tasks.clear()
        self._leaves.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
            self._http = None

    def request_leave(self, entry: CacheEntry, endpoint: BotEndpoint) -> None:
        """Ask a bot to leave; whether it confirmed is noted later. Asking while it is being asked changes nothing.

        Nobody waits meanwhile: bots that cannot be reached would keep all workers. The request is over in seconds, also
        where the bot is not followed any more.
        """
        key = entry.uid, endpoint.pod
        if key not in self._leaves:
            self._leaves[key] = asyncio.create_task(self._leave(entry, endpoint), name=f"leave {entry.uid}")

    async def _leave(self, entry: CacheEntry, endpoint: BotEndpoint) -> None:
        confirmed = False
        try:
            confirmed = await self._confirms_leave(endpoint)
        except Exception as error:
            facts = {"uid": entry.uid, "error": type(error).__name__, "frames": origin(error)}
            _log.error("a request to leave failed; will be repeated", extra=facts)
        # Not reached by one that was cancelled: whoever did that forgot it, too.
        del self._leaves[entry.uid, endpoint.pod]
        entry.note(endpoint.pod, leave=LeaveFacts(confirmed, self._clock.now()))
        self._on_change(entry.uid)

    async def _confirms_leave(self, endpoint: BotEndpoint) -> bool:
        try:
            async with self._session().post(
                _url(endpoint, "/v1/leave"),
                headers=_bearer(endpoint),
                timeout=aiohttp.ClientTimeout(total=CONNECT_SECONDS),
                allow_redirects=False,
            ) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            # Straight to the pod: a proxy of the environment's is for other addresses. No limit: all may ask at once.
            connector = aiohttp.TCPConnector(limit=0)
            self._http = aiohttp.ClientSession(trust_env=False, connector=connector, read_bufsize=2 * MAX_REPORT_BYTES)
        return self._http

    async def _follow(self, entry: CacheEntry, endpoint: BotEndpoint) -> None:
        backoff = Backoff(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS)
        while True:
            try:
                await self._read(entry, endpoint, backoff)
                report = entry.of(endpoint.pod).report
                if report is not None and report.phase is ReportPhase.ENDED:
                    return  # the bot said its last word; its pod says the rest
                await self._ask(entry, endpoint)
            except Exception as error:
                # A task that ended would leave the stream connected for good, and nobody would open it again.
                facts = {"uid": entry.uid, "error": type(error).__name__, "frames": origin(error)}
                _log.error("a report stream failed; will be opened again", extra=facts)
                self._lost(entry, endpoint)
            await asyncio.sleep(backoff.next())

    async def _read(self, entry: CacheEntry, endpoint: BotEndpoint, backoff: Backoff) -> None:
        """Take in events until the stream is cut."""

        def take(text: str) -> None:
            self._accept(entry, endpoint, text)
            backoff.reset()  # by an event alone: a stream that is refused may still have a report to read

        try:
            await read_events(endpoint.ip, endpoint.port, "/v1/events", endpoint.token, take)
        except (BotUnreachableError, TimeoutError, OSError) as error:
            _log.debug("stream cut", extra={"uid": entry.uid, "error": type(error).__name__})

    async def _ask(self, entry: CacheEntry, endpoint: BotEndpoint) -> None:
        """After a cut: one quick question decides whether the bot counts as lost."""
        try:
            async with self._session().get(
                _url(endpoint, "/v1/report"),
                headers=_bearer(endpoint),
                timeout=aiohttp.ClientTimeout(total=CONNECT_SECONDS),
                allow_redirects=False,
            ) as answer:
                if answer.status == 200:
                    self._accept(entry, endpoint, await _report_text(answer.content))
                    return
        except (BotUnreachableError, aiohttp.ClientError, TimeoutError, OSError):
            pass
        self._lost(entry, endpoint)

    def _lost(self, entry: CacheEntry, endpoint: BotEndpoint) -> None:
        """From now on the bot counts as lost, if it did not before."""
        stream = entry.of(endpoint.pod).stream
        if stream is not None and stream.lost_since is None:
            entry.note(endpoint.pod, stream=StreamFacts(connected=False, lost_since=self._clock.now()))
            self._on_result("lost")
            self._on_change(entry.uid)

    def _accept(self, entry: CacheEntry, endpoint: BotEndpoint, text: str) -> None:
        try:
            report = read_report(text)
        except ReportError:
            self._on_result("unreadable")
            return
        if report.session_id != session_id(entry.uid):
            self._on_result("foreign")
            return
        known, stream = entry.of(endpoint.pod).report, entry.of(endpoint.pod).stream
        fresh = known is None or report.revision > known.revision
        if report.attempt != endpoint.pod.attempt or stream is None:
            self._on_result("foreign")
            return
        was_lost = not stream.connected
        if was_lost:
            entry.note(endpoint.pod, stream=StreamFacts(connected=True, lost_since=None))
        if fresh:
            self._on_result("accepted")
            make_lean(report)
            entry.note(endpoint.pod, report=report, reported_at=self._clock.now())
        if was_lost or (fresh and is_significant(known, report)):
            self._on_change(entry.uid)


async def _report_text(content: aiohttp.StreamReader) -> str:
    """A whole body; raises BotUnreachableError for one that is longer than a report may be."""
    body = b""
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MAX_REPORT_BYTES:
            raise BotUnreachableError("a report is too long")
    return body.decode(errors="replace")


def _url(endpoint: BotEndpoint, path: str) -> str:
    host = f"[{endpoint.ip}]" if ":" in endpoint.ip else endpoint.ip
    return f"http://{host}:{endpoint.port}{path}"


def _bearer(endpoint: BotEndpoint) -> dict[str, str]:
    return {"Authorization": f"Bearer {endpoint.token}"}
