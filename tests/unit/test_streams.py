"""Following a bot's reports over a real connection: what is accepted, what wakes a worker, what a cut means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast
from unittest.mock import Mock

import pytest
from aiohttp import web

from meeting_buddy.contract import identity
from meeting_buddy.contract.report import Report
from meeting_buddy.contract.token import BotKeys
from meeting_buddy.controller import report_streams
from meeting_buddy.controller.backoff import Backoff
from meeting_buddy.controller.clock import SystemClock
from meeting_buddy.controller.event_stream import CONNECT_SECONDS
from meeting_buddy.controller.executor import Executor, Progress
from meeting_buddy.controller.report_streams import BotEndpoint, BotReportStreams
from meeting_buddy.controller.session_cache import CacheEntry
from meeting_buddy.domain.facts import AttemptFacts, StreamFacts
from meeting_buddy.domain.plan import RequestLeave
from tests.support import operator_facts as make
from tests.support.awaiting import until
from tests.support.report_server import ReportApi


class Following:
    """A bot that is followed, and what its stream led to."""

    def __init__(self, bot: ReportApi, port: int) -> None:
        self.bot = bot
        self.on_change: list[str] = []
        self.on_result: list[str] = []
        self.entry = CacheEntry(make.UID, "meetings", "standup")
        self.line = BotEndpoint("127.0.0.1", identity.FIRST_BOT, "token", port)
        self.streams = BotReportStreams(SystemClock(), self.on_change.append, self.on_result.append)

    @property
    def known(self) -> AttemptFacts:
        """What it led to is known of the bot."""
        return self.entry.of(identity.FIRST_BOT)


@pytest.fixture
async def following() -> AsyncIterator[Following]:
    bot = ReportApi(make.report().to_json())
    found = Following(bot, await bot.start())
    found.streams.follow(found.entry, found.line)
    yield found
    await found.streams.close()
    await bot.stop()


async def test_a_report_is_taken_in_and_progress_wakes_nobody(following: Following) -> None:
    following.bot.say(make.joined(revision=1).to_json())
    await until(lambda: following.known.report)
    assert following.known.stream is not None
    assert following.known.stream.connected
    assert following.on_change == [make.UID]
    following.bot.say(make.joined(revision=2, recording={"segments": 5}).to_json())
    await until(lambda: following.known.report and following.known.report.revision == 2)
    assert following.on_change == [make.UID]
    following.bot.say(make.joined("Leaving", revision=3).to_json())
    await until(lambda: len(following.on_change) == 2)
    following.bot.say(make.joined("Ended", reason="MeetingEnded", revision=4).to_json())
    await until(lambda: following.known.report and following.known.report.revision == 4)
    assert len(following.on_change) == 2, "its pod ends next"


async def test_a_last_word_that_no_leaving_came_before_is_news(following: Following) -> None:
    following.bot.say(make.joined(revision=1).to_json())
    await until(lambda: following.known.report)
    following.bot.say(make.joined("Ended", reason="BotCrashed", revision=2).to_json())
    await until(lambda: len(following.on_change) == 2)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        make.joined(sessionId="mbsess_another").to_json(),
        make.joined(attempt=2).to_json(),
        make.joined(contract=9).to_json(),
    ],
    ids=["garbage", "another session", "another attempt", "unknown contract"],
)
async def test_what_is_not_this_bots_report_is_counted_and_dropped(following: Following, text: str) -> None:
    following.bot.say(text)
    await until(lambda: following.on_result)
    assert following.known.report is None


async def test_an_older_report_does_not_replace_a_newer_one(following: Following) -> None:
    following.bot.say(make.joined(revision=7).to_json())
    following.bot.say(make.joined("Leaving", revision=6).to_json())
    following.bot.say(make.joined(revision=8).to_json())
    await until(lambda: following.known.report and following.known.report.revision == 8)
    assert following.on_change == [make.UID]


async def test_comments_and_split_lines_are_understood(following: Following) -> None:
    text = make.joined(revision=4).to_json()
    for piece in (b": keep alive\n\n", b"data: " + text[:40].encode(), text[40:].encode() + b"\n", b"\n"):
        following.bot.lines.put_nowait(piece)
    await until(lambda: following.known.report and following.known.report.revision == 4)


async def test_an_endless_event_is_not_read_to_its_end(following: Following) -> None:
    for _ in range(40):
        following.bot.lines.put_nowait(b"data: " + b"x" * 1000 + b"\n")
    await until(lambda: following.bot.connections >= 2)
    following.bot.say(make.joined(revision=2).to_json())
    await until(lambda: following.known.report and following.known.report.revision == 2)


async def test_a_line_without_end_is_not_read_to_its_end(following: Following) -> None:
    for _ in range(40):
        following.bot.lines.put_nowait(b"data: " + b"x" * 1000)
    await until(lambda: following.bot.connections >= 2)
    following.bot.say(make.joined(revision=2).to_json())
    await until(lambda: following.known.report and following.known.report.revision == 2)


async def test_a_report_that_is_too_long_counts_as_none(following: Following) -> None:
    following.bot.report = make.joined(revision=9, message="x" * 9000).to_json()
    following.bot.lines.put_nowait(None)
    await until(lambda: following.known.stream and following.known.stream.lost_since)
    assert following.known.report is None


async def test_a_bot_that_only_closes_the_stream_is_not_lost(following: Following) -> None:
    following.bot.say(make.joined(revision=1).to_json())
    await until(lambda: following.known.report)
    following.bot.lines.put_nowait(None)
    await until(lambda: following.bot.connections >= 2)
    assert following.known.stream is not None
    assert following.known.stream.lost_since is None


async def test_a_bot_that_cannot_be_reached_is_lost_once(following: Following) -> None:
    following.bot.say(make.joined(revision=1).to_json())
    await until(lambda: following.known.report)
    await following.bot.stop()
    await until(lambda: following.known.stream and following.known.stream.lost_since)
    since = following.known.stream.lost_since if following.known.stream else None
    await asyncio.sleep(1.0)  # several attempts to reconnect, none of which is news
    assert following.known.stream is not None
    assert following.known.stream.lost_since == since
    assert following.on_result.count("lost") == 1
    assert following.known.report is not None


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_a_stream_that_is_refused_is_asked_for_more_and_more_rarely(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class CountedBackoff(Backoff):
        def next(self, at_least: float = 0.0) -> float:
            pauses.append(super().next(at_least))
            return 0.0  # what is judged is the pause, not how long it takes

    monkeypatch.setattr(report_streams, "Backoff", CountedBackoff)
    bot = ReportApi(make.report().to_json())
    bot.events_status = status
    found = Following(bot, await bot.start())
    found.streams.follow(found.entry, found.line)
    try:
        await until(lambda: len(pauses) >= 5)
        assert found.known.report is not None, "its report can still be read"
        assert pauses[4] > pauses[0] * 8
        bot.events_status = 200
        bot.say(make.joined(revision=2).to_json())
        await until(lambda: found.known.report and found.known.report.revision == 2)
        refused = len(pauses)
        bot.lines.put_nowait(None)
        await until(lambda: len(pauses) > refused)
        assert pauses[refused] < pauses[2], "a stream that worked is opened again at once"
    finally:
        await found.streams.close()
        await bot.stop()


@pytest.mark.parametrize("status", [302, 307])
async def test_a_bot_cannot_send_the_operator_elsewhere(status: int) -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.startswith("/elsewhere"):
            return web.Response(text=make.joined().to_json())
        return web.Response(status=status, headers={"Location": f"/elsewhere{request.path}"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found = Following(ReportApi(""), int(runner.addresses[0][1]))
    try:
        found.streams.request_leave(found.entry, found.line)
        await until(lambda: found.known.leave)
        assert found.known.leave is not None
        assert not found.known.leave.acknowledged
        found.streams.follow(found.entry, found.line)
        await until(lambda: asked.count("/v1/events") > 1)  # by then the report's answer was read
        assert set(asked) == {"/v1/leave", "/v1/events", "/v1/report"}
        assert found.known.report is None
    finally:
        await found.streams.close()
        await runner.cleanup()


async def test_a_stream_that_fails_for_whatever_reason_is_lost_and_opened_again(
    following: Following, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    following.bot.say(make.joined(revision=1).to_json())
    await until(lambda: following.known.report)

    def broken(text: str) -> Report:
        raise RuntimeError(text)

    monkeypatch.setattr(report_streams, "read_report", broken)
    following.bot.say(make.joined(revision=2).to_json())
    await until(lambda: following.known.stream and following.known.stream.lost_since)
    await until(lambda: following.bot.connections >= 2)
    assert following.on_result == ["accepted", "lost"]
    assert following.on_change == [make.UID, make.UID]
    logged = caplog.records[0]
    assert (logged.levelname, vars(logged)["uid"], vars(logged)["error"]) == ("ERROR", make.UID, "RuntimeError")
    assert "test_streams.py" in vars(logged)["frames"][-1]
    assert "revision" not in caplog.text + str(vars(logged)), "what a bot said is not for the log"

    monkeypatch.undo()
    following.bot.say(make.joined(revision=3).to_json())
    await until(lambda: following.known.report and following.known.report.revision == 3)
    assert following.known.stream == StreamFacts(connected=True, lost_since=None)


async def test_after_the_last_word_nothing_more_is_asked(following: Following) -> None:
    following.bot.say(make.joined("Ended", reason="MeetingEnded", revision=2).to_json())
    await until(lambda: following.known.report and following.known.report.revision == 2)
    following.bot.lines.put_nowait(None)
    await until(lambda: f"stream {make.UID}" not in {task.get_name() for task in asyncio.all_tasks()})
    assert following.bot.connections == 1
    assert following.on_result == ["accepted"], "it was not lost"


@pytest.mark.parametrize(("status", "confirmed"), [(202, True), (503, False), (None, False)])
async def test_leave_is_confirmed_or_not(following: Following, status: int | None, *, confirmed: bool) -> None:
    line = following.line if status is not None else BotEndpoint("127.0.0.1", identity.FIRST_BOT, "token", 9)
    following.bot.leave_status = status or 202
    following.streams.request_leave(following.entry, line)
    await until(lambda: following.on_change)
    assert following.known.leave is not None
    assert following.known.leave.acknowledged is confirmed


async def test_a_request_to_leave_that_fails_for_whatever_reason_may_be_repeated(
    following: Following, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(report_streams, "_bearer", Mock(side_effect=RuntimeError("token")))
    following.streams.request_leave(following.entry, following.line)
    await until(lambda: following.known.leave)
    assert following.known.leave is not None
    assert not following.known.leave.acknowledged
    assert "token" not in caplog.text
    monkeypatch.undo()
    following.streams.request_leave(following.entry, following.line)
    await until(lambda: following.known.leave and following.known.leave.acknowledged)


@pytest.fixture
async def silent_bots(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """All bots' address takes connections and never answers; these are they."""
    found: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: found.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(report_streams, "_url", lambda _endpoint, path: f"http://127.0.0.1:{port}{path}")
    yield found
    server.close()
    for writer in found:
        writer.close()


