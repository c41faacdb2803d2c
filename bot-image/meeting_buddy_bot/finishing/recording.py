"""The recording in a folder whose bot has ended: recovered, joined and verified, as often as it takes."""

from collections.abc import Callable
from typing import Final

from meeting_buddy.contract.assignment import RecordingConfig
from meeting_buddy.contract.report import RecordingReport
from meeting_buddy_bot.recording.finalizer import RecordingFinalizer
from meeting_buddy_bot.recording.manifest import Finished, Segment
from meeting_buddy_bot.recording.manifest_writer import ManifestWriter
from meeting_buddy_bot.recording.plan import MediaFormat, picture_size
from meeting_buddy_bot.recording.recovery import SessionFolder, read_folder, recover
from meeting_buddy_bot.recording.volume_watch import VolumeWatch
from meeting_buddy_bot.session.earlier import EarlierFacts, read_earlier
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume

_READ_SECONDS: Final = 60.0
"""For looking at the folder: hours of meeting are some thousand entries."""


class UnfinishedRecording:
    """The recording of one session's folder."""

    def __init__(
        self,
        volume: Volume,
        clock: SessionClock,
        events: EventLog,
        config: RecordingConfig,
        changed: Callable[[], None],
    ) -> None:
        """``clock``: goes on with the seconds of the folder once it is read; ``changed``: told when ``report`` is."""
        self.report = RecordingReport()
        """What is on the volume, as far as it is known."""
        self.finished: Finished | None = None
        """How finishing went; ``None``: it is not over."""
        self.segments: list[Segment] = []
        """Of the manifest, once it is recovered."""
        self.earlier = EarlierFacts()
        """What the folder has beside media."""
        self._volume = volume
        self._clock = clock
        self._events = events
        self._enabled = config.enabled
        self._media = MediaFormat(picture_size(config))
        self._changed = changed
        self._found: SessionFolder | None = None
        self._recovered = False
        self._made: Finished | None = None
        """What was made, and is perhaps not in the manifest yet."""

    @property
    def was_read(self) -> bool:
        """Whether it is known what the folder holds."""
        return self._found is not None

    async def finish(self, watch: VolumeWatch) -> None:
        """Recover the folder, make the finished file, verify it.

        Does not raise for what is wrong with the recording: ``finished`` says so.

        Raises:
            OSError: the volume does not answer, or is gone, for longer than it is worth waiting for.
        """
        await watch.wait_for(lambda: self._finish(watch))

    async def _finish(self, watch: VolumeWatch) -> None:
        folder = self._volume.folder
        await self._volume.call("look at the session's folder", folder.stat)  # soon says that it does not answer
        found, self.earlier = await self._volume.call(
            "read the session's folder", lambda: (read_folder(folder), read_earlier(folder)), _READ_SECONDS
        )
        if self._found is None and found.zero is not None:
            self._clock.go_on(found.zero, found.reached, found.clock_steps)
        if self._found is None:
            self._events.release()
            self._events.write("finisher_started", segments=len(found.files))
        self._found = found
        manifest = ManifestWriter(
            self._volume, self._clock, self._events, lambda: self._update_report(manifest), found.lines
        )
        try:
            if self._enabled:
                self._update_report(manifest)  # should there be no time for more
                await recover(found, manifest, self._volume, self._clock)
            if not self._recovered:
                # Not before it took a line: one that can only be read is of no use either. Later ones say nothing of
                # what failed behind them.
                self._recovered = True
                watch.answered()
            if not self._enabled:
                return
            self._update_report(manifest)
            self.segments = manifest.segments
            finalizer = RecordingFinalizer(self._volume, self._media, self._events)
            before = self._made or found.standing
            finished = await finalizer.verified_before(before, manifest.segments) if before is not None else None
            if finished is None:
                finished = self._made = await finalizer.run(manifest.segments, manifest.run_ends)
            if finished != found.finished or not found.finished_last:
                await manifest.append(finished)
                await manifest.written()
            self.finished = finished
            self.report = self.report.model_copy(update={"verified": finished.verified})
        finally:
            await manifest.close()

    def _update_report(self, manifest: ManifestWriter) -> None:
        self.report = manifest.report(video=self._media.size is not None)
        self._changed()
