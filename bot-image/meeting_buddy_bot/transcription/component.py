"""The transcript as a component of the bot: sound to the transcriber process, names to what it understands, lines out.

Nothing that happens here touches the recording. A transcriber that dies is started again, and is given what the dead
one had not made final and what was said meanwhile. What nobody transcribes is told: in the events, and at the end in
the report.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

from meeting_buddy.contract.assignment import CA_FOLDER, TRANSCRIPTION_KEY_FILE, TranscriptionConfig
from meeting_buddy.contract.languages import AUTO, whisper_code
from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy.contract.transcript import TranscriptLine
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.recording.audio_source import FRAME_SECONDS, AudioSource, PcmFrame
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.attribution import Attributor
from meeting_buddy_bot.transcription.log_lines import LineLog
from meeting_buddy_bot.transcription.messages import (
    Fault,
    Hypothesis,
    Message,
    Missed,
    Progress,
    Ready,
    Recovered,
    TranscriberConfig,
    Utterance,
)
from meeting_buddy_bot.transcription.missing import MissingText
from meeting_buddy_bot.transcription.openai_answer import UNKNOWN_LANGUAGE
from meeting_buddy_bot.transcription.pending import PendingSound
from meeting_buddy_bot.transcription.publishing import PUBLISHING_OVERRAN, outcome, outcome_given_up, publish_files
from meeting_buddy_bot.transcription.stream import TranscriptHub
from meeting_buddy_bot.transcription.transcriber import Transcriber
from meeting_buddy_bot.transcription.writer import TranscriptWriter

LAGGING_SECONDS: Final = 15.0
"""By which the text may be behind what was said before that is told."""
_RESTART_SECONDS: Final = 2.0
_LONGEST_RESTART: Final = 60.0
"""Seconds before a transcriber is started that has never been ready."""
_HUNG_SECONDS: Final = 60.0
"""Without a message of a transcriber that was ready: it says each second how far it is, whatever it decodes."""
_LOADING_SECONDS: Final = 900.0
"""Without a message of one that is not ready: it loads its model, which may come from a slow volume."""
_REPORT_SECONDS: Final = 10.0
"""Between two reports of a lag that changes and nothing else."""
_FLUSH_SECONDS: Final = 10.0
_START_SECONDS: Final = 5.0
"""After admission, within which the first sound reaches the transcriber of a bot that was admitted at once."""
_SPARING: Final = "processors are short on the node, so that text has to wait for the recording"
_SILENT_SECONDS: Final = 5.0
"""Without a frame of sound, after which the source is opened anew; silence has frames, too."""

_log = logging.getLogger(__name__)


def transcriber_config(
    config: TranscriptionConfig, key_file: Path = Path(TRANSCRIPTION_KEY_FILE), ca_folder: Path = Path(CA_FOLDER)
) -> TranscriberConfig:
    """What the process is started with.

    Args:
        config: the assignment's.
        key_file: where the server's key is, if it has one.
        ca_folder: where further certificate authorities are, if there are any.
    """
    server = config.server
    return TranscriberConfig(
        engine="faster-whisper" if server is None else "openai",
        model=(config.model or "") if server is None else server.model,
        base_url=None if server is None else server.url,
        ca_folder=None if server is None else str(ca_folder),
        key_file=None if server is None else str(key_file),
        language=whisper_code(config.language) or AUTO,
        vocabulary=config.vocabulary,
        threads=config.threads,
    )


class LiveTranscript:
    """One session's transcript, from admission to its last line."""

    def __init__(
        self,
        config: TranscriberConfig,
        source: AudioSource,
        hub: TranscriptHub,
        volume: Volume,
        clock: SessionClock,
        events: EventLog,
        reporter: SessionReporter,
        log_line: LineLog | None = None,
    ) -> None:
        """``log_line``: told of each line that is written; ``None``: no text goes to the log."""
        self._hub = hub
        self._log_line = log_line
        self._config = config
        self._source = source
        self._volume = volume
        self._clock = clock
        self._events = events
        self._reporter = reporter
        self._attributor = Attributor(clock.utc, lambda at: reporter.speaking_now(at))
        self._writer: TranscriptWriter | None = None
        self._transcriber: Transcriber | None = None
        self._report = TranscriptionReport(state="Starting")
        self._reported_at = 0.0
        self._done = clock.now()
        """Time up to which all speech is final."""
        self._heard: float | None = None
        self._reached: float | None = None
        """End of the last sound that was taken in."""
        self._pending = PendingSound(lambda start, end: self._missing.add(start, end, self._cause))
        self._changed = asyncio.Event()
        """Something happened after which sound may be handed over."""
        self._cause = "no transcriber heard it"
        """Why sound that waits has no text yet."""
        self._died_at: float | None = None
        """How far all was final when the last transcriber died, which had been ready."""
        self._answered = 0.0
        """Time of the transcriber's last message."""
        self._ready = asyncio.Event()
        """The process that runs, or ran last, has said that it can begin."""
        self._missing = MissingText(self._joined, self._report_missed)
        self._missing.begin(0.0, "no transcriber heard it", _START_SECONDS)
        self._spares = False
        """Whether the transcriber decodes less than it could."""
        self._unwritten = False
        self._failing = False
        """Whether no decoding has succeeded since the last fault."""
        self._language: str | None = None
        """That was found, where it is to be."""
        self._given_up = False
        self._runs = False
        self._closing = asyncio.Event()
        self._overran = False
        self._left: float | None = None
        """Time after which nothing that is said belongs to the meeting."""
        self._ending = asyncio.Event()
        self._over = asyncio.Event()
        reporter.on_speaking = self._spoke

    @property
    def process_id(self) -> int | None:
        """Of the transcriber, while it runs."""
        return self._transcriber.pid if self._transcriber is not None else None

    @property
    def heard(self) -> float | None:
        """Time of the last sound that the transcriber was given."""
        return self._heard

    def recall(self, missed: Sequence[Missed], unreported: Missed | None = None) -> None:
        """Count what earlier bots left without text, too.

        Args:
            missed: what they told.
            unreported: what the last one could not tell; it is told now.
        """
        self._missing.recall(missed if unreported is None else (*missed, unreported))
        if unreported is not None:
            self._report_missed(unreported)

    async def run(self, answering: Callable[[], Awaitable[None]]) -> None:
        """Transcribe until :meth:`finish`, or until it cannot be done at all.

        ``answering``: returns once the source of sound can be opened.

        Raises:
            OSError: the volume does not hand out the file's earlier lines, or the process cannot be started.
        """
        self._update_report(state="Starting")
        self._over.clear()
        try:
            if self._writer is None:
                self._writer = await TranscriptWriter.open(self._volume, self._stored)
                self._hub.begin(self._writer.lines)
                self._update_report(lines=self._writer.lines)
            if await _unless(self._ending, answering()) or self._pending:
                self._runs = True
                async with _beside(self._listen()):
                    await self._transcribe(self._writer)
        except Exception as error:  # whoever runs this says it and tries again
            self._cause = f"the transcript failed ({type(error).__name__})"
            self._missing.begin(self._done if self._reached is None else self._reached, self._cause)
            if not (self._failing or self._ending.is_set()):
                self._update_report(state="Lagging", message=f"{self._cause} and is started again", lag_seconds=None)
            raise
        finally:
            self._runs = False
            self._over.set()

    async def finish(self) -> None:
        """No sound follows: wait until all that was heard is written, for as long as the caller lets it."""
        self._ending.set()
        self._left = self._clock.now()
        self._changed.set()
        await self._over.wait()

    async def close(self) -> None:
        """End what still runs and write the last lines; streams end behind the last one."""
        self._ending.set()
        try:
            if self._runs:  # it was given the time that there was
                self._overran = True
                self._closing.set()
                if self._transcriber is not None:
                    await self._transcriber.kill()
                await self._over.wait()
            if self._writer is not None:
                self._unwritten = not await self._writer.close(_FLUSH_SECONDS)
                if self._writer.lost:
                    self._events.write("transcript_lines_lost", lines=self._writer.lost)
        finally:  # also when there was no time for it
            self._hub.end()

    async def publish(self) -> None:
        """Write the files for readers and players, enter them in the manifest, read them again, say how it all went.

        To be called once the recording is finished, whose segments tell where in it a word is.

        Raises:
            OSError: the volume does not take them or hand them out; the report says so, too.
        """
        unverified: str | None = PUBLISHING_OVERRAN
        try:
            unverified = await self._publish_files()
        except OSError as error:
            unverified = f"the transcript's files could not be written and read again: {error.strerror or error}"
            raise
        finally:  # also when there was no time for it
            self._report_outcome(unverified)

    async def _publish_files(self) -> str | None:
        """Write, enter and verify the files; what is wrong with them afterwards."""
        if self._writer is None or not self._writer.lines:
            return None
        return await publish_files(self._volume)

    def _report_outcome(self, unverified: str | None) -> None:
        """Report the transcript's outcome; ``unverified``: what is wrong with its files."""
        if self._given_up:
            self._missing.begin(self._done, f"the engine gave up: {self._report.reason}")
        elif self._overran:
            self._missing.begin(self._done, "there was no time left for it")
        elif self._pending:
            self._missing.begin(self._done, self._cause)
        self._missing.end(self._clock.now() if self._left is None else self._left)
        if unverified is not None:
            self._events.write("transcript_not_verified", cause=unverified)
        lost = self._writer.lost if self._writer is not None else 0
        without = self._missing.sentence()
        ended = outcome(without, unverified, lost=lost, unwritten=self._unwritten)
        if self._given_up:
            self._update_report(**outcome_given_up(self._report.message, ended["message"]))
        elif self._joined() is None and self._report.lines == 0 and ended["reason"] is None:
            self._update_report(state="Off", reason=None, message=None, lag_seconds=None)
        else:
            self._update_report(**ended)

    # One run of the process after the other

    async def _transcribe(self, writer: TranscriptWriter) -> None:
        """Until the end, and as long as sound waits then."""
        pause = _RESTART_SECONDS
        while not self._heard_all():
            await self._run_once(writer)
            if self._heard_all() or (self._ending.is_set() and not self._ready.is_set()):
                break  # in the second case the next one would not be any better
            pause = _RESTART_SECONDS if self._ready.is_set() else min(2 * pause, _LONGEST_RESTART)
            await _unless(self._closing if self._ending.is_set() else self._ending, asyncio.sleep(pause))

    def _heard_all(self) -> bool:
        """Whether no further process is needed: all that was said is text, or nobody waits for it any more."""
        return self._given_up or self._overran or (self._ending.is_set() and not self._pending)

    async def _run_once(self, writer: TranscriptWriter) -> None:
        self._ready.clear()
        self._attributor.new_run(writer.segments)  # each process counts its segments from 1
        self._hub.forget_partials()
        self._pending.hand_again()
        transcriber = self._transcriber = await Transcriber.start(self._config)
        self._answered = self._clock.now()
        try:
            if self._overran:  # meanwhile
                return
            async with _beside(self._hand_over(transcriber), self._end_if_hung(transcriber)):
                async for message in transcriber.messages():
                    self._take(message)
                    if self._given_up:  # a server may say so in mid-meeting, and its process would go on asking
                        await transcriber.kill()
                code = await transcriber.wait()
        finally:
            await transcriber.kill()
            self._transcriber = None
        if self._given_up or (code == 0 and self._ending.is_set()):
            self._pending.clear()
        elif code != 0 and not self._overran:
            self._events.write("transcriber_died", code=code)
            _log.warning("the transcriber ended with code %d: %s", code, transcriber.stderr_tail)
            self._survive()
            if not self._failing:  # the fault stays told: it is why
                self._update_report(
                    state="Lagging", message="the transcriber died and is started again", lag_seconds=None
                )

    def _survive(self) -> None:
        """A process died: the next one is given what it had, unless this very sound has killed two."""
        self._cause = "the transcriber died"
        if self._pending.forgotten > self._done:
            self._missing.add(self._done, self._pending.forgotten, self._cause)
        if not self._ready.is_set():  # it had not looked at any sound
            return
        if self._died_at is None or self._done > self._died_at:
            self._died_at = self._done
            return
        self._died_at = None
        for start, end in self._pending.drop_handed():
            self._missing.add(start, end, self._cause)
            self._done = max(end, self._done)

    async def _end_if_hung(self, transcriber: Transcriber) -> None:
        """Kill a process that says nothing any more: as one that died, it is followed by another."""
        left = seconds = _LOADING_SECONDS
        while left > 0:
            await asyncio.sleep(min(left, _HUNG_SECONDS))
            seconds = _HUNG_SECONDS if self._ready.is_set() else _LOADING_SECONDS
            left = self._answered + seconds - self._clock.now()
        self._events.write("transcriber_hung", seconds=seconds)
        await transcriber.kill()

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
            if self._reached is not None and not self._ending.is_set():
                self._missing.begin(self._reached, "no sound came")
            await asyncio.sleep(_RESTART_SECONDS / 10)  # parec ended: as a rule its server did

    def _take_in(self, frame: PcmFrame) -> None:
        if self._ending.is_set() or not self._reporter.in_meeting:
            return
        self._missing.end(frame.start)
        self._reached = frame.start + FRAME_SECONDS
        self._pending.add(frame)
        self._changed.set()
        if self._transcriber is not None and self._clock.now() - self._answered > LAGGING_SECONDS:
            self._report_lag(frame.start - self._done)

    async def _hand_over(self, transcriber: Transcriber) -> None:
        """Give the transcriber its sound as fast as it takes it; at the end, all that waits, and then the end."""
        while True:
            self._changed.clear()
            while (frame := self._pending.next()) is not None and transcriber.feed(frame):
                self._pending.handed_over()
                self._heard = frame.start
            if self._ending.is_set() and not self._pending.waits:
                break
            await self._changed.wait()
        transcriber.end_of_meeting()

    # What it says

    def _take(self, message: Message) -> None:
        now = self._answered = self._clock.now()
        self._changed.set()
        match message:
            case Ready():
                self._ready.set()
                self._cause = "the transcriber did not take the sound"
                self._events.write("transcriber_ready", engine=message.engine, model=message.model)
                self._recovered()
            case Recovered():
                self._events.write("transcriber_recovered")
                self._recovered()
            case Hypothesis():
                self._hub.publish_partial(self._attributor.partial(message))
            case Utterance():
                self._write(self._attributor.take(message, now))
                if message.text:  # finals come in order; what is withdrawn may overtake one
                    self._note_language(message.language)
                    self._note_done(message.end)
            case Progress():
                self._note_done(message.done)
                if self._joined() is not None:
                    self._note_sparing(message.spares)
                    if self._report.state == "Starting":
                        self._recovered()
                self._write(self._attributor.look_again(now))
                if message.heard > 0:
                    # Sound that does not come any more is behind, too.
                    unheard = now - self._missing.since if self._missing.since is not None else 0.0
                    self._report_lag(max(max(message.heard, self._reached or 0.0) - message.done, unheard))
            case Missed():
                self._pending.missed(message.start, message.end)
                self._missing.add(message.start, message.end, message.cause)
            case Fault():
                self._failing = True
                self._given_up |= message.reason in ("NoModel", "LanguageNotSupported")
                self._events.write("transcriber_fault", reason=message.reason)
                self._update_report(state="Failed", reason=message.reason, message=message.message, lag_seconds=None)

    def _note_done(self, until: float) -> None:
        """Up to here all speech is final, and no later transcriber needs its sound."""
        self._done = max(until, self._done)
        self._pending.done(self._done)

    def _note_language(self, language: str) -> None:
        if self._config.language == AUTO and language not in (self._language, UNKNOWN_LANGUAGE):
            self._language = language
            self._events.write("transcriber_language", language=language)

    def _note_sparing(self, spares: bool) -> None:
        if spares != self._spares:
            self._spares = spares
            self._events.write("transcriber_sparing", spares=spares)

    def _stored(self, number: int, line: TranscriptLine) -> None:
        self._hub.publish_final(number, line)
        if self._log_line is not None:
            self._log_line(line)

    def _spoke(self, interval: Interval) -> None:
        self._write(self._attributor.spoke(interval, self._clock.now()))

    def _write(self, lines: Iterable[TranscriptLine]) -> None:
        if self._writer is None:
            return
        for line in lines:
            self._writer.append(line)
        self._report = self._report.model_copy(update={"lines": self._writer.lines})

    def _report_missed(self, missed: Missed) -> None:
        self._events.write("not_transcribed", start=missed.start, end=missed.end, cause=missed.cause)

    def _joined(self) -> float | None:
        at = self._reporter.joined_at
        return None if at is None else (at - self._clock.utc(0.0)).total_seconds()

    # What is told

    def _recovered(self) -> None:
        self._failing = False
        self._update_report(state="Starting" if self._joined() is None else "Live", reason=None, message=None)

    def _report_lag(self, lag: float) -> None:
        if self._failing:  # the fault stays told: that the text is behind follows from it
            return
        state = "Lagging" if lag > LAGGING_SECONDS else "Live"
        first = self._report.lag_seconds is None
        if first or state != self._report.state or self._clock.now() - self._reported_at >= _REPORT_SECONDS:
            cause = _SPARING if self._spares and state == "Lagging" else None
            self._update_report(state=state, reason=None, message=cause, lag_seconds=round(max(lag, 0.0), 1))

    def _update_report(self, **changes: object) -> None:
        self._reported_at = self._clock.now()
        self._report = TranscriptionReport.model_validate({**self._report.model_dump(), **changes})
        self._reporter.transcription(self._report)


async def _unless(event: asyncio.Event, what: Awaitable[None]) -> bool:
    """Wait for something, at most until the event; whether it came."""
    wanted, other = asyncio.ensure_future(what), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({wanted, other}, return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            wanted.result()
        return wanted.done()
    finally:
        wanted.cancel()
        other.cancel()


@asynccontextmanager
async def _beside(*helpers: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run helpers as long as the body runs; one that fails ends both, and its error is the body's."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(helper) for helper in helpers]
            yield
            for task in tasks:
                task.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
