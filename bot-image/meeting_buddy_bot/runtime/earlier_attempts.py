"""Goes on with the folder of earlier attempts: its axis of time first, before anything of this attempt is stamped.

This is all that joining waits for. Entering what the earlier bots left without a line, and reading what they knew of
people and text, are done beside it (:mod:`components`).
"""

from typing import Final

from meeting_buddy_bot.recording.recovery import SessionFolder, read_folder
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume

_READ_SECONDS: Final = 60.0
"""For looking at the folder: hours of meeting are some thousand entries."""


async def go_on(volume: Volume, clock: SessionClock, events: EventLog, watch: VolumeWatch) -> SessionFolder:
    """Read the session's folder, let ``clock`` go on with its seconds, and then write the events that were held.

    Raises:
        OSError: the volume does not answer, or is gone, for longer than it is worth waiting for.
    """
    found = await watch.wait_for(lambda: _read(volume))
    if found.zero is not None:
        clock.go_on(found.zero, found.reached, found.clock_steps)
    events.release()
    return found


async def _read(volume: Volume) -> SessionFolder:
    folder = volume.folder
    await volume.call("look at the session's folder", folder.stat)  # soon says that it does not answer
    return await volume.call("read the session's folder", lambda: read_folder(folder), _READ_SECONDS)
