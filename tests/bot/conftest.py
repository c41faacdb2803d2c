"""Real Chromium for tests: on a virtual screen, as an unprivileged user, with its own sandbox on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from meeting_buddy_bot.browser.browser import Browser
from tests.bot.container import SCREEN, BrowserContainer, readable_folder, virtual_screen
from tests.local.machine.certificates import Authority
from tests.local.meetings import packs
from tests.local.meetings.livekit.paths import ADDRESS, HOST
from tests.local.meetings.platform_site import PlatformSite
from tests.support.machine_wide import free_loopback, free_port
from tests.support.synthetic_pages import HOSTS, SyntheticSite


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """Address of a virtual screen of 1280x720."""
    with virtual_screen(*SCREEN) as address:
        yield address


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the synthetic site's certificate; browsers of these tests trust it as they do an administrator's."""
    return Authority.ensure(tmp_path_factory.mktemp("authority"), "Synthetic site")


@pytest.fixture(scope="session")
def make_container(
    screen: str, authority: Authority
) -> Callable[..., contextlib.AbstractContextManager[BrowserContainer]]:
    """Makes containers `browser` that know the tests' hosts and authorities."""
    if os.geteuid() != 0:
        pytest.fail("these tests change to an unprivileged user, which takes root")

    @contextlib.contextmanager
    def make(
        *,
        meeting_authority: Path | None = None,
        sound: str | None = None,
        screen: str = screen,
        user_namespaces: bool = True,
        hosts: Mapping[str, str] | None = None,
    ) -> Iterator[BrowserContainer]:
        authorities = [authority.certificate]
        with readable_folder() as folder:
            if meeting_authority is not None:
                copy = folder / "meeting.crt"
                copy.write_bytes(meeting_authority.read_bytes())
                authorities.append(copy)
            container = BrowserContainer(
                folder, free_port(), screen, authorities=authorities, sound=sound, user_namespaces=user_namespaces
            )
            container.start({**HOSTS, HOST: ADDRESS, **(hosts or {})})
            try:
                yield container
            finally:
                container.kill()

    return make


@pytest.fixture(scope="module")
def container(
    make_container: Callable[..., contextlib.AbstractContextManager[BrowserContainer]],
) -> Iterator[BrowserContainer]:
    """A running container `browser`, one per test module."""
    with make_container() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(authority: Authority) -> AsyncIterator[dict[str, PlatformSite]]:
    """The site of each page pack, running."""
    found = {name: PlatformSite(name, authority, free_loopback()) for name in packs.names()}
    async with contextlib.AsyncExitStack() as stack:
        for site in found.values():
            await stack.enter_async_context(site)
        yield found


@pytest.fixture(scope="module")
def sites_container(
    sites: dict[str, PlatformSite], make_container: Callable[..., contextlib.AbstractContextManager[BrowserContainer]]
) -> Iterator[BrowserContainer]:
    """A running container `browser` that knows the platforms' hosts."""
    hosts = {host: address for site in sites.values() for host, address in site.hosts.items()}
    with make_container(hosts=hosts) as running:
        yield running


@pytest.fixture(scope="module")
def sites_containers(
    sites_container: BrowserContainer,
    sites: dict[str, PlatformSite],
    make_container: Callable[..., contextlib.AbstractContextManager[BrowserContainer]],
) -> Iterator[tuple[BrowserContainer, ...]]:
    """That one and others, for as many bots side by side as there are packs."""
    hosts = {host: address for site in sites.values() for host, address in site.hosts.items()}
    with contextlib.ExitStack() as more:
        yield sites_container, *(more.enter_context(make_container(hosts=hosts)) for _ in packs.names()[1:])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_browser(container: BrowserContainer) -> AsyncIterator[Browser]:
    """One browser for all tests of a module, on the page that the test before left behind."""
    started = Browser(SCREEN, container.url)
    await started.start()
    yield started
    await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def hanging_browser(shared_browser: Browser) -> AsyncIterator[Browser]:
    """That one, for a test that leaves a page behind which hangs: the next test has a new one."""
    if not shared_browser.alive:
        await shared_browser.start()
    yield shared_browser
    await shared_browser.start()


@pytest_asyncio.fixture(loop_scope="module")
async def shared_browser_site(authority: Authority) -> AsyncIterator[SyntheticSite]:
    """The synthetic site, for tests of a shared browser: an origin of its own for each."""
    async with SyntheticSite(authority) as running:
        yield running


@pytest.fixture
async def browser(container: BrowserContainer) -> AsyncIterator[Browser]:
    """A browser that was just started."""
    started = Browser(SCREEN, container.url)
    await started.start()
    yield started
    await started.close()


@pytest.fixture
async def site(authority: Authority) -> AsyncIterator[SyntheticSite]:
    """The synthetic site."""
    async with SyntheticSite(authority) as running:
        yield running
