"""A bot writes its announcement into the chat of each platform, once; and breakout rooms are no reason to leave."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.platforms import announcer
from meeting_buddy_bot.platforms.probe import PageSnapshot
from tests.bot.attending import Attending, side_by_side
from tests.bot.container import BrowserContainer
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.platform_site import PlatformSite
from tests.support.platform_tables import platform_table

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Recording for the minutes"
PAGES = [
    (("teams", 0), ("zoom", 0), ("googlemeet", 0), ("webex", 0)),
    (("teams", 1), ("zoom", 1), ("webex", 2)),
]
"""Packs and the variants of their pages that differ in their chat: those of a row side by side."""


async def event(bot: Attending, name: str, seconds: float = 90, **fields: object) -> dict[str, Any]:
    """The first event of this name with these fields, awaited."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                for each in await bot.events(name):
                    if fields.items() <= each.items():
                        return each
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise TimeoutError(f"no event {name} {fields}: {await bot.events()}") from None


async def in_frames(bot: Attending, expression: str) -> list[Any]:
    """What a script says in each frame of the bot's page."""
    return [answer.value for answer in await bot.browser.page.evaluate(expression)]


async def shows(bot: Attending, expression: str, wanted: list[Any]) -> None:
    """Return once a script says so in the frames of the bot's page. Raises `TimeoutError`."""
    async with asyncio.timeout(60):
        while await in_frames(bot, expression) != wanted:  # noqa: ASYNC110 -- a page is asked
            await asyncio.sleep(0.1)


async def said(bot: Attending) -> list[str]:
    """What a synthetic page heard to be said in its chat."""
    return [
        text
        for found in await in_frames(bot, "document.documentElement.dataset.said ?? '[]'")
        for text in json.loads(found)
    ]


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: "+".join(f"{name}-{variant}" for name, variant in pages))
async def test_the_announcement_is_written_once_and_the_chat_is_closed_again(
    pages: Sequence[tuple[str, int]],
    sites: dict[str, PlatformSite],
    sites_containers: Sequence[BrowserContainer],
    tmp_path: Path,
) -> None:
    async def announces(name: str, variant: int, container: BrowserContainer, folder: Path) -> None:
        link = sites[name].meeting("meeting", variant=variant)
        async with Attending(container.url, folder, link, platform_table(name), announcement=TEXT) as bot:
            await bot.until_recording()
            await bot.until(lambda each: each.people.present == 2)
            await event(bot, "announcement_posted")
            await event(bot, "step", step="close chat")
            await asyncio.sleep(1.5)  # longer than a page takes to be drawn anew, and a second message to be written
            assert await said(bot) == [TEXT]
            fields = "document.querySelectorAll('textarea, [contenteditable=true]').length"
            async with asyncio.timeout(60):
                while sum(await in_frames(bot, fields)):  # noqa: ASYNC110 -- a page is asked
                    await asyncio.sleep(0.1)
            assert len(await bot.events("announcement_posted")) == 1
            assert await bot.events("announcement_failed") == []
            assert bot.report.phase is ReportPhase.RECORDING
            bot.leave.request(Reason.LEAVE_REQUESTED)
            assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED
            assert (await bot.events("left"))[0]["page_agrees"] is True

    parts = {f"{name}-{variant}": partial(announces, name, variant) for name, variant in pages}
    await side_by_side(sites_containers, tmp_path, parts)


async def test_where_a_guest_cannot_write_the_bot_records_nonetheless(
    sites: dict[str, PlatformSite],
    sites_container: BrowserContainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcer, "SECONDS", 1.5)
    link = sites["teams"].meeting("no-chat")
    async with Attending(sites_container.url, tmp_path, link, platform_table("teams"), announcement=TEXT) as bot:
        await bot.until_recording()
        assert (await event(bot, "announcement_failed"))["cause"] == "it could not be written in 1.5 s"
        await asyncio.sleep(1)
        assert len(await bot.events("announcement_failed")) == 1
        assert await bot.events("announcement_posted") == []
        assert bot.report.phase is ReportPhase.RECORDING


