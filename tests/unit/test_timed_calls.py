"""Blocking calls end for their caller, whatever becomes of them."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from meeting_buddy_bot.browser.errors import BrowserGoneError
from meeting_buddy_bot.browser.timed_calls import TimedBlockingCalls


async def test_gives_what_the_call_gives() -> None:
    assert await TimedBlockingCalls().run("add", lambda: 1 + 1, 1) == 2


async def test_raises_what_the_call_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        await TimedBlockingCalls().run("divide", lambda: 1 // 0, 1)


async def test_a_call_that_hangs_is_given_up_and_none_is_made_beside_it() -> None:
    release = threading.Event()
    calls = TimedBlockingCalls()
    began = time.monotonic()
    with pytest.raises(BrowserGoneError, match=r"hang took longer than 0\.1 s"):
        await calls.run("hang", release.wait, 0.1)
    with pytest.raises(BrowserGoneError, match="earlier call"):
        await calls.run("next", lambda: None, 0.1)
    assert time.monotonic() - began < 1
    release.set()
    assert await calls.run("next", lambda: "done", 1) == "done"


async def test_after_a_cancelled_caller_the_next_one_waits_for_the_call() -> None:
    order: list[str] = []
    started = threading.Event()

    def slow() -> None:
        started.set()
        time.sleep(0.1)
        order.append("slow")

    calls = TimedBlockingCalls()
    task = asyncio.create_task(calls.run("slow", slow, 5))
    await asyncio.to_thread(started.wait)
    task.cancel()
    await calls.run("next", lambda: order.append("next"), 5)
    assert order == ["slow", "next"]
