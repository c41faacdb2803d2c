"""Segments are probed side by side: hours of meeting are hundreds of them, and each probe waits for the volume."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from meeting_buddy_bot.recording import finalizer
from meeting_buddy_bot.recording.finalizer import PROBES, RecordingFinalizer
from meeting_buddy_bot.recording.manifest import Segment
from meeting_buddy_bot.recording.plan import CapturePlan
from meeting_buddy_bot.recording.segments import Span
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.volume import Volume

COUNT = 3 * PROBES


async def test_segments_are_probed_side_by_side_and_listed_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = asyncio.Barrier(PROBES)
    running = most = 0

    async def probe(file: Path, latest: float) -> Span:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await full.wait()  # no probe ends before as many run as may run
        running -= 1
        assert latest == float("inf")
        number = int(file.stem)
        return Span(number * 10.0, number * 10.0 + 10, number * 10.0)

    monkeypatch.setattr(finalizer, "probe", probe)
    segments = [Segment(n, f"segments/{n:05d}.mkv", n * 10.0, n * 10.0 + 10, "", 1, "", 1) for n in range(COUNT)]
    plan = CapturePlan(":0", "unix:/nowhere", "monitor", (1280, 720), 15)
    finishing = RecordingFinalizer(Volume(tmp_path), plan, EventLog(tmp_path / "events.jsonl", SessionClock()))
    async with asyncio.timeout(60):
        concat_list = await finishing._concat_list(segments)
    assert most == PROBES
    files = [line for line in concat_list.splitlines() if line.startswith("file")]
    assert files == [f"file '{segment.file}'" for segment in segments]
    assert concat_list.count("duration 10.000000") == COUNT
