"""The announcement is written once, in its steps' order, and nothing that goes wrong with it ends anything."""

from __future__ import annotations

import pytest

from meeting_buddy.contract.table import Announcement, Step
from meeting_buddy_bot.browser.errors import BrowserGoneError
from meeting_buddy_bot.platforms.announcer import SECONDS, TIDY_SECONDS, Announcer, StepSequence
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
OPEN, WRITE, SEND, CLOSE = WAY.steps


class Fakes:
    """A page, a clock and a list of events."""

    def __init__(self, way: Announcement | None = WAY) -> None:
        self.time = 100.0
        self.done: list[str] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.refuses: set[str] = set()
        self.announcer = Announcer(way, self, self, self)  # type: ignore[arg-type]

    def now(self) -> float:
        return self.time

    async def perform(self, step: Step) -> bool:
        if step.name in self.refuses:
            return False
        self.done.append(step.name)
        return True

    def write(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    async def looks(self, *actable: str, times: int = 1) -> None:
        """So many looks at a page on which these steps' targets can be acted on, a second apart."""
        for _ in range(times):
            await self.announcer.advance(PageSnapshot(frozenset(), frozenset(actable)))
            self.time += 1


def page(*steps: Step) -> PageSnapshot:
    return PageSnapshot(frozenset(), frozenset(step.name for step in steps))


class TestStepSequence:
    def test_steps_come_in_their_order_whatever_applies(self) -> None:
        sequence = StepSequence((OPEN, WRITE, SEND))
        found = []
        while (step := sequence.next(page(SEND, OPEN, WRITE))) is not None:
            found.append(step)
            sequence.performed(step)
        assert found == [OPEN, WRITE, SEND]
        assert sequence.over

    def test_one_that_was_only_named_comes_again(self) -> None:
        sequence = StepSequence((OPEN, WRITE))
        assert sequence.next(page(OPEN)) is sequence.next(page(OPEN)) is OPEN

    def test_one_that_does_not_apply_is_passed_over_for_good_once_a_later_one_was_performed(self) -> None:
        sequence = StepSequence((OPEN, WRITE, SEND))
        assert sequence.next(page(WRITE)) is WRITE
        sequence.performed(WRITE)
        assert sequence.next(page(OPEN, WRITE)) is None
        assert not sequence.over

    def test_an_empty_one_is_over(self) -> None:
        assert StepSequence(()).over
        assert StepSequence(()).next(page(OPEN)) is None


async def test_it_is_written_once_and_the_page_is_tidied_up() -> None:
    fakes = Fakes()
    await fakes.looks("open", "write", "send", "close", times=10)
    assert fakes.done == ["open", "write", "send", "close"]
    assert fakes.events == [("announcement_posted", {})]
    assert fakes.announcer.over


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
    await fakes.looks("open", "close", times=int(SECONDS) + 5)
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
    await fakes.looks("write", "send", times=2)
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
