"""``events.jsonl``: what happened, in order, one line each, on the session's clock; append-only.

Read by people who ask "why", by the finisher and by tests. Free of links and tokens by construction: every string goes
through the session's :class:`Redactor`. Each event is a line of the container's log too; what is personal in it stays
on the volume where the bot class asks for that.

If this process dies: a line is one ``write`` of a file opened for appending, so at most the last one is cut; readers
skip a line that is not JSON. A volume that refuses the write costs the line, never the recording.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import IO

from meeting_buddy.contract.text import json_text
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.redaction import Redactor

JSON = str | int | float | bool | None | Sequence["JSON"] | Mapping[str, "JSON"]

EVENTS_FILE = "events.jsonl"

_log = logging.getLogger(__name__)


class EventLog:
    """Writes events; opens the file with the first one, so that a folder without a session stays empty."""

    def __init__(
        self, path: Path, clock: SessionClock, redact: Redactor | None = None, *, publish_personal: bool = True
    ) -> None:
        self._path = path
        self._clock = clock
        self._redact = redact or Redactor()
        self._publish_personal = publish_personal
        self._file: IO[bytes] | None = None
        self._failing = False

    def write(self, event: str, *, personal: Mapping[str, JSON] | None = None, **facts: JSON) -> None:
        """Append ``{"t": seconds, "time": UTC, "event": event, **facts}``. Never raises: see the module's docstring.

        ``personal`` are the facts that name people, or quote a page that may name them.
        """
        seconds = self._clock.now()
        moment = self._clock.utc(seconds).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stamp = {"t": round(seconds, 3), "time": moment, "event": event}
        public, named = self._cleaned(facts), self._cleaned(personal or {})
        _log.info("%s", event, extra={"facts": stamp | public | (named if self._publish_personal else {})})
        try:
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            self._file.write(json_text(stamp | public | named).encode() + b"\n")
        except OSError as error:
            if not self._failing:
                _log.error("events.jsonl cannot be written: %s", error.strerror)
            self._failing = True

    def _cleaned(self, facts: Mapping[str, JSON]) -> dict[str, object]:
        return {name: self._redact.throughout(value) for name, value in facts.items()}

    def close(self) -> None:
        """Close the file; a later event opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
