"""The wish to stop: the first reason wins, everybody who waits hears it."""

import asyncio

from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.session.leave import LeaveSignal


async def test_nobody_has_asked_at_first() -> None:
    leave = LeaveSignal()
    assert (leave.requested, leave.reason, leave.message) == (False, None, None)


async def test_the_first_reason_wins() -> None:
    leave = LeaveSignal()
    leave.request(Reason.LEAVE_REQUESTED)
    leave.request(Reason.EVICTED, "the pod was stopped")
    assert (leave.reason, leave.message) == (Reason.LEAVE_REQUESTED, None)
    assert await leave.wait() is Reason.LEAVE_REQUESTED


async def test_all_who_wait_are_told() -> None:
    leave = LeaveSignal()
    waiting = [asyncio.create_task(leave.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    leave.request(Reason.STORAGE_FULL, "the volume is full")
    assert await asyncio.gather(*waiting) == [Reason.STORAGE_FULL] * 3
    assert leave.message == "the volume is full"
