"""Does the meeting's sound and picture arrive? A silent file and a frozen picture look like a good recording.

"Received" is known only in part: a meeting in which nobody speaks is as silent as a broken one, and without a camera
there is no picture that could advance. Then the answer is unknown, and nothing follows from it.
"""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Reception
from meeting_buddy_bot.checks.clock import Clock
from meeting_buddy_bot.checks.observed_time import ObservedTime

LISTENING_SECONDS: Final = 5.0
"""After a frame of sound came, silent or not, somebody counts as listening for so long."""
HEARD_SECONDS: Final = 30.0
"""After sound was heard, it counts as received for so long."""
SPEAKING_SECONDS: Final = 10.0
"""People who are shown as speaking for so long while not a sound arrives are not heard."""
FORGOTTEN_SECONDS: Final = 90.0
"""Once nobody was shown as speaking for so long, it is no longer said that people are not heard."""
_PAUSE: Final = 2.0
"""Hints and sound are out of step by about a second."""
NO_MEDIA_SECONDS: Final = 60.0
"""Media that should come and does not, for so long, since the bot was let in, will not come."""
MEDIA_STOPPED_SECONDS: Final = 60.0
"""A page on which nobody is heard and no picture moves for so long, although it should, has lost its connection."""


def is_listening(read_at: float | None, now: float) -> bool:
    """Whether sound would have been heard; ``read_at``: when a frame of it last came, ``None``: never."""
    return read_at is not None and now - read_at <= LISTENING_SECONDS


class AudioReceived:
    """Compares what reaches the sound device with who is shown as speaking."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._observed = ObservedTime(clock)
        self._looked_since: float | None = None
        """When the call was first looked at since it was last out of sight; ``None``: not yet."""
        self._unheard = 0.0
        self._shown_at = 0.0
        """When somebody was last shown as speaking."""

    def update(self, heard_at: float | None, *, listening: bool, speaking: bool, playing: bool | None) -> Reception:
        """One more look.

        Args:
            heard_at: when sound was last heard, on the check's clock; ``None``: never. What was heard before the call
                was in sight, such as a lobby's music, is not of it.
            listening: whether sound would have been heard; what was not listened to is unknown.
            speaking: whether the page shows somebody else as speaking.
            playing: whether the clock of any element of the page that plays sound advances; ``None``: there is none.
        """
        seconds, now = self._observed.look(), self._clock.now()
        if self._looked_since is None:
            self._looked_since = now
        if not listening:
            return Reception(received=None, reason="NotListening")
        silent = float("inf") if heard_at is None or heard_at < self._looked_since else now - heard_at
        if silent <= _PAUSE:
            self._unheard = 0.0
        elif speaking:
            self._unheard += seconds
            self._shown_at = now
        elif now - self._shown_at > FORGOTTEN_SECONDS:
            self._unheard = 0.0
        if self._unheard >= SPEAKING_SECONDS:
            return Reception(received=False, reason="SilentWhileSpeaking" if playing else "PagePlaysNothing")
        if silent <= HEARD_SECONDS:
            return Reception(received=True, reason="Heard")
        return Reception(received=None, reason="NobodySpeaks")

    def interrupted(self) -> None:
        """The call is out of sight, and the page that played nothing may be gone."""
        self._looked_since, self._unheard = None, 0.0


def video_received(advancing: bool | None) -> Reception:
    """From whether the page's pictures advance (``None``: there are none) to the report's words."""
    if advancing is None:
        return Reception(received=None, reason="NoPicture")
    return Reception(received=True, reason="Advancing") if advancing else Reception(received=False, reason="Frozen")


def _arrives(audio: Reception, video: Reception) -> bool:
    return audio.received is True or video.received is True


def last_known(before: Reception, now: Reception) -> Reception:
    """What people read: that media arrived stays true when nobody speaks, or has a camera on, any more."""
    return before if now.received is None and before.received else now


class NoMedia:
    """Fires when people are not heard for :data:`NO_MEDIA_SECONDS` and no media was ever received.

    Only time counts in which somebody is shown as speaking: a tile that was marked for a while proves nothing in a
    meeting that begins in silence. Pictures that do not move may be one guest's camera while nobody speaks yet: they
    are reported, and end nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self._observed = ObservedTime(clock)
        self._received = False
        self._missing = 0.0

    def verdict(self, audio: Reception, video: Reception, *, speaking: bool) -> Reason | None:
        """One more look. Unknown is no evidence, neither for nor against."""
        seconds = self._observed.look()
        self._received = self._received or _arrives(audio, video)
        if audio.received is False and speaking:
            self._missing += seconds
        return Reason.NO_MEDIA if not self._received and self._missing >= NO_MEDIA_SECONDS else None

    def interrupted(self) -> None:
        """What did not come to the page that is gone may come to the next one."""
        self._missing = 0.0


class MediaStopped:
    """Fires when sound and pictures both came, and both stay away for :data:`MEDIA_STOPPED_SECONDS`.

    A client may show the call for minutes while its server stands still. Once it fired, it waits until media came
    again: where opening the page anew did not help, doing so each minute would not either.
    """

    def __init__(self, clock: Clock) -> None:
        self._observed = ObservedTime(clock)
        self._received = False
        self._missing = 0.0

    def verdict(self, audio: Reception, video: Reception) -> Reason | None:
        """One more look. Of a call without speaking people, or without cameras, nobody can tell."""
        seconds = self._observed.look()
        self._received = self._received or _arrives(audio, video)
        self._missing = self._missing + seconds if audio.received is False and video.received is False else 0.0
        if not self._received or self._missing < MEDIA_STOPPED_SECONDS:
            return None
        self._received = False
        return Reason.CONNECTION_LOST
