"""The browser: ordinary, sandboxed, unprivileged; bounded in all it does, and known to be dead within seconds."""

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
from tests.local.media.probe import run
from tests.support.awaiting import PATIENCE, until
from tests.support.machine_wide import another_interface
from tests.support.synthetic_pages import ELSEWHERE, HOME, SyntheticSite
from tests.support.unprivileged import UID

BLANK = "<h1>Hello</h1>"
HANGS = "<h1>Hello</h1><script>onclick = () => { for (;;); }</script>"


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


def status_of(pid: int) -> dict[str, str]:
    """Of /proc."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def command_line(pid: int) -> list[str]:
    """Switches of a Chromium process."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()


# What it is


async def test_runs_sandboxed_and_without_privileges_and_tells_its_age(
    browser: Browser, container: BrowserContainer
) -> None:
    assert browser.alive
    assert browser.sandbox == "seccomp"
    processes = container.chromium()
    assert len(processes) > 3
    for pid in processes:
        status = status_of(pid)
        assert status["Uid"].split() == [str(UID)] * 4
        assert status["NoNewPrivs"] == "1"
    # Its children have capabilities in user namespaces of their own, which is how the sandbox is made.
    assert int(status_of(processes[0])["CapEff"], 16) == 0
    for switch in ("--no-sandbox", "--ignore-certificate-errors", "--disable-web-security", "--enable-automation"):
        assert switch not in command_line(processes[0])
    assert browser.version is not None
    assert int(browser.version.split(".")[0]) > 100
    assert browser.age_days is not None
    assert 0 <= browser.age_days < 3650


async def test_is_an_ordinary_browser_that_says_openly_that_it_is_automated(
    browser: Browser, site: SyntheticSite
) -> None:
    site.pages["/"] = BLANK
    await browser.page.navigate(site.url("/"))
    assert await value(browser, "navigator.webdriver") is True
    assert "HeadlessChrome" not in str(await value(browser, "navigator.userAgent"))
    width, height = SCREEN
    # One pixel more than the screen: see options.py.
    assert await value(browser, "[innerWidth, innerHeight, screenX, screenY]") == [width + 1, height + 1, 0, 0]
    assert await value(browser, "navigator.languages") == ["en-US", "en"]
    assert site.requested[-1].headers["Accept-Language"].startswith("en-US,en")
    # It trusts the administrator's authority and no other.
    assert await value(browser, "isSecureContext") is True
    with pytest.raises(NavigationError, match="ERR_CERT"):
        await browser.page.navigate(f"https://localhost:{site.port}/")


