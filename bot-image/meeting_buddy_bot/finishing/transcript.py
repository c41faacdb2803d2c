"""The transcript of a bot that has ended: what was recorded behind its last line is transcribed, all is published."""

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Final

from meeting_buddy.contract.report import TranscriptionReport
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE, TranscriptLine
from meeting_buddy_bot.platforms.speakers import Interval
from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, FRAME_SECONDS, RATE, PcmFrame
from meeting_buddy_bot.recording.manifest import Segment
from meeting_buddy_bot.recording.manifest_writer import REPLACED
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.runtime.processes import Child
from meeting_buddy_bot.session.earlier import EarlierFacts
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.attribution import Attributor
from meeting_buddy_bot.transcription.lines import TranscriptLines
from meeting_buddy_bot.transcription.messages import (
    CAP_SECONDS,
    Fault,
    Message,
    Missed,
    Progress,
    Ready,
    Recovered,
    TranscriberConfig,
    Utterance,
)
from meeting_buddy_bot.transcription.missing import DIED, MissingText
from meeting_buddy_bot.transcription.render import Timeline, last_lines
from meeting_buddy_bot.transcription.transcriber import Transcriber

_READ_SECONDS: Final = 60.0
_RESTART_SECONDS: Final = 2.0
_SKIPPED_SECONDS: Final = CAP_SECONDS
"""Of sound of which two transcribers have died: no segment of it is longer."""
_MOST_FAILURES: Final = 10
"""Runs in a row that failed and came no further: what keeps them from it will keep the others, too."""

_log = logging.getLogger(__name__)


