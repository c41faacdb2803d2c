"""What every bot keeps, the real one and the contract-only one: report, stream, leave, probes, outcome."""

import asyncio
import json
import time
from collections.abc import Callable

import aiohttp
import pytest

from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import MAX_CURRENT, MAX_LEFT, MAX_REPORT_BYTES, MAX_TERMINATION_BYTES, Report
from tests.conformance.running_bot import CONTROL, LINK, READ, RunningBot, make_assignment
from tests.support.awaiting import PATIENCE

Start = Callable[..., RunningBot]


def recording(report: Report) -> bool:
    return report.phase is ReportPhase.RECORDING


async def read_events(bot: RunningBot, until: Callable[[Report], bool]) -> list[tuple[float, Report]]:
    """Events of a stream with their arrival times, up to the first for which ``until`` holds or the stream's end."""
    events = []
    async with bot.http(READ) as client, client.get("/v1/events") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        async for line in response.content:
            if line.startswith(b"data: "):
                assert len(line) - len(b"data: \n") <= MAX_REPORT_BYTES
                events.append((time.monotonic(), Report.model_validate_json(line[6:])))
                if until(events[-1][1]):
                    break
    return events


async def test_a_session_is_told_from_joining_to_its_end(start: Start) -> None:
    bot = start("wait 10s; join; record 2s; end MeetingEnded")  # so that the stream is there before it joins
    await bot.until(lambda report: report.phase is ReportPhase.JOINING)
    events = await read_events(bot, lambda report: False)
    phases = [report.phase for _, report in events]
    assert phases == sorted(phases, key=list(ReportPhase).index)
    assert phases[0] is ReportPhase.JOINING
    assert phases[-1] is ReportPhase.ENDED
    last = events[-1][1]
    assert (last.reason, last.ever_joined, last.recording.verified) == (Reason.MEETING_ENDED, True, True)
    assert last.joined_at is not None
    assert last.left_at is not None
    assert last.joined_at <= last.left_at
    assert await bot.ended() == 0


async def test_a_report_names_its_session_and_its_table(start: Start) -> None:
    bot = start("join", attempt=3)
    report = await bot.until(lambda report: report.ever_joined)
    assert (report.contract, report.attempt) == (1, 3)
    assert report.session_id == make_assignment().session_id
    assert report.table_hash
    assert report.phase is ReportPhase.ACTIVE


async def test_events_come_at_most_once_a_second_with_rising_revisions(start: Start) -> None:
    bot = start("wait 3s; lobby 0.2s; join 0.2s; people Ann; people Ann, Bo; record 3s; end MeetingEnded")
    await bot.until(lambda report: True)
    asked = time.monotonic()
    events = await read_events(bot, lambda report: False)
    # Of the times at which they arrive: one that is read late says nothing of when it was sent, but none comes early.
    arrived = [at - asked for at, _ in events]
    assert [(number, at) for number, at in enumerate(arrived) if at < 0.9 * number] == []
    revisions = [report.revision for _, report in events]
    assert len(revisions) > 2
    assert revisions == sorted(set(revisions))


async def test_a_subscriber_hears_of_the_end_although_the_bot_ends(start: Start) -> None:
    bot = start("join 10s; end EveryoneLeft")  # so that the stream is there before
    await bot.until(lambda report: True)
    events = await read_events(bot, lambda report: False)
    assert events[-1][1].phase is ReportPhase.ENDED


