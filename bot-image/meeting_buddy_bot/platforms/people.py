"""Who is in the meeting, who came and who left, as the page shows it over time.

Names are all that a page tells, so a person is a name and the moment at which it was first seen; several of one name
are several. Tiles flicker, lists are read while they change, a bot that joins again sees an empty page first: somebody
has left only when readings without them add up to ``ABSENT_SECONDS``. A page may have tiles for some people only; of
those without one, as many are taken to be there as the page's own number allows. The bot itself and other bots of its
name are nobody.
"""

from collections import Counter, deque
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meeting_buddy.contract.report import MAX_CURRENT, MAX_LEFT, LeftReport, PeopleReport, PersonReport
from meeting_buddy.contract.text import MAX_NAME, page_text
from meeting_buddy_bot.checks.observed_time import LONGEST_INTERVAL
from meeting_buddy_bot.platforms.bots import is_bot
from meeting_buddy_bot.platforms.probe import PageSnapshot, Person

ABSENT_SECONDS: Final = 3.0
"""Observed time without somebody, from the first such reading on, after which they have left."""
SETTLING_SECONDS: Final = 10.0
"""After the bot was out of the call, in which others may be on their way back: a server that stood still drops all."""
_MAX_NAMED: Final = 1000
"""People who are followed by name at the same time, whatever a page shows."""
_MAX_REMEMBERED: Final = 5000
"""Names of a whole session; people of further ones are counted."""
_TICK: Final = timedelta(milliseconds=1)
"""What the report's times are right to."""


@dataclass(frozen=True, slots=True)
class PeopleChanges:
    """Who joined and who left between two readings."""

    joined: tuple[PersonReport, ...] = ()
    left: tuple[LeftReport, ...] = ()


NO_CHANGES: Final = PeopleChanges()


@dataclass(slots=True)
class _Attendee:
    """Somebody who is taken to be there."""

    person: PersonReport
    bot: bool
    seen_at: datetime
    absent: float | None = None
    """Observed seconds since the first reading without them, less those that all have to settle in.

    ``None``: they are shown, or may be there unshown.
    """

    @property
    def gone(self) -> bool:
        return self.absent is not None and self.absent >= ABSENT_SECONDS

    def left(self, at: datetime) -> LeftReport:
        joined = self.person.joined_at or at  # which may be a tick later than the only reading with them
        return LeftReport(name=self.person.name, joined_at=joined, left_at=max(joined, at))