class UnfinishedTranscript:
    """The transcript of one session's folder."""

    def __init__(
        self,
        lines: TranscriptLines,
        volume: Volume,
        clock: SessionClock,
        events: EventLog,
        publish: Callable[[TranscriptionReport], None],
        joined: Callable[[], float],
    ) -> None:
        """Nothing is read yet.

        Args:
            lines: of the session, not opened yet.
            volume: with the session's folder.
            clock: of the folder's times.
            events: of the session.
            publish: called with the report after each change.
            joined: when the bot was admitted, seconds on the clock.
        """
        self._lines = lines
        self._volume = volume
        self._clock = clock
        self._events = events
        self._publish = publish
        self._report = TranscriptionReport()
        self._missing = MissingText(joined, self._report_missed)
        self._known: set[tuple[float, float]] = set()
        self._done = 0.0
        """Time up to which all speech is final."""
        self._fault: str | None = None
        self._given_up = False
        """There is no engine, whoever asks."""
        self._worked = False
        """Whether the transcriber that runs, or ran last, had begun."""

    async def open(self, earlier: EarlierFacts, segments: Sequence[Segment]) -> None:
        """Read what is there; a last line that is torn is ended, and counts for nobody.

        Args:
            earlier: what the bots left in the events.
            segments: of the recording, as far as they are known.

        Raises:
            OSError: the volume does not hand it out; it may be tried again.
        """
        path = self._volume.folder / TRANSCRIPT_FILE
        await self._lines.open()
        lines = await self._volume.call("read the transcript", lambda: _lines(path), _READ_SECONDS)
        self._done = max((line.end for line in lines), default=0.0)
        for missed in earlier.missed:  # told by the bot, and in its events
            end = min(missed.end, self._done)  # what is behind the last line may get its text now
            self._known.add((missed.start, round(end, 1)))
            self._missing.add_earlier(missed.start, end, missed.cause)
        for stay, following in pairwise(earlier.stays):
            if not stay.told:  # it was killed; of what it had recorded, the next one may not have known all
                since = max([stay.start, *(line.end for line in lines if line.end <= following.start)])
                recorded = max((each.end for each in segments if each.start < following.start), default=since)
                self._missing.add_earlier(since, min(recorded, self._done), REPLACED)
        if self._lines.count:
            self._update_report(state="Starting", lines=self._lines.count)

    async def catch_up(
        self, config: TranscriberConfig, media: Path, segments: Sequence[Segment], spoken: Sequence[Interval]
    ) -> None:
        """Transcribe what is recorded behind the last line; may be cancelled: what is written then stays.

        A transcriber that dies is followed by another one, which begins behind what is final, and so is a run that
        failed otherwise: a process could not be started, or the recording not be read. Sound at which two have ended so
        in a row has no text.

        Args:
            config: of the engine.
            media: the finished recording.
            segments: of which it was made.
            spoken: who spoke when.
        """
        self._update_report(state="Starting")
        attributor = Attributor(self._clock.utc, most_intervals=None)
        for interval in spoken:
            attributor.spoke(interval, 0.0)
        end = max((segment.end for segment in segments), default=0.0)
        timeline, died_at, failures = Timeline(segments), None, 0
        while True:
            attributor.new_run(self._lines.last_segment)  # each process counts its segments from 1
            failed, begun = False, self._done
            try:
                if await self._run_once(config, media, timeline, attributor):
                    self._done = end
            except OSError as error:
                failed = True
                self._note_failure(error)
            failures = failures + 1 if failed and self._done == begun else 0
            if self._given_up or failures == _MOST_FAILURES or not (self._worked or failed):
                return  # the next one would not be any better
            if died_at is None or self._done > died_at:
                died_at = self._done
            else:
                self._skip(timeline, end)
                died_at = None
            if self._done >= end:
                return
            await asyncio.sleep(_RESTART_SECONDS)

    def _note_failure(self, error: OSError) -> None:
        """A run failed; what its engine told is wrong counts before that."""
        cause = error.strerror or type(error).__name__
        self._events.write("transcriber_failed", error=cause)
        _log.warning("the transcriber, or reading the recording for it, failed: %s", cause)
        self._fault = self._fault or cause

    def _skip(self, timeline: Timeline, end: float) -> None:
        """Leave the next recorded sound without text."""
        begun = max(self._done, timeline.moment(timeline.at(self._done)))
        behind = min(begun + _SKIPPED_SECONDS, end)
        self._missing.add(self._done, behind, self._fault or DIED)
        self._done = behind

    async def _run_once(
        self, config: TranscriberConfig, media: Path, timeline: Timeline, attributor: Attributor
    ) -> bool:
        """Transcribe what has no text yet; whether that came to the recording's end.

        Raises:
            OSError: the transcriber or ffmpeg cannot be started, or the recording cannot be read to its end.
        """
        self._worked, self._fault = False, None  # each process tells its own
        transcriber = await Transcriber.start(config, "--offline", "--finals-only")
        feeding = asyncio.create_task(self._feed(transcriber, media, timeline), name="recording")
        try:
            async for message in transcriber.messages():
                self._take(message, attributor)
            code = await transcriber.wait()
            if feeding.done():
                feeding.result()  # what is wrong with the recording is told, however the process ended
            whole = code == 0 and feeding.done()
            if not (whole or self._given_up):
                self._events.write("transcriber_died", code=code)
                _log.warning("the transcriber ended with code %d: %s", code, transcriber.stderr_tail)
            return whole
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await transcriber.kill()

    def give_up(self, cause: str, end: float) -> None:
        """State that what was said up to ``end`` has no text as far as it has none, and why."""
        self._missing.add(self._done, end, self._fault or cause)

    def give_up_reading(self, cause: str) -> None:
        """State that nothing can be said of the transcript, and why."""
        self._report_outcome(f"the transcript could not be read: {cause}")

    async def publish(self, watch: VolumeWatch, *, wanted: bool) -> None:
        """Write the last lines and the files for readers, verify them, say how it all went: once, behind the last try.

        Raises:
            OSError: the volume does not take them or hand them out, for longer than it is worth waiting for; the report
                says so, too.
        """
        try:
            await watch.wait_for(self._write_files)
        finally:  # also when there was no time for it
            if wanted or self._lines.count:
                self._report_outcome(self._lines.unverified)

    async def _write_files(self) -> None:
        """Try it once. Raises OSError."""
        await self._lines.close()
        await self._lines.publish()
        if self._lines.unwritten:  # while it took all else: the files lack them
            raise OSError(errno.EIO, "the volume does not take the transcript's last lines")

    def _report_outcome(self, unverified: str | None) -> None:
        if unverified is not None:
            self._events.write("transcript_not_verified", cause=unverified)
        self._update_report(**self._lines.outcome(self._missing.sentence(), unverified))

    async def _feed(self, transcriber: Transcriber, media: Path, timeline: Timeline) -> None:
        try:
            async with aclosing(_frames(media, timeline, self._done)) as frames:
                async for frame in frames:
                    await transcriber.deliver(frame)
        except ConnectionError:
            _log.warning("the transcriber takes no more sound: %s", transcriber.stderr_tail)
        finally:
            transcriber.end_of_meeting()

    def _take(self, message: Message, attributor: Attributor) -> None:
        self._worked |= isinstance(message, Ready | Utterance | Progress)
        match message:
            case Utterance():
                self._write(attributor.take(message, 0.0))
                self._done = max(self._done, message.end)
            case Progress():
                self._done = max(self._done, message.done)
            case Missed():
                self._missing.add(message.start, message.end, message.cause)
            case Fault():
                self._fault = f"the engine failed: {message.message}"
                self._given_up = message.permanent
                self._events.write("transcriber_fault", reason=message.reason)
            case Recovered():
                self._fault, self._given_up = None, False

    def _write(self, lines: Sequence[TranscriptLine]) -> None:
        self._lines.append(lines)
        self._update_report(lines=self._lines.count)

    def _report_missed(self, missed: Missed) -> None:
        if (missed.start, missed.end) not in self._known:
            self._events.write("not_transcribed", start=missed.start, end=missed.end, cause=missed.cause)

    def _update_report(self, **changes: object) -> None:
        self._report = TranscriptionReport.model_validate({**self._report.model_dump(), **changes})
        self._publish(self._report)


def _lines(path: Path) -> list[TranscriptLine]:
    return last_lines(path) if path.exists() else []


async def _frames(media: Path, timeline: Timeline, since: float) -> AsyncGenerator[PcmFrame, None]:
    """The sound of a recording from a moment on, timed by the session's clock. Raises OSError: there is more of it."""
    position = timeline.at(since)
    # fmt: off
    child = await Child.start("ffmpeg sound", [
        "ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-ss", f"{position:.3f}",
        "-i", str(media), "-vn", "-ac", "1", "-ar", str(RATE), "-f", "s16le", "pipe:1",
    ], read_output=True)
    # fmt: on
    try:
        while child.process.stdout is not None:
            pcm = await child.process.stdout.readexactly(FRAME_BYTES)
            yield PcmFrame(timeline.moment(position), pcm)
            position += FRAME_SECONDS
    except asyncio.IncompleteReadError:
        if await child.wait() != 0:
            _log.warning("ffmpeg did not read the recording to its end: %s", " ".join(child.stderr_tail))
            raise OSError(errno.EIO, "the recording's sound could not be read to its end") from None
    finally:
        if child.alive:
            await child.kill()
