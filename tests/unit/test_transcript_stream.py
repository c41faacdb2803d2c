"""``GET /v1/transcript``: nothing is lost or doubled between the file and what follows live."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meeting_buddy.contract.assignment import TokenDigests
from meeting_buddy.contract.token import digest
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine
from meeting_buddy_bot.reporting import event_stream
from meeting_buddy_bot.reporting.server import ReportServer
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.leave import LeaveSignal
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError
from meeting_buddy_bot.transcription import stream as module
from meeting_buddy_bot.transcription import writer as writer_module
from meeting_buddy_bot.transcription.stream import Event, Subscription, TranscriptHub, transcript_stream
from meeting_buddy_bot.transcription.writer import TranscriptWriter
from tests.support.awaiting import until
from tests.support.machine_wide import free_port


def line(text: str, segment: str = "1", revision: int = 1, *, final: bool = True) -> TranscriptLine:
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    return TranscriptLine(
        segment=segment, revision=revision, final=final, start=1, end=2, at=at, language="en", text=text
    )


@dataclass
class Session:
    """A transcript that is being written."""

    hub: TranscriptHub
    writer: TranscriptWriter

    def say(self, *texts: str) -> None:
        for text in texts:
            assert self.writer.append(line(text, segment=text)) is not None

    def guess(self, text: str, segment: str = "1") -> None:
        self.hub.publish_partial(line(text, segment, final=False))


async def begin(folder: Path) -> Session:
    hub = TranscriptHub(Volume(folder))
    writer = await TranscriptWriter.open(Volume(folder), hub.publish_final)
    hub.begin(writer.lines)
    return Session(hub, writer)


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    session = await begin(tmp_path)
    yield session
    await session.writer.close(60)


def shown(event: Event | None) -> tuple[str, int | None, str]:
    assert event is not None
    return event.kind, event.number, json.loads(event.data).get("text", event.data)


async def rest(subscription: Subscription) -> list[tuple[str, int | None, str]]:
    async with asyncio.timeout(60):
        return [shown(event) async for event in subscription]


async def test_all_lines_then_what_follows(session: Session) -> None:
    session.say("a", "b")
    following = session.hub.subscribe()
    assert [shown(await following.next()) for _ in range(2)] == [("line", 1, "a"), ("line", 2, "b")]
    waiting = asyncio.create_task(following.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    session.say("c")
    assert shown(await asyncio.wait_for(waiting, 60)) == ("line", 3, "c")
    session.hub.end()
    assert await following.next() is None


@pytest.mark.parametrize("last_id", [None, 0, 1, 7, 19, 20, 999])
async def test_what_an_earlier_process_wrote_comes_from_the_file(tmp_path: Path, last_id: int | None) -> None:
    earlier = await begin(tmp_path)
    earlier.say(*(f"w{number}" for number in range(1, 21)))
    await earlier.writer.close(60)
    session = await begin(tmp_path)
    following = session.hub.subscribe(last_id)
    session.say("w21")
    session.hub.end()
    after = min(last_id or 0, 20)
    assert await rest(following) == [("line", number, f"w{number}") for number in range(after + 1, 22)]
    await session.writer.close(60)


@pytest.mark.parametrize("last_id", [0, 3, 25])
async def test_nothing_is_lost_or_doubled_while_lines_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last_id: int
) -> None:
    monkeypatch.setattr(writer_module, "_CHUNK", 300)  # about two lines at once
    earlier = await begin(tmp_path)
    earlier.say(*(f"w{number}" for number in range(1, 41)))
    await earlier.writer.close(60)
    session = await begin(tmp_path)

    async def speak() -> None:
        for number in range(41, 141):
            session.say(f"w{number}")
            session.guess("…", f"{number}")
            await asyncio.sleep(0)
            if number % 10 == 0:
                await session.writer.flush(60)
        session.hub.end()

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(rest(session.hub.subscribe(last_id)))
        group.create_task(speak())
    lines = [event for event in reading.result() if event[0] != "partial"]
    assert lines == [("line", number, f"w{number}") for number in range(last_id + 1, 141)]
    await session.writer.close(60)


async def test_the_file_is_read_when_the_hub_no_longer_keeps_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BEHIND", 5)
    session = await begin(tmp_path)
    session.say(*(f"w{number}" for number in range(1, 31)))
    await session.writer.flush(60)
    session.hub.end()
    assert await rest(session.hub.subscribe(10)) == [("line", number, f"w{number}") for number in range(11, 31)]
    await session.writer.close(60)


async def test_a_torn_line_is_no_gap(tmp_path: Path) -> None:
    earlier = await begin(tmp_path)
    earlier.say("a")
    await earlier.writer.close(60)
    with (tmp_path / TRANSCRIPT_FILE).open("a") as file:
        file.write('{"segment":')
    session = await begin(tmp_path)
    following = session.hub.subscribe()
    session.say("b")
    session.hub.end()
    assert await rest(following) == [("line", 1, "a"), ("line", 3, "b")]
    await session.writer.close(60)


async def test_who_is_slow_is_told_what_was_left_out_and_gets_it_by_coming_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BEHIND", 5)
    session = await begin(tmp_path)
    session.say("w1")
    slow = session.hub.subscribe()
    assert shown(await slow.next()) == ("line", 1, "w1")
    session.say(*(f"w{number}" for number in range(2, 13)))
    await session.writer.flush(60)
    session.hub.end()
    gap = await slow.next()
    assert gap is not None
    assert (gap.kind, gap.number, json.loads(gap.data)) == ("gap", None, {"first": 2, "last": 7})
    assert await rest(slow) == [("line", number, f"w{number}") for number in range(8, 13)]
    assert await rest(session.hub.subscribe(1)) == [("line", number, f"w{number}") for number in range(2, 13)]
    await session.writer.close(60)


async def test_what_a_volume_that_hangs_keeps_back_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BEHIND", 2)
    hub = TranscriptHub(Volume(tmp_path))
    for number in range(1, 6):  # not one of them is in the file
        hub.publish_final(number, line(f"w{number}"))
    hub.end()
    first, *others = await rest(hub.subscribe())
    assert (first[0], json.loads(first[2])) == ("gap", {"first": 1, "last": 3})
    assert others == [("line", 4, "w4"), ("line", 5, "w5")]


async def test_of_an_open_segment_only_the_newest_line_is_sent(session: Session) -> None:
    following = session.hub.subscribe()
    session.guess("So", "1")
    session.guess("Now", "2")
    session.guess("So here", "1")
    assert [shown(await following.next()) for _ in range(2)] == [("partial", None, "Now"), ("partial", None, "So here")]
    session.guess("So here we", "1")
    session.writer.append(line("So here we are.", "1b"))
    session.hub.end()
    assert await rest(following) == [("line", 1, "So here we are.")]


async def test_open_segments_are_kept_in_a_bounded_number(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_OPEN", 2)
    for segment in ("1", "2", "3"):
        session.guess(segment, segment)
    session.hub.end()
    assert [text for _, _, text in await rest(session.hub.subscribe())] == ["2", "3"]


async def test_segments_of_a_transcriber_that_is_gone_are_taken_back_from_those_who_read_them(
    session: Session,
) -> None:
    following, late = session.hub.subscribe(), session.hub.subscribe()
    session.guess("So", "1")
    session.guess("Now", "2")
    assert shown(await following.next()) == ("partial", None, "So")
    session.hub.forget_partials()
    session.hub.forget_partials()  # the next one died, too
    session.guess("Well", "3")
    session.hub.end()
    assert await rest(following) == [("partial", None, ""), ("partial", None, ""), ("partial", None, "Well")]
    assert await rest(late) == await rest(session.hub.subscribe()) == [("partial", None, "Well")]


def test_events_are_spelled_as_server_sent_events() -> None:
    assert Event("line", "{}", 7).encode() == b"id: 7\nevent: line\ndata: {}\n\n"
    assert Event("partial", "{}").encode() == b"event: partial\ndata: {}\n\n"


# --- over HTTP


TOKEN = "ab" * 32


@dataclass
class Served:
    """A transcript over HTTP, as the bot's server has it."""

    server: ReportServer
    port: int
    client: aiohttp.ClientSession

    def __call__(self, path: str = "/v1/transcript", **headers: str) -> AbstractAsyncContextManager[Any]:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    @property
    def subscribers(self) -> int:
        return self.server.subscribers.taken


