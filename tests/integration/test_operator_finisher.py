"""A bot that was in the meeting ended without verified files: the pod that finishes them, on a real API server.

The scenarios are played side by side, each in a namespace of its own, and each is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.identity import LABEL_ATTEMPT, LABEL_COMPONENT, LABEL_SESSION_UID, Role
from tests.integration.operator_fixtures import crd, fresh_namespace, served_alone  # noqa: F401 -- fixtures
from tests.integration.operator_plays import (
    COMPLETED,
    COUNTS,
    CRASHED,
    FAILED,
    IN_PROGRESS,
    UNVERIFIED,
    all_released,
    assignment_of,
    attends,
    change,
    finisher,
    finishes,
    finishing,
    is_collected,
    is_drained,
    is_killed,
    names,
    no_pods,
    pods_again,
    reason_told,
    summary,
)
from tests.integration.operator_process import INSTALLATION, LINK, PATIENCE, OperatorProcess, Sessions, running
from tests.integration.test_operator_lifecycle import conditions, last_word
from tests.integration.test_pod_secret import content, secret
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

pytestmark = pytest.mark.waits

FINISH_AND_GRACE = timedelta(seconds=20)
"""The shortest that a class can have."""
_CLASS = INSTALLATION["botClasses"]["default"]
CLASSES: dict[str, Any] = {
    **INSTALLATION,
    "botClasses": {
        "default": _CLASS,
        "brief": {**_CLASS, "timeouts": {"startupTimeoutSeconds": 30, "graceSeconds": 10, "finishSeconds": 10}},
    },
}
LEFT = "written segments are on the volume."
VOLUME_FULL = "no space is left on the volume"


def of_a_bot_that_was_killed(sessions: Sessions) -> None:
    sessions.apply("standup", backoffLimit=2)
    ada = {"name": "Ada", "joinedAt": "2026-11-23T10:00:30Z"}
    bot = is_killed(sessions, "standup", people={"present": 2, "seen": 1, "current": [ada]})
    status = finishing(sessions, "standup")
    words = status["message"]
    assert (status["phase"], status["reason"], status["attempt"]) == ("Leaving", "BotCrashed", 1)
    assert words.startswith(CRASHED)
    assert words.endswith(LEFT)
    assert summary(status) == IN_PROGRESS
    assert (conditions(status)["Joined"], conditions(status)["Recording"]) == (("False", "Left"), ("False", "Ended"))
    assert "completionTime" not in status
    assert (status["participantCount"], status["currentParticipants"]) == (0, []), "the bot is with nobody any more"
    assert [each["name"] for each in status["participantHistory"]] == ["Ada"]
    assert (status["botPod"], status["finisherPod"]) == (*names(bot), f"{names(bot)[0]}-f")
    all_released(sessions, bot)
    is_what_finishes(sessions, finisher(sessions, "standup"), bot)
    finished = finishes_all(sessions, "BotCrashed")
    status = sessions.phase("standup", "Failed", seconds=PATIENCE)
    assert (status["reason"], status["message"], status["attempt"]) == ("BotCrashed", words, 1)
    assert COUNTS.items() <= status.items()
    assert summary(status) == FAILED
    all_released(sessions, finished)
    assert names(*sessions.pods()) == names(bot, finished)
    told = [reason for _, reason, _ in sessions.events("standup")]
    assert [told.count(each) for each in ("Finishing", "FinisherPodCreated", "BotCrashed")] == [1, 1, 1]


def finishes_all(sessions: Sessions, reason: str) -> dict[str, Any]:
    """A finisher that runs already ends well; its pod."""
    pod = sessions.pod("standup", 1, Role.FINISHER)
    sessions.ended(pod, last_word(sessions, "standup", reason))
    return pod


def is_what_finishes(sessions: Sessions, pod: dict[str, Any], bot: dict[str, Any]) -> None:
    """One container with the bot's folder and image, and without all that leads to a meeting."""
    uid, (container,) = sessions.get("standup")["metadata"]["uid"], pod["spec"]["containers"]
    labels = {LABEL_COMPONENT: "finisher", LABEL_ATTEMPT: "1", LABEL_SESSION_UID: uid}
    assert labels.items() <= pod["metadata"]["labels"].items()
    assert pod["metadata"]["finalizers"] == bot["metadata"]["finalizers"]
    assert "initContainers" not in pod["spec"]
    assert container["command"] == ["tini", "--", "meeting-buddy-bot", "finish"]
    assert container["image"] == bot["spec"]["containers"][0]["image"]
    assert recordings(pod) == recordings(bot)
    assert {each["name"] for each in container["volumeMounts"]} == {"assignment", "recordings", "bot-tmp", "bot-home"}
    known = assignment_of(sessions, pod)
    assert (known["reason"], known["attempt"], known["message"]) == (
        "BotCrashed",
        1,
        sessions.status("standup")["message"],
    )
    assert known["joinedAt"]
    assert known["tokens"] == assignment_of(sessions, bot)["tokens"]
    found = secret(sessions, pod["metadata"]["name"])
    assert found is not None
    assert not any(part.encode() in content(found) for part in (LINK, LINK.rpartition("#")[2]))


