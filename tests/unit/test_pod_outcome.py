"""From a pod that ended to a reason: the order in which witnesses are believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain import pod_outcome
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import ContainerFacts, PodCondition, PodFacts
from meeting_buddy.domain.plan import PatchStatus
from tests.support import operator_facts as make
from tests.support.operator_facts import NOW

DRAINED = PodCondition("True", "EvictionByEvictionAPI", "drained")
KILLED = make.ended(code=137, reason="Error")
NOT_STARTED = make.waiting("PodInitializing")
PROXY = ("proxy", make.ended(code=143, reason="Error"))
NOT_FOUND = make.ended(code=137, reason="ContainerStatusUnknown")
TOLD = make.ended(make.last_word("MeetingEnded"))


@pytest.mark.parametrize(
    ("pod", "leaving", "reason"),
    [
        # The bot's own word wins over everything that happened to its pod afterwards.
        (make.terminated(TOLD, disrupted=DRAINED), False, Reason.MEETING_ENDED),
        (make.terminated(make.ended(make.last_word("MeetingEnded"), 137, "OOMKilled")), False, Reason.MEETING_ENDED),
        # Evicted in it only says "from outside": who did it is known better.
        (make.terminated(make.ended(make.last_word("Evicted")), disrupted=DRAINED), False, Reason.EVICTED),
        (make.terminated(make.ended(make.last_word("Evicted")), disrupted=DRAINED), True, Reason.LEAVE_REQUESTED),
        (
            make.terminated(make.ended(make.last_word("Evicted")), reason="DeadlineExceeded"),
            False,
            Reason.MAX_DURATION_REACHED,
        ),
        # The kernel before the cluster, the cluster before a deletion, a deletion before a crash.
        (make.terminated(make.ended(code=137, reason="OOMKilled"), disrupted=DRAINED), False, Reason.OUT_OF_MEMORY),
        (make.terminated(KILLED, disrupted=DRAINED, deleted_at=NOW), False, Reason.EVICTED),
        (make.terminated(KILLED, disrupted=PodCondition("True", "DeletionByPodGC")), False, Reason.NODE_LOST),
        (make.terminated(KILLED, reason="Evicted", message="low on memory"), False, Reason.EVICTED),
        (make.terminated(KILLED, reason="NodeAffinity"), False, Reason.UNSCHEDULABLE),
        (make.terminated(make.ended(code=128, reason="StartError")), False, Reason.CONFIG_INVALID),
        (make.terminated(KILLED, deleted_at=NOW), False, Reason.EVICTED),
        (make.terminated(KILLED, deleted_at=NOW), True, Reason.LEAVE_REQUESTED),
        # What was injected ends with whatever exit status when the pod is deleted.
        (make.terminated(NOT_STARTED, deleted_at=NOW, injected=(PROXY,)), True, Reason.LEAVE_REQUESTED),
        (make.terminated(NOT_STARTED, deleted_at=NOW, injected=(PROXY,)), False, Reason.EVICTED),
        (make.terminated(NOT_STARTED, injected=(PROXY,)), False, Reason.CONFIG_INVALID),
        # A reason that nobody knows is a refusal only of a pod whose bot never ran.
        (make.terminated(ContainerFacts(), reason="SomethingNew"), False, Reason.UNSCHEDULABLE),
        (make.terminated(NOT_FOUND, reason="SomethingNew"), False, Reason.UNSCHEDULABLE),
        (make.terminated(KILLED, reason="SomethingNew"), False, Reason.BOT_CRASHED),
        (make.terminated(KILLED), False, Reason.BOT_CRASHED),
        (make.terminated(KILLED), True, Reason.BOT_CRASHED),
        (make.terminated(make.ended(), "Succeeded"), False, Reason.BOT_CRASHED),
        (make.terminated(ContainerFacts()), False, Reason.BOT_CRASHED),
        # A pod that PodGC removed before any node had it lost no node.
        (
            make.terminated(ContainerFacts(), node=None, disrupted=PodCondition("True", "DeletionByPodGC")),
            False,
            Reason.EVICTED,
        ),
    ],
)
def test_precedence(pod: PodFacts, leaving: bool, reason: Reason) -> None:
    assert pod_outcome.of_terminated_pod(pod, make.UID, leaving=leaving).reason is reason


@pytest.mark.parametrize("reason", ["OutOfcpu", "VolumeAttachmentLimitExceeded", "OutOfhugepages-2Mi", "SomethingNew"])
@pytest.mark.parametrize("bot", [ContainerFacts(), NOT_FOUND], ids=["no status", "not found"])
def test_a_finisher_that_its_node_refused_was_taken_away(reason: str, bot: ContainerFacts) -> None:
    refused = replace(make.FINISHER, phase="Failed", reason=reason, message="Pod was rejected: no", bot=bot)
    outcome = pod_outcome.taken_away(refused)
    assert outcome is not None
    assert (outcome.reason, outcome.message) == (Reason.UNSCHEDULABLE, "Pod was rejected: no")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Traceback (most recent call last): …",
        make.last_word("MeetingEnded")[:200],
        make.last_word("MeetingEnded", sessionId="mbsess_somebody_elses"),
        make.last_word("MeetingEnded", attempt=2),
        make.last_word("MeetingEnded", contract=99),
        make.joined("Recording").to_json(),
    ],
    ids=["empty", "traceback", "cut", "foreign", "other attempt", "unknown contract", "not ended"],
)
def test_a_message_that_is_not_this_attempts_last_report_is_not_believed(message: str) -> None:
    outcome = pod_outcome.of_terminated_pod(make.terminated(make.ended(message)), make.UID, leaving=False)
    assert outcome.reason is Reason.BOT_CRASHED


def test_the_message_names_signal_or_exit_status() -> None:
    by_signal = pod_outcome.of_terminated_pod(make.terminated(make.ended(code=137, signal=9)), make.UID, leaving=False)
    by_exit = pod_outcome.of_terminated_pod(make.terminated(make.ended(code=3)), make.UID, leaving=False)
    assert "signal 9" in str(by_signal.message)
    assert "exit status 3" in str(by_exit.message)


def test_a_pod_is_dead_only_when_nothing_can_run_any_more() -> None:
    assert not make.pod(phase="Running", deleted_at=NOW).terminated
    assert not make.pod(phase="Unknown").terminated
    assert make.pod(node=None, deleted_at=NOW).terminated
    assert make.terminated(KILLED).terminated


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"])
@pytest.mark.parametrize("backoff_limit", [0, 1])
def test_what_never_ran_was_not_in_the_meeting(reason: str, backoff_limit: int) -> None:
    """Nobody has to finish its files, and another bot may follow."""
    bot = make.ended("container init was OOM-killed (memory limit too low?)", 128, reason)
    status = {"phase": "Initializing", "attempt": 1, "botPod": make.POD}
    facts = make.facts(make.session(status, backoffLimit=backoff_limit), make.terminated(bot))
    [patch] = [each.patch for each in decide(facts, lambda: make.NOW).actions if isinstance(each, PatchStatus)]
    assert patch.get("phase") == (None if backoff_limit else "Failed")
    assert (patch.get("attempt"), patch.get("reason")) == ((2, None) if backoff_limit else (None, "OutOfMemory"))
    assert "OutOfMemory" in patch["message"] or not backoff_limit


@pytest.mark.parametrize("ran", [False, True])
def test_a_container_of_which_nobody_knows_the_end_ran_if_it_has_a_previous_one(ran: bool) -> None:
    """The kubelet writes the same of containers that it never started."""
    bot = make.ended("The container could not be located when the pod was terminated", 137, "ContainerStatusUnknown")
    bot = replace(bot, previous=bot.terminated) if ran else bot
    status = {"phase": "Initializing", "attempt": 1, "botPod": make.POD}
    facts = make.facts(make.session(status, backoffLimit=1), make.terminated(bot, deleted_at=NOW))
    [patch] = [each.patch for each in decide(facts, lambda: make.NOW).actions if isinstance(each, PatchStatus)]
    assert patch.get("attempt") == (None if ran else 2)
