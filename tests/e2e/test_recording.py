"""Recording a whole meeting: a bot attends a LiveKit meeting in which people speak, and what it wrote holds it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import webvtt

from tests.local.cluster.flow import Cluster
from tests.local.cluster.kubectl import Kubectl
from tests.local.images import build
from tests.local.installation import NAMESPACE, RELEASE, SESSIONS, install, local_values, pod_processes
from tests.local.installation.attendance import ENDED, JOINED, UNTRANSCRIBED, Attendance, attending
from tests.local.installation.eviction import evict
from tests.local.installation.install import prepare_namespace
from tests.local.installation.transcript import last
from tests.local.media import picture
from tests.local.media.probe import probe
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.people import EVERYBODY, VOICES
from tests.support.awaiting import wait_until

SPEECH_PRESENT = 0.8
"""Of the spoken time, through a meeting in real time: so much gets through a machine that is busy too."""

_UNDERSTOOD = 60.0
"""Seconds for one sentence to be understood, on a busy machine."""

_COMES_BACK = 90.0
"""Seconds for a browser to start and to join again, on a busy machine."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster, meeting: LocalMeeting) -> Kubectl:
    """The cluster with Meeting Buddy installed by its chart."""
    prepare_namespace(cluster.kubectl, SESSIONS, meeting.certificate_authority)
    install(cluster.kubectl, local_values(str(build("operator")), str(build("bot")), [SESSIONS]))
    return cluster.kubectl


def names_of_its_own(kind: str) -> str:
    """A room's and a session's name that no earlier run had."""
    return f"e2e-{kind}-{int(time.time())}"


@pytest.fixture(scope="module")
def complete(kubectl: Kubectl, meeting: LocalMeeting) -> Attendance:
    """A meeting that was recorded from its first word to its last."""
    room = meeting.room(names_of_its_own("complete"))
    with attending(kubectl, room, metadata={"team": "red"}, debugMode=True) as session:
        session.recording()
        pod = session.status["botPod"]
        document = session.kubectl("get", "pod", pod, "--output=yaml")
        assert room.name not in document.replace(pod, "").replace(f"name: {room.name}", "")
        assert "/rooms/" not in document
        with session.transcript() as transcript:
            session.people.wait_until_spoken(36)
            assert transcript.wait_until(lambda lines: any(line["speaker"] for line in lines), _UNDERSTOOD)
            assert session.status["phase"] == "Recording"
            session.completed()
        assert transcript.lines == session.transcript_lines
    session.heard().check(present=SPEECH_PRESENT)
    return session


def test_a_meeting_completes_its_session(complete: Attendance) -> None:
    assert complete.status["reason"] == "EveryoneLeft"
    assert complete.condition("Complete")["status"] == "True"
    assert complete.condition("Sandboxed")["status"] == "True"
    for kind in ("AudioReceived", "VideoReceived"):
        assert complete.condition(kind)["status"] == "True", complete.condition(kind)
    assert complete.condition("Transcribed")["reason"] == "Done"
    assert complete.status["videoFileCount"] == 1
    assert complete.status["totalDurationSeconds"] >= 25
    metadata = complete.object["metadata"]
    assert "finalizers" not in metadata
    assert metadata.get("annotations", {}).keys() <= {"kubectl.kubernetes.io/last-applied-configuration"}


def test_a_meeting_is_recorded_as_it_was(complete: Attendance) -> None:
    folder = complete.folder
    media = probe(folder / "recording.mp4")
    assert media.seconds >= 25
    assert {(one.kind, one.width, one.height) for one in media.streams} == {("video", 1280, 720), ("audio", 0, 0)}
    heard = complete.heard()
    seen = picture.watch(folder / "recording.mp4", frame_rate=15)
    print(heard.table(), seen, complete.offset(seen), sep="\n")
    assert seen.readable_share > 0.8, seen
    assert seen.longest_freeze < 8, seen  # alone for the last five seconds


def test_what_was_said_is_in_the_transcript_with_names(complete: Attendance) -> None:
    found = complete.understood()
    print(found)
    assert found.words.passed, found.words
    assert found.named >= 0.8 * found.words.spoken, found
    assert found.misnamed <= 0.05 * found.named, found
    captions = webvtt.read(str(complete.folder / "transcript.vtt"))
    assert {caption.voice for caption in captions} <= {*(person.name for person in EVERYBODY), "Unknown speaker"}
    begins = next(line["start"] for line in complete.manifest if "segment" in line)
    # What was heard before there was a picture is in the text alone.
    shown = [line for line in last(complete.transcript_lines) if line["words"][-1]["end"] >= begins]
    assert " ".join(caption.text for caption in captions).split() == [
        word for line in shown for word in line["text"].split()
    ]


