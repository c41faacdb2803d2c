"""A real bot in real Chromium at each platform's synthetic meetings: in, kept out, put out, over, hung.

The first variant of each pack's pages, and what every platform must do. That a bot joins, sees who is there and leaves
politely is proven here by those that came back, and where they announce themselves (`test_announcement.py`). All
variants and all that can happen after Join are in `test_platform_matrix.py`, which takes an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import pytest

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from tests.bot.attending import Attending, side_by_side
from tests.bot.container import BrowserContainer
from tests.local.meetings import packs
from tests.local.meetings.platform_site import PlatformSite
from tests.support.platform_tables import platform_table

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACKS = packs.names()
PAIRS = [tuple(PACKS[at : at + 2]) for at in range(0, len(PACKS), 2)]
"""Packs whose bots attend side by side."""
EMPTIED = [name for name in PACKS if "everyone-left" in packs.load(name).scenarios]
"""Packs that know how a call looks from which everyone else went."""


@pytest.mark.parametrize("scenario", ["denied", "removed", "ended"])
@pytest.mark.parametrize("names", PAIRS, ids="+".join)
async def test_each_ending_has_its_reason(
    names: Sequence[str],
    scenario: str,
    sites: dict[str, PlatformSite],
    sites_containers: Sequence[BrowserContainer],
    tmp_path: Path,
) -> None:
    async def ends(name: str, container: BrowserContainer, folder: Path) -> None:
        pack = packs.load(name)
        last = pack.states[pack.scenarios[scenario][-1][0]]
        async with Attending(container.url, folder, sites[name].meeting(scenario), platform_table(name)) as bot:
            assert (await bot.ending()).reason is last.reason

    await side_by_side(sites_containers, tmp_path, {name: partial(ends, name) for name in names})


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
async def test_waits_in_the_waiting_room_for_as_long_as_the_session_says(
    names: Sequence[str],
    sites: dict[str, PlatformSite],
    sites_containers: Sequence[BrowserContainer],
    tmp_path: Path,
) -> None:
    async def waits(name: str, container: BrowserContainer, folder: Path) -> None:
        link, limits = sites[name].meeting("lobby"), Limits(waiting_room_seconds=2)
        async with Attending(container.url, folder, link, platform_table(name), limits=limits) as bot:
            await bot.until(lambda each: each.waiting is Waiting.WAITING_ROOM)
            assert (await bot.ending()).reason is Reason.NOT_ADMITTED
            assert not bot.report.ever_joined

    await side_by_side(sites_containers, tmp_path, {name: partial(waits, name) for name in names})


@pytest.mark.parametrize("names", PAIRS, ids="+".join)
async def test_leaves_when_everyone_has_left_or_nobody_comes(
    names: Sequence[str],
    sites: dict[str, PlatformSite],
    sites_containers: Sequence[BrowserContainer],
    tmp_path: Path,
) -> None:
    async def everyone_leaves(name: str, container: BrowserContainer, folder: Path) -> None:
        link, limits = sites[name].meeting("everyone-left"), Limits(everyone_left_seconds=2)
        async with Attending(container.url, folder, link, platform_table(name), limits=limits) as bot:
            await bot.until(lambda each: each.people.present == 2)
            assert (await bot.ending()).reason is Reason.EVERYONE_LEFT

    async def nobody_comes(name: str, container: BrowserContainer, folder: Path) -> None:
        link = sites[name].meeting("nobody-comes", people=("Meeting Buddy",))
        limits = Limits(nobody_came_seconds=2)
        async with Attending(container.url, folder, link, platform_table(name), limits=limits) as bot:
            assert (await bot.ending()).reason is Reason.NOBODY_CAME

    parts = {name: partial(everyone_leaves if name in EMPTIED else nobody_comes, name) for name in names}
    await side_by_side(sites_containers, tmp_path, parts)


async def test_gives_a_join_up_after_the_time_that_an_override_sets(
    sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    table = platform_table("teams", {"timeouts": {"join": 2}})
    nothing_follows_join = sites["teams"].at("pre-join")
    async with Attending(sites_container.url, tmp_path, nothing_follows_join, table) as bot:
        result = await bot.ending(60)  # less than any built-in table waits
        assert (result.reason, result.message) == (
            Reason.JOIN_TIMEOUT,
            "the page was not through to the call in 2 s",
        )


async def test_pages_that_hang_are_left_for_new_browsers_which_leave_politely(
    sites: dict[str, PlatformSite],
    make_container: Callable[..., AbstractContextManager[BrowserContainer]],
    tmp_path: Path,
) -> None:
    async def comes_back(name: str, chromedriver: str) -> None:
        link = sites[name].meeting("meeting", hang="in-call", hang_after=10)
        (folder := tmp_path / name).mkdir()
        async with Attending(chromedriver, folder, link, platform_table(name)) as bot:
            await bot.until_recording(90)
            sites[name].stop_hanging(link)
            report = await bot.until(lambda each: each.browser.restarts == 1 and each.waiting is None, 120)
            assert (report.phase, report.browser.alive) == (ReportPhase.RECORDING, True), name
            assert [each["cause"] for each in await bot.events("browser_died")] == ["the page hangs"], name
            assert [cause for *_, cause in bot.recorder.gaps] == ["browser died"], name
            await bot.until(lambda each: each.people.present == 2)
            bot.leave.request(Reason.LEAVE_REQUESTED)
            assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED, name
            assert (await bot.events("left"))[0]["page_agrees"] is True, name

    # Side by side, each with a container of its own: nearly all of it is waiting for pages that do not answer.
    with ExitStack() as containers:
        async with asyncio.TaskGroup() as group:
            for name in PACKS:
                container = containers.enter_context(make_container(hosts=sites[name].hosts))
                group.create_task(comes_back(name, container.url))
