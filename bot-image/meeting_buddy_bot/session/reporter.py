"""What a session tells of itself as it goes: each change once, to the report (for the operator) and to the events."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.report import BrowserReport, PeopleReport
from meeting_buddy_bot.browser.browser import Browser
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.support.event_log import EventLog


class SessionReporter:
    """Writes what happens in a session to its report and its events.

    ``publish_names`` false keeps people's names out of the report; the event log looks to itself.
    """

    def __init__(self, state: ReportState, events: EventLog, *, publish_names: bool = True) -> None:
        self._state = state
        self._events = events
        self._publish_names = publish_names
        self._people = PeopleReport()
        self._flowing: dict[str, bool | None] = {}

    @property
    def ever_joined(self) -> bool:
        """Whether the bot was in the meeting at any time."""
        return self._state.report.ever_joined

    def waiting(self, waiting: Waiting | None) -> None:
        """What the bot waits for outside the call; ``None``: it is in the call."""
        if waiting is not None and self.ever_joined and waiting is not Waiting.WAITING_ROOM:
            waiting = Waiting.REJOINING
        if waiting is not None and waiting is not self._state.report.waiting:
            self._events.write("waiting", waiting=waiting)
        self._state.update(waiting=waiting)

    def admitted(self, at: datetime, audio_route: str) -> None:
        """The bot is in the meeting for the first time."""
        self._events.write("admitted")
        media = self._state.report.media.model_copy(update={"audio_route": audio_route})
        self._state.update(phase=ReportPhase.ACTIVE, waiting=None, ever_joined=True, joined_at=at, media=media)

    def recording(self) -> None:
        """Media is being written."""
        self._state.update(phase=ReportPhase.RECORDING)

    def leaving(self) -> None:
        """The bot is on its way out."""
        self._state.update(phase=ReportPhase.LEAVING, waiting=None)

    def left(self, at: datetime) -> None:
        """The bot is out of the page, and nobody is with it any more."""
        changes = {"left_at": at} if self.ever_joined else {}
        self._state.update(people=self._state.report.people.model_copy(update={"current": (), "present": 0}), **changes)

    def browser(self, browser: Browser, restarts: int, *, alive: bool) -> None:
        """How the browser is; what a dead one was is kept."""
        known = self._state.report.browser
        self._state.update(
            browser=BrowserReport(
                alive=alive,
                restarts=restarts,
                version=browser.version or known.version,
                age_days=browser.age_days,
                sandbox=browser.sandbox,
            )
        )

    def people(self, people: PeopleReport, names: Sequence[str]) -> None:
        """Who is there now, and the names of all who were."""
        if people == self._people:
            return
        if people.current != self._people.current:
            personal = {"current": list(people.current)}
            self._events.write("people", personal=personal, present=people.present, seen=people.seen)
        self._people = people
        self._state.participants = tuple(names)
        self._state.update(people=people if self._publish_names else people.model_copy(update={"current": ()}))

    def flow(self, kind: str, flowing: bool | None) -> None:
        """Whether the page's sound or picture advances; ``None``: there is none that could."""
        if flowing is not self._flowing.get(kind) and flowing is not None:
            self._events.write("media_of_page", kind=kind, advancing=flowing)
        self._flowing[kind] = flowing

    def speaking(self, interval: Interval) -> None:
        """Somebody spoke, and has ended."""
        self._events.write(
            "speaking",
            personal={"name": interval.name},
            start=round(interval.start, 2),
            end=round(interval.end, 2),
        )

    def evidence(self, paths: Iterable[str]) -> None:
        """Files that show what was on the page."""
        self._state.update(evidence=tuple(dict.fromkeys((*self._state.report.evidence, *paths))))
