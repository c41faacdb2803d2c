"""Joining, in real Chromium, on synthetic pages: each way in, and each way of not getting in."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import Reason
from tests.bot.attending import Attending
from tests.bot.container import BrowserContainer
from tests.support.machine_wide import another_interface
from tests.support.synthetic_pages import ELSEWHERE, HOME, SyntheticSite
from tests.support.synthetic_table import join_page, says, synthetic_table

ROOM = "/rooms/weekly-sync-7431"


def attending(container: BrowserContainer, site: SyntheticSite, folder: Path, **more: Any) -> Attending:
    table = more.pop("table", None) or synthetic_table()
    return Attending(container.url, folder, site.url(ROOM + "?pwd=s3cretpass#frag-9secret"), table, **more)


async def test_joins_by_the_table_alone(container: BrowserContainer, site: SyntheticSite, tmp_path: Path) -> None:
    site.pages[ROOM] = join_page()
    async with attending(container, site, tmp_path, bot_name="Notes (bot)") as bot:
        await bot.until_recording()
        assert [line["step"] for line in await bot.events("step")] == ["cookies", "name", "join"]
        # The link's own query stays, and the table's is added.
        assert site.requested[0].query_string == "pwd=s3cretpass&lang=en"
        bot.leave.request(Reason.LEAVE_REQUESTED)
        await bot.ending()
        assert (await bot.events("left"))[0]["page_agrees"] is True


async def test_waits_in_the_lobby_and_says_so(container: BrowserContainer, site: SyntheticSite, tmp_path: Path) -> None:
    site.pages[ROOM] = join_page(says("The meeting has not started"))
    async with attending(container, site, tmp_path) as bot:
        await bot.until(lambda report: report.waiting is Waiting.NOT_STARTED)
        await bot.browser.page.evaluate(says("Someone will let you in soon"))
        report = await bot.until(lambda report: report.waiting is Waiting.WAITING_ROOM)
        assert report.phase is ReportPhase.JOINING
        assert not report.ever_joined
        site.pages[ROOM] = join_page()
        await bot.browser.page.evaluate("setTimeout(() => location.reload()); 1")
        report = await bot.until_recording()
        assert report.waiting is None
        assert [name for name, _ in bot.recorder.entries] == ["start"]


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (says("You can\u2019t come in"), Reason.ENTRY_DENIED),
        ("alert('Sorry, wrong passcode')", Reason.PASSCODE_WRONG),
        (says("Someone will let you in soon"), Reason.NOT_ADMITTED),
        (says("The meeting has not started"), Reason.MEETING_NOT_STARTED),
        (says("What nobody has ever seen"), Reason.JOIN_TIMEOUT),
    ],
)
async def test_ends_with_the_reason_that_the_page_gives(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path, then: str, reason: Reason
) -> None:
    site.pages[ROOM] = join_page(then)
    table = synthetic_table(**({"join": 5} if reason is Reason.JOIN_TIMEOUT else {}))
    async with attending(container, site, tmp_path, table=table, limits=Limits(waiting_room_seconds=2)) as bot:
        ended = await bot.ending()
        assert ended.reason is reason
        if reason is Reason.MEETING_NOT_STARTED:
            assert ended.message == "nobody had started the meeting when the bot's time to wait was over"
        assert not bot.report.ever_joined
        assert bot.recorder.entries == []
        assert container.chromium() == []


PASSCODE = "hunter-4711-hunter"
ASKS_FOR_PASSCODE = "<input id=passcode>" + join_page(
    f"document.querySelector('#passcode').value === '{PASSCODE}' ? enter() : ({says('That was not the passcode')})"
)


@pytest.mark.parametrize(
    ("passcode", "reason"), [(None, Reason.PASSCODE_MISSING), ("something else", Reason.PASSCODE_WRONG)]
)
async def test_a_passcode_is_tried_once_and_never_guessed(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path, passcode: str | None, reason: Reason
) -> None:
    site.pages[ROOM] = ASKS_FOR_PASSCODE
    async with attending(container, site, tmp_path, passcode=passcode) as bot:
        assert (await bot.ending()).reason is reason
        typed = [line["step"] for line in await bot.events("step")].count("passcode")
        assert typed == (0 if passcode is None else 1)


COVER = "<div id=cover style='position: fixed; inset: 0; background: white'>One moment, please.</div>"


async def test_the_secrets_passcode_is_typed_though_something_lies_over_the_page_for_a_moment(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = COVER + ASKS_FOR_PASSCODE
    async with attending(container, site, tmp_path, passcode=PASSCODE) as bot:
        async with asyncio.timeout(60):
            while len(await bot.events("step_failed")) < 5:  # noqa: ASYNC110 -- a file
                await asyncio.sleep(0.1)
        await bot.browser.page.evaluate("document.querySelector('#cover').remove(); 1")
        await bot.until_recording()
        assert PASSCODE not in (tmp_path / "events.jsonl").read_text()
        done = [line["step"] for line in await bot.events("step")]
        assert sorted(done) == ["cookies", "join", "name", "passcode"]


@pytest.mark.parametrize("covers", [False, True])
async def test_a_client_that_says_goodbye_late_is_heard_out(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path, covers: bool
) -> None:
    """Also where its button is still there, below what says that the bot has left."""
    shown = COVER.replace("One moment, please.", "The meeting has ended")
    covered = f"event.stopImmediatePropagation(); document.body.insertAdjacentHTML('beforeend', `{shown}`)"
    leaves = f"(event) => {{ setTimeout(() => fetch('/goodbye'), 800); {covered if covers else ''} }}"
    entered = f"enter(); document.querySelector('#leave').addEventListener('click', {leaves}, true)"
    site.pages |= {ROOM: join_page(entered), "/goodbye": ""}
    async with attending(container, site, tmp_path, table=synthetic_table(goodbye=5)) as bot:
        await bot.until_recording()
        bot.leave.request(Reason.LEAVE_REQUESTED)
        await bot.ending()
        assert (await bot.events("left"))[0]["page_agrees"] is True
        assert site.requested[-1].path == "/goodbye"


async def test_a_notice_in_the_call_is_accepted(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    notice = (
        "<button id=notice onclick=\"this.remove(); document.title = 'accepted'\">This meeting is recorded</button>"
    )
    later = f"enter(); setTimeout(() => document.body.insertAdjacentHTML('beforeend', `{notice}`), 1500)"
    site.pages[ROOM] = join_page(later.replace('"', "&quot;"))
    async with attending(container, site, tmp_path) as bot:
        await bot.until_recording()
        async with asyncio.timeout(60):
            while "notice" not in [line["step"] for line in await bot.events("step")]:  # noqa: ASYNC110 -- a file
                await asyncio.sleep(0.1)
        bot.leave.request(Reason.LEAVE_REQUESTED)
        assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED


async def test_clicks_that_a_page_did_not_hear_yet_are_made_again(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    deaf = (
        "<script>addEventListener('click', (event) => window.hears || event.stopImmediatePropagation(), true)</script>"
    )
    site.pages[ROOM] = deaf + join_page()
    async with attending(container, site, tmp_path, table=synthetic_table(join=60)) as bot:
        async with asyncio.timeout(60):
            while [line["step"] for line in await bot.events("step")].count("join") < 3:  # noqa: ASYNC110 -- a file
                await asyncio.sleep(0.1)
        hears = {"expression": "window.hears = true"}  # in the page's own world
        await bot.browser.page.call("Runtime.evaluate", hears, seconds=10)
        await bot.until_recording()


async def test_leaves_the_lobby_when_asked(container: BrowserContainer, site: SyntheticSite, tmp_path: Path) -> None:
    site.pages[ROOM] = join_page(says("Someone will let you in soon"))
    async with attending(container, site, tmp_path) as bot:
        await bot.until(lambda report: report.waiting is Waiting.WAITING_ROOM)
        bot.leave.request(Reason.LEAVE_REQUESTED)
        assert (await bot.ending()).reason is Reason.LEAVE_REQUESTED
        assert not bot.report.ever_joined
        assert bot.report.left_at is None


async def test_a_page_of_another_world_is_not_recognised(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = "<h1>Welcome to the redesign</h1>"
    async with attending(container, site, tmp_path, table=synthetic_table(load=10)) as bot:
        assert (await bot.ending()).reason is Reason.PAGE_NOT_RECOGNISED


async def test_a_site_in_trouble_is_unreachable(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = "<h1>Bad gateway</h1>"
    site.statuses[ROOM] = 502
    async with attending(container, site, tmp_path, table=synthetic_table(load=10)) as bot:
        result = await bot.ending()
        assert result.reason is Reason.PAGE_UNREACHABLE
        assert result.message == "the meeting's site answered 502"


async def test_a_site_that_comes_up_a_little_late_is_joined(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages[ROOM] = join_page()
    await site.stop()
    async with attending(container, site, tmp_path, table=synthetic_table(load=60)) as bot:
        async with asyncio.timeout(60):
            while not await bot.events("page_not_loaded"):  # noqa: ASYNC110 -- a file
                await asyncio.sleep(0.1)
        async with site:
            await bot.until_recording()


def frame_instead(host: str) -> str:
    """A page whose button is replaced by a frame when it is pressed."""
    return f"""<div id=cookies onclick="this.outerHTML = '<iframe src=https://{host}:%PORT%/>'">Cookies!</div>"""


@pytest.mark.parametrize(
    "page",
    [f"<script src=https://{HOME}:%PORT%/></script>", frame_instead(HOME), frame_instead(ELSEWHERE)],
    ids=["script", "frame", "frame of another site"],
)
async def test_a_page_that_shows_nothing_because_a_load_was_given_up_is_opened_again(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path, page: str
) -> None:
    connecting = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connecting.set()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(say_nothing, "127.0.0.1")
    site.pages[ROOM] = page.replace("%PORT%", str(server.sockets[0].getsockname()[1]))
    async with attending(container, site, tmp_path, table=synthetic_table(load=60)) as bot:
        async with asyncio.timeout(60):
            await connecting.wait()
        site.pages[ROOM] = join_page()
        with another_interface():
            await bot.until_recording()
        assert await bot.events("page_opened_again")
    server.close()


async def test_a_site_that_is_down_is_unreachable(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    await site.stop()
    async with attending(container, site, tmp_path, table=synthetic_table(load=10)) as bot:
        result = await bot.ending()
        assert result.reason is Reason.PAGE_UNREACHABLE
        assert "ERR_CONNECTION_REFUSED" in (result.message or "")


async def test_going_elsewhere_is_noted_by_host_alone(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    site.pages |= {ROOM: "<script>location = '%ELSEWHERE%/login?token=abc123'</script>", "/login": "<h1>Log in</h1>"}
    async with attending(container, site, tmp_path, table=synthetic_table(load=10)) as bot:
        assert (await bot.ending()).reason is Reason.PAGE_NOT_RECOGNISED
        assert [line["host"] for line in await bot.events("navigated_elsewhere")] == ["elsewhere.unrelated.test"]


async def test_a_failure_leaves_evidence_without_secrets(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NjM5MzR9.c2lnbmF0dXJl"
    key = "a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8"
    site.pages[ROOM] = f"""
      <h1>You can't come in</h1> <p>weekly-sync-7431 s3cretpass frag-9secret {token} {key}</p>
      <a href="/next?ticket=hush9">a</a> <iframe src="/inner?ticket=hush9"></iframe>
      <input id=typed value=prefilled> <textarea>drafted text</textarea>
      <script>document.querySelector('#typed').value = 'typed-in'; const inline = 'hush9';
      console.error('failed at https://x.test/a?ticket=hush9', '{token}')</script> <!-- hush9 -->"""
    site.pages["/inner"] = "<p>inner frame</p>"
    async with attending(container, site, tmp_path) as bot:
        assert (await bot.ending()).reason is Reason.ENTRY_DENIED
        assert bot.report.evidence == (
            "debug/EntryDenied.signals.json",
            "debug/EntryDenied.png",
            "debug/EntryDenied.html",
        )
    assert (tmp_path / "debug/EntryDenied.png").read_bytes().startswith(b"\x89PNG")
    document = (tmp_path / "debug/EntryDenied.html").read_text()
    assert "You can't come in" in document
    assert "inner frame" in document
    signals = (tmp_path / "debug/EntryDenied.signals.json").read_text()
    assert json.loads(signals)["signals"] == ["refused/EntryDenied"]
    for text in (document, signals, (tmp_path / "events.jsonl").read_text()):
        for secret in (
            *("s3cretpass", "frag-9secret", "weekly-sync-7431", token, key, "hush9"),
            *("typed-in", "prefilled", "drafted"),
        ):
            assert secret not in text


async def test_debug_mode_documents_every_state_without_names(
    container: BrowserContainer, site: SyntheticSite, tmp_path: Path
) -> None:
    shadow = "<div id=host><template shadowrootmode=open><p>inside a shadow root</p></template></div>"
    site.pages[ROOM] = shadow + join_page(
        "document.body.append('Someone will let you in soon'); window.addEventListener('let-in', enter)"
    )
    async with attending(container, site, tmp_path, debug_mode=True) as bot:
        await bot.until(lambda report: any("lobby-WaitingRoom" in path for path in report.evidence))
        await bot.browser.page.evaluate("dispatchEvent(new Event('let-in'))")
        await bot.until_recording()
        async with asyncio.timeout(60):
            while not list((tmp_path / "debug").glob("*inCall.html")):  # noqa: ASYNC110 -- files
                await asyncio.sleep(0.1)
        bot.leave.request(Reason.LEAVE_REQUESTED)
        await bot.ending()
    names = sorted(path.stem for path in (tmp_path / "debug").glob("*.html"))
    states = list(dict.fromkeys(name.partition("-")[2] for name in names))
    assert states[:3] == ["preJoin", "lobby-WaitingRoom", "inCall"]
    first, call = (min((tmp_path / "debug").glob(f"*-{state}.html")).read_text() for state in ("preJoin", "inCall"))
    assert re.search(r'<template shadowrootmode="open"><p [^>]*>inside a shadow root</p></template>', first)
    assert "Person 1" in call
    assert "Ada Lovelace" not in call
