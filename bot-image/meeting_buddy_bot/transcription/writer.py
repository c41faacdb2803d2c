"""``transcript.jsonl``: written line by line as segments become final, and read again by who joins later.

If this process dies: each line is one write followed by fsync; at most the last one is torn, and readers skip it. What
follows goes on the next line.
"""

import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from meeting_buddy.contract.text import MAX_NAME, page_text, spoken_text
from meeting_buddy.contract.transcript import MAX_TEXT, TRANSCRIPT_FILE, NumberedLines, TranscriptLine
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.volume import Volume
from meeting_buddy_bot.transcription.attribution import cleaned_words

_CHUNK: Final = 256 * 1024
"""Bytes that are read at once."""
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_COUNT_SECONDS: Final = 60.0
"""For reading what an earlier process has written."""

_ENDING_A_LINE: Final = threading.Lock()

Stored = Callable[[int, TranscriptLine], None]
"""Takes each line and its number, in order."""


def cleaned(line: TranscriptLine) -> TranscriptLine:
    """The same with names and text that are fit to be kept: bounded, on one line, without what cannot be seen."""
    return line.model_copy(
        update={
            "speaker": page_text(line.speaker or "", MAX_NAME) or None,
            "text": spoken_text(line.text, MAX_TEXT),
            "words": cleaned_words(line.words),
        }
    )


@dataclass(slots=True)
class StoredLines:
    """Reads the file piece by piece, from its beginning. Blocking."""

    path: Path
    _lines: NumberedLines = field(default_factory=NumberedLines, repr=False)
    _offset: int = 0

    @property
    def number(self) -> int:
        """Of the last line that was read."""
        return self._lines.number

    def read(self) -> list[tuple[int, str]] | None:
        """The next lines with their numbers, without those that are no lines; ``None`` when no more are there yet.

        Raises:
            OSError: the volume does not hand them out.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read(_CHUNK)
        except FileNotFoundError:
            return None
        if not chunk:
            return None
        self._offset += len(chunk)
        return self._lines.feed(chunk)

    def end_torn_line(self) -> None:
        """End the line within which the file ends, if it does, and count it.

        A try that was given up may still be under way in its thread, and may end the same line: whoever finds the file
        longer than it was read writes nothing, as an empty line would take a number.

        Raises:
            OSError: the volume does not let it be ended.
        """
        if not self._lines.open:
            return
        with self.path.open("ab", buffering=0) as file, _ENDING_A_LINE:
            if file.seek(0, os.SEEK_END) == self._offset:
                file.write(b"\n")
        self.read()


def _segment(name: object) -> int:
    """Number of the segment that is so named, or of which it is a part."""
    found = _NUMBER.match(str(name))
    return int(found[0]) if found else 0


class TranscriptWriter:
    """The file's only writer."""

    def __init__(self, path: Path, stored: Stored, lines: int, segments: int = 0) -> None:
        """``lines``: how many the file has already; ``segments``: the highest number of one in it."""
        self.lines = lines
        """Number of the last line."""
        self.segments = segments
        """Highest number of a segment in the file."""
        self.lost = 0
        """Lines that found no room among those that wait for the volume."""
        self._stored = stored
        self._file = AppendFile(path, durable=True)

    @classmethod
    async def open(cls, volume: Volume, stored: Stored) -> Self:
        """Go on with the session's file, or begin it.

        Raises:
            OSError: the volume does not hand out what is there, or does not let a torn line be ended.
        """
        path = volume.folder / TRANSCRIPT_FILE

        def count() -> tuple[int, int]:
            earlier, segments = StoredLines(path), 0
            while (some := earlier.read()) is not None:
                segments = max([segments, *(_segment(json.loads(text).get("segment")) for _, text in some)])
            earlier.end_torn_line()
            return earlier.number, segments

        return cls(path, stored, *await volume.call("count the transcript's lines", count, _COUNT_SECONDS))

    def append(self, line: TranscriptLine) -> int | None:
        """Write a final line; its number. Never waits: ``None`` when too many wait for the volume and it is lost."""
        if not line.final:
            raise ValueError("only final lines are stored")
        clean = cleaned(line)
        if not self._file.append(clean.to_json().encode()):
            self.lost += 1
            return None
        self.lines += 1
        self.segments = max(self.segments, _segment(clean.segment))
        self._stored(self.lines, clean)
        return self.lines

    async def flush(self, seconds: float) -> bool:
        """Wait until all lines are in the file; ``False`` when the volume did not take them in time."""
        return await self._file.flush(seconds)

    async def close(self, seconds: float) -> bool:
        """Flush, and stop."""
        return await self._file.close(seconds)
