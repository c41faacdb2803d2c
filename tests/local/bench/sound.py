"""Whether a recording of the local meeting sounds like what was spoken: words, and spoken time that is present."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.local.bench.figures import Figure
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation import SESSIONS, pod_processes
from tests.local.installation.attendance import attending, unshown
from tests.local.media import hearing, words
from tests.local.media.sound import Utterance, decode, perfect_track
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.paths import ADDRESS, HERE, HOST
from tests.local.meetings.reference_browser import reference_browser

_SPOKEN = 90.0
"""Seconds of conversation: each clip about once, some 130 words."""
_SETTLING = 2.0
"""Seconds in which a jitter buffer looks for its length."""
_DELAY = 0.15
"""Seconds from sending to hearing."""


def recorded_sound(kubectl: Kubectl, meeting: LocalMeeting) -> list[Figure]:
    """Record one meeting; baselines: the clips themselves, and what a plain browser hears of another meeting."""
    room = meeting.room(f"bench-sound-{time.monotonic_ns() // 1_000_000}")
    with attending(kubectl, room, show=unshown) as attendance:
        attendance.recording()
        before = pod_processes.cpu_seconds(kubectl, SESSIONS, attendance.pod)
        attendance.people.wait_until_spoken(_SPOKEN)
        after = pod_processes.cpu_seconds(kubectl, SESSIONS, attendance.pod)
        supervisor, *_ = pod_processes.pids(kubectl, SESSIONS, attendance.pod, "python")
        used = pod_processes.cost(supervisor)
        attendance.completed()
    heard = attendance.heard()
    spoken = [passage.utterance for passage in heard.likeness.passages]
    clips = words.compare(perfect_track(spoken), spoken)
    kubectl("delete", "mbs", room.name, f"--namespace={SESSIONS}")
    plain = _recorded_by_a_plain_browser(meeting)
    in_clips = f"in the clips {clips.error_rate:.1%}, plain browser {plain.words.error_rate:.1%}"
    return [
        Figure("words wrong in a recording", _share(heard), in_clips, "≤ 1 point over the clips"),
        Figure("spoken time present", f"{heard.likeness.share:.1%}", f"{plain.likeness.share:.1%}", "≥ 98 %"),
        Figure("waveforms correlate (not judged)", _correlation(heard), _correlation(plain), ""),
        Figure("whole bot, 720p with text, cores", *_cores(before, after), ""),
        Figure("bot's supervisor", f"{used.rss / 2**20:.0f} MiB, {used.cpu / used.age:.3f} core", "", ""),
    ]


def _recorded_by_a_plain_browser(meeting: LocalMeeting) -> hearing.Heard:
    room = meeting.room(f"bench-plain-{time.monotonic_ns() // 1_000_000}")
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording.mkv"
        with room.people() as people, reference_browser(HERE.authority, {HOST: ADDRESS}) as browser:
            with browser.recording(recording) as epoch:
                browser.join(room.link, "Plain browser")
                joined = time.time()
                people.wait_until_spoken(_SPOKEN)
            began, said = people.began.timestamp(), people.said()
        spoken = [
            Utterance(one.turn.clip.path, one.turn.start, one.turn.person)
            for one in said
            if one.wall.timestamp() > joined + _SETTLING
        ]
        return hearing.compare(decode(recording), spoken, lag=began - epoch + _DELAY)


def _cores(before: dict[str, float], after: dict[str, float]) -> tuple[str, str]:
    """All of them, and the largest shares."""
    used = {name: (seconds - before.get(name, 0.0)) / _SPOKEN for name, seconds in after.items()}
    largest = sorted(used, key=lambda name: used[name], reverse=True)[:4]
    return f"{sum(used.values()):.2f}", ", ".join(f"{name} {used[name]:.2f}" for name in largest)


def _share(heard: hearing.Heard) -> str:
    return f"{heard.words.error_rate:.1%} ({heard.words.wrong} of {heard.words.spoken})"


def _correlation(heard: hearing.Heard) -> str:
    return f"median {heard.correlation.median:.2f}"
