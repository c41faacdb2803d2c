"""Cuts sound into segments of speech, from a pause to the next; silence and noise go no further than here.

Silero's detector, which faster-whisper brings along, gives the probability of a voice for each 32 ms. Speech begins
where it is probable and ends where it has been improbable for a while; the sound just before belongs to it, because the
detector notices soft first sounds late.
"""

import importlib.util
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from meeting_buddy_bot.recording.audio_source import RATE
from meeting_buddy_bot.transcription.engine import Samples
from meeting_buddy_bot.transcription.messages import CAP_SECONDS

WINDOW: Final = 512
"""Samples that the detector takes at a time."""
SPEECH: Final = 0.5
SILENCE: Final = 0.35
PRE_ROLL_SECONDS: Final = 0.4
HANGOVER_SECONDS: Final = 0.6
"""Silence that closes a segment."""
PAUSE_SECONDS: Final = 0.3
"""Silence after which the segment is probably over."""
KEPT_SILENCE_SECONDS: Final = 0.2
"""What a segment keeps of it: Whisper makes up words for more, and misses the last sound with less."""
CUT_WITHIN_SECONDS: Final = 5.0
"""Before :data:`CAP_SECONDS`, where the weakest point is looked for."""
GAP_SECONDS: Final = 0.35
"""Between frames; less is the source's correction of its clock."""
_LEAST_VOICED: Final = 3
"""Windows of speech in a segment: a click has fewer, the shortest word more."""
_CONTEXT: Final = 64
"""Samples before a window that the detector wants to see again."""


class VoiceDetector(Protocol):
    """Is there a voice?"""

    def probability(self, window: Samples) -> float:
        """Of speech in the next :data:`WINDOW` samples."""

    def reset(self) -> None:
        """What follows is not the continuation of what was."""


class SileroDetector:
    """Silero VAD, version 6, with its state carried from window to window."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session: Any = onnxruntime.InferenceSession(
            str(_silero_file()), providers=["CPUExecutionProvider"], sess_options=options
        )
        self._h: Samples
        self._c: Samples
        self._context: Samples
        self.reset()

    def probability(self, window: Samples) -> float:
        """See :class:`VoiceDetector`."""
        given = np.concatenate((self._context, window))[np.newaxis]
        output, self._h, self._c = self._session.run(None, {"input": given, "h": self._h, "c": self._c})
        self._context = window[-_CONTEXT:]
        return float(output.reshape(-1)[0])

    def reset(self) -> None:
        """See :class:`VoiceDetector`."""
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """A stretch of speech, closed or still open."""

    number: int
    start: float
    """Seconds on the session's clock."""
    pcm: Samples
    voiced_seconds: float
    onset: float
    """Seconds from the start to the first speech."""
    continues: bool = False
    """Whether the one before was cut at the cap and goes on here."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.pcm) / RATE

    @property
    def end(self) -> float:
        """Seconds on the session's clock."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class _Window:
    pcm: Samples
    probability: float


