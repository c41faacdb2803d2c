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
from tests.conformance.running_bot import RunningBot, reachable_folder
from tests.local.media.probe import probe

AHEAD, BEHIND = 60, -60
"""Seconds from the machine's clock, to which the bot's is set, one after the other."""
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
async def test_a_step_forward_and_one_back_cost_two_seconds_each_at_most_and_are_gaps(start: Start) -> None:
    with reachable_folder() as folder:
        clock = SteppedClock(folder)
        bot = start(environment=clock.environment)
        await bot.until(recording)
        with moving_picture(bot), tone(bot):
            await asyncio.sleep(4)
            await step_and_go_on(bot, clock, AHEAD)
            await step_and_go_on(bot, clock, BEHIND)
        books = await leave_and_end(bot)
        assert [event["seconds"] for event in books.events if event["event"] == "clock_set"] == [
            pytest.approx(AHEAD, abs=1),
            pytest.approx(BEHIND - AHEAD, abs=1),
        ]
        assert [gap.gap for gap in books.gaps] == ["the clock was set"] * 2
        lost = [gap.end - gap.start for gap in books.gaps]
        print(f"lost: {lost[0]:.2f} s by the step forward, {lost[1]:.2f} s by the step back")
        assert max(lost) <= 2
        assert bot.outcome.recording.verified, books.finished
        on_clock = [segment.seconds for segment in books.segments]
        assert probe(bot.recordings / "recording.mp4").seconds == pytest.approx(sum(on_clock), abs=1)
        assert 0 < min(on_clock) <= max(on_clock) < AHEAD, "no step is in one"


async def step_and_go_on(bot: RunningBot, clock: SteppedClock, offset: float) -> None:
    """Set the clock; return when its gap has been told and four more seconds are recorded."""
    pid = await child(bot, "ffmpeg")
    told = len((await bot.report()).recording.gaps)
    clock.step(offset)
    announce()
    await child(bot, "ffmpeg", other_than=pid)
    await bot.until(lambda report: len(report.recording.gaps) > told)
    await asyncio.sleep(4)