async def test_leave_ends_the_session_with_its_own_reason(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    assert await bot.leave() == 202
    assert await bot.ended() == 0
    assert bot.outcome.reason is Reason.LEAVE_REQUESTED
    assert bot.outcome.recording.verified


async def test_leave_works_before_the_bot_is_in_the_meeting(start: Start) -> None:
    bot = start("lobby 60s; join")
    await bot.until(lambda report: report.waiting is not None)
    assert await bot.leave() == 202
    assert await bot.ended() == 0
    assert (bot.outcome.reason, bot.outcome.ever_joined) == (Reason.LEAVE_REQUESTED, False)


async def test_leave_twice_is_the_same_as_once(start: Start) -> None:
    bot = start("join; people Ann", metadata={"leaving": "10s"})  # so that both find it there
    await bot.until(lambda report: report.ever_joined)
    first, second = await asyncio.gather(bot.leave(), bot.leave())
    assert (first, second) == (202, 202)
    await bot.ended()
    assert bot.outcome.reason is Reason.LEAVE_REQUESTED


async def test_sigterm_without_a_leave_is_an_eviction_and_the_files_are_closed(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    bot.terminate()
    assert await bot.ended() == 0
    assert bot.outcome.reason is Reason.EVICTED
    assert bot.outcome.recording.verified


async def test_sigterm_after_a_leave_keeps_the_leave(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    await bot.leave()
    bot.terminate()
    await bot.ended()
    assert bot.outcome.reason is Reason.LEAVE_REQUESTED


async def test_readiness_is_being_in_the_meeting(start: Start) -> None:
    bot = start("wait 10s; join; record")
    await bot.until(lambda report: report.phase is ReportPhase.JOINING)
    async with bot.http(None) as client:
        async with client.get("/readyz") as before:
            assert before.status == 503
        await bot.until(lambda report: report.ever_joined)
        async with client.get("/readyz") as after:
            assert after.status == 200
        async with client.get("/livez") as alive:
            assert alive.status == 200
        async with client.get("/healthz") as healthy:
            assert healthy.status in (200, 503)


ACCESS = [
    ("GET", "/v1/report", None, 401),
    ("GET", "/v1/report", "0" * 64, 401),
    ("GET", "/v1/events", None, 401),
    ("POST", "/v1/leave", None, 401),
    ("POST", "/v1/leave", READ, 403),
    ("GET", "/v1/report", READ, 200),
    ("GET", "/v1/report", CONTROL, 200),
    ("GET", "/v1/leave", CONTROL, 405),
    ("POST", "/v1/report", CONTROL, 405),
    ("GET", "/v1/nothing", CONTROL, 404),
    ("GET", "/", CONTROL, 404),
]


async def test_who_may_do_what(start: Start) -> None:
    bot = start("join")
    await bot.until(lambda report: report.ever_joined)
    for method, path, token, status in ACCESS:
        async with bot.http(token) as client, client.request(method, path) as response:
            assert response.status == status, (method, path)
            if status >= 400:
                assert response.headers["Content-Type"].startswith("application/problem+json"), (method, path)
                assert (await response.json(content_type=None))["status"] == status, (method, path)
    assert (await bot.report()).phase is ReportPhase.ACTIVE


async def test_sixteen_subscribers_and_no_more(start: Start) -> None:
    bot = start("join")
    await bot.until(lambda report: report.ever_joined)
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{bot.port}",
        headers={"Authorization": f"Bearer {READ}"},
        connector=aiohttp.TCPConnector(limit=0),
    ) as client:
        streams = [await client.get("/v1/events") for _ in range(16)]
        assert {stream.status for stream in streams} == {200}
        async with client.get("/v1/events") as one_more:
            assert one_more.status == 503
            assert one_more.headers["Content-Type"].startswith("application/problem+json")
        streams[0].close()
        async with asyncio.timeout(PATIENCE):
            while True:
                async with client.get("/v1/events") as again:
                    if again.status == 200:
                        break
                await asyncio.sleep(0.05)


async def test_a_long_report_fits_its_limits_and_the_session_file_is_whole(start: Start) -> None:
    names = ", ".join(f"Participant number {number} {'with a very long name ' * 4}" for number in range(300))
    bot = start(f"join; people {names}")
    await bot.until(lambda report: report.people.seen == 300)
    async with bot.http(READ) as client, client.get("/v1/report") as response:
        content = await response.read()
        assert len(content) <= MAX_REPORT_BYTES
        people = Report.model_validate_json(content).people
        assert 20 < len(people.current) < MAX_CURRENT
        assert people.current[0].joined_at is not None
        assert people.present == people.seen == 300
    await bot.leave()
    assert await bot.ended() == 0
    assert len(bot.termination_message.encode()) <= MAX_TERMINATION_BYTES
    people = bot.outcome.people
    assert (people.current, people.present, people.seen) == ((), 0, 300)
    assert 0 < len(people.left) < MAX_LEFT
    assert len(bot.session["people"]["left"]) == MAX_LEFT


async def test_the_users_metadata_is_in_the_session_file(start: Start) -> None:
    bot = start("join 0.2s; end MeetingEnded", metadata={"project": "apollo"})
    assert await bot.ended() == 0
    assert bot.session["metadata"]["project"] == "apollo"
    assert bot.session["reason"] == "MeetingEnded"


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("https://meet.buddy.test:8443/nothing", Reason.LINK_INVALID),
        ("http://meet.buddy.test:8443/rooms/weekly", Reason.LINK_INVALID),
        ("https://elsewhere.test/rooms/weekly", Reason.HOST_NOT_ALLOWED),
        (None, Reason.CONFIG_INVALID),  # and no file with the link
    ],
)
async def test_a_link_that_no_bot_may_open_ends_it_at_once(start: Start, link: str | None, reason: Reason) -> None:
    bot = start(link=link)
    assert await bot.ended() == 0
    assert (bot.outcome.phase, bot.outcome.reason, bot.outcome.ever_joined) == (ReportPhase.ENDED, reason, False)


@pytest.mark.parametrize("assignment", ["", "{}", "not json", json.dumps({"link": LINK})])
async def test_an_assignment_that_cannot_be_read_ends_it_at_once(start: Start, assignment: str) -> None:
    bot = start(assignment=assignment)
    assert await bot.ended() == 0
    assert bot.outcome.reason is Reason.CONFIG_INVALID


async def test_another_assignment_than_the_pods_is_refused(start: Start) -> None:
    bot = start(digest="0" * 64)
    assert await bot.ended() == 0
    assert (bot.outcome.reason, bot.outcome.ever_joined) == (Reason.CONFIG_INVALID, False)


async def test_neither_link_nor_token_is_in_anything_it_writes(start: Start) -> None:
    bot = start("join 0.5s; record 1s; end MeetingEnded", debug_mode=True)
    await bot.ended()
    assert bot.outcome.ever_joined
    written = bot.log + bot.termination_message
    written += "".join(path.read_text() for path in bot.recordings.glob("*.json*"))
    for secret in (LINK, "passphrase-abc123", CONTROL, READ):
        assert secret not in written
