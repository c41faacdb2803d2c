"""The container's log: it stops nobody when it is not read, and is whole at an ordinary end and after a crash."""

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy_bot.support import logs
from meeting_buddy_bot.support.logs import JsonLines, LineWriter
from tests.support.awaiting import until
from tests.support.machine_wide import free_port


def record(number: int) -> logging.LogRecord:
    return logging.LogRecord("meeting_buddy_bot.x", logging.INFO, "", 0, f"{number} {'x' * 500}", None, None)


def numbers(lines: list[dict[str, Any]]) -> list[int]:
    return [int(line["message"].split()[0]) for line in lines if line["logger"] == "x"]


class Pipe:
    """Standard error of a container, which somebody reads or not."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        self.log = LineWriter(os.fdopen(write, "w"))
        self.log.setFormatter(JsonLines(Redactor()))
        self._text = b""

    async def lines(self) -> list[dict[str, Any]]:
        """All that was logged."""
        os.set_blocking(self._read, False)
        written = threading.Event()
        self.log._queue.put(written)

        def whole() -> bool:
            ended = written.is_set()  # before the look: what it finds then is the rest
            try:
                while data := os.read(self._read, 2**16):
                    self._text += data
            except BlockingIOError:
                return ended
            return True

        await until(whole)
        return [json.loads(line) for line in self._text.splitlines()]


async def test_a_log_that_nobody_reads_stops_nobody_and_says_what_it_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LINES", 500)
    pipe = Pipe()
    for number in range(2000):  # a pipe holds some hundred
        pipe.log.handle(record(number))
    began = time.monotonic()
    pipe.log.flush(0.2)
    assert time.monotonic() - began < 5
    lines = await pipe.lines()
    written = numbers(lines)
    assert written == sorted(set(written))
    assert 500 <= len(written) < 2000
    said = [line["message"] for line in lines if line["level"] == "warning"]  # once for each stretch
    assert all(each.endswith(" lines of the log were dropped: nobody read it") for each in said)
    assert sum(int(each.split()[0]) for each in said) == 2000 - len(written)
    pipe.log.handle(record(2000))
    assert numbers(await pipe.lines())[-1] == 2000
    pipe.log.close()


async def test_what_was_dropped_is_said_before_the_next_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LINES", 500)
    pipe = Pipe()
    for number in range(2000):
        pipe.log.handle(record(number))
    await pipe.lines()
    pipe.log.handle(record(2000))
    *_, said, last = await pipe.lines()
    assert (said["level"], numbers([last])) == ("warning", [2000])
    pipe.log.close()


async def test_a_line_waits_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The container has as many processes as it may."""
    with monkeypatch.context() as refused:
        refused.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        pipe = Pipe()
        pipe.log.handle(record(1))
        began = time.monotonic()
        pipe.log.flush(60)
        assert time.monotonic() - began < 30
    pipe.log.handle(record(2))
    assert numbers(await pipe.lines()) == [1, 2]
    pipe.log.close()


async def test_a_line_that_cannot_be_made_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Secret:
        def __str__(self) -> str:
            raise LookupError("secret-1234")

    pipe = Pipe()
    broken = record(1)
    broken.msg, broken.args = Secret(), None
    pipe.log.handle(broken)
    pipe.log.handle(record(2))
    told, line = await pipe.lines()
    message = "a line of the log could not be made: LookupError"
    assert told == {"level": "error", "logger": "meeting_buddy_bot.x", "message": message}
    assert numbers([line]) == [2]
    pipe.log.close()


def test_dropped_lines_are_counted_by_one_at_a_time() -> None:
    log = LineWriter(io.StringIO())
    log.setFormatter(JsonLines(Redactor()))
    log._dropped = 3
    flushing = threading.Thread(target=log.flush, daemon=True)
    with log.lock:  # type: ignore[union-attr]
        flushing.start()
        flushing.join(0.2)
        assert log._dropped == 3
    flushing.join(60)
    assert log._dropped == 0
    log.close()


_PROGRAM = """
import logging, sys
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy_bot.support import logs
PATIENCE
logs.configure(Redactor())
log = logging.getLogger("meeting_buddy_bot.x")
for number in range(LINES): log.info("%d %s", number, "x" * 500)
END
"""


_PATIENT = "logs.LineWriter.flush.__defaults__ = (60.0,)"
"""A slow machine needs more than a second for thousands of lines."""


def program(lines: int, end: str, patience: str = "") -> "subprocess.Popen[str]":
    text = _PROGRAM.replace("LINES", str(lines)).replace("END", end).replace("PATIENCE", patience)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize(("end", "code"), [("", 0), ("sys.exit(3)", 3), ("raise LookupError('no such room')", 1)])
def test_the_log_is_whole_at_the_end_of_the_process(end: str, code: int) -> None:
    process = program(3000, end, _PATIENT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    lines = [json.loads(line) for line in errors.splitlines()]
    assert numbers(lines[:3000]) == list(range(3000))
    assert ["LookupError: no such room" in line["traceback"] for line in lines[3000:]] == [True] * (code == 1)


def test_a_process_whose_log_nobody_reads_ends_as_it_wants_to() -> None:
    with program(10_000, "sys.exit(3)") as process:
        assert process.wait(60) == 3


def test_another_configuration_keeps_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    logs.configure(Redactor())
    before = root.handlers
    logs.configure(Redactor(("secret-1234",)))
    assert root.handlers == before
    logging.getLogger("meeting_buddy_bot.x").warning("a secret-1234")
    logs.flush()
    assert "a [redacted]" in errors.getvalue()
    before[0].close()


async def test_what_is_no_http_costs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    logs.configure(Redactor())

    async def broken(_: web.Request) -> web.Response:
        raise ValueError("a fault of our own")

    app, port = web.Application(), free_port()
    app.router.add_get("/", broken)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    for request in (b"GET /v1/rep\xff%zz HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        assert (await reader.read()).split()[1] in (b"400", b"500")
        writer.close()
    await runner.cleanup()
    (handler,) = logging.getLogger().handlers
    handler.flush()
    lines = [json.loads(line) for line in errors.getvalue().splitlines()]
    handler.close()
    assert ["ValueError" in line.get("traceback", "") for line in lines] == [True]
