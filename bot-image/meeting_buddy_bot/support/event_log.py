"""``events.jsonl``: what happened, in order, one line each, on the session's clock; append-only.

Read by people who ask "why", by the finisher and by tests. Free of links and tokens by construction: every string goes
through the session's :class:`Redactor`.

Readers skip a line that is not JSON: if this process dies, the last one may be cut (:mod:`append_file`).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Final

from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.redaction import Redactor

JSON = str | int | float | bool | None | Sequence["JSON"] | Mapping[str, "JSON"]

EVENTS_FILE = "events.jsonl"
_CLOSE_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class EventLog:
    """Writes events; the file comes with the first one, so that a folder without a session stays empty."""

    def __init__(self, path: Path, clock: SessionClock, redact: Redactor | None = None) -> None:
        self._file = AppendFile(path, durable=False)
        self._clock = clock
        self._redact = redact or Redactor()
        self._dropped = 0

    def redact_with(self, redact: Redactor) -> None:
        """Use a redactor that knows more secrets, once they are known."""
        self._redact = redact

    def write(self, event: str, **facts: JSON) -> None:
        """Append ``{"t": seconds, "time": UTC, "event": event, **facts}``; never raises, never waits for the volume."""
        seconds = self._clock.now()
        moment = self._clock.utc(seconds).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, JSON] = {"t": round(seconds, 3), "time": moment, "event": event, **facts}
        if self._dropped:
            line["droppedBefore"] = self._dropped
        cleaned = self._redact.throughout(line)
        _log.info("%s", event, extra={"facts": cleaned})
        if self._file.append(json.dumps(cleaned, ensure_ascii=False).encode()):
            self._dropped = 0
        else:  # the volume has not taken a line for very long
            self._dropped += 1

    async def flush(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Wait until all events are in the file; False when the volume did not take them in time."""
        return await self._file.flush(seconds)

    async def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Flush and close the file; a later event opens it again."""
        await self._file.close(seconds)
