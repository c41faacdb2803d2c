"""The transcript's end: its files for readers and players, verified, and what is reported of it as a whole."""

import errno
import math
from pathlib import Path
from typing import Any, Final

from meeting_buddy_bot.recording.manifest import MANIFEST_FILE, Derived, encode, read, segments_of
from meeting_buddy_bot.support.append_file import AppendFile
from meeting_buddy_bot.support.volume import Volume, answered
from meeting_buddy_bot.transcription.render import differing_files, render

PUBLISHING_OVERRAN: Final = "the transcript's files could not be written and read again in time"
_FLUSH_SECONDS: Final = 10.0
_RENDER_SECONDS: Final = 60.0
_MAX_MESSAGE: Final = 512
"""Characters of the outcome's message, which has to fit a termination message with all the rest."""


class TranscriptFiles:
    """The files of one session's transcript, made as often as it takes."""

    def __init__(self, volume: Volume) -> None:
        """Nothing is made yet."""
        self._volume = volume
        # One for all tries: what an earlier one has appended is written before what a later one does.
        self._manifest = AppendFile(volume.folder / MANIFEST_FILE, durable=True)
        self._entered: list[Derived] = []
        """What was appended last."""

    async def publish(self) -> str | None:
        """Make the files of ``transcript.jsonl``, enter them in the manifest, read them again; what is wrong with them.

        Raises:
            OSError: the volume does not take them or hand them out; it may be tried again.
        """
        folder = self._volume.folder
        derived = await self._volume.call("render the transcript", lambda: _rendered(folder), _RENDER_SECONDS)
        if derived != self._entered:
            for line in derived:
                self._manifest.append(encode(line))
            self._entered = derived
        await self._wait_entered()
        differ = await self._volume.call(
            "verify the transcript", lambda: differing_files(folder, derived), _RENDER_SECONDS
        )
        return f"{', '.join(differ)}: not what was written when read again" if differ else None

    async def _wait_entered(self) -> None:
        """Wait until the manifest has the entries.

        Raises:
            VolumeTimeoutError: the volume does not answer.
            OSError: it refuses them.
        """
        entering = self._manifest.close(math.inf)
        if not await answered("enter the transcript's files in the manifest", entering, _FLUSH_SECONDS):
            raise OSError(errno.EIO, "the volume does not take the transcript's entries in the manifest")


def outcome(without: str | None, unverified: str | None, *, lost: int, unwritten: bool) -> dict[str, Any]:
    """Fields of the report of a transcript that is over.

    Args:
        without: which stretches have no text, as :meth:`MissingText.sentence` says it.
        unverified: what is wrong with its files.
        lost: lines that found no room among those that wait for the volume.
        unwritten: whether the volume did not take the last ones.
    """
    missing = [without] if without is not None else []
    if unwritten:
        missing.append("the volume did not take the last lines")
    if lost:
        missing.append(f"{lost} lines found no room while the volume did not answer")
    reason = "Incomplete" if missing else None
    if unverified is not None:
        missing.insert(0, unverified)
        reason = "VerificationFailed"
    message = "; ".join(missing)[:_MAX_MESSAGE] or None
    return {"state": "Done", "reason": reason, "message": message, "lag_seconds": None}


def outcome_given_up(why: str | None, ended: str | None) -> dict[str, Any]:
    """The same of one whose engine gave up, which stays told.

    Args:
        why: what was told of it.
        ended: what :func:`outcome` says beside.
    """
    return {"message": "; ".join(filter(None, (why, ended)))[:_MAX_MESSAGE] or None, "lag_seconds": None}


def _rendered(folder: Path) -> list[Derived]:
    return render(folder, segments_of(read(folder / MANIFEST_FILE)))
