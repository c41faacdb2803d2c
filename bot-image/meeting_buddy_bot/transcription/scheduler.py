"""What is to be decoded next: the transcriber's loop without its threads. Sound and decodings go in, messages come out.

One decoding at a time: its caller asks for the next job, runs it wherever it likes and brings back what came of it.
Finals go first, in order, and wait; partial texts are made of what is open at that moment and never wait, so that a
slow decoder makes them rarer instead of later. In a pause the open segment is decoded as if it were over already: if
it is, its final is there at once; if not, that was a partial text.

Where processors are short, fewer decodings are made, and later ones (``sparing``). While an engine is away for a while
(a server that limits how often it is asked), only finals are asked of it, and again after a pause.

Two drivers exist: :func:`drain` decodes on the spot, so that the sound waits for it (a recording, a test), and
``process`` decodes in a thread while the sound goes on.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from meeting_buddy.contract.transcript import MAX_TEXT, Word
from meeting_buddy_bot.transcription.early_decoding import EarlyDecoding
from meeting_buddy_bot.transcription.engine import Decoding, Engine, EngineError, Samples
from meeting_buddy_bot.transcription.invented import is_invented
from meeting_buddy_bot.transcription.messages import Fault, Message, Missed, Progress, Recovered, Utterance
from meeting_buddy_bot.transcription.partial_texts import PartialTexts
from meeting_buddy_bot.transcription.segmenter import Segmenter, SpeechSegment
from meeting_buddy_bot.transcription.shortage import Shortage
from meeting_buddy_bot.transcription.sparing import Sparing

FIRST_PAUSE: Final = 2.0
"""Seconds before a final is asked for again."""
LONGEST_PAUSE: Final = 30.0
LONGEST_PATIENCE: Final = 600.0
"""Seconds of such pauses until a decoding succeeds again, where the sound can wait."""
LIVE_PATIENCE: Final = 60.0
"""Seconds behind the sound, where it cannot, after which a final is not asked for again."""
END_PATIENCE: Final = 10.0
"""The same after the end of all sound, for all that still wait."""
WORTH_TELLING: Final = 5.0
"""Seconds of speech that are missed if the engine makes nothing of them; of less it may be noise that is left out."""
MAX_PROMPT: Final = 200
"""Characters of the text before that a segment is told which goes on where that one was cut."""

NO_SENSE: Final = "the engine made no sense of it"
_CONFIDENT: Final = -0.5
"""Average log probability of a text that the next segment may go on from."""
_PEAK: Final = 0.5
_MAX_GAIN: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A decoding to be made."""

    segment: SpeechSegment
    final: bool
    prompt: str | None = None
    early: bool = False
    """Made in a pause, before anybody knows whether the segment is over."""

    def run(self, engine: Engine) -> Decoding:
        """Blocking.

        Raises:
            EngineError: the engine cannot.
        """
        return engine.transcribe(_levelled(self.segment.pcm), final=self.final, prompt=self.prompt)


