"""Whether a recording of the local meeting sounds like what was spoken: words, and spoken time that is present."""

from __future__ import annotations

import time

from tests.local.bench.figures import Figure
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS, pod_processes
from tests.local.installation.attendance import attending
from tests.local.media import hearing, words
from tests.local.media.sound import perfect_track
from tests.local.meetings.livekit import LocalMeeting

_SPOKEN = 90.0
"""Seconds of conversation: each clip about once, some 130 words."""


def recorded_sound(kubectl: Kubectl, meeting: LocalMeeting) -> list[Figure]:
    """Record one meeting; the baseline is what the same recogniser understands of the clips themselves."""
    room = meeting.room(f"bench-sound-{time.monotonic_ns() // 1_000_000}")
    with attending(kubectl, room, show=lambda _seconds, _line: None) as attendance:
        attendance.recording()
        attendance.people.wait_until_spoken(_SPOKEN)
        [supervisor] = pod_processes.pids(kubectl, SESSIONS, attendance.pod, "python")
        used = pod_processes.cost(supervisor)
        attendance.completed()
    heard = attendance.heard()
    spoken = [passage.utterance for passage in heard.likeness.passages]
    clips = words.compare(perfect_track(spoken), spoken)
    kubectl("delete", "mbs", room.name, f"--namespace={SESSIONS}")
    return [
        Figure("words wrong in a recording", _share(heard), f"in the clips: {clips.error_rate:.1%}", "≤ 1 point over"),
        Figure("spoken time present", f"{heard.likeness.share:.1%}", "", "≥ 98 %"),
        Figure("waveforms correlate (not judged)", _correlation(heard), "", ""),
        Figure("bot's supervisor", f"{used.rss / 2**20:.0f} MiB, {used.cpu / used.age:.3f} core", "", ""),
    ]


def _share(heard: hearing.Heard) -> str:
    return f"{heard.words.error_rate:.1%} ({heard.words.wrong} of {heard.words.spoken})"


def _correlation(heard: hearing.Heard) -> str:
    return f"median {heard.correlation.median:.2f}"
