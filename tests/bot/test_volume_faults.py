"""A volume that hangs or goes away under a bot at work: a gap and a condition, or an end with its cause."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from meeting_buddy.contract.assignment import RecordingConfig
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.recording.capture import FROZEN_SECONDS
from tests.bot.recording_bot import Books, Start, bots, child, recording, tone
from tests.conformance.running_bot import RunningBot, reachable_folder
from tests.support.awaiting import all_of
from tests.support.faulty_volume import FaultyVolume, faulty_volume

HANGS = 20.0
"""Seconds; long enough for ffmpeg to be found frozen and killed, and for several liveness probes."""
SOUND = RecordingConfig(video="none")


@pytest.fixture
def start() -> Iterator[Start]:
    with bots() as start_bot:
        yield start_bot


@contextmanager
def on_a_faulty_volume(
    start: Start, *, hangs: bool = False, **changes: object
) -> Iterator[tuple[RunningBot, FaultyVolume]]:
    """A bot on a volume that a test can make fail, or that ``hangs`` from the bot's start on."""
    with reachable_folder() as root:
        mount, backing = root / "mounted", root / "backing"
        for folder in (mount, backing):
            folder.mkdir()
            folder.chmod(0o777)
        with faulty_volume(mount, backing) as volume:
            if hangs:
                volume.hang()
            bot = start(recordings=mount, **changes)
            try:
                yield bot, volume
            finally:
                volume.answer()  # not even SIGKILL ends a process whose call is under way
                bot.clear()


async def livez_seconds(bot: RunningBot) -> float:
    """How long the kubelet's liveness probe takes."""
    began = time.monotonic()
    async with bot.http(None) as client, client.get("/livez") as response:
        assert response.status == 200
    return time.monotonic() - began


async def hangs_and_costs_a_gap_and_not_the_bot(start: Start) -> None:
    with on_a_faulty_volume(start, recording=SOUND) as (bot, volume):
        await bot.until(recording)
        with tone(bot):
            await asyncio.sleep(5)
            ffmpeg = await child(bot, "ffmpeg")
            volume.hang()
            hung = time.monotonic()
            probes = []
            while time.monotonic() - hung < HANGS:
                probes.append(await livez_seconds(bot))
                await asyncio.sleep(0.5)
            report = await bot.until(lambda report: report.storage_unresponsive)
            assert recording(report)
            hung_for = time.monotonic() - hung
            volume.answer()
            await child(bot, "ffmpeg", other_than=ffmpeg)
            await bot.until(lambda report: bool(report.recording.gaps) and not report.storage_unresponsive)
            await asyncio.sleep(3)
        print(f"the slowest of {len(probes)} liveness probes took {max(probes):.2f} s")
        # The kubelet acts on several in a row that are over its time-out; one may be the machine's.
        assert all(min(each) < 3 for each in itertools.pairwise(probes))
        await bot.leave()
        assert await bot.ended() == 0, bot.log
        books = Books(bot)
        [gap] = books.gaps
        assert gap.gap == "the volume does not answer"
        assert HANGS - 2 <= gap.end - gap.start <= hung_for + 5 * FROZEN_SECONDS
        assert bot.outcome.reason is Reason.LEAVE_REQUESTED
        assert bot.outcome.recording.verified
        assert books.has_event("volume_trouble")
        assert books.has_event("volume_back")


async def takes_no_writes_and_is_waited_for(start: Start) -> None:
    with on_a_faulty_volume(start, recording=SOUND) as (bot, volume):
        await bot.until(recording)
        with tone(bot):
            await asyncio.sleep(5)
            ffmpeg = await child(bot, "ffmpeg")
            volume.hang_writes()
            hung = time.monotonic()
            await bot.until(lambda report: report.storage_unresponsive)
            while time.monotonic() - hung < 2 * HANGS:
                assert (await bot.report()).storage_unresponsive
                await asyncio.sleep(0.5)
            volume.answer()
            await child(bot, "ffmpeg", other_than=ffmpeg)
            await bot.until(lambda report: bool(report.recording.gaps) and not report.storage_unresponsive)
            await asyncio.sleep(3)
        await bot.leave()
        assert await bot.ended() == 0, bot.log
        books = Books(bot)
        assert [event["run"] for event in books.events if event["event"] == "recorder_started"] == [1, 2]
        [gap] = books.gaps
        assert gap.end - gap.start >= 2 * HANGS - 2
        assert (bot.outcome.reason, bot.outcome.recording.verified) == (Reason.LEAVE_REQUESTED, True)


async def hangs_before_the_bot_starts_and_is_waited_for(start: Start) -> None:
    with on_a_faulty_volume(start, hangs=True, recording=SOUND) as (bot, volume):
        report = await bot.until(lambda report: report.storage_unresponsive)
        assert report.phase is ReportPhase.JOINING
        assert await livez_seconds(bot) < 3
        volume.answer()
        await bot.until(recording)
        with tone(bot):
            await asyncio.sleep(5)
        await bot.leave()
        assert await bot.ended() == 0, bot.log
        assert (bot.outcome.reason, bot.outcome.recording.verified) == (Reason.LEAVE_REQUESTED, True)
        assert not bot.outcome.storage_unresponsive
        assert Books(bot).has_event("volume_back")


async def hangs_while_the_bot_leaves_an_outcome_in_time(start: Start) -> None:
    with on_a_faulty_volume(start, grace_seconds=40, recording=SOUND) as (bot, volume):
        await bot.until(recording)
        await asyncio.sleep(3)
        volume.hang()
        bot.terminate()
        asked = time.monotonic()
        async with asyncio.timeout(40):
            while not bot.termination_message:  # noqa: ASYNC110  # a file; nobody says when it is written
                await asyncio.sleep(0.05)
        print(f"outcome after {time.monotonic() - asked:.1f} s of 40 s")
        assert bot.outcome.reason is Reason.EVICTED
        assert not bot.outcome.recording.verified


async def goes_away_and_ends_the_session_with_its_cause(start: Start) -> None:
    with on_a_faulty_volume(start, recording=SOUND) as (bot, volume):
        await bot.until(recording)
        await asyncio.sleep(3)
        volume.vanish()
        await bot.ended(seconds=120)
        assert bot.outcome.reason is Reason.RECORDING_FAILED
        assert "Transport endpoint is not connected" in str(bot.outcome.message)
        assert "Transport endpoint is not connected" in bot.log


async def test_a_volume_that_fails(start: Start) -> None:
    scenarios = (
        hangs_and_costs_a_gap_and_not_the_bot,
        takes_no_writes_and_is_waited_for,
        hangs_before_the_bot_starts_and_is_waited_for,
        hangs_while_the_bot_leaves_an_outcome_in_time,
        goes_away_and_ends_the_session_with_its_cause,
    )
    await all_of({scenario.__name__: scenario(start) for scenario in scenarios})
