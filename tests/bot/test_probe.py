"""What the probe sees in real Chromium, and what it does not let itself be told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from meeting_buddy.contract.locator import Role
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.table import Match, PlatformTable, Signal, State
from meeting_buddy.contract.table_reader import load_table
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import PageTimeoutError
from meeting_buddy_bot.browser.frames import Frames
from meeting_buddy_bot.platforms.diagnostics import collect
from meeting_buddy_bot.platforms.probe import PageSnapshot, Probe
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from tests.support.awaiting import PATIENCE
from tests.support.platform_tables import platform_table
from tests.support.small_table import SOURCE, raw_table
from tests.support.synthetic_pages import HANG, SyntheticSite
from tests.support.synthetic_table import synthetic_table
from tests.unit.test_table import SHIPPED

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared_browser: Browser) -> Browser:
    """One for all tests, as long as it lives: none of them ends it."""
    if not shared_browser.alive:
        await shared_browser.start()
    return shared_browser


@pytest.fixture
def site(shared_browser_site: SyntheticSite) -> SyntheticSite:
    """In the event loop of that browser."""
    return shared_browser_site


def table_of(*matches: dict[str, Any], **elements: Any) -> PlatformTable:
    """A table that asks about these matches, and whether these elements are there.

    An element is a locator or several, without their source; `_` stands for a blank in its name.
    """
    raw = raw_table()
    for name, found in elements.items():
        alternatives = found if isinstance(found, list) else [found]
        raw["elements"][name.replace("_", " ")] = [{**each, "source": SOURCE} for each in alternatives]
    asked = [*matches, *({"element": name.replace("_", " ")} for name in elements)]
    if asked:
        raw["signals"].append({"state": "preJoin", "any": asked, "source": SOURCE})
    return load_table(raw)


def there(snapshot: PageSnapshot) -> set[str]:
    """Names of the elements that were asked for, and are there."""
    return {
        match.element for match in snapshot.seen if match.element is not None and match == Match(element=match.element)
    }


async def read(browser: Browser, table: PlatformTable, ready: str = "true") -> PageSnapshot:
    """A snapshot of the page once it is complete and `ready` (JavaScript) holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answers = await browser.page.evaluate(f"document.readyState === 'complete' && ({ready})")
            if answers and answers[0].value:
                break
            await asyncio.sleep(0.05)
    snapshot = await Probe(table).read(browser.page)
    assert snapshot is not None
    return snapshot


