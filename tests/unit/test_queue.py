"""The work queue: one worker a key, nothing lost, nothing twice, failures slow down."""

from __future__ import annotations

import asyncio

import pytest

from meeting_buddy.controller import queue as module
from meeting_buddy.controller.queue import LAST_RETRY_SECONDS, KeyedQueue


async def take(queue: KeyedQueue) -> str:
    async with asyncio.timeout(60):
        return (await queue.take())[0]


async def nothing(queue: KeyedQueue) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await queue.take()


async def test_a_key_that_is_added_thrice_is_worked_on_once() -> None:
    queue = KeyedQueue()
    for _ in range(3):
        queue.add("a")
    assert await take(queue) == "a"
    queue.done("a")
    await nothing(queue)


async def test_a_key_that_changes_while_it_is_worked_on_is_worked_on_once_more_and_not_at_the_same_time() -> None:
    queue = KeyedQueue()
    queue.add("a")
    await take(queue)
    queue.add("a")
    queue.add("a")
    await nothing(queue)
    queue.done("a")
    assert await take(queue) == "a"
    queue.done("a")
    await nothing(queue)


async def test_failures_slow_down_and_success_forgets_them() -> None:
    queue = KeyedQueue()
    pauses = []
    for _ in range(12):
        queue.add("a")
        await take(queue)
        pauses.append(queue.failed("a"))
    assert pauses[0] < 0.3
    assert pauses[5] > pauses[0] * 8
    assert max(pauses) <= LAST_RETRY_SECONDS * 1.2
    queue.add("a")
    await take(queue)
    queue.done("a")
    queue.add("a")
    await take(queue)
    assert queue.failed("a") < 0.3


async def test_progress_makes_the_next_failure_the_first_one() -> None:
    queue = KeyedQueue()
    queue.add("a")
    for _ in range(8):
        await queue.take()
        slow = queue.failed("a")
        queue.add("a")
    queue.progressed("a")
    await queue.take()
    assert queue.failed("a") < slow / 10


async def test_a_failed_key_comes_back_by_itself() -> None:
    queue = KeyedQueue()
    queue.add("a")
    await take(queue)
    queue.failed("a")
    assert await take(queue) == "a"


async def test_only_the_last_wish_to_be_woken_counts() -> None:
    queue = KeyedQueue()
    queue.wake("a", 0.01)
    queue.wake("a", None)
    await nothing(queue)
    queue.wake("a", 60)
    queue.wake("a", 0.01)
    assert await take(queue) == "a"


async def test_keys_are_served_in_the_order_in_which_they_came() -> None:
    queue = KeyedQueue()
    for key in "abc":
        queue.add(key)
    assert [await take(queue) for _ in range(3)] == ["a", "b", "c"]


async def test_a_queue_that_was_cleared_is_as_new_also_for_a_key_that_a_worker_had() -> None:
    queue = KeyedQueue()
    for key in ("held", "waiting", "timed"):
        queue.add(key)
    assert await take(queue) == "held"
    queue.add("held")
    queue.wake("timed", 0.01)
    queue.clear()
    await nothing(queue)
    queue.add("held")
    assert await take(queue) == "held"


async def test_the_api_server_may_ask_for_a_longer_pause_and_never_for_a_shorter_one() -> None:
    queue = KeyedQueue()
    queue.add("a")
    await take(queue)
    assert queue.failed("a", at_least=30.0) == 30.0
    queue.add("b")
    await take(queue)
    assert queue.failed("b", at_least=0.001) > 0.1


async def test_a_timer_goes_by_the_other_clock_and_wakes_nobody_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's time stands still while a machine is suspended, and the calendar's is set by somebody."""
    monkeypatch.setattr(module, "LONGEST_TIMER_SECONDS", 0.01)
    queue, week = KeyedQueue(), 7 * 24 * 3600.0
    left = [week]
    queue.wake("a", week, lambda: left[0])
    await nothing(queue)
    left[0] = 0.02
    await nothing(queue)
    left[0] = 0.0
    assert await take(queue) == "a"
    queue.done("a")
    await nothing(queue)


async def test_a_moment_that_has_passed_wakes_at_once() -> None:
    queue = KeyedQueue()
    queue.wake("a", -5.0, lambda: -5.0)
    assert await take(queue) == "a"


async def test_the_age_is_that_of_the_key_which_waits_longest_and_a_pause_is_no_waiting() -> None:
    queue = KeyedQueue()
    assert queue.oldest_age == 0
    queue.wake("later", 60)
    assert queue.oldest_age == 0
    queue.add("a")
    await asyncio.sleep(0.05)
    now = asyncio.get_running_loop().time
    began = now()
    queue.add("b")
    queue.add("a")
    assert queue.oldest_age >= 0.05
    await take(queue)
    assert queue.oldest_age <= now() - began
    await take(queue)
    assert queue.oldest_age == 0
    queue.clear()
