"""Reads the meeting's page: everything that a table asks about, in one bounded call per frame.

What ``probe.js`` makes is put once into each document's isolated world and from then on only called.
"""

import json
import re
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Final

from meeting_buddy.contract.locator import Locator
from meeting_buddy.contract.table import Condition, Match, PlatformTable, Signal, State, Step, TileMark
from meeting_buddy.contract.text import MAX_NAME, page_text
from meeting_buddy_bot.browser.closed_shadows import read_closed_text
from meeting_buddy_bot.browser.errors import CdpError, PageTimeoutError
from meeting_buddy_bot.browser.page import FrameAnswer, Page
from meeting_buddy_bot.checks.observed_time import LONGEST_LOOK, LONGEST_PAUSE

DEADLINE: Final = LONGEST_LOOK
"""Seconds for one reading of all frames."""
_ERROR_PAGE: Final = Match(url="chrome-error://")
"""What Chromium shows in place of a document that it could not load."""
_SERVER_FAILED: Final = 500
"""Least HTTP status of a server that failed. A smaller one may be how a site says that the meeting is no more."""
DEEP_LOOK_SECONDS: Final = 2.0
"""Between two looks into closed shadow roots, while nothing else is recognised."""
_LARGEST_SHARE: Final = 0.1
"""Of a core, for looking: in a huge document the looks come less often."""
MAX_PEOPLE: Final = 200
"""Tiles that one snapshot holds."""
MAX_COUNTED: Final = 1_000_000
"""People whom a page may say to be there."""

_SCRIPT: Final = resources.files(__package__).joinpath("probe.js").read_text()
_SINGLE_QUOTES = re.compile("[\u2018\u2019\u201a\u201b\u02bc\u00b4`]")
_DOUBLE_QUOTES = re.compile("[\u201c\u201d\u201e\u201f]")
_DASHES = re.compile("[\u2010-\u2015]")


@dataclass(frozen=True, slots=True)
class Person:
    """A tile of the page."""

    name: str
    """As the page shows it, through :func:`page_text`, at most :data:`MAX_NAME` code points; may be empty."""
    own: bool
    """Whether it is the bot's own tile."""
    speaking: bool


@dataclass(frozen=True, slots=True)
class PageSnapshot:
    """What one look at the page found."""

    seen: frozenset[Match]
    """The table's matches that hold."""
    actable: frozenset[str] = frozenset()
    """Names of the steps whose target is there and can be acted on."""
    people: tuple[Person, ...] = ()
    count: int | None = None
    """How many the page says are there, the bot among them; ``None``: it does not say."""
    audio: tuple[tuple[int, float], ...] = ()
    """Number and clock (s) of each element that plays remote sound."""
    video: tuple[tuple[int, float], ...] = ()
    """Number and count of decoded frames of each element that shows a remote picture."""
    status: int = 0
    """HTTP status of the document; 0 when the page does not tell."""
    seconds: float = 0.0
    """What the look cost the page's processes."""
    error_page: bool = False
    """Whether it is Chromium's own, in place of a document that it could not load."""

    @property
    def failed(self) -> bool:
        """Whether the document is none of the meeting's page: what it does not show says nothing of the meeting."""
        return self.error_page or self.status >= _SERVER_FAILED

    def holds(self, condition: Condition) -> bool:
        """Whether all of ``all``, one of ``any`` and none of ``none`` were seen."""
        return (
            all(match in self.seen for match in condition.all)
            and (not condition.any or any(match in self.seen for match in condition.any))
            and not any(match in self.seen for match in condition.none)
        )

    def applies(self, step: Step) -> bool:
        """Whether the step can be run now and its condition holds."""
        return (step.target is None or step.name in self.actable) and self.holds(step.when)


def pause(snapshot: PageSnapshot | None, shortest: float) -> float:
    """Seconds until the next look, at least ``shortest``."""
    cost = snapshot.seconds if snapshot else 0.0
    return max(shortest, min(cost / _LARGEST_SHARE, LONGEST_PAUSE))


