"""Child processes: their end is seen, whatever they write and whoever holds their pipes."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from meeting_buddy_bot.runtime.processes import Child, run
from tests.support.awaiting import until

_PATIENCE = 30.0


async def errors_of(program: str) -> list[str]:
    code, _, errors = await run("talker", [sys.executable, "-c", f"import sys\n{program}"], seconds=_PATIENCE)
    assert code == 0
    return errors


async def test_a_line_of_any_length_is_cut_and_what_follows_is_read() -> None:
    errors = await errors_of(
        "sys.stderr.write('x' * 300_000 + '\\n')\nfor n in range(50_000): print(n, file=sys.stderr)"
    )
    assert errors[-1] == "49999"
    cut, after, unfinished = await errors_of("sys.stderr.write('x' * 300_000 + '\\nafter\\n' + 'y' * 100_000)")
    assert cut == "x" * 4096 + " (cut)"
    assert after == "after"
    assert unfinished == "y" * 4096 + " (cut)"


async def test_lines_are_whole_wherever_the_pipe_cuts_them() -> None:
    errors = await errors_of(
        "import time\n"
        "for part in ('one\\ntw', 'o\\n', '\\nthree'):\n"
        "    print(part, end='', file=sys.stderr, flush=True); time.sleep(0.1)"
    )
    assert errors == ["one", "two", "", "three"]


async def test_the_end_is_seen_though_a_grandchild_holds_the_pipes() -> None:
    child = await Child.start("parent", ["sh", "-c", "sleep 60 & echo $!; exit 3"], read_output=True)
    async with asyncio.timeout(30):
        assert await child.wait() == 3
    assert child.process.stdout is not None
    async with asyncio.timeout(30):  # and whoever reads what it says comes to an end, too
        grandchild = int(await child.process.stdout.read())
    os.kill(grandchild, signal.SIGKILL)


async def test_one_that_is_killed_is_seen_though_a_grandchild_holds_the_pipes(caplog: pytest.LogCaptureFixture) -> None:
    child = await Child.start("parent", ["sh", "-c", "sleep 60 & echo $!; wait"], read_output=True)
    assert child.process.stdout is not None
    grandchild = int(await child.process.stdout.readline())
    assert await child.kill(30) == -9
    assert "cannot be killed" not in caplog.text
    os.kill(grandchild, signal.SIGKILL)


async def test_the_end_is_seen_though_a_grandchild_holds_the_output_alone() -> None:
    child = await Child.start("parent", ["sh", "-c", "sleep 60 2>&- & echo $!; exit 3"], read_output=True)
    async with asyncio.timeout(30):
        assert await child.wait() == 3
    assert child.process.stdout is not None
    async with asyncio.timeout(30):
        grandchild = int(await child.process.stdout.read())
    os.kill(grandchild, signal.SIGKILL)


async def test_what_an_ordinary_child_wrote_is_read_after_its_end() -> None:
    child = await Child.start("writer", ["sh", "-c", "head -c 100000 /dev/zero"], read_output=True)
    async with asyncio.timeout(30):
        assert await child.wait() == 0
    assert child.process.stdout is not None
    assert len(await child.process.stdout.read()) == 100_000


async def test_a_child_whose_end_nobody_can_wait_for_is_refused_and_does_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The container has as many processes as it may, but for one."""
    started: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    with monkeypatch.context() as refused:
        refused.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(BlockingIOError) as raised:
            await Child.start("sleeper", ["sleep", "60"], read_output=True)
    assert raised.value.errno == errno.EAGAIN
    [process] = started
    await until(lambda: process.poll() is not None)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("how", [Child.kill, partial(Child.stop, grace=30)])
@pytest.mark.parametrize("turns", range(6))
async def test_who_waits_for_the_end_can_be_cancelled_as_it_comes(how: Callable[[Child], Any], turns: int) -> None:
    child = await Child.start("sleeper", ["sleep", "60"])

    async def part() -> None:
        await how(child)
        await asyncio.sleep(60)

    working = asyncio.create_task(part())
    await child._streams.exited.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait({working}, timeout=10)
    assert working.cancelled()


async def test_a_signal_does_not_take_the_exit_code_from_who_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    child = await Child.start("sleeper", ["sleep", "60"])
    monkeypatch.setattr(subprocess.Popen, "poll", Mock(side_effect=AssertionError("this reaps a process that ended")))
    child.signal(signal.SIGTERM)
    assert await child.wait() == -signal.SIGTERM
