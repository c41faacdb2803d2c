"""The announcement is written once, in its steps' order, and nothing that goes wrong with it ends anything."""

from __future__ import annotations

import pytest

from meeting_buddy.contract.table import Announcement, Step
from meeting_buddy_bot.browser.errors import BrowserGoneError
from meeting_buddy_bot.platforms.announcer import EFFECT_SECONDS, SECONDS, TIDY_SECONDS, Announcer
from meeting_buddy_bot.platforms.probe import PageSnapshot

WAY = Announcement.model_validate(
    {
        "sends": "send",
        "steps": [
            {"name": "open", "do": "click", "target": "button", "when": {"none": ["field"]}},
            {"name": "write", "do": "type", "target": "field", "value": "{announcement}"},
            {"name": "send", "do": "press", "target": "field", "value": "Enter"},
            {"name": "close", "do": "click", "target": "button"},
        ],
    }
)
_, WRITE, SEND, _ = WAY.steps


class Fakes:
    """A page, a clock and a list of events. What a step did shows at once: it applies no more."""

    def __init__(self, way: Announcement | None = WAY) -> None:
        self.time = 100.0
        self.done: list[str] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.refuses: set[str] = set()
        self.loses: set[str] = set()
        """Steps that can be run and do nothing, the first time."""
        self._did: set[str] = set()
        self.announcer = Announcer(way, self, self, self)  # type: ignore[arg-type]

    def now(self) -> float:
        return self.time

    async def perform(self, step: Step) -> bool:
        if step.name in self.refuses:
            return False
        self.done.append(step.name)
        if step.name in self.loses:
            self.loses.remove(step.name)
        else:
            self._did.add(step.name)
        return True

    def write(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    async def looks(self, *actable: str, times: int = 1) -> None:
        """So many looks at a page on which these steps' targets can be acted on, until they were; a second apart."""
        for _ in range(times):
            await self.announcer.advance(PageSnapshot(frozenset(), frozenset(actable) - self._did))
            self.time += 1


async def test_it_is_written_once_and_the_page_is_tidied_up() -> None:
    fakes = Fakes()
    await fakes.looks("open", "write", "send", "close", times=10)
    assert fakes.done == ["open", "write", "send", "close"]
    assert fakes.events == [("announcement_posted", {})]
    assert not fakes.announcer.over
    await fakes.looks(times=int(TIDY_SECONDS))
    assert fakes.announcer.over


@pytest.mark.parametrize("lost", ["open", "close"])
async def test_a_click_that_the_page_lost_is_made_again_once_its_effect_could_have_been_seen(lost: str) -> None:
    fakes = Fakes()
    fakes.loses = {lost}
    steps: list[str] = {"open": [], "close": ["open", "write", "send"]}[lost]
    await fakes.looks(*steps, times=len(steps))
    began = fakes.time
    await fakes.looks(lost, times=int(EFFECT_SECONDS))
    assert fakes.done == [*steps, lost]
    await fakes.looks(lost)
    assert (fakes.done, fakes.time) == ([*steps, lost, lost], began + EFFECT_SECONDS + 1)
    await fakes.looks("write", "send", times=5)
    assert [name for name, _ in fakes.events] == ["announcement_posted"]


async def test_what_may_have_been_sent_is_never_written_again() -> None:
    fakes = Fakes()
    await fakes.looks("write")
    fakes.refuses = {"send"}
    await fakes.looks("send")
    fakes._did.clear()  # its field is empty again, as if it had been sent
    await fakes.looks("open", "write", times=20)
    assert fakes.done == ["write"]
    fakes.refuses = set()
    await fakes.looks("send")
    assert fakes.events == [("announcement_posted", {})]


async def test_an_open_chat_is_written_into_as_it_is() -> None:
    fakes = Fakes()
    await fakes.looks("write", "send", "close", times=10)
    assert fakes.done == ["write", "send", "close"]


async def test_nothing_is_tidied_up_before_the_text_was_posted() -> None:
    fakes = Fakes()
    await fakes.looks("open")
    await fakes.looks("close", times=5)  # its chat takes a while to come
    assert fakes.done == ["open"]
    await fakes.looks("write", "send", "close", times=10)
    assert fakes.done == ["open", "write", "send", "close"]


async def test_a_step_that_could_not_be_performed_is_tried_again() -> None:
    fakes = Fakes()
    fakes.refuses = {"send"}
    await fakes.looks("write", "send", "close", times=5)
    assert (fakes.done, fakes.events) == (["write"], [])
    fakes.refuses = set()
    await fakes.looks("write", "send", "close", times=2)
    assert (fakes.done, fakes.events) == (["write", "send", "close"], [("announcement_posted", {})])


async def test_where_nobody_can_write_it_is_given_up_at_its_deadline_and_once() -> None:
    fakes = Fakes()
    await fakes.looks(times=int(SECONDS) + 1)
    assert fakes.events == []
    await fakes.looks(times=100)
    assert fakes.events == [("announcement_failed", {"cause": "it could not be written in 30 s"})]
    assert fakes.announcer.over


async def test_a_chat_in_which_nobody_can_write_is_closed_again() -> None:
    fakes = Fakes()
    await fakes.looks("open", "close", times=int(SECONDS + TIDY_SECONDS) + 3)
    assert fakes.done == ["open", "close"]
    assert [name for name, _ in fakes.events] == ["announcement_failed"]
    assert fakes.announcer.over


async def test_after_the_deadline_nothing_is_written() -> None:
    fakes = Fakes()
    await fakes.looks("open")
    fakes.time += SECONDS
    await fakes.looks("write", "send", times=5)
    assert fakes.done == ["open"]
    assert [name for name, _ in fakes.events] == ["announcement_failed"]


async def test_what_cannot_be_tidied_up_is_left_and_is_no_failure() -> None:
    fakes = Fakes()
    await fakes.looks("write")
    await fakes.looks("send")
    await fakes.looks(times=int(TIDY_SECONDS) + 1)
    await fakes.looks("close", times=5)
    assert fakes.done == ["write", "send"]
    assert fakes.events == [("announcement_posted", {})]
    assert fakes.announcer.over


async def test_without_a_way_it_says_so_once() -> None:
    fakes = Fakes(None)
    await fakes.looks("open", "write", "send", times=5)
    assert fakes.done == []
    assert fakes.events == [("announcement_failed", {"cause": "the platform's table does not say how a guest writes"})]
    assert fakes.announcer.over


async def test_a_way_that_ends_with_sending_is_over_then() -> None:
    fakes = Fakes(WAY.model_copy(update={"steps": (WRITE, SEND)}))
    await fakes.looks("write", "send", times=2 + int(TIDY_SECONDS) + 1)
    assert fakes.done == ["write", "send"]
    assert fakes.events == [("announcement_posted", {})]
    assert fakes.announcer.over


async def test_a_browser_that_died_in_the_midst_posts_nothing_twice() -> None:
    fakes = Fakes()
    await fakes.looks("write")

    async def dies(step: Step) -> bool:
        raise BrowserGoneError("gone")

    perform, fakes.perform = fakes.perform, dies  # type: ignore[method-assign]
    with pytest.raises(BrowserGoneError):
        await fakes.looks("send")
    fakes.perform = perform  # type: ignore[method-assign]
    await fakes.looks("send", "close", times=5)
    assert fakes.done == ["write", "send", "close"]
    assert fakes.events == [("announcement_posted", {})]
