"""An adapter says of a real page what no locator can: the session goes by it, and by the table where it fails."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.links import SelfHostedHost, parse_link
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.table_reader import load_table
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.platforms import adapter
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from tests.bot.attending import Attending
from tests.bot.container import BrowserContainer
from tests.support.synthetic_pages import HOME, SyntheticSite
from tests.support.synthetic_table import join_page, synthetic_table

ROOM = "/rooms/weekly-sync-7431"
PAGE = """
<template id=agenda>
  <i id=item>2</i> <i id=items>3</i> <i id=speakers>4 on stage</i> <i id=audience>20 watch</i>
  <button id=next onclick="item.textContent = 3; document.body.append(later.content)">Next</button>
  <template id=later>
    <button id=notice onclick="document.body.textContent = 'The meeting has ended'">This is recorded</button>
  </template>
</template>""" + join_page("const more = agenda.content; enter(); document.body.append(more)")
"""The meeting is over with the last item, which two numbers tell, and two more add up to how many are there.

Whoever does not know that finds a notice to click then, and afterwards a text that says it.
"""
ADAPTER = '''"""The meeting's end and the number of people on a synthetic page.

Why the table cannot say it: both follow from two texts each.
Source: synthetic 2026-11-26
"""

import asyncio
from dataclasses import replace

from meeting_buddy.contract.table import Match


class Adapter:
    async def amend(self, page, snapshot):
        %FAULT%
        number = lambda name: f"parseInt(document.querySelector('#{name}')?.textContent)"
        names = ("item", "items", "speakers", "audience")
        for answer in await page.evaluate(f"[{', '.join(map(number, names))}]"):
            if answer.top and None not in answer.value:
                item, items, speakers, audience = answer.value
                over = {Match(element="last item")} if item == items else set()
                return replace(snapshot, seen=snapshot.seen | over, count=speakers + audience)
        return snapshot
'''


def table() -> PlatformTable:
    """With a sign of the end that only an older page shows by itself."""
    raw: dict[str, Any] = synthetic_table(load=30, join=60).model_dump(mode="json", by_alias=True)
    source = raw["source"]
    raw["elements"]["last item"] = [{"css": "#item[data-last]", "source": source}]
    raw["signals"].insert(0, {"state": "ended", "reason": "MeetingEnded", "afterJoin": True, "all": ["last item"]})
    return load_table(raw)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of built-in tables, as this process finds it."""
    folder = tmp_path / "platforms"
    folder.mkdir()
    (folder / "livekit.yaml").write_text("tableVersion: 1\nplatform: LiveKit\n")
    monkeypatch.setattr(adapter, "FOLDER", folder)
    yield folder
    sys.modules.pop(f"{adapter.__package__}.livekit", None)


def attending(container: BrowserContainer, site: SyntheticSite, folder: Path) -> Attending:
    site.pages[ROOM] = PAGE
    return Attending(container.url, folder, site.url(ROOM), table())


async def go_to_last_item(bot: Attending) -> None:
    await bot.browser.page.evaluate("document.querySelector('#next').click()")


async def test_the_session_goes_by_what_the_adapter_sees(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SECONDS", 20.0)  # a loaded machine is no fault of the adapter's
    (tables / "livekit.py").write_text(ADAPTER.replace("%FAULT%", "pass"))
    async with attending(container, site, tmp_path) as bot:
        await bot.until(lambda report: report.people.present == 23)
        await go_to_last_item(bot)
        assert (await bot.ending()).reason is Reason.MEETING_ENDED
        assert "notice" not in [line["step"] for line in await bot.events("step")]
        assert await bot.events("adapter_failed") == []


async def test_evidence_of_a_page_names_what_the_adapter_sees(
    browser: Browser, site: SyntheticSite, tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SECONDS", 20.0)
    (tables / "livekit.py").write_text(ADAPTER.replace("%FAULT%", "pass"))
    site.pages[ROOM] = "<i id=item>3</i> <i id=items>3</i> <i id=speakers>1</i> <i id=audience>0</i>"
    link, kind = site.url(ROOM), table()
    host = SelfHostedHost(platform=kind.platform, host=HOME, port=site.port)
    meeting = parse_link(link, kind.platform, (host,), {kind.platform: kind.link_rules})
    events = EventLog(tmp_path / "events.jsonl", SessionClock())
    page = MeetingPage(browser, kind, meeting, "Meeting Buddy", None, SessionClock(), events)
    await page.open()
    async with asyncio.timeout(60):
        while not (found := await page.evidence_with("1", 10))[0]:  # noqa: ASYNC110 -- nothing tells that it is drawn
            await asyncio.sleep(0.05)
    assert found[0] == ["ended/MeetingEnded"]
    assert page.evidence_of(page.snapshot) == found[0], "it is the last snapshot: whom it shows is known"
    await events.close()


FAULTS = {
    "raises": ("raise KeyError('tile')", ["KeyError"]),
    "hangs": ("await asyncio.Event().wait()", ["TimeoutError"]),
    "gives nonsense": ("return 'nonsense'", ["TypeError"]),
    "is not there": (None, []),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_the_session_goes_by_the_table_when_the_adapter(
    case: str, container: BrowserContainer, site: SyntheticSite, tmp_path: Path, tables: Path
) -> None:
    fault, kinds = FAULTS[case]
    if fault is not None:
        (tables / "livekit.py").write_text(ADAPTER.replace("%FAULT%", fault))
    async with attending(container, site, tmp_path) as bot:
        await bot.until(lambda report: report.people.present == 1)
        await go_to_last_item(bot)
        assert (await bot.ending()).reason is Reason.MEETING_ENDED
        assert "notice" in [line["step"] for line in await bot.events("step")], "it ended before the text that says so"
        assert [line["kind"] for line in await bot.events("adapter_failed")] == kinds
