"""Staying: everyone's ways of ending a meeting, and a browser that dies in the middle of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.browser_restarts import MAX_RESTARTS
from meeting_buddy_bot.checks.page_responsive import PageResponsive
from meeting_buddy_bot.platforms import diagnostics
from meeting_buddy_bot.session import meeting_run
from tests.bot.attending import Attending, side_by_side
from tests.bot.container import BrowserContainer
from tests.local.machine.certificates import Authority
from tests.support.synthetic_pages import HANG, SyntheticSite
from tests.support.synthetic_table import join_page, says, synthetic_table

Scenario = Callable[[BrowserContainer, SyntheticSite, Path], Coroutine[Any, Any, None]]

ROOM = "/rooms/weekly-sync-7431"


def attending(container: BrowserContainer, site: SyntheticSite, folder: Path, **more: Any) -> Attending:
    table = more.pop("table", None) or synthetic_table()
    return Attending(container.url, folder, site.url(ROOM), table, **more)


def in_the_call(script: str) -> str:
    """A page that runs `script` (JavaScript) in the call, when `run_it` says so."""
    return join_page(f"enter(); window.addEventListener('now', () => setTimeout(() => {{ {script} }}))")


async def run_it(bot: Attending) -> None:
    """The bot is in the call; the page runs its script."""
    await bot.until(lambda report: report.ever_joined)
    await bot.browser.page.evaluate("dispatchEvent(new Event('now'))")


async def ends_with_the_meeting(container: BrowserContainer, site: SyntheticSite, folder: Path) -> None:
    site.pages[ROOM] = in_the_call(says("The meeting has ended"))
    async with attending(container, site, folder) as bot:
        await run_it(bot)
        assert (await bot.ending()).reason is Reason.MEETING_ENDED
        assert bot.report.phase is ReportPhase.LEAVING
        assert bot.report.evidence == ()
        assert [name for name, _ in bot.recorder.entries] == ["start", "stop"]


async def a_removal_is_seen_while_the_recorder_still_opens(
    container: BrowserContainer, site: SyntheticSite, folder: Path
) -> None:
    site.pages[ROOM] = in_the_call(says("The meeting has ended"))
    async with attending(container, site, folder) as bot:
        bot.recorder.opens = False
        await run_it(bot)
        assert (await bot.ending()).reason is Reason.MEETING_ENDED
        assert bot.report.phase is ReportPhase.LEAVING


async def debug_mode_keeps_evidence_of_a_success(
    container: BrowserContainer, site: SyntheticSite, folder: Path
) -> None:
    site.pages[ROOM] = in_the_call(says("The meeting has ended"))
    async with attending(container, site, folder, debug_mode=True) as bot:
        await run_it(bot)
        await bot.ending()
        assert "debug/MeetingEnded.png" in bot.report.evidence


async def ends_when_the_call_has_been_gone_for_long(
    container: BrowserContainer, site: SyntheticSite, folder: Path
) -> None:
    site.pages[ROOM] = in_the_call(says("Rate your call!"))
    async with attending(container, site, folder) as bot:
        await run_it(bot)
        assert (await bot.ending()).reason is Reason.MEETING_ENDED


async def a_call_that_is_gone_for_a_moment_goes_on(
    container: BrowserContainer, site: SyntheticSite, folder: Path
) -> None:
    flicker = "const was = document.body.innerHTML; document.body.innerHTML = '';"
    flicker += "setTimeout(() => { document.body.innerHTML = was; document.title = 'back' }, 1500)"
    site.pages[ROOM] = in_the_call(flicker)
    missing = 6.0  # so much longer than the moment that a browser which is late is no matter
    async with attending(container, site, folder, table=synthetic_table(missing=missing)) as bot:
        await run_it(bot)
        async with asyncio.timeout(60):
            while [each.value for each in await bot.browser.page.evaluate("document.title")] != ["back"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await asyncio.sleep(missing + 1)
        assert bot.report.phase is ReportPhase.RECORDING


async def back_in_the_lobby_keeps_the_phase_and_ends_as_removed(
    container: BrowserContainer, site: SyntheticSite, folder: Path
) -> None:
    site.pages[ROOM] = in_the_call(says("Someone will let you in soon"))
    async with attending(container, site, folder, limits=Limits(waiting_room_seconds=2)) as bot:
        await run_it(bot)
        report = await bot.until(lambda report: report.waiting is Waiting.WAITING_ROOM)
        assert report.phase is ReportPhase.RECORDING
        assert (await bot.ending()).reason is Reason.REMOVED_FROM_MEETING


async def a_connection_that_stays_lost_ends_it(container: BrowserContainer, site: SyntheticSite, folder: Path) -> None:
    site.pages[ROOM] = in_the_call("document.body.innerHTML += 'Reconnecting'")
    async with attending(container, site, folder, table=synthetic_table(reconnect=3, rejoin=3, load=10)) as bot:
        await bot.until_recording()
        site.pages[ROOM] = "<h1>gone</h1>"
        await run_it(bot)
        report = await bot.until(lambda report: report.waiting is Waiting.REJOINING)
        assert report.phase is ReportPhase.RECORDING
        assert (await bot.ending()).reason is Reason.CONNECTION_LOST
        assert bot.report.evidence != ()
        assert [cause for _, _, cause in bot.recorder.gaps] == ["connection lost"]


async def a_page_that_loads_itself_anew_is_joined_again(
    container: BrowserContainer, site: SyntheticSite, folder: Path
) -> None:
    site.pages[ROOM] = in_the_call("location.reload()")
    async with attending(container, site, folder) as bot:
        await run_it(bot)
        await bot.until(lambda _: bool(bot.recorder.gaps))
        report = await bot.until(lambda report: report.waiting is None)
        assert report.phase is ReportPhase.RECORDING
        assert [line["cause"] for line in await bot.events("rejoining")] == ["the page went back to where one joins"]


async def a_page_that_loads_itself_anew_and_lets_nobody_in_is_over(
    container: BrowserContainer, site: SyntheticSite, folder: Path
) -> None:
    site.pages[ROOM] = in_the_call("location.reload()")
    async with attending(container, site, folder, table=synthetic_table(join=15, rejoin=3)) as bot:
        await bot.until_recording()
        site.pages[ROOM] = join_page("0")
        await run_it(bot)
        result = await bot.ending()
        assert result.reason is Reason.MEETING_ENDED
        assert "JoinTimeout" in (result.message or "")
        assert len(await bot.events("rejoining")) == 1


@pytest.fixture(scope="module")
def containers(
    container: BrowserContainer, make_container: Callable[..., AbstractContextManager[BrowserContainer]]
) -> Iterator[tuple[BrowserContainer, ...]]:
    """The module's container `browser` and two more, for bots side by side."""
    with ExitStack() as more:
        yield container, *(more.enter_context(make_container()) for _ in range(2))


