"""The transcript over the HTTP API: a real API server with real RBAC, and the bot's own server as the bot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest

from meeting_buddy.contract.assignment import TokenDigests
from meeting_buddy.contract.token import Scope, derive, digest
from meeting_buddy.contract.transcript import TranscriptLine
from meeting_buddy.http_api.bots import Bots
from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.kube.errors import KubeError
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.stream import TranscriptHub, transcript_stream
from meeting_buddy_bot.transcription.writer import TranscriptWriter
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import (
    INVENTED,
    Door,
    Tenant,
    events,
    grant,
    make_tenant,
    may_do,
    named,
    served,
    set_status,
    withdraw,
)
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import until, wait_until
from tests.support.machine_wide import free_port

KEY = bytes(range(32))  # with blanks and a line feed: it is no text
ATTEMPT = 1


def line(text: str, segment: str, *, final: bool = True) -> TranscriptLine:
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    return TranscriptLine(segment=segment, revision=1, final=final, start=1, end=2, at=at, language="en", text=text)


def make_listener(server: ApiServer) -> Tenant:
    """A tenant who may hear, too, as the chart's role has it."""
    tenant = make_tenant(server)
    virtual = ["meetingsessions/recordings", "meetingsessions/transcript"]
    grant(server, tenant.namespace, "listener", virtual, ["get"])
    wait_until(lambda: may_do(server, tenant, "get", "transcript"), "the tenant's rights are known", 60)
    return tenant


@pytest.fixture(scope="module")
def mine(crd: ApiServer) -> Tenant:
    return make_listener(crd)


@dataclass
class Place:
    """The API, and where it looks for bots."""

    door: Door
    server: ApiServer
    folder: Path
    bot_port: int = field(default_factory=free_port)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def key(self) -> Path:
        return self.folder / "read"

    async def session(self, tenant: Tenant, *, address: str | None = "127.0.0.1", **body: Any) -> Session:
        """A session that is being recorded, as the operator shows it."""
        made = await self.door.create(tenant, **body)
        stored = await asyncio.to_thread(named, self.server, tenant, made)
        found = Session(self, tenant, made["session_id"], stored["metadata"]["name"], stored["metadata"]["uid"])
        if address is not None:
            await found.set(phase="Recording", attempt=ATTEMPT, botAddress=address)
        return found


