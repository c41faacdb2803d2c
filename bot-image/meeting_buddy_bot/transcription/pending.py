"""Sound whose text is not final yet, kept for the next transcriber in case that one dies. Pure."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from meeting_buddy_bot.recording.audio_source import FRAME_SECONDS, PcmFrame

MOST_FRAMES: Final = 3600
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

    def __init__(self, missed: Callable[[float, float], None]) -> None:
        """``missed``: told of each stretch that waited for too long."""
        self._missed = missed
        self._handed: deque[PcmFrame] = deque()
        self._waiting: deque[PcmFrame] = deque()
        self._forgotten = 0.0
        """End of the last frame that the transcriber alone still has."""

    def __len__(self) -> int:
        return len(self._handed) + len(self._waiting)

    @property
    def waits(self) -> bool:
        """Whether any is there that the transcriber does not have."""
        return bool(self._waiting)

    @property
    def forgotten(self) -> float:
        """Time up to which the sound is nowhere but with the transcriber that runs."""
        return self._forgotten

    def add(self, frame: PcmFrame) -> None:
        """The next frame of the meeting."""
        self._waiting.append(frame)
        if len(self) <= MOST_FRAMES:
            return
        if len(self._waiting) > _GIVEN_UP_FRAMES:
            given_up = [self._waiting.popleft() for _ in range(_GIVEN_UP_FRAMES)]
            for span in _spans(given_up):
                self._missed(*span)
        else:
            self._forgotten = _end(self._handed.popleft())

    def next(self) -> PcmFrame | None:
        """The frame to hand over now; ``None``: there is none, or the transcriber has enough to do."""
        if not self._waiting or (len(self._waiting) > _LIVE_FRAMES and len(self._handed) >= AHEAD_FRAMES):
            return None
        return self._waiting[0]

    def handed_over(self) -> None:
        """The transcriber has got the frame that was next."""
        self._handed.append(self._waiting.popleft())

    def done(self, until: float) -> None:
        """Up to this time the text is final."""
        while self._handed and _end(self._handed[0]) <= until:
            self._handed.popleft()

    def missed(self, start: float, end: float) -> None:
        """The transcriber has told that this stretch will have no text."""
        self._handed = deque(frame for frame in self._handed if frame.start < start or _end(frame) > end)

    def hand_again(self) -> None:
        """Another transcriber begins, and has nothing."""
        self._waiting.extendleft(reversed(self._handed))
        self._handed.clear()
        self._forgotten = 0.0

    def drop_handed(self) -> list[Span]:
        """What the transcriber had is not kept any more; the stretches that it makes."""
        spans = _spans(self._handed)
        self._handed.clear()
        return spans

    def clear(self) -> None:
        """Nothing is wanted any more."""
        self._handed.clear()
        self._waiting.clear()


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
