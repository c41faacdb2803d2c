"""What the death of each process of a bot costs its recording: one meeting in which one after the other is killed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final

from tests.local.bench.figures import Figure
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS, pod_processes
from tests.local.installation.attendance import ENDED, UNTRANSCRIBED, Attendance, attending
from tests.local.machine import progress
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.people import VOICES
from tests.support.awaiting import wait_until

_SPOKEN = 8.0
"""Seconds of conversation before each death."""
_BACK = 60.0
"""Seconds until the recording goes on, at most."""
_KILLED: Final = (
    ("ffmpeg", "recorder", "sound after ≤ 3 s"),
    ("chromium", "browser", "sound after ≤ 20 s"),
    ("pulseaudio", "sound server", ""),
    ("Xvfb", "display", ""),
)


def kills(kubectl: Kubectl, meeting: LocalMeeting) -> list[Figure]:
    """Kill (-9) recorder, browser, sound server and display one after the other, at last the bot itself."""
    room = meeting.room(f"bench-kills-{time.monotonic_ns() // 1_000_000}")
    quiet: dict[str, Any] = {"show": lambda _seconds, _line: None}
    with attending(kubectl, room, people=VOICES, transcription=UNTRANSCRIBED, **quiet) as attendance:
        attendance.recording()
        figures = []
        for command, name, goal in _KILLED:
            progress.tell(name)
            figures.append(_killed(kubectl, attendance, command, name, goal))
        progress.tell("bot")
        attendance.people.wait_until_spoken(_SPOKEN)
        died = time.time()
        pod_processes.kill(kubectl, SESSIONS, attendance.pod, "python")
        attendance.watch.wait_for(("Failed",), ENDED)
    manifest = attendance.manifest
    kept = max(line["end"] for line in manifest if "segment" in line)
    lost = f"{_on_session_clock(manifest, died) - kept:.1f} s of media lost"
    figures.append(Figure("kill -9: bot (finished by another pod)", lost, "", "≤ 2 s"))
    kubectl("delete", "mbs", room.name, f"--namespace={SESSIONS}")
    return figures


def _killed(kubectl: Kubectl, attendance: Attendance, command: str, name: str, goal: str) -> Figure:
    attendance.people.wait_until_spoken(_SPOKEN)
    known = len(_gaps(attendance.manifest))
    died = time.time()
    pod_processes.kill(kubectl, SESSIONS, attendance.pod, command)
    wait_until(lambda: len(_gaps(attendance.manifest)) > known, f"the {name} is back", _BACK)
    manifest = attendance.manifest
    gaps, at = _gaps(manifest)[known:], _on_session_clock(manifest, died)
    lost = max(0.0, at - min(each["start"] for each in gaps))
    back = max(each["end"] for each in gaps) - at
    told = "; ".join(each["gap"] for each in gaps)
    goals = ", ".join(filter(None, ("≤ 2 s lost", goal)))
    return Figure(f"kill -9: {name}", f"{lost:.1f} s of media lost, sound after {back:.1f} s", f"gap: {told}", goals)


def _gaps(manifest: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in manifest if "gap" in line]


def _on_session_clock(manifest: list[dict[str, Any]], wall: float) -> float:
    """Seconds on the session's clock, by when its first segment began on both clocks."""
    first = next(line for line in manifest if "segment" in line)
    return float(first["start"]) + wall - datetime.fromisoformat(first["utc"]).timestamp()
