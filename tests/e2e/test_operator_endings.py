"""Endings on a real cluster that need no meeting: pods that do not start, leave, deletion, and things that die."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_buddy.contract.identity import Role
from tests.e2e.operator_fixtures import RELEASE, STARTUP_SECONDS, Installed, conditions, gone, installed, told  # noqa: F401
from tests.integration.operator_plays import begun
from tests.integration.operator_process import Sessions, session
from tests.local.installation import pod_processes, roll_back, upgrade
from tests.local.installation.eviction import evict
from tests.local.installation.install import prepare_namespace
from tests.support.awaiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.waits, pytest.mark.timeout(300)]

PATIENCE = 120.0
"""Seconds that a test waits for something, also on a loaded machine."""
UNTIL_ASKED = {"script": "join; record"}


@pytest.fixture(scope="module")
def sessions(installed: Installed) -> Sessions:
    return installed.sessions


# What takes half a minute each

NOT_STARTING: dict[str, tuple[dict[str, Any], str, str]] = {
    "image": ({"botClassName": "no-image"}, "ImagePullFailed", "nobody-built-this"),
    "node": ({"botClassName": "no-room"}, "Unschedulable", "node"),
    "claim": ({"botClassName": "no-claim"}, "ConfigInvalid", "nobody-made-this"),
    "config-map": ({"botClassName": "no-ca"}, "ConfigInvalid", "nobody-made-this-either"),
    "profile": ({"botClassName": "no-profile"}, "ConfigInvalid", "seccomp"),
    "secret": (
        {"botClassName": "hasty", "meetingLink": None, "meetingLinkSecretRef": {"name": "nobody-made-this-secret"}},
        "ConfigInvalid",
        "nobody-made-this-secret",
    ),
    "passcode": (
        {"botClassName": "hasty", "passcodeSecretRef": {"name": "nobody-made-this-passcode"}},
        "ConfigInvalid",
        "nobody-made-this-passcode",
    ),
}


MUTE = {"script": "join; record 25s; end MeetingEnded", "mute-at": "recording"}
DEAF = {"script": "join; wait 4s; record", "mute-at": "recording"}


def test_sessions_whose_bots_do_not_start_or_do_not_report_end_as_what_they_are(
    sessions: Sessions, subtests: pytest.Subtests
) -> None:
    # All go on at the same time, and none is left behind: between two tests the node may be lost.
    for name, (spec, _, _) in NOT_STARTING.items():
        sessions.apply(f"missing-{name}", **spec)
    sessions.apply("mute", metadata=MUTE)
    sessions.apply("deaf", metadata=DEAF, botClassName="brisk")
    with subtests.test("deaf"):  # first: within the minute after which the kubelet ends a bot that does not answer
        _assert_told_by_sigterm(sessions)
    with subtests.test("mute"):
        _assert_completed_without_reports(sessions)
    for missing in NOT_STARTING:
        with subtests.test(missing):
            _assert_named_once_patience_is_over(sessions, missing)


def _assert_told_by_sigterm(sessions: Sessions) -> None:
    wait_until(lambda: _unreachable(sessions, "deaf"), "it is told that the bot is unreachable", PATIENCE)
    sessions.apply("deaf", metadata=DEAF, botClassName="brisk", leave=True)
    status = sessions.phase("deaf", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Completed", "LeaveRequested")


def _assert_completed_without_reports(sessions: Sessions) -> None:
    wait_until(lambda: _unreachable(sessions, "mute"), "it is told that the bot is unreachable", PATIENCE)
    status = sessions.phase("mute", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Completed", "MeetingEnded")


def _unreachable(sessions: Sessions, name: str) -> bool:
    return conditions(sessions.status(name)).get("Reporting") == ("Unknown", "BotUnreachable")


def _assert_named_once_patience_is_over(sessions: Sessions, missing: str) -> None:
    _, reason, word = NOT_STARTING[missing]
    name = f"missing-{missing}"
    status = sessions.phase(name, "Failed", seconds=STARTUP_SECONDS + PATIENCE)
    assert (status["reason"], conditions(status)["Stalled"][0]) == (reason, "True")
    assert word in status["message"]
    uid = sessions.get(name)["metadata"]["uid"]
    wait_until(
        lambda: uid not in {pod["metadata"]["ownerReferences"][0]["uid"] for pod in sessions.pods()},
        "no pod is left",
        PATIENCE,
    )


# An ordinary session


def test_a_meeting_that_ends_completes_its_session(sessions: Sessions) -> None:
    sessions.apply("ordinary", metadata={"script": "lobby 2s; join 2s; record 3s; people Ann, Bo; end MeetingEnded"})
    status = sessions.phase("ordinary", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Completed", "MeetingEnded")
    assert [each["name"] for each in status["participantHistory"]] == ["Ann", "Bo"]
    assert all({"name", "joinedAt", "leftAt"} == each.keys() for each in status["participantHistory"])
    assert (status["currentParticipants"], status["participantCount"]) == ([], 0)
    # The last Event follows the status that it tells of.
    wait_until(lambda: "MeetingEnded" in told(sessions, "ordinary"), "its end is told", PATIENCE)
    assert told(sessions, "ordinary") == [
        "BotPodCreated",
        "Joining",
        "Joined",
        "RecordingStarted",
        "Leaving",
        "MeetingEnded",
    ]
    assert {"Complete": "True", "Ready": "True", "PodScheduled": "True", "Sandboxed": "True"}.items() <= {
        kind: found[0] for kind, found in conditions(status).items()
    }.items()
    wait_until(lambda: not sessions.pod("ordinary")["metadata"].get("finalizers"), "it is released", PATIENCE)
    wait_until(
        lambda: sessions.pod("ordinary")["status"]["phase"] == "Succeeded", "its browser has ended too", PATIENCE
    )


def test_files_that_were_not_verified_fail_the_session_and_are_listed(sessions: Sessions) -> None:
    wishes = {"script": "join; record 1s; end EveryoneLeft", "unverified": "yes", "finisher": "unverified"}
    sessions.apply("unverified", metadata=wishes)
    status = sessions.phase("unverified", "Completed", "Failed", seconds=PATIENCE)
    assert (status["reason"], status["segmentCount"]) == ("VerificationFailed", 1)
    assert "the segments cannot be joined" in status["message"]


# Leave


def test_leave_before_the_bot_started_completes_without_a_bot(sessions: Sessions) -> None:
    sessions.apply("early", botClassName="no-room")
    pod = sessions.pod("early")
    sessions.apply("early", botClassName="no-room", leave=True)
    status = sessions.phase("early", "Completed", "Failed")
    assert (status["phase"], status["reason"]) == ("Completed", "LeaveRequested")
    gone(sessions, pod)


def test_leave_during_the_meeting_completes_with_files(sessions: Sessions) -> None:
    sessions.kubectl.apply(session("leaver", metadata=UNTIL_ASKED))
    sessions.phase("leaver", "Recording", seconds=PATIENCE)
    sessions.kubectl.apply(session("leaver", metadata=UNTIL_ASKED, leave=True))
    wait_until(lambda: "leaveRequestedAt" in sessions.status("leaver"), "the wish is remembered", PATIENCE)
    sessions.kubectl.apply(session("leaver", metadata=UNTIL_ASKED, leave=False))  # as a Git repository would
    status = sessions.phase("leaver", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"], status["videoFileCount"]) == ("Completed", "LeaveRequested", 1)


# Deletion and death


def test_a_deleted_session_sends_its_bot_out_and_leaves_nothing(sessions: Sessions) -> None:
    sessions.apply("deleted", metadata=UNTIL_ASKED)
    sessions.phase("deleted", "Recording", seconds=PATIENCE)
    pod = sessions.pod("deleted")
    sessions.kubectl("delete", "meetingsession", "deleted", "--timeout=100s")
    print(f"deleted session: pod gone after {gone(sessions, pod):.1f} s")
    wait_until(lambda: not sessions.exists("secrets", pod["metadata"]["name"]), "its Secret is gone too", PATIENCE)


def test_kill_9_of_the_bot_is_a_crash(installed: Installed, sessions: Sessions) -> None:
    sessions.apply("killed", metadata=UNTIL_ASKED)
    sessions.phase("killed", "Recording", seconds=PATIENCE)
    pod = sessions.pod("killed")
    pod_processes.kill(installed.kubectl, installed.namespace, pod["metadata"]["name"], "python")
    status = sessions.phase("killed", "Failed", seconds=PATIENCE)
    assert (status["reason"], status["segmentCount"], status["videoFileCount"]) == ("BotCrashed", 1, 1)
    assert status["finisherPod"] == f"{pod['metadata']['name']}-f", "what it recorded was finished without it"
    wait_until(lambda: "BotCrashed" in told(sessions, "killed"), "its end is told", PATIENCE)
    assert told(sessions, "killed")[-3:] == ["Finishing", "FinisherPodCreated", "BotCrashed"]
    finisher = sessions.pod("killed", role=Role.FINISHER)
    wait_until(
        lambda: not sessions.kubectl.json("get", "pod", finisher["metadata"]["name"])["metadata"].get("finalizers"),
        "it is released",
        PATIENCE,
    )


def test_a_deleted_pod_is_an_eviction_and_is_not_made_again(sessions: Sessions) -> None:
    sessions.apply("evicted", metadata=UNTIL_ASKED)
    sessions.phase("evicted", "Recording", seconds=PATIENCE)
    pod = sessions.pod("evicted")
    sessions.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
    status = sessions.phase("evicted", "Failed", seconds=PATIENCE)
    assert status["reason"] == "Evicted"
    gone(sessions, pod)
    uid = sessions.get("evicted")["metadata"]["uid"]
    assert all(each["metadata"]["ownerReferences"][0]["uid"] != uid for each in sessions.pods())


def test_a_namespace_that_is_deleted_during_a_meeting_sends_its_bot_out_and_is_gone(
    installed: Installed, sessions: Sessions
) -> None:
    there = Sessions(installed.kubectl.in_namespace(installed.other))
    there.apply("doomed", metadata=UNTIL_ASKED)
    there.phase("doomed", "Recording", seconds=PATIENCE)
    installed.kubectl("delete", "namespace", installed.other, "--timeout=100s")
    sessions.apply("unharmed", metadata={"script": "join; record 1s; end MeetingEnded"})
    assert sessions.phase("unharmed", "Completed", "Failed", seconds=PATIENCE)["reason"] == "MeetingEnded"


# The operator


def test_an_operator_that_is_killed_goes_on_with_sessions_in_every_phase(
    installed: Installed, sessions: Sessions
) -> None:
    scripts = {
        "Joining": "wait 40s; join; record 1s; end MeetingEnded",
        "Active": "join; wait 40s; record 1s; end MeetingEnded",
        "Recording": "join; record 40s; end MeetingEnded",
    }
    for phase, script in scripts.items():
        sessions.apply(f"survivor-{phase.lower()}", metadata={"script": script})
    for phase in scripts:
        sessions.phase(f"survivor-{phase.lower()}", phase, seconds=PATIENCE)
    sessions.apply("survivor-initializing", metadata={"script": scripts["Recording"]})
    installed.kill_operator()
    uids = set()
    for phase in ("Initializing", *scripts):
        name = f"survivor-{phase.lower()}"
        status = sessions.phase(name, "Completed", "Failed", seconds=PATIENCE)
        assert (status["phase"], status["reason"]) == ("Completed", "MeetingEnded")
        uids.add(sessions.get(name)["metadata"]["uid"])
    owners = [pod["metadata"]["ownerReferences"][0]["uid"] for pod in sessions.pods()]
    assert sorted(each for each in owners if each in uids) == sorted(uids)


def test_a_bot_that_ended_while_no_operator_ran_is_recorded_later(installed: Installed, sessions: Sessions) -> None:
    sessions.apply("orphan", metadata={"script": "join; record 30s; end MeetingEnded"})
    sessions.phase("orphan", "Recording", seconds=PATIENCE)
    installed.scale(0)
    wait_until(lambda: sessions.pod("orphan")["status"]["phase"] == "Succeeded", "the bot ended", PATIENCE)
    assert sessions.status("orphan")["phase"] != "Completed"
    installed.scale(1)
    assert sessions.phase("orphan", "Completed", seconds=PATIENCE)["reason"] == "MeetingEnded"


def test_of_two_operators_one_acts_and_the_other_takes_over(installed: Installed, sessions: Sessions) -> None:
    installed.scale(2)
    sessions.apply("two", metadata={"script": "join; record 30s; end MeetingEnded"})
    sessions.phase("two", "Recording", seconds=PATIENCE)
    first = installed.leader()
    started = time.monotonic()
    installed.kubectl("delete", "pod", first, f"--namespace={installed.own}", "--force", "--grace-period=0")
    wait_until(lambda: installed.leader() not in ("", first), "the other one leads", PATIENCE)
    print(f"leader gone: the other one led after {time.monotonic() - started:.1f} s")
    status = sessions.phase("two", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Completed", "MeetingEnded")
    uid = sessions.get("two")["metadata"]["uid"]
    assert sum(pod["metadata"]["ownerReferences"][0]["uid"] == uid for pod in sessions.pods()) == 1
    installed.scale(1)


# Another attempt


def test_another_bot_joins_after_an_eviction_where_the_session_says_so(sessions: Sessions) -> None:
    sessions.apply("drained", metadata=UNTIL_ASKED, onDisruption="Rejoin")
    first = sessions.phase("drained", "Recording", seconds=PATIENCE)
    pod = sessions.pod("drained")["metadata"]
    evict(sessions.kubectl, pod["namespace"], pod["name"])
    wait_until(lambda: sessions.status("drained").get("attempt") == 2, "a second attempt begins", PATIENCE)
    again = sessions.phase("drained", "Recording", seconds=PATIENCE)
    assert again["botPod"] != first["botPod"]
    assert again["joinTimestamp"] == first["joinTimestamp"]
    sessions.apply("drained", metadata=UNTIL_ASKED, onDisruption="Rejoin", leave=True)
    status = sessions.phase("drained", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"], status["attempt"]) == ("Completed", "LeaveRequested", 2)


def test_another_bot_is_tried_when_the_page_could_not_be_reached(sessions: Sessions) -> None:
    wishes = {"script": "wait 1s; end PageUnreachable"}
    sessions.apply("unreachable", metadata=wishes, backoffLimit=1)
    status = begun(sessions, "unreachable", 2)
    assert (status["phase"], "nextAttemptTime" in status, "botPod" in status) == ("Initializing", True, False)
    assert "attempt 1 ended with PageUnreachable" in status["message"]
    status = sessions.phase("unreachable", "Completed", "Failed", seconds=PATIENCE)
    assert (status["reason"], status["attempt"]) == ("PageUnreachable", 2)
    assert "(attempt 2)" in status["message"]


# An upgrade and a downgrade, and times

NEXT_VERSION = {
    "operator": {"podLabels": {"example.org/version": "next"}, "replicas": 2},
    "botClasses": {"default": {"labels": {"example.org/version": "next"}}},
}
"""Values that roll the operator, to two replicas, and with which a bot's pod would be another one."""
LIVE: dict[str, tuple[dict[str, str], str, str]] = {
    "attended": (UNTIL_ASKED, "Recording", "ready"),
    "waiting": ({"script": "lobby; wait 600s; join"}, "Joining", "started"),
}
"""What the bot does, the session's phase meanwhile, and the last that the kubelet says of container ``bot``."""


