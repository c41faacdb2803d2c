"""The frames of the meeting's tabs: their documents, the sessions by which they are reached, and where they lie.

A frame of another site has a session of its own. What was asked in a session is never answered once its frame is
removed, or the frame's process has crashed: the browser says that this happened, not that an answer will not come.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from meeting_buddy_bot.browser.errors import FrameGoneError


@dataclass(slots=True, eq=False)
class Context:
    """A document's isolated world."""

    session: str
    number: int
    frame: str
    prepared: str | None = None
    """The script that was last run in it to make what others call."""
    late: asyncio.Task[Any] | None = None
    """A question that was not answered in time; ends when it is answered after all, or no longer can be."""

    @property
    def hangs(self) -> bool:
        """Whether it still owes an answer."""
        return self.late is not None and not self.late.done()


@dataclass(slots=True)
class Session:
    """A session of a tab or of a frame of another site."""

    target: str
    """Its own frame's id is the same."""
    parent: str | None = None
    """The session of the frame around it; ``None`` for a tab."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once nothing is answered any more that was asked until then."""


class Frames:
    """What the browser has told of the tabs' frames."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._contexts: dict[tuple[str, int], Context] = {}

    def session(self, name: str) -> Session | None:
        """The session of this id, while there is one."""
        return self._sessions.get(name)

    def attach(self, name: str, session: Session) -> None:
        """A tab or a frame of another site is reached by session ``name`` from now on."""
        self._sessions[name] = session

    def detach(self, name: str) -> Session | None:
        """The session is gone, its frame's documents with it; returns what it was."""
        session = self._sessions.pop(name, None)
        self.clear(name)
        if session is not None:
            session.lost.set()
        return session

    def crash(self, name: str) -> None:
        """The session's process is gone; what loads its frame again may ask in the same session."""
        self.clear(name)
        if (session := self._sessions.get(name)) is not None:
            session.lost.set()
            session.lost = asyncio.Event()

    def add(self, context: Context) -> None:
        """A document has come."""
        self._contexts[context.session, context.number] = context

    def remove(self, session: str, number: int) -> None:
        """A document is gone."""
        self._contexts.pop((session, number), None)

    def clear(self, session: str) -> None:
        """All documents of a session are gone."""
        self._contexts = {key: each for key, each in self._contexts.items() if each.session != session}

    def tab_of(self, session: str) -> str | None:
        """The tab that a session belongs to."""
        while (found := self._sessions.get(session)) is not None:
            if found.parent is None:
                return found.target
            session = found.parent
        return None

    def documents(self, tab: str) -> list[Context]:
        """Those of a tab, its own first."""
        found = [each for each in self._contexts.values() if self.tab_of(each.session) == tab]
        return sorted(found, key=lambda each: each.frame != tab)

    async def offset_of(
        self, frame: str, box_of: Callable[[str, str], Awaitable[tuple[float, float]]]
    ) -> tuple[float, float]:
        """Where the frame's view begins in the tab's, in CSS pixels.

        ``box_of``: left and top of what a frame's element holds, in the view of the frame that the session is of.

        Raises:
            FrameGoneError: the frame is gone; else what ``box_of`` raises.
        """
        x = y = 0.0
        holder = next((each.session for each in self._contexts.values() if each.frame == frame), None)
        while holder is not None and holder in self._sessions:
            session = self._sessions[holder]
            if frame != session.target:  # a box is told in the view of the session's own frame, however deep it lies
                left, top = await box_of(frame, holder)
                x, y, frame = x + left, y + top, session.target
            if session.parent is None:
                return x, y
            left, top = await box_of(frame, session.parent)
            x, y, holder = x + left, y + top, session.parent
            frame = self._sessions[holder].target if holder in self._sessions else frame
        raise FrameGoneError("the frame is gone")
