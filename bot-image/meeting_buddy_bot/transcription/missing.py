"""What was said in the meeting and will have no text: from when to when, and why."""

from bisect import bisect
from collections.abc import Callable, Iterable
from typing import Final

from meeting_buddy_bot.transcription.messages import Missed

DIED: Final = "the transcriber died"
NO_TIME: Final = "there was no time left for it"
_LEAST: Final = 0.5
"""Seconds; what is shorter is no stretch that anybody would look for."""
_NEAR: Final = 5.0
"""Seconds between two stretches of one cause that are told as one."""
_MAX_SPANS: Final = 5
"""In a sentence; all of them are in the events."""


class MissingText:
    """The stretches without text of one session, seconds on its clock."""

    def __init__(self, joined: Callable[[], float | None], missed: Callable[[Missed], None]) -> None:
        """Nothing is missing yet.

        Args:
            joined: when the bot was admitted; what was before is missed by nobody.
            missed: called with each stretch, once it is over.
        """
        self._joined = joined
        self._missed = missed
        self._spans: list[Missed] = []
        self._since: tuple[float, str] | None = None
        self._least = _LEAST

    def begin(self, start: float, cause: str, least: float = _LEAST) -> None:
        """From here on nobody hears what is said, or what was heard came to nothing; shorter than ``least`` it is none.

        One that goes on already has this cause from now on.
        """
        if self._since is not None:
            start = min(start, self._since[0])
        self._since, self._least = (start, cause), least

    def recall(self, earlier: Iterable[Missed]) -> None:
        """Stretches before all others, which an earlier process has told already."""
        for each in sorted(earlier, key=lambda each: each.start):
            self._insert(each)

    @property
    def since(self) -> float | None:
        """Where the stretch that goes on began."""
        return None if self._since is None else self._since[0]

    def end(self, end: float) -> None:
        """What :meth:`begin` told ends here, if anything did."""
        if self._since is not None:
            (start, cause), self._since = self._since, None
            self.add(start, end, cause, self._least)

    def add(self, start: float, end: float, cause: str, least: float = _LEAST) -> None:
        """A stretch as a whole; no part of it counts twice, and none before admission."""
        joined = self._joined()
        if joined is not None:
            self._add(max(start, joined), end, cause, least)

    def add_earlier(self, start: float, end: float, cause: str) -> None:
        """A stretch of an earlier process, admitted by then, which could not tell it."""
        self._add(start, end, cause, _LEAST)

    def _add(self, start: float, end: float, cause: str, least: float) -> None:
        for first, last in self._untold(start, end):
            if last - first >= least:
                self._note(Missed(start=round(first, 1), end=round(last, 1), cause=cause))

    def _untold(self, start: float, end: float) -> list[tuple[float, float]]:
        """What of a stretch is in none that was told, be it later or earlier ones."""
        found = []
        for each in self._spans:
            if each.start < end and each.end > start:
                found.append((start, each.start))
                start = each.end
        return [*found, (start, end)]

    def _note(self, missed: Missed) -> None:
        self._missed(missed)
        self._insert(missed)

    def _insert(self, missed: Missed) -> None:
        place = bisect(self._spans, missed.start, key=lambda each: each.start)
        last = self._spans[place - 1] if place else None
        if last is not None and last.cause == missed.cause and missed.start - last.end < _NEAR:
            self._spans[place - 1] = last.model_copy(update={"end": max(last.end, missed.end)})
        else:
            self._spans.insert(place, missed)

    def sentence(self) -> str | None:
        """All of it in a few words; ``None``: nothing is missing."""
        if not self._spans:
            return None
        told = ", ".join(f"{each.start:.0f}-{each.end:.0f} s ({each.cause})" for each in self._spans[:_MAX_SPANS])
        more = len(self._spans) - _MAX_SPANS
        return f"without text: {told}" + (f" and {more} more until {self._spans[-1].end:.0f} s" if more > 0 else "")
