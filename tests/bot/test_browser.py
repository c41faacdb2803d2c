"""The browser: bounded in all it does, and known to be dead within seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy_bot.browser import container as command
from meeting_buddy_bot.browser import page
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.cdp import Cdp, Params
from meeting_buddy_bot.browser.container import clear_leftovers
from meeting_buddy_bot.browser.errors import BrowserGoneError, CdpError, NavigationError, PageTimeoutError
from meeting_buddy_bot.browser.sandbox_check import judge_sandbox
from meeting_buddy_bot.browser.user_input import UserInput
from tests.bot.container import SCREEN, BrowserContainer
from tests.support.awaiting import PATIENCE, until
from tests.support.synthetic_pages import HANG, SyntheticSite, hang_until_answered

BLANK = "<h1>Hello</h1>"
HANGS = f"<h1>Hello</h1><script>onclick = () => {{ {HANG} }}</script>"


async def value(browser: Browser, expression: str) -> object:
    """Of an expression in the top frame, once it has one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answers = await browser.page.evaluate(f"document.readyState === 'complete' ? ({expression}) : undefined")
            if answers and answers[0].value is not None:
                return answers[0].value
            await asyncio.sleep(0.05)


async def death(browser: Browser) -> float:
    """How long it took until the browser was known to be dead, although nobody asked it anything; seconds."""
    began = time.monotonic()
    await until(lambda: not browser.alive)
    return time.monotonic() - began


async def eventually(holds: asyncio.Event) -> float:
    """How long it took, seconds."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        await holds.wait()
    return time.monotonic() - began


def command_line(pid: int) -> list[str]:
    """Switches of a Chromium process."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()


# Its sandbox


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Layer 1 Sandbox\tNamespace\nSeccomp-BPF sandbox\tYes\nYou are adequately sandboxed.", "seccomp"),
        ("Layer 1 Sandbox\tNone\nSeccomp-BPF sandbox\tYes\nYou are NOT adequately sandboxed.", "none"),
        ("Layer 1 Sandbox\tNamespace\nSeccomp-BPF sandbox\tNo\nYou are NOT adequately sandboxed.", "none"),
        ("Sandbox Status\n", None),
    ],
)
def test_judges_what_chromium_says_of_its_sandbox(text: str, verdict: str | None) -> None:
    assert judge_sandbox(text) == verdict


# What it opens


# A new browser for each: Chromium that has refused a file may die when it is led to chrome:// next.
@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "chrome://version", "view-source:https://meet.synthetic.test"]
)
async def test_nothing_of_the_machine_or_the_browser_can_be_opened(browser: Browser, address: str) -> None:
    with pytest.raises(NavigationError, match="ERR_BLOCKED_BY_ADMINISTRATOR"):
        await browser.page.navigate(address)


# Its frames


OTHER_SITE = "<p>around</p><iframe src='%ELSEWHERE%/inside'></iframe>"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each session was asked for the value of an expression; the tab's own is asked first."""
    counts: Counter[str] = Counter()
    call = Cdp.call

    async def counting(self: Cdp, method: str, params: Params | None = None, **others: Any) -> Params:
        if method == "Runtime.evaluate":
            counts[others["session"]] += 1
        return await call(self, method, params, **others)

    monkeypatch.setattr(Cdp, "call", counting)
    return counts


async def texts(browser: Browser, enough: Callable[[list[str]], bool] = lambda found: len(found) == 2) -> list[str]:
    """What the frames show, the top one first, once that is `enough`."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while not enough(found):
            await asyncio.sleep(0.05)
            found = [str(each.value) for each in await browser.page.evaluate("document.body?.innerText")]
    return found


def _loaded(found: list[str]) -> bool:
    """Whether both documents have a text by now: the frame's own, or that of the error in its place."""
    return len(found) == 2 and found[1].strip() not in ("", "None")


async def open_with_frame(browser: Browser, site: SyntheticSite) -> None:
    """Open the site's page; again where a change of this machine's network kept the frame out."""
    async with asyncio.timeout(PATIENCE):
        await browser.page.navigate(site.url("/"))
        while (await texts(browser, _loaded))[1].strip() != "inside":
            assert await browser.page.load_interrupted()
            await browser.page.navigate(site.url("/"))