class Segmenter:
    """Feeds windows to the detector and keeps the sound of the segment that is open."""

    def __init__(self, detector: VoiceDetector) -> None:
        self._detector = detector
        self._number = 0
        self._rest: Samples = np.zeros(0, np.float32)
        self._heard: float | None = None
        """Time of the end of the last frame."""
        self._lead: deque[_Window] = deque(maxlen=_windows(PRE_ROLL_SECONDS) + 1)
        self._held: list[_Window] = []
        """Of the open segment, with what was before it."""
        self._held_start = 0.0
        self._led = 0
        """Windows of it before the first speech."""
        self._speech_end = 0
        """Windows of it up to the end of the last speech."""
        self._voiced = 0
        self._announced = False
        self._continues = False

    @property
    def heard(self) -> float:
        """Time of the last sample that was taken in."""
        return self._heard or 0.0

    @property
    def settled(self) -> float:
        """Time before which no speech can be found any more that is in no closed segment."""
        if self._held:
            return self._held_start
        return self.heard - (len(self._lead) * WINDOW + len(self._rest)) / RATE

    @property
    def open(self) -> SpeechSegment | None:
        """The segment that is open, up to the speech that was last heard."""
        return self._segment() if self._announced else None

    @property
    def pausing(self) -> SpeechSegment | None:
        """The segment that is open, as it will be closed if nobody goes on speaking in it."""
        silent = len(self._held) - self._speech_end
        return self._segment() if self._announced and silent >= _windows(PAUSE_SECONDS) else None

    def feed(self, start: float, pcm: Samples) -> list[SpeechSegment]:
        """Take in the next samples, ``start`` being the time of the first; segments that are closed by them."""
        closed = []
        if self._heard is not None and abs(start - self._heard) > GAP_SECONDS:
            closed += self.flush()
        self._heard = start + len(pcm) / RATE
        waiting = np.concatenate((self._rest, pcm))
        whole = len(waiting) // WINDOW * WINDOW
        self._rest = waiting[whole:]
        for first in range(0, whole, WINDOW):
            samples = waiting[first : first + WINDOW]
            window_end = self._heard - (len(waiting) - first - WINDOW) / RATE
            closed += self._take(_Window(samples, self._detector.probability(samples)), window_end)
        return closed

    def flush(self) -> list[SpeechSegment]:
        """Close what is open: the sound ends here, or what follows does not join on."""
        closed = self._close()
        self._lead.clear()
        self._rest = self._rest[:0]
        self._detector.reset()
        return closed

    def _take(self, window: _Window, window_end: float) -> list[SpeechSegment]:
        if not self._held:
            self._lead.append(window)
            if window.probability >= SPEECH:
                self._begin(list(self._lead), window_end, continues=False)
            return []
        self._held.append(window)
        if window.probability >= SILENCE:
            self._speech_end = len(self._held)
            self._count(window)
        if len(self._held) - self._speech_end >= _windows(HANGOVER_SECONDS):
            return self._close()
        if len(self._held) >= _windows(CAP_SECONDS):
            return self._cut(window_end)
        return []

    def _begin(self, windows: list[_Window], end: float, *, continues: bool) -> None:
        self._held = windows
        self._held_start = end - len(windows) * WINDOW / RATE
        self._led = next((n for n, each in enumerate(windows) if each.probability >= SPEECH), len(windows))
        self._speech_end = max((n + 1 for n, each in enumerate(windows) if each.probability >= SILENCE), default=0)
        self._continues = continues
        self._voiced = 0
        self._announced = False
        for each in windows:
            self._count(each)
        self._lead.clear()

    def _count(self, window: _Window) -> None:
        self._voiced += window.probability >= SPEECH
        if not self._announced and self._voiced >= _LEAST_VOICED:
            self._announced = True
            self._number += 1

    def _close(self) -> list[SpeechSegment]:
        closed = [self._segment()] if self._announced else []
        # What comes after the silence that was kept may belong to the next word.
        self._lead.extend(self._held[self._speech_end + _windows(KEPT_SILENCE_SECONDS) :])
        self._held = []
        self._announced = False
        return closed

    def _cut(self, window_end: float) -> list[SpeechSegment]:
        """Close a segment that has become too long at its weakest point; the rest opens the next one."""
        at = self._weakest()
        rest = self._held[at:]
        voiced_after = any(each.probability >= SPEECH for each in rest)
        self._held = self._held[:at]
        self._speech_end = at  # no silence follows that could be left out
        closed = self._close()
        self._lead.clear()
        if voiced_after:
            self._begin(rest, window_end, continues=bool(closed))
        else:
            self._lead.extend(rest)
        return closed

    def _weakest(self) -> int:
        """Where a pause is most probable; between two that are alike, where it is quietest."""
        last = len(self._held) - 2
        first = max(len(self._held) - _windows(CUT_WITHIN_SECONDS), 1)

        def strength(n: int) -> tuple[float, float]:
            around = self._held[n - 1 : n + 2]
            loudness = sum(float(np.square(each.pcm).sum()) for each in around)
            return round(sum(each.probability for each in around) / len(around), 1), loudness

        return min(range(first, last + 1), key=strength)

    def _segment(self) -> SpeechSegment:
        kept = self._held[: self._speech_end + _windows(KEPT_SILENCE_SECONDS)]
        return SpeechSegment(
            number=self._number,
            start=self._held_start,
            pcm=np.concatenate([each.pcm for each in kept]),
            voiced_seconds=self._voiced * WINDOW / RATE,
            onset=self._led * WINDOW / RATE,
            continues=self._continues,
        )


def _windows(seconds: float) -> int:
    return round(seconds * RATE / WINDOW)


def _silero_file() -> Path:
    """Without importing faster-whisper, whose libraries take a second and a hundred megabytes."""
    found = importlib.util.find_spec("faster_whisper")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("the voice detector of the package faster-whisper is not installed")
    return Path(found.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"
