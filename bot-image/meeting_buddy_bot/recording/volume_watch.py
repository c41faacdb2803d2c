"""How the recordings volume is: nearly full, not answering, gone; and when it is not worth waiting for any longer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from meeting_buddy_bot.recording import storage
from meeting_buddy_bot.recording.storage import Measurement
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import SHORTAGES, Volume, VolumeTimeoutError

HANGING_SECONDS: Final = 600.0
"""For a volume that does not answer: servers restart, paths come back."""
FAILING_SECONDS: Final = 30.0
"""For a volume that answers with errors: as a rule it was unmounted, and nothing brings it back into this pod."""
_COUNTED_SECONDS: Final = 10.0
"""Of a try that ended with an error; for the rest of its time the volume did what it was asked."""
_MEASURE_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
"""Until a volume that does not answer is asked again."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class StorageListener(Protocol):
    """Who hears how the volume is."""

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        """How the volume is."""


class VolumeWatch:
    """Follows the volume's answers and passes on what changes."""

    def __init__(self, volume: Volume, clock: SessionClock, events: EventLog, listener: StorageListener) -> None:
        self._volume = volume
        self._clock = clock
        self._events = events
        self._listener = listener
        self._low = False
        self._trouble_since: float | None = None
        self._errors_since: float | None = None
        """Since when it has answered, and with nothing but errors."""
        self.measured: Measurement | None = None
        """What the last look found."""

    async def wait_for(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the volume answers, however often it must be asked.

        Raises:
            OSError: it does not answer, or is gone, for longer than it is worth waiting for.
        """
        while True:
            began = self._clock.now()
            try:
                answer = await ask()
            except OSError as error:
                if not isinstance(error, VolumeTimeoutError):
                    self._worked_for(self._clock.now() - began - _COUNTED_SECONDS)
                if (message := self.failed(error)) is not None:
                    raise OSError(error.errno, message) from error
                _log.warning("the recordings volume is asked again: %s", error.strerror)
            else:
                self.answered()
                return answer
            await asyncio.sleep(_RETRY_SECONDS)

    async def measure(self, recorded: int, bytes_per_second: float) -> Measurement:
        """Look at the volume once, given what was recorded so far.

        Raises:
            OSError: it cannot be looked at; a VolumeTimeoutError when it does not answer.
        """
        try:
            found = await self._volume.call("measure", lambda: storage.measure(self._volume.folder), _MEASURE_SECONDS)
        except VolumeTimeoutError as error:
            self.failed(error)
            raise
        self.measured = found
        self._low = storage.scarce(found.free, recorded, bytes_per_second)
        self.answered()
        return found

    def _worked_for(self, seconds: float) -> None:
        """So long a try went well before it failed, which is not to count as trouble."""
        if seconds > 0 and self._trouble_since is not None:
            self._trouble_since += seconds
            if self._errors_since is not None:
                self._errors_since += seconds

    def answered(self) -> None:
        """The volume answered a call."""
        if self._trouble_since is not None:
            self._events.write("volume_back", seconds=round(self._clock.now() - self._trouble_since, 1))
            self._trouble_since = self._errors_since = None
        self._listener.storage(low=self._low, unresponsive=False)

    def failed(self, error: OSError) -> str | None:
        """A call failed, or was not answered; why waiting makes no sense any more, if so."""
        now = self._clock.now()
        if self._trouble_since is None:
            self._trouble_since = now
            self._events.write("volume_trouble", error=str(error.strerror))
        if error.errno not in SHORTAGES:
            self._listener.storage(low=self._low, unresponsive=True)
        if isinstance(error, VolumeTimeoutError):
            self._errors_since = None
        elif self._errors_since is None:
            self._errors_since = now
        failing = self._errors_since is not None and now - self._errors_since >= FAILING_SECONDS
        if not failing and now - self._trouble_since < HANGING_SECONDS:
            return None
        if error.errno in SHORTAGES:
            return str(error.strerror)
        return f"the recordings volume cannot be used: {error.strerror}"
