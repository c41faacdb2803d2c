"""What a page can do any number of times is listed a bounded number of times, for each browser."""

import json
from pathlib import Path
from typing import Any, cast

from meeting_buddy.contract.links import parse_link
from meeting_buddy_bot.platforms.meeting_page import MeetingPage
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from tests.conformance.running_bot import make_assignment


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

    async def grant(self, *_: object) -> None:
        """Granted."""


class Opened:
    """A meeting's page and the events that it wrote."""

    def __init__(self, folder: Path) -> None:
        self.browser = FakeBrowser()
        self._path = folder / "events.jsonl"
        self._events = EventLog(self._path, clock := SessionClock())
        order = make_assignment()
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
