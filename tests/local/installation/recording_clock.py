"""Where in a recording something was that happened at a given time, by the recording's own manifest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from tests.local.media.sound import Utterance
from tests.local.meetings.livekit.people import Said

_SETTLING = 2.0  # seconds after a gap in which a jitter buffer still looks for its length


def recorded_utterances(manifest: Iterable[dict[str, Any]], said: Sequence[Said]) -> list[Utterance]:
    """What was spoken while the recorder wrote, by the recording's clock; what a gap touches is left out.

    Segments of one run of the recorder follow each other; between runs there is no media in the recording.
    """
    lines = list(manifest)
    segments = [line for line in lines if "segment" in line]
    gaps = [(line["start"], line["end"] + _SETTLING) for line in lines if "gap" in line]
    found, length = [], 0.0
    for run in dict.fromkeys(segment["run"] for segment in segments):
        written = [segment for segment in segments if segment["run"] == run]
        begin, end = written[0]["start"], written[-1]["end"]
        written_from = datetime.fromisoformat(written[0]["utc"])
        for one in said:
            start = begin + (one.wall - written_from).total_seconds()
            over = start + one.turn.clip.seconds
            if start >= begin and over <= end and not any(start < last and over > first for first, last in gaps):
                found.append(Utterance(one.turn.clip.path, length + start - begin, one.turn.person))
        length += end - begin
    return found
