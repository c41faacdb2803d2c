"""Brings a device back when it has died or hangs, and says what the recorder must know."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from meeting_buddy_bot.devices.device import Device, DeviceError
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog

MAX_DEATHS: Final = 5
"""Within :data:`WINDOW_SECONDS`, or so many starts in vain one after the other: it is not to be had on this node."""
WINDOW_SECONDS: Final = 60.0
_PROBE_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 0.5
"""Seconds after a start that failed; each further one waits twice as long, up to :data:`_LONGEST_PAUSE`."""
_LONGEST_PAUSE: Final = 5.0
_UNANSWERED_PROBES: Final = 2
"""So many unanswered probes in a row, each with its own time limit, make a process hang: one may be bad luck."""

_log = logging.getLogger(__name__)


async def supervise(
    device: Device, clock: SessionClock, events: EventLog, *, lost: Callable[[str], Awaitable[None]]
) -> None:
    """Keep ``device`` running until cancelled.

    ``lost`` is called with the cause when it has died or was killed because it hung, while it is started again.

    Raises:
        DeviceError: it died more than :data:`MAX_DEATHS` times within :data:`WINDOW_SECONDS`, or was started that often
            in vain.
    """
    deaths: deque[float] = deque(maxlen=MAX_DEATHS)
    while True:
        async with asyncio.TaskGroup() as tasks:
            prober = tasks.create_task(_kill_if_unresponsive(device, events))
            code = await device.wait_ended()
            prober.cancel()
        events.write("device_ended", device=device.name, code=code)
        _, failure = await asyncio.gather(lost(f"{device.name} ended"), _restart(device, deaths, clock))
        if failure is not None:
            raise failure
        events.write("device_restarted", device=device.name, starts=device.starts)


async def _restart(device: Device, deaths: deque[float], clock: SessionClock) -> DeviceError | None:
    """Start the device again; the error to end with when that has failed, or it has died, too often."""
    failed = 0
    while True:
        if len(deaths) == MAX_DEATHS and clock.now() - deaths[0] < WINDOW_SECONDS:
            return DeviceError(f"{device.name} died {MAX_DEATHS + 1} times within {WINDOW_SECONDS:.0f} s")
        deaths.append(clock.now())
        try:
            await device.start()
        except DeviceError as error:
            _log.error("%s", error)
            failed += 1
            if failed == MAX_DEATHS:
                return DeviceError(f"{device.name} was started {failed} times in vain: {error}")
            await asyncio.sleep(min(_FIRST_PAUSE * 2 ** (failed - 1), _LONGEST_PAUSE))
        else:
            return None


async def _kill_if_unresponsive(device: Device, events: EventLog) -> None:
    unanswered = 0
    while True:
        await asyncio.sleep(_PROBE_SECONDS)
        unanswered = 0 if await device.responds() else unanswered + 1
        if unanswered >= _UNANSWERED_PROBES:
            events.write("device_hangs", device=device.name)
            await device.kill()
            return
