"""Times of a session on a real API server: on time, moved, missed, ended, removed, also by an operator that was down.

Times are short, and a bot class with a lead of two seconds makes them so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract import identity
from meeting_buddy.domain.times import spelled
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.session import MeetingSessionSpec
from tests.integration.operator_fixtures import crd, fresh_namespace, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_plays import change, no_pods, pods_again, recording, sleep_until
from tests.integration.operator_process import INSTALLATION, PATIENCE, OperatorProcess, Sessions, running, session
from tests.integration.test_operator_lifecycle import conditions, last_word, released
from tests.integration.test_pod_secret import content, secret
from tests.local.cluster.api_client import ApiError
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

pytestmark = pytest.mark.waits

CALLS = "meetingbuddy_api_requests_total"
LEAD = 2
GUESTS = 9
"""Tests that share an operator; each has a namespace of its own."""
_DEFAULT = INSTALLATION["botClasses"]["default"]
TIMED: dict[str, Any] = {
    **INSTALLATION,
    "botClasses": {
        "default": {**_DEFAULT, "timeouts": {**_DEFAULT["timeouts"], "startLeadSeconds": LEAD}},
        "brief": {**_DEFAULT, "ttlSecondsAfterFinished": {"max": 1}},
    },
}


def operator_of(crd: ApiServer, folder: Path, place: str, *also: str) -> OperatorProcess:
    return OperatorProcess(crd.kubeconfig, folder, place, free_port(), also=also, installation=TIMED)


@pytest.fixture(scope="module")
def served(crd: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OperatorProcess, list[str]]]:
    """One operator for all tests that do not end it, and namespaces that nobody used yet."""
    places = [fresh_namespace(crd) for _ in range(GUESTS)]
    with running(operator_of(crd, tmp_path_factory.mktemp("timed-operator"), *places)) as process:
        yield process, places


@pytest.fixture
def guest(crd: ApiServer, served: tuple[OperatorProcess, list[str]]) -> Sessions:
    """What a test sees and does in a fresh namespace that the shared operator serves."""
    return Sessions(crd.kubectl.in_namespace(served[1].pop()))


@pytest.fixture
def operator(crd: ApiServer, place: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator that serves one namespace alone, to be killed."""
    with running(operator_of(crd, tmp_path, place)) as process:
        yield process


