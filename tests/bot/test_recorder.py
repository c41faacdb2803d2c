"""The recorder against real devices: what is recorded, what survives a kill, what a watchdog does and does not do."""

import asyncio
import ctypes
import hashlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from meeting_buddy.contract.assignment import RecordingConfig
from meeting_buddy.contract.reasons import Reason
from tests.bot.recording_bot import (
    JFK,
    Books,
    Start,
    bots,
    child,
    kill,
    leave_and_end,
    moving_picture,
    recording,
    speaker,
    tone,
)
from tests.conformance.running_bot import RunningBot, reachable_folder
from tests.local.media import hearing
from tests.local.media.probe import frame_times, packet_times, probe
from tests.local.media.sound import Utterance, decode

_READY, _RUNNING = 4, 0
"""Of a context and of an operation, as libpulse counts their states."""


@pytest.fixture
def start() -> Iterator[Start]:
    with bots() as start_bot:
        yield start_bot


@pytest.mark.real_time
async def test_what_was_spoken_and_shown_is_in_one_verified_file(start: Start) -> None:
    bot = start("join; wait 1s; record", environment={"MEETING_BUDDY_SEGMENT_SECONDS": "10"})
    await bot.until(recording)
    with moving_picture(bot), speaker(bot):
        await asyncio.sleep(14)  # the speech is over, and so is the first segment
    report = await bot.report()
    assert report.media.flowing
    books = await leave_and_end(bot)

    assert [segment.complete for segment in books.segments] == [True, True]
    assert not books.gaps
    assert books.finished[-1].verified
    for segment in books.segments:
        data = (bot.recordings / segment.file).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (segment.bytes, segment.sha256)
    result = bot.recordings / "recording.mp4"
    assert hashlib.sha256(result.read_bytes()).hexdigest() == books.finished[-1].sha256
    media = probe(result)
    assert (media.of("video")[0].width, media.of("video")[0].height) == (1280, 720)
    assert media.seconds == pytest.approx(books.segments[-1].end - books.segments[0].start, abs=0.3)
    assert bot.outcome.recording.verified
    assert (bot.outcome.recording.audio_files, bot.outcome.recording.video_files) == (1, 1)

    heard = hearing.compare(decode(result), [Utterance(JFK, 0.0)])
    print(heard.table())
    heard.check()
    assert heard.likeness.passed, heard.table()

    times = frame_times(result)
    expected = (times[-1] - times[0]) * 15
    print(f"frames {len(times)} of {expected:.0f}; longest distance {max(np.diff(times)):.3f} s")
    assert len(times) >= 0.99 * expected


async def test_sound_alone_becomes_an_m4a(start: Start) -> None:
    bot = start(recording=RecordingConfig(video="none"))
    await bot.until(recording)
    with speaker(bot):
        await asyncio.sleep(3)
    books = await leave_and_end(bot)
    assert books.finished[-1].file == "recording.m4a"
    media = probe(bot.recordings / "recording.m4a")
    assert [stream.kind for stream in media.streams] == ["audio"]
    assert (bot.outcome.recording.audio_files, bot.outcome.recording.video_files) == (1, 0)


async def test_size_and_rate_are_parameters(start: Start) -> None:
    bot = start(recording=RecordingConfig(video="1080p", frame_rate=5))
    await bot.until(recording)
    await asyncio.sleep(4)
    await leave_and_end(bot)
    media = probe(bot.recordings / "recording.mp4")
    assert (media.of("video")[0].width, media.of("video")[0].height) == (1920, 1080)
    distance = float(np.median(np.diff(frame_times(bot.recordings / "recording.mp4"))))
    assert distance == pytest.approx(0.2, abs=0.02)


async def test_nothing_is_recorded_when_recording_is_off(start: Start) -> None:
    bot = start("join 1s; record 1s; end MeetingEnded", recording=RecordingConfig(enabled=False))
    assert await bot.ended() == 0
    assert not list(bot.recordings.rglob("*.m*4*"))
    assert bot.outcome.recording.segments == 0