async def request_leave(streams: BotReportStreams, entry: CacheEntry) -> None:
    """As a worker does, which must not be kept."""
    keys, unused = BotKeys(control=b"c" * 32, read=b"r" * 32), cast(Any, Mock())
    executor = Executor(unused, unused, streams, {}, keys, SystemClock(), lambda: True, unused)
    async with asyncio.timeout(CONNECT_SECONDS / 2):
        done = await executor.execute(entry, make.facts(make.session()), RequestLeave(identity.FIRST_BOT, "10.0.0.9"))
    assert done is Progress.NEXT, "another look at once would only ask again"


async def test_a_bot_that_does_not_answer_keeps_no_worker_and_is_asked_once_at_a_time(
    silent_bots: list[asyncio.StreamWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Following(ReportApi(""), 9)
    for _ in range(3):
        await request_leave(found.streams, found.entry)
    await until(lambda: silent_bots)
    await request_leave(found.streams, found.entry)
    await asyncio.sleep(0.1)
    assert len(silent_bots) == 1
    assert (found.known.leave, found.on_change) == (None, []), "it has not been silent for long"
    silent_bots[0].close()
    await until(lambda: found.on_change)
    assert found.known.leave is not None
    assert not found.known.leave.acknowledged
    monkeypatch.setattr(report_streams, "CONNECT_SECONDS", 0.1)
    await request_leave(found.streams, found.entry)
    await until(lambda: len(found.on_change) == 2)
    assert len(silent_bots) == 2
    await found.streams.close()


@pytest.mark.parametrize("lost", [True, False], ids=["the Lease", "the session"])
async def test_nothing_is_heard_of_a_request_to_leave_that_is_nobodys_any_more(
    silent_bots: list[asyncio.StreamWriter], *, lost: bool
) -> None:
    found = Following(ReportApi(""), 9)
    await request_leave(found.streams, found.entry)
    await until(lambda: silent_bots)
    if lost:
        await found.streams.close()
    else:
        found.streams.stop_all(found.entry)
    await until(lambda: f"leave {make.UID}" not in {task.get_name() for task in asyncio.all_tasks()})
    assert (found.known.leave, found.on_change) == (None, [])
    await request_leave(found.streams, found.entry)
    await until(lambda: len(silent_bots) == 2)
    await found.streams.close()


def test_a_token_is_never_printed() -> None:
    assert "token-value" not in repr(BotEndpoint("10.0.0.9", identity.FIRST_BOT, "token-value"))
