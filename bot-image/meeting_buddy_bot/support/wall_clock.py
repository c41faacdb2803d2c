"""Notices when the wall clock is set: NTP after a long outage, an administrator, a machine that was suspended.

The session's own clock does not care, but ffmpeg stamps what it captures with the wall clock. The kernel cancels a
timer of the kind used here at the very moment the clock is set, so nothing has to be polled.
"""

import asyncio
import ctypes
import errno
import os
import time
from collections.abc import AsyncGenerator
from typing import Final

SMALLEST_STEP: Final = 0.2
"""Seconds; smaller corrections shift sound and picture alike and are heard and seen by nobody."""

_TFD_TIMER_ABSTIME: Final = 1
_TFD_TIMER_CANCEL_ON_SET: Final = 2
_FAR: Final = 1 << 40  # seconds; the timer is not meant to expire


class _Timerspec(ctypes.Structure):
    _fields_ = (
        ("interval_seconds", ctypes.c_int64),
        ("interval_nanoseconds", ctypes.c_int64),
        ("value_seconds", ctypes.c_int64),
        ("value_nanoseconds", ctypes.c_int64),
    )


def offset() -> float:
    """Wall clock minus monotonic clock, seconds; constant while nobody sets the clock."""
    return time.time() - time.monotonic()


async def steps() -> AsyncGenerator[float, None]:
    """Seconds by which the wall clock was set (negative: back), each time that is at least :data:`SMALLEST_STEP`.

    Raises:
        OSError: the kernel gives no such timer.
    """
    before = offset()
    async for _ in _changes():
        now = offset()
        if abs(now - before) >= SMALLEST_STEP:
            yield now - before
            before = now


async def _changes() -> AsyncGenerator[None, None]:
    """Once for each time the clock is set, however little it changes."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "no timer that watches the wall clock")
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    loop.add_reader(descriptor, changed.set)
    try:
        while True:
            changed.clear()
            if not _arm(libc, descriptor):
                yield
                continue
            await changed.wait()
            try:
                os.read(descriptor, 8)
            except OSError as error:
                if error.errno == errno.ECANCELED:
                    yield
                elif error.errno != errno.EAGAIN:
                    raise
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _arm(libc: ctypes.CDLL, descriptor: int) -> bool:
    """Watch on; false: the clock was set since the last look, and no look at the timer will say so."""
    flags = _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET
    if libc.timerfd_settime(descriptor, flags, ctypes.byref(_Timerspec(0, 0, _FAR, 0)), None) < 0:
        if (number := ctypes.get_errno()) != errno.ECANCELED:
            raise OSError(number, "the timer that watches the wall clock cannot be set")
        return False
    return True