def _is(pod: dict[str, Any], known: str) -> bool:
    """Whether the kubelet says this of its bot."""
    return bool(pod["status"]["containerStatuses"][0][known])


def _settled(status: dict[str, Any]) -> set[str]:
    """What a status says, without progress: a detail that waits for the next write may still be added."""
    progress = ("conditions", "duration", "totalDurationSeconds")
    fields = {name: value for name, value in status.items() if name not in progress}
    return {json.dumps(each, sort_keys=True) for each in (*fields.items(), *status["conditions"])}


def test_an_upgrade_and_a_downgrade_change_nothing_for_sessions_and_a_planned_bot_comes_on_time(
    installed: Installed, sessions: Sessions
) -> None:
    prepare_namespace(installed.kubectl, installed.other, "")  # the chart needs it, and a test above deletes it
    for name, (script, _, _) in LIVE.items():
        sessions.apply(name, metadata=script)
    for name, (_, phase, _) in LIVE.items():
        sessions.phase(name, phase, seconds=PATIENCE)
    start = (datetime.now(UTC) + timedelta(seconds=120)).replace(microsecond=0)
    end = start + timedelta(seconds=45)
    times = {"startTime": start.isoformat(), "endTime": end.isoformat()}
    sessions.apply("planned", metadata=UNTIL_ASKED, botClassName="punctual", **times)
    planned = sessions.phase("planned", "Scheduled", seconds=PATIENCE)
    assert "attempt" not in planned
    lobby = ("False", "WaitingRoom")
    wait_until(lambda: conditions(sessions.status("waiting")).get("Joined") == lobby, "it is in the lobby", PATIENCE)
    wait_until(
        lambda: all(_is(sessions.pod(name), known) for name, (_, _, known) in LIVE.items()), "all is known", PATIENCE
    )
    before = {name: _settled(sessions.status(name)) for name in LIVE}
    pods = {name: sessions.pod(name) for name in LIVE}
    first = installed.operators()

    began = time.monotonic()
    upgrade(installed.kubectl, NEXT_VERSION, release=RELEASE, namespace=installed.own)
    second = installed.operators()
    roll_back(installed.kubectl, release=RELEASE, namespace=installed.own)
    third = installed.operators()
    print(f"upgraded and rolled back in {time.monotonic() - began:.1f} s")
    assert not {*first, *third} & {*second}
    assert datetime.now(UTC) < start - timedelta(seconds=3), "the bot was not due before"
    assert sessions.status("planned")["phase"] == "Scheduled"

    status = sessions.phase("planned", "Recording", seconds=120 + PATIENCE)
    made = datetime.fromisoformat(sessions.pod("planned")["metadata"]["creationTimestamp"])
    joined = datetime.fromisoformat(status["joinTimestamp"])
    assert start - timedelta(seconds=3) <= made <= joined <= start + timedelta(seconds=30)  # made: whole seconds
    assert status["scheduledTime"] == planned["scheduledTime"]
    status = sessions.phase("planned", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Completed", "EndTimeReached")
    assert datetime.fromisoformat(status["leaveRequestedAt"]) >= end

    for name in LIVE:
        assert before[name] <= _settled(sessions.status(name))
        # The very same object, of which nobody has written anything: no restart, no other label, no readiness lost.
        assert sessions.pod(name)["metadata"] == pods[name]["metadata"]
    uids = [sessions.get(name)["metadata"]["uid"] for name in (*LIVE, "planned")]
    owners = [pod["metadata"]["ownerReferences"][0]["uid"] for pod in sessions.pods()]
    assert sorted(each for each in owners if each in uids) == sorted(uids)
    assert not [event for name in (*LIVE, "planned") for event in sessions.events(name) if event[0] == "Warning"]
    for name, (script, _, _) in LIVE.items():
        sessions.apply(name, metadata=script, leave=True)
    for name in LIVE:
        assert sessions.phase(name, "Completed", "Failed", seconds=PATIENCE)["reason"] == "LeaveRequested"
