"""The browser while all is well: ordinary, sandboxed, unprivileged; it tells of pages, and keeps them in."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.errors import NavigationError
from tests.bot.container import SCREEN, BrowserContainer
from tests.bot.test_browser import BLANK, command_line, value
from tests.bot.test_probe import browser, site  # noqa: F401 -- fixtures
from tests.local.media.probe import run
from tests.support.awaiting import until
from tests.support.machine_wide import another_interface
from tests.support.synthetic_pages import ELSEWHERE, HOME, SyntheticSite
from tests.support.unprivileged import UID

pytestmark = pytest.mark.asyncio(loop_scope="module")


def status_of(pid: int) -> dict[str, str]:
    """Of /proc."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


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


# The page


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


async def test_notes_the_host_of_every_document(
    browser: Browser, site: SyntheticSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[str] = []
    monkeypatch.setattr(browser.page, "on_host", hosts.append)
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
