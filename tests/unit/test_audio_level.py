"""The level meter: it ends no recording by itself, and what it did not hear is no silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from meeting_buddy.contract.report import Reception
from meeting_buddy_bot.recording import audio_level
from meeting_buddy_bot.recording.audio_level import AudioLevelMonitor
from meeting_buddy_bot.recording.audio_source import FRAME_BYTES, PcmFrame, PulseAudioSource
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog

LOUD = b"\xff\x3f" * (FRAME_BYTES // 2)

STALL, END = "stall", "end"
Reader = tuple[float | str, ...]
"""What one reader does: seconds pass and a frame comes, it stalls, it ends."""


class Meter:
    """A level meter on readers that do as they are told, the last one again and again, until ``readers`` were opened.

    Time passes only in pauses and before frames; a stall is the time limit's own doing.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *readers: Reader) -> None:
        self.seconds = 100.0
        self.pauses: list[float] = []
        self.events: list[dict[str, Any]] = []
        self.opened = 0
        self.stalled_after: list[int] = []
        self.flowing: list[bool] = []
        self.read: list[float] = []
        self.last_line = "Stream error: No such entity"
        self._readers = readers
        monkeypatch.setattr(asyncio, "sleep", self._pause)

    async def listen(self, opened: int) -> None:
        """Listen until as many readers were opened."""
        clock, events = cast(SessionClock, cast(Any, self)), cast(EventLog, cast(Any, self))
        self._last = opened
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(60):
                await AudioLevelMonitor(self, clock, self, events).listen(self._answering, self._stalled)

    def names(self) -> list[str]:
        return [str(event["event"]) for event in self.events]

    async def frames(self) -> AsyncGenerator[PcmFrame, None]:
        self.opened += 1
        for step in self._readers[min(self.opened, len(self._readers)) - 1]:
            if step == STALL:
                await asyncio.Event().wait()
            elif step != END:
                self.seconds += float(step)
                yield PcmFrame(self.seconds, LOUD)

    def now(self) -> float:
        return self.seconds

    def write(self, event: str, **facts: Any) -> None:
        self.events.append({"event": event, **facts})

    def sound_read(self, at: float) -> None:
        self.read.append(at)

    def sound_heard(self, at: float) -> None: ...

    def sound_flows(self, *, flowing: bool) -> None:
        if self.flowing[-1:] != [flowing]:
            self.flowing.append(flowing)

    async def _answering(self) -> None:
        if self.opened == self._last:
            raise asyncio.CancelledError

    async def _stalled(self) -> None:
        self.stalled_after.append(self.opened)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_level, "STALLED_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(audio_level, "OPENING_SECONDS", 0.05)