def ahead(seconds: float) -> datetime:
    """A moment of the clock, whole seconds as the API server's times are."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def created_at(found: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(found["metadata"]["creationTimestamp"])


def requested(sessions: Sessions, name: str, when: str) -> None:
    """A session as the HTTP API makes it."""
    manifest = session(name)
    manifest["metadata"]["annotations"] = {identity.ANNOTATION_REQUESTED_AT: when}
    sessions.api.create("meetingsessions", manifest)


def test_a_bot_is_made_on_time_and_scheduled_costs_one_patch(
    served: tuple[OperatorProcess, list[str]], guest: Sessions
) -> None:
    before = sum(served[0].writes().values())
    late = [served[0].metric(f"meetingbuddy_start_lateness_seconds_{each}") for each in ("count", "sum")]
    start = ahead(20)
    guest.apply("standup", startTime=spelled(start))
    status = guest.phase("standup", "Scheduled")
    due = start - timedelta(seconds=LEAD)
    expected = f"the bot is made at {spelled(due)}, the meeting starts at {spelled(start)}"
    assert status["message"] == expected
    found = {kind: state for kind, (state, _) in conditions(status).items()}
    assert found["Ready"] == "True"
    assert not {"Reconciling", "Stalled"} & found.keys()
    assert guest.pods() == []
    pod = guest.pod("standup")
    assert timedelta() <= created_at(pod) - due < timedelta(seconds=30)
    after = guest.phase("standup", "Initializing")
    assert (after["scheduledTime"], after["attempt"]) == (status["scheduledTime"], 1)
    assert "message" not in after
    # What was written is counted a moment after it can be seen.
    wait_until(lambda: sum(served[0].writes().values()) - before >= 4, "all is counted", PATIENCE)
    assert sum(served[0].writes().values()) - before == 4, "pod, Secret, Scheduled, Initializing"
    assert served[0].metric("meetingbuddy_start_lateness_seconds_count") == late[0] + 1
    assert 0 <= served[0].metric("meetingbuddy_start_lateness_seconds_sum") - late[1] < 30
    with pytest.raises(ApiError, match=r"spec\.startTime cannot change once the bot was made"):
        change(guest, "standup", startTime=spelled(ahead(600)))


def test_a_start_that_is_moved_is_followed(guest: Sessions) -> None:
    soon = ahead(18)
    guest.apply("later", startTime=spelled(soon))
    guest.apply("earlier", startTime=spelled(ahead(3600)))
    guest.phase("later", "Scheduled")
    guest.phase("earlier", "Scheduled")
    moved = ahead(7200)
    change(guest, "later", startTime=spelled(moved))
    wait_until(lambda: spelled(moved) in guest.status("later")["message"], "the new time is told", PATIENCE)
    change(guest, "earlier", startTime=spelled(ahead(4)), meetingLink=session("x")["spec"]["meetingLink"] + "2")
    assert guest.pod("earlier")
    sleep_until(soon + timedelta(seconds=1))
    assert guest.status("later")["phase"] == "Scheduled"
    assert len(guest.pods()) == 1


def test_what_is_wrong_or_not_wanted_any_more_ends_before_its_time(guest: Sessions) -> None:
    start = spelled(ahead(3600))
    guest.apply("wrong", startTime=start, meetingLink="https://other.buddy.test/rooms/a")
    guest.apply("left", startTime=start)
    guest.phase("left", "Scheduled")
    change(guest, "left", leave=True)
    assert guest.phase("wrong", "Failed")["reason"] == "HostNotAllowed"
    status = guest.phase("left", "Completed")
    assert status["reason"] == "LeaveRequested"
    assert "nothing was stored" in status["message"]
    assert guest.pods() == []


def test_what_is_restored_never_runs_late(guest: Sessions) -> None:
    guest.apply("from-git", startTime=spelled(ahead(-1000)), endTime=spelled(ahead(3600)))
    requested(guest, "from-backup", spelled(ahead(-1000)))
    requested(guest, "fresh", spelled(ahead(-5)))
    requested(guest, "malformed", "a while ago")
    guest.apply("late", startTime=spelled(ahead(-800)))
    for name in ("from-git", "from-backup"):
        status = guest.phase(name, "Failed")
        assert status["reason"] == "Missed"
        assert "Create a new session" in status["message"]
    owners = {guest.pod(name)["metadata"]["ownerReferences"][0]["name"] for name in ("fresh", "malformed", "late")}
    assert len(guest.pods()) == len(owners) == 3


def test_the_bot_is_asked_to_leave_at_the_end_time(guest: Sessions) -> None:
    guest.apply("standup")
    with recording(guest, "standup") as (pod, bot):
        end = ahead(10)
        change(guest, "standup", endTime=spelled(end))
        assert bot.asked_to_leave.wait(10 + PATIENCE)
        assert datetime.now(UTC) >= end
        change(guest, "standup", endTime=spelled(ahead(3600)), leave=True)
        guest.phase("standup", "Leaving")
        guest.ended(pod, last_word(guest, "standup", "LeaveRequested"))
    status = guest.phase("standup", "Completed")
    assert (status["reason"], status["leaveReason"]) == ("EndTimeReached", "EndTimeReached")
    assert datetime.fromisoformat(status["leaveRequestedAt"]) >= end


def test_an_end_time_that_is_moved_before_it_is_reached_is_followed(guest: Sessions) -> None:
    guest.apply("standup")
    with recording(guest, "standup") as (_, bot):
        end = ahead(15)
        change(guest, "standup", endTime=spelled(end))
        change(guest, "standup", endTime=spelled(ahead(3600)))
        assert not bot.asked_to_leave.wait((end - datetime.now(UTC)).total_seconds() + 1)
        change(guest, "standup", endTime=spelled(ahead(1)))
        assert bot.asked_to_leave.wait(PATIENCE)


def test_a_session_that_has_ended_goes_after_its_time_with_its_pods(guest: Sessions) -> None:
    guest.apply("left", leave=True, ttlSecondsAfterFinished=1)
    guest.apply("held", leave=True, botClassName="brief", ttlSecondsAfterFinished=3600)
    guest.apply("stays", leave=True)
    guest.apply("standup", ttlSecondsAfterFinished=15)
    pod = guest.pod("standup")
    guest.scheduled(pod)
    guest.running(pod, ready=True)
    guest.ended(pod, last_word(guest, "standup"))
    status = guest.phase("standup", "Completed")
    wait_until(lambda: released(guest, pod), "its outcome was recorded", PATIENCE)
    ended = datetime.fromisoformat(status["completionTime"])
    for name in ("left", "held", "standup"):
        wait_until(lambda name=name: not guest.exists("meetingsessions", name), f"{name} is removed", PATIENCE)  # type: ignore[misc]
    assert datetime.now(UTC) >= ended + timedelta(seconds=15)
    wait_until(lambda: guest.pods() == [], "its pod goes with it", PATIENCE)
    assert guest.exists("meetingsessions", "stays")


def test_an_operator_that_was_killed_meanwhile_keeps_all_times(operator: OperatorProcess, sessions: Sessions) -> None:
    """What falls into its absence is done when it is back; what was ahead is done on time."""
    sessions.apply("removed", leave=True, ttlSecondsAfterFinished=15)
    removed = datetime.fromisoformat(sessions.phase("removed", "Completed")["completionTime"]) + timedelta(seconds=15)
    start = ahead(75)
    sessions.apply("ahead", startTime=spelled(start))
    sessions.apply("missed", startTime=spelled(ahead(3600)), startingDeadlineSeconds=1)
    sessions.apply("attended", endTime=spelled(ahead(3600)))
    with recording(sessions, "attended") as (pod, bot):
        for name in ("ahead", "missed"):
            sessions.phase(name, "Scheduled")
        operator.kill()
        versions = sessions.get("ahead")["metadata"]["resourceVersion"]
        end = ahead(3)
        change(sessions, "missed", startTime=spelled(ahead(1)))
        change(sessions, "attended", endTime=spelled(end))
        sleep_until(max(end, removed))
        assert not bot.asked_to_leave.is_set()
        operator.start()
        assert bot.asked_to_leave.wait(PATIENCE)
        assert sessions.phase("missed", "Failed")["reason"] == "Missed"
        sessions.ended(pod, last_word(sessions, "attended", "LeaveRequested"))
    assert sessions.phase("attended", "Completed")["reason"] == "EndTimeReached"
    wait_until(lambda: not sessions.exists("meetingsessions", "removed"), "what had its time is removed", PATIENCE)
    assert sessions.get("ahead")["metadata"]["resourceVersion"] == versions, "a new process wrote nothing"
    sleep_until(start - timedelta(seconds=LEAD))
    made = created_at(sessions.pod("ahead"))
    assert timedelta() <= made - (start - timedelta(seconds=LEAD)) < timedelta(seconds=30)


def test_what_somebody_wants_to_keep_after_all_is_kept(operator: OperatorProcess, sessions: Sessions) -> None:
    """The operator hung over the time at which it was due to go: what it has not heard of yet counts."""
    for name in ("kept", "gone"):
        sessions.apply(name, leave=True, ttlSecondsAfterFinished=20)
    ended = [datetime.fromisoformat(sessions.phase(each, "Completed")["completionTime"]) for each in ("kept", "gone")]
    sleep_until(min(ended) + timedelta(seconds=15))  # it hangs for less than its Lease lasts
    operator.pause()
    change(sessions, "kept", ttlSecondsAfterFinished=None)
    sleep_until(max(ended) + timedelta(seconds=20))
    operator.resume()
    wait_until(lambda: not sessions.exists("meetingsessions", "gone"), "the other one is removed", PATIENCE)
    generation = sessions.get("kept")["metadata"]["generation"]
    wait_until(
        lambda: sessions.status("kept")["observedGeneration"] == generation, "the change is acknowledged", PATIENCE
    )


def bot_name(sessions: Sessions, name: str) -> str:
    """What the assignment of a session's bot calls it."""
    pod = sessions.pod(name)
    found = wait_until(lambda: secret(sessions, pod["metadata"]["name"]), f"the bot of {name} has its Secret", PATIENCE)
    return str(json.loads(content(found))["botName"])