async def test_has_no_microphone_no_camera_and_no_notifications(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = BLANK + "<script>window.asked = []</script>"
    await browser.page.navigate(site.url("/"))
    for name in ("microphone", "camera", "notifications", "geolocation"):
        note = f"got => document.title += ' {name}=' + got.state"
        await value(browser, f"navigator.permissions.query({{name: '{name}'}}).then({note}) && 1")
    title = str(await value(browser, "document.title.split('=').length === 5 ? document.title : null"))
    assert title.count("=denied") == 4


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


# The page


async def test_a_network_that_changes_meanwhile_costs_no_load(browser: Browser, site: SyntheticSite) -> None:
    site.pages["/"] = BLANK
    connected, changed = asyncio.Event(), asyncio.Event()

    async def slow_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not changed.is_set():  # a handshake that never comes to its end
            connected.set()
            await reader.read()
        else:
            there, back = await asyncio.open_connection("127.0.0.1", site.port)
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        writer.close()

    async with await asyncio.start_server(slow_at_first, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        loading = asyncio.create_task(browser.page.navigate(f"https://{HOME}:{port}/"))
        await connected.wait()
        changed.set()
        await asyncio.to_thread(_interface_comes_and_goes)
        await loading
        assert await value(browser, "location.port") == str(port)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


def _interface_comes_and_goes() -> None:
    with another_interface():
        pass


async def test_names_why_a_page_cannot_be_loaded(browser: Browser) -> None:
    for host, net in (("no-such-host.test", "ERR_NAME_NOT_RESOLVED"), (HOME, "ERR_CONNECTION_REFUSED")):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(NavigationError) as failure:
                await browser.page.navigate(f"https://{host}:{unused.getsockname()[1]}/?secret=1")
        assert failure.value.net == net
        assert "secret" not in str(failure.value)


async def test_keeps_what_a_page_said_without_tokens_until_the_next_is_loaded(
    browser: Browser, site: SyntheticSite
) -> None:
    dialogs = "alert('invalid token: eyJhbGciOi.eyJleHAi.c2ln'); document.title = String(confirm('Stay?'))"
    logs = "console.info('leave (action=0)', {reason: 4, room: 'x'})"
    site.pages |= {"/": f"<script>{logs}; {dialogs}</script>", "/next": BLANK}
    await browser.page.navigate(site.url("/"))
    assert await value(browser, "document.title") == "true"
    assert list(browser.page.alerts) == ["invalid token: [token]", "Stay?"]
    assert list(browser.page.console) == ["leave (action=0) reason=4 room=x"]
    await browser.page.navigate(site.url("/next"))
    await value(browser, "1")
    assert (list(browser.page.alerts), list(browser.page.console)) == ([], [])


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


async def test_a_frame_that_hung_is_seen_once_it_answers(browser: Browser, site: SyntheticSite) -> None:
    busy = "for (const end = performance.now() + 20000; performance.now() < end;); document.body.append(' at last');"
    site.pages |= {"/": OTHER_SITE, "/inside": f"inside<script>onmessage = () => {{ {busy} }}</script>"}
    await open_with_frame(browser, site)
    await browser.page.evaluate("window === top && frames[0].postMessage('hang', '*')")
    await texts(browser, lambda found: found == ["around"])
    assert await texts(browser) == ["around", "inside at last"]


async def test_notes_the_host_of_every_document(browser: Browser, site: SyntheticSite) -> None:
    hosts: list[str] = []
    browser.page.on_host = hosts.append
    site.pages |= {"/": "<script>location = '%ELSEWHERE%/there'</script>", "/there": BLANK}
    await browser.page.navigate(site.url("/"))
    await until(lambda: len(hosts) == 2)
    assert hosts == [HOME, ELSEWHERE]


async def test_downloads_nothing(browser: Browser, site: SyntheticSite, container: BrowserContainer) -> None:
    site.pages["/"] = "<a id=save href='data:application/octet-stream,x' download=trap>save</a>"
    await browser.page.navigate(site.url("/"))
    await value(browser, "1")
    await value(browser, "document.querySelector('#save').click() ?? 1")
    await asyncio.sleep(0.5)  # nothing tells that something does not happen
    assert list(container.folder.rglob("trap*")) == []


APP_LINKS = """
<style>body { background: white }</style><iframe></iframe>
<script>
  setTimeout(() => { document.querySelector('iframe').src = 'msteams:/l/meetup-join/x' }, 100);
  setTimeout(() => { location.href = 'zoommtg://zoom.us/join?confno=1' }, 200);
  setTimeout(() => { document.title = 'tried' }, 1200);
</script>"""


async def test_a_page_that_calls_for_another_program_stays_as_it_is(
    browser: Browser, site: SyntheticSite, screen: str
) -> None:
    site.pages["/"] = APP_LINKS
    await browser.page.navigate(site.url("/"))
    await value(browser, "document.title === 'tried' ? 1 : null")
    grab = ("-f", "x11grab", "-i", screen, "-frames:v", "1", "-vf", "scale=64:36,format=gray")
    shown = await asyncio.to_thread(run, "ffmpeg", *grab, "-f", "rawvideo", "-")
    # A dialog of the browser's own would grey the page, a window of another program lie over it.
    assert sum(shown) / len(shown) > 245
    assert await value(browser, "location.protocol") == "https:"


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "chrome://version", "view-source:https://meet.synthetic.test"]
)
async def test_nothing_of_the_machine_or_the_browser_can_be_opened(browser: Browser, address: str) -> None:
    with pytest.raises(NavigationError, match="ERR_BLOCKED_BY_ADMINISTRATOR"):
        await browser.page.navigate(address)


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
