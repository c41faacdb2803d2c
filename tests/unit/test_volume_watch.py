"""When a volume is not worth waiting for any longer: soon when it only fails, late when it does not answer."""

import errno
import os
from pathlib import Path

import pytest

from meeting_buddy_bot.recording import volume_watch
from meeting_buddy_bot.recording.volume_watch import FAILING_SECONDS, HANGING_SECONDS, VolumeWatch
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume, VolumeTimeoutError

GONE = OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
SILENT = VolumeTimeoutError("list the segments")


class Volumes:
    """A watch whose clock stands where the test puts it, and what it said last."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = SessionClock()
        self.now = 0.0
        self.unresponsive: bool | None = None
        monkeypatch.setattr(SessionClock, "now", lambda _: self.now)
        self.watch = VolumeWatch(Volume(folder), clock, EventLog(folder / "events.jsonl", clock), self)

    def storage(self, *, low: bool, unresponsive: bool) -> None:
        self.unresponsive = unresponsive

    def failed(self, now: float, error: OSError) -> str | None:
        self.now = now
        return self.watch.failed(error)


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Volumes:
    return Volumes(tmp_path, monkeypatch)


def test_errors_are_waited_out_for_half_a_minute(volumes: Volumes) -> None:
    assert volumes.failed(0, GONE) is None
    assert volumes.failed(FAILING_SECONDS - 1, GONE) is None
    assert "is not connected" in (volumes.failed(FAILING_SECONDS, GONE) or "")


def test_silence_is_waited_out_for_ten_minutes(volumes: Volumes) -> None:
    assert volumes.failed(0, SILENT) is None
    assert volumes.failed(HANGING_SECONDS - 1, SILENT) is None
    assert volumes.failed(HANGING_SECONDS, SILENT) is not None


def test_an_error_behind_a_long_silence_is_not_the_end(volumes: Volumes) -> None:
    assert volumes.failed(0, SILENT) is None
    assert volumes.failed(FAILING_SECONDS * 4, GONE) is None
    assert volumes.failed(FAILING_SECONDS * 5, GONE) is not None


def test_an_answer_begins_anew(volumes: Volumes) -> None:
    assert volumes.failed(0, GONE) is None
    assert volumes.unresponsive is True
    volumes.watch.answered()
    assert volumes.unresponsive is False
    assert volumes.failed(FAILING_SECONDS, GONE) is None


class Work:
    """What takes a minute each time, and comes to nothing so often."""

    def __init__(self, volumes: Volumes, failures: int) -> None:
        self.tries = 0
        self._volumes = volumes
        self._failures = failures

    async def __call__(self) -> str:
        self.tries += 1
        self._volumes.now += 60
        if self.tries <= self._failures:
            raise OSError(errno.EINTR, "ffmpeg remux was ended by signal 9")
        return "done"


async def test_the_time_of_long_work_is_not_what_it_failed_for(
    volumes: Volumes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume_watch, "_RETRY_SECONDS", 0.0)
    assert await volumes.watch.wait_for(Work(volumes, 3)) == "done"
    for_ever = Work(volumes, 100)
    with pytest.raises(OSError, match="signal 9"):
        await volumes.watch.wait_for(for_ever)
    assert for_ever.tries == 4
