"""From a debug-mode bot's `debug/` to a pack, and from the pack to what a table makes of each of its pages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM, Signals
from typing import Any

import pytest
import pytest_asyncio
import yaml

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.platforms.diagnostics import collect
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.tools.offline_browser import OfflineBrowser
from meeting_buddy_bot.tools.page_pack import SavedDocument, SavedPage, read_page
from tests.bot.attending import Attending
from tests.bot.container import SCREEN, BrowserContainer
from tests.local.clone import REPOSITORY
from tests.local.machine.certificates import Authority
from tests.local.machine.process import command_lines
from tests.local.meetings.platform_site import PlatformSite
from tests.support.awaiting import PATIENCE
from tests.support.platform_tables import platform_table
from tests.support.synthetic_pages import SyntheticSite

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLATFORM = "zoom"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": ":".join(str(REPOSITORY / part) for part in ("operator", "bot-image")),
}


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`python -m meeting_buddy_bot` with these arguments."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "meeting_buddy_bot", *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=250,
    )


async def attended(
    container: BrowserContainer, folder: Path, link: str, *, debug_mode: bool, leave_at: str | None = None
) -> Path:
    """The folder of a session that was told to leave once a state was saved, or that ended by itself."""
    async with Attending(container.url, folder, link, platform_table(PLATFORM), debug_mode=debug_mode) as bot:
        if leave_at is not None:
            await bot.until(lambda report: any(path.endswith(f"-{leave_at}.html") for path in report.evidence))
            bot.leave.request(Reason.LEAVE_REQUESTED)
        await bot.ending()
    return folder


async def packed(session: Path, out: Path) -> Path:
    """The pack that the command makes of a session."""
    made = await asyncio.to_thread(command, "pack", session, out)
    assert made.returncode == 0, made.stderr
    assert "look the files over" in made.stdout
    return out


def states(pack: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((pack / "pack.yaml").read_text())["states"])


def keep_states(pack: Path, *files: str) -> None:
    """As somebody does who looks a pack over: without the pages that were gone before they were saved."""
    document = yaml.safe_load((pack / "pack.yaml").read_text())
    document["states"] = {name: each for name, each in document["states"].items() if each["file"].endswith(files)}
    (pack / "pack.yaml").write_text(yaml.safe_dump(document))


async def checked_pages(pack: Path, table: str | Path = "built-in") -> dict[str, Any]:
    """What the command says of each page; the exit code must be that of what it says."""
    done = await asyncio.to_thread(command, "table", "check", table, pack, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == (0 if document["agrees"] else 1), done.stderr
    return {page["page"]: page for page in document["pages"]}


def labels(session: Path, name: str) -> list[str]:
    """What matched on a page when the bot saw it."""
    heard = json.loads((session / "debug" / f"{name}.signals.json").read_text())
    return [str(each) for each in heard["signals"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(
    sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A session in debug mode that was in a meeting."""
    link = sites[PLATFORM].meeting("meeting")
    folder = tmp_path_factory.mktemp("session")
    return await attended(sites_container, folder, link, debug_mode=True, leave_at="inCall")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pack(session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its pack: the pages on which it stayed."""
    made = await packed(session, tmp_path_factory.mktemp("packs") / "pack")
    assert "preJoin" in {state["shows"] for state in states(made).values()}
    keep_states(made, "-inCall", "LeaveRequested")
    return made


async def test_the_table_sees_on_saved_pages_the_call_that_the_bot_saw(session: Path, pack: Path) -> None:
    pages = await checked_pages(pack)
    first, *_, last = pages.values()
    assert {(page["agrees"], page["seen"]["state"]) for page in pages.values()} == {(True, "inCall")}
    assert first["page"] == "in-call"
    saw = labels(session, "LeaveRequested")  # a step that was just being taken need not be on the saved page any more
    evidence = last["evidence"]
    assert evidence
    assert [each for each in evidence if not each.startswith("step: ")] == [
        each for each in saw if not each.startswith("step: ")
    ]
    assert states(pack)[last["page"]]["after"] == "in-call"


async def test_the_table_sees_the_waiting_room_that_the_bot_saw(
    sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    link = sites[PLATFORM].meeting("lobby")
    folder = await attended(sites_container, tmp_path / "session", link, debug_mode=True, leave_at="lobby-WaitingRoom")
    pack = await packed(folder, tmp_path / "pack")
    keep_states(pack, "LeaveRequested")
    [page] = (await checked_pages(pack)).values()
    assert page["agrees"]
    assert (page["seen"]["state"], page["seen"]["waiting"]) == ("lobby", "WaitingRoom")
    assert page["evidence"] == labels(folder, "LeaveRequested")


async def test_a_failure_without_debug_mode_makes_a_pack_of_one_page(
    sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    folder = await attended(sites_container, tmp_path / "session", sites[PLATFORM].meeting("denied"), debug_mode=False)
    pages = await checked_pages(await packed(folder, tmp_path / "pack"))
    assert list(pages) == ["refused-entry-denied"]
    page = pages["refused-entry-denied"]
    assert page["agrees"]
    assert (page["seen"]["state"], page["seen"]["reason"]) == ("refused", "EntryDenied")
    assert page["evidence"] == labels(folder, "EntryDenied")


async def test_the_next_step_is_told_from_what_the_fields_held(
    sites: dict[str, PlatformSite], sites_container: BrowserContainer, tmp_path: Path
) -> None:
    link = sites[PLATFORM].at("pre-join-passcode", passcode="")
    folder = await attended(sites_container, tmp_path / "session", link, debug_mode=False)
    [page] = (await checked_pages(await packed(folder, tmp_path / "pack"))).values()
    assert page["agrees"]
    assert (page["seen"]["state"], page["seen"]["step"]) == ("preJoin", "passcode")
    assert page["evidence"] == labels(folder, "PasscodeMissing")


async def test_a_table_whose_signs_of_the_call_are_wrong_is_told_by_the_page(pack: Path, tmp_path: Path) -> None:
    document = platform_table(PLATFORM).model_dump(mode="json", by_alias=True)
    for signal in document["signals"]:
        if signal["state"] == "inCall":
            signal["none"].append({"url": "/"})
            signal["source"] = "a mistake made in tests, 2026-11-26"
    (broken := tmp_path / "zoom.yaml").write_text(yaml.safe_dump(document))
    checked = await asyncio.to_thread(command, "table", "check", broken, pack)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    differing = {line.split()[1].rstrip(":") for line in checked.stdout.splitlines() if line.startswith("DIFFERS")}
    assert differing == {name for name, state in states(pack).items() if state["shows"] == "inCall"}
    assert "in-call" in differing


async def test_an_override_is_merged_into_the_built_in_table(pack: Path, tmp_path: Path) -> None:
    call = {"state": "refused", "reason": "EntryDenied", "any": [{"url": "/"}], "source": "tests, 2026-11-26"}
    override = {"platform": "Zoom", "tableHash": "0" * 16, "signals": {"prepend": [call]}}
    (file := tmp_path / "zoom.yaml").write_text(yaml.safe_dump(override))
    checked = await asyncio.to_thread(command, "table", "check", file, pack, "--json")
    assert checked.returncode == 1
    assert "another version of the built-in table" in checked.stderr
    pages = {page["page"]: page for page in json.loads(checked.stdout)["pages"]}
    assert pages["in-call"]["seen"]["reason"] == "EntryDenied"
    assert "inCall" in pages["in-call"]["evidence"], "the built-in signals are still there"


def processes(word: str) -> list[int]:
    """Those that have the word in their command line."""
    return [pid for pid, line in command_lines() if word.encode() in line]


def content(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder for files that Chromium's user may reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.parametrize("number", [SIGTERM, SIGHUP])
async def test_a_command_that_is_ended_leaves_nothing_running(
    number: Signals, tmp_path: Path, open_folder: Path
) -> None:
    names = [f"page-{each}" for each in range(1000)]  # more than there is time for
    for name in names:
        (tmp_path / f"{name}.html").write_text("<!-- page zoom.us / -->\n<html></html>")
    states = {name: {"shows": None} for name in names}
    document = {"platform": "Zoom", "origin": "tests", "hosts": ["zoom.us"], "states": states}
    (tmp_path / "pack.yaml").write_text(yaml.safe_dump(document))
    checking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "meeting_buddy_bot", "table", "check", "built-in", str(tmp_path)),
        env={**ENVIRONMENT, "TMPDIR": str(open_folder)},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while not processes(str(open_folder)):  # noqa: ASYNC110 -- nothing tells that Chromium has started
                await asyncio.sleep(0.05)
            checking.send_signal(number)
            assert await checking.wait() == 128 + number
            while processes(str(open_folder)):  # noqa: ASYNC110 -- Chromium's children end after it
                await asyncio.sleep(0.05)
        assert content(open_folder) == []
    finally:
        for process in processes(str(open_folder)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, SIGKILL)


# How a saved page is drawn


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def offline() -> AsyncIterator[OfflineBrowser]:
    """Chromium without a network."""
    async with OfflineBrowser() as browser:
        yield browser


async def values(browser: OfflineBrowser, expression: str) -> list[Any]:
    return [answer.value for answer in await browser.page.evaluate(expression)]


async def test_pages_and_frames_are_drawn_under_their_own_addresses_and_run_nothing(offline: OfflineBrowser) -> None:
    page = SavedDocument(
        "app.zoom.us:8443",
        "/wc/[redacted]/join",
        '<html><body><iframe src="//frames.example/one"></iframe><iframe src="//frames.example/moved"></iframe>'
        '<iframe src="//nowhere.example/"></iframe><img src="https://pictures.example/a.png">'
        "<script>document.title = 'ran'</script><b onclick=0>page</b></body></html>",
    )
    frames = (
        SavedDocument("frames.example", "/one", "<html><body>first</body></html>"),
        SavedDocument("frames.example", "/two", "<html><body>second</body></html>"),
        SavedDocument("absent.example", "/", "<html><body>third</body></html>"),
    )
    assert await offline.show(SavedPage(page, frames)) == frames[2:]
    seen = await values(offline, "[location.host, decodeURI(location.pathname), document.body?.innerText.trim()]")
    assert seen[0] == ["app.zoom.us:8443", "/wc/[redacted]/join", "page"]
    assert sorted(seen[1:]) == [
        ["frames.example", "/one", "first"],
        ["frames.example", "/two", "second"],
        ["nowhere.example", "/", ""],
    ]
    assert await values(offline, "document.title") == [""] * 4
    assert (await values(offline, "document.images[0]?.naturalWidth ?? null"))[0] == 0


async def test_a_page_after_another_of_the_same_address_is_the_new_one(offline: OfflineBrowser) -> None:
    for text in ("one", "two"):
        await offline.show(SavedPage(SavedDocument("zoom.us", "/", f"<html><body>{text}</body></html>")))
        assert await values(offline, "document.body.innerText") == [text]


STYLED = """<style>
  .gone { display: none } .unseen { visibility: hidden } .clear { opacity: 0 } .flat { width: 0; overflow: hidden }
  .icon { display: inline-block; width: 40px; height: 40px } .line { display: block }
</style>
<p id=gone class=gone>gone</p> <p id=unseen class=unseen>unseen <b id=inner>inner</b></p>
<div id=clear class=clear><button id=within>within</button></div> <div id=flat class=flat></div>
<i id=icon class=icon></i> <span id=line class=line>Join</span>now
<div id=host><template shadowrootmode=open><style>p { display: none }</style><p>shadow</p></template></div>
<input id=filled><input id=empty placeholder=Name><input type=checkbox id=on><input type=submit id=send value=Ask>
<script>filled.value = 'Grace Hopper'; on.checked = true</script>"""


async def loaded(browser: Browser) -> bool:
    answers = await browser.page.evaluate("document.readyState === 'complete' && document.scripts.length")
    return bool(answers) and bool(answers[0].value)


SHOWN = """
JSON.stringify({
  shown: Object.fromEntries([...document.querySelectorAll('[id]')].map(each => {
    const box = each.getBoundingClientRect();
    return [each.id, each.checkVisibility({opacityProperty: true, visibilityProperty: true})
      && box.width > 0 && box.height > 0];
  })),
  text: document.body.innerText.replace(/\\s+/g, ' ').trim(),
  shadow: document.querySelector('#host').shadowRoot.querySelector('p').checkVisibility(),
  filled: [filled.value !== '', empty.value !== ''], on: on.checked, send: send.value,
})"""


async def test_a_saved_page_shows_what_the_page_showed_without_its_styles(
    sites_container: BrowserContainer, authority: Authority, offline: OfflineBrowser, tmp_path: Path
) -> None:
    browser = Browser(SCREEN, sites_container.url)
    await browser.start()
    try:
        async with SyntheticSite(authority) as site:
            site.pages["/"] = STYLED
            await browser.page.navigate(site.url("/"))
            async with asyncio.timeout(60):
                while not await loaded(browser):  # noqa: ASYNC110 -- nothing tells that a document has come
                    await asyncio.sleep(0.05)
            [there] = await browser.page.evaluate(SHOWN)
            await collect(browser.page, Volume(tmp_path), "page", [], Redactor(), list[str]().append)
    finally:
        await browser.close()
    saved = read_page(tmp_path / "debug" / "page.html")
    assert "Grace Hopper" not in saved.document.html
    assert await offline.show(saved) == ()
    [here] = await values(offline, SHOWN)
    assert json.loads(here) == json.loads(there.value)
    assert json.loads(here)["shown"]["within"] is False, "of a page on which something is hidden"
    assert json.loads(here)["shown"]["icon"] is True
