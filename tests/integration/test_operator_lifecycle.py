"""A session's life on a real API server: what the operator writes, what it never writes, what survives its death."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from meeting_buddy.contract.identity import session_id
from tests.integration.operator_fixtures import crd, fresh_namespace, operator, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import (
    LINK,
    PATIENCE,
    OperatorProcess,
    Sessions,
    harmless_pod,
    running,
    session,
)
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port
from tests.support.report_server import ReportServer

VERIFIED = {"segments": 2, "audioFiles": 1, "videoFiles": 1, "bytes": 9, "seconds": 40.0, "verified": True}
JOINED = {"joinedAt": "2026-11-23T10:00:20Z", "everJoined": True}


GUESTS = 12
"""Tests that share an operator; each has a namespace of its own."""


@pytest.fixture(scope="module")
def served(crd: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OperatorProcess, list[str]]]:
    """One operator for all tests that neither count what it does nor end it, and namespaces that nobody used yet."""
    places = [fresh_namespace(crd) for _ in range(GUESTS)]
    folder = tmp_path_factory.mktemp("shared-operator")
    with running(OperatorProcess(crd.kubeconfig, folder, places[0], free_port(), also=tuple(places[1:]))) as process:
        yield process, places


@pytest.fixture
def shared(served: tuple[OperatorProcess, list[str]]) -> OperatorProcess:
    """That operator."""
    return served[0]


@pytest.fixture
def guest(crd: ApiServer, served: tuple[OperatorProcess, list[str]]) -> Sessions:
    """What a test sees and does in a fresh namespace that the shared operator serves."""
    return _guest(crd, served)


def _guest(crd: ApiServer, served: tuple[OperatorProcess, list[str]]) -> Sessions:
    return Sessions(crd.kubectl.in_namespace(served[1].pop()))


def last_word(sessions: Sessions, name: str, reason: str = "MeetingEnded", **fields: Any) -> str:
    """The termination message of a bot that was in the meeting and verified its files."""
    uid = sessions.get(name)["metadata"]["uid"]
    known = {"contract": 1, "revision": 99, "sessionId": session_id(uid), "attempt": 1, "time": "2026-11-23T10:01:00Z"}
    return json.dumps({**known, **JOINED, "phase": "Ended", "reason": reason, "recording": VERIFIED, **fields})


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status.get("conditions", ())}


def released(sessions: Sessions, pod: dict[str, Any]) -> bool:
    """Whether the pod carries no finalizer any more, or is gone."""
    found = [each for each in sessions.pods() if each["metadata"]["uid"] == pod["metadata"]["uid"]]
    return not found or not found[0]["metadata"].get("finalizers")


def deleted_events(sessions: Sessions) -> list[str]:
    """Sessions whose deletion was told, once for each Event."""
    found = sessions.api.get("events")["items"]
    return [each["involvedObject"]["name"] for each in found if each["reason"] == "Deleted"]


@pytest.mark.parametrize("lobby", [False, True], ids=["let in at once", "from the lobby"])
def test_a_whole_life_takes_nine_writes_and_one_in_the_lobby(
    operator: OperatorProcess, sessions: Sessions, lobby: bool
) -> None:
    before = sum(operator.writes().values())
    sessions.apply("standup")
    pod = sessions.pod("standup")
    with ReportServer(sessions.get("standup")["metadata"]["uid"]) as bot:
        sessions.phase("standup", "Initializing")
        sessions.scheduled(pod)
        assert sessions.status("standup").keys().isdisjoint({"node", "botAddress"}), (
            "a pod without an address is nowhere"
        )
        sessions.running(pod, ip=bot.address)
        status = sessions.phase("standup", "Joining")
        assert (status["node"], status["botAddress"]) == ("node1", bot.address)
        if lobby:
            bot.say("Joining", waiting="WaitingRoom")
            wait_until(
                lambda: conditions(sessions.status("standup")).get("Joined") == ("False", "WaitingRoom"),
                "it is in the lobby",
                PATIENCE,
            )
        sessions.running(pod, ip=bot.address, ready=True)  # the kubelet may tell it before the report does
        sessions.phase("standup", "Active")
        bot.say("Active", **JOINED)
        bot.say("Recording", recording={"segments": 1})
        wait_until(
            lambda: conditions(sessions.status("standup")).get("Recording") == ("True", "Writing"),
            "it records",
            PATIENCE,
        )
        assert operator.metric("meetingbuddy_streams_connected") == operator.metric("meetingbuddy_streams") == 1
        assert operator.metric("meetingbuddy_sessions", phase="Recording") == 1
        bot.say("Leaving")
        sessions.phase("standup", "Leaving")
        last = bot.say("Leaving", leftAt="2026-11-23T10:00:55Z")
        wait_until(lambda: bot.has_told(last), "the operator heard that the bot has left", PATIENCE)
        sessions.ended(pod, last_word(sessions, "standup"))
    status = sessions.phase("standup", "Completed")
    wait_until(lambda: released(sessions, pod), "the pod is released", PATIENCE)
    assert (status["reason"], status["segmentCount"], status["totalDurationSeconds"]) == ("MeetingEnded", 2, 40)
    assert (status["botPod"], status["botAddress"]) == (pod["metadata"]["name"], bot.address), "they stay"
    assert {"Complete": "True", "Ready": "True", "Joined": "False"}.items() <= {
        kind: found[0] for kind, found in conditions(status).items()
    }.items()
    writes = operator.writes()
    assert sum(writes.values()) - before <= 9 + lobby, writes
    counted = {
        "sessions": {"phase": "Completed"},
        "session_transitions_total": {"before": "Leaving", "after": "Completed"},
        "session_outcomes_total": {"result": "Completed", "reason": "MeetingEnded"},
        "apply_to_pod_seconds_count": {},
        "join_seconds_count": {},
    }
    found = {name: operator.metric(f"meetingbuddy_{name}", **labels) for name, labels in counted.items()}
    assert found == dict.fromkeys(counted, 1)
    assert operator.metric("meetingbuddy_reports_total", result="accepted") >= 4
    assert operator.metric("meetingbuddy_workqueue_oldest_seconds") < PATIENCE
    assert operator.metric("meetingbuddy_streams") == 0


def test_the_users_object_stays_the_users(shared: OperatorProcess, guest: Sessions) -> None:
    guest.kubectl.apply(session("standup"))
    guest.phase("standup", "Initializing")
    found = guest.get("standup")
    assert "finalizers" not in found["metadata"]
    assert set(found["metadata"]["annotations"]) == {"kubectl.kubernetes.io/last-applied-configuration"}
    shown = guest.kubectl.json("get", "meetingsession", "standup", "--show-managed-fields")
    owners = {entry["manager"] for entry in shown["metadata"]["managedFields"] if "subresource" in entry}
    assert owners == {"meeting-buddy"}
    secret_part = LINK.rpartition("#")[2]
    told = [guest.kubectl("get", kind, "--output=yaml") for kind in ("pods", "events")]
    assert not any(secret_part in text for text in (*told, json.dumps(found["status"]), shared.log.read_text()))
    secret = guest.kubectl.json("get", "secret", found["status"]["botPod"])
    assert secret["immutable"]
    pod = guest.pod("standup")
    assert secret["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"], "it goes with its pod"


def test_the_pod_watch_alone_ends_a_session(guest: Sessions) -> None:
    guest.apply("standup")
    pod = guest.pod("standup")
    guest.scheduled(pod)
    guest.running(pod)
    guest.phase("standup", "Joining")
    guest.running(pod, ready=True)
    assert "joinTimestamp" in guest.phase("standup", "Active")
    guest.ended(pod, last_word(guest, "standup", "EveryoneLeft"))
    assert guest.phase("standup", "Completed")["reason"] == "EveryoneLeft"


def test_a_transcripts_progress_costs_no_write_and_its_end_has_all_lines(
    operator: OperatorProcess, sessions: Sessions
) -> None:
    sessions.apply("standup", recording={"enabled": False})
    pod = sessions.pod("standup")
    sessions.scheduled(pod)
    with ReportServer(sessions.get("standup")["metadata"]["uid"]) as bot:
        sessions.running(pod, ip=bot.address, ready=True)
        last = bot.say("Active", **JOINED, transcription={"state": "Live", "lines": 1, "lagSeconds": 1.5})
        sessions.phase("standup", "Active")
        wait_until(lambda: bot.has_told(last), "the operator heard of the first line", PATIENCE)
        before = sum(operator.writes().values())
        for lines in range(2, 32):
            state = "Lagging" if lines % 2 else "Live"
            last = bot.say("Active", transcription={"state": state, "lines": lines, "lagSeconds": lines})
        wait_until(lambda: bot.has_told(last), "the operator heard of all lines", PATIENCE)
        time.sleep(1)
        assert sum(operator.writes().values()) - before <= 1, "the end of the wait for the first report"
        assert sessions.status("standup")["phase"] == "Active"
    done = {"state": "Done", "lines": 40}
    sessions.ended(pod, last_word(sessions, "standup", recording={}, transcription=done))
    status = sessions.phase("standup", "Completed")
    assert (status["transcriptLineCount"], status.get("transcriptLagSeconds")) == (40, None)
    assert conditions(status)["Transcribed"] == ("True", "Done")
    assert status["outputDirectory"]
    wait_until(
        lambda: operator.metric("meetingbuddy_transcripts_total", result="Complete") == 1, "it is counted", PATIENCE
    )
    assert operator.metric("meetingbuddy_transcript_lines_total", platform="LiveKit") == 40


def test_leave_reaches_the_bot_and_stays_although_it_is_set_back(guest: Sessions) -> None:
    guest.apply("standup")
    pod = guest.pod("standup")
    guest.scheduled(pod)
    with ReportServer(guest.get("standup")["metadata"]["uid"]) as bot:
        guest.running(pod, ip=bot.address, ready=True)
        bot.say("Recording", **JOINED)
        guest.phase("standup", "Recording")
        guest.apply("standup", leave=True)
        assert bot.asked_to_leave.wait(PATIENCE)
        guest.apply("standup", leave=False)
        guest.phase("standup", "Leaving")
        guest.ended(pod, last_word(guest, "standup", "LeaveRequested"))
    status = guest.phase("standup", "Completed")
    assert status["reason"] == "LeaveRequested"
    assert "leaveRequestedAt" in status


WITHOUT_A_POD: dict[str, tuple[dict[str, Any], str, str]] = {
    "leave": ({"leave": True}, "Completed", "LeaveRequested"),
    "host": ({"meetingLink": "https://other.buddy.test/rooms/a"}, "Failed", "HostNotAllowed"),
    "link": ({"meetingLink": "https://meet.buddy.test:8443/custom?token=a"}, "Failed", "LinkInvalid"),
    "class": ({"botClassName": "nobody"}, "Failed", "ConfigInvalid"),
    "language": ({"botClassName": "english", "transcription": {"language": "fr"}}, "Failed", "ConfigInvalid"),
}
"""What a session asks for, and how it ends."""


def test_endings_without_a_pod(guest: Sessions) -> None:
    for name, (fields, _, _) in WITHOUT_A_POD.items():
        guest.apply(name, **fields)
    for name, (_, phase, reason) in WITHOUT_A_POD.items():
        status = guest.phase(name, "Completed", "Failed")
        assert (status["phase"], status["reason"]) == (phase, reason), name
    assert guest.pods() == []


def a_cut_stream_is_told_and_costs_no_session(guest: Sessions) -> None:
    guest.apply("standup")
    pod = guest.pod("standup")
    guest.scheduled(pod)
    with ReportServer(guest.get("standup")["metadata"]["uid"]) as bot:
        guest.running(pod, ip=bot.address)
        bot.say("Recording", **JOINED)
        guest.phase("standup", "Recording")
    wait_until(
        lambda: conditions(guest.status("standup")).get("Reporting") == ("Unknown", "BotUnreachable"),
        "it is told",
        PATIENCE,
    )
    guest.ended(pod, last_word(guest, "standup"))
    assert guest.phase("standup", "Completed")["segmentCount"] == 2


def an_image_that_does_not_come_ends_the_session_and_removes_the_pod(guest: Sessions) -> None:
    guest.apply("standup", botClassName="hasty")
    pod = guest.pod("standup")
    guest.scheduled(pod)
    guest.waiting(pod, "ImagePullBackOff", "Back-off pulling image")
    assert guest.phase("standup", "Failed")["reason"] == "ImagePullFailed"
    wait_until(
        lambda: not guest.pods() or guest.pods()[0]["metadata"].get("deletionTimestamp"), "the pod goes", PATIENCE
    )


def a_missing_secret_is_named(guest: Sessions) -> None:
    guest.apply("standup", botClassName="hasty")
    pod = guest.pod("standup")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "late"},
        "involvedObject": {
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
            "namespace": pod["metadata"]["namespace"],
        },
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "link" : secret "teams-link" not found',
        "type": "Warning",
    }
    guest.api.create("events", event)
    guest.scheduled(pod)
    guest.waiting(pod, "PodInitializing", "")
    status = guest.phase("standup", "Failed")
    assert status["reason"] == "ConfigInvalid"
    assert "teams-link" in status["message"]


def a_claim_that_no_class_can_serve_is_told_in_its_own_words(guest: Sessions) -> None:
    guest.apply("standup", botClassName="hasty")
    pod = guest.pod("standup")
    cause = "VolumeCapabilities is invalid: specified multi writer with mount access type"
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "claim"},
        "involvedObject": {
            "kind": "PersistentVolumeClaim",
            "name": "meeting-buddy-recordings",
            "namespace": pod["metadata"]["namespace"],
        },
        "reason": "ProvisioningFailed",
        "message": cause,
        "type": "Warning",
    }
    guest.api.create("events", event)
    unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    guest.unscheduled(pod, unbound)
    status = guest.phase("standup", "Failed")
    assert status["reason"] == "ConfigInvalid"
    assert cause in status["message"]
    assert "ReadWriteMany" in status["message"]


def test_what_takes_time_until_it_is_told(crd: ApiServer, served: tuple[OperatorProcess, list[str]]) -> None:
    # Side by side, each in a namespace of its own: nearly all of it is waiting for the operator's patience to end.
    told = (
        a_cut_stream_is_told_and_costs_no_session,
        an_image_that_does_not_come_ends_the_session_and_removes_the_pod,
        a_missing_secret_is_named,
        a_claim_that_no_class_can_serve_is_told_in_its_own_words,
    )
    with ThreadPoolExecutor(len(told)) as pool:
        waiting = [pool.submit(each, _guest(crd, served)) for each in told]
    for each in waiting:
        each.result()


def test_a_deleted_session_lets_its_pod_go(guest: Sessions) -> None:
    guest.apply("standup")
    pod = guest.pod("standup")
    guest.api.delete("meetingsessions", "standup")
    wait_until(lambda: not guest.pods(), "the pod goes", PATIENCE)
    assert pod["metadata"]["finalizers"]
    wait_until(lambda: deleted_events(guest), "people are told", PATIENCE)


def test_removing_pods_costs_no_conflict_and_no_second_event(operator: OperatorProcess, sessions: Sessions) -> None:
    before = operator.conflicts()
    names = [f"standup-{number}" for number in range(8)]
    pods = {}
    for name in names:
        sessions.apply(name)
        pods[name] = sessions.pod(name)
        sessions.scheduled(pods[name])
        sessions.running(pods[name], ready=True)
    for name in names:
        sessions.phase(name, "Active")
    for name in names:
        sessions.api.delete("meetingsessions", name)
    wait_until(
        lambda: all(not pod["metadata"].get("finalizers") for pod in sessions.pods()), "all are released", PATIENCE
    )
    wait_until(lambda: len(deleted_events(sessions)) >= len(names), "people are told of each", PATIENCE)
    wait_until(lambda: operator.metric("meetingbuddy_workqueue_depth") == 0, "nothing is left to do", PATIENCE)
    assert sorted(deleted_events(sessions)) == names
    assert operator.conflicts() == before


def test_a_pod_that_vanished_is_not_made_again(guest: Sessions) -> None:
    guest.apply("standup")
    pod = guest.pod("standup")
    guest.scheduled(pod)
    guest.running(pod, ready=True)
    guest.phase("standup", "Active")
    name = pod["metadata"]["name"]
    guest.api.patch("pods", name, {"metadata": {"finalizers": None}})
    guest.api.delete("pods", name, gracePeriodSeconds=0)
    assert guest.phase("standup", "Failed")["reason"] in ("BotCrashed", "Evicted")
    assert guest.pods() == []


def test_somebody_elses_pod_of_the_same_name_is_left_alone(operator: OperatorProcess, sessions: Sessions) -> None:
    operator.pause()
    sessions.apply("standup")
    uid = sessions.get("standup")["metadata"]["uid"]
    sessions.api.create("pods", harmless_pod(f"standup-{uid[:8]}-1"))
    operator.resume()
    status = sessions.phase("standup", "Failed")
    assert (status["reason"], len(sessions.pods())) == ("ConfigInvalid", 1)


STEPS: dict[str, Callable[[Sessions, str, dict[str, Any]], object]] = {
    "created": lambda sessions, name, pod: None,
    "scheduled": lambda sessions, name, pod: sessions.scheduled(pod),
    "running": lambda sessions, name, pod: sessions.running(pod),
    "ready": lambda sessions, name, pod: sessions.running(pod, ready=True),
    "ended": lambda sessions, name, pod: sessions.ended(pod, last_word(sessions, name)),
}


def leads(operator: OperatorProcess) -> bool:
    try:
        return operator.metric("meetingbuddy_leader") == 1
    except OSError:  # its server is not there yet
        return False


def test_an_operator_that_is_killed_twice_at_any_step_goes_on_where_it_was(
    operator: OperatorProcess, sessions: Sessions
) -> None:
    for killed_after in STEPS:
        name = f"killed-when-{killed_after}"
        sessions.apply(name)
        pod = sessions.pod(name)
        for step, happen in STEPS.items():
            happen(sessions, name, pod)
            if step == killed_after:
                operator.kill()
                operator.start(ready=False)
                wait_until(lambda: leads(operator), "it leads again", 60)
                operator.kill()
                operator.start()
        assert sessions.phase(name, "Completed")["reason"] == "MeetingEnded"
        wait_until(lambda pod=pod: released(sessions, pod), f"the pod of {name} is released")  # type: ignore[misc]
        uid = sessions.get(name)["metadata"]["uid"]
        of_session = [each for each in sessions.pods() if each["metadata"]["ownerReferences"][0]["uid"] == uid]
        assert [each["metadata"]["uid"] for each in of_session] == [pod["metadata"]["uid"]]
    assert len(sessions.pods()) == len(STEPS)


def test_what_happened_while_no_operator_ran_is_learned_later(operator: OperatorProcess, sessions: Sessions) -> None:
    sessions.apply("ended")
    sessions.apply("deleted")
    pods = {name: sessions.pod(name) for name in ("ended", "deleted")}
    operator.kill()
    sessions.apply("new")
    sessions.scheduled(pods["ended"])
    sessions.ended(pods["ended"], last_word(sessions, "ended"))
    sessions.api.delete("meetingsessions", "deleted")
    operator.start()
    sessions.phase("ended", "Completed")
    assert sessions.pod("new")
    wait_until(
        lambda: pods["deleted"]["metadata"]["uid"] not in {each["metadata"]["uid"] for each in sessions.pods()}, "gone"
    )


def test_many_sessions_at_once_get_one_pod_each(guest: Sessions) -> None:
    started = time.monotonic()
    for number in range(40):
        guest.apply(f"standup-{number}")
    wait_until(lambda: len(guest.pods()) == 40, "40 pods", PATIENCE)
    owners = [each["metadata"]["ownerReferences"][0]["uid"] for each in guest.pods()]
    assert len(set(owners)) == 40
    print(f"40 sessions at once: last pod after {time.monotonic() - started:.1f} s (their creation included)")


def test_a_quota_that_demands_a_cpu_limit_ends_the_session_at_once(guest: Sessions) -> None:
    guest.limit("compute", {"limits.cpu": "4"}, "pods", harmless_pod("refused"))
    guest.apply("standup")
    status = guest.phase("standup", "Failed")
    assert status["reason"] == "ConfigInvalid"
    assert "must specify limits.cpu" in status["message"]
    assert "cpuLimit" in status["message"]
