"""What a transcript costs the recording where processors are short: two bots at once on this one machine.

The people, the meeting's server and the cluster run on it, too, so that two cores are too few for all of them.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from tests.local.bench.figures import Figure
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS
from tests.local.installation.attendance import UNTRANSCRIBED, Attendance, attending, unshown
from tests.local.media import picture
from tests.local.meetings.livekit import LocalMeeting

_SPOKEN = 60.0
"""Seconds of conversation."""
_BOTS = 2
_FRAME_RATE = 15


@dataclass(frozen=True, slots=True)
class _Recordings:
    """The worse one of the recordings that were made at the same time."""

    missing_frames: float
    speech_present: float
    slowest_line: float | None
    """Seconds from the end of what was said to its line, at most."""


def two_at_once(kubectl: Kubectl, meeting: LocalMeeting) -> list[Figure]:
    """Two recordings without a transcript, then two with one."""
    without = _recordings(kubectl, meeting, transcribed=False)
    transcribed = _recordings(kubectl, meeting, transcribed=True)
    rows = [
        Figure(
            "two bots with text: frames missing",
            f"{transcribed.missing_frames:.1%}",
            f"without text {without.missing_frames:.1%}",
            "no more than without",
        ),
        Figure(
            "two bots with text: speech present",
            f"{transcribed.speech_present:.1%}",
            f"without text {without.speech_present:.1%}",
            "no less than without",
        ),
    ]
    if transcribed.slowest_line is not None:
        rows.append(Figure("two bots with text: slowest line", f"{transcribed.slowest_line:.1f} s", "", ""))
    return rows


def _recordings(kubectl: Kubectl, meeting: LocalMeeting, *, transcribed: bool) -> _Recordings:
    stamp = time.monotonic_ns() // 1_000_000
    text = {"enabled": True} if transcribed else UNTRANSCRIBED
    delays: list[float] = []

    def note(line: dict[str, object]) -> None:
        said = datetime.fromisoformat(str(line["at"])).timestamp() + float(str(line["end"])) - float(str(line["start"]))
        if line["revision"] == 1:
            delays.append(time.time() - said)

    with ExitStack() as stack:
        bots: list[Attendance] = []
        for number in range(_BOTS):
            room = meeting.room(f"bench-starved-{stamp}-{number}")
            attended = attending(kubectl, room, show=unshown, transcription=text)
            bots.append(stack.enter_context(attended))
        for bot in bots:
            bot.recording()
            if transcribed:
                stack.enter_context(bot.transcript(note))
        bots[0].people.wait_until_spoken(_SPOKEN)
        for bot in bots:
            bot.completed()
    found = _Recordings(
        missing_frames=max(
            picture.watch(bot.folder / "recording.mp4", frame_rate=_FRAME_RATE).missing_frames for bot in bots
        ),
        speech_present=min(bot.heard().likeness.share for bot in bots),
        slowest_line=max(delays, default=None),
    )
    for bot in bots:
        kubectl("delete", "mbs", bot.name, f"--namespace={SESSIONS}")
    return found