def fold(text: str) -> str:
    """``text`` as it is compared: case, white space, typographic quotes and dashes folded (as in ``probe.js``)."""
    text = unicodedata.normalize("NFKC", text)
    text = _DASHES.sub("-", _DOUBLE_QUOTES.sub('"', _SINGLE_QUOTES.sub("'", text)))
    return " ".join(text.split()).lower()


class Probe:
    """Reads pages by one table."""

    def __init__(self, table: PlatformTable, fill: Callable[[str], str | None] = str) -> None:
        """``fill``: puts the meeting's own values for the placeholders of a step's value; ``None``: nobody gave one."""
        matches = tuple(dict.fromkeys((*table.matches, _ERROR_PAGE)))
        self.matches: Final = tuple(match for match in matches if not (match.dialog or match.console))
        """What is asked of each frame."""
        self._dialogs = tuple((match, fold(match.dialog)) for match in matches if match.dialog)
        self._console = tuple((match, [fold(part) for part in match.console]) for match in matches if match.console)
        self.steps: Final = tuple(step for step in table.all_steps if step.target is not None)
        """The steps of which each frame says whether their target can be acted on."""
        self._decisive = tuple(signal for signal in table.signals if signal.state is not State.PRE_JOIN)
        self._error_page = self.matches.index(_ERROR_PAGE)
        self._texts = {match: texts for match in self.matches if (texts := _bare_texts(match, table))}
        self._next_deep_look = 0.0
        self._deeply_seen: set[Match] = set()
        config = _config(table, self.matches, self.steps, fill)
        self.script: Final = f"{_SCRIPT.rstrip()}({json.dumps(config)})"
        """Makes ``meetingBuddy`` in a document's isolated world."""
        self.bad_selectors: frozenset[str] = frozenset()
        """Selectors that Chromium refused for the last snapshot."""

    async def read(self, page: Page) -> PageSnapshot | None:
        """Look once; ``None`` while a document is being replaced.

        Raises:
            PageTimeoutError: the page did not answer in :data:`DEADLINE` seconds.
            BrowserGoneError: tab or browser is gone.
        """
        return await self._taken(page, await page.evaluate("meetingBuddy.look()", DEADLINE, prepare=self.script))

    async def read_with(self, page: Page, script: str, seconds: float) -> tuple[PageSnapshot | None, list[FrameAnswer]]:
        """One look, and what ``script`` gives in each frame at the same moment; raises as :meth:`read`."""
        both = f"({{look: meetingBuddy.look(), value: {script}}})"
        answers = await page.evaluate(both, seconds, prepare=self.script)
        looks, values = (
            [replace(each, value=each.value[part]) for each in answers if each.value] for part in ("look", "value")
        )
        return await self._taken(page, looks), values

    async def _taken(self, page: Page, answers: list[FrameAnswer]) -> PageSnapshot | None:
        if not answers or not answers[0].top:
            return None
        self.bad_selectors = frozenset(str(css) for answer in answers for css in answer.value["bad"])
        snapshot = self._snapshot(answers, [fold(text) for text in page.alerts], [fold(line) for line in page.console])
        return snapshot if self._recognised(snapshot) else await self._look_deeper(page, snapshot)

    def _recognised(self, snapshot: PageSnapshot) -> bool:
        """Whether the page shows more than how to join."""
        return any(snapshot.holds(signal) for signal in self._decisive)

    async def _look_deeper(self, page: Page, snapshot: PageSnapshot) -> PageSnapshot:
        """``snapshot`` with the texts that closed shadow roots show, or showed :data:`DEEP_LOOK_SECONDS` ago."""
        now = time.monotonic()
        if self._texts and now >= self._next_deep_look:
            self._next_deep_look = now + DEEP_LOOK_SECONDS
            try:
                text = fold(await read_closed_text(page, DEADLINE))
            except (CdpError, PageTimeoutError):
                text = ""
            self._deeply_seen = {match for match, texts in self._texts.items() if any(each in text for each in texts)}
        return replace(snapshot, seen=snapshot.seen | self._deeply_seen) if self._deeply_seen else snapshot

    def _snapshot(self, answers: list[FrameAnswer], dialogs: list[str], console: list[str]) -> PageSnapshot:
        seen = {
            match
            for answer in answers
            for match, holds in zip(self.matches, answer.value["seen"], strict=True)
            if holds
        }
        seen |= {match for match, text in self._dialogs if any(text in dialog for dialog in dialogs)}
        seen |= {
            match for match, parts in self._console if any(all(part in line for part in parts) for line in console)
        }
        return PageSnapshot(
            frozenset(seen),
            frozenset(
                step.name
                for answer in answers
                for step, ready in zip(self.steps, answer.value["actable"], strict=True)
                if ready
            ),
            tuple(
                Person(page_text(str(each["name"]), MAX_NAME), bool(each["own"]), bool(each["speaking"]))
                for answer in answers
                for each in answer.value["people"]
            )[:MAX_PEOPLE],
            next((_count(answer) for answer in answers if answer.value["count"] is not None), None),
            _clocks(answers, "audio"),
            _clocks(answers, "video"),
            int(answers[0].value["status"]),
            sum(float(answer.value["seconds"]) for answer in answers),
            bool(answers[0].value["seen"][self._error_page]),
        )