async def test_a_frame_that_is_removed_meanwhile_owes_no_answer(
    browser: Browser, site: SyntheticSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_FRAME_SECONDS", 60)
    site.pages |= {"/": OTHER_SITE, "/inside": "inside"}
    await open_with_frame(browser, site)
    remove = "if (window === top) document.querySelector('iframe').remove(); else for (;;);"
    async with asyncio.timeout(50):
        answers = await browser.page.evaluate(remove, 60)
    assert [answer.top for answer in answers] == [True]
    assert await texts(browser, bool) == ["around"]


async def test_a_frame_whose_process_died_owes_no_answer_until_it_is_loaded_again(
    browser: Browser, site: SyntheticSite, monkeypatch: pytest.MonkeyPatch, asked: Counter[str]
) -> None:
    monkeypatch.setattr(page, "_FRAME_SECONDS", 60)
    site.pages |= {"/": OTHER_SITE, "/inside": "inside"}
    await open_with_frame(browser, site)
    *_, of_frame = asked
    async with asyncio.timeout(50):
        with pytest.raises(CdpError, match="gone"):
            await browser.page.call("Page.crash", {}, session=of_frame, seconds=60)
        assert [answer.top for answer in await browser.page.evaluate("1", 60)] == [True]
    again = "document.querySelector('iframe').src += '?again'"
    await browser.page.evaluate(again)
    while await texts(browser, _loaded) != ["around", "inside"]:
        assert await browser.page.load_interrupted()
        await browser.page.evaluate(again)


async def test_a_frame_that_hangs_is_not_asked_at_every_look_and_hides_no_frame_that_comes_late(
    browser: Browser, site: SyntheticSite, asked: Counter[str]
) -> None:
    site.pages |= {
        "/": OTHER_SITE,
        "/inside": "inside<script>onmessage = () => { for (;;); }</script>",
        "/late": "late",
    }
    await open_with_frame(browser, site)
    await browser.page.evaluate("window === top && frames[0].postMessage('hang', '*')")
    await texts(browser, lambda found: found == ["around"])
    of_tab, *_, of_frame = asked
    before, began = asked.copy(), time.monotonic()
    late = "document.body.append(Object.assign(document.createElement('iframe'), {src: '/late'}))"
    await browser.page.evaluate(f"if (window === top) {late};")
    for _ in range(10):
        assert "late" in await texts(browser, lambda found: "late" in found)
    assert asked[of_tab] - before[of_tab] > 12
    # Once in three seconds.
    assert asked[of_frame] - before[of_frame] <= 2 + (time.monotonic() - began) / 3


async def test_a_frame_that_hung_is_seen_once_it_answers(
    browser: Browser, site: SyntheticSite, asked: Counter[str]
) -> None:
    hang = f"{hang_until_answered('/awaited')} document.body.append(' at last');"
    site.pages |= {"/": OTHER_SITE, "/inside": f"inside<script>onmessage = () => {{ {hang} }}</script>", "/awaited": ""}
    site.held["/awaited"] = asyncio.Event()
    await open_with_frame(browser, site)
    await browser.page.evaluate("window === top && frames[0].postMessage('hang', '*')")
    await texts(browser, lambda found: found == ["around"])
    *_, of_frame = asked
    before = asked[of_frame]
    # It is asked once more when the deadline of the question before is over.
    assert await texts(browser, lambda _: asked[of_frame] > before) == ["around"]
    site.held["/awaited"].set()
    assert await texts(browser) == ["around", "inside at last"]


# Death


async def test_a_killed_chromium_is_known_to_be_dead_at_once(browser: Browser, container: BrowserContainer) -> None:
    os.kill(container.chromium()[0], signal.SIGKILL)
    print(f"\nknown dead after {await death(browser):.3f} s")
    with pytest.raises(BrowserGoneError):
        await browser.page.evaluate("1")
    await browser.start()
    assert browser.alive


async def test_a_crashed_tab_is_known_to_be_dead_at_once(
    browser: Browser, site: SyntheticSite, container: BrowserContainer
) -> None:
    site.pages["/"] = BLANK
    await browser.page.navigate(site.url("/"))
    await value(browser, "1")
    for pid in container.chromium():
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # a spare one may end by itself
            if "--type=renderer" in command_line(pid):
                os.kill(pid, signal.SIGKILL)
    print(f"\nknown crashed after {await eventually(browser.page.gone):.3f} s")
    with pytest.raises(BrowserGoneError):
        await browser.page.evaluate("1")
    assert not browser.alive
    await browser.start()
    await browser.page.navigate(site.url("/"))
    assert await value(browser, "document.title") == "Synthetic"


async def test_a_page_that_hangs_hangs_nobody_else(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = HANGS
    await browser.page.navigate(site.url("/"))
    await value(browser, "1")
    with pytest.raises(PageTimeoutError):
        await UserInput(browser.page).click(20, 40)
    began = time.monotonic()
    with pytest.raises(PageTimeoutError):
        await browser.page.evaluate("1", 1.0)
    assert time.monotonic() - began < 30  # its deadline is one second, the page hangs for ever
    await browser.start()  # ends the one that hangs
    await browser.page.navigate(site.url("/"))
    assert await value(browser, "document.title") == "Synthetic"


async def test_a_stopped_chromium_is_replaced_and_not_joined_by_a_second(
    browser: Browser, container: BrowserContainer
) -> None:
    before = set(container.chromium())
    os.kill(container.chromium()[0], signal.SIGSTOP)
    with pytest.raises(PageTimeoutError):
        await browser.page.screenshot(1.0)
    await browser.start()
    assert browser.alive
    assert not before & set(container.chromium())


async def test_waits_for_a_container_that_is_restarted(browser: Browser, container: BrowserContainer) -> None:
    container.kill()
    await death(browser)
    starting = asyncio.create_task(browser.start(100))
    await asyncio.sleep(1)  # the kubelet's back-off
    assert not starting.done()
    container.restart()  # here, not in a thread: a child that is to die with its parent dies with the parent's thread
    await starting
    assert browser.alive


async def test_gives_up_when_there_is_no_chromedriver() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        browser = Browser(SCREEN, f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(BrowserGoneError, match="did not answer"):
            await browser.start(1)
    assert not browser.alive
    await browser.close()


async def test_nothing_is_left_after_closing(browser: Browser, container: BrowserContainer) -> None:
    await browser.close()
    assert container.chromium() == []
    assert not browser.alive


# The container's command


def test_the_startup_probe_asks_chromedriver(container: BrowserContainer) -> None:
    assert command.main(["--ready", f"--port={container.port}"]) == 0
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert command.main(["--ready", f"--port={unused.getsockname()[1]}"]) == 1


def test_chromedriver_listens_on_loopback_alone(container: BrowserContainer) -> None:
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{container.port:04X}")
    ]
    assert listening
    assert {address.split(":")[0] for address in listening} <= {"0100007F", "00000000000000000000000001000000"}


def test_a_restarted_container_clears_what_a_killed_browser_left(tmp_path: Path) -> None:
    (tmp_path / "org.chromium.Chromium.scoped_dir.abc" / "Default").mkdir(parents=True)
    (tmp_path / ".org.chromium.Chromium.xyz").touch()
    (tmp_path / "kept").touch()
    clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
