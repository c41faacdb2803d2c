"""Each platform's table on each page of its pack: right on the page as it is, right or silent on a page that changed.

One browser, one document for each pack, and two looks a page, then, for one form of each state (`make soak`: for all),
one after each change: a look asks for every locator by itself, so that what any smaller table would make of the page
follows from it (`tests/local/meetings/mutations.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from meeting_buddy.contract.links import parse_link
from meeting_buddy.contract.table import PlatformTable, State
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.platforms.probe import PageSnapshot, Probe
from tests.bot.container import SCREEN, BrowserContainer
from tests.local.meetings import mutations, packs
from tests.local.meetings.mutations import Look, expanded, score
from tests.local.meetings.packs import PackState
from tests.local.meetings.platform_site import PlatformSite
from tests.support.platform_tables import platform_table

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEAST = 0.95
"""Share of a table's parts of which some page must tell that they are missing."""
PACKS = packs.names()
_CHANGES = (Path(mutations.__file__).parent / "page_changes.js").read_text().partition("\n")[2].rstrip()
CHANGES = re.findall(r"^  '([a-z ]+)': ", _CHANGES, re.MULTILINE)
_PAUSE = 0.05
_PATIENCE = 60.0  # seconds for a page to be drawn, frames and components included
_AGAIN = 5.0  # seconds until it is loaded anew, and twice as long from then on


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(sites_container: BrowserContainer) -> AsyncIterator[Browser]:
    """One browser for all pages."""
    started = Browser(SCREEN, sites_container.url)
    await started.start()
    yield started
    await started.close()


def _is_right(look: Look, table: PlatformTable, expected: PackState) -> bool:
    shown, reason, waiting, step = look.verdict(table)
    shows = (expected.shows, expected.reason, expected.waiting)
    counted = "counts" not in expected.model_fields_set or look.snapshot.count == expected.counts
    return (shown, reason, waiting) == shows and expected.step in (None, step) and counted


@dataclass(frozen=True, slots=True)
class PackPages:
    """The pages of one pack in a browser."""

    site: PlatformSite
    table: PlatformTable
    probe: Probe
    browser: Browser
    address: str

    async def load(self) -> None:
        """Load the document."""
        await self.browser.page.navigate(self.address)
        while not await _complete(self.browser):  # noqa: ASYNC110 -- nothing tells that a document has come
            await asyncio.sleep(_PAUSE)

    async def look(self, state: str, variant: int, change: str | None = None) -> Look:
        """Show a state, change its page if so, and look at it."""
        await self._show(state, variant)
        if change is not None:
            await self.browser.page.evaluate(f"{_CHANGES}[{json.dumps(change)}]()")
        drawn = self._drawn(state, variant) if change is None else self.probe.read(self.browser.page)
        snapshot = await drawn
        assert snapshot is not None
        return Look(f"{state}-{variant}", snapshot, joined=self.site.pack.states[state].after is not None)

    async def _show(self, state: str, variant: int) -> None:
        """Without loading the document anew: what is shown follows at once, in frames a little later."""
        await self.browser.page.evaluate(
            f"if (window === top) {{ document.documentElement.dataset.show = {json.dumps(f'{state}/{variant}')};"
            " dispatchEvent(new Event('pack-show')); }"
        )

    async def _drawn(self, state: str, variant: int) -> PageSnapshot:
        """A look at the page once it stays as it is; longer while it is not yet what it must become.

        Then it is loaded anew: what Chromium gave up while the document came, as the network changed, stays away.
        """
        expected = self.site.pack.states[state]
        clock = asyncio.get_running_loop().time
        began, before = clock(), None
        again = began + _AGAIN
        while True:
            snapshot = await self.probe.read(self.browser.page)
            if snapshot is not None:
                same = before is not None and (snapshot.seen, snapshot.actable) == (before.seen, before.actable)
                look = Look(state, snapshot, joined=expected.after is not None)
                if (same and _is_right(look, self.table, expected)) or clock() - began > _PATIENCE:
                    return snapshot
                before = snapshot
            if clock() > again:
                await self.load()
                await self._show(state, variant)
                again += 2 * (clock() - began)
            await asyncio.sleep(_PAUSE)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PACKS)
