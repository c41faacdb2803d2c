"""``events.jsonl``: what happened, in order, one line each, on the session's clock; append-only.

Read by people who ask "why", by the finisher and by tests. Free of links and tokens by construction: every string goes
through the session's :class:`Redactor`. Each event is a line of the container's log too; what is personal in it stays
on the volume where the bot class asks for that.

Readers skip a line that is not JSON: if this process dies, the last one may be cut (:mod:`append_file`).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Final

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.text import json_text
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.clock import SessionClock

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
        self._publish_personal = True
        self._dropped = 0
        self._held: list[Callable[[], None]] | None = None

    def configure(self, redact: Redactor, *, publish_personal: bool) -> None:
        """Use a redactor that knows more secrets, and keep people's names out of the log or not, once that is known."""
        self._redact = redact
        self._publish_personal = publish_personal

    def hold(self) -> None:
        """Keep events back: the clock does not go on yet with the seconds of an earlier process."""
        self._held = []

    def release(self) -> None:
        """Write what was kept back, stamped with the present moment, and from now on all at once."""
        held, self._held = self._held or (), None
        for write in held:
            write()

    def write(self, event: str, *, personal: Mapping[str, JSON] | None = None, **facts: JSON) -> None:
        """Append ``{"t": seconds, "time": UTC, "event": event, **facts}``; never raises, never waits for the volume.

        ``personal`` are the facts that name people, or quote a page that may name them.
        """
        if self._held is not None:
            self._held.append(partial(self.write, event, personal=personal, **facts))
            return
        seconds = self._clock.now()
        moment = self._clock.utc(seconds).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stamp: dict[str, object] = {"t": round(seconds, 3), "time": moment, "event": event}
        if self._dropped:
            stamp["droppedBefore"] = self._dropped
        public, named = self._cleaned(facts), self._cleaned(personal or {})
        _log.info("%s", event, extra={"facts": stamp | public | (named if self._publish_personal else {})})
        if self._file.append(json_text(stamp | public | named).encode()):
            self._dropped = 0
        else:  # the volume has not taken a line for very long
            self._dropped += 1

    async def flush(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Wait until all events are in the file; False when the volume did not take them in time."""
        return await self._file.flush(seconds)

    async def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Flush and close the file; a later event opens it again."""
        self.release()
        await self._file.close(seconds)

    def _cleaned(self, facts: Mapping[str, JSON]) -> dict[str, object]:
        return {name: self._redact.throughout(value) for name, value in facts.items()}
