"""Would anybody notice if a part of a platform's table were wrong? Each part is taken away, on every page of its pack.

One look at a page with every locator as an element of its own is enough: what any smaller table would make of the page
follows from it, without a browser. Two kinds of mutation: a signal is dropped, and an element is found by one of its
locators alone. A signal counts as tested when some page is judged otherwise, a locator when some page needs its element
and is judged rightly by it alone. Judged is what the bot believes and does next, and in the call also which steps of
the announcement apply, and whether breakout rooms are open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from meeting_buddy.contract.table import Match, PlatformTable, Signal, State, Step, Verb
from meeting_buddy_bot.platforms.probe import PageSnapshot, label
from meeting_buddy_bot.tools.verdict import Verdict, verdict


def expanded(table: PlatformTable) -> PlatformTable:
    """The table, asking for every locator of every element by itself as well."""
    elements = dict(table.elements)
    questions: list[Match] = []
    for name, locators in table.elements.items():
        for number, locator in enumerate(locators):
            elements[_alone(name, number)] = (locator,)
            questions.append(Match(element=_alone(name, number)))
    for match in table.matches:
        if match.element is not None:
            count = len(table.elements[match.element])
            questions += (match.model_copy(update={"element": _alone(match.element, each)}) for each in range(count))
    steps = [
        step.model_copy(update={"name": f"{step.name}#{number}", "target": _alone(step.target, number)})
        for step in table.all_steps
        if step.target is not None
        for number in range(len(table.elements[step.target]))
    ]
    asking = Signal(state=State.PRE_JOIN, any=tuple(dict.fromkeys(questions)), source="asked in tests, 2026-11-25")
    return table.model_copy(
        update={"elements": elements, "signals": (*table.signals, asking), "leave": (*table.leave, *steps)}
    )


@dataclass(frozen=True, slots=True)
class _Questions:
    """What is asked of each locator alone; made once for a table, for its looks are judged hundreds of times."""

    table: PlatformTable
    there: Mapping[str, tuple[Match, ...]]
    """By element: whether it finds something."""
    instead: Mapping[Match, tuple[Match, ...]]
    """By each match about an element: the same about what it alone finds."""
    others: tuple[Match, ...]
    """The matches about no element."""

    @classmethod
    def of(cls, table: PlatformTable) -> _Questions:
        made = _MADE.get(id(table))
        if made is None:
            there = {
                name: tuple(Match(element=_alone(name, each)) for each in range(len(locators)))
                for name, locators in table.elements.items()
            }
            instead = {
                match: tuple(
                    match.model_copy(update={"element": _alone(match.element, each)})
                    for each in range(len(table.elements[match.element]))
                )
                for match in table.matches
                if match.element is not None
            }
            others = tuple(match for match in table.matches if match.element is None)
            made = _MADE[id(table)] = cls(table, there, instead, others)
        return made


_MADE: dict[int, _Questions] = {}
"""By the table's identity; each holds its table, so that no other can get it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that a table makes of a page."""

    verdict: Verdict
    announcing: tuple[str, ...] = ()
    """Names of the steps of the announcement that apply."""
    breakout_rooms: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a page by the expanded table."""

    page: str
    snapshot: PageSnapshot
    joined: bool

    def verdict(self, table: PlatformTable) -> Verdict:
        """What the bot makes of the page."""
        return self.judge(table, self.reduced(table, self.found_by(table))).verdict

    def found_by(self, table: PlatformTable) -> dict[str, int | None]:
        """Which of its locators finds each element: the first that finds something."""
        seen = self.snapshot.seen
        return {
            element: next((number for number, match in enumerate(there) if match in seen), None)
            for element, there in _Questions.of(table).there.items()
        }

    def reduced(self, table: PlatformTable, found_by: Mapping[str, int | None]) -> PageSnapshot:
        """What the table alone would have seen of the page."""
        questions, seen = _Questions.of(table), self.snapshot.seen
        holding = {
            match
            for match, alternatives in questions.instead.items()
            if match.element is not None
            and (number := found_by[match.element]) is not None
            and alternatives[number] in seen
        }
        actable = frozenset(step.name for step in table.all_steps if self._actable(step, found_by))
        holding |= {match for match in questions.others if match in seen}
        return PageSnapshot(frozenset(holding), actable, count=self.snapshot.count)

    def judge(self, table: PlatformTable, reduced: PageSnapshot) -> Judgement:
        """All that the table makes of what it sees of the page."""
        found = verdict(table, reduced, joined=self.joined)
        if found.state is not State.IN_CALL:
            return Judgement(found)
        steps = table.announcement.steps if table.announcement else ()
        rooms = table.breakout_rooms is not None and reduced.holds(table.breakout_rooms)
        return Judgement(found, tuple(step.name for step in steps if reduced.applies(step)), rooms)

    def _actable(self, step: Step, found_by: Mapping[str, int | None]) -> bool:
        return step.target is None or f"{step.name}#{found_by[step.target]}" in self.snapshot.actable


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutations some page tells."""

    told: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of all mutations."""
        total = self.told + len(self.survivors)
        return self.told / total if total else 1.0


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What the whole table makes of a look."""

    look: Look
    found_by: Mapping[str, int | None]
    reduced: PageSnapshot
    judgement: Judgement

    @classmethod
    def of(cls, table: PlatformTable, look: Look) -> _Baseline:
        found_by = look.found_by(table)
        reduced = look.reduced(table, found_by)
        return cls(look, found_by, reduced, look.judge(table, reduced))

    def tells_missing(self, signal: Signal, smaller: PlatformTable) -> bool:
        """Whether the page is judged otherwise by the table without the signal; never where it does not hold."""
        return self.reduced.holds(signal) and self.look.judge(smaller, self.reduced) != self.judgement

    def needs(self, table: PlatformTable, element: str) -> bool:
        """Whether the page is judged otherwise when the element is not found; never where it is not found anyway."""
        return self.found_by[element] is not None and not self._is_same(table, element, None)

    def is_right_by(self, table: PlatformTable, element: str, number: int) -> bool:
        """Whether the page, which needs the element, is judged as before when this locator alone may find it."""
        finds = Match(element=_alone(element, number)) in self.look.snapshot.seen
        return finds and self._is_same(table, element, number)

    def _is_same(self, table: PlatformTable, element: str, number: int | None) -> bool:
        reduced = self.look.reduced(table, {**self.found_by, element: number})
        return self.look.judge(table, reduced) == self.judgement