@pytest.mark.real_time  # the limits count the start of a program
async def test_a_killed_ffmpeg_costs_two_seconds_at_most_and_is_back_within_three(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    with moving_picture(bot), tone(bot):
        await asyncio.sleep(5)
        pid = await child(bot, "ffmpeg")
        killed = time.monotonic()
        kill(pid)
        await child(bot, "ffmpeg", other_than=pid)
        await bot.until(lambda report: bool(report.recording.gaps))
        told = time.monotonic() - killed
        await asyncio.sleep(2)
    books = await leave_and_end(bot)
    [gap] = books.gaps
    # The clock of the kill: what recorder_ended says, within the milliseconds of a dead child's notice.
    death = float(str(books.event("recorder_ended")["t"]))
    print(
        f"written media lost {death - gap.start:.2f} s, resumed after {gap.end - death:.2f} s, told after {told:.2f} s"
    )
    assert death - gap.start <= 2
    assert gap.end - death <= 3
    assert gap.gap == "the recorder was killed"
    assert [segment.complete for segment in books.segments] == [False, True], bot.log
    assert [segment.run for segment in books.segments] == [1, 2]
    assert bot.outcome.recording.verified
    assert bot.outcome.recording.gaps[0].cause == gap.gap


async def test_a_killed_device_comes_back_and_the_recording_goes_on(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    devices = {"Xvfb": "Xvfb", "pulseaudio": "PulseAudio"}
    told: list[float] = []
    for number, (name, device) in enumerate(devices.items(), 1):
        with tone(bot):
            await asyncio.sleep(4)
        pid = await child(bot, name)
        killed = time.monotonic()
        kill(pid)
        await child(bot, name, other_than=pid)
        await bot.until(lambda report, wanted=number: len(report.recording.gaps) == wanted)  # type: ignore[misc]
        told.append(time.monotonic() - killed)
        print(f"{device}: recording again, and said so, after {told[-1]:.2f} s")
    with tone(bot):
        await asyncio.sleep(4)
    books = await leave_and_end(bot)
    assert [each["device"] for each in books.events if each["event"] == "device_restarted"] == [*devices.values()]
    assert [gap.gap for gap in books.gaps] == [f"{device} ended" for device in devices.values()]
    # What is lost is what was not yet written at the kill, and the time until it records again, however long that took.
    assert all(gap.end - gap.start < seconds + 4 for gap, seconds in zip(books.gaps, told, strict=True))
    assert bot.outcome.recording.verified
    assert len(books.segments) == 3
    for segment in books.segments[1:]:
        assert float(np.abs(decode(bot.recordings / segment.file)).max()) > 0.01  # the tone was heard again


def end_recorders_stream(bot: RunningBot) -> None:
    """End the stream by which ffmpeg hears the meeting, as any client of the sound device may; no program can do it."""
    listed = subprocess.run(
        ["pactl", "--server", bot.pulse_server, "--format=json", "list", "source-outputs"],
        check=True,
        capture_output=True,
    )
    [index] = [each["index"] for each in json.loads(listed.stdout) if each["properties"]["media.name"] == "recorder"]
    pulse = ctypes.CDLL("libpulse.so.0")
    for name in ("mainloop_new", "mainloop_get_api", "context_new", "context_kill_source_output"):
        getattr(pulse, f"pa_{name}").restype = ctypes.c_void_p
    loop = ctypes.c_void_p(pulse.pa_mainloop_new())
    context = ctypes.c_void_p(pulse.pa_context_new(ctypes.c_void_p(pulse.pa_mainloop_get_api(loop)), b"test"))
    pulse.pa_context_connect(context, bot.pulse_server.encode(), 0, None)
    while pulse.pa_context_get_state(context) != _READY:
        pulse.pa_mainloop_iterate(loop, 1, None)
    asked = ctypes.c_void_p(pulse.pa_context_kill_source_output(context, index, None, None))
    while pulse.pa_operation_get_state(asked) == _RUNNING:
        pulse.pa_mainloop_iterate(loop, 1, None)
    pulse.pa_context_disconnect(context)


@pytest.mark.real_time  # how much later the picture is opened than the sound counts the start of a program
async def test_sound_that_ffmpeg_loses_alone_costs_a_run(start: Start) -> None:
    """As when the sound device ends the recorder's stream and lives on: the picture would go on without sound."""
    bot = start(environment={"MEETING_BUDDY_SEGMENT_SECONDS": "4"})
    await bot.until(recording)
    with tone(bot):
        await asyncio.sleep(5)
        pid = await child(bot, "ffmpeg")
        end_recorders_stream(bot)
        await child(bot, "ffmpeg", other_than=pid)
        await bot.until(lambda report: bool(report.recording.gaps))
        await asyncio.sleep(4)
    books = await leave_and_end(bot)
    [gap] = books.gaps
    assert gap.gap == "the recorder's sound or picture ended"
    assert {segment.run for segment in books.segments} == {1, 2}
    for number in (1, 2):
        files = [bot.recordings / segment.file for segment in books.segments if segment.run == number]
        sound, picture = (max(at for file in files for at in packet_times(file, kind)) for kind in ("a:0", "v:0"))
        print(f"run {number}: sound until {sound:.2f} s, picture until {picture:.2f} s")
        assert picture - sound < 5  # by how much later the picture was opened, on a slow machine
    assert bot.outcome.recording.verified


async def test_a_frozen_ffmpeg_is_killed_and_replaced(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    await asyncio.sleep(2)
    pid = await child(bot, "ffmpeg")
    kill(pid, signal.SIGSTOP)
    await child(bot, "ffmpeg", other_than=pid)
    await bot.until(lambda report: bool(report.recording.gaps))
    books = await leave_and_end(bot)
    assert [gap.gap for gap in books.gaps] == ["the recorder froze"]
    assert bot.outcome.recording.verified


async def test_a_frozen_device_is_killed_and_replaced(start: Start) -> None:
    bot = start()
    await bot.until(recording)
    events = {"Xvfb": "device_hangs", "pulseaudio": "sound_stalled"}
    for name in events:
        await asyncio.sleep(2)
        pid = await child(bot, name)
        gaps = len((await bot.report()).recording.gaps)
        kill(pid, signal.SIGSTOP)
        await child(bot, name, other_than=pid)
        await bot.until(lambda report, before=gaps: len(report.recording.gaps) > before)  # type: ignore[misc]
    books = await leave_and_end(bot)
    assert all(books.has_event(event) for event in events.values())
    assert bot.outcome.recording.verified


async def test_a_still_and_silent_meeting_wakes_no_watchdog_and_is_recorded_from_admission_on(start: Start) -> None:
    bot = start("lobby 2s; join 1s; record 15s; end MeetingEnded")
    await bot.ended()
    books = Books(bot)
    names = {str(event["event"]) for event in books.events}
    assert not names & {"recorder_ended", "device_ended", "device_hangs", "sound_stalled", "gap", "memory_pressure"}
    assert "recording_silent" in names
    assert bot.outcome.recording.verified
    joined = bot.outcome.joined_at
    assert joined is not None
    assert books.segments[0].utc >= joined.isoformat(timespec="milliseconds")[:23]


@contextmanager
def on_a_small_volume(start: Start) -> Iterator[RunningBot]:
    """A bot whose volume has 24 MB."""
    with reachable_folder() as volume:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", str(volume)], check=True)
        try:
            bot = start(recordings=volume)
            try:
                yield bot
            finally:
                bot.clear()
        finally:
            subprocess.run(["umount", str(volume)], check=True)


async def test_a_full_volume_ends_it_with_what_is_there(start: Start) -> None:
    with on_a_small_volume(start) as bot:
        await bot.until(recording)
        await asyncio.sleep(3)
        (bot.recordings / "somebody-else").write_bytes(bytes(9 * 1024 * 1024))
        await bot.ended()
        assert bot.outcome.reason is Reason.STORAGE_FULL
        assert bot.outcome.storage_pressure
        assert bot.outcome.recording.segments == 1
        assert Books(bot).segments[0].complete
