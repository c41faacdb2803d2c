"""The whole matrix: each platform × each variant of its pages × all that can follow Join, as a real bot process.

`make soak` alone runs it: it takes about an hour. Display, sound, recorder and supervisor are the product's, and the
browser draws and plays into them as in the pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.contract.table import State
from tests.bot.container import BrowserContainer
from tests.conformance.running_bot import RunningBot, make_assignment, reachable_folder
from tests.local.meetings import packs
from tests.local.meetings.platform_site import PlatformSite
from tests.support.machine_wide import free_display
from tests.support.platform_tables import platform_table

pytestmark = [pytest.mark.soak, pytest.mark.asyncio(loop_scope="module")]

SECONDS = 90.0
"""Patience with a bot; a join takes five on an idle machine."""
LIMITS = Limits(waiting_room_seconds=3, nobody_came_seconds=8, everyone_left_seconds=2)
VARIANTS = [(name, variant) for name in packs.names() for variant in range(packs.load(name).variants)]
MATRIX = [
    pytest.param(name, variant, scenario, id=f"{name}-{variant}-{scenario}")
    for name, variant in VARIANTS
    for scenario in packs.load(name).scenarios
    if scenario != "nobody-comes"  # the only one with other people than the rest
]


@dataclass(frozen=True, slots=True)
class Bots:
    """Starts bot processes, each with a container `browser` of its own that shares its display and its sound."""

    sites: dict[str, PlatformSite]
    make_container: Callable[..., AbstractContextManager[BrowserContainer]]

    @contextmanager
    def attend(self, name: str, link: str, override: Mapping[str, Any] | None = None) -> Iterator[RunningBot]:
        """A bot on its way into a meeting of this platform."""
        table = platform_table(name, override)
        assignment = make_assignment(link=link, platform=table.platform, self_hosted=(), table=table, limits=LIMITS)
        display = free_display()
        with reachable_folder() as root:
            (folder := root / "bot").mkdir()
            sound = f"unix:{folder}/sockets/pulse"
            hosts = self.sites[name].hosts
            with self.make_container(screen=f":{display}", sound=sound, hosts=hosts) as container:
                places = {"MEETING_BUDDY_CHROMEDRIVER": container.url, "MEETING_BUDDY_DISPLAY": str(display)}
                bot = RunningBot("tests.bot.bot_program", folder, assignment, environment=places)
                try:
                    yield bot
                finally:
                    bot.clear()


@pytest.fixture(scope="module")
def bots(
    sites: dict[str, PlatformSite], make_container: Callable[..., AbstractContextManager[BrowserContainer]]
) -> Bots:
    """Bot processes that know the packs' sites."""
    return Bots(sites, make_container)


def expected(name: str, scenario: str) -> Reason:
    """Why a bot's session ends when this follows Join."""
    pack = packs.load(name)
    last = pack.states[pack.scenarios[scenario][-1][0]]
    if last.reason is not None:
        return last.reason
    if last.shows is State.LOBBY:
        return Reason.NOT_ADMITTED
    return Reason.EVERYONE_LEFT if scenario == "everyone-left" else Reason.LEAVE_REQUESTED


def in_the_meeting(report: Report) -> bool:
    """Whether it records, and sees the other two."""
    return report.phase is ReportPhase.RECORDING and report.people.present == 2


async def outcome(bot: RunningBot) -> Report:
    """How the process ended: by itself, with its files complete."""
    assert await bot.ended(SECONDS) == 0, bot.log
    assert bot.outcome.phase is ReportPhase.ENDED
    if bot.outcome.ever_joined:
        assert bot.outcome.recording.verified, bot.outcome
        assert sorted(path.name for path in bot.recordings.glob("recording.*")), bot.outcome
    return bot.outcome


@pytest.mark.parametrize(("name", "variant", "scenario"), MATRIX)
async def test_what_follows_join(name: str, variant: int, scenario: str, bots: Bots) -> None:
    reason = expected(name, scenario)
    with bots.attend(name, bots.sites[name].meeting(scenario, variant=variant, media=True)) as bot:
        if scenario == "lobby":
            await bot.until(lambda report: report.waiting is Waiting.WAITING_ROOM, SECONDS)
        if reason is Reason.LEAVE_REQUESTED:
            await bot.until(in_the_meeting, SECONDS)
            await bot.leave()
        ended = await outcome(bot)
        assert ended.reason is reason, f"{ended}\n{bot.log}"
        attended = reason in (Reason.LEAVE_REQUESTED, Reason.EVERYONE_LEFT) or _comes_after_the_call(name, scenario)
        assert ended.ever_joined is attended


def _comes_after_the_call(name: str, scenario: str) -> bool:
    pack = packs.load(name)
    return pack.states[pack.scenarios[scenario][-1][0]].after is not None


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
async def test_leaves_when_nobody_comes(name: str, variant: int, bots: Bots) -> None:
    link = bots.sites[name].meeting("nobody-comes", variant=variant, media=True, people=("Meeting Buddy",))
    with bots.attend(name, link) as bot:
        ended = await outcome(bot)
        assert (ended.reason, ended.people.seen) == (Reason.NOBODY_CAME, 0), f"{ended}\n{bot.log}"


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
async def test_gives_a_join_up_after_the_time_that_an_override_sets(name: str, variant: int, bots: Bots) -> None:
    nothing_follows_join = bots.sites[name].at("pre-join", variant=variant)
    with bots.attend(name, nothing_follows_join, {"timeouts": {"join": 3}}) as bot:
        ended = await outcome(bot)
        assert (ended.reason, ended.ever_joined) == (Reason.JOIN_TIMEOUT, False), f"{ended}\n{bot.log}"


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
async def test_a_page_that_hangs_is_left_for_a_new_browser(name: str, variant: int, bots: Bots) -> None:
    site = bots.sites[name]
    link = site.meeting("meeting", variant=variant, media=True, hang="in-call", hang_after=10)
    with bots.attend(name, link) as bot:
        await bot.until(lambda report: report.phase is ReportPhase.RECORDING, SECONDS)
        site.stop_hanging(link)
        await bot.until(lambda report: report.browser.restarts == 1 and report.waiting is None, SECONDS)
        await bot.until(in_the_meeting, SECONDS)
        await bot.leave()
        ended = await outcome(bot)
        assert ended.reason is Reason.LEAVE_REQUESTED
        assert [gap.cause for gap in ended.recording.gaps] == ["browser died"]