@pytest.fixture
async def get(session: Session) -> AsyncIterator[Served]:
    port = free_port()
    tokens = TokenDigests(control=digest(TOKEN), read=digest(TOKEN))
    server = ReportServer(ReportState("mbsess_test", 1, SessionClock()), tokens, LeaveSignal(), port)
    server.transcript = transcript_stream(session.hub)
    await server.start()
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=aiohttp.ClientTimeout(total=60),
        connector=aiohttp.TCPConnector(limit=0),
    ) as client:
        yield Served(server, port, client)
    await server.stop()


async def block(response: aiohttp.ClientResponse) -> str:
    return (await response.content.readuntil(b"\n\n")).decode().strip()


async def test_it_follows_and_ends_with_the_session(session: Session, get: Served) -> None:
    session.say("a")
    async with get() as response:
        assert response.content_type == "text/event-stream"
        assert (await block(response)).startswith('id: 1\nevent: line\ndata: {"segment":"a"')
        session.guess("hm", "2")
        partial = await block(response)
        assert partial.startswith('event: partial\ndata: {"segment":"2"')
        assert '"final":false' in partial
        session.say("b")
        session.hub.end()
        assert (await response.content.read()).startswith(b"id: 2\nevent: line\n")
    await until(lambda: get.subscribers == 0)


