"""Goes on with the folder of earlier attempts: its axis of time first, before anything of this attempt is stamped.

This is all that joining waits for. Entering what the earlier bots left without a line, and reading what they knew of
people and text, are done beside it (:mod:`components`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from meeting_buddy_bot.recording.recovery import SessionFolder, read_folder
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume

_READ_SECONDS: Final = 60.0
"""For looking at the folder: hours of meeting are some thousand entries."""
_RETRY_SECONDS: Final = 1.0
"""Until a volume that does not answer is asked again."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Watch(Protocol):
    """Judges how long a volume is worth waiting for (:class:`recording.volume_watch.VolumeWatch`)."""

    def answered(self) -> None:
        """The volume answered a call."""

    def failed(self, error: OSError) -> str | None:
        """A call failed; why waiting makes no sense any more, if so."""


async def go_on(volume: Volume, clock: SessionClock, events: EventLog, watch: Watch) -> SessionFolder:
    """Read the session's folder, let ``clock`` go on with its seconds, and then write the events that were held.

    Raises:
        OSError: the volume does not answer, or is gone, for longer than it is worth waiting for.
    """
    found = await wait_for_answer(lambda: _read(volume), watch)
    if found.zero is not None:
        clock.go_on(found.zero, found.reached, found.clock_steps)
    events.release()
    return found


async def _read(volume: Volume) -> SessionFolder:
    folder = volume.folder
    await volume.call("look at the session's folder", folder.stat)  # soon says that it does not answer
    return await volume.call("read the session's folder", lambda: read_folder(folder), _READ_SECONDS)


async def wait_for_answer(ask: Callable[[], Awaitable[T]], watch: Watch) -> T:
    """What the volume answers, however often it must be asked.

    Raises:
        OSError: it does not answer, or is gone, for longer than it is worth waiting for.
    """
    while True:
        try:
            answer = await ask()
        except OSError as error:
            if (message := watch.failed(error)) is not None:
                raise OSError(error.errno, message) from error
            _log.warning("the recordings volume does not answer: %s", error.strerror)
        else:
            watch.answered()
            return answer
        await asyncio.sleep(_RETRY_SECONDS)