def keeps_its_new_time(sessions: Sessions, name: str, moved: datetime) -> None:
    wait_until(lambda: spelled(moved) in sessions.status(name)["message"], "the new time is told", PATIENCE)
    status = sessions.status(name)
    assert (status["phase"], status.get("attempt")) == ("Scheduled", None)


def test_what_was_changed_while_the_operator_hung_over_the_due_time_counts(
    operator: OperatorProcess, sessions: Sessions
) -> None:
    """Its timers ring before its watch has caught up; a pod of the old spec would lock the author out."""
    start = ahead(35)
    due = start - timedelta(seconds=LEAD)
    for name in ("moved", "renamed", "deleted"):
        sessions.apply(name, startTime=spelled(start))
        sessions.phase(name, "Scheduled")
    sleep_until(due - timedelta(seconds=2))
    operator.pause()
    moved = ahead(3600)
    change(sessions, "moved", startTime=spelled(moved))
    change(sessions, "renamed", botName="Second Scribe")
    sessions.api.delete("meetingsessions", "deleted")
    assert sessions.pods() == []
    sleep_until(due + timedelta(seconds=1))
    operator.resume()
    assert bot_name(sessions, "renamed") == "Second Scribe"
    keeps_its_new_time(sessions, "moved", moved)
    assert len(sessions.pods()) == 1


