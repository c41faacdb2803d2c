"""The bot in a real meeting of software that others wrote: LiveKit's server and LiveKit's own React components."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import PersonReport
from meeting_buddy_bot.platforms.people import ABSENT_SECONDS, SETTLING_SECONDS
from tests.bot.attending import Attending
from tests.bot.container import BrowserContainer
from tests.local.meetings.livekit import LocalMeeting, Person, Room
from tests.support.platform_tables import platform_table

TABLE = platform_table("livekit")
BOT = "Meeting Buddy"
TALKERS = (Person("Grace Hopper"), Person("Alan Turing"))
SEEN = (Person("Ada Lovelace", video=True), Person("Grace Hopper"))


def names(people: Iterable[PersonReport]) -> list[str]:
    return [person.name for person in people]


@pytest.fixture
def room(meeting: LocalMeeting, request: pytest.FixtureRequest) -> Room:
    """A room of this test's own."""
    return meeting.room(f"bot-{request.node.name.replace('_', '-')[:40].strip('-')}-{os.getpid()}")


@pytest.fixture(scope="module")
def container(
    meeting: LocalMeeting,
    make_container: Callable[..., AbstractContextManager[BrowserContainer]],
) -> Iterator[BrowserContainer]:
    with make_container(meeting_authority=meeting.paths.authority) as running:
        yield running


def attending(container: BrowserContainer, room: Room, folder: Path, **more: object) -> Attending:
    return Attending(container.url, folder, room.link, TABLE, **more)  # type: ignore[arg-type]


async def test_joins_an_empty_room_under_its_name_and_leaves_politely(
    container: BrowserContainer, room: Room, tmp_path: Path
) -> None:
    async with attending(container, room, tmp_path) as bot:
        report = await bot.until_recording()
        assert report.ever_joined
        assert report.waiting is None
        assert report.people.current == ()
        assert [person.name for person in room.participants()] == [BOT]
        bot.leave.request(Reason.LEAVE_REQUESTED)
        assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED
        # Politely: nobody sees a ghost, which stays for 20 s after a browser that was merely closed.
        await asyncio.to_thread(room.wait_until_gone, BOT, 10)
        assert [name for name, _ in bot.recorder.entries] == ["start", "stop"]
        assert bot.report.left_at is not None
    assert container.chromium() == []


async def test_knows_who_is_there_and_when_they_speak(container: BrowserContainer, room: Room, tmp_path: Path) -> None:
    with room.people(TALKERS) as people:
        async with attending(container, room, tmp_path) as bot:
            report = await bot.until(lambda each: len(each.people.current) == 2)
            assert sorted(names(report.people.current)) == ["Alan Turing", "Grace Hopper"]

            async def received() -> tuple[bool | None, str]:
                audio = [line for line in await bot.events("media_received") if line["kind"] == "audio"]
                return audio[-1]["received"], audio[-1]["reason"]

            silent = (False, "SilentWhileSpeaking")
            async with asyncio.timeout(120):  # they take turns, and an interval is written when it is over
                while not (await bot.events("speaking") and await received() == silent):  # noqa: ASYNC110 -- a file
                    await asyncio.sleep(0.2)
            bot.leave.request(Reason.LEAVE_REQUESTED)
            await bot.ending()
            spoken = {said.turn.person for said in people.said()}
            heard = {line["name"] for line in await bot.events("speaking")}
            assert heard
            assert heard <= spoken
            # A word that one reading alone saw has no length.
            assert all(0 <= line["end"] - line["start"] < 30 for line in await bot.events("speaking"))
            # The page plays them, and here nothing listens to what it plays.
            assert await received() == silent


async def test_leaves_when_everyone_has_left(container: BrowserContainer, room: Room, tmp_path: Path) -> None:
    with room.people(TALKERS) as people:
        async with attending(container, room, tmp_path, limits=Limits(everyone_left_seconds=3)) as bot:
            await bot.until(lambda each: len(each.people.current) == 2)
            people.leave("Alan Turing")
            report = await bot.until(lambda each: names(each.people.current) == ["Grace Hopper"])
            assert names(report.people.left) == ["Alan Turing"]
            people.leave("Grace Hopper")
            assert (await bot.ending()).reason is Reason.EVERYONE_LEFT
            assert bot.report.people.seen == 2
            assert names(bot.report.people.left) == ["Grace Hopper", "Alan Turing"]
            assert [line["name"] for line in await bot.events("participant_left")] == ["Alan Turing", "Grace Hopper"]


async def test_leaves_when_nobody_came(container: BrowserContainer, room: Room, tmp_path: Path) -> None:
    async with attending(container, room, tmp_path, limits=Limits(nobody_came_seconds=3)) as bot:
        assert (await bot.ending()).reason is Reason.NOBODY_CAME