class DecodingScheduler:
    """What is open, what waits, and what was said of it."""

    def __init__(
        self,
        segmenter: Segmenter,
        say: Callable[[Message], None],
        *,
        settle: Callable[[Decoding], None] = lambda _: None,
        partials: bool = True,
        shortage: Callable[[], Shortage] = lambda: Shortage.NONE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing was heard yet.

        Args:
            segmenter: cuts the sound.
            say: takes the messages, in order.
            settle: told of each decoding whose text stays (:meth:`Engine.settle`).
            partials: without, only finals are made.
            shortage: of processors, now.
            clock: seconds, which go on while no sound comes.
        """
        self._sparing = Sparing(shortage, clock)
        self._clock = clock
        self._settle = settle
        self._segmenter = segmenter
        self._say = say
        self._partials = PartialTexts()
        self._makes_partials = partials
        self._waiting: deque[SpeechSegment] = deque()
        self._closed = 0
        """Number of the last segment that was closed."""
        self._running: Job | None = None
        self._early = EarlyDecoding()
        self._ended = False
        self._ended_at = 0.0
        self._before: tuple[int, str] | None = None
        """Number and text of the last final, when it was sure of it."""
        self._faulty: str | None = None
        """Kind of the failure that was last said, until a decoding succeeds."""
        self._away: EngineError | None = None
        """The last failure, if it is one that passes, until a decoding succeeds."""
        self._again_at = -math.inf
        """Time before which nothing is asked of an engine that is away."""
        self._pause = FIRST_PAUSE
        self.waited = 0.0
        """Seconds of :data:`LONGEST_PATIENCE` that are used up."""

    # --- in ---------------------------------------------------------------------------------------------------------

    def feed(self, start: float, pcm: bytes) -> None:
        """Take in sound: signed 16-bit little-endian samples, the first of which was heard at ``start``."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        self._queue(self._segmenter.feed(start, samples))

    def end(self) -> None:
        """No more sound will come; what is open is over."""
        self.pause()
        self._ended, self._ended_at = True, self._clock()

    def pause(self) -> None:
        """No sound has come for a while: what is open is over, and what may come later is another segment."""
        self._queue(self._segmenter.flush())

    def next_job(self) -> Job | None:
        """The decoding to make now; ``None``: there is none, or one has not been brought back yet."""
        if self._running is not None or (not self._ended and self._sparing.rests(self._waiting_seconds)):
            return None
        if self._clock() < self._again_at:
            return None
        if self._waiting:
            segment = self._waiting.popleft()
            self._running = Job(segment, final=True, prompt=self._prompt(segment))
        elif self._makes_partials and not self._ended and self._away is None and not self._sparing.finals_only:
            self._running = (None if self._sparing.shortage else self._early_job()) or self._partial_job()
        return self._running

    def complete(
        self, job: Job, outcome: Decoding | Exception, seconds: float, waited: float = 0.0, *, again: bool = True
    ) -> None:
        """Bring back what came of a job, which took so long, part of which it waited for a processor.

        ``again``: a final of an engine that is away may become another job.
        """
        self._running = None
        self._sparing.decoded(seconds, waited, final=job.final)
        stays = job.final
        if job.early:
            stays = self._early.finished(seconds)
        elif job.final and not isinstance(outcome, Exception):
            self._early.final_finished(seconds)
        if isinstance(outcome, Exception):
            self._failed(job, outcome, stays=stays, again=again)
            return
        self.waited = 0.0
        self._away, self._again_at, self._pause = None, -math.inf, FIRST_PAUSE
        if self._faulty is not None:
            self._faulty = None
            self._say(Recovered())
        if stays:
            self._finish(job.segment, outcome)
        elif job.early:
            self._early.keep(outcome)
            self._show(job.segment, outcome)
        else:
            self._partials.took(seconds)
            self._show(job.segment, outcome)

    # --- out --------------------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing is being decoded and nothing waits to be."""
        return self._running is None and not self._waiting

    def progress(self, cpu_seconds: float = 0.0) -> Progress:
        """How far it is."""
        heard = self._segmenter.heard
        # At the end nothing is open any more, whatever the detector would have made of a next window.
        undone = [heard if self._ended else self._segmenter.settled, *(each.start for each in self._waiting)]
        if self._running is not None and self._running.final:
            undone.append(self._running.segment.start)
        return Progress(
            heard=round(heard, 3),
            done=round(max(min(undone), 0.0), 3),
            cpu_seconds=round(cpu_seconds, 2),
            spares=self._sparing.shortage > Shortage.NONE,
        )

    # --- finals -----------------------------------------------------------------------------------------------------

    def _queue(self, closed: list[SpeechSegment]) -> None:
        most = self._sparing.most_waiting(self._waiting_seconds)
        for segment in closed:
            self._closed = segment.number
            if not self._early.is_of(segment):
                self._waiting.append(segment)
            elif self._early.decoding is not None:
                self._finish(segment, self._early.decoding)
            elif self._running is not None and self._running.early:
                self._early.segment_ended()
            else:  # it failed
                self._waiting.append(segment)
        while len(self._waiting) > 1 and self._waiting_seconds > most:
            oldest = self._waiting.popleft()
            behind = f"the decoder was more than {most:.0f} s of speech behind"
            self._miss(oldest, self._away.cause if self._away else behind)

    @property
    def _waiting_seconds(self) -> float:
        return sum(each.seconds for each in self._waiting)

    def _finish(self, segment: SpeechSegment, decoding: Decoding) -> None:
        text = decoding.text.strip()[:MAX_TEXT]
        self._before = None
        if is_invented(decoding, segment):
            self._withdraw(segment, decoding.language)
            if segment.voiced_seconds >= WORTH_TELLING:
                self._tell_missed(segment, NO_SENSE)
            return
        self._settle(decoding)
        if decoding.average_logprob > _CONFIDENT:
            self._before = segment.number, text
        self._say(
            Utterance(
                segment=segment.number,
                revision=self._partials.last_revision(segment),
                start=round(segment.start, 3),
                end=round(segment.end, 3),
                language=decoding.language,
                text=text,
                words=tuple(
                    Word(
                        text=word.text,
                        start=round(segment.start + min(word.start, segment.seconds), 3),
                        end=round(segment.start + min(word.end, segment.seconds), 3),
                        probability=word.probability,
                    )
                    for word in decoding.words
                ),
            )
        )

    def _withdraw(self, segment: SpeechSegment, language: str) -> None:
        """Take back what was said of a segment, if anything was."""
        if not self._partials.shown(segment):
            return
        self._say(
            Utterance(
                segment=segment.number,
                revision=self._partials.last_revision(segment),
                start=round(segment.start, 3),
                end=round(segment.end, 3),
                language=language,
                text="",
            )
        )

    def _miss(self, segment: SpeechSegment, cause: str) -> None:
        self._withdraw(segment, self._partials.language)
        self._tell_missed(segment, cause)

    def _tell_missed(self, segment: SpeechSegment, cause: str) -> None:
        self._say(Missed(start=round(segment.start, 3), end=round(segment.end, 3), cause=cause))

    def fault(self, error: EngineError) -> None:
        """Say why the engine cannot, once until it works again."""
        if self._faulty != error.kind:
            self._say(Fault(reason=error.reason, message=str(error)))
        self._faulty = error.kind
        self._away = error if error.passes else None

    def _failed(self, job: Job, error: Exception, *, stays: bool, again: bool) -> None:
        """A final that fails is missed, or waits; a partial text that fails is as if it had not been asked for."""
        if isinstance(error, EngineError):
            self.fault(error)
            cause = error.cause
        else:
            _log.error("a decoding failed", exc_info=error)
            cause = f"the decoder failed: {type(error).__name__}"
        if not stays:
            self._partials.decoded(job.segment)
            return
        away = again and isinstance(error, EngineError) and error.passes
        if away and self._has_patience(job.segment):
            self._waiting.appendleft(job.segment)
            self._again_at = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return
        self._before = None
        self._miss(job.segment, cause)
        while away and self._ended and self._waiting:
            self._miss(self._waiting.popleft(), cause)

    def _has_patience(self, segment: SpeechSegment) -> bool:
        if self._ended:
            return self._clock() < self._ended_at + END_PATIENCE
        return self._segmenter.heard < segment.end + LIVE_PATIENCE

    def _early_job(self) -> Job | None:
        segment = self._segmenter.pausing
        if segment is None or not self._early.is_due(segment):
            return None
        self._early.begin(segment)
        return Job(segment, final=True, prompt=self._prompt(segment), early=True)

    # --- partial texts ----------------------------------------------------------------------------------------------

    def _partial_job(self) -> Job | None:
        opened = self._segmenter.open
        if opened is None or not self._partials.due(opened, spare=bool(self._sparing.shortage)):
            return None
        return Job(opened, final=False, prompt=self._prompt(opened))

    def _show(self, segment: SpeechSegment, decoding: Decoding) -> None:
        self._partials.decoded(segment)
        if segment.number <= self._closed:
            return  # meanwhile it was closed: its final comes next, or it was missed
        if is_invented(decoding, segment):
            return
        partial = self._partials.update(segment, decoding)
        if partial is not None:
            self._say(partial)

    # --- both -------------------------------------------------------------------------------------------------------

    def _prompt(self, segment: SpeechSegment) -> str | None:
        """The text before, only where one sentence was cut in two: elsewhere it leads Whisper astray."""
        if not segment.continues or self._before is None or self._before[0] != segment.number - 1:
            return None
        return self._before[1][-MAX_PROMPT:].partition(" ")[2] or None


def drain(scheduler: DecodingScheduler, engine: Engine, sleep: Callable[[float], None] | None = None) -> None:
    """Make all decodings that there are to make now. The sound waits, so that they count as taking no time.

    ``sleep``: pauses between attempts at a final for which there is no engine just now; ``None``: it is missed.
    """
    while (job := scheduler.next_job()) is not None:
        outcome = attempt(job, engine) if sleep is None else _awaited(scheduler, job, engine, sleep)
        scheduler.complete(job, outcome, 0.0, again=False)


def _awaited(
    scheduler: DecodingScheduler, job: Job, engine: Engine, sleep: Callable[[float], None]
) -> Decoding | Exception:
    """What came of a job, at last: a server that limits how often it is asked, or is started again, is waited for.

    Not for ever, since it may be this very sound that its server dies of, and not for each final again, since the
    server may be one that never answers (a quota that is used up).
    """
    pause = FIRST_PAUSE
    while isinstance(outcome := attempt(job, engine), EngineError):
        if not (job.final and outcome.passes and scheduler.waited < LONGEST_PATIENCE):
            break
        scheduler.fault(outcome)
        sleep(pause)
        scheduler.waited += pause
        pause = min(2 * pause, LONGEST_PAUSE)
    return outcome


def attempt(job: Job, engine: Engine) -> Decoding | Exception:
    """What came of a job; whatever goes wrong in an engine's libraries costs one decoding, not the transcriber."""
    try:
        return job.run(engine)
    except Exception as error:
        return error


def _levelled(pcm: Samples) -> Samples:
    """The sound as loud as the model is used to: people who sit far from their microphone are understood, too."""
    peak = float(np.abs(pcm).max(initial=0.0))
    return pcm * np.float32(min(_PEAK / peak, _MAX_GAIN)) if peak > 0 else pcm
