"""What recording costs: the same bot in the same kind of meeting, with and without a recorder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from tests.local.bench.figures import Figure
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS, pod_processes
from tests.local.installation.attendance import UNTRANSCRIBED, Attendance, attending, unshown
from tests.local.machine import progress
from tests.local.media import picture
from tests.local.meetings.livekit import LocalMeeting

_SETTLED = 5.0
"""Seconds after joining, in which the browser still works off its start."""
_SECONDS = 40.0

_UNRECORDED: Final = {"enabled": False}
_RECORDINGS: Final = (
    ("sound alone", {"video": "none"}, "≤ 0.08"),
    ("720p at 15/s", {"video": "720p", "frameRate": 15}, "≤ 0.20"),
    ("720p at 30/s", {"video": "720p", "frameRate": 30}, "≤ 0.33"),
)

_Finding = tuple[str, str, str]
"""What was looked at, what was measured, and the goal."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a bot takes, all of its processes."""

    cores: float
    memory: int
    """Bytes, what processes share counted once."""


def recording(kubectl: Kubectl, meeting: LocalMeeting) -> list[Figure]:
    """Four meetings one after the other: not recorded, recorded in three ways."""
    progress.tell("not recorded")
    unrecorded, _ = _attended(kubectl, meeting, _UNRECORDED)
    figures = []
    for name, spec, goal in _RECORDINGS:
        progress.tell(name)
        recorded, pictures = _attended(kubectl, meeting, spec)
        beside = f"{unrecorded.cores:.2f} unrecorded, {recorded.cores:.2f} in all"
        figures.append(Figure(f"recording {name}, cores", f"{recorded.cores - unrecorded.cores:+.2f}", beside, goal))
        more, mib = recorded.memory - unrecorded.memory, 2**20
        beside = f"{unrecorded.memory / mib:.0f} MiB unrecorded, {recorded.memory / mib:.0f} in all"
        figures.append(Figure(f"recording {name}, memory", f"{more / mib:+.0f} MiB", beside, "≤ 150 MB"))
        figures += [Figure(f"recording {name}, {what}", measured, "", goal) for what, measured, goal in pictures]
    return figures


def _attended(kubectl: Kubectl, meeting: LocalMeeting, spec: dict[str, Any]) -> tuple[_Cost, list[_Finding]]:
    """The cost of a bot in a meeting, and what its pictures say."""
    room = meeting.room(f"bench-recording-{time.monotonic_ns() // 1_000_000}")
    with attending(kubectl, room, show=unshown, recording=spec, transcription=UNTRANSCRIBED) as attendance:
        attendance.joined()
        attendance.people.wait_until_spoken(_SETTLED)
        pod = attendance.pod
        before, began = pod_processes.cpu_in_all(kubectl, SESSIONS, pod), time.monotonic()
        attendance.people.wait_until_spoken(_SECONDS)
        cores = (pod_processes.cpu_in_all(kubectl, SESSIONS, pod) - before) / (time.monotonic() - began)
        cost = _Cost(cores, pod_processes.memory(kubectl, SESSIONS, pod))
        attendance.completed()
    pictures = _pictures(attendance, spec["frameRate"]) if "frameRate" in spec else []
    kubectl("delete", "mbs", room.name, f"--namespace={SESSIONS}")
    return cost, pictures


def _pictures(attendance: Attendance, frame_rate: int) -> list[_Finding]:
    seen = picture.watch(attendance.folder / "recording.mp4", frame_rate=frame_rate)
    found = attendance.offset(seen)
    return [
        ("frames missing", f"{seen.missing_frames:.1%}", "≤ 1 %"),
        ("sound and picture", "not found" if found is None else str(found), "within 80 ms"),
    ]
