"""A session's transcript as lines: on the volume, to who listens, in the log, and at the end as files for readers."""

from collections.abc import Iterable
from typing import Any, Final

from meeting_buddy.contract.transcript import TranscriptLine
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.log_lines import LineLog
from meeting_buddy_bot.transcription.publishing import PUBLISHING_OVERRAN, TranscriptFiles, outcome
from meeting_buddy_bot.transcription.stream import TranscriptHub
from meeting_buddy_bot.transcription.writer import TranscriptWriter

_FLUSH_SECONDS: Final = 10.0


class TranscriptLines:
    """The lines of one session; until :meth:`open` there are none, and none is taken."""

    def __init__(self, volume: Volume, hub: TranscriptHub, log_line: LineLog | None = None) -> None:
        """Nothing is read yet.

        Args:
            volume: with the session's folder.
            hub: for those who follow the lines.
            log_line: told of each line that is written; ``None``: no text goes to the log.
        """
        self._volume = volume
        self._hub = hub
        self._log_line = log_line
        self._writer: TranscriptWriter | None = None
        self._files = TranscriptFiles(volume)
        self._unwritten = False
        self._unverified: str | None = PUBLISHING_OVERRAN

    @property
    def count(self) -> int:
        """How many there are, with those of earlier bots."""
        return self._writer.lines if self._writer is not None else 0

    @property
    def last_segment(self) -> int:
        """Highest number of a segment."""
        return self._writer.segments if self._writer is not None else 0

    @property
    def lost(self) -> int:
        """How many found no room among those that wait for the volume."""
        return self._writer.lost if self._writer is not None else 0

    @property
    def unwritten(self) -> bool:
        """Whether the volume has not taken the last ones; known once they are closed."""
        return self._unwritten

    @property
    def unverified(self) -> str | None:
        """What is wrong with the files; until they are published, that there was no time for it."""
        return self._unverified

    async def open(self) -> None:
        """Go on with the file, or begin it; once is enough.

        Raises:
            OSError: the volume does not hand out what is there, or does not let a torn line be ended.
        """
        if self._writer is not None:
            return
        writer = await TranscriptWriter.open(self._volume, self._stored)
        if self._writer is None:  # two may have asked for it at once
            self._writer = writer
            self._hub.begin(writer.lines)

    def append(self, lines: Iterable[TranscriptLine]) -> None:
        """Write final lines; never waits."""
        if self._writer is not None:
            for line in lines:
                self._writer.append(line)

    def show(self, partial: TranscriptLine) -> None:
        """What is understood so far of a line, for those who listen alone."""
        self._hub.publish_partial(partial)

    def forget_partials(self) -> None:
        """None of what was shown becomes a line any more."""
        self._hub.forget_partials()

    async def close(self) -> None:
        """Write the last ones; none is taken any more."""
        if self._writer is not None:
            self._unwritten = True  # unless there is time for it
            self._unwritten = not await self._writer.close(_FLUSH_SECONDS)

    def end_streams(self) -> None:
        """Who listens gets what is there, and then the end."""
        self._hub.end()

    async def publish(self) -> None:
        """Write the files for readers and players, enter them in the manifest, read them again.

        Whether there are any lines the volume says: an earlier bot may have written some, and this process none.

        Raises:
            OSError: the volume does not take them or hand them out; :attr:`unverified` says so, too.
        """
        try:
            await self.open()
            self._unverified = await self._files.publish() if self.count else None
        except OSError as error:
            self._unverified = f"the transcript's files could not be written and read again: {error.strerror or error}"
            raise

    def outcome(self, without: str | None, unverified: str | None = None) -> dict[str, Any]:
        """Fields of the report of a transcript that is over.

        Args:
            without: which stretches have no text, as :meth:`MissingText.sentence` says it.
            unverified: what is wrong with the files, if something else is than :attr:`unverified` says.
        """
        return outcome(without, unverified or self._unverified, lost=self.lost, unwritten=self._unwritten)

    def _stored(self, number: int, line: TranscriptLine) -> None:
        self._hub.publish_final(number, line)
        if self._log_line is not None:
            self._log_line(line)
