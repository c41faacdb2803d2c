"""Sound whose text is not final yet, kept for the next transcriber in case that one dies. Pure.

A stretch that no transcriber will get any more is missing, and told at once.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from meeting_buddy_bot.recording.audio_source import FRAME_SECONDS, PcmFrame
from meeting_buddy_bot.transcription.missing import DIED

MAX_FRAMES: Final = 3600
"""Six minutes, 12 MB: more than a transcriber lets wait (``sparing.MAX_HELD_SECONDS``)."""
AHEAD_FRAMES: Final = 300
"""Of older sound, that a transcriber gets before it says that they are done: half of what it lets wait for decoding,
and more than the longest segment."""
_LIVE_FRAMES: Final = 50
"""Of the newest sound, which never waits for that."""
_GIVEN_UP_FRAMES: Final = 100
"""At a time, where there are too many: ten seconds make one stretch without text."""

Span = tuple[float, float]


class PendingSound:
    """Frames in the order of their times: those that the transcriber has, and those that wait for it."""

    def __init__(self, missed: Callable[[float, float, str], None], done: float = 0.0) -> None:
        """Nothing waits.

        Args:
            missed: told of each stretch that will have no text, and why.
            done: time from which on there may be sound.
        """
        self.cause = "no transcriber heard it"
        """Why what waits has no text yet."""
        self._missed = missed
        self._handed: deque[PcmFrame] = deque()
        self._waiting: deque[PcmFrame] = deque()
        self._done = done
        self._reached: float | None = None
        self._heard: float | None = None
        self._forgotten = 0.0
        """End of the last frame that the transcriber alone still has."""

    def __len__(self) -> int:
        return len(self._handed) + len(self._waiting)

    @property
    def waits(self) -> bool:
        """Whether any is there that the transcriber does not have."""
        return bool(self._waiting)

    @property
    def done(self) -> float:
        """Time up to which all text is final."""
        return self._done

    @property
    def reached(self) -> float | None:
        """End of the last frame of the meeting."""
        return self._reached

    @property
    def heard(self) -> float | None:
        """Time of the last frame that a transcriber was given."""
        return self._heard

    def add(self, frame: PcmFrame) -> None:
        """The next frame of the meeting."""
        self._waiting.append(frame)
        self._reached = _end(frame)
        if len(self) <= MAX_FRAMES:
            return
        if len(self._waiting) > _GIVEN_UP_FRAMES:
            self._give_up([self._waiting.popleft() for _ in range(_GIVEN_UP_FRAMES)])
        else:
            self._forgotten = _end(self._handed.popleft())

    def next(self) -> PcmFrame | None:
        """The frame to hand over now; ``None``: there is none, or the transcriber has enough to do."""
        if not self._waiting or (len(self._waiting) > _LIVE_FRAMES and len(self._handed) >= AHEAD_FRAMES):
            return None
        return self._waiting[0]

    def handed_over(self) -> None:
        """The transcriber has got the frame that was next."""
        frame = self._waiting.popleft()
        self._handed.append(frame)
        self._heard = frame.start

    def note_done(self, until: float) -> None:
        """Up to this time the text is final, and no later transcriber needs the sound."""
        self._done = max(until, self._done)
        while self._handed and _end(self._handed[0]) <= self._done:
            self._handed.popleft()

    def drop(self, start: float, end: float) -> None:
        """The transcriber has told that this stretch will have no text."""
        self._handed = deque(frame for frame in self._handed if frame.start < start or _end(frame) > end)

    def hand_again(self) -> None:
        """Another transcriber begins, and has nothing."""
        self._waiting.extendleft(reversed(self._handed))
        self._handed.clear()
        self._forgotten = 0.0

    def note_death(self, cause: str = DIED) -> None:
        """The transcriber died, for this cause: what it alone had is missing."""
        self.cause = cause
        if self._forgotten > self._done:
            self._missed(self._done, self._forgotten, self.cause)

    def give_up_handed(self) -> None:
        """No other transcriber gets what this one had."""
        given_up = list(self._handed)
        self._handed.clear()
        self._give_up(given_up)
        if given_up:
            self._done = max(_end(given_up[-1]), self._done)

    def clear(self) -> None:
        """Nothing is wanted any more."""
        self._handed.clear()
        self._waiting.clear()

    def _give_up(self, frames: Iterable[PcmFrame]) -> None:
        for start, end in _spans(frames):
            self._missed(start, end, self.cause)


def _end(frame: PcmFrame) -> float:
    return frame.start + FRAME_SECONDS


def _spans(frames: Iterable[PcmFrame]) -> list[Span]:
    """Stretches that frames make which follow one another."""
    spans: list[Span] = []
    for frame in frames:
        if spans and frame.start - spans[-1][1] < FRAME_SECONDS:
            spans[-1] = (spans[-1][0], _end(frame))
        else:
            spans.append((frame.start, _end(frame)))
    return spans
