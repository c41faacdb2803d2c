"""What the probe sees in real Chromium, and what it does not let itself be told."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.table import Match, PlatformTable
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import PageTimeoutError
from meeting_buddy_bot.platforms.diagnostics import collect
from meeting_buddy_bot.platforms.probe import PageSnapshot, Probe
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.redaction import Redactor
from meeting_buddy_bot.support.volume import Volume
from tests.support.platform_tables import platform_table
from tests.support.synthetic_pages import SyntheticSite
from tests.support.synthetic_table import synthetic_table
from tests.unit.test_table import SHIPPED, SOURCE, raw_table


def table_of(*matches: dict[str, Any]) -> PlatformTable:
    """A table that asks about these matches."""
    raw = raw_table()
    raw["signals"].append({"state": "pre_join", "any": list(matches), "source": SOURCE})
    return PlatformTable.model_validate(raw)


async def read(browser: Browser, table: PlatformTable, ready: str = "true") -> PageSnapshot:
    """A snapshot of the page once it is complete and `ready` (JavaScript) holds."""
    for _ in range(100):
        answers = await browser.page.evaluate(f"document.readyState === 'complete' && ({ready})")
        if answers and answers[0].value:
            break
        await asyncio.sleep(0.05)
    snapshot = await Probe(table).read(browser.page)
    assert snapshot is not None
    return snapshot


SEEN: tuple[dict[str, Any], ...] = (
    {"css": "#shown"},
    {"css": "#shown", "text": "join NOW"},
    {"css": ".twice", "minimum": 2},
    {"text": 'You\'ve been removed from "Weekly - sync"'},
    {"css": "#off", "enabled": False},
    {"css": "#shown", "enabled": True},
    {"css": "audio", "visible": False},
    {"css": "#big", "min_width": 120, "min_height": 40},
    {"path": "/page"},
    {"url": "/PAGE?x"},
)
NOT_SEEN: tuple[dict[str, Any], ...] = (
    {"css": "#none"},
    {"css": "#hidden"},
    {"css": "#invisible"},
    {"css": "#transparent"},
    {"css": "#nothing-in-it"},
    {"css": "audio"},
    {"css": "#shown", "text": "leave"},
    {"css": ".twice", "minimum": 3},
    {"text": "secret of a hidden part"},
    {"css": "#off", "enabled": True},
    {"css": "#aria", "enabled": True},
    {"css": "#small", "min_width": 120, "min_height": 40},
    {"path": "/pag"},
    {"alert": "nothing was said"},
    {"console": ["nothing was logged"]},
)
PAGE = """
<button id=shown>Join&nbsp;&nbsp;<b>now</b></button> <i class=twice>a</i> <i class=twice>b</i>
<p>You\u2019ve been removed\n from \u201cWeekly \u2013 sync\u201d</p>
<p id=hidden hidden>secret of a hidden part</p> <p id=invisible style="visibility:hidden">x</p>
<div style="opacity:0"><p id=transparent>x</p></div> <p id=nothing-in-it></p>
<button id=off disabled>off</button> <button id=aria aria-disabled=true>off</button> <audio></audio>
<div id=big style="width:300px;height:74px"></div> <div id=small style="width:256px;height:20px"></div>
"""


async def test_sees_what_a_person_sees(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/page"] = PAGE
    await browser.page.navigate(site.url("/page?x"))
    snapshot = await read(browser, table_of(*SEEN, *NOT_SEEN))
    assert [match for match in SEEN if Match(**match) not in snapshot.seen] == []
    assert [match for match in NOT_SEEN if Match(**match) in snapshot.seen] == []
    assert snapshot.status == 200


async def test_sees_into_frames_of_the_same_and_of_another_site(browser: Browser, site: SyntheticSite) -> None:
    site.pages |= {
        "/": "<iframe src='/same'></iframe><iframe src='%ELSEWHERE%/other'></iframe>"
        "<iframe src='/unseen' style='display:none'></iframe>",
        "/same": "<p>in the same site</p><script>parent.document.title += ' same'</script>",
        "/other": "<p id=other>in another site</p>",
        "/unseen": "<p>in a frame that is not shown</p>",
    }
    await browser.page.navigate(site.url("/"))
    table = table_of(
        {"text": "in the same site"},
        {"css": "#other", "text": "in another site"},
        {"text": "in a frame that is not shown"},
        {"path": "/other", "text": "in the same site"},
    )
    for _ in range(50):
        snapshot = await read(browser, table)
        if len(snapshot.seen) == 2:
            break
        await asyncio.sleep(0.05)
    assert snapshot.seen == {Match(text="in the same site"), Match(css="#other", text="in another site")}


async def test_the_page_cannot_fake_what_is_seen(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = """<p id=real>real</p><script>
      Document.prototype.querySelectorAll = () => [document.body];
      Element.prototype.checkVisibility = () => true;
      Object.defineProperty(HTMLElement.prototype, 'innerText', {get: () => 'fake'});
      String.prototype.includes = () => true;
      JSON.stringify = () => 'fake';
    </script>"""
    await browser.page.navigate(site.url("/"))
    snapshot = await read(browser, table_of({"css": "#real"}, {"css": "#fake"}, {"text": "fake"}))
    assert snapshot.seen == {Match(css="#real")}


async def test_a_frame_that_hangs_hides_nothing_else(browser: Browser, site: SyntheticSite) -> None:
    site.pages |= {
        "/": "<p>outside</p><iframe src='%ELSEWHERE%/hangs'></iframe>",
        "/hangs": "<script>setTimeout(() => { for (;;); }, 300)</script>",
    }
    await browser.page.navigate(site.url("/"))
    await read(browser, table_of({"text": "outside"}))
    await asyncio.sleep(0.5)  # until it hangs
    began = time.monotonic()
    snapshot = await read(browser, table_of({"text": "outside"}), "1")
    assert snapshot.seen == {Match(text="outside")}
    assert time.monotonic() - began < 8


async def test_a_page_that_hangs_costs_one_deadline(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = "<p>x</p><script>setTimeout(() => { for (;;); }, 300)</script>"
    await browser.page.navigate(site.url("/"))
    await asyncio.sleep(1)  # until it hangs
    began = time.monotonic()
    with pytest.raises(PageTimeoutError):
        await Probe(table_of({"text": "x"})).read(browser.page)
    assert 2.5 < time.monotonic() - began < 6  # two deadlines


async def test_a_reading_survives_navigation(browser: Browser, site: SyntheticSite) -> None:
    site.pages |= {"/": "<script>setTimeout(() => location = '/next', 50)</script>", "/next": "<p>arrived</p>"}
    probe = Probe(table_of({"text": "arrived"}))
    await browser.page.navigate(site.url("/"))
    async with asyncio.timeout(10):
        while True:  # as fast as can be, so that snapshots fall between documents
            snapshot = await probe.read(browser.page)
            if snapshot is not None and snapshot.seen:
                break


async def test_a_bad_selector_is_named_and_harms_no_other(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = "<p>x</p>"
    await browser.page.navigate(site.url("/"))
    probe = Probe(table_of({"css": "p["}, {"css": "p"}))
    await read(browser, table_of({"css": "p"}))
    snapshot = await probe.read(browser.page)
    assert snapshot is not None
    assert snapshot.seen == {Match(css="p")}
    assert probe.bad_selectors == {"p["}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
async def test_chromium_accepts_every_selector_of_a_shipped_table(
    path: Any, browser: Browser, site: SyntheticSite
) -> None:
    site.pages["/"] = "<div class='lk-participant-tile'></div>"
    await browser.page.navigate(site.url("/"))
    table = platform_table(path.stem)
    await read(browser, table)
    probe = Probe(table)
    assert await probe.read(browser.page) is not None
    assert probe.bad_selectors == frozenset()


async def test_sees_people_and_who_speaks(browser: Browser, site: SyntheticSite) -> None:
    tile = (
        "<div class=lk-participant-tile data-lk-local-participant={own} data-lk-speaking={speaks} {more}>{name}</div>"
    )
    name = "<span class=lk-participant-name>{}</span>"
    site.pages["/"] = "".join(
        tile.format(own=own, speaks=speaks, more=more, name=name.format(who) if who else "")
        for own, speaks, more, who in [
            ("true", "false", "", "Meeting Buddy"),
            ("false", "true", "", "Ada \u202eLovelace"),
            ("false", "false", "", "x" * 300),
            ("false", "false", "data-lk-source=screen_share", "Ada's screen"),
            ("false", "false", "", ""),
        ]
    )
    await browser.page.navigate(site.url("/"))
    people = (await read(browser, platform_table("livekit"))).people
    assert [(person.name, person.own, person.speaking) for person in people] == [
        ("Meeting Buddy", True, False),
        ("Ada Lovelace", False, True),
        ("x" * 100, False, False),
        ("", False, False),
    ]


async def test_a_name_of_any_code_units_is_read_whole_and_can_be_written(
    browser: Browser, site: SyntheticSite, tmp_path: Path
) -> None:
    smile = "\U0001f600"
    site.pages["/"] = f"""
      <div class=tile><b class=who>{"x" * 99}{smile}{smile}</b></div>
      <div class=tile><b class=who id=lone></b></div>
      <div class=tile><b class=who id=huge></b></div>
      <script>
        lone.textContent = 'a\\ud83d';
        huge.textContent = 'y'.repeat(1999) + '{smile}'.repeat(1e6);
        console.log('log \\ud83d'); alert('dialog \\udc00\\u202e');
      </script>"""
    await browser.page.navigate(site.url("/"))
    snapshot = await read(browser, synthetic_table(), "lone.textContent !== ''")
    assert [person.name for person in snapshot.people] == ["x" * 99 + smile, "a\ufffd", "y" * 100]
    assert list(browser.page.alerts) == ["dialog \ufffd"]
    assert list(browser.page.console) == ["log \ufffd"]
    events = EventLog(tmp_path / "events.jsonl", SessionClock())
    events.write("people", current=[person.name for person in snapshot.people])
    await events.close()
    [line] = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["current"][0] == "x" * 99 + smile
    assert "debug/names.html" in await collect(browser.page, Volume(tmp_path), "names", [], Redactor())
    assert "a\ufffd" in (tmp_path / "debug/names.html").read_text()


async def test_sees_clocks_run_and_stand(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = """<audio id=a></audio><script>
      const context = new AudioContext(), out = context.createMediaStreamDestination();
      const tone = context.createOscillator(); tone.connect(out); tone.start();
      a.srcObject = out.stream; a.play();
    </script>"""
    await browser.page.navigate(site.url("/"))
    table = table_of({"css": "p"})
    clocks = []
    for _ in range(3):
        clocks.append((await read(browser, table)).audio)
        await asyncio.sleep(0.5)
    assert clocks[0][0][0] == clocks[2][0][0]
    assert clocks[0][0][1] < clocks[2][0][1]