@dataclass
class Deaf(OperatorProcess):
    """An operator whose watches are late: while a file is there, it hears nothing of them, and lists nothing.

    At its start it lists once more when its watches begin, which may be a while later. What the API server refuses,
    it tries again after two minutes.
    """

    def _program(self) -> list[str]:
        return ["-c", _DEAF, str(self.deafness)]

    @property
    def deafness(self) -> Path:
        """The file."""
        return self.folder / "deaf"


_DEAF = """
import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from meeting_buddy.app.__main__ import main
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.resync import NamespaceResync
from meeting_buddy.domain import active

active.REFUSED_RETRY = timedelta(minutes=2)
deaf = Path(sys.argv.pop(1))
heard = EventHandler.event
EventHandler.event = lambda *event: None if deaf.exists() else heard(*event)
listed = NamespaceResync.once

async def once(resync):
    while deaf.exists():
        await asyncio.sleep(0.1)
    await listed(resync)

NamespaceResync.once = once
sys.exit(main())
"""


@pytest.fixture
def deaf(crd: ApiServer, place: str, tmp_path: Path) -> Iterator[Deaf]:
    process = Deaf(crd.kubeconfig, tmp_path, place, free_port(), installation=TIMED)
    with running(process):
        yield process


def test_a_planned_session_is_read_once_more_before_its_pod_is_made(deaf: Deaf, sessions: Sessions) -> None:
    start = ahead(40)
    for name in ("moved", "renamed", "deleted", "as-it-was"):
        sessions.apply(name, startTime=spelled(start))
        sessions.phase(name, "Scheduled")
    deaf.deafness.touch()
    moved = ahead(3600)
    change(sessions, "moved", startTime=spelled(moved))
    change(sessions, "renamed", botName="Second Scribe")
    sessions.api.delete("meetingsessions", "deleted")
    reads = deaf.metric(CALLS, verb="GET", resource="MeetingSession")
    writes = sum(deaf.writes().values())
    assert bot_name(sessions, "renamed") == "Second Scribe"
    assert bot_name(sessions, "as-it-was") != "Second Scribe"
    for name in ("renamed", "as-it-was"):
        sessions.phase(name, "Initializing")
    keeps_its_new_time(sessions, "moved", moved)
    assert len(sessions.pods()) == 2
    # What was written is counted a moment after it can be seen.
    wait_until(lambda: sum(deaf.writes().values()) - writes >= 7, "all is counted", PATIENCE)
    assert deaf.metric(CALLS, verb="GET", resource="MeetingSession") - reads == 5, "one each, and one that was changed"
    assert sum(deaf.writes().values()) - writes == 7, "the time that was moved; twice pod, Secret and status"


def test_too_late_for_a_bot_asks_whether_there_is_one(deaf: Deaf, sessions: Sessions) -> None:
    """What an operator leaves that dies between pod and status, for one whose watch of pods is late."""
    no_pods(sessions)
    start = ahead(10)
    for name in ("attended", "missed"):
        sessions.apply(name, startTime=spelled(start), startingDeadlineSeconds=30)
    for name in ("attended", "missed"):
        sessions.phase(name, "Initializing")  # refused; the next try comes after the deadline
    deaf.deafness.touch()
    pods_again(sessions)
    wait_until(lambda: pod_made(sessions, "attended"), "a pod is made", PATIENCE)
    assert datetime.now(UTC) < start + timedelta(seconds=29), "this machine is too slow for this test"
    assert sessions.phase("missed", "Failed")["reason"] == "Missed"
    wait_until(lambda: "botPod" in sessions.status("attended"), "its pod is found", PATIENCE)
    status = sessions.status("attended")
    assert status["phase"] == "Initializing"
    (pod,) = sessions.pods()
    assert pod["metadata"]["name"] == status["botPod"]
    assert "deletionTimestamp" not in pod["metadata"]


def pod_made(sessions: Sessions, name: str) -> bool:
    """Make the pod of a session as an operator does; whether it was, for admission may still refuse it."""
    found = sessions.get(name)
    metadata, spec = found["metadata"], MeetingSessionSpec.model_validate(found["spec"])
    bot_class = BotClass.model_validate(TIMED["botClasses"]["default"])
    pod_input = BotPodInput(metadata["namespace"], name, metadata["uid"], spec, bot_class)
    try:
        sessions.api.create("pods", session_pod(pod_input))
    except ApiError:
        return False
    return True
