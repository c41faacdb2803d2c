"""Logs as one JSON object a line. Nobody logs a body, a link or a token; ``extra`` carries names, uids and numbers."""

import json
import logging
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_KOPF_NOISE: Final = frozenset({"settings", "k8s_skip", "k8s_ref"})
_encode: Final = json.JSONEncoder(default=str, ensure_ascii=False).encode


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, and what ``extra`` carried."""

    def format(self, entry: logging.LogRecord) -> str:
        """One line."""
        found: dict[str, object] = {
            "time": datetime.fromtimestamp(entry.created, UTC).isoformat(timespec="milliseconds"),
            "level": entry.levelname.lower(),
            "logger": entry.name,
            "message": entry.getMessage(),
        }
        found |= {key: value for key, value in vars(entry).items() if key not in _STANDARD and key not in _KOPF_NOISE}
        if entry.exc_info:
            found["exception"] = self.formatException(entry.exc_info)
        return _encode(found)


def configure(level: str) -> None:
    """Send all logs to standard error as JSON; kopf's own only from warnings on."""
    # Process, thread and place in the code are found out for each line, and nobody reads them here. (So the logging
    # HOWTO says it, under "Optimization".)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("kopf", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its errors quote the head of a request that it cannot read, tokens and all.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