async def pack(request: pytest.FixtureRequest, sites: dict[str, PlatformSite], browser: Browser) -> PackPages:
    """Each pack in turn, its document loaded."""
    site, table = sites[request.param], platform_table(request.param)
    passcode = "s3cretPass"
    probe = Probe(
        expanded(table), lambda value: value.replace("{botName}", "Meeting Buddy").replace("{passcode}", passcode)
    )
    link = site.at(next(iter(site.pack.states)), still=True, passcode=passcode)
    found = PackPages(site, table, probe, browser, parse_link(link).web_address)
    await found.load()
    return found


async def _complete(browser: Browser) -> bool:
    answers = await browser.page.evaluate("document.readyState === 'complete'")
    return bool(answers) and answers[0].value is True


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one page of a pack."""

    expected: PackState
    as_it_is: Look
    changed: dict[str, Look]
    """By the change."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(pack: PackPages) -> list[Seen]:
    """Each page of the pack as it is; and each state after each change, in one of its forms."""
    return await _look_at_all(pack, changed_in_every_form=False)


async def _look_at_all(pack: PackPages, *, changed_in_every_form: bool) -> list[Seen]:
    found = []
    for number, (state, expected) in enumerate(pack.site.pack.states.items()):
        for variant in range(pack.site.pack.variants):
            as_it_is = await pack.look(state, variant)
            is_changed = changed_in_every_form or variant == number % pack.site.pack.variants
            changes = CHANGES if is_changed else []
            found.append(Seen(expected, as_it_is, {each: await pack.look(state, variant, each) for each in changes}))
    return found


async def test_every_page_is_seen_for_what_it_is_and_every_part_of_the_table_matters(
    pack: PackPages, seen: list[Seen]
) -> None:
    wrong = []
    for page in seen:
        if not _is_right(page.as_it_is, pack.table, page.expected):
            shown, reason, waiting, step = page.as_it_is.verdict(pack.table)
            count = page.as_it_is.snapshot.count
            wrong.append(f"{page.as_it_is.page}: {shown} {reason or waiting or ''}, step {step}, {count} people")
    found = score(pack.table, [page.as_it_is for page in seen])
    survivors = set(found.survivors)
    print(f"\n{pack.site.pack.platform}: {len(seen)} pages, mutation score {found.share:.1%}; survivors:")
    print("".join(f"  {each}: {pack.site.pack.survivors.get(each, 'no reason given')}\n" for each in sorted(survivors)))
    assert wrong == []
    assert found.share >= LEAST
    assert survivors == set(pack.site.pack.survivors), "each survivor, and nothing else, has its reason in pack.yaml"


async def test_a_changed_page_is_seen_rightly_or_not_at_all(pack: PackPages, seen: list[Seen]) -> None:
    _no_changed_page_is_seen_wrongly(pack, seen)


@pytest.mark.soak
async def test_a_changed_page_is_seen_rightly_or_not_at_all_in_each_of_its_forms(pack: PackPages) -> None:
    _no_changed_page_is_seen_wrongly(pack, await _look_at_all(pack, changed_in_every_form=True))


def _no_changed_page_is_seen_wrongly(pack: PackPages, seen: Sequence[Seen]) -> None:
    wrong, right = [], dict.fromkeys(CHANGES, 0)
    for page in seen:
        for change, look in page.changed.items():
            shown, reason, *_ = look.verdict(pack.table)
            if (shown, reason) == (page.expected.shows, page.expected.reason):
                right[change] += 1
            elif shown in (State.ENDED, State.REFUSED):
                wrong.append(f"{look.page}, {change}: {shown}/{reason}")
    print(f"\n{pack.site.pack.platform}, still right of {sum(bool(page.changed) for page in seen)}: {right}")
    assert wrong == []