async def test_a_chat_button_that_hides_is_brought_back_first(
    sites: dict[str, PlatformSite],
    sites_container: BrowserContainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_write, advance = asyncio.Event(), announcer.Announcer.advance

    async def later(self: announcer.Announcer, snapshot: PageSnapshot) -> None:
        if may_write.is_set():
            await advance(self, snapshot)

    monkeypatch.setattr(announcer.Announcer, "advance", later)
    link = sites["googlemeet"].meeting("meeting")
    async with Attending(sites_container.url, tmp_path, link, platform_table("googlemeet"), announcement=TEXT) as bot:
        await bot.until_recording()
        # The page hides its controls after four seconds.
        button = """document.querySelector('button[aria-label="Chat with everyone"]')"""
        await shows(bot, f"{button}.checkVisibility({{visibilityProperty: true}})", [False])
        may_write.set()
        await event(bot, "step", step="close chat")
        assert "show the chat button" in [each["step"] for each in await bot.events("step")]
        assert await said(bot) == [TEXT]


async def test_a_real_meeting_hears_it(
    meeting: LocalMeeting, make_container: Callable[..., AbstractContextManager[BrowserContainer]], tmp_path: Path
) -> None:
    link, table = meeting.room(f"announcement-{os.getpid()}").link, platform_table("livekit")
    (ada_folder := tmp_path / "ada").mkdir()
    (bot_folder := tmp_path / "bot").mkdir()
    with (
        make_container(meeting_authority=meeting.paths.authority) as hers,
        make_container(meeting_authority=meeting.paths.authority) as its,
    ):
        async with Attending(hers.url, ada_folder, link, table, bot_name="Ada Lovelace") as ada:
            await ada.until_recording()
            async with Attending(its.url, bot_folder, link, table, announcement=TEXT) as bot:
                await bot.until_recording()
                await event(bot, "announcement_posted")
                await event(bot, "step", step="close chat")
                heard = (
                    "[...document.querySelectorAll('.lk-chat-entry .lk-message-body')].map(each => each.textContent)"
                )
                await shows(ada, heard, [[TEXT]])
                await shows(bot, "document.querySelector('.lk-chat').checkVisibility()", [False])
                await asyncio.sleep(1)  # a second message would be there
                assert await in_frames(ada, heard) == [[TEXT]]
                assert bot.report.phase is ReportPhase.RECORDING


async def test_who_was_sent_to_breakout_rooms_comes_back_and_who_has_nothing_to_say_opens_no_chat(
    sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    link, limits = sites["zoom"].meeting("breakout"), Limits(everyone_left_seconds=2)
    async with Attending(sites_container.url, tmp_path, link, platform_table("zoom"), limits=limits) as bot:
        await bot.until_recording()
        assert not bot.report.breakout_rooms
        await bot.until(lambda each: each.breakout_rooms)
        await event(bot, "step", step="stay in the main session")
        await bot.until(lambda each: each.people.present == 0)
        await asyncio.sleep(4)  # twice as long as one that was left alone would stay
        assert (bot.report.phase, bot.report.breakout_rooms) == (ReportPhase.RECORDING, True)
        await bot.until(lambda each: each.people.present == 2 and not each.breakout_rooms)
        assert (await bot.ending()).reason is Reason.EVERYONE_LEFT
        steps = [each["step"] for each in await bot.events("step")]
        assert "join" in steps
        assert "open chat" not in steps


async def test_what_somebody_writes_opens_no_breakout_rooms(
    sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    link = sites["zoom"].at("in-call-chat")
    async with Attending(sites_container.url, tmp_path, link, platform_table("zoom")) as bot:
        await bot.until_recording()
        await bot.until(lambda each: each.people.present == 2)
        await shows(bot, "document.body.innerText.includes('The host has opened Breakout Rooms')", [True])
        await asyncio.sleep(1)  # the bot has looked at it
        assert not bot.report.breakout_rooms


async def test_a_notice_of_breakout_rooms_is_enough(
    sites: dict[str, PlatformSite], sites_containers: Sequence[BrowserContainer], tmp_path: Path
) -> None:
    async def stays(variant: int, container: BrowserContainer, folder: Path) -> None:
        link, limits = sites["zoom"].meeting("breakout-open", variant=variant), Limits(everyone_left_seconds=2)
        async with Attending(container.url, folder, link, platform_table("zoom"), limits=limits) as bot:
            await bot.until(lambda each: each.breakout_rooms and each.people.present == 0)
            await asyncio.sleep(4)
            assert (bot.report.phase, bot.report.breakout_rooms) == (ReportPhase.RECORDING, True)

    await side_by_side(
        sites_containers, tmp_path, {f"variant {variant}": partial(stays, variant) for variant in (0, 1)}
    )
