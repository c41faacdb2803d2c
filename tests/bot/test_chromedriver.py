"""chromedriver: before a new session every other one is ended; two browsers would be two guests."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import aiohttp
import pytest

from meeting_buddy_bot.browser import chromedriver
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.browser.options import chromium_options
from tests.bot.container import SCREEN, BrowserContainer, screen_process
from tests.support.awaiting import PATIENCE, until
from tests.support.synthetic_pages import HANG, SyntheticSite

MakeContainer = Callable[..., contextlib.AbstractContextManager[BrowserContainer]]


async def forget_a_session(container: BrowserContainer) -> str:
    """Make a session as the bot does, and lose it; its number."""
    capabilities = {"capabilities": {"alwaysMatch": chromium_options(SCREEN).to_capabilities()}}
    async with aiohttp.ClientSession() as http, http.post(f"{container.url}/session", json=capabilities) as answer:
        return str((await answer.json())["value"]["sessionId"])


async def open_page(container: BrowserContainer, session: str, url: str) -> None:
    """Load a page in a session; again where a change of this machine's network interrupted that."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
        while True:
            async with http.post(f"{container.url}/session/{session}/url", json={"url": url}) as answer:
                if answer.ok:
                    return


async def sessions(container: BrowserContainer) -> int:
    """How many chromedriver holds."""
    async with aiohttp.ClientSession() as http, http.get(f"{container.url}/sessions") as answer:
        return len((await answer.json(content_type=None))["value"])


async def until_busy(container: BrowserContainer) -> None:
    """Return once chromedriver cannot list its sessions because one of them is busy."""
    while True:
        try:
            async with asyncio.timeout(5):
                await sessions(container)
        except TimeoutError:
            return


async def test_a_session_that_was_forgotten_is_ended_before_the_next_one(container: BrowserContainer) -> None:
    await forget_a_session(container)
    forgotten = set(container.chromium())
    assert forgotten
    browser = Browser(SCREEN, container.url)
    await browser.start()
    try:
        assert not forgotten & set(container.chromium())
        assert await sessions(container) == 1
    finally:
        await browser.close()
    assert container.chromium() == []


async def test_a_session_that_is_still_being_made_is_ended_before_the_next_one(
    make_container: MakeContainer,
) -> None:
    with screen_process(*SCREEN) as (screen, server), make_container(screen=screen) as container:
        server.send_signal(signal.SIGSTOP)  # Chromium comes up no further than that
        lost = asyncio.create_task(forget_a_session(container))
        await until(lambda: bool(container.chromium()))
        lost.cancel()  # as when it took longer than the bot waits
        forgotten = container.chromium()[0]
        browser = Browser(SCREEN, container.url)
        starting = asyncio.create_task(browser.start(100))
        server.send_signal(signal.SIGCONT)
        await starting
        assert forgotten not in container.chromium()
        assert await sessions(container) == 1
        await browser.close()
        assert container.chromium() == []


async def test_a_session_that_cannot_be_ended_goes_with_its_chromedriver(
    make_container: MakeContainer,
    site: SyntheticSite,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chromedriver, "LIST_SECONDS", 2.0)
    site.pages["/"] = "<h1>Hello</h1>"
    with make_container() as container:
        session = await forget_a_session(container)
        await open_page(container, session, site.url("/"))
        forgotten = set(container.chromium())
        async with aiohttp.ClientSession() as http:
            endless = {"script": HANG, "args": []}
            stuck = asyncio.create_task(http.post(f"{container.url}/session/{session}/execute/sync", json=endless))
            await until_busy(container)
            browser = Browser(SCREEN, container.url)
            starting = asyncio.create_task(browser.start(100))
            await until(container.ended)
            container.restart()
            await starting
            await asyncio.gather(stuck, return_exceptions=True)
        assert not forgotten & set(container.chromium())
        assert await sessions(container) == 1
        await browser.close()
