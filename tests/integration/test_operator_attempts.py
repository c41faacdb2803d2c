"""Several bots for one session, on a real API server: after a failure before the meeting, and after a drain in it.

Nearly all of it is waiting for a back-off, which no setting shortens; so the scenarios are played side by side, each in
a namespace of its own, and each is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.identity import LABEL_ATTEMPT, LABEL_COMPONENT, LABEL_SESSION_UID, Role, session_id
from meeting_buddy.contract.phases import PHASES, Phase
from meeting_buddy.domain.times import spelled
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.session import MeetingSessionSpec
from tests.integration.operator_fixtures import crd, fresh_namespace, served_alone  # noqa: F401 -- fixtures
from tests.integration.operator_plays import (
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    UNREACHABLE,
    all_released,
    assignment_of,
    attends,
    begun,
    change,
    fails,
    finishes,
    finishing,
    followed,
    in_order,
    is_evicted,
    is_gone,
    is_stopped,
    names,
    no_pods,
    phases_of,
    pods_again,
    reason_told,
    recording,
    sleep_until,
    summary,
    waits_for_the_second,
)
from tests.integration.operator_process import INSTALLATION, LINK, PATIENCE, OperatorProcess, Sessions, running, session
from tests.integration.test_lease import started
from tests.integration.test_operator_lifecycle import VERIFIED, conditions, last_word
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

pytestmark = pytest.mark.waits

BACKOFF = timedelta(seconds=10)
WRITES = 9
"""Of a session with one bot: see the lifecycle's test."""
_CLASS = INSTALLATION["botClasses"]["default"]
CLASSES: dict[str, Any] = {
    **INSTALLATION,
    "botClasses": {
        "default": _CLASS,
        "patient": {**_CLASS, "timeouts": {"startupTimeoutSeconds": 45}},
        "hasty": {**_CLASS, "timeouts": {"startupTimeoutSeconds": 30}},
    },
}
STARTUP_DEADLINE = timedelta(seconds=30)
"""Of class `hasty`, whose bot runs by then on a busy machine, too."""
ADVICE = "Check name resolution, proxy and certificates between the cluster and the site."


JOINED_AT = "2026-11-23T10:00:20.000Z"
ALL_SEGMENTS = VERIFIED | {"segments": 5, "bytes": 99}


def asked_to_leave_before_the_next_bot_is_made(sessions: Sessions) -> None:
    first = waits_for_the_second(sessions)
    change(sessions, "standup", leave=True)
    ends_without_another_bot(sessions, first, "LeaveRequested")


def its_end_time_comes_before_the_next_bot_is_made(sessions: Sessions) -> None:
    first = waits_for_the_second(sessions)
    end = datetime.now(UTC) + timedelta(seconds=1)
    change(sessions, "standup", endTime=spelled(end))
    status = ends_without_another_bot(sessions, first, "EndTimeReached")
    assert datetime.fromisoformat(status["completionTime"]) >= end.replace(microsecond=0)