@pytest.mark.parametrize(
    "scenarios",
    [
        (a_call_that_is_gone_for_a_moment_goes_on, a_connection_that_stays_lost_ends_it),
        (back_in_the_lobby_keeps_the_phase_and_ends_as_removed, ends_when_the_call_has_been_gone_for_long),
        (
            a_page_that_loads_itself_anew_is_joined_again,
            a_page_that_loads_itself_anew_and_lets_nobody_in_is_over,
        ),
        (
            a_removal_is_seen_while_the_recorder_still_opens,
            debug_mode_keeps_evidence_of_a_success,
            ends_with_the_meeting,
        ),
    ],
    ids=lambda scenarios: scenarios[0].__name__,
)
async def test_staying(
    containers: tuple[BrowserContainer, ...], authority: Authority, tmp_path: Path, scenarios: Sequence[Scenario]
) -> None:
    async def at_a_site_of_its_own(scenario: Scenario, container: BrowserContainer, folder: Path) -> None:
        async with SyntheticSite(authority) as site:
            await scenario(container, site, folder)

    parts = {scenario.__name__: partial(at_a_site_of_its_own, scenario) for scenario in scenarios}
    await side_by_side(containers, tmp_path, parts)


async def test_evidence_that_cannot_be_kept_costs_no_result(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_names(*_: object) -> str:
        raise LookupError("unknown encoding: utf-16-be")

    monkeypatch.setattr(diagnostics, "without_names", without_names)
    site.pages[ROOM] = join_page(says("You can't come in"))
    async with attending(container, site, tmp_path) as bot:
        assert (await bot.ending()).reason is Reason.ENTRY_DENIED
        assert [each["error"] for each in await bot.events("evidence_failed")] == ["LookupError"]


@pytest.mark.parametrize(
    "answers",
    [
        {"You can't come in": Reason.REMOVED_FROM_MEETING, "The meeting has not started": Reason.MEETING_ENDED},
        {"Someone will let you in soon": Reason.REMOVED_FROM_MEETING, "Never seen": Reason.CONNECTION_LOST},
    ],
    ids="+".join,
)
async def test_what_a_rejoin_finds_never_fails_a_meeting_that_was_attended(
    containers: tuple[BrowserContainer, ...], authority: Authority, tmp_path: Path, answers: dict[str, Reason]
) -> None:
    limits = Limits(waiting_room_seconds=2)
    table = synthetic_table(join=15, rejoin=3)  # the first join must not run out of time

    async def rejoins(answer: str, container: BrowserContainer, folder: Path) -> None:
        async with (
            SyntheticSite(authority, {ROOM: join_page()}) as site,
            attending(container, site, folder, table=table, limits=limits) as bot,
        ):
            await bot.until_recording()
            site.pages[ROOM] = join_page(says(answer))
            os.kill(container.chromium()[0], signal.SIGKILL)
            assert (await bot.ending()).reason is answers[answer]
            assert [name for name, _ in bot.recorder.entries] == ["start", "stop"]

    await side_by_side(containers, tmp_path, {answer: partial(rejoins, answer) for answer in answers})


@pytest.mark.parametrize(
    "answers",
    [
        {
            "Someone will let you in soon": Reason.REMOVED_FROM_MEETING,
            "The meeting has not started": Reason.MEETING_ENDED,
        },
        {"You can't come in": Reason.REMOVED_FROM_MEETING, "Never seen": Reason.CONNECTION_LOST},
    ],
    ids="+".join,
)
async def test_a_bot_that_replaces_another_one_reads_the_page_as_one_that_was_inside(
    containers: tuple[BrowserContainer, ...], authority: Authority, tmp_path: Path, answers: dict[str, Reason]
) -> None:
    table = synthetic_table(join=10, rejoin=3)

    async def comes(answer: str, container: BrowserContainer, folder: Path) -> None:
        async with (
            SyntheticSite(authority, {ROOM: join_page(says(answer))}) as site,
            attending(container, site, folder, table=table, limits=Limits(waiting_room_seconds=2), rejoins=True) as bot,
        ):
            await bot.until(lambda report: report.waiting is Waiting.REJOINING)
            assert bot.report.phase is ReportPhase.JOINING
            assert (await bot.ending()).reason is answers[answer]
            assert not bot.report.ever_joined
            assert bot.recorder.entries == []
            assert bot.recorder.gaps == [], "the recorder states what lies between two attempts"
            assert bool(await bot.events("rejoining")) is (answers[answer] is Reason.CONNECTION_LOST)

    await side_by_side(containers, tmp_path, {answer: partial(comes, answer) for answer in answers})


async def test_a_bot_that_replaces_another_one_tries_again_while_its_time_lasts(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = join_page(says("Never seen"))
    async with attending(
        container, site, tmp_path, table=synthetic_table(join=6), rejoins=True, announcement="We record."
    ) as bot:
        await bot.until(lambda report: report.waiting is Waiting.REJOINING)
        async with asyncio.timeout(60):
            while not await bot.events("rejoining"):  # noqa: ASYNC110 -- a file
                await asyncio.sleep(0.1)
        site.pages[ROOM] = join_page()
        report = await bot.until_recording()
        assert (report.ever_joined, report.waiting) == (True, None)
        assert [name for name, _ in bot.recorder.entries] == ["start"]
        assert bot.recorder.gaps == []
        assert len(await bot.events("rejoined")) == 1
        await asyncio.sleep(2)
        told = {line["event"] for line in await bot.events()}
        assert not told & {"announcement_posted", "announcement_failed"}, "the first bot has announced it"


async def test_a_killed_container_is_waited_for_and_the_meeting_rejoined(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = join_page()
    async with attending(container, site, tmp_path) as bot:
        await bot.until_recording()
        killed = bot.clock.now()
        container.kill()
        await bot.until(lambda report: report.waiting is Waiting.REJOINING)
        await asyncio.sleep(3)  # the kubelet's back-off
        container.restart()
        report = await bot.until(lambda report: report.waiting is None, 120)
        assert (report.phase, report.browser.restarts, report.browser.alive) == (ReportPhase.RECORDING, 1, True)
        [(start, end, cause)] = bot.recorder.gaps
        assert cause == "browser died"
        assert end - start > 3
        assert killed - 10 < start <= end < bot.clock.now()
        assert [name for name, _ in bot.recorder.entries] == ["start"]


async def test_a_page_that_hangs_is_left_for_a_new_browser(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the product's own patience: test_platform_meetings.py.
    monkeypatch.setattr(meeting_run, "PageResponsive", partial(PageResponsive, seconds=5))
    site.pages[ROOM] = in_the_call(HANG)
    async with attending(container, site, tmp_path) as bot:
        await bot.until_recording()
        await run_it(bot)
        site.pages[ROOM] = join_page()
        report = await bot.until(lambda report: report.browser.restarts == 1 and report.waiting is None, 120)
        assert report.phase is ReportPhase.RECORDING


async def test_a_browser_that_dies_again_and_again_ends_it(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = join_page()
    async with attending(container, site, tmp_path) as bot:
        for restarts in range(MAX_RESTARTS + 1):
            await bot.until(
                lambda report, wanted=restarts: (  # type: ignore[misc]
                    report.browser.restarts == wanted
                    and report.browser.alive
                    and report.ever_joined
                    and report.waiting is None
                )
            )
            os.kill(container.chromium()[0], signal.SIGKILL)
        assert (await bot.ending()).reason is Reason.BROWSER_CRASHED
        assert bot.report.browser.restarts == MAX_RESTARTS
        assert not bot.report.browser.alive
        assert len(bot.recorder.gaps) == MAX_RESTARTS + 1
