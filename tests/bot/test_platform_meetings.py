"""A real bot in real Chromium at each platform's synthetic meetings: in, kept out, put out, over."""

from __future__ import annotations

from pathlib import Path

import pytest

from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from tests.bot.attending import Attending
from tests.bot.container import BrowserContainer
from tests.local.meetings import packs
from tests.local.meetings.platform_site import PlatformSite
from tests.support.platform_tables import platform_table

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACKS = packs.names()


@pytest.mark.parametrize("name", PACKS)
async def test_joins_sees_people_and_leaves_politely(
    name: str, sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    link = sites[name].meeting("meeting")
    async with Attending(sites_container.url, tmp_path, link, platform_table(name)) as bot:
        report = await bot.until_recording()
        assert report.phase is ReportPhase.RECORDING
        await bot.until(lambda each: each.people.present == 2)
        bot.leave.request(Reason.LEAVE_REQUESTED)
        assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED
        assert (await bot.events("left"))[0]["page_agrees"] is True


ENDS = [
    pytest.param(name, scenario, id=f"{name}-{scenario}")
    for name in PACKS
    for scenario, steps in packs.load(name).scenarios.items()
    if packs.load(name).states[steps[-1][0]].reason is not None
]


@pytest.mark.parametrize(("name", "scenario"), ENDS)
async def test_each_ending_has_its_reason(
    name: str, scenario: str, sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    pack = packs.load(name)
    last = pack.states[pack.scenarios[scenario][-1][0]]
    async with Attending(sites_container.url, tmp_path, sites[name].meeting(scenario), platform_table(name)) as bot:
        assert (await bot.ending(60)).reason is last.reason


@pytest.mark.parametrize("name", [name for name in PACKS if "lobby" in packs.load(name).scenarios])
async def test_waits_in_the_waiting_room(
    name: str, sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    link = sites[name].meeting("lobby")
    async with Attending(sites_container.url, tmp_path, link, platform_table(name)) as bot:
        report = await bot.until(lambda each: each.waiting is Waiting.WAITING_ROOM)
        assert not report.ever_joined