@dataclass
class Session:
    """A session, and what is asked of it."""

    place: Place
    tenant: Tenant
    session_id: str
    name: str
    uid: str

    @property
    def path(self) -> str:
        return f"{SESSIONS}/{self.session_id}/transcript"

    async def set(self, **status: Any) -> None:
        await asyncio.to_thread(set_status, self.place.server, self.tenant, self.name, **status)

    async def ask(self, token: str | None = None, **headers: str) -> Any:
        return await self.place.door("GET", self.path, token or self.tenant.token, headers=headers)

    async def end(self, bot: Bot) -> None:
        """The bot has said all, and a little later the operator shows that the session is over."""
        bot.hub.end()
        await self.set(phase="Completed", reason="MeetingEnded")

    async def ask_to_the_end(self, bot: Bot) -> Any:
        """The answer to who listens until bot and session end."""
        asking = asyncio.create_task(self.ask())
        await until(lambda: bot.server.subscribers.taken == 1)
        await self.end(bot)
        return await asking

    @asynccontextmanager
    async def hear(self, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
        door, bearer = self.place.door, {"Authorization": f"Bearer {self.tenant.token}"}
        async with asyncio.timeout(120), door.client.get(door.url + self.path, headers=bearer | headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            yield answer

    @asynccontextmanager
    async def bot(self, key: bytes = KEY, *, transcribes: bool = True, attempt: int = ATTEMPT) -> AsyncIterator[Bot]:
        """Its bot's server."""
        volume = Volume(self.place.folder)
        hub = TranscriptHub(volume)
        writer = await TranscriptWriter.open(volume, hub.publish_final)
        hub.begin(writer.lines)
        tokens = TokenDigests(control=digest("nobody's"), read=digest(derive(key, self.uid, attempt, Scope.READ)))
        state = ReportState(self.session_id, attempt, SessionClock())
        server = ReportServer(state, tokens, LeaveSignal(), self.place.bot_port)
        server.transcript = transcript_stream(hub) if transcribes else None
        await server.start()
        try:
            yield Bot(hub, writer, server)
        finally:
            await server.stop()
            await writer.close(5)


@dataclass
class Bot:
    """A bot that transcribes."""

    hub: TranscriptHub
    writer: TranscriptWriter
    server: ReportServer

    def say(self, *texts: str) -> None:
        for text in texts:
            assert self.writer.append(line(text, segment=text[:20])) is not None


@pytest.fixture
async def place(crd: ApiServer, tmp_path: Path) -> AsyncIterator[Place]:
    port, metrics = free_port(), Metrics()
    bots = Bots(tmp_path / "read", port, partial(metrics.upstream, "bot"))
    async with served(crd, bots, metrics=metrics) as door:
        found = Place(door, crd, tmp_path, port, metrics)
        found.key.write_bytes(KEY)
        yield found


async def spoken(coming: AsyncIterator[tuple[str, str, Any]]) -> tuple[str, str, str]:
    """The next event that is no comment: name, id, text."""
    async for name, number, data in coming:
        if name != "comment":
            return name, number, data.get("text", "")
    raise AssertionError("the stream is over")


async def rest(coming: AsyncIterator[tuple[str, str, Any]]) -> list[Any]:
    return [(name, data) async for name, _, data in coming]


async def test_a_transcript_is_followed_resumed_and_ends(place: Place, mine: Tenant) -> None:
    session = await place.session(mine)
    async with session.bot() as bot:
        bot.say("a", "b")
        async with session.hear() as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            coming = events(answer)
            assert [await spoken(coming) for _ in range(2)] == [("line", "1", "a"), ("line", "2", "b")]
            assert (await anext(coming))[0] == "comment"
            bot.hub.publish_partial(line("hm", "c", final=False))
            assert await spoken(coming) == ("partial", "", "hm")
            bot.say("c")
            assert await spoken(coming) == ("line", "3", "c")
        await until(lambda: bot.server.subscribers.taken == 0)
        headers = {"Last-Event-ID": "2"}
        async with session.hear(**headers) as answer:
            coming = events(answer)
            assert await spoken(coming) == ("line", "3", "c")
            await session.end(bot)
            assert [each for each in await rest(coming) if each[0] != "comment"] == [("end", {})]
    await until(lambda: place.door.streams._open.total() == 0)
    page = place.metrics.page().decode()
    assert 'meetingbuddy_http_stream_ends_total{operation="followTranscript",reason="end"} 1.0' in page
    assert 'meetingbuddy_http_streams{operation="followTranscript"} 0.0' in page
    assert 'upstream_seconds_count{code="200",upstream="bot",verb="GET"} 2.0' in page
    assert 'upstream_seconds_count{code="200",upstream="kubernetes",verb="GET"}' in page


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_events_are_passed_on_as_the_bot_sent_them(place: Place, mine: Tenant, address: str) -> None:
    session = await place.session(mine, address=address)
    async with session.bot() as bot:
        bot.say("Zoë said: 你好")
        answer = await session.ask_to_the_end(bot)
        url = f"http://127.0.0.1:{place.bot_port}/v1/transcript"
        token = derive(KEY, session.uid, ATTEMPT, Scope.READ)
        async with place.door.client.get(url, headers={"Authorization": f"Bearer {token}"}) as direct:
            sent = await direct.text()
    assert "你好" in sent
    told = "".join(f"{each}\n\n" for each in answer.text.split("\n\n") if each not in ("", ":"))
    assert told == f"retry: 1000\n\n{sent}event: end\ndata: {{}}\n\n"


async def test_reading_a_session_is_not_hearing_it(place: Place, crd: ApiServer) -> None:
    reader = await asyncio.to_thread(make_tenant, crd)
    session = await place.session(reader)
    async with session.bot() as bot:
        bot.say("secret")
        answer = await session.ask()
        problem = answer.problem(403, "forbidden")
        virtual = "meetingsessions/transcript"
        assert problem["detail"] == f"your token may not get {virtual} in namespace {reader.namespace}"
        assert "meeting-buddy-listener" in problem["remedy"]
        (await session.ask(INVENTED)).problem(401, "unauthorized")
        assert bot.server.subscribers.taken == 0
    assert place.door.streams._open.total() == 0


@pytest.mark.parametrize("given", ["-1", "x", "1 2", "9" * 13, ""])
async def test_an_odd_place_to_resume_at_is_refused(place: Place, mine: Tenant, given: str) -> None:
    session = await place.session(mine)
    headers = {"Last-Event-ID": given}
    assert (await session.ask(**headers)).problem(400, "bad-request")["field"] == "Last-Event-ID"


@pytest.mark.parametrize("what", ["listener", "caller"])
async def test_a_right_that_is_withdrawn_ends_the_stream(
    place: Place, crd: ApiServer, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.media_access.RECHECK_SECONDS", 0.5)
    tenant = await asyncio.to_thread(make_listener, crd)
    session = await place.session(tenant)
    async with session.bot() as bot, session.hear() as answer:
        bot.say("a")
        coming = events(answer)
        assert (await spoken(coming))[2] == "a"
        await asyncio.sleep(1.5)  # judged again meanwhile, and nothing is lost
        bot.say("b")
        assert (await spoken(coming))[2] == "b"
        await asyncio.to_thread(withdraw, crd, tenant, what)
        name, problem = [each for each in await rest(coming) if each[0] != "comment"][-1]
        assert (name, problem["type"]) == ("problem", "urn:meeting-buddy:problem:forbidden")
        await until(lambda: bot.server.subscribers.taken == 0)


async def test_a_session_that_is_deleted_ends_the_stream(
    place: Place, mine: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.media_access.RECHECK_SECONDS", 0.5)
    session = await place.session(mine)
    async with session.bot(), session.hear() as answer:
        await place.door("DELETE", session.path.removesuffix("/transcript"), mine.token)
        assert [each for each in await rest(events(answer)) if each[0] != "comment"] == [("end", {})]


async def test_a_bot_that_goes_away_ends_the_stream_without_end(place: Place, mine: Tenant) -> None:
    session = await place.session(mine)
    async with session.bot() as bot:
        bot.say("a")
        async with session.hear() as answer:
            coming = events(answer)
            assert await spoken(coming) == ("line", "1", "a")
            await bot.server.stop()
            told = await rest(coming)
            assert {name for name, _ in told} == {"comment"}
            assert "come again" in told[-1][1]
    (await session.ask()).problem(503, "bot-unavailable")
    async with session.bot() as bot:  # who comes again gets what follows
        bot.say("b")
        headers = {"Last-Event-ID": "1"}
        async with session.hear(**headers) as answer:
            assert await spoken(events(answer)) == ("line", "2", "b")


async def test_what_the_next_attempt_says_follows_the_last_line_of_the_one_before(place: Place, mine: Tenant) -> None:
    session = await place.session(mine)
    async with session.bot() as bot, session.hear() as answer:
        bot.say("a")
        coming = events(answer)
        assert await spoken(coming) == ("line", "1", "a")
        bot.hub.end()
        for _ in range(3):
            assert (await anext(coming))[0] == "comment"  # it is not known yet what follows
        await session.set(phase="Initializing", attempt=ATTEMPT + 1, botAddress=None)
        told = await rest(coming)
        assert {name for name, _ in told} == {"comment"}
        assert "come again" in told[-1][1]
    (await session.ask()).problem(409, "not-yet")
    await session.set(phase="Recording", botAddress="127.0.0.1")
    headers = {"Last-Event-ID": "1"}
    async with session.bot(attempt=ATTEMPT + 1) as bot, session.hear(**headers) as answer:
        bot.say("b")
        coming = events(answer)
        assert await spoken(coming) == ("line", "2", "b")
        await session.end(bot)
        assert [each for each in await rest(coming) if each[0] != "comment"] == [("end", {})]


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Leaving", "reason": "BotCrashed"},
        {"phase": "Failed", "reason": "BotCrashed", "finisherPod": "f"},
        {"phase": "Leaving"},
    ],
    ids=["it works", "it has worked", "it takes long"],
)
async def test_what_a_finisher_adds_is_for_who_comes_again(
    place: Place, mine: Tenant, monkeypatch: pytest.MonkeyPatch, status: dict[str, str]
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.media_access.ENDING_SECONDS", 60 if "reason" in status else 1)
    session = await place.session(mine)
    async with session.bot() as bot, session.hear() as answer:
        await session.set(**status)
        bot.hub.end()
        told = await rest(events(answer))
        assert {name for name, _ in told} == {"comment"}
        assert "come again" in told[-1][1]
    await until(lambda: place.door.streams._open.total() == 0)


@pytest.mark.parametrize("what", ["deleted", "right withdrawn", "API server away"])
async def test_who_waits_for_the_end_is_told_what_becomes_of_it(
    place: Place, crd: ApiServer, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    tenant = await asyncio.to_thread(make_listener, crd)
    session = await place.session(tenant)
    async with session.bot() as bot, session.hear() as answer:
        bot.hub.end()
        await until(lambda: bot.server.subscribers.taken == 0)
        if what == "deleted":
            await place.door("DELETE", session.path.removesuffix("/transcript"), tenant.token)
        elif what == "right withdrawn":
            await asyncio.to_thread(withdraw, crd, tenant, "caller")
        else:
            again, away = Finder.again, iter(range(2))

            async def away_at_first(*arguments: Any) -> Any:
                if next(away, None) is not None:
                    raise KubeError("MeetingSession", tenant.namespace, session.name, 503, "", "it restarts")
                return await again(*arguments)

            monkeypatch.setattr(Finder, "again", away_at_first)
            await session.set(phase="Completed", reason="MeetingEnded")
        expected = "problem" if what == "right withdrawn" else "end"
        assert [name for name, _ in await rest(events(answer)) if name != "comment"] == [expected]


async def test_all_who_listen_share_one_stream_of_the_bot(place: Place, mine: Tenant) -> None:
    session = await place.session(mine)
    early, late = 40, 20
    place.door.streams.per_user = early + late
    async with session.bot() as bot, AsyncExitStack() as stack:
        bot.say("a", "b")
        answers = [await stack.enter_async_context(session.hear()) for _ in range(early)]
        heard = [events(each) for each in answers]
        for each in heard:
            assert [await spoken(each) for _ in range(2)] == [("line", "1", "a"), ("line", "2", "b")]
        bot.say("c")
        bot.hub.publish_partial(line("hm", "d", final=False))
        headers = {"Last-Event-ID": "1"}
        later = [await stack.enter_async_context(session.hear(**headers)) for _ in range(late)]
        heard_later = [events(each) for each in later]
        for each in heard_later:
            assert await spoken(each) == ("line", "2", "b")
        for each in heard + heard_later:
            assert await spoken(each) == ("line", "3", "c")
            assert await spoken(each) == ("partial", "", "hm")
        assert bot.server.subscribers.taken == 1
        for answer in answers:  # who began goes, and the others hear on
            answer.close()
        bot.say("d")
        for each in heard_later:
            assert await spoken(each) == ("line", "4", "d")
        await session.end(bot)
        for each in heard_later:
            assert [one for one in await rest(each) if one[0] != "comment"] == [("end", {})]
        await until(lambda: bot.server.subscribers.taken == 0)
    await until(lambda: place.door.streams._open.total() == 0)


async def test_a_transcript_of_many_hours_breaks_off_and_goes_on_for_who_comes_again(
    place: Place, mine: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.transcripts.LINES_BEFORE", 1)
    monkeypatch.setattr("meeting_buddy.http_api.transcripts.MAX_BYTES", 5000)
    session, texts = await place.session(mine), [f"line {number}" for number in range(1, 101)]
    async with session.bot() as bot:
        bot.say(*texts)
        seen: list[str] = []
        while len(seen) < len(texts):
            before = len(seen)
            headers = {"Last-Event-ID": str(before)} if before else {}
            async with session.hear(**headers) as answer:
                async for name, _, data in events(answer):
                    assert name in ("comment", "line")
                    seen += [data["text"]] if name == "line" else []
                    if len(seen) == len(texts):
                        break
            assert len(seen) > before, "each stream gets further"
    assert seen == texts


async def test_who_reads_slowly_misses_nothing_and_keeps_nobody_waiting(place: Place, mine: Tenant) -> None:
    session = await place.session(mine)
    texts = [f"{number} " + "x" * 3000 for number in range(1, 1501)]  # more than the bot keeps for a slow subscriber
    async with session.bot() as bot, session.hear() as slow, session.hear() as quick:
        coming = events(quick)
        for text in texts:
            bot.say(text)
            assert (await spoken(coming))[2] == text
        await session.end(bot)
        assert [(name, data.get("text")) for name, data in await rest(events(slow)) if name != "comment"] == [
            *(("line", text) for text in texts),
            ("end", None),
        ]


@pytest.mark.parametrize(
    "sent",
    [
        b"event: line\ndata: {}\n\n",
        b'id: x\nevent: line\ndata: {"segment": "1"}\n\n',
        b"id: 1\nevent: line\ndata: []\n\n",
        b'event: gap\ndata: {"first": 1, "last": 2}\n\n',
        b'id: 2\nevent: line\ndata: {"segment": "1"}\n\nid: 2\nevent: line\ndata: {"segment": "2"}\n\n',
    ],
    ids=["no number", "odd number", "no line", "gap", "twice"],
)
async def test_lines_that_are_not_as_they_should_be_end_the_stream_for_now(
    place: Place, mine: Tenant, sent: bytes
) -> None:
    session = await place.session(mine)
    server = await scripted(STREAM + sent, place.bot_port)
    try:
        async with session.hear() as stream:
            told = await rest(events(stream))
            assert {name for name, _ in told} <= {"comment", "line"}
            assert "come again" in told[-1][1]
    finally:
        server.close()


async def test_what_is_no_http_in_mid_stream_ends_it_for_all(
    place: Place, mine: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.upstream.SILENT_SECONDS", 3)
    session = await place.session(mine)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    wrong = asyncio.Event()
    server = await scripted(head + b"1\r\n:\r\n", place.bot_port, wrong, b"zz\r\n")
    try:
        async with session.hear() as first, session.hear() as second:
            wrong.set()
            for stream in (first, second):
                assert "come again" in (await rest(events(stream)))[-1][1]
    finally:
        server.close()


async def test_a_text_that_nothing_became_of_is_not_told_for_ever(
    place: Place, mine: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await place.session(mine)
    async with session.bot() as bot, session.hear() as first:
        bot.hub.publish_partial(line("hm", "1", final=False))
        assert await spoken(events(first)) == ("partial", "", "hm")
        async with session.hear() as second:
            assert await spoken(events(second)) == ("partial", "", "hm")
        monkeypatch.setattr("meeting_buddy.http_api.transcripts.PARTIAL_SECONDS", 0)
        async with session.hear() as late:
            bot.say("later")
            assert await spoken(events(late)) == ("line", "1", "later")


async def test_no_room_for_lines_is_no_fault_of_the_caller(
    place: Place, mine: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await place.session(mine)
    async with session.bot() as bot:
        with monkeypatch.context() as patch:
            patch.setattr("tempfile.TemporaryFile", Mock(side_effect=OSError(28, "No space left on device")))
            answer = await session.ask()
            answer.problem(503, "bot-unavailable")
            assert answer.headers["Retry-After"] == "5"
        monkeypatch.setattr("meeting_buddy.http_api.transcripts.MAX_IN_ALL", 400)
        async with session.hear() as stream:
            bot.say("a", "b", "c")
            told = await rest(events(stream))
            assert [each for each, _ in told if each != "comment"] == ["line"]
            assert "come again" in told[-1][1]
    await until(lambda: place.door.streams._open.total() == 0)


async def test_what_a_newer_bot_says_is_left_out(place: Place, mine: Tenant) -> None:
    session = await place.session(mine)
    line_event = b'id: 1\nevent: line\ndata: {"segment": "1", "text": "a"}\n\n'
    server = await scripted(STREAM + b"event: mood\ndata: gloomy\n\n" + line_event, place.bot_port)
    try:
        async with session.hear() as stream:
            assert await spoken(events(stream)) == ("line", "1", "a")
    finally:
        server.close()


async def test_a_session_without_a_transcript_says_so(place: Place, mine: Tenant) -> None:
    off = await place.session(mine, transcription_enabled=False)
    (await off.ask()).problem(409, "no-transcript")
    early = await place.session(mine, address=None)
    assert (await early.ask()).problem(409, "not-yet")
    start = (datetime.now(UTC) + timedelta(days=7)).replace(microsecond=0)
    planned = await (await place.session(mine, address=None, start_time=start.isoformat())).ask()
    assert f"{start:%Y-%m-%dT%H:%M:%SZ}" in planned.problem(409, "not-yet")["detail"]
    assert planned.headers["Retry-After"] == "60"
    session = await place.session(mine)
    async with session.bot(transcribes=False):
        (await session.ask()).problem(409, "no-transcript")
        await session.set(phase="Joining")
        answer = await session.ask()
        answer.problem(409, "not-yet")
        assert answer.headers["Retry-After"] == "5"
        await session.set(phase="Leaving", reason="BotCrashed")
        assert "being finished" in (await session.ask()).problem(409, "not-yet")["detail"]


async def test_without_a_key_or_with_another_one_nothing_is_heard(
    place: Place, mine: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = await place.session(mine)
    key = b"k" * 32
    async with session.bot(key) as bot:
        answers = [await session.ask()]
        assert "another one" in answers[0].problem(503, "bot-unavailable")["detail"]
        for content in (None, b""):
            place.key.unlink()
            if content is not None:
                place.key.write_bytes(content)
            answers.append(await session.ask())
            assert "operator has not made its key" in answers[-1].problem(503, "bot-unavailable")["remedy"]
            assert answers[-1].headers["Retry-After"] == "5"
            place.key.write_bytes(KEY)
        place.key.write_bytes(key)  # rotated: taken at once
        bot.say("a")
        answers.append(await session.ask_to_the_end(bot))
        assert answers[-1].status == 200
    tokens = [derive(each, session.uid, ATTEMPT, Scope.READ) for each in (KEY, key)]
    for secret in (*tokens, mine.token):
        assert secret not in caplog.text
        assert not any(secret in each.text for each in answers)
        assert secret not in place.metrics.page().decode()


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104
        "bot.example.org",
        "127.0.0.1:1",
        "::1%1/x",
        "::ffff:169.254.169.254",
        "255.255.255.255",
    ],
)
async def test_only_the_address_of_a_pod_is_called(place: Place, mine: Tenant, address: str) -> None:
    session = await place.session(mine, address=address)
    (await session.ask()).problem(502, "upstream-error")


async def test_streams_are_told_that_the_process_ends_and_share_their_places(place: Place, mine: Tenant) -> None:
    place.door.streams.per_user = 1
    session = await place.session(mine)
    async with session.bot() as bot, session.hear() as answer:
        bot.say("a")
        coming = events(answer)
        await spoken(coming)
        (await session.ask()).problem(429, "too-many-requests")
        events_path = session.path.replace("/transcript", "/events")
        (await place.door("GET", events_path, mine.token)).problem(429, "too-many-requests")
        place.door.ending.set()
        told = await rest(coming)
        assert {name for name, _ in told} == {"comment"}
        assert "come again" in told[-1][1]
        await until(lambda: bot.server.subscribers.taken == 0)


async def scripted(sent: bytes, port: int, more: asyncio.Event | None = None, following: bytes = b"") -> asyncio.Server:
    """A bot that sends these bytes to everybody, and what follows once ``more`` is set; then nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            await writer.drain()
            if more is not None:
                await more.wait()
                writer.write(following)
            await reader.read()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (STREAM + b"data: " + b"x" * (1 << 20), True),
        (STREAM.replace(b"\r\n\r\n", b"\r\nContent-Length: 7\r\n\r\ndata: x"), True),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx", False),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", False),
        (b"nonsense\r\n\r\n", False),
    ],
    ids=["event without end", "torn event", "redirect", "no event stream", "full", "no HTTP"],
)
async def test_a_bot_that_misbehaves_is_left(place: Place, mine: Tenant, sent: bytes, begins: bool) -> None:
    session = await place.session(mine)
    server = await scripted(sent, place.bot_port)
    try:
        if begins:
            async with session.hear() as stream:
                assert {name for name, _ in await rest(events(stream))} == {"comment"}
        else:
            answer = await session.ask()
            answer.problem(503, "bot-unavailable")
            assert answer.headers["Retry-After"] == ("7" if b"Busy" in sent else "5")
    finally:
        server.close()
