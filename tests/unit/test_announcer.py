"""The announcement is written once, in its steps' order, and nothing that goes wrong with it ends anything."""

from __future__ import annotations

from typing import Any

import pytest

from meeting_buddy.contract.table import Announcement, Match, Step
from meeting_buddy_bot.browser.errors import BrowserGoneError
from meeting_buddy_bot.platforms.announcer import EFFECT_SECONDS, SECONDS, SHORT_SECONDS, TIDY_SECONDS, Announcer
from meeting_buddy_bot.platforms.probe import PageSnapshot

TEXT = "Recording for the minutes"


def way(*left_out: str, close: dict[str, Any] | None = None) -> Announcement:
    """As the tables have it, without these steps; ``close``: the last step's condition."""
    steps: list[dict[str, Any]] = [
        {"name": "show", "do": "hover", "target": "tile", "when": {"none": ["button", "field"]}},
        {"name": "open", "do": "click", "target": "button", "when": {"none": ["field"]}, "maxRuns": 2},
        {"name": "write", "do": "type", "target": "field", "value": "{announcement}"},
        {"name": "send", "do": "press", "target": "field", "value": "Enter", "when": {"all": ["field"]}},
        {"name": "show again", "do": "hover", "target": "tile", "when": {"all": ["field"], "none": ["button"]}},
        {"name": "close", "do": "click", "target": "button", "when": {"all": ["field"]} if close is None else close},
    ]
    return Announcement.model_validate(
        {"sends": "send", "steps": [each for each in steps if each["name"] not in left_out]}
    )


