"""The live transcript: sound to the transcriber process, names to what it understands, lines out.

Nothing that happens here touches the recording. A transcriber that dies is started again, and is given what the dead
one had not made final and what was said meanwhile. What nobody transcribes is told: in the events, and at the end in
the report.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final

from meeting_buddy.contract.languages import AUTO
from meeting_buddy.contract.transcript import TranscriptLine
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.recording.audio_source import AudioSource, PcmFrame
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.tasks import beside, done_before
from meeting_buddy_bot.transcription.attribution import Attributor
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.messages import (
    UNKNOWN_LANGUAGE,
    Fault,
    Message,
    Missed,
    Partial,
    Progress,
    Ready,
    Recovered,
    TranscriberConfig,
    Utterance,
)
from meeting_buddy_bot.transcription.missing import NO_TIME, MissingText
from meeting_buddy_bot.transcription.pending import PendingSound
from meeting_buddy_bot.transcription.runs import TranscriberRuns
from meeting_buddy_bot.transcription.status import LAGGING_SECONDS, TranscriptStatus

_START_SECONDS: Final = 5.0
"""After admission, within which the first sound reaches the transcriber of a bot that was admitted at once."""
_SILENT_SECONDS: Final = 5.0
"""Without a frame of sound, after which the source is opened anew; silence has frames, too."""
_REOPEN_SECONDS: Final = 0.2
_NO_SOUND: Final = "no sound came"

_log = logging.getLogger(__name__)


class LiveTranscript:
    """One session's transcript, from admission to its last line."""

    def __init__(
        self,
        config: TranscriberConfig,
        source: AudioSource,
        lines: TranscriptLines,
        clock: SessionClock,
        events: EventLog,
        reporter: SessionReporter,
    ) -> None:
        self._config = config
        self._source = source
        self._lines = lines
        self._clock = clock
        self._events = events
        self._reporter = reporter
        self._attributor = Attributor(clock.utc, lambda at: reporter.speaking_now(at))
        self._missing = MissingText(self._joined, self._report_missed)
        self._sound = PendingSound(self._missing.add, clock.now())
        self._missing.begin(0.0, self._sound.cause, _START_SECONDS)
        self._status = TranscriptStatus(reporter, clock, events)
        self._runs = TranscriberRuns(
            config, self._sound, self._status, clock, events, on_start=self._begin_run, on_message=self._take
        )
        self._language: str | None = None
        """That was found, where it is to be."""
        self._left: float | None = None
        """Time after which nothing that is said belongs to the meeting."""
        self._ending = asyncio.Event()
        self._took_in = False
        """Whether the last frame was the meeting's."""
        self._running = False
        self._closed = False
        """Whether the last lines are being written: none follows, whoever runs this again."""
        self._over = asyncio.Event()
        """Nothing runs, and nothing is run again that somebody should wait for."""
        reporter.on_speaking = self._spoke

    @property
    def process_id(self) -> int | None:
        """Of the transcriber, while it runs."""
        return self._runs.process_id

    @property
    def heard(self) -> float | None:
        """Time of the last sound that the transcriber was given."""
        return self._sound.heard

    def recall(self, missed: Sequence[Missed]) -> None:
        """Count what earlier bots told to be without text, too."""
        self._missing.recall(missed)

    def tell_missed(self, start: float, end: float, cause: str) -> None:
        """Tell what of this stretch nobody has told: earlier bots left it without text."""
        self._missing.add_earlier(start, end, cause)

    async def run(self, answering: Callable[[], Awaitable[None]]) -> None:
        """Transcribe until :meth:`finish`, or until it cannot be done at all; after :meth:`close`, return at once.

        Whoever runs this runs it again after a failure. :meth:`finish` waits for that, unless it failed after it was
        asked to end.

        ``answering``: returns once the source of sound can be opened.

        Raises:
            OSError: the volume does not hand out the file's earlier lines, or the process cannot be started.
        """
        if self._closed:
            return
        run_again = False
        self._status.starting(self._lines.count)
        self._over.clear()
        try:
            await self._transcribe(answering)
        except Exception as error:  # whoever runs this says it and tries again
            cause = self._sound.cause = f"the transcript failed ({type(error).__name__})"
            self._missing.begin(self._sound.done if self._sound.reached is None else self._sound.reached, cause)
            run_again = not self._ending.is_set()
            if run_again:
                self._status.interrupted(f"{cause} and is started again")
            raise
        finally:
            self._running = False
            if not run_again:
                self._over.set()

    async def _transcribe(self, answering: Callable[[], Awaitable[None]]) -> None:
        await self._lines.open()
        if self._closed:  # meanwhile; what is told of the end stays
            return
        self._status.starting(self._lines.count)
        hearable = await done_before(self._ending, answering())
        if self._closed or not (hearable or self._sound):
            return
        self._running = True
        async with beside(self._listen()):
            await self._runs.run()

    async def finish(self) -> None:
        """No sound follows: wait until all that was heard is written, for as long as the caller lets it."""
        self._ending.set()
        self._left = self._clock.now()
        self._runs.finish()
        await self._over.wait()

    async def close(self) -> None:
        """End what still runs and write the last lines; streams end behind the last one."""
        self._closed = True
        self._ending.set()
        try:
            if self._running:  # it was given the time that there was
                await self._runs.kill()
                await self._over.wait()
            await self._lines.close()
            if self._lines.lost:
                self._events.write("transcript_lines_lost", lines=self._lines.lost)
        finally:  # also when there was no time for it
            self._lines.end_streams()

    async def publish(self) -> None:
        """Write the files for readers and players, enter them in the manifest, read them again, say how it all went.

        To be called once the recording is finished, whose segments tell where in it a word is.

        Raises:
            OSError: the volume does not take them or hand them out; the report says so, too.
        """
        try:
            await self._lines.publish()
        finally:  # also when there was no time for it
            self._report_outcome()

    def _report_outcome(self) -> None:
        if self._status.given_up:
            self._missing.begin(self._sound.done, f"the engine gave up: {self._status.reason}")
        elif self._runs.killed:
            self._missing.begin(self._sound.done, NO_TIME)
        elif self._sound:
            self._missing.begin(self._sound.done, self._sound.cause)
        self._missing.end(self._clock.now() if self._left is None else self._left)
        self._status.written(self._lines.count)
        self._status.ended(self._lines, self._missing.sentence())

    # Sound in

    async def _listen(self) -> None:
        """Take in the sound of the meeting, from admission on, until the bot leaves."""
        while not self._ending.is_set():
            try:
                async with aclosing(self._source.frames()) as frames:
                    with contextlib.suppress(TimeoutError):
                        while not self._ending.is_set():
                            async with asyncio.timeout(_SILENT_SECONDS):
                                frame = await anext(frames, None)
                            if frame is None:
                                break
                            self._take_in(frame)
            except OSError as error:
                _log.warning("the source of sound cannot be opened: %s", error.strerror)
            reached = self._sound.reached
            if reached is not None and self._reporter.may_hear_meeting and not self._ending.is_set():
                self._missing.begin(reached, _NO_SOUND)
            await asyncio.sleep(_REOPEN_SECONDS)  # parec ended: as a rule its server did

    def _take_in(self, frame: PcmFrame) -> None:
        if self._ending.is_set() or not self._reporter.may_hear_meeting:
            if self._sound.reached is not None and not self._ending.is_set():
                self._missing.end(frame.start)  # it comes again; until the bot is back nobody misses it
            self._took_in = False
            return
        self._missing.end(frame.start)
        if self._took_in and self._sound.reached is not None:  # the source may have dropped sound since then
            self._missing.add(self._sound.reached, frame.start, _NO_SOUND)
        self._took_in = True
        self._sound.add(frame)
        self._runs.sound_added()
        if self._runs.silent_seconds > LAGGING_SECONDS:
            self._status.lag(frame.start - self._sound.done)

    # Messages out

    def _begin_run(self) -> None:
        self._attributor.new_run(self._lines.last_segment)  # each process counts its segments from 1
        self._lines.forget_partials()

    def _take(self, message: Message) -> None:
        now = self._clock.now()
        match message:
            case Ready():
                self._status.ready(message)
            case Recovered():
                self._status.recovered()
            case Partial():
                self._lines.show(self._attributor.partial(message))
            case Utterance():
                self._write(self._attributor.take(message, now))
                if message.text:  # finals come in order; what is withdrawn may overtake one
                    self._note_language(message.language)
                    # A segment's samples are counted: they end behind the last frame where times were set back.
                    self._sound.note_done(min(message.end, self._sound.reached or message.end))
            case Progress():
                self._note_progress(message, now)
            case Missed():
                self._sound.drop(message.start, message.end)
                self._missing.add(message.start, message.end, message.cause)
            case Fault():
                self._status.fault(message)

    def _note_progress(self, progress: Progress, now: float) -> None:
        self._sound.note_done(progress.done)
        if self._joined() is not None:
            self._status.decoding(spares=progress.spares)
        self._write(self._attributor.look_again(now))
        if progress.heard > 0:
            # Sound that does not come any more is behind, too.
            unheard = now - self._missing.since if self._missing.since is not None else 0.0
            self._status.lag(max(max(progress.heard, self._sound.reached or 0.0) - progress.done, unheard))

    def _note_language(self, language: str) -> None:
        if self._config.language == AUTO and language not in (self._language, UNKNOWN_LANGUAGE):
            self._language = language
            self._events.write("transcriber_language", language=language)

    def _report_missed(self, missed: Missed) -> None:
        self._events.write("not_transcribed", start=missed.start, end=missed.end, cause=missed.cause)

    def _spoke(self, interval: Interval) -> None:
        self._write(self._attributor.spoke(interval, self._clock.now()))

    def _write(self, lines: Iterable[TranscriptLine]) -> None:
        self._lines.append(lines)
        self._status.written(self._lines.count)

    def _joined(self) -> float | None:
        at = self._reporter.joined_at
        return None if at is None else (at - self._clock.utc(0.0)).total_seconds()
