"""What a page can do any number of times is listed a bounded number of times, for each browser."""

import json
from pathlib import Path
from typing import Any, cast

from meeting_buddy.contract.links import parse_link
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from tests.conformance.running_bot import make_assignment
from tests.support.platform_tables import platform_table


class FakePage:
    """A tab that loads whatever it is asked to; :class:`MeetingPage` hangs its listeners on it."""

    on_alert: Any
    on_host: Any

    async def navigate(self, *_: object) -> None:
        """Done at once."""


class FakeBrowser:
    """One browser after the other, each with one tab."""

    def __init__(self) -> None:
        self.page = FakePage()
        self.granted: list[tuple[str, list[str]]] = []

    async def grant(self, origin: str, permissions: list[str]) -> None:
        """Granted."""
        self.granted.append((origin, permissions))

    def grant_soon(self, origin: str, permissions: list[str]) -> None:
        """Granted as well."""
        self.granted.append((origin, permissions))


class Opened:
    """A meeting's page and the events that it wrote."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.browser = FakeBrowser()
        self._path = folder / "events.jsonl"
        self._events = EventLog(self._path, clock := SessionClock())
        order = make_assignment(**changes)
        kinds = {order.table.platform: order.table.link_rules}
        meeting = parse_link(str(order.link), order.platform, order.self_hosted, kinds)
        self.page = MeetingPage(cast(Any, self.browser), order.table, meeting, "Bot", None, clock, self._events)

    async def events(self) -> list[dict[str, Any]]:
        await self._events.close()
        return [json.loads(line) for line in self._path.read_text().splitlines()]


async def test_each_dialog_is_listed_once(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    await opened.page.open()
    for text in ("Leave?", "Leave?", "Sorry", "Leave?"):
        opened.browser.page.on_alert(text)
    await opened.page.open_again()
    opened.browser.page.on_alert("Sorry")
    listed = [event["text"] for event in await opened.events() if event["event"] == "page_dialog"]
    assert listed == ["Leave?", "Sorry"]


async def test_a_page_that_makes_dialogs_without_end_does_not_fill_the_volume(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    await opened.page.open()
    for number in range(15_000):
        opened.browser.page.on_alert(f"{number} {'x' * 500}")
    events = await opened.events()
    assert [event["text"].split()[0] for event in events[:-1]] == [str(number) for number in range(100)]
    assert {"event": "further_not_listed", "what": "dialogs", "listed": 100}.items() <= events[-1].items()


async def test_nor_does_one_that_goes_to_hosts_without_end(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    await opened.page.open()
    for number in range(1000):
        for _ in range(2):
            opened.browser.page.on_host(f"host-{number}.unrelated.test")
    events = await opened.events()
    assert [event["event"] for event in events] == ["navigated_elsewhere"] * 100 + ["further_not_listed"]
    assert events[-1]["what"] == "hosts"


async def test_the_next_browsers_are_listed_anew(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    for _ in range(2):
        opened.browser.page = FakePage()
        await opened.page.open()
        opened.browser.page.on_alert("Sorry")
    assert [event["event"] for event in await opened.events()] == ["page_dialog"] * 2


async def test_the_client_gets_its_devices_on_whichever_host_of_the_platform_it_runs(tmp_path: Path) -> None:
    link, table = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_QQ%40thread.v2/0?context=%7b%7d", "teams"
    opened = Opened(tmp_path, link=link, platform="Teams", self_hosted=(), table=platform_table(table))
    await opened.page.open()
    for host in ("teams.microsoft.com", "teams.live.com", "teams.live.com.unrelated.test"):
        opened.browser.page.on_host(host)
    both = ["audioCapture", "videoCapture"]
    assert opened.browser.granted == [("https://teams.microsoft.com", both), ("https://teams.live.com", both)]
    assert [event["host"] for event in await opened.events()] == ["teams.live.com.unrelated.test"]


async def test_a_site_that_is_to_have_no_devices_is_given_none(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    await opened.page.open()
    assert opened.browser.granted == []
