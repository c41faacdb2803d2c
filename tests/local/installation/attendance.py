"""A MeetingSession in a room where people talk: applied, followed as a user would, and what it left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.local.cluster.kubectl import Kubectl
from tests.local.installation.install import SESSIONS
from tests.local.installation.recording_clock import recorded_utterances
from tests.local.installation.session_watch import SessionWatch, followed
from tests.local.installation.transcript import Line, TranscriptWatch, Understood, followed_transcript, understood
from tests.local.installation.values import CLAIM
from tests.local.media import hearing, sync
from tests.local.media.hearing import Heard
from tests.local.media.picture import PictureReport
from tests.local.media.sound import Samples, Utterance, decode
from tests.local.media.sync import Offset
from tests.local.meetings.livekit.people import EVERYBODY, People, Person
from tests.local.meetings.livekit.room import Room
from tests.local.meetings.livekit.schedule import FRAME_RATE

JOINED = 120.0
"""Seconds from apply to Recording at most: on a loaded machine, the image's first pull included."""
ENDED = 90.0
"""Seconds from the last person's leaving to the end, at most."""
_SETTLING = timedelta(seconds=2)
"""In which a jitter buffer looks for its length."""
UNTRANSCRIBED = {"enabled": False}
"""``spec.transcription`` where nobody looks at the text: it takes half a processor while people speak."""


def session(room: Room, namespace: str = SESSIONS, **spec: Any) -> dict[str, Any]:
    """A MeetingSession of the room's name that ends soon after everybody has left."""
    return {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "metadata": {"name": room.name, "namespace": namespace},
        "spec": {
            "meetingLink": room.link,
            "platform": "LiveKit",
            "limits": {"everyoneLeftSeconds": 5},
            "backoffLimit": 0,
            **spec,
        },
    }


@dataclass(frozen=True)
class Attendance:
    """One session, while it goes on and afterwards."""

    kubectl: Kubectl
    name: str
    people: People
    watch: SessionWatch
    applied_at: float
    """On the machine's monotonic clock."""

    def recording(self) -> float:
        """Wait until media is written; the seconds since it was applied."""
        self.watch.wait_for(("Recording",), JOINED)
        return time.monotonic() - self.applied_at

    def joined(self) -> float:
        """Wait until the bot is in the meeting; the seconds since the session was applied."""
        self.watch.wait_for(("Active", "Recording"), JOINED)
        return time.monotonic() - self.applied_at

    def completed(self) -> None:
        """Everybody leaves; wait until the session is Completed."""
        self.people.stop()
        self.watch.wait_for(("Completed",), ENDED)

    @property
    def object(self) -> dict[str, Any]:
        """The MeetingSession as it is now."""
        found: dict[str, Any] = self.kubectl.api.get("meetingsessions", self.name)
        return found

    @property
    def pod(self) -> str:
        """Name of its pod."""
        return str(self.status["botPod"])

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        return dict(self.object["status"])

    def condition(self, kind: str) -> dict[str, Any]:
        """One condition of its status."""
        return next(dict(each) for each in self.status["conditions"] if each["type"] == kind)

    @property
    def folder(self) -> Path:
        """Its folder on this machine: the local cluster's volumes are folders of the node."""
        claim = self.kubectl.json("get", "persistentvolumeclaim", CLAIM)
        volume = self.kubectl.json("get", "persistentvolume", claim["spec"]["volumeName"])
        return Path(volume["spec"]["local"]["path"]) / str(self.status["outputDirectory"])

    @property
    def manifest(self) -> list[dict[str, Any]]:
        """The lines of its manifest."""
        return [json.loads(line) for line in (self.folder / "manifest.jsonl").read_text().splitlines()]

    @property
    def transcript_lines(self) -> list[Line]:
        """The lines of its transcript."""
        return [json.loads(line) for line in (self.folder / "transcript.jsonl").read_text().splitlines()]

    def transcript(self, show: Callable[[Line], None] | None = None) -> AbstractContextManager[TranscriptWatch]:
        """Follow its transcript while the meeting goes on; see :func:`followed_transcript`."""
        return followed_transcript(self.kubectl, self.object, show)

    def understood(self) -> Understood:
        """Compare its transcript with what was spoken while it was recorded."""
        joined = next(line["utc"] for line in self.manifest if "segment" in line)
        return understood(self.transcript_lines, self.people.said(), datetime.fromisoformat(joined))

    @property
    def recorded(self) -> Samples:
        """The sound of the verified recording."""
        file = next(line["file"] for line in reversed(self.manifest) if line.get("verified"))
        return decode(self.folder / file)

    @property
    def spoken(self) -> list[Utterance]:
        """What was spoken while it was recorded, by the clock of the recording; what a gap touches is left out."""
        return recorded_utterances(self.manifest, self.people.said())

    def heard(self) -> Heard:
        """Compare what was recorded with what was spoken meanwhile."""
        return hearing.compare(self.recorded, self.spoken, lag=0.0)

    def offset(self, seen: PictureReport) -> Offset | None:
        """Sound against picture, by the one who sends one: both against the clock by which the words were spoken."""
        segments = [line for line in self.manifest if "segment" in line]
        began, recorded_from = self.people.began, datetime.fromisoformat(segments[0]["utc"])
        speaker = next(person.name for person in self.people.people if person.video)
        spoken = [
            Utterance(one.turn.clip.path, one.turn.start, one.turn.person)
            for one in self.people.said()
            if one.turn.person == speaker and one.wall > recorded_from + _SETTLING
        ]
        heard = hearing.compare(self.recorded, spoken, lag=(began - recorded_from).total_seconds())
        return sync.offset(heard.likeness, seen, counter_rate=FRAME_RATE)


def unshown(_seconds: float, _line: str) -> None:
    """For :func:`attending`, where nobody reads along."""


@contextmanager
def attending(
    kubectl: Kubectl,
    room: Room,
    *,
    people: Sequence[Person] = EVERYBODY,
    show: Callable[[float, str], None] | None = None,
    namespace: str = SESSIONS,
    **spec: Any,
) -> Iterator[Attendance]:
    """People enter the room and talk, and a session for it is applied; people who are left at the end leave.

    ``show`` gets each line of `kubectl get --watch`, with the second at which it came.
    """
    here = kubectl.in_namespace(namespace)
    with room.people(people) as crowd, followed(here, room.name, show or (lambda _seconds, line: print(line))) as watch:
        applied_at = time.monotonic()
        here.apply(session(room, namespace, **spec))
        yield Attendance(here, room.name, crowd, watch, applied_at)
