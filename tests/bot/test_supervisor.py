"""The supervisor: whatever happens to its components, the outcome is reported in time and the files are complete."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy_bot.recording.segments import probe as probe_segment
from tests.bot.recording_bot import Books, Start, bots, child, kill, leave_and_end, recording
from tests.conformance.running_bot import reachable_folder


@pytest.fixture
def start() -> Iterator[Start]:
    with bots() as start_bot:
        yield start_bot


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


async def test_it_runs_as_the_pods_user_with_one_process_of_each_kind(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    await child(bot, "parec")
    children = bot.children()
    assert set(children) == {"Xvfb", "pulseaudio", "ffmpeg", "parec"}
    assert {owner(pid) for pid in (bot.process.pid, *children.values())} == {10001}


async def test_a_link_that_may_not_be_opened_begins_no_session(start: Start) -> None:
    bot = start(link="https://elsewhere.unrelated.test/rooms/weekly")
    assert await bot.ended() == 0
    assert bot.outcome.reason is Reason.HOST_NOT_ALLOWED
    assert not (bot.recordings / "events.jsonl").exists(), "nothing was started: no device, no browser, no page"


async def test_a_session_that_fails_is_a_crash_with_a_finished_recording(start: Start) -> None:
    bot = start("join; record 3s; raise something with https://meet.buddy.test/rooms/x in it")
    assert await bot.ended() == 0
    assert bot.outcome.reason is Reason.BOT_CRASHED
    assert bot.outcome.message == "the bot's session failed: RuntimeError"
    assert bot.outcome.recording.verified


async def test_a_session_that_does_not_leave_is_cut_inside_the_grace_period(start: Start) -> None:
    bot = start("join; record 2s; hang", grace_seconds=30)
    await bot.until(recording)
    await asyncio.sleep(3)
    bot.terminate()
    asked = time.monotonic()
    assert await bot.ended() == 0
    print(f"told {time.monotonic() - asked:.1f} s after SIGTERM, of 30 s")
    assert time.monotonic() - asked < 30
    assert bot.outcome.reason is Reason.EVICTED
    assert bot.outcome.recording.verified


async def test_sigterm_is_answered_without_cutting_a_session_that_leaves(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    await asyncio.sleep(2)
    bot.terminate()
    asked = time.monotonic()
    assert await bot.ended() == 0
    print(f"told {time.monotonic() - asked:.1f} s after SIGTERM")
    assert time.monotonic() - asked < 30, "the grace period"
    assert not Books(bot).has_event("session_overran")
    assert not Books(bot).has_event("finishing_overran")
    assert bot.outcome.recording.verified


async def test_the_sessions_deadline_ends_it(start: Start) -> None:
    bot = start(active_deadline_seconds=20)  # by then it records, on whatever machine
    assert await bot.ended() == 0
    assert bot.outcome.reason is Reason.MAX_DURATION_REACHED
    assert bot.outcome.recording.verified


async def test_its_own_death_leaves_readable_segments_and_no_word(start: Start) -> None:
    bot = start("join; record")
    await bot.until(recording)
    await asyncio.sleep(8)
    kill(bot.process.pid)
    assert await bot.ended() == -signal.SIGKILL
    bot.clear()
    assert bot.termination_message == ""
    [segment] = (bot.recordings / "segments").iterdir()
    span = await probe_segment(segment)
    assert span is not None
    assert span.end - span.start > 2


async def test_a_volume_that_cannot_be_written_is_named(start: Start) -> None:
    with reachable_folder() as folder:  # root's, which others may read
        bot = start("lobby 1s; join; record", recordings=folder)
        assert await bot.ended() == 0
        assert (bot.outcome.phase, bot.outcome.reason) == (ReportPhase.ENDED, Reason.CONFIG_INVALID)
        assert bot.outcome.message == "the recordings volume cannot be written"


async def test_a_device_that_dies_again_and_again_ends_it(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    result = asyncio.create_task(bot.ended())
    killed: set[int] = set()
    while not result.done():
        pid = bot.children().get("Xvfb")
        if pid is not None and pid not in killed:
            killed.add(pid)
            with contextlib.suppress(ProcessLookupError):  # the bot ends the last one itself
                kill(pid)
        await asyncio.wait({result}, timeout=0.05)
    assert await result == 0
    assert len(killed) > 2
    assert bot.outcome.reason is Reason.RECORDING_FAILED
    assert str(bot.outcome.message).startswith("component display failed: Xvfb ")


async def test_the_page_hears_silence_from_its_microphone(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    environment = {**os.environ, "PULSE_SERVER": bot.pulse_server}
    process = await asyncio.create_subprocess_exec(
        "pactl", "get-default-source", env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.decode().strip() == "silence"
    books = await leave_and_end(bot)
    assert books.finished[-1].verified
    assert isinstance(books, Books)