class People:
    """Follows snapshots."""

    def __init__(self, bot_name: str, *, counted: bool = False, cut_at: Iterable[str] = ()) -> None:
        """Nobody is there yet.

        Args:
            bot_name: under which the bot joins.
            counted: the page says how many are there, and may have tiles for some of them only.
            cut_at: where the table cuts names, the bot's own among them.
        """
        self._counted = counted
        self._bot_name = page_text(bot_name, MAX_NAME)  # as a tile of this name comes out of the probe
        self._cut_names = {self._bot_name.partition(end)[0] for end in cut_at}
        self._there: list[_Attendee] = []
        self._left: deque[LeftReport] = deque(maxlen=MAX_LEFT)
        self._most_of_name: dict[str, int] = {}
        self._further = 0
        """People of names that are not among them, as often as they came."""
        self._most_at_once = 0
        self._present = 0
        self._told = False
        """Whether the last snapshot told how many are there."""
        self._last_look: datetime | None = None
        self._interrupted = False
        self._settled_at: datetime | None = None
        """Until then others may be on their way back."""

    @property
    def names(self) -> tuple[str, ...]:
        """Those who were seen so far, in the order of their coming."""
        return tuple(self._most_of_name)

    @property
    def settling(self) -> bool:
        """Whether the bot is back in the call for so short a time that others may still be on their way."""
        settled, last = self._settled_at, self._last_look
        return settled is not None and last is not None and last < settled

    def only_bots(self, spoken: Container[str]) -> bool | None:
        """Whether others are there and all of them are well-known meeting bots; who has ``spoken`` is none.

        ``None``: the last snapshot did not tell how many are there.
        """
        if not self._told:
            return None
        bots = sum(each.bot and each.person.name not in spoken for each in self._there)
        return 0 < self._present == bots

    @property
    def report(self) -> PeopleReport:
        """The report's part on people, as of the last snapshot."""
        return PeopleReport(
            current=tuple(each.person for each in self._there[:MAX_CURRENT]),
            left=tuple(self._left),
            present=self._present,
            # People of one name, or without one, are still several.
            seen=max(sum(self._most_of_name.values()) + self._further, self._most_at_once),
        )

    def others(self, people: Iterable[Person]) -> list[Person]:
        """Those who are neither this bot nor one of the same name: a browser that died stays listed for a while."""
        everybody = list(people)
        found = [person for person in everybody if not person.own and person.name != self._bot_name]
        if len(found) == len(everybody):  # the table may have cut the bot's own name; one of that name is the bot
            cut = next((person for person in found if person.name in self._cut_names), None)
            if cut is not None:
                found.remove(cut)
        return found

    def present(self, snapshot: PageSnapshot) -> int | None:
        """How many others are there; ``None``: the page does not tell."""
        shown = len(self.others(snapshot.people))
        if snapshot.count is not None:
            ours = len(snapshot.people) - shown
            if not ours and shown >= snapshot.count:  # the bot is one of them: somebody gave it another name
                return shown - 1
            return max(shown, snapshot.count - max(ours, 1))
        # Without a single tile, not even the bot's own, the page is not as the table describes it.
        return None if not snapshot.people or (self._counted and shown == 0) else shown

    def take(self, snapshot: PageSnapshot, at: datetime) -> PeopleChanges:
        """Follow one more snapshot, read at ``at``."""
        at -= timedelta(microseconds=at.microsecond % 1000)
        seconds = self._observed_seconds(at)
        shown = Counter(person.name for person in self.others(snapshot.people) if person.name)
        if self._interrupted:
            self._interrupted, self._settled_at = False, at + timedelta(seconds=SETTLING_SECONDS)
            for each in self._there:  # what dropped the bot may have dropped them a moment before
                each.absent = None
        present = self.present(snapshot)
        self._told = present is not None
        joined = self._note_shown(shown, at)
        left = self._note_absent(self._unshown(snapshot, present, shown.total()), at, seconds)
        if present is not None:
            self._present = max(present, len(self._there))
            self._most_at_once = max(self._most_at_once, present)
        return PeopleChanges(joined, left)

    def interrupted(self) -> None:
        """The bot is out of the call, and others may be, too, for the same cause."""
        self._interrupted = True

    def close(self) -> PeopleChanges:
        """The bot has left: whoever was there is seen no more, from the last snapshot with them on."""
        there = self._last_look
        left = tuple(each.left(there if there and each.absent is None else each.seen_at) for each in self._there)
        self._left.extendleft(left)
        self._there.clear()
        self._present = 0
        return PeopleChanges(left=left)

    def _observed_seconds(self, at: datetime) -> float:
        """Seconds since the last snapshot; 0 after a stretch in which nobody looked."""
        seconds = (at - (self._last_look or at)).total_seconds()
        self._last_look = at
        return seconds if seconds <= LONGEST_INTERVAL else 0.0

    def _note_shown(self, shown: Counter[str], at: datetime) -> tuple[PersonReport, ...]:
        new = Counter(shown)
        for each in self._there:  # of several of one name, those who came first are the ones that are still there
            if new[each.person.name] > 0:
                new[each.person.name] -= 1
                each.seen_at, each.absent = at, None
        # Those of one name who came at once are told apart by their times.
        people = [PersonReport(name=name, joined_at=at + number * _TICK) for name in new for number in range(new[name])]
        joined = tuple(people[: max(0, _MAX_NAMED - len(self._there))])
        self._there += [_Attendee(person, is_bot(person.name), at) for person in joined]
        if joined:
            self._remember(person.person.name for person in self._there)
            self._further += sum(person.name not in self._most_of_name for person in joined)
        return joined

    def _remember(self, names: Iterable[str]) -> None:
        for name, number in Counter(names).items():
            if name in self._most_of_name or len(self._most_of_name) < _MAX_REMEMBERED:
                self._most_of_name[name] = max(number, self._most_of_name.get(name, 0))

    def _unshown(self, snapshot: PageSnapshot, present: int | None, named: int) -> int:
        """How many may be there without a tile that names them."""
        if present is None or (self._counted and snapshot.count is None):
            return len(self._there)
        return max(0, present - named)

    def _note_absent(self, unshown: int, at: datetime, seconds: float) -> tuple[LeftReport, ...]:
        missing = sorted(
            (each for each in self._there if each.seen_at < at), key=lambda each: each.seen_at, reverse=True
        )
        for each in missing[:unshown]:
            each.absent = None
        left_to_settle = (self._settled_at - at).total_seconds() if self._settled_at is not None else 0.0
        for each in missing[unshown:]:
            each.absent = -max(0.0, left_to_settle) if each.absent is None else each.absent + seconds
        left = tuple(each.left(each.seen_at) for each in self._there if each.gone)
        if left:
            self._there = [each for each in self._there if not each.gone]
            self._left.extendleft(left)
        return left
