"""The bot's log: one JSON object a line on standard error, without secrets by construction.

Every record passes the one formatter, and the formatter redacts; no caller has to think of it. Debug lines of the
supervised programs are left out unless the session's ``debugMode`` asks for them.

Whoever logs never waits for whoever reads the container's log: a thread writes the lines. A log that nobody reads costs
lines, and says how many once it is read again.
"""

import logging
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TextIO

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.text import json_text

MAX_LINES: Final = 5_000
"""Lines that may wait to be read."""
_FLUSH_SECONDS: Final = 1.0
"""For what waits when the process ends."""
_BUSY_SECONDS: Final = 0.05
"""Before another try where standard error does not block."""


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


class LineWriter(logging.Handler):
    """Formats where it is called, and writes in a thread of its own.

    The queue is a ``SimpleQueue``: a record may come out of a ``__del__`` in the middle of another one's ``put``, where
    a ``Queue`` (and logging's own ``QueueHandler`` with it) would wait for itself.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self._queue: queue.SimpleQueue[str | threading.Event | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def handle(self, record: logging.LogRecord) -> bool:
        """As any handler does; the thread comes with the first line.

        It is started outside the handler's lock: its start waits for it, and it may log before it has begun.
        """
        taken = super().handle(record)
        self._ensure_thread()
        return taken

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's line, or count it as dropped."""
        if self._queue.qsize() >= MAX_LINES:
            self._dropped += 1
            return
        self._report_dropped()
        self._queue.put(self._line(record))

    def flush(self, seconds: float = _FLUSH_SECONDS) -> None:
        """Wait until all is written, as long as somebody reads it; logging calls this at the process's end."""
        self._report_dropped()
        if (self._thread is None and self._queue.empty()) or not self._ensure_thread():
            return
        written = threading.Event()
        self._queue.put(written)
        written.wait(seconds)

    def close(self) -> None:
        """End the thread behind what waits."""
        self._queue.put(None)
        super().close()

    def _ensure_thread(self) -> bool:
        """Whether there is a thread; where the container may start no more, a later line tries again."""
        if self._thread is None and self._starting.acquire(blocking=False):
            try:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name="log", daemon=True)
                    thread.start()
                    self._thread = thread
            except RuntimeError:
                return False
            finally:
                self._starting.release()
        return self._thread is not None

    def _line(self, record: logging.LogRecord) -> str:
        """One line of the record, or that there is none; whoever logs does not fail for it."""
        try:
            return self.format(record)
        except Exception as error:  # neither its words nor the record's, since nothing has redacted them
            message = f"a line of the log could not be made: {type(error).__name__}"
            return json_text({"level": "error", "logger": record.name, "message": message})

    def _report_dropped(self) -> None:
        self.acquire()
        try:
            dropped, self._dropped = self._dropped, 0
        finally:
            self.release()
        if dropped:
            message = f"{dropped} lines of the log were dropped: nobody read it"
            fields = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": message}
            self._queue.put(self._line(logging.makeLogRecord(fields)))

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            try:
                self._write(f"{item}\n")
            except (OSError, ValueError):  # closed; there is nowhere to say so
                continue

    def _write(self, line: str) -> None:
        try:
            descriptor = self.stream.fileno()
        except OSError:  # a test's
            self.stream.write(line)
            return
        # Past the stream's buffer: a thread that hangs in it would abort the interpreter's end.
        data = line.encode(errors="replace")
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                time.sleep(_BUSY_SECONDS)


def configure(redact: Redactor, *, debug: bool = False) -> None:
    """Send all logging to standard error through ``redact``; replaces what an earlier call set up."""
    root = logging.getLogger()
    handlers = [each for each in root.handlers if isinstance(each, LineWriter) and each.stream is sys.stderr]
    handler = handlers[0] if handlers else LineWriter(sys.stderr)
    handler.setFormatter(JsonLines(redact))
    for each in root.handlers:
        if isinstance(each, LineWriter) and each is not handler:
            each.close()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)  # libraries: selenium and urllib3 log whole requests below that
    logging.getLogger("meeting_buddy_bot").setLevel(logging.DEBUG if debug else logging.INFO)
    logging.getLogger("aiohttp.server").addFilter(_not_of_a_bad_request)  # kept once, however often it is added
    sys.excepthook = _log_uncaught


def _not_of_a_bad_request(record: logging.LogRecord) -> bool:
    """Whether a server says more than that somebody sent what is no HTTP: anybody can, as often as they like."""
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__module__ != "aiohttp.http_exceptions"


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the process is a line like any other: Python itself would write it into others, and not redacted."""
    if issubclass(kind, Exception):
        logging.getLogger(__name__).critical("nobody expected this error", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def flush() -> None:
    """Wait until all that was logged is written, as long as somebody reads it."""
    for handler in logging.getLogger().handlers:
        handler.flush()
