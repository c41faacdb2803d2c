"""Which facts the tables and page packs use, which they do not, and why.

`python -m tests.local.meetings.facts.usage` prints them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from meeting_buddy.contract.table import PlatformTable, Signal, Step
from tests.local.clone import PLATFORM_TABLES
from tests.local.meetings import packs
from tests.local.meetings.facts import FILES, Fact, Facts, load
from tests.support.platform_tables import platform_table

_ID = r"[a-z_]+\.[a-z0-9]+\.[a-z0-9-]+"
_CITATION = re.compile(rf"(?P<ids>{_ID}(?:, {_ID})*), (?P<date>\d{{4}}-\d{{2}}-\d{{2}})")
_NOT_NEEDED = {
    "links": "link shapes are validated by contract/links",
    "captions": "the bot transcribes by itself",
    "layout": "the recording shows the page as it is",
    "policy": "what platforms allow, for the documentation",
    "identity": "the bot joins as a guest under its own name",
    "browser": "how the browser is started",
}
"""Areas that no table needs, and why."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One platform's facts."""

    name: str
    facts: Facts
    table: frozenset[str]
    """Ids that the table cites."""
    pages: frozenset[str]
    """Ids that the pack's pages carry."""

    def unused(self) -> Iterator[tuple[Fact, str]]:
        """Facts that neither table nor pages use, and why."""
        for fact in self.facts.facts:
            if fact.id not in self.table | self.pages:
                yield fact, fact.unused or _NOT_NEEDED.get(fact.area) or _reason_by_kind(fact)

    def line(self) -> str:
        """One line for the end of a test run."""
        unused = list(self.unused())
        open_ones = sum(reason == _OPEN for _, reason in unused)
        return (
            f"{self.name}: {len(self.facts.facts)} facts, {len(self.table)} in the table, {len(self.pages)} on pages, "
            f"{len(unused) - open_ones} not needed, {open_ones} open"
        )


_OPEN = "open: nothing uses it yet"


def _reason_by_kind(fact: Fact) -> str:
    match fact.kind:
        case "code":
            return "on the wire, where the bot does not look"
        case "rule":
            return "a rule for people who write tables"
        case _ if fact.trust == "contradicted":
            return "contradicted by the vendor's own code"
        case _:
            return _OPEN


def usages() -> list[Usage]:
    """Of each platform that has facts and a table."""
    found = []
    for name in FILES:
        facts = load(name)
        table = facts.platform.lower()
        if not (PLATFORM_TABLES / f"{table}.yaml").is_file():
            continue
        ids = frozenset(each for source in sources(platform_table(table)) for each, _ in citations(source))
        shown = (
            frozenset(fact for state in packs.load(table).states.values() for fact in state.facts)
            if table in packs.names()
            else frozenset()
        )
        found.append(Usage(name, facts, ids, shown))
    return found


def sources(table: PlatformTable) -> Iterator[str]:
    """Every source that a table names for a part of itself."""
    for locators in (*table.elements.values(), table.participants.tile):
        yield from (locator.source for locator in locators)
    parts: list[Step | Signal] = [*table.all_steps, *table.signals]
    yield from (part.source for part in parts if part.source is not None)
    yield table.participants.source
    yield table.media.source


def citations(source: str) -> list[tuple[str, str]]:
    """Ids of the facts that a source cites, each with the date that is given: ``id, id, DATE; id, DATE``."""
    return [(each, found["date"]) for found in _CITATION.finditer(source) for each in found["ids"].split(", ")]


def main() -> None:
    """Print every unused fact with its reason, and the sums."""
    for usage in usages():
        for fact, reason in usage.unused():
            print(f"{fact.id:45} {reason}")
        print(usage.line())


if __name__ == "__main__":
    main()
