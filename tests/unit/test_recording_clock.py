"""Where utterances lie in a recording, by its manifest: earlier behind a gap without media, not behind silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.local.installation.recording_clock import recorded_utterances
from tests.local.meetings.livekit.people import Said
from tests.local.meetings.livekit.schedule import Clip, Turn

ZERO = datetime(2026, 11, 23, 10, tzinfo=UTC)


def segment(number: int, run: int, start: float, end: float) -> dict[str, Any]:
    utc = (ZERO + timedelta(seconds=start)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"segment": number, "run": run, "start": start, "end": end, "utc": utc}


def said(*seconds: float) -> list[Said]:
    """Turns of two seconds each, at these seconds of the session."""
    clip = Clip(Path("clip.wav"), 2.0)
    return [Said(Turn("Ada", clip, at), ZERO + timedelta(seconds=at)) for at in seconds]


def starts(manifest: list[dict[str, Any]], *seconds: float) -> list[float]:
    return [one.start for one in recorded_utterances(manifest, said(*seconds))]


def test_only_what_was_said_wholly_inside_counts() -> None:
    manifest = [segment(1, 1, 10.0, 40.0), segment(2, 1, 40.0, 50.0)]
    assert starts(manifest, 9.5, 10.0, 39.0, 48.0, 48.5) == pytest.approx([0.0, 29.0, 38.0])


def test_behind_a_gap_without_media_it_is_earlier() -> None:
    manifest = [
        segment(1, 1, 10.0, 30.0),
        {"gap": "the recorder was killed", "start": 30.0, "end": 33.0, "recorded": False},
        segment(2, 2, 33.0, 60.0),
    ]
    assert starts(manifest, 27.0, 29.0, 31.0, 34.0, 36.0) == pytest.approx([17.0, 23.0])


def test_behind_silence_it_is_where_it_was() -> None:
    manifest = [
        segment(1, 1, 10.0, 60.0),
        {"gap": "browser restarted", "start": 30.0, "end": 45.0, "recorded": True},
    ]
    assert starts(manifest, 27.0, 29.0, 44.0, 46.5, 48.0) == pytest.approx([17.0, 38.0])