def test_the_volume_has_metadata_and_evidence_and_no_link(complete: Attendance, meeting: LocalMeeting) -> None:
    folder = complete.folder
    assert json.loads((folder / "session.json").read_text())["metadata"] == {"team": "red"}
    assert list((folder / "debug").glob("*.png"))
    link = meeting.room(complete.name).link
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".html", ".txt"):
            assert link not in path.read_text(), path


def test_killed_processes_cost_gaps_and_not_the_session(kubectl: Kubectl, meeting: LocalMeeting) -> None:
    room = meeting.room(names_of_its_own("kill"))
    with attending(kubectl, room, people=VOICES, transcription=UNTRANSCRIBED) as session:
        session.recording()
        for command in ("ffmpeg", "chromium"):
            session.people.wait_until_spoken(8)
            pod_processes.kill(kubectl, SESSIONS, session.pod, command)
        manifest = session.folder / "manifest.jsonl"
        wait_until(lambda: '"browser died"' in manifest.read_text(), "another browser is in the meeting", _COMES_BACK)
        session.people.wait_until_spoken(16, turns=1)
        session.completed()
    gaps = {line["gap"]: line["end"] - line["start"] for line in session.manifest if "gap" in line}
    print(gaps)
    assert gaps.keys() == {"the recorder was killed", "browser died"}
    assert gaps["the recorder was killed"] <= 5
    last = next(line["end"] for line in reversed(session.manifest) if "gap" in line)
    begin = next(line["start"] for line in session.manifest if "segment" in line)
    assert any(one.start > last - begin for one in session.spoken), "nobody spoke after the gaps"
    session.heard().check()


def test_the_operator_may_die_during_a_recording(kubectl: Kubectl, meeting: LocalMeeting) -> None:
    room = meeting.room(names_of_its_own("kill-operator"))
    selector = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
    recording = {"video": "none"}
    with attending(kubectl, room, people=VOICES, recording=recording, transcription=UNTRANSCRIBED) as session:
        session.recording()
        operator = kubectl("get", "pods", f"--namespace={NAMESPACE}", selector, "--output=name").split()[0]
        pod_processes.kill(kubectl, NAMESPACE, operator.partition("/")[2], "python")
        session.people.wait_until_spoken(10)
        session.completed()
    assert session.status["audioFileCount"] == 1
    assert probe(session.folder / "recording.m4a").seconds >= 8


def test_what_a_killed_bot_had_recorded_is_finished_without_it(kubectl: Kubectl, meeting: LocalMeeting) -> None:
    room = meeting.room(names_of_its_own("kill-bot"))
    with attending(kubectl, room, people=VOICES) as session:
        session.recording()
        session.people.wait_until_spoken(16, turns=1)
        pod_processes.kill(kubectl, SESSIONS, session.pod, "python")
        session.watch.wait_for(("Failed",), ENDED)
    status = session.status
    assert (status["reason"], status["finisherPod"]) == ("BotCrashed", f"{session.pod}-f")
    assert status["videoFileCount"] == 1
    assert session.condition("Transcribed")["reason"] == "Done", session.condition("Transcribed")
    assert probe(session.folder / "recording.mp4").seconds >= 14
    session.heard().check()
    assert webvtt.read(str(session.folder / "transcript.vtt")).captions
    finisher = kubectl.json("get", "pod", status["finisherPod"], f"--namespace={SESSIONS}")
    assert "finalizers" not in finisher["metadata"]
    assert [container["name"] for container in finisher["spec"]["containers"]] == ["bot"]


def _recorded_by(status: dict[str, Any], attempt: int) -> bool:
    return (status["attempt"], status["phase"]) == (attempt, "Recording")


def test_two_bots_one_after_a_drain_make_one_recording(kubectl: Kubectl, meeting: LocalMeeting) -> None:
    room = meeting.room(names_of_its_own("drain"))
    spec: dict[str, Any] = {"transcription": UNTRANSCRIBED, "onDisruption": "Rejoin"}
    with attending(kubectl, room, people=VOICES, **spec) as session:
        session.recording()
        session.people.wait_until_spoken(10)
        evict(session.kubectl, SESSIONS, session.pod)
        wait_until(lambda: _recorded_by(session.status, 2), "another bot records", JOINED)
        session.people.wait_until_spoken(34, turns=1)
        session.completed()
    assert (session.status["attempt"], session.status["videoFileCount"]) == (2, 1)
    replaced = next(line for line in session.manifest if line.get("gap") == "the bot was replaced")
    begin = next(line["start"] for line in session.manifest if "segment" in line)
    assert any(one.start > replaced["end"] - begin for one in session.spoken), "nobody spoke after the gap"
    session.heard().check()
