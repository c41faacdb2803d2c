"""What one look at a page costs, beside the probe before it, and how late it sees who speaks; in real Chromium."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from meeting_buddy.contract.links import parse_link
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.platforms.probe import Probe, pause
from meeting_buddy_bot.session.meeting_run import POLL
from tests.bot.container import SCREEN, BrowserContainer, readable_folder, virtual_screen
from tests.local.bench.figures import Figure
from tests.local.machine.certificates import Authority
from tests.local.meetings import packs
from tests.local.meetings.platform_site import PlatformSite
from tests.support.machine_wide import free_loopback, free_port
from tests.support.platform_tables import platform_table
from tests.support.synthetic_pages import HOSTS, SyntheticSite

_BASELINE = (Path(__file__).parent / "probe_baseline.js").read_text()
_SIZES = {2_000: "≤ 5 ms", 20_000: "≤ 40 ms"}
"""Elements of a page, and the goal for it."""
_LOOKS = 40
_ROW = "<li><span>Person {0}</span><button aria-label='Mute {0}'><svg><path/></svg></button><p>Some words {0}</p></li>"
_ELEMENTS_OF_A_ROW = 6
_TURNS = 10
"""Changes of the speaker that are waited for."""


def looks() -> list[Figure]:
    """Median time of a look, from Python and back, in documents of two sizes."""
    with virtual_screen(*SCREEN) as screen, readable_folder() as folder:
        authority = Authority.ensure(folder / "authority", "Bench")
        container = BrowserContainer(folder, free_port(), screen, authorities=[authority.certificate])
        container.start(HOSTS)
        try:
            return asyncio.run(_looks(container.url, authority))
        finally:
            container.kill()


async def _looks(chromedriver: str, authority: Authority) -> list[Figure]:
    browser = Browser(SCREEN, chromedriver)
    await browser.start()
    try:
        async with SyntheticSite(authority) as site:
            return [await _at(browser, site, size, goal) for size, goal in _SIZES.items()]
    finally:
        await browser.close()


def speaking() -> list[Figure]:
    """For each platform, how long after the page marks another speaker a look has seen it.

    On the tests' synthetic pages; how late the sites themselves set their marks is not known from here.
    """
    with virtual_screen(*SCREEN) as screen, readable_folder() as folder:
        authority = Authority.ensure(folder / "authority", "Bench")
        sites = {name: PlatformSite(name, authority, free_loopback()) for name in packs.names()}
        container = BrowserContainer(folder, free_port(), screen, authorities=[authority.certificate])
        container.start({host: address for site in sites.values() for host, address in site.hosts.items()})
        try:
            return asyncio.run(_speaking(container.url, sites))
        finally:
            container.kill()


async def _speaking(chromedriver: str, sites: dict[str, PlatformSite]) -> list[Figure]:
    found = []
    for name, site in sites.items():
        browser = Browser(SCREEN, chromedriver)
        await browser.start()
        try:
            async with site:
                await browser.page.navigate(parse_link(site.at("in-call")).web_address)
                lags = await _lags(browser, Probe(platform_table(name)))
        finally:
            await browser.close()
        label = f"{site.pack.platform}: mark of speaking → seen"
        found.append(Figure(label, _milliseconds(lags), f"half a poll: {POLL * 500:.0f} ms", "≤ 250 ms"))
    return found


async def _lags(browser: Browser, probe: Probe) -> list[float]:
    """Seconds from each change of the marks to the look that saw it."""
    lags: list[float] = []
    before: frozenset[str] = frozenset()
    while len(lags) < _TURNS:
        snapshot = await probe.read(browser.page)
        seen = time.time()
        now = frozenset(person.name for person in snapshot.people if person.speaking) if snapshot else frozenset()
        if now and before and now != before:
            [top, *_] = await browser.page.evaluate("Number(document.documentElement.dataset.spoke)")
            lags.append(seen - float(top.value) / 1000)
        before = now or before
        await asyncio.sleep(pause(snapshot, POLL))
    return lags


async def _at(browser: Browser, site: SyntheticSite, size: int, goal: str) -> Figure:
    rows = "".join(_ROW.format(number) for number in range(size // _ELEMENTS_OF_A_ROW))
    site.pages["/"] = f"<div class=lk-prejoin></div><ul style='height:500px;overflow:auto'>{rows}</ul>"
    await browser.page.navigate(site.url("/"))
    probe = Probe(platform_table("livekit"))
    while await probe.read(browser.page) is None:  # noqa: ASYNC110 -- nothing tells that the document has come
        await asyncio.sleep(0.05)
    now, before = [], []
    for _ in range(_LOOKS):
        now.append(await _timed(browser, "meetingBuddy.look()", probe.script))
        before.append(await _timed(browser, _BASELINE, None))
    return Figure(f"a look at {size:,} elements", _milliseconds(now), f"before: {_milliseconds(before)}", goal)


async def _timed(browser: Browser, expression: str, prepare: str | None) -> float:
    began = time.perf_counter()
    await browser.page.evaluate(expression, prepare=prepare)
    return time.perf_counter() - began


def _milliseconds(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds) * 1000:.1f} ms"