async def test_a_reader_may_take_longer_to_open_than_between_two_frames(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(audio_level, "STALLED_AFTER_SECONDS", 0.5)
    parec(monkeypatch, tmp_path, "sleep 1; head -c 3200 /dev/zero; exec sleep 60")
    clock = SessionClock()
    events = EventLog(tmp_path / "events.jsonl", clock)
    state = ReportState("mbsess_test", 1, clock)
    reporter = SessionReporter(state, events)
    came: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(reporter, "sound_read", lambda at: came.put_nowait("a frame"))

    async def answering() -> None: ...

    async def stalled() -> None:
        came.put_nowait("a stall")

    meter = AudioLevelMonitor(PulseAudioSource("unix:/x", "m", clock), clock, reporter, events)
    listening = asyncio.create_task(meter.listen(answering, stalled))
    async with asyncio.timeout(60):
        assert await came.get() == "a frame"
    listening.cancel()
    await asyncio.wait({listening})
    await events.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", [(STALL,), (0.1, 0.1, STALL)])
async def test_the_sound_server_hangs_only_when_a_second_reader_stalls_too(
    monkeypatch: pytest.MonkeyPatch, first: Reader
) -> None:
    meter = Meter(monkeypatch, first, (STALL,))
    await meter.listen(opened=2)
    assert meter.stalled_after == [2]
    assert meter.names() == ["sound_reader_failed", "sound_stalled"]
    assert meter.events[0]["cause"] == "no sound came"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("between", [(0.1, END), (END,), ((1.0,) * 8 + (STALL,))])
async def test_a_sound_server_that_gives_sound_or_answers_in_between_does_not_hang(
    monkeypatch: pytest.MonkeyPatch, between: Reader
) -> None:
    meter = Meter(monkeypatch, (STALL,), between, (0.1, END))
    await meter.listen(opened=3)
    assert not meter.stalled_after
    assert "sound_stalled" not in meter.names()
    assert meter.names()[0] == "sound_reader_failed"


@pytest.mark.usefixtures("impatient")
async def test_a_sound_server_that_gives_each_reader_one_frame_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(monkeypatch, (0.1, STALL))
    await meter.listen(opened=2)
    assert meter.stalled_after == [2]


@pytest.mark.parametrize(
    ("first", "again"),
    [((0.1, STALL), 0.1), ((STALL,), 10.0), ((0.1, END), 10.0)],
    ids=["after frames", "never", "end"],
)
async def test_only_a_server_that_was_never_heard_is_given_long_to_open_again(
    monkeypatch: pytest.MonkeyPatch, first: Reader, again: float
) -> None:
    limits: list[float] = []
    wait = asyncio.timeout
    monkeypatch.setattr(audio_level, "STALLED_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(audio_level, "OPENING_SECONDS", 10.0)
    meter = Meter(monkeypatch, first, (0.1, END))

    def timeout(seconds: float) -> asyncio.Timeout:
        if seconds in (60, audio_level._AWAY_SECONDS):
            return wait(seconds)
        limits.append(seconds)
        return wait(min(seconds, 0.1))

    monkeypatch.setattr(asyncio, "timeout", timeout)
    await meter.listen(opened=2)
    assert limits[0] == 10.0
    assert limits[-2:] == [again, 0.05]
    assert limits.count(10.0) == (1 if again < 10 else 2)


@pytest.mark.usefixtures("impatient")
async def test_a_new_sound_server_is_given_two_readers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(monkeypatch, (STALL,))
    await meter.listen(opened=5)
    assert meter.stalled_after == [2, 4]


async def test_readers_that_end_again_and_again_are_told_once_and_opened_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = Meter(monkeypatch, (0.1, END), (END,))
    await meter.listen(opened=100)
    assert meter.events == [
        {"event": "sound_reader_failed", "cause": "it ended", "stderr": "Stream error: No such entity"}
    ]
    assert meter.pauses[:3] == [0.2, 0.4, 0.8]
    assert set(meter.pauses[10:]) == {5.0}
    assert meter.flowing == [True, False]
    assert meter.read == [100.1]  # only frames count as listening


async def test_a_short_outage_does_not_make_sound_stop_flowing(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(monkeypatch, (0.1, END), (0.1, END))
    await meter.listen(opened=2)
    assert meter.flowing == [True]


async def test_sound_does_not_flow_while_the_sound_server_is_away_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_level, "_AWAY_SECONDS", 0.05)
    meter = Meter(monkeypatch, (0.1, END))
    asked: list[bool] = []

    async def answering() -> None:
        asked.append(bool(meter.opened))
        if asked.count(True) == 2:  # the first time took too long
            raise asyncio.CancelledError
        if meter.opened:
            await asyncio.Event().wait()

    monkeypatch.setattr(meter, "_answering", answering)
    await meter.listen(opened=2)
    assert meter.opened == 1
    assert meter.flowing == [True, False]


async def test_a_reader_that_gives_a_frame_and_ends_again_is_the_same_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(monkeypatch, (0.1, END))
    await meter.listen(opened=20)
    assert meter.names() == ["sound_reader_failed"]
    assert meter.pauses[-1] == 5.0


async def test_an_outage_is_over_once_a_reader_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(monkeypatch, (END,), (END,), (*(1.0,) * 8, END), (END,))
    await meter.listen(opened=4)
    assert meter.names() == ["sound_reader_failed", "sound_reader_recovered", "sound_reader_failed"]
    assert meter.pauses == [0.2, 0.4, 0.2, 0.4]


async def test_a_reader_that_cannot_be_started_is_an_outage_too(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(monkeypatch, (0.1, END))
    monkeypatch.setattr(meter, "frames", refused(meter))
    await meter.listen(opened=20)
    assert meter.names() == ["sound_reader_failed"]
    assert meter.events[0]["cause"] == "it failed: Cannot allocate memory"


def refused(meter: Meter) -> Callable[[], AsyncGenerator[PcmFrame, None]]:
    async def frames() -> AsyncGenerator[PcmFrame, None]:
        meter.opened += 1
        raise OSError(12, "Cannot allocate memory")
        yield

    return frames


def parec(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Put a program of that name before all others."""
    program = folder / "bin" / "parec"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


async def test_the_last_line_of_a_reader_that_ends_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parec(monkeypatch, tmp_path, "echo 'Opening' >&2; echo 'Stream error: No such entity' >&2; exit 1")
    source = PulseAudioSource("unix:/x", "m", SessionClock())
    assert [frame async for frame in source.frames()] == []
    assert source.last_line == "Stream error: No such entity"


async def test_that_sound_arrived_is_not_known_while_nobody_listens(tmp_path: Path) -> None:
    clock = SessionClock()
    state = ReportState("mbsess_test", 1, clock)
    reporter = SessionReporter(state, EventLog(tmp_path / "events.jsonl", clock))
    heard, unknown = Reception(received=True, reason="Heard"), Reception(received=None, reason="NotListening")
    for audio, listening, reported in (
        (heard, True, True),
        (unknown, True, True),
        (unknown, False, None),
        (heard, True, True),
    ):
        reporter.received(audio, Reception(), listening=listening)
        assert state.report.media.audio.received is reported
