"""Who is in the meeting, as the page shows it; the bot itself and other bots of its name are not counted."""

from collections.abc import Iterable
from typing import Final

from meeting_buddy.contract.report import PeopleReport
from meeting_buddy.contract.text import MAX_NAME, page_text
from meeting_buddy_bot.platforms.probe import PageSnapshot, Person

MOST_CURRENT: Final = 50
"""Names in the report, of those that are there."""
_MOST_SEEN: Final = 1000


class People:
    """Follows snapshots."""

    def __init__(self, bot_name: str, *, counted: bool = False) -> None:
        """``counted``: the page says how many are there, and may have tiles for some of them only."""
        self._counted = counted
        self._bot_name = page_text(bot_name, MAX_NAME)  # as a tile of this name comes out of the probe
        self._seen: dict[str, None] = {}
        self._most_at_once = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who was seen so far, in the order of their coming."""
        return tuple(self._seen)

    def others(self, people: Iterable[Person]) -> list[Person]:
        """Those who are neither this bot nor one of the same name: a browser that died stays listed for a while."""
        return [person for person in people if not person.own and person.name != self._bot_name]

    def present(self, snapshot: PageSnapshot) -> int | None:
        """How many others are there; ``None``: the page does not tell."""
        shown = len(self.others(snapshot.people))
        if snapshot.count is not None:
            ours = len(snapshot.people) - shown
            return max(shown, snapshot.count - max(ours, 1))
        # Without a single tile, not even the bot's own, the page is not as the table describes it.
        return None if not snapshot.people or (self._counted and shown == 0) else shown

    def take(self, snapshot: PageSnapshot) -> PeopleReport:
        """The report's part on people after one more snapshot."""
        others = self.others(snapshot.people)
        present = self.present(snapshot) or len(others)
        names = tuple(dict.fromkeys(person.name for person in others if person.name))
        if len(self._seen) < _MOST_SEEN:
            self._seen |= dict.fromkeys(names)
        # People of one name, or without one, are still several.
        self._most_at_once = max(self._most_at_once, present)
        return PeopleReport(
            current=names[:MOST_CURRENT], present=present, seen=max(len(self._seen), self._most_at_once)
        )