async def test_it_resumes_behind_the_last_event(session: Session, get: Served) -> None:
    session.say("a", "b", "c")
    session.hub.end()
    async with get(Last_Event_ID="2") as response:
        assert (await response.content.read()).startswith(b"id: 3\n")


async def test_who_comes_before_the_file_was_counted_waits_for_it(session: Session, get: Served) -> None:
    session.say("a", "b", "c")
    lines = session.hub._volume.folder / "transcript.jsonl"
    await until(lambda: lines.exists() and lines.read_text().count("\n") == 3)
    hub = TranscriptHub(Volume(lines.parent))
    get.server.transcript = transcript_stream(hub)
    async with get(Last_Event_ID="1") as response:
        await until(lambda: get.subscribers == 1)
        hub.begin(3)
        assert (await block(response)).startswith("id: 2\n")
        hub.end()
        assert (await response.content.read()).startswith(b"id: 3\n")


@pytest.mark.parametrize("given", ["1.5", "x", "", "9" * 13, "0x1", "١", str(-1)])
async def test_an_id_that_is_no_number_is_refused(session: Session, get: Served, given: str) -> None:
    async with get(Last_Event_ID=given) as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"
    assert get.subscribers == 0


async def test_readers_are_bounded_and_leave_room_for_who_follows_the_report(session: Session, get: Served) -> None:
    async with AsyncExitStack() as streams:
        for _ in range(12):
            assert (await streams.enter_async_context(get())).status == 200
        async with get() as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        for _ in range(4):
            assert (await streams.enter_async_context(get("/v1/events"))).status == 200
        async with get("/v1/events") as refused:
            assert refused.status == 503
    await until(lambda: get.subscribers == 0)  # who hangs up frees the place
    async with get() as again:
        assert again.status == 200


async def test_silence_is_broken_by_comments_and_loses_nothing(
    session: Session, get: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
    async with get() as response:
        for _ in range(2):
            assert await block(response) == ": still here"
        session.say("a")
        session.hub.end()
        blocks = (await response.content.read()).decode().split("\n\n")
        assert [each.split("\n")[0] for each in blocks if each and not each.startswith(":")] == ["id: 1"]


async def test_a_volume_that_does_not_answer_ends_the_stream(
    session: Session, get: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        raise VolumeTimeoutError("read the transcript")

    session.hub.begin(5)
    monkeypatch.setattr(session.hub, "read", hang)
    async with get() as response:
        with pytest.raises(aiohttp.ClientPayloadError):  # no end that anybody would take for the transcript's
            await response.content.read()


async def test_who_takes_nothing_is_dropped(session: Session, get: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "_WRITE_SECONDS", 0.2)
    # A reader from which nothing more is taken fills up, and stops to read from the socket.
    reader, writer = await asyncio.open_connection("127.0.0.1", get.port, limit=1024)
    writer.write(f"GET /v1/transcript HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    await until(lambda: get.subscribers == 1)
    number, long = 0, "x" * 4000

    def dropped() -> bool:
        nonlocal number
        for _ in range(100):
            number += 1
            session.hub.publish_final(number, line(long))
        return get.subscribers == 0

    await until(dropped)
    writer.transport.abort()