async def test_tells_removal_from_the_end_of_the_meeting(
    container: BrowserContainer, room: Room, tmp_path: Path
) -> None:
    with room.people(TALKERS[:1]):
        async with attending(container, room, tmp_path) as bot:
            await bot.until_recording()
            await asyncio.to_thread(room.remove, BOT)
            assert (await bot.ending()).reason is Reason.REMOVED_FROM_MEETING


async def test_notices_that_the_meeting_was_ended_for_all(
    container: BrowserContainer, room: Room, tmp_path: Path
) -> None:
    async with attending(container, room, tmp_path) as bot:
        await bot.until_recording()
        await asyncio.to_thread(room.delete)
        assert (await bot.ending()).reason is Reason.MEETING_ENDED


async def test_comes_back_after_the_browser_was_killed(container: BrowserContainer, room: Room, tmp_path: Path) -> None:
    with room.people(TALKERS[:1]):
        async with attending(container, room, tmp_path, limits=Limits(everyone_left_seconds=5)) as bot:
            await bot.until_recording()
            killed = bot.clock.now()
            os.kill(container.chromium()[0], signal.SIGKILL)
            report = await bot.until(lambda each: each.waiting is Waiting.REJOINING)
            assert report.phase is ReportPhase.RECORDING
            report = await bot.until(lambda each: each.waiting is None and each.browser.alive)
            assert report.browser.restarts == 1
            [(start, end, cause)] = bot.recorder.gaps
            assert cause == "browser died"
            assert killed - 10 < start < end < bot.clock.now()  # what lies between is for a bench to judge
            print(f"\nrejoined {end - start:.1f} s after SIGKILL of Chromium")
            bot.leave.request(Reason.LEAVE_REQUESTED)
            assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED
            assert [name for name, _ in bot.recorder.entries] == ["start", "stop"]


@pytest.mark.meeting_alone
async def test_survives_a_server_that_was_frozen(
    meeting: LocalMeeting, container: BrowserContainer, room: Room, tmp_path: Path
) -> None:
    with room.people(SEEN):
        async with attending(container, room, tmp_path, limits=Limits(everyone_left_seconds=30)) as bot:
            await bot.until(lambda each: len(each.people.current) == 2)
            meeting.freeze_server()
            try:
                await bot.until(lambda each: each.waiting is Waiting.REJOINING, 120)
            finally:
                meeting.thaw_server()
            report = await bot.until(lambda each: each.waiting is None)
            assert report.phase is ReportPhase.RECORDING
            await asyncio.sleep(SETTLING_SECONDS + 2 * ABSENT_SECONDS)
            assert len(await bot.events("participant_joined")) == 2
            assert await bot.events("participant_left") == []
            bot.leave.request(Reason.LEAVE_REQUESTED)
            assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED


@pytest.mark.meeting_alone
async def test_a_server_that_died_is_not_mistaken_for_a_quiet_meeting(
    meeting: LocalMeeting, container: BrowserContainer, room: Room, tmp_path: Path
) -> None:
    table = TABLE.model_copy(update={"timeouts": TABLE.timeouts.model_copy(update={"reconnect": 6, "rejoin": 6})})
    with room.people(SEEN[:1]):
        async with Attending(container.url, tmp_path, room.link, table) as bot:
            await bot.until(lambda each: names(each.people.current) == ["Ada Lovelace"])
            meeting.kill_server()
            try:
                # The page's toast goes after 3 s, its tiles stay for half a minute more.
                assert (await bot.ending(150)).reason is Reason.CONNECTION_LOST
            finally:
                await asyncio.to_thread(meeting.start)
            assert bot.report.evidence != ()
            assert bot.recorder.entries[-1][0] == "stop"


@pytest.mark.meeting_alone
async def test_comes_back_after_the_server_was_restarted(
    meeting: LocalMeeting, container: BrowserContainer, room: Room, tmp_path: Path
) -> None:
    async with attending(container, room, tmp_path) as bot:
        await bot.until_recording()
        # Looked for from the start on: the page may be back before this process knows that the server is.
        rejoining = asyncio.create_task(bot.until(lambda each: each.waiting is Waiting.REJOINING, 120))
        meeting.kill_server()
        await asyncio.to_thread(meeting.start)
        await rejoining
        report = await bot.until(lambda each: each.waiting is None, 120)
        assert report.phase is ReportPhase.RECORDING
        await asyncio.to_thread(room.wait_for, BOT)
        assert report.browser.restarts == 0


@pytest.mark.meeting_alone
async def test_a_server_that_is_down_lets_nobody_in(
    meeting: LocalMeeting, container: BrowserContainer, room: Room, tmp_path: Path
) -> None:
    meeting.kill_server()
    try:
        async with attending(container, room, tmp_path) as bot:
            result = await bot.ending()
            assert result.reason is Reason.PAGE_UNREACHABLE
            assert not bot.report.ever_joined
            assert await bot.events("page_dialog") != []
    finally:
        await asyncio.to_thread(meeting.start)
