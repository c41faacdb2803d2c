"""The main job on real parts: a bot attends a LiveKit meeting in which people speak, and what it wrote holds it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.flow import Cluster
from tests.cluster.images import build
from tests.cluster.kubectl import Kubectl
from tests.demo import result
from tests.demo.story import Story, followed
from tests.e2e import pod_processes
from tests.installation import NAMESPACE, RELEASE, SESSIONS, install, local_values
from tests.installation.install import prepare_namespace
from tests.machine import pressure
from tests.media import picture, sync
from tests.media.probe import probe
from tests.meetings.livekit import LocalMeeting
from tests.meetings.livekit.people import People, Said
from tests.meetings.livekit.room import Room

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

JOINED = 90.0  # seconds from apply to Recording, at most
ENDED = 90.0  # seconds from the last one's leaving to the end, at most


@pytest.fixture(scope="module")
def meeting() -> LocalMeeting:
    meeting = LocalMeeting()
    meeting.start()
    return meeting


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster, meeting: LocalMeeting) -> Kubectl:
    """The cluster with Meeting Buddy installed by its chart."""
    prepare_namespace(cluster.kubectl, SESSIONS, meeting.certificate_authority)
    install(cluster.kubectl, local_values(str(build("operator")), str(build("bot")), [SESSIONS]))
    return cluster.kubectl


@dataclass(frozen=True)
class Attended:
    """A session that is over."""

    kubectl: Kubectl
    name: str
    link: str
    story: Story
    said: list[Said]

    @property
    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = self.kubectl.json("get", "mbs", self.name, f"--namespace={SESSIONS}")
        return found

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.object["status"])

    @property
    def folder(self) -> Path:
        return result.folder(self.kubectl, SESSIONS, self.name)

    @property
    def manifest(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "manifest.jsonl").read_text().splitlines()]

    def condition(self, kind: str) -> dict[str, Any]:
        return next(dict(each) for each in self.status["conditions"] if each["type"] == kind)


@contextmanager
def attending(kubectl: Kubectl, room: Room, **spec: Any) -> Iterator[tuple[Story, People, str]]:
    """A session in a room where people speak; the block begins when it is Recording."""
    name = room.name
    manifest = {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "metadata": {"name": name, "namespace": SESSIONS},
        "spec": {"meetingLink": room.link, "platform": "LiveKit", "limits": {"everyoneLeftSeconds": 5}, **spec},
    }
    with room.people() as people, followed(kubectl, SESSIONS, name, lambda seconds, line: print(line)) as story:
        kubectl.apply(manifest)
        story.wait_for(("Recording",), JOINED)
        yield (
            story,
            people,
            kubectl("get", "mbs", name, f"--namespace={SESSIONS}", "--output=jsonpath={.status.botPod}"),
        )


@pytest.mark.alone
def test_a_meeting_is_recorded_as_it_was(kubectl: Kubectl, meeting: LocalMeeting, tmp_path: Path) -> None:
    room = meeting.room(f"e2e-whole-{int(time.time())}")
    with attending(kubectl, room, metadata={"team": "red"}, debugMode=True) as (story, people, pod):
        document = kubectl("get", "pod", pod, f"--namespace={SESSIONS}", "--output=yaml")
        assert room.name not in document.replace(pod, "").replace(f"name: {room.name}", "")
        assert "/rooms/" not in document
        with pressure.measured() as cpu:
            people.wait_until_spoken(45)
        people.stop()
        story.wait_for(("Completed",), ENDED)
    over = Attended(kubectl, room.name, room.link, story, people.said())

    assert over.status["reason"] == "EveryoneLeft"
    assert over.condition("Complete")["status"] == "True"
    assert over.condition("Sandboxed")["status"] == "True"
    assert over.condition("Transcribed")["reason"] == "NoEngine"
    assert over.status["videoFileCount"] == 1
    assert over.status["totalDurationSeconds"] >= 25
    assert "finalizers" not in over.object["metadata"]
    assert over.object["metadata"].get("annotations", {}).keys() <= {"kubectl.kubernetes.io/last-applied-configuration"}

    recording = over.folder / "recording.mp4"
    media = probe(recording)
    assert media.seconds >= 25
    assert {(one.kind, one.width, one.height) for one in media.streams} == {("video", 1280, 720), ("audio", 0, 0)}
    heard = result.heard(recording, over.said)
    seen = picture.watch(recording, frame_rate=15)
    print(heard, seen, sync.offset(heard, seen, counter_rate=10, speaker="Ada Lovelace"), sep="\n")
    if not heard.passed and cpu.starved:
        pytest.xfail(
            f"processes waited for a processor {cpu.share:.0%} of the time, so WebRTC stretched the sound: {heard}"
        )
    assert heard.passed, heard
    assert seen.readable_share > 0.8, seen
    assert seen.longest_freeze < 8, seen  # alone for the last five seconds
    assert json.loads((over.folder / "session.json").read_text())["metadata"] == {"team": "red"}
    assert list((over.folder / "debug").glob("*.png"))
    for path in over.folder.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".html", ".txt"):
            assert room.link not in path.read_text(), path


@pytest.mark.parametrize("command", ["ffmpeg", "chromium"])
def test_a_killed_process_costs_a_gap_and_not_the_session(
    kubectl: Kubectl, meeting: LocalMeeting, command: str
) -> None:
    room = meeting.room(f"e2e-kill-{command}-{int(time.time())}")
    with attending(kubectl, room) as (story, people, pod):
        people.wait_until_spoken(8)
        killed = time.time()
        pod_processes.kill(kubectl, SESSIONS, pod, command)
        people.wait_until_spoken(25)
        people.stop()
        story.wait_for(("Completed",), ENDED)
    over = Attended(kubectl, room.name, room.link, story, people.said())
    gaps = [line for line in over.manifest if line.get("gap")]
    print(gaps, f"killed at {killed}")
    assert gaps, "the manifest states no gap"
    limit = 3 if command == "ffmpeg" else 20
    assert all(gap["end"] - gap["start"] <= limit + 2 for gap in gaps)
    heard = result.heard(over.folder / "recording.mp4", over.said, by_clock=False)
    assert any(window.correlation > 0.8 for window in heard.windows)


def test_the_operator_may_die_during_a_recording(kubectl: Kubectl, meeting: LocalMeeting) -> None:
    room = meeting.room(f"e2e-kill-operator-{int(time.time())}")
    selector = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
    with attending(kubectl, room, recording={"video": "none"}) as (story, people, _):
        operator = kubectl("get", "pods", f"--namespace={NAMESPACE}", selector, "--output=name").split()[0]
        pod_processes.kill(kubectl, NAMESPACE, operator.partition("/")[2], "python")
        people.wait_until_spoken(10)
        people.stop()
        story.wait_for(("Completed",), ENDED)
    over = Attended(kubectl, room.name, room.link, story, people.said())
    assert over.status["audioFileCount"] == 1
    assert probe(over.folder / "recording.m4a").seconds >= 8
