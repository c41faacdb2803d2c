"""Who is in the call with the bot and what arrives of the meeting: reported, and judged whether that ends the stay."""

from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.checks.breakout_rooms import BreakoutRooms
from meeting_buddy_bot.checks.everyone_left import EveryoneLeft
from meeting_buddy_bot.checks.media_received import AudioReceived, MediaStopped, NoMedia, is_listening, video_received
from meeting_buddy_bot.checks.nobody_came import NobodyCame
from meeting_buddy_bot.checks.only_bots import OnlyBots
from meeting_buddy_bot.checks.silence import Silence
from meeting_buddy_bot.platforms.people import People
from meeting_buddy_bot.platforms.probe import PageSnapshot
from meeting_buddy_bot.platforms.speakers import SpeakingHints
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock


class CallMonitor:
    """Takes each look at the call, across browsers."""

    def __init__(self, assignment: Assignment, clock: SessionClock, reporter: SessionReporter) -> None:
        limits, table = assignment.limits, assignment.table
        self._clock = clock
        self._reporter = reporter
        self._rejoins = assignment.rejoins
        self._breakout_notice = table.breakout_rooms
        self._nobody_came_seconds = limits.nobody_came_seconds
        cut_at = [each.before for each in table.participants.name if each.before]
        self.people = People(assignment.bot_name, counted=table.participants.count is not None, cut_at=cut_at)
        self._speakers = SpeakingHints(reporter.speaking)
        reporter.speaking_now = self._speakers.speaking_now
        self._breakout_rooms = BreakoutRooms(clock)
        self._nobody_came: NobodyCame | None = None
        self._everyone_left = EveryoneLeft(clock, limits.everyone_left_seconds)
        self._only_bots = OnlyBots(clock, limits.only_bots_seconds)
        self._silence = Silence(clock, limits.silence_seconds)
        self._audio = AudioReceived(clock)
        self._no_media = NoMedia(clock)
        self._media_stopped = MediaStopped(clock)

    def admitted(self) -> None:
        """The bot is in the meeting for the first time: somebody else has to come, unless earlier bots saw somebody."""
        self._nobody_came = NobodyCame(self._clock, self._nobody_came_seconds)
        if self._rejoins:  # what ended the bot before may have dropped others, too
            self.people.interrupted()

    def take(self, snapshot: PageSnapshot, playing: bool | None, pictures: bool | None) -> Reason | None:
        """One more look at the call; a reason when the stay is over for what it shows.

        Args:
            snapshot: of a page that is in the call.
            playing: whether the page plays sound, as it says itself; ``None``: it does not say.
            pictures: whether its pictures move; ``None``: nobody can tell.
        """
        now = self._clock.now()
        others = self.people.others(snapshot.people)
        changes = self.people.take(snapshot, self._clock.utc(now))
        self._reporter.people(self.people.report, self.people.names, changes)
        present = self.people.present(snapshot)
        self._speakers.take(others, now)
        speaking = any(person.speaking for person in others)
        listening = is_listening(self._reporter.read_at, now)
        audio = self._audio.update(self._reporter.heard_at, listening=listening, speaking=speaking, playing=playing)
        video = video_received(pictures)
        self._reporter.received(audio, video, listening=listening)
        if self._reporter.others_came_before:
            self._nobody_came = None
            self._everyone_left.somebody_came()
        # Whom the host sent to breakout rooms comes back.
        away = self._breakout_rooms_open(snapshot, present)
        all_away = away and not present
        on_their_way = self.people.settling and not present
        nobody = self._nobody_came.verdict(None if all_away else present) if self._nobody_came else None
        only_bots = False if away else self.people.only_bots(self._speakers.spoken)
        return (
            nobody
            or self._everyone_left.verdict(None if all_away or on_their_way else present)
            or self._only_bots.verdict(only_bots=only_bots)
            or self._silence.verdict(self._reporter.heard_at, listening=listening)
            or self._no_media.verdict(audio, video, speaking=speaking)
            or self._media_stopped.verdict(audio, video)
        )

    def interrupted(self) -> None:
        """Out of the call nobody sees who goes on speaking, and the next page may play what this one did not."""
        self._speakers.close(self._clock.now())
        self.people.interrupted()
        self._audio.interrupted()
        self._no_media.interrupted()

    def close(self) -> None:
        """The bot leaves; all who are there are reported as seen last now."""
        self.interrupted()
        changes = self.people.close()
        self._reporter.people(self.people.report, self.people.names, changes)

    def _breakout_rooms_open(self, snapshot: PageSnapshot, present: int | None) -> bool:
        shown = self._breakout_notice is not None and snapshot.holds(self._breakout_notice)
        is_open = self._breakout_rooms.update(shown=shown, others=present)
        self._reporter.breakout_rooms(is_open=is_open)
        return is_open