SEEN: dict[str, Any] = {
    "shown": {"css": "#shown"},
    "shown_text": {"css": "#shown", "text": "join NOW"},
    "twice": {"css": ".twice"},
    "quoted": {"text": 'You\'ve been removed from "Weekly - sync"'},
    "second": {"css": ".twice", "nth": 1},
    "last": {"css": ".twice", "nth": -2},
    "audio": {"css": "audio", "visible": False},
    "big": {"css": "#big", "minWidth": 120, "minHeight": 40},
    "inside": {"css": "b", "within": "shown"},
    "otherwise": [{"css": "#none"}, {"css": "#shown"}],
    "in_frame": {"css": "#shown", "frame": "/PAGE?x"},
}
NOT_SEEN: dict[str, Any] = {
    "none": {"css": "#none"},
    "hidden": {"css": "#hidden"},
    "invisible": {"css": "#invisible"},
    "transparent": {"css": "#transparent"},
    "nothing": {"css": "#nothing-in-it"},
    "unseen_audio": {"css": "audio"},
    "other_text": {"css": "#shown", "text": "leave"},
    "third": {"css": ".twice", "nth": 2},
    "first_b": {"css": ".twice", "text": "b", "nth": 1},
    "hidden_text": {"text": "secret of a hidden part"},
    "small": {"css": "#small", "minWidth": 120, "minHeight": 40},
    "outside": {"css": "i", "within": "shown"},
    "itself": {"css": "#shown", "within": "shown"},
    "elsewhere": {"css": "#shown", "frame": "other.example"},
}
HOLD: tuple[dict[str, Any], ...] = (
    {"element": "twice", "atLeast": 2},
    {"element": "off", "enabled": False},
    {"element": "shown", "enabled": True},
    {"element": "pressed", "on": True},
    {"element": "unchecked", "on": False},
    {"element": "people", "number": {"min": 1200, "max": 1200}},
    {"path": "/page"},
    {"url": "/PAGE?x"},
    {"title": "synthetic"},
)
DO_NOT_HOLD: tuple[dict[str, Any], ...] = (
    {"element": "twice", "atLeast": 3},
    {"element": "off", "enabled": True},
    {"element": "aria", "enabled": True},
    {"element": "pressed", "on": False},
    {"element": "unchecked", "on": True},
    {"element": "people", "number": {"max": 1199}},
    {"element": "shown", "number": {"min": 0}},
    {"path": "/pag"},
    {"title": "other"},
    {"dialog": "nothing was said"},
    {"console": ["nothing was logged"]},
)
PAGE = """
<button id=shown>Join&nbsp;&nbsp;<b>now</b></button> <i class=twice>a</i> <i class=twice>b</i>
<p>You\u2019ve been removed\n from \u201cWeekly \u2013 sync\u201d</p>
<p id=hidden hidden>secret of a hidden part</p> <p id=invisible style="visibility:hidden">x</p>
<div style="opacity:0"><p id=transparent>x</p></div> <p id=nothing-in-it></p>
<button id=off disabled>off</button> <button id=aria aria-disabled=true>off</button> <audio></audio>
<button id=pressed aria-pressed=true>mic</button> <input id=unchecked type=checkbox> <h2>Participants (1,200)</h2>
<div id=big style="width:300px;height:74px"></div> <div id=small style="width:256px;height:20px"></div>
"""


