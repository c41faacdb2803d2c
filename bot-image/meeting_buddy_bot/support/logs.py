"""The bot's log: one JSON object a line on standard error, without secrets by construction.

Every record passes the one formatter, and the formatter redacts; no caller has to think of it. Debug lines of the
supervised programs are left out unless the session's ``debugMode`` asks for them.
"""

import logging
import sys
from datetime import UTC, datetime

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.text import json_text


class JsonLines(logging.Formatter):
    """Formats a record as ``{"time", "level", "logger", "message", ...}``; ``extra={"facts": {...}}`` is merged in."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        stamp: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("meeting_buddy_bot."),
        }
        line: dict[str, object] = {"message": _message(record)}
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line |= {name: value for name, value in facts.items() if name not in stamp | line}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json_text({**stamp, **{name: self._redact.throughout(value) for name, value in line.items()}})


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:
        # Left to logging, the arguments would go to standard error as they are, past the redactor.
        return str(record.msg)


def configure(redact: Redactor, *, debug: bool = False) -> None:
    """Send all logging to standard error through ``redact``; replaces what an earlier call set up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(redact))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)  # libraries: selenium and urllib3 log whole requests below that
    logging.getLogger("meeting_buddy_bot").setLevel(logging.DEBUG if debug else logging.INFO)