def ends_without_another_bot(sessions: Sessions, first: dict[str, Any], reason: str) -> dict[str, Any]:
    status = sessions.phase("standup", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"], status["attempt"]) == ("Completed", reason, 2)
    assert "nothing was stored" in status["message"]
    assert status.keys().isdisjoint({"nextAttemptTime", "botPod", "finisherPod", "joinTimestamp"})
    assert summary(status) == COMPLETED
    all_released(sessions, first)
    assert names(*sessions.pods()) == names(first)
    return status


def deleted_before_the_next_bot_is_made(sessions: Sessions) -> None:
    waits_for_the_second(sessions)
    due = datetime.fromisoformat(sessions.status("standup")["nextAttemptTime"])
    sessions.api.delete("meetingsessions", "standup")
    wait_until(lambda: all(gone(pod) for pod in sessions.pods()), "its pod goes", PATIENCE)
    sleep_until(due + timedelta(seconds=1))
    sessions.apply("later")
    sessions.pod("later", seconds=PATIENCE)
    assert [pod["metadata"]["labels"][LABEL_ATTEMPT] for pod in sessions.pods() if not gone(pod)] == ["1"]


def gone(pod: dict[str, Any]) -> bool:
    """Whether only its kubelet is missing to remove it, which these tests do without."""
    return "deletionTimestamp" in pod["metadata"] and not pod["metadata"].get("finalizers")


def no_bot_is_left_after_the_last_attempt(sessions: Sessions) -> None:
    sessions.apply("standup", backoffLimit=2)
    with phases_of(sessions, "standup") as phases:
        pods = [fails(sessions, "standup")]
        for attempt in (2, 3):
            followed(sessions, "standup", attempt)
            pods.append(fails(sessions, "standup", attempt))
    status = sessions.phase("standup", "Failed")
    assert (status["reason"], status["attempt"], status["botPod"]) == ("PageUnreachable", 3, *names(pods[2]))
    assert status["message"] == f"{UNREACHABLE.capitalize()} (attempt 3). {ADVICE}"
    assert "nextAttemptTime" not in status
    assert summary(status) == FAILED
    assert in_order(phases), phases
    assert sorted({each.attempt for each in phases}) == [1, 2, 3]
    all_released(sessions, *pods)
    assert names(*sessions.pods()) == names(*pods)
    told = [reason for _, reason, _ in sessions.events("standup")]
    assert (told.count("BotPodCreated"), told.count("PageUnreachable")) == (3, 3)


def a_pod_that_does_not_end_keeps_the_next_one_out(sessions: Sessions) -> None:
    """Its node took it and says nothing more: it may start its containers at any time."""
    sessions.apply("standup", backoffLimit=1, botClassName="patient")
    first = sessions.pod("standup")
    sessions.scheduled(first)
    wait_until(lambda: is_stopped(sessions, "standup"), "it is told to end", PATIENCE)
    status = sessions.status("standup")
    assert (status["phase"], status["attempt"]) == ("Initializing", 1)
    assert "another bot is tried once pod" in status["message"]
    (held,) = sessions.pods()
    assert (held["metadata"]["uid"], held["metadata"]["finalizers"]) == (
        first["metadata"]["uid"],
        first["metadata"]["finalizers"],
    )
    is_gone(sessions, first)
    begun(sessions, "standup", 2)
    second = attends(sessions, "standup", 2)
    status = sessions.phase("standup", "Completed")
    assert (status["reason"], status["attempt"], status["botPod"]) == ("MeetingEnded", 2, *names(second))
    all_released(sessions, first, second)


def another_bot_goes_on_after_a_drain(sessions: Sessions) -> None:
    sessions.apply("standup", backoffLimit=0, onDisruption="Rejoin")
    with phases_of(sessions, "standup") as phases:
        first = is_evicted(sessions, "standup")
        status = begun(sessions, "standup", 2)
        assert (status["phase"], status["joinTimestamp"], status["segmentCount"]) == ("Initializing", JOINED_AT, 2)
        assert summary(status) == IN_PROGRESS
        assert status.keys().isdisjoint({"reason", "finisherPod", "completionTime"})
        assert "leaveTimestamp" in status
        with recording(sessions, "standup", 2) as (second, bot):
            told = assignment_of(sessions, second)
            assert (told["attempt"], told["rejoins"], told["link"]) == (2, True, LINK)
            bot.say("Recording", joinedAt="2026-11-23T10:30:00Z")
            assert "leaveTimestamp" not in sessions.phase("standup", "Recording"), "a bot is there again"
            word = last_word(sessions, "standup", attempt=2, joinedAt="2026-11-23T10:30:00Z", recording=ALL_SEGMENTS)
            sessions.ended(second, word)
    status = sessions.phase("standup", "Completed")
    assert (status["reason"], status["attempt"], status["botPod"]) == ("MeetingEnded", 2, *names(second))
    assert (status["joinTimestamp"], status["segmentCount"], status["totalSizeBytes"]) == (JOINED_AT, 5, 99)
    assert summary(status) == COMPLETED
    assert in_order(phases), phases
    all_released(sessions, first, second)
    assert names(*sessions.pods()) == names(first, second), "and no finisher"
    warned = [(reason, note) for kind, reason, note in sessions.events("standup") if kind == "Warning"]
    (note,) = [note for reason, note in warned if reason == "Evicted"]
    assert note.startswith("attempt 1 ended with Evicted: ")
    assert note.endswith("; another bot joins and goes on")


def asked_to_leave_before_another_bot_is_in_again(sessions: Sessions) -> None:
    """What the first one recorded is finished all the same."""
    sessions.apply("standup", onDisruption="Rejoin")
    sessions.pod("standup")
    no_pods(sessions)
    first = is_evicted(sessions, "standup")
    wait_until(
        lambda: conditions(sessions.status("standup")).get("ReconcileError") == ("True", "QuotaExceeded"),
        "no second pod can be made",
        PATIENCE,
    )
    change(sessions, "standup", leave=True)
    status = reason_told(sessions, "standup")
    assert (status["phase"], status["reason"]) == ("Leaving", "LeaveRequested")
    pods_again(sessions)
    finished = finishes(sessions, "standup", "LeaveRequested", 2)
    status = sessions.phase("standup", "Completed", seconds=PATIENCE)
    assert (status["reason"], status["segmentCount"], status["joinTimestamp"]) == ("LeaveRequested", 2, JOINED_AT)
    assert "botPod" not in status
    assert names(*sessions.pods()) == names(first, finished), "and no second bot"


def what_is_drained_is_finished_where_nobody_is_to_join_again(sessions: Sessions) -> None:
    sessions.apply("standup", backoffLimit=2)
    first = is_evicted(sessions, "standup")
    status = finishing(sessions, "standup")
    assert (status["phase"], status["reason"], status["attempt"]) == ("Leaving", "Evicted", 1)
    finished = finishes(sessions, "standup", "Evicted")
    status = sessions.phase("standup", "Failed", seconds=PATIENCE)
    assert (status["reason"], status["attempt"]) == ("Evicted", 1)
    all_released(sessions, first, finished)
    assert names(*sessions.pods()) == names(first, finished)


def a_quota_costs_no_attempt(sessions: Sessions) -> None:
    """However long it keeps the first bot out: until there is one, its author may still correct the link."""
    no_pods(sessions)
    sessions.apply("standup", backoffLimit=10, botClassName="hasty")

    def refused() -> dict[str, Any] | None:
        status = sessions.status("standup")
        return status if conditions(status).get("ReconcileError") == ("True", "QuotaExceeded") else None

    status = wait_until(refused, "it is told", PATIENCE)
    sleep_until(datetime.fromisoformat(status["scheduledTime"]) + STARTUP_DEADLINE + timedelta(seconds=2))
    status = sessions.phase("standup", "Initializing")
    assert status.keys().isdisjoint({"attempt", "botPod", "nextAttemptTime", "reason"})
    corrected = LINK.replace("standup", "retrospective")
    change(sessions, "standup", meetingLink=corrected)
    pods_again(sessions)
    pod = sessions.pod("standup", seconds=PATIENCE)
    assert assignment_of(sessions, pod)["link"] == corrected
    attends(sessions, "standup")
    status = sessions.phase("standup", "Completed", seconds=PATIENCE)
    assert (status["reason"], status["attempt"]) == ("MeetingEnded", 1)
    assert "QuotaExceeded" not in [reason for _, reason, _ in sessions.events("standup")]


def one_operator_hangs_meanwhile(crd: ApiServer, folder: Path) -> None:
    """Whoever has the Lease then goes on; the one that hung makes no second bot when it wakes up."""
    place = fresh_namespace(crd)
    sessions = Sessions(crd.kubectl.in_namespace(place))
    with started(crd, place, folder) as (hung, other):
        waits_for_the_second(sessions)
        hung.pause()
        followed(sessions, "standup", 2)
        hung.resume()
        wait_until(lambda: hung.metric("meetingbuddy_leader") == 0, "it knows", PATIENCE)
        attends(sessions, "standup", 2)
        status = sessions.phase("standup", "Completed", seconds=PATIENCE)
        assert (status["reason"], status["attempt"]) == ("MeetingEnded", 2)
        assert (hung.attempts()["POST Pod"], other.attempts()["POST Pod"]) == (1, 1)
    assert len(sessions.pods()) == 2


def a_second_bot_joins_where_the_first_could_not(crd: ApiServer, folder: Path) -> None:
    with served_alone(crd, folder) as (operator, sessions):
        before = sum(operator.writes().values())
        sessions.apply("standup", backoffLimit=2)
        first, due = the_first_fails(sessions)
        second = the_second_waits_for_its_time(sessions, first, due)
        with recording(sessions, "standup", 2) as (_, bot):
            status = sessions.status("standup")
            assert conditions(status)["Joined"] == ("True", "InMeeting")
            assert "message" not in status, "nothing is left of the first one's end"
            assert len(bot.tokens) == 1
            sessions.ended(second, last_word(sessions, "standup", attempt=2))
        status = sessions.phase("standup", "Completed", seconds=PATIENCE)
        all_released(sessions, first, second)
        assert (status["reason"], status["attempt"], status["botPod"]) == ("MeetingEnded", 2, *names(second))
        assert (status["botAddress"], status["node"], status["segmentCount"]) == (bot.address, "node1", 2)
        assert summary(status) == COMPLETED
        assert names(*sessions.pods()) == names(first, second)
        writes = operator.writes()
        assert sum(writes.values()) - before <= WRITES + 6, writes


def the_first_fails(sessions: Sessions) -> tuple[dict[str, Any], datetime]:
    """And the status says what follows, and nothing of the bot that is gone; its pod, and when the next one is due."""
    began = datetime.now(UTC)
    first = fails(sessions, "standup")
    status = begun(sessions, "standup", 2)
    due = datetime.fromisoformat(status["nextAttemptTime"])
    assert began + BACKOFF <= due <= datetime.now(UTC) + BACKOFF
    words = f"attempt 1 ended with PageUnreachable: {UNREACHABLE}; the next bot is made at {spelled(due)}"
    assert (status["phase"], status["message"]) == ("Initializing", words)
    assert status.keys().isdisjoint({"reason", "botPod", "botAddress", "node", "finisherPod", "completionTime"})
    assert summary(status) == IN_PROGRESS
    assert conditions(status).keys().isdisjoint({"PodScheduled", "Joined", "Reporting"})
    all_released(sessions, first)
    wait_until(lambda: ("Warning", "PageUnreachable", words) in sessions.events("standup"), "people are told", PATIENCE)
    return first, due


def the_second_waits_for_its_time(sessions: Sessions, first: dict[str, Any], due: datetime) -> dict[str, Any]:
    """And is another one than the first; its pod."""
    uid = sessions.get("standup")["metadata"]["uid"]
    assert names(*sessions.pods()) == names(first) or datetime.now(UTC) >= due
    second = followed(sessions, "standup", 2)
    assert datetime.fromisoformat(second["metadata"]["creationTimestamp"]) >= due.replace(microsecond=0)
    labels = {LABEL_ATTEMPT: "2", LABEL_COMPONENT: Role.BOT.value, LABEL_SESSION_UID: uid}
    assert labels.items() <= second["metadata"]["labels"].items()
    told, before = assignment_of(sessions, second), assignment_of(sessions, first)
    assert (told["attempt"], told["rejoins"], told["link"]) == (2, False, LINK)
    assert told["tokens"]["control"] != before["tokens"]["control"]
    status = wait_until(
        lambda: found if "botPod" in (found := sessions.status("standup")) else None, "its pod is told", PATIENCE
    )
    assert (status["botPod"], status["attempt"]) == (*names(second), 2)
    assert "nextAttemptTime" not in status
    return second


# What an operator left that knew nothing of all this

_OLD = {"attempt": 1, "platform": "LiveKit", "observedGeneration": 1, "scheduledTime": "2026-11-23T10:00:00Z"}
_PLACE = {"node": "node1", "botAddress": "192.0.2.1"}


def left_by_an_old_operator(sessions: Sessions, name: str, **status: Any) -> dict[str, Any]:
    """A session that a version wrote which gave each one bot; its pod."""
    manifest = session(name)
    del manifest["spec"]["backoffLimit"]
    sessions.api.create("meetingsessions", manifest)
    found = sessions.get(name)
    metadata, spec = found["metadata"], MeetingSessionSpec.model_validate(found["spec"])
    made = BotPodInput(metadata["namespace"], name, metadata["uid"], spec, BotClass.model_validate(_CLASS))
    sessions.api.create("pods", session_pod(made))
    pod = sessions.pod(name)
    sessions.scheduled(pod)
    sessions.running(pod)
    known = {"sessionId": session_id(metadata["uid"]), "botPod": made.name, **_OLD, **status}
    known["outputDirectory"] = f"{metadata['namespace']}/{known['sessionId']}"
    sessions.api.patch("meetingsessions", name, {"status": known}, "status")
    return pod


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    since = {"lastTransitionTime": "2026-11-23T10:00:20Z", "observedGeneration": 1}
    return {"type": kind, "status": status, "reason": reason, "message": message, **since}


def left_before(crd: ApiServer, place: str) -> None:
    """Two sessions, before any operator runs."""
    sessions = Sessions(crd.kubectl.in_namespace(place))
    recorded = [
        condition("Ready", "True", "Recording", PHASES[Phase.RECORDING].meaning),
        condition("Joined", "True", "InMeeting"),
        condition("Recording", "True", "Writing"),
        condition("Transcribed", "False", "NoEngine", "the bot class has no transcription engine"),
    ]
    left_by_an_old_operator(
        sessions, "recorded", phase="Recording", joinTimestamp=JOINED_AT, conditions=recorded, **_PLACE
    )
    ended = {"phase": "Failed", "reason": "PageUnreachable", "completionTime": spelled(datetime.now(UTC))}
    pod = left_by_an_old_operator(sessions, "ended", **ended, conditions=[condition("Ready", "False", ended["reason"])])
    sessions.ended(pod, exit_code=1)


def what_an_old_operator_left_goes_on_as_it_was(sessions: Sessions) -> None:
    pods = {name: sessions.pod(name) for name in ("recorded", "ended")}
    all_released(sessions, pods["ended"])
    sessions.apply("new")
    sessions.pod("new")
    left = {name: sessions.status(name) for name in ("recorded", "ended")}
    assert left["ended"]["reason"] == "PageUnreachable"
    assert left["recorded"]["phase"] == "Recording"
    assert not any({"nextAttemptTime", "finisherPod"} & status.keys() for status in left.values())
    sessions.ended(pods["recorded"], last_word(sessions, "recorded"))
    status = sessions.phase("recorded", "Completed", seconds=PATIENCE)
    assert (status["reason"], status["attempt"], status["segmentCount"]) == ("MeetingEnded", 1, 2)
    assert sessions.status("ended") == left["ended"]
    assert len(sessions.pods()) == 3


SCENARIOS: tuple[Callable[[Sessions], None], ...] = (
    what_an_old_operator_left_goes_on_as_it_was,
    no_bot_is_left_after_the_last_attempt,
    a_pod_that_does_not_end_keeps_the_next_one_out,
    another_bot_goes_on_after_a_drain,
    asked_to_leave_before_the_next_bot_is_made,
    its_end_time_comes_before_the_next_bot_is_made,
    deleted_before_the_next_bot_is_made,
    asked_to_leave_before_another_bot_is_in_again,
    what_is_drained_is_finished_where_nobody_is_to_join_again,
    a_quota_costs_no_attempt,
)
"""Told by one operator; the longest first."""
WITH_OPERATORS_OF_THEIR_OWN: tuple[Callable[[ApiServer, Path], None], ...] = (
    one_operator_hangs_meanwhile,
    a_second_bot_joins_where_the_first_could_not,
)
AT_ONCE = 6


@pytest.fixture(scope="module")
def told(crd: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[None]]]:
    """What comes of each scenario."""
    places = [fresh_namespace(crd) for _ in SCENARIOS]
    left_before(crd, places[0])
    folder = tmp_path_factory.mktemp("attempts")
    operator = OperatorProcess(
        crd.kubeconfig, folder, places[0], free_port(), also=tuple(places[1:]), installation=CLASSES
    )
    with running(operator), ThreadPoolExecutor(AT_ONCE) as pool:
        found = {each.__name__: pool.submit(each, crd, folder / each.__name__) for each in WITH_OPERATORS_OF_THEIR_OWN}
        for scenario, place in zip(SCENARIOS, places, strict=True):
            found[scenario.__name__] = pool.submit(scenario, Sessions(crd.kubectl.in_namespace(place)))
        yield found


@pytest.mark.parametrize("scenario", [each.__name__ for each in (*SCENARIOS, *WITH_OPERATORS_OF_THEIR_OWN)])
def test_scenario(told: Mapping[str, Future[None]], scenario: str) -> None:
    told[scenario].result()