def recordings(pod: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pod's mount of the recordings, and what it mounts."""
    (mount,) = [each for each in pod["spec"]["containers"][0]["volumeMounts"] if each["name"] == "recordings"]
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "recordings"]
    assert mount["subPath"]
    return mount, volume


def after_the_meeting_had_ended(sessions: Sessions) -> None:
    """And nothing that its author says any more changes that."""
    sessions.apply("standup")
    bot = attends(sessions, "standup", recording=UNVERIFIED | {"segments": 1})
    status = finishing(sessions, "standup")
    assert (status["phase"], status["reason"]) == ("Leaving", "MeetingEnded")
    finisher(sessions, "standup")
    change(sessions, "standup", leave=True)
    generation = sessions.get("standup")["metadata"]["generation"]
    wait_until(lambda: sessions.status("standup")["observedGeneration"] == generation, "the leave is seen", PATIENCE)
    assert sessions.status("standup")["phase"] == "Leaving"
    finished = finishes_all(sessions, "MeetingEnded")
    status = sessions.phase("standup", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Completed", "MeetingEnded")
    assert COUNTS.items() <= status.items()
    assert summary(status) == COMPLETED
    all_released(sessions, bot, finished)


def that_cannot_verify_the_files(sessions: Sessions) -> None:
    sessions.apply("standup")
    attends(sessions, "standup", recording=UNVERIFIED)
    finishing(sessions, "standup")
    counted = UNVERIFIED | {"segments": 4, "bytes": 8}
    finished = finishes(sessions, "standup", "MeetingEnded", recording=counted, message=VOLUME_FULL)
    status = sessions.phase("standup", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Failed", "VerificationFailed")
    assert f"The files were not finished: {VOLUME_FULL}." in status["message"]
    assert (status["segmentCount"], status["totalSizeBytes"]) == (4, 8)
    assert summary(status) == FAILED
    all_released(sessions, finished)


def that_crashes(sessions: Sessions) -> None:
    sessions.apply("standup")
    is_killed(sessions, "standup")
    finishing(sessions, "standup")
    pod = finisher(sessions, "standup")
    sessions.ended(pod, exit_code=137, reason="Error")
    status = sessions.phase("standup", "Failed", seconds=PATIENCE)
    assert status["reason"] == "BotCrashed"
    assert status["message"].startswith(CRASHED)
    assert f"The files were not finished: pod {names(pod)[0]}, which was to do it, ended with" in status["message"]
    all_released(sessions, pod)
    assert len(sessions.pods()) == 2, "no second finisher"


def that_somebody_removes(sessions: Sessions) -> None:
    sessions.apply("standup")
    attends(sessions, "standup", recording=UNVERIFIED)
    name = finishing(sessions, "standup")["finisherPod"]
    sessions.api.patch("pods", name, {"metadata": {"finalizers": None}})
    sessions.api.delete("pods", name, gracePeriodSeconds=0)
    status = sessions.phase("standup", "Failed", seconds=PATIENCE)
    assert (status["reason"], status["segmentCount"]) == ("VerificationFailed", 2)
    assert f"pod {name}, which was to do it, " in status["message"]
    assert len(sessions.pods()) == 1, "no second finisher"


def that_is_drained(sessions: Sessions) -> None:
    """Another one of its name follows, once Kubernetes has removed its Secret: with that one the next would start."""
    sessions.apply("standup")
    attends(sessions, "standup", recording=UNVERIFIED)
    first = finisher(sessions, "standup")
    (name,) = names(first)
    word = last_word(sessions, "standup", "MeetingEnded", recording=UNVERIFIED, message="stopped from outside")
    is_drained(sessions, first, message=word)
    status = wait_until(
        lambda: found if "ReconcileError" in conditions(found := sessions.status("standup")) else None,
        "what is in the way is told",
        PATIENCE,
    )
    assert conditions(status)["ReconcileError"] == ("True", "AlreadyExists")
    assert (status["phase"], status["reason"]) == ("Leaving", "MeetingEnded")
    assert "finisherPod" not in status
    assert len(sessions.pods()) == 1, "no pod beside the old Secret"
    is_collected(sessions, first)
    finishes(sessions, "standup", "MeetingEnded")
    status = sessions.phase("standup", "Completed", "Failed", seconds=PATIENCE)
    assert (status["phase"], status["reason"]) == ("Completed", "MeetingEnded")
    assert COUNTS.items() <= status.items()
    assert "ReconcileError" not in conditions(status)
    told = [note for _, reason, note in sessions.events("standup") if reason == "Evicted"]
    gone = f"pod {name}, which was to finish the files, is gone, and another one follows: the pod was deleted"
    assert told == [gone]


def that_a_quota_keeps_out_for_a_while(sessions: Sessions) -> None:
    sessions.apply("standup")
    sessions.pod("standup")
    no_pods(sessions)
    is_killed(sessions, "standup")
    status = reason_told(sessions, "standup")
    assert (status["phase"], status["reason"]) == ("Leaving", "BotCrashed")
    refused = wait_until(
        lambda: found if "ReconcileError" in conditions(found := sessions.status("standup")) else None,
        "it is told",
        PATIENCE,
    )
    assert conditions(refused)["ReconcileError"] == ("True", "QuotaExceeded")
    assert "finisherPod" not in refused
    assert len(sessions.pods()) == 1
    pods_again(sessions)
    finishes(sessions, "standup", "BotCrashed")
    status = sessions.phase("standup", "Failed", seconds=PATIENCE)
    assert (status["reason"], status["segmentCount"]) == ("BotCrashed", 2)
    assert "ReconcileError" not in conditions(status)


def that_takes_too_long(sessions: Sessions) -> None:
    sessions.apply("standup", botClassName="brief")
    is_killed(sessions, "standup")
    pod = finisher(sessions, "standup")
    status = sessions.phase("standup", "Failed", seconds=PATIENCE)
    assert status["reason"] == "BotCrashed"
    assert f"The files were not finished: pod {names(pod)[0]} did not do it in time" in status["message"]
    made, ended = pod["metadata"]["creationTimestamp"], status["completionTime"]
    assert datetime.fromisoformat(ended) - datetime.fromisoformat(made) >= FINISH_AND_GRACE
    all_released(sessions, pod)
    (found,) = [each for each in sessions.pods() if names(each) == names(pod)]
    assert "deletionTimestamp" in found["metadata"]


def takes_five_writes_more(crd: ApiServer, folder: Path) -> None:
    with served_alone(crd, folder) as (operator, sessions):
        before = sum(operator.writes().values())
        sessions.apply("standup")
        bot = is_killed(sessions, "standup")
        finished = finishes(sessions, "standup", "BotCrashed")
        sessions.phase("standup", "Failed", seconds=PATIENCE)
        all_released(sessions, bot, finished)
        writes = operator.writes()
        assert sum(writes.values()) - before <= 9 + 5, writes


SCENARIOS: tuple[Callable[[Sessions], object], ...] = (
    that_takes_too_long,
    that_a_quota_keeps_out_for_a_while,
    that_is_drained,
    of_a_bot_that_was_killed,
    after_the_meeting_had_ended,
    that_cannot_verify_the_files,
    that_crashes,
    that_somebody_removes,
)
"""Told by one operator; the longest first."""
AT_ONCE = 5


@pytest.fixture(scope="module")
def told(crd: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Any]]]:
    """What comes of each scenario."""
    places = [fresh_namespace(crd) for _ in SCENARIOS]
    folder = tmp_path_factory.mktemp("finishers")
    operator = OperatorProcess(
        crd.kubeconfig, folder, places[0], free_port(), also=tuple(places[1:]), installation=CLASSES
    )
    found: dict[str, Future[Any]] = {}
    with running(operator), ThreadPoolExecutor(AT_ONCE) as pool:
        for scenario, place in zip(SCENARIOS, places, strict=True):
            found[scenario.__name__] = pool.submit(scenario, Sessions(crd.kubectl.in_namespace(place)))
        found[takes_five_writes_more.__name__] = pool.submit(takes_five_writes_more, crd, folder / "alone")
        yield found


@pytest.mark.parametrize("scenario", [each.__name__ for each in (*SCENARIOS, takes_five_writes_more)])
def test_scenario(told: Mapping[str, Future[Any]], scenario: str) -> None:
    told[scenario].result()
