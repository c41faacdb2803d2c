"""Reads the meeting's page: everything that a table asks about, in one bounded evaluation per frame."""

import json
import re
import unicodedata
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from meeting_buddy.contract.table import Condition, Match, PlatformTable, Signal, Step
from meeting_buddy.contract.text import MAX_NAME, page_text
from meeting_buddy_bot.browser.page import FrameAnswer, Page

DEADLINE: Final = 3.0
"""Seconds for one reading of all frames."""
MOST_PEOPLE: Final = 200
"""Tiles that one snapshot holds."""

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
    people: tuple[Person, ...] = ()
    audio: tuple[tuple[int, float], ...] = ()
    """Number and clock (s) of each element that plays remote sound."""
    video: tuple[tuple[int, float], ...] = ()
    """Number and count of decoded frames of each element that shows a remote picture."""
    status: int = 0
    """HTTP status of the document; 0 when the page does not tell."""

    def holds(self, condition: Condition | Signal) -> bool:
        """Whether all of ``all``, one of ``any`` and none of ``veto`` were seen."""
        return (
            all(match in self.seen for match in condition.all)
            and (not condition.any or any(match in self.seen for match in condition.any))
            and not any(match in self.seen for match in condition.veto)
        )


def fold(text: str) -> str:
    """``text`` as it is compared: case, white space, typographic quotes and dashes folded (as in ``probe.js``)."""
    text = unicodedata.normalize("NFKC", text)
    text = _DASHES.sub("-", _DOUBLE_QUOTES.sub('"', _SINGLE_QUOTES.sub("'", text)))
    return " ".join(text.split()).lower()


class Probe:
    """Reads pages by one table."""

    def __init__(self, table: PlatformTable) -> None:
        matches = dict.fromkeys(_matches(table))
        self._in_page = tuple(match for match in matches if not (match.alert or match.console))
        self._alerts = tuple((match, fold(match.alert)) for match in matches if match.alert)
        self._console = tuple((match, [fold(part) for part in match.console]) for match in matches if match.console)
        self._expression = f"{_SCRIPT}({json.dumps(_config(table, self._in_page))})"
        self.bad_selectors: frozenset[str] = frozenset()
        """Selectors that Chromium refused for the last snapshot."""

    async def read(self, page: Page) -> PageSnapshot | None:
        """Look once; ``None`` while a document is being replaced.

        Raises:
            PageTimeoutError: the page did not answer in :data:`DEADLINE` seconds.
            BrowserGoneError: tab or browser is gone.
        """
        answers = await page.evaluate(self._expression, DEADLINE)
        if not answers or not answers[0].top:
            return None
        self.bad_selectors = frozenset(str(css) for answer in answers for css in answer.value["bad"])
        return self._reading(answers, [fold(text) for text in page.alerts], [fold(line) for line in page.console])

    def _reading(self, answers: list[FrameAnswer], alerts: list[str], console: list[str]) -> PageSnapshot:
        seen = {
            match
            for answer in answers
            for match, holds in zip(self._in_page, answer.value["matches"], strict=True)
            if holds
        }
        seen |= {match for match, text in self._alerts if any(text in alert for alert in alerts)}
        seen |= {
            match for match, parts in self._console if any(all(part in line for part in parts) for line in console)
        }
        return PageSnapshot(
            frozenset(seen),
            tuple(
                Person(page_text(str(each["name"]), MAX_NAME), bool(each["own"]), bool(each["speaking"]))
                for answer in answers
                for each in answer.value["people"]
            )[:MOST_PEOPLE],
            _clocks(answers, "audio"),
            _clocks(answers, "video"),
            int(answers[0].value["status"]),
        )


def _clocks(answers: list[FrameAnswer], kind: str) -> tuple[tuple[int, float], ...]:
    return tuple(
        (1000 * frame + int(number), float(clock))
        for frame, answer in enumerate(answers)
        for number, clock in answer.value[kind]
    )


def _matches(table: PlatformTable) -> list[Match]:
    conditions: list[Condition | Signal] = [step.when for step in (*table.steps, *table.leave)]
    conditions += table.signals
    return [match for each in conditions for match in (*each.all, *each.any, *each.veto)]


def _config(table: PlatformTable, matches: tuple[Match, ...]) -> dict[str, Any]:
    def folded(match: Match) -> dict[str, Any]:
        fields = match.model_dump(exclude={"alert", "console"})
        fields["text"] = None if match.text is None else fold(match.text)
        fields["url"] = None if match.url is None else match.url.lower()
        return fields

    return {
        "matches": [folded(match) for match in matches],
        "people": {**table.people.model_dump(exclude={"source"}), "most": MOST_PEOPLE},
        "media": table.media.model_dump(exclude={"source"}),
    }


def label(part: Signal | Step) -> str:
    """Short name of a signal or step for events and evidence, free of what the page says."""
    if isinstance(part, Step):
        return part.name
    detail = part.reason or part.waiting
    return f"{part.state}/{detail}" if detail else str(part.state)
