"""The transcript's lines in the container's log, where the bot class asks for them (``transcription.logLines``).

The log is one JSON object a line, and a line's name and text are clean before they come here, so nothing that is said
in a meeting can break a line of the log or forge one.
"""

import logging
from collections.abc import Callable
from typing import Final

from meeting_buddy.contract.transcript import TranscriptLine

LineLog = Callable[[TranscriptLine], None]
"""Takes each line as it is written to ``transcript.jsonl``."""

_log: Final = logging.getLogger(__name__)


def line_log(*, publish_names: bool) -> LineLog:
    """Writes ``transcript 00:01:23 Ada Lovelace: text`` with the line's segment and revision as facts.

    ``publish_names`` false leaves the speaker out. A later revision of a segment is another line of the log; one
    without text takes back what the segment said.
    """

    def log(line: TranscriptLine) -> None:
        speaker = f" {line.speaker}" if publish_names and line.speaker else ""
        facts = {"segment": line.segment, "revision": line.revision}
        said = line.text or "(withdrawn)"
        _log.info("transcript %s%s: %s", _clock(line.start), speaker, said, extra={"facts": facts})

    return log


def _clock(seconds: float) -> str:
    """Session seconds as ``00:01:23``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"