class Fakes:
    """A page with a chat behind a button that opens and closes it; a clock; a list of events."""

    def __init__(self, found: Announcement | None) -> None:
        self.time = 100.0
        self.done: list[str] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.said: list[str] = []
        self.is_open = False
        self.field = ""
        self.has_field = True
        """Whether the table knows the chat's field."""
        self.hides_after: float | None = None
        """Seconds after which the button hides, since anybody moved the pointer."""
        self.takes = 0.0
        """Seconds for a step."""
        self.spells_anew = False
        """Whether the field never holds exactly what was typed."""
        self.refuses: set[str] = set()
        self._moved_at = self.time
        self.loses: list[str] = []
        """Steps that can be run and do nothing, once for each time that they are named."""
        self.announcer = Announcer(found, self, self, self)  # type: ignore[arg-type]

    def now(self) -> float:
        return self.time

    async def perform(self, step: Step) -> bool:
        if step.name in self.refuses:
            return False
        self.time += self.takes
        self.done.append(step.name)
        if step.name in self.loses:
            self.loses.remove(step.name)
            return True
        self._moved_at = self.time
        match step.name:
            case "open" | "close":
                self.is_open = not self.is_open
            case "write":
                self.field = TEXT
            case "send":
                self.said += [self.field] if self.field else []
                self.field = ""
        return True

    def write(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    async def looks(self, seconds: float, pause: float = 1.0) -> None:
        """Looks at the page for so long, so many seconds apart."""
        until = self.time + seconds
        while self.time < until:
            shows_field = self.is_open and self.has_field
            wants_text = shows_field and (self.spells_anew or self.field != TEXT)
            shows_button = self.hides_after is None or self.time - self._moved_at < self.hides_after
            there = {"field": shows_field, "button": shows_button}
            can_be = {"open": shows_button, "close": shows_button, "send": shows_field, "write": wants_text}
            seen = frozenset(Match(element=each) for each, found in there.items() if found)
            actable = frozenset(["show", "show again", *(each for each, found in can_be.items() if found)])
            await self.announcer.advance(PageSnapshot(seen, actable))
            self.time += pause

    @property
    def told(self) -> list[str]:
        return [name for name, _ in self.events]


@pytest.fixture
def fakes() -> Fakes:
    return Fakes(way())


async def test_it_is_written_once_and_the_page_is_tidied_up(fakes: Fakes) -> None:
    await fakes.looks(10)
    assert (fakes.done, fakes.said, fakes.is_open) == (["open", "write", "send", "close"], [TEXT], False)
    assert fakes.events == [("announcement_posted", {})]
    assert not fakes.announcer.over
    await fakes.looks(TIDY_SECONDS)
    assert fakes.announcer.over


async def test_an_open_chat_is_written_into_as_it_is(fakes: Fakes) -> None:
    fakes.is_open = True
    await fakes.looks(10)
    assert (fakes.done, fakes.said) == (["write", "send", "close"], [TEXT])


@pytest.mark.parametrize("lost", ["open", "close"])
async def test_a_click_that_the_page_lost_is_made_again_once_its_effect_could_have_been_seen(
    fakes: Fakes, lost: str
) -> None:
    fakes.loses = [lost]
    await fakes.looks({"open": 1, "close": 4}[lost] + EFFECT_SECONDS - 1)
    assert fakes.done[-1] == lost
    assert fakes.done.count(lost) == 1
    await fakes.looks(10)
    assert fakes.done.count(lost) == 2
    assert (fakes.said, fakes.is_open, fakes.told) == ([TEXT], False, ["announcement_posted"])


@pytest.mark.parametrize("lost", ["show", "open", "write", "show again", "close"])
@pytest.mark.parametrize("takes", [0.05, 0.3, 0.6])
async def test_a_button_that_hides_again_between_two_tries_costs_time_alone(
    fakes: Fakes, lost: str, takes: float
) -> None:
    fakes.hides_after, fakes.takes, fakes.loses = 4.0, takes, [lost]
    fakes.time += 60  # hidden from the start
    await fakes.looks(60, pause=0.2)
    assert (fakes.said, fakes.is_open, fakes.told) == ([TEXT], False, ["announcement_posted"])


async def test_a_text_that_the_page_lost_is_typed_again_before_it_is_sent(fakes: Fakes) -> None:
    fakes.loses = ["write"]
    await fakes.looks(10)
    assert (fakes.done, fakes.said) == (["open", "write", "write", "send", "close"], [TEXT])


async def test_a_field_that_spells_it_anew_costs_a_few_seconds(fakes: Fakes) -> None:
    fakes.spells_anew = True
    await fakes.looks(10)
    assert (fakes.done, fakes.said) == (["open", "write", "write", "write", "send", "close"], [TEXT])
    assert SHORT_SECONDS == 1, "one look"


@pytest.mark.parametrize(("refused", "before"), [("write", ["open"]), ("send", ["open", "write"])])
async def test_a_step_that_cannot_be_run_is_tried_again_and_nothing_behind_it_comes_first(
    fakes: Fakes, refused: str, before: list[str]
) -> None:
    fakes.refuses = {refused}  # something lies over it
    await fakes.looks(10)
    assert (fakes.done, fakes.events) == (before, [])
    fakes.refuses = set()
    await fakes.looks(5)
    assert (fakes.said, fakes.told) == ([TEXT], ["announcement_posted"])


async def test_what_may_have_been_sent_is_never_written_again(fakes: Fakes) -> None:
    fakes.refuses = {"send"}
    await fakes.looks(3)
    fakes.field, fakes.said = "", [TEXT]  # it was sent all the same
    fakes.refuses = set()
    await fakes.looks(10)
    assert (fakes.said, fakes.told) == ([TEXT], ["announcement_posted"])


async def test_a_browser_that_died_while_it_was_sent_leaves_nothing_to_write(fakes: Fakes) -> None:
    await fakes.looks(2)

    async def dies(step: Step) -> bool:
        raise BrowserGoneError("gone")

    perform, fakes.perform = fakes.perform, dies  # type: ignore[method-assign]
    with pytest.raises(BrowserGoneError):
        await fakes.looks(1)
    fakes.perform, fakes.is_open, fakes.field = perform, False, ""  # type: ignore[method-assign]
    await fakes.looks(SECONDS + TIDY_SECONDS + 2)
    assert (fakes.done, fakes.said) == (["open", "write"], [])
    assert fakes.told == ["announcement_failed"]


async def test_a_new_browser_begins_anew_before_that(fakes: Fakes) -> None:
    fakes.loses = ["open"]
    await fakes.looks(2 + EFFECT_SECONDS)
    assert fakes.done == ["open", "open", "write"], "as often as it may"
    fakes.is_open, fakes.field = False, ""
    fakes.time += 60  # until it is in the call, which is no time in which it could have been written
    await fakes.looks(10)
    assert (fakes.done[3:], fakes.said) == (["open", "write", "send", "close"], [TEXT])


async def test_where_nobody_can_write_it_is_given_up_once_and_the_chat_is_closed(fakes: Fakes) -> None:
    fakes.has_field = False
    await fakes.looks(SECONDS)
    assert fakes.events == []
    assert (fakes.done, fakes.is_open) == (["open", "open"], False)
    await fakes.looks(100)
    assert fakes.events == [("announcement_failed", {"cause": "it could not be written in 30 s"})]
    assert (fakes.done, fakes.announcer.over) == (["open", "open"], True)


async def test_a_chat_in_which_nobody_can_write_is_closed_again(fakes: Fakes) -> None:
    fakes.refuses = {"write"}
    await fakes.looks(SECONDS + 5)
    assert (fakes.done, fakes.is_open, fakes.told) == (["open", "close"], False, ["announcement_failed"])


async def test_after_that_nothing_is_written(fakes: Fakes) -> None:
    fakes.refuses = {"write", "close"}
    await fakes.looks(SECONDS + 1)
    fakes.refuses = {"close"}
    await fakes.looks(50)
    assert (fakes.done, fakes.told) == (["open"], ["announcement_failed"])


async def test_what_cannot_be_tidied_up_is_left_and_is_no_failure(fakes: Fakes) -> None:
    fakes.refuses = {"close"}
    await fakes.looks(4 + TIDY_SECONDS + 1)
    assert fakes.announcer.over
    fakes.refuses = set()
    await fakes.looks(50)
    assert (fakes.done, fakes.told) == (["open", "write", "send"], ["announcement_posted"])


async def test_a_call_that_is_interrupted_behind_it_is_tidied_up_later(fakes: Fakes) -> None:
    await fakes.looks(3)
    fakes.time += 300
    await fakes.looks(2)
    assert (fakes.done[-1], fakes.is_open) == ("close", False)


async def test_a_step_that_does_not_say_when_it_applies_is_run_once() -> None:
    fakes = Fakes(way(close={}))
    await fakes.looks(60)
    assert (fakes.done, fakes.is_open) == (["open", "write", "send", "close"], False)


async def test_a_way_that_ends_with_sending_is_over_soon() -> None:
    fakes = Fakes(way("close"))
    await fakes.looks(4 + TIDY_SECONDS + 1)
    assert (fakes.said, fakes.announcer.over) == ([TEXT], True)


async def test_without_a_way_it_says_so_once() -> None:
    fakes = Fakes(None)
    await fakes.looks(5)
    assert fakes.done == []
    assert fakes.events == [("announcement_failed", {"cause": "the platform's table does not say how a guest writes"})]
    assert fakes.announcer.over
