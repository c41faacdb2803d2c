"""What the death of each process of a bot costs its recording: one meeting in which one after the other is killed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final, NamedTuple

from tests.local.bench.figures import Figure
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS, pod_processes
from tests.local.installation.attendance import ENDED, UNTRANSCRIBED, Attendance, attending, unshown
from tests.local.machine import progress
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.people import VOICES
from tests.support.awaiting import wait_until

_SPOKEN = 8.0
"""Seconds of conversation before each death."""
_BACK = 60.0
"""Seconds until the recording goes on, at most."""


class _Death(NamedTuple):
    """What is killed."""

    command: str
    name: str
    rejoins: bool
    """Whether people are heard again only once another browser is in the meeting."""
    goal: str


_DEATHS: Final = (
    _Death("ffmpeg", "recorder", False, "≤ 2 s lost, sound after ≤ 3 s"),
    _Death("chromium", "browser", True, "≤ 2 s lost, sound after ≤ 20 s"),
    _Death("pulseaudio", "sound server", True, "≤ 2 s lost"),
    _Death("Xvfb", "display", True, "≤ 2 s lost"),
)


def kills(kubectl: Kubectl, meeting: LocalMeeting) -> list[Figure]:
    """Kill (-9) recorder, browser, sound server and display one after the other, at last the bot itself."""
    room = meeting.room(f"bench-kills-{time.monotonic_ns() // 1_000_000}")
    with attending(kubectl, room, people=VOICES, transcription=UNTRANSCRIBED, show=unshown) as attendance:
        attendance.recording()
        figures = []
        for death in _DEATHS:
            progress.tell(death.name)
            figures.append(_killed(kubectl, attendance, death))
        progress.tell("bot")
        attendance.people.wait_until_spoken(_SPOKEN)
        pod_processes.kill(kubectl, SESSIONS, attendance.pod, "python")
        died = time.time()
        attendance.watch.wait_for(("Failed",), ENDED)
    manifest = attendance.manifest
    kept = max(line["end"] for line in manifest if "segment" in line)
    lost = f"{_on_session_clock(manifest, died) - kept:.1f} s of media lost"
    figures.append(Figure("kill -9: bot (finished by another pod)", lost, "", "≤ 2 s"))
    kubectl("delete", "mbs", room.name, f"--namespace={SESSIONS}")
    return figures


def _killed(kubectl: Kubectl, attendance: Attendance, death: _Death) -> Figure:
    attendance.people.wait_until_spoken(_SPOKEN)
    known = len(_gaps(attendance.manifest))
    pod_processes.kill(kubectl, SESSIONS, attendance.pod, death.command)
    died = time.time()

    def is_back() -> bool:
        return any(each["recorded"] == death.rejoins for each in _gaps(attendance.manifest)[known:])

    wait_until(is_back, f"the {death.name} is back", _BACK)
    manifest = attendance.manifest
    gaps, at = _gaps(manifest)[known:], _on_session_clock(manifest, died)
    lost = max([0.0, *(at - each["start"] for each in gaps if not each["recorded"])])
    back = max(each["end"] for each in gaps) - at
    told = "; ".join(each["gap"] for each in gaps)
    return Figure(
        f"kill -9: {death.name}", f"{lost:.1f} s of media lost, sound after {back:.1f} s", f"gap: {told}", death.goal
    )


def _gaps(manifest: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in manifest if "gap" in line]


def _on_session_clock(manifest: list[dict[str, Any]], wall: float) -> float:
    """Seconds on the session's clock, by when its first segment began on both clocks."""
    first = next(line for line in manifest if "segment" in line)
    return float(first["start"]) + wall - datetime.fromisoformat(first["utc"]).timestamp()