def label(part: Signal | Step) -> str:
    """Short name of a signal or step for events and evidence, free of what the page says."""
    if isinstance(part, Step):
        return part.name
    detail = part.reason or part.waiting
    return f"{part.state}/{detail}" if detail else str(part.state)


def _count(answer: FrameAnswer) -> int:
    return min(int(answer.value["count"]), MAX_COUNTED)


def _clocks(answers: list[FrameAnswer], kind: str) -> tuple[tuple[int, float], ...]:
    return tuple(
        (1000 * frame + int(number), float(clock))
        for frame, answer in enumerate(answers)
        for number, clock in answer.value[kind]
    )


def _config(
    table: PlatformTable, matches: tuple[Match, ...], steps: tuple[Step, ...], fill: Callable[[str], str | None]
) -> dict[str, Any]:
    """What ``probe.js`` is given: the table's parts that it needs, texts folded."""
    people = table.participants
    return {
        "elements": {name: [_locator(each) for each in locators] for name, locators in table.elements.items()},
        "matches": [_match(match) for match in matches],
        "targets": [
            {"target": step.target, "verb": step.do, "value": None if step.value is None else fill(step.value)}
            for step in steps
        ],
        "participants": {
            "tile": [_locator(each) for each in people.tile],
            "name": [each.model_dump(by_alias=True) for each in people.name],
            "own": [_mark(mark) for mark in people.own],
            "speaking": [_mark(mark) for mark in people.speaking],
            "screenShare": [_mark(mark) for mark in people.screen_share],
            "count": people.count,
            "most": MAX_PEOPLE,
        },
        "media": {"audio": table.media.audio, "video": table.media.video},
    }


def _locator(locator: Locator) -> dict[str, Any]:
    return {
        **locator.model_dump(by_alias=True, exclude={"source"}),
        "name": None if locator.name is None else [fold(part) for part in locator.name.split("*")],
        "text": _folded(locator.text),
        "frame": None if locator.frame is None else locator.frame.lower(),
    }


def _bare_texts(match: Match, table: PlatformTable) -> list[str]:
    """Texts by each of which alone a match holds."""
    if match.element is None or match != Match(element=match.element):
        return []
    return [
        fold(locator.text)
        for locator in table.elements[match.element]
        if locator.text is not None and locator == Locator(text=locator.text, source=locator.source)
    ]


def _match(match: Match) -> dict[str, Any]:
    return {
        **match.model_dump(by_alias=True, exclude={"dialog", "console"}),
        "title": _folded(match.title),
        "url": None if match.url is None else match.url.lower(),
    }


def _mark(mark: TileMark) -> dict[str, Any]:
    return {
        "css": mark.css,
        "text": _folded(mark.text),
        "style": [[name, fold(value)] for name, value in mark.style.items()],
    }


def _folded(text: str | None) -> str | None:
    return None if text is None else fold(text)
