"""The wall clock is set while a bot records: at most two seconds are lost, and the manifest says so.

The bot and what it starts live by a clock that the test steps (libfaketime), since this machine's own clock is
everybody's. The kernel's notice that the clock was set is the real one: the clock is set to what it is.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.recording_bot import Start, bots, child, leave_and_end, moving_picture, recording, tone
from tests.conformance.running_bot import reachable_folder
from tests.local.media.probe import probe

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture
def start() -> Iterator[Start]:
    with bots() as start_bot:
        yield start_bot


class SteppedClock:
    """A wall clock for one bot."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.step(0)
        self.environment = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: float) -> None:
        """Set the clock to this far from the machine's."""
        tmp_path = self._offset.with_suffix(".new")
        tmp_path.write_text(f"{seconds:+.0f}s\n")
        tmp_path.chmod(0o644)
        tmp_path.rename(self._offset)


def announce() -> None:
    """Have the kernel tell everybody that the clock was set, without moving it."""
    time.clock_settime(time.CLOCK_REALTIME, time.time())


@pytest.mark.real_time  # the limit counts the start of a program
@pytest.mark.parametrize("seconds", [60, -60])
async def test_a_step_costs_two_seconds_at_most_and_is_a_gap(start: Start, seconds: int) -> None:
    with reachable_folder() as folder:
        clock = SteppedClock(folder)
        bot = start(environment=clock.environment)
        await bot.until(recording)
        with moving_picture(bot), tone(bot):
            await asyncio.sleep(4)
            pid = await child(bot, "ffmpeg")
            clock.step(seconds)
            announce()
            await child(bot, "ffmpeg", other_than=pid)
            await bot.until(lambda report: bool(report.recording.gaps))
            await asyncio.sleep(4)
        books = await leave_and_end(bot)
        [gap] = books.gaps
        assert gap.gap == "the clock was set"
        print(f"step of {seconds:+d} s: {gap.end - gap.start:.2f} s lost")
        assert gap.end - gap.start <= 2
        assert bot.outcome.recording.verified, books.finished
        on_clock = sum(segment.seconds for segment in books.segments)
        assert probe(bot.recordings / "recording.mp4").seconds == pytest.approx(on_clock, abs=1)
        assert on_clock < 60, "the step is not in it"
