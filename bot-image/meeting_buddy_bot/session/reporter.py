"""The one writer of the report: each change once, to the report (for the operator) and to the events (for people)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.report import (
    BrowserReport,
    PeopleReport,
    PersonReport,
    Reception,
    RecordingReport,
    TranscriptionReport,
)
from meeting_buddy_bot.checks.media_received import last_known
from meeting_buddy_bot.platforms.people import NO_CHANGES, PeopleChanges
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.result import SessionResult
from meeting_buddy_bot.support.event_log import EventLog

if TYPE_CHECKING:  # the finisher's transcript comes by here, and needs no browser's driver in memory
    from meeting_buddy_bot.browser.browser import Browser


class SessionReporter:
    """Reports one session.

    ``publish_names`` false keeps people's names out of the report; the event log looks to itself. ``rejoins``: an
    earlier attempt was in the meeting.
    """

    def __init__(
        self, state: ReportState, events: EventLog, *, publish_names: bool = True, rejoins: bool = False
    ) -> None:
        self._state = state
        self._events = events
        self._publish_names = publish_names
        self._rejoins = rejoins
        self._reconnecting = False
        self._earlier_names: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._people = PeopleReport()
        self.on_speaking: Callable[[Interval], None] = lambda interval: None
        """Called with each interval in which somebody spoke, once it is over."""
        self.speaking_now: Callable[[float], tuple[str, ...]] = lambda at: ()
        """Whose interval is open at a moment, seconds on the session clock."""
        self.heard_at: float | None = None
        """When sound was last heard from the meeting, seconds on the session clock."""
        self.read_at: float | None = None
        """When the sound device last gave a frame, silent or not, seconds on the session clock."""

    @property
    def ever_joined(self) -> bool:
        """Whether the bot was in the meeting at any time."""
        return self._state.report.ever_joined

    @property
    def joined_at(self) -> datetime | None:
        """When the bot was first admitted."""
        return self._state.report.joined_at

    async def wait_joined(self) -> datetime:
        """Wait until the bot was first admitted; when that was."""
        while (joined := self.joined_at) is None:
            await self._state.newer_than(self._state.report.revision)
        return joined

    @property
    def others_came_before(self) -> bool:
        """Whether earlier attempts are known to have seen somebody; the volume may tell so at any time."""
        return bool(self._earlier_names)

    @property
    def may_hear_meeting(self) -> bool:
        """Whether what sounds now may be the meeting: it may while the page says that it has lost the connection."""
        return self._state.in_meeting or self._reconnecting

    @property
    def recorded(self) -> RecordingReport:
        """What was last reported of the recording."""
        return self._state.report.recording

    # The way in and out

    def reconnecting(self) -> None:
        """The page of the call says that it has lost the connection."""
        self.waiting(Waiting.REJOINING)
        self._reconnecting = True

    def waiting(self, waiting: Waiting | None) -> None:
        """What the bot waits for outside the call; ``None``: it is in the call."""
        self._reconnecting = False
        inside_before = self.ever_joined or self._rejoins
        if waiting is not None and inside_before and waiting is not Waiting.WAITING_ROOM:
            waiting = Waiting.REJOINING
        if waiting is not None and waiting is not self._state.report.waiting:
            self._events.write("waiting", waiting=waiting)
        if waiting is not None:
            self._state.health.out_of_call()
        self._state.update(waiting=waiting)

    def admitted(self, at: datetime, audio_route: str) -> None:
        """The bot is in the meeting for the first time."""
        self._events.write("admitted")
        media = self._state.report.media.model_copy(update={"audio_route": audio_route})
        self._state.update(phase=ReportPhase.ACTIVE, waiting=None, ever_joined=True, joined_at=at, media=media)

    def leaving(self) -> None:
        """The bot is on its way out."""
        self._reconnecting = False
        self._state.update(phase=ReportPhase.LEAVING, waiting=None)

    def left(self, at: datetime) -> None:
        """The bot is out of the page, and nobody is with it any more."""
        changes = {"left_at": at} if self.ever_joined else {}
        self._state.update(people=self._state.report.people.model_copy(update={"current": (), "present": 0}), **changes)

    def ended(self, result: SessionResult, recording: RecordingReport, at: datetime) -> None:
        """The session is over; nothing is reported after this."""
        report = self._state.report
        left = {"left_at": at} if report.joined_at is not None and report.left_at is None else {}
        self._state.update(
            phase=ReportPhase.ENDED,
            reason=result.reason,
            message=result.message,
            recording=recording,
            waiting=None,
            **left,
        )

    # The page

    def looked(self) -> None:
        """The page was read."""
        self._state.health.looked()

    def browser(self, browser: "Browser", restarts: int, *, alive: bool) -> None:
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

    def people(self, people: PeopleReport, names: Sequence[str], changes: PeopleChanges = NO_CHANGES) -> None:
        """Who is there now, the names of all who were, and who joined and left since the last call."""
        for joined in changes.joined:
            self._participant("participant_joined", joined)
        for left in changes.left:
            self._participant("participant_left", left)
        if people == self._people:
            return
        self._people = people
        self._names = tuple(names)
        self._keep_names()
        published = people if self._publish_names else people.model_copy(update={"current": (), "left": ()})
        self._state.update(people=published)

    def earlier_participants(self, names: Sequence[str]) -> None:
        """Names of those whom earlier attempts saw."""
        self._earlier_names = tuple(names)
        self._keep_names()

    def _keep_names(self) -> None:
        self._state.participants = tuple(dict.fromkeys((*self._earlier_names, *self._names)))

    def _participant(self, event: str, person: PersonReport) -> None:
        times = person.model_dump(mode="json", by_alias=True, exclude={"name"})
        self._events.write(event, personal={"name": person.name}, **times)

    def breakout_rooms(self, *, is_open: bool) -> None:
        """Whether the host has opened breakout rooms."""
        if is_open is not self._state.report.breakout_rooms:
            self._events.write("breakout_rooms", open=is_open)
            self._state.update(breakout_rooms=is_open)

    def speaking(self, interval: Interval) -> None:
        """Somebody spoke, and has ended."""
        self._events.write(
            "speaking",
            personal={"name": interval.name},
            start=round(interval.start, 2),
            end=round(interval.end, 2),
        )
        self.on_speaking(interval)

    def evidence(self, path: str) -> None:
        """A file that shows what was on the page."""
        self._state.update(evidence=tuple(dict.fromkeys((*self._state.report.evidence, path))))

    # Media

    def received(self, audio: Reception, video: Reception, *, listening: bool = True) -> None:
        """Whether the meeting's sound and pictures arrive; once they did, only their absence is news.

        ``listening`` false: sound would not have been heard, and what was known of it holds no longer.
        """
        media = self._state.report.media
        audio = last_known(media.audio, audio) if listening else audio
        video = last_known(media.video, video)
        for kind, before, after in (("audio", media.audio, audio), ("video", media.video, video)):
            if before != after:
                self._events.write("media_received", kind=kind, received=after.received, reason=after.reason)
        self._state.health.received(audio, video)
        self._state.update(media=media.model_copy(update={"audio": audio, "video": video}))

    def sound_read(self, at: float) -> None:
        """The recorder's sound device gave a frame."""
        self.read_at = at

    def sound_heard(self, at: float) -> None:
        """Something other than digital silence reached the recorder's sound device."""
        self.heard_at = at

    def sound_flows(self, *, flowing: bool) -> None:
        """Whether sound was heard within the last half minute."""
        media = self._state.report.media
        if flowing is not media.flowing:
            self._events.write("sound_flows" if flowing else "sound_silent")
            self._state.update(media=media.model_copy(update={"flowing": flowing}))

    # Recording

    def recording_started(self) -> None:
        """Media is being written."""
        self._state.update(phase=ReportPhase.RECORDING)

    def recording_progress(self, report: RecordingReport) -> None:
        """What is on the volume by now, unverified."""
        if self._state.report.phase is not ReportPhase.ENDED:
            self._state.update(recording=report)

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        """How the volume is."""
        self._state.update(storage_pressure=low, storage_unresponsive=unresponsive)

    def transcription(self, report: TranscriptionReport) -> None:
        """How the transcript is doing."""
        if report.state != self._state.report.transcription.state:
            self._events.write("transcription", state=report.state, reason=report.reason)
        self._state.update(transcription=report)

    def memory(self, *, pressed: bool) -> None:
        """Whether memory is short."""
        self._state.update(memory_pressure=pressed)