def score(table: PlatformTable, looks: list[Look]) -> Score:
    """Mutate every signal and every locator by which something is decided or done."""
    baselines = [_Baseline.of(table, look) for look in looks]
    told, survivors = 0, []
    for name, killed in (*_signals(table, baselines), *_locators(table, baselines)):
        told += killed
        if not killed:
            survivors.append(name)
    return Score(told, tuple(survivors))


def _signals(table: PlatformTable, baselines: list[_Baseline]) -> Iterator[tuple[str, bool]]:
    seen: dict[str, int] = {}
    for signal in table.signals:
        seen[label(signal)] = number = seen.get(label(signal), 0) + 1
        name = f"signal {label(signal)}" + (f" {number}" if number > 1 else "")
        smaller = table.model_copy(update={"signals": tuple(each for each in table.signals if each is not signal)})
        yield name, any(each.tells_missing(signal, smaller) for each in baselines)


def _locators(table: PlatformTable, baselines: list[_Baseline]) -> Iterator[tuple[str, bool]]:
    for element in sorted(_used(table)):
        needing = [each for each in baselines if each.needs(table, element)]
        for number, locator in enumerate(table.elements[element]):
            right = any(each.is_right_by(table, element, number) for each in needing)
            yield f"element {element} {number + 1}: {locator.source.partition(',')[0]}", right


def _used(table: PlatformTable) -> set[str]:
    """Elements by which something is decided or done; how to leave is tested by leaving."""
    steps = (*table.steps, *(table.announcement.steps if table.announcement else ()))
    deciding = [*(step.when for step in steps), *table.signals]
    if table.breakout_rooms is not None:
        deciding.append(table.breakout_rooms)
    used = {match.element for part in deciding for match in part.matches if match.element is not None}
    return used | {step.target for step in steps if step.target is not None and step.do is not Verb.HOVER}


def _alone(element: str, number: int) -> str:
    return f"{element} {number}"
