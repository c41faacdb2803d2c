"""The wall clock that is set: noticed at once, and only steps that anybody could hear or see."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator

import pytest

from meeting_buddy_bot.support import wall_clock


@pytest.mark.skipif(os.geteuid() != 0, reason="setting the clock takes root")
async def test_the_kernel_says_when_the_clock_is_set() -> None:
    changes = wall_clock._changes()
    first = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    time.clock_settime(time.CLOCK_REALTIME, time.time())  # to what it is: set, and not moved
    async with asyncio.timeout(60):
        await first
    await changes.aclose()


async def test_only_steps_that_matter_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = iter([100.0, 100.1, 160.1, 160.0, 100.0])
    monkeypatch.setattr(wall_clock, "offset", lambda: next(offsets))

    async def changes() -> AsyncGenerator[None, None]:
        for _ in range(4):
            yield

    monkeypatch.setattr(wall_clock, "_changes", changes)
    assert [round(step, 1) async for step in wall_clock.steps()] == [60.1, -60.1]


async def test_a_clock_that_is_set_between_two_looks_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    arm, news = wall_clock._arm, [False]
    monkeypatch.setattr(wall_clock, "_arm", lambda libc, timer: arm(libc, timer) and (not news or news.pop()))
    changes = wall_clock._changes()
    async with asyncio.timeout(10):
        await anext(changes)
    await changes.aclose()
