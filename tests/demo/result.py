"""Shows what a session left on the volume and judges whether it holds what was said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tests.clone import REPOSITORY
from tests.cluster.kubectl import Kubectl
from tests.installation.values import CLAIM
from tests.media import picture, sound
from tests.media.probe import probe, still
from tests.media.sound import SoundReport, Utterance
from tests.meetings.livekit.people import Said

STILL = REPOSITORY / ".demo" / "still.png"


def folder(kubectl: Kubectl, namespace: str, name: str) -> Path:
    """The session's folder on this machine: the local cluster's volumes are folders of the node."""
    session = kubectl.json("get", "meetingsession", name, f"--namespace={namespace}")
    claim = kubectl.json("get", "persistentvolumeclaim", CLAIM, f"--namespace={namespace}")
    volume = kubectl.json("get", "persistentvolume", claim["spec"]["volumeName"])
    return Path(volume["spec"]["local"]["path"]) / str(session["status"]["outputDirectory"])


def heard(recording: Path, said: Sequence[Said], *, by_clock: bool = True) -> SoundReport:
    """Compare a recording with what was spoken, window by window; turns outside the recording do not count.

    The manifest says when the recording began. ``by_clock=False`` aligns by the sound alone, for a recording with gaps.
    """
    spoken = [Utterance(one.turn.clip.path, one.turn.start, one.turn.person) for one in said]
    lag = None
    if by_clock and said:
        manifest = map(json.loads, (recording.parent / "manifest.jsonl").read_text().splitlines())
        first = next(line for line in manifest if "segment" in line)
        zero = said[0].wall - timedelta(seconds=said[0].turn.start)
        lag = (zero - datetime.fromisoformat(first["utc"])).total_seconds()
    return sound.compare(sound.decode(recording), spoken, lag=lag)


def show(kubectl: Kubectl, namespace: str, name: str, said: Sequence[Said]) -> bool:
    """Print files, durations, a still and the comparison; true when the recording holds what was said."""
    place = folder(kubectl, namespace, name)
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        print(f"  {path.stat().st_size:>12,}  {path}")
    recording = place / "recording.mp4"
    media = probe(recording)
    print(f"\n  {recording.name}: {media.seconds:.1f} s, {', '.join(map(str, (one.codec for one in media.streams)))}")
    report = heard(recording, said)
    print(f"  sound:   {report}")
    print(f"  picture: {picture.watch(recording, frame_rate=15)}")
    STILL.parent.mkdir(exist_ok=True)
    print(f"  still:   {still(recording, media.seconds / 2, STILL)}")
    return report.passed