async def test_sees_what_a_person_sees(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/page"] = PAGE
    await browser.page.navigate(site.url("/page?x"))
    others = {"off": {"css": "#off"}, "aria": {"css": "#aria"}, "people": {"css": "h2"}}
    others |= {"pressed": {"css": "#pressed"}, "unchecked": {"css": "#unchecked"}}
    snapshot = await read(browser, table_of(*HOLD, *DO_NOT_HOLD, **SEEN, **NOT_SEEN, **others))
    assert there(snapshot) == {name.replace("_", " ") for name in (*SEEN, *others)}
    assert [match for match in HOLD if Match(**match) not in snapshot.seen] == []
    assert [match for match in DO_NOT_HOLD if Match(**match) in snapshot.seen] == []
    assert snapshot.status == 200


COUNTS = """
<button aria-label=People>x</button> <div id=avatars>%s</div>
"""


@pytest.mark.parametrize(("avatars", "count"), [("4", 4), ("", None), ("+3", None), ("+12", None)])
async def test_the_first_locator_that_finds_a_number_counts_the_people(
    browser: Browser, site: SyntheticSite, avatars: str, count: int | None
) -> None:
    raw = raw_table()
    raw["elements"]["head count"] = [{"css": each, "source": SOURCE} for each in ("button", "#avatars")]
    raw["participants"]["count"] = "head count"
    site.pages["/count"] = COUNTS % avatars
    await browser.page.navigate(site.url("/count"))
    assert (await read(browser, load_table(raw))).count == count


SHADOWS = """
<div id=outer></div> <div id=closed></div>
<script>
  const outer = document.querySelector('#outer').attachShadow({mode: 'open'});
  outer.innerHTML = `<section><span class=title>Waiting <b>room</b></span><div id=inner></div></section>`;
  outer.querySelector('#inner').attachShadow({mode: 'open'}).innerHTML =
    `<label>Your name<input id=name value="Ada"></label><p hidden>not shown</p>`;
  document.querySelector('#closed').attachShadow({mode: 'closed'}).innerHTML = `<p>Automated bots are not welcome</p>`;
</script>"""


async def test_sees_into_open_shadow_roots_however_deep(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = SHADOWS
    await browser.page.navigate(site.url("/"))
    table = table_of(
        title={"css": ".title", "text": "waiting room"},
        words={"text": "waiting room"},
        field={"css": "#name"},
        labelled={"role": "textbox", "name": "Your name"},
        within={"css": "#name", "within": "outer"},
        outer={"css": "#outer"},
        hidden={"text": "not shown"},
        closed={"text": "automated bots"},
    )
    seen = there(await read(browser, table))
    assert seen == {"title", "words", "field", "labelled", "within", "outer", "closed"}


async def test_looks_into_closed_shadow_roots_only_while_nothing_else_is_recognised(
    browser: Browser, site: SyntheticSite
) -> None:
    site.pages["/"] = SHADOWS + "<p>Please wait</p>"
    await browser.page.navigate(site.url("/"))
    raw = table_of(closed={"text": "automated bots"}, wait={"text": "please wait"}, hidden={"text": "not shown"})
    lobby = Signal(state=State.LOBBY, all=(Match(element="wait"),))
    waiting = raw.model_copy(update={"signals": (*raw.signals, lobby)})
    assert there(await read(browser, waiting)) == {"wait"}
    assert there(await read(browser, raw)) == {"wait", "closed"}


NAMES = """
<button>Plain <i>words</i></button> <button aria-label="Leave (Ctrl+Shift+H)"><svg></svg></button>
<button><img alt="Picture"></button> <span id=l1>First</span> <span id=l2 hidden>second</span>
<div role=button tabindex=0 aria-labelledby="l1 l2">x</div> <input type=submit> <input type=button value="Press me">
<label>Wrapped <input></label> <label for=f1>For it</label><input id=f1 type=email>
<input placeholder="Type your name"> <input title="Titled"> <a href="#x">Join from <b>browser</b></a>
<h1>Meeting <span aria-hidden=true>(hidden)</span>ended</h1> <div role=dialog aria-label="Meeting is locked">x</div>
<div role=heading aria-level=2>Participants (7)</div> <label><input type=checkbox> I agree</label>
<button title="Only titled"></button> <button><span style="display:none">gone</span>Seen</button>
<fieldset><legend>Devices</legend></fieldset> <div role=switch aria-checked=true>Camera</div>
<button>Two<div>blocks</div></button> <button aria-label=" ">Blank label</button>
<details><summary>More</summary></details>
"""


async def test_names_are_what_a_screen_reader_has(browser: Browser, site: SyntheticSite) -> None:
    """Chromium's own accessibility tree is the judge of roles and names alike."""
    site.pages["/"] = NAMES
    await browser.page.navigate(site.url("/"))
    await read(browser, table_of())
    tree = await browser.page.call("Accessibility.getFullAXTree", {}, seconds=10)
    known = {role.value for role in Role}
    judged = {
        (node["role"]["value"], node["name"]["value"].strip())
        for node in tree["nodes"]
        if not node["ignored"] and node["role"]["value"] in known and node.get("name", {}).get("value", "").strip()
    }
    assert len(judged) > 20
    elements = {f"e{number}": {"role": role, "name": name} for number, (role, name) in enumerate(sorted(judged))}
    elements |= {f"w{number}": {"role": role, "name": f"{name}x"} for number, (role, name) in enumerate(sorted(judged))}
    seen = there(await read(browser, table_of(**elements)))
    assert [elements[name] for name in elements if (name in seen) != name.startswith("e")] == []


async def test_a_star_in_a_name_stands_for_anything(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = "<button aria-label='open the participants list pane,[12] particpants'>x</button>"
    await browser.page.navigate(site.url("/"))
    table = table_of(
        begins={"role": "button", "name": "Open the participants*"},
        ends={"role": "button", "name": "*particpants"},
        between={"name": "open*list pane*"},
        whole={"name": "open the participants list pane"},
        other={"name": "close*"},
        overlap={"name": "open the participants list pane,[12] particpants*particpants"},
    )
    assert there(await read(browser, table)) == {"begins", "ends", "between"}


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
        {"element": "same", "path": "/other"},
        same={"text": "in the same site"},
        other={"css": "#other", "text": "in another site"},
        unseen={"text": "in a frame that is not shown"},
        elsewhere={"text": "in the same site", "frame": "/other"},
    )
    async with asyncio.timeout(PATIENCE):
        while len((snapshot := await read(browser, table)).seen) < 2:  # noqa: ASYNC110 -- a page is asked
            await asyncio.sleep(0.05)
    assert snapshot.seen == {Match(element="same"), Match(element="other")}


async def test_the_page_cannot_fake_what_is_seen(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = """<p id=real>real</p><script>
      Document.prototype.querySelectorAll = () => [document.body];
      Element.prototype.checkVisibility = () => true;
      Object.defineProperty(HTMLElement.prototype, 'innerText', {get: () => 'fake'});
      String.prototype.includes = () => true;
      JSON.stringify = () => 'fake';
    </script>"""
    await browser.page.navigate(site.url("/"))
    snapshot = await read(browser, table_of(real={"css": "#real"}, fake={"css": "#fake"}, words={"text": "fake"}))
    assert there(snapshot) == {"real"}


async def test_a_frame_that_hangs_hides_nothing_else(hanging_browser: Browser, site: SyntheticSite) -> None:
    browser = hanging_browser
    site.pages |= {
        "/": "<p>outside</p><iframe src='%ELSEWHERE%/hangs'></iframe>",
        "/hangs": "<script>setTimeout(() => { for (;;); }, 300)</script>",
    }
    await browser.page.navigate(site.url("/"))
    await read(browser, table_of(outside={"text": "outside"}))
    await asyncio.sleep(0.5)  # until it hangs
    began = time.monotonic()
    snapshot = await read(browser, table_of(outside={"text": "outside"}), "1")
    assert there(snapshot) == {"outside"}
    assert time.monotonic() - began < 20  # the frame hangs for ever


async def test_a_page_that_hangs_costs_one_deadline(hanging_browser: Browser, site: SyntheticSite) -> None:
    browser = hanging_browser
    site.pages["/"] = "<p>x</p>"
    await browser.page.navigate(site.url("/"))
    await read(browser, table_of(words={"text": "x"}))
    await browser.page.evaluate(f"setTimeout(() => {{ {HANG} }})")
    with contextlib.suppress(PageTimeoutError):  # it hangs
        while True:
            await browser.page.evaluate("1", 1.0)
    costs = []
    for _ in range(3):  # a machine that stands still for a while may prolong one
        began = time.monotonic()
        with pytest.raises(PageTimeoutError):
            await Probe(table_of(words={"text": "x"})).read(browser.page)
        costs.append(time.monotonic() - began)
    assert 2.5 < min(costs) < 6  # two deadlines


async def test_who_asks_a_page_between_two_documents_lets_the_news_of_the_next_one_in(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Frames, "documents", lambda *_: [])
    news: list[str] = []
    asyncio.get_running_loop().call_soon(news.append, "arrived")
    assert await browser.page.evaluate("1") == []
    assert news == ["arrived"]


async def test_a_reading_survives_navigation(browser: Browser, site: SyntheticSite) -> None:
    site.pages |= {"/": "<script>setTimeout(() => location = '/next', 50)</script>", "/next": "<p>arrived</p>"}
    probe = Probe(table_of(arrived={"text": "arrived"}))
    await browser.page.navigate(site.url("/"))
    async with asyncio.timeout(PATIENCE):
        while True:  # as fast as can be, so that snapshots fall between documents
            snapshot = await probe.read(browser.page)
            if snapshot is not None and snapshot.seen:
                break


async def test_a_page_that_was_not_loaded_is_told_from_one_that_shows_nothing(
    browser: Browser, site: SyntheticSite
) -> None:
    """Also where the page itself went there; what is not loaded in a frame is no fault of the page's."""
    nowhere = "https://127.0.0.1:9/"
    site.pages |= {"/": f"<p>here</p><iframe src={nowhere}></iframe>", "/gone": "<p>gone</p>", "/down": "<p>down</p>"}
    site.statuses |= {"/gone": 410, "/down": 503}
    table = table_of(here={"text": "here"})
    failed = {}
    for path in ("/gone", "/down", "/"):
        await browser.page.navigate(site.url(path))
        failed[path] = (await read(browser, table)).failed
    assert failed == {"/gone": False, "/down": True, "/": False}
    await browser.page.evaluate(f"window === top && setTimeout(() => {{ location = '{nowhere}' }}); 1")
    shown = await read(browser, table, "location.protocol === 'chrome-error:'")
    assert (shown.failed, there(shown)) == (True, set())


async def test_a_bad_selector_is_named_and_harms_no_other(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = "<p>x</p>"
    await browser.page.navigate(site.url("/"))
    probe = Probe(table_of(bad={"css": "p["}, good={"css": "p"}))
    await read(browser, table_of())
    snapshot = await probe.read(browser.page)
    assert snapshot is not None
    assert there(snapshot) == {"good"}
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
    kept: list[str] = []
    await collect(browser.page, Volume(tmp_path), "names", [], Redactor(), kept.append)
    assert "debug/names.html" in kept
    assert "a\ufffd" in (tmp_path / "debug/names.html").read_text()


TRUSTED = "<meta http-equiv=Content-Security-Policy content=\"require-trusted-types-for 'script'\">"
"""Lets scripts write no address of what runs, and no handler."""


@pytest.mark.parametrize("policy", ["", TRUSTED], ids=["", "trusted types"])
async def test_no_address_of_a_saved_page_has_a_query(
    browser: Browser, site: SyntheticSite, tmp_path: Path, policy: str
) -> None:
    secret = "Geheim7"
    addresses = ["join.do?token={}", "../j.php?MTID={}", "./x?y={}", "?pwd={}", "/p#{}", "//h.test/p?x={}", "a#{}"]
    attributes = ["href", "formaction", "cite", "data-url", "data-join-href", "ping"]
    links = [f"<a {name}='{each.format(secret)}'>link</a>" for name in attributes for each in addresses]
    site.pages["/"] = f"""{policy}{"".join(links)}
      <a data-other='zoommtg:join?zak={secret}'></a> <a data-mb-look='{secret}' href='#top'></a>
      <img srcset='a.png?x={secret} 1x, b.png?x={secret} 2x'> <q onclick='go("?{secret}")'></q>
      <embed src='/e?{secret}'>
      <i style='color: #123456; background: url("/p?sig={secret}")'></i>
      <i style='background: url(/p#{secret}); color: red'></i> <b title='Why? #12345678'></b>"""
    await browser.page.navigate(site.url("/"))
    await read(browser, synthetic_table(), "document.querySelector('b') !== null")
    await collect(browser.page, Volume(tmp_path), "page", [], Redactor(), list[str]().append)
    kept = (tmp_path / "debug/page.html").read_text()
    assert secret not in kept
    for left in ('"join.do?…"', '"../j.php?…"', '"/p?…"', 'href="#top"', "color: #123456", "Why? #12345678"):
        assert left in kept


async def test_sees_clocks_run_and_stand(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = """<audio id=a></audio><script>
      const context = new AudioContext(), out = context.createMediaStreamDestination();
      const tone = context.createOscillator(); tone.connect(out); tone.start();
      a.srcObject = out.stream; a.play();
    </script>"""
    await browser.page.navigate(site.url("/"))
    table = table_of()
    [(element, first)] = (await read(browser, table)).audio
    async with asyncio.timeout(PATIENCE):
        while (now := (await read(browser, table)).audio) == ((element, first),):  # noqa: ASYNC110 -- a page
            await asyncio.sleep(0.1)
    assert now[0][0] == element
    assert now[0][1] > first
