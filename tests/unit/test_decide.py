"""``decide``: its truth table row by row, and the promises that hold for every sequence of events."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import FIRST_BOT, PodId, Role
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.domain import admission, snapshot
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.ending import terminal_outcome
from meeting_buddy.domain.facts import AttemptFacts, ContainerFacts, CreateRejection, ReconcileError, StreamFacts
from meeting_buddy.domain.plan import CreatePod, EmitErrorEvent, EmitEvent, FollowStream, GiveUpPod, PatchStatus, Plan
from meeting_buddy.domain.times import spelled
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_facts as make
from tests.support.operator_facts import NOW
from tests.unit.decide_table import ROWS, Row

NEVER_THERE = "The bot was never in the meeting, so nothing was stored"


def patch_of(plan: Plan) -> dict[str, object]:
    return next((dict(action.patch) for action in plan.actions if isinstance(action, PatchStatus)), {})


def finishing(row: Row) -> bool:
    """Whether the bot's end was settled before, with its advice."""
    return row.facts.current.role is Role.FINISHER


def test_a_bot_that_never_answers_is_looked_at_again() -> None:
    """Nothing else need happen to a pod whose bot cannot be reached from its start."""
    session = make.session({"phase": "Initializing", "attempt": 1, "botPod": make.POD})
    plan = decide(make.facts(session, make.RUNNING_POD), lambda: make.NOW)
    assert any(isinstance(action, FollowStream) for action in plan.actions)
    assert plan.requeue_at == make.later(10)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.situation)
def test_row(row: Row) -> None:
    plan = decide(row.facts, lambda: row.at)
    patch = patch_of(plan)
    assert " ".join(type(action).__name__ for action in plan.actions) == row.actions
    before = row.facts.session.status if row.facts.session and patch else MeetingSessionStatus()
    phase, reason = patch.get("phase", before.phase), patch.get("reason", before.reason)
    assert (phase, reason) == (row.phase, row.reason)


def test_the_table_shows_every_reason_that_the_operator_itself_gives() -> None:
    own = {
        Reason.LINK_INVALID, Reason.HOST_NOT_ALLOWED, Reason.PLATFORM_NOT_AVAILABLE, Reason.CONFIG_INVALID,
        Reason.QUOTA_EXCEEDED, Reason.UNSCHEDULABLE, Reason.IMAGE_PULL_FAILED, Reason.LEAVE_REQUESTED,
        Reason.OUT_OF_MEMORY, Reason.EVICTED, Reason.NODE_LOST, Reason.BOT_CRASHED, Reason.VERIFICATION_FAILED,
        Reason.MAX_DURATION_REACHED, Reason.MISSED, Reason.END_TIME_REACHED,
    }  # fmt: skip
    assert own <= {Reason(row.reason) for row in ROWS if row.reason}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.situation)
def test_a_decision_validates_the_spec_of_a_session_without_a_bot_once(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def counted(*arguments: Any) -> admission.AdmissionResult:
        calls.append(arguments)
        return admission.validate(*arguments)

    monkeypatch.setattr(snapshot, "validate", counted)
    decide(row.facts, lambda: row.at)
    session = row.facts.session
    goes_on = session is not None and not session.deleting
    has_bot = session is not None and None not in (session.status.bot_pod, session.status.platform)
    assert len(calls) == (1 if goes_on and not has_bot else 0)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.reason and not finishing(row)], ids=lambda row: row.situation
)
def test_an_ending_gives_advice(row: Row) -> None:
    plan = decide(row.facts, lambda: row.at)
    assert row.facts.session is not None
    outcome = terminal_outcome(snapshot.Snapshot.of(row.facts, row.facts.session, row.at))
    assert outcome is not None
    message = str(patch_of(plan)["message"])
    if row.phase == "Completed" and message.startswith(NEVER_THERE):
        assert "the bot left" not in message, "there was none"
    else:
        assert (REASONS[Reason(str(row.reason))].advice if outcome.remedy is None else outcome.remedy) in message


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.situation)
def test_nothing_that_is_written_or_told_holds_the_link(row: Row) -> None:
    plan = decide(row.facts, lambda: row.at)
    told = [action.note for action in plan.actions if isinstance(action, EmitEvent | EmitErrorEvent)]
    written = json.dumps(patch_of(plan)) + " ".join(told)
    assert "very-secret" not in written
    assert "token=" not in written
    assert "rooms/standup" not in written


def test_a_leave_before_the_meeting_says_that_nothing_was_stored() -> None:
    plan = decide(make.facts(make.session(leave=True)), lambda: make.NOW)
    assert patch_of(plan)["message"] == f"{NEVER_THERE}."


@pytest.mark.parametrize("ends", [{"endTime": spelled(make.later(300))}, {"leave": True}], ids=["end time", "leave"])
def test_an_end_before_the_meeting_says_what_kept_the_bot_out(ends: dict[str, Any]) -> None:
    waits = {"phase": "Initializing", "scheduledTime": spelled(NOW)}
    quota = CreateRejection("quota", "exceeded quota: pods", make.later(295), since=NOW)
    refused = make.facts(make.session(waits, **ends), rejection=quota)
    pulls = {**waits, "attempt": 1, "botPod": make.POD, "message": "container bot: the image cannot be pulled yet"}
    pulls |= {"leaveRequestedAt": spelled(make.later(300))}  # with which its pod was deleted
    gone = make.terminated(ContainerFacts(), deleted_at=make.later(301))
    ahead = make.later(300) if "leave" in ends else make.later(310)
    failed = {**waits, "attempt": 2, "nextAttemptTime": spelled(ahead)}
    failed["message"] = (
        f"attempt 1 ended with PageUnreachable: DNS; no answer; the next bot is made at {spelled(ahead)}"
    )
    for facts, why in (
        (refused, "exceeded quota: pods"),
        (make.facts(make.session(pulls, **ends), gone), "container bot: the image cannot be pulled yet"),
        (make.facts(make.session(failed, **ends)), "attempt 1 ended with PageUnreachable: DNS; no answer"),
    ):
        patch = patch_of(decide(facts, lambda: make.later(301)))
        assert patch["message"] == f"{NEVER_THERE}. What kept it out: {why}."


def test_a_planned_session_that_is_cancelled_speaks_of_no_bot_that_left() -> None:
    start: dict[str, Any] = {"startTime": "2026-11-23T11:00:00Z"}
    planned = patch_of(decide(make.facts(make.session(**start)), lambda: NOW))
    patch = patch_of(decide(make.facts(make.session(planned, leave=True, **start)), lambda: make.later(5)))
    assert (patch["phase"], patch["message"]) == ("Completed", f"{NEVER_THERE}.")


def test_a_later_attempt_that_is_missed_says_why_there_had_to_be_one_and_what_helps() -> None:
    said = "attempt 1 ended with PageUnreachable: DNS; the next bot is made at 2026-11-23T10:00:10Z"
    status = {"phase": "Initializing", "attempt": 2, "nextAttemptTime": spelled(make.later(10)), "message": said}
    session = make.session({**status, "scheduledTime": spelled(NOW)}, backoffLimit=2)
    patch = patch_of(decide(make.facts(session), lambda: make.later(911)))
    assert patch["reason"] == "Missed"
    assert patch["message"] == (
        "Attempt 1 ended with PageUnreachable: DNS; then no other bot was made until 2026-11-23T10:15:10Z (attempt 2). "
        "Create a new session."
    )


def test_a_bot_that_is_stopped_after_an_end_time_that_nobody_saw_was_due() -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "joinTimestamp": spelled(NOW)}
    word = make.last_word("Evicted", leftAt=spelled(make.later(1860)))
    drained = make.terminated(make.ended(word, at=make.later(1890)), deleted_at=make.later(1980))
    session = make.session(status, endTime=spelled(make.later(1800)))
    patch = patch_of(decide(make.facts(session, drained), lambda: make.later(1900)))
    assert (patch["phase"], patch["reason"]) == ("Completed", "EndTimeReached")
    assert patch["message"] == "The bot was stopped from outside after the session's end time."


def test_an_eviction_is_told_once() -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "joinTimestamp": spelled(NOW)}
    drained = make.terminated(make.ended(make.last_word("Evicted")), deleted_at=NOW)
    message = str(patch_of(decide(make.facts(make.session(status), drained), lambda: NOW))["message"])
    assert message == "The pod was stopped from outside. Keep bots on nodes that are not drained."


def test_a_killed_bot_of_which_no_report_was_read_was_in_the_meeting_from_its_readiness_to_its_end() -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "joinTimestamp": spelled(make.later(20))}
    killed = make.terminated(make.ended(code=137, reason="Error", at=make.later(95)))
    patch = patch_of(decide(make.facts(make.session(status), killed), lambda: make.later(100)))
    assert (patch["phase"], patch["totalDurationSeconds"], patch["duration"]) == ("Leaving", 75, "1m15s")


ADA = {"name": "Ada", "joinedAt": spelled(make.later(25))}
TEN_SECONDS_IN: dict[str, Any] = {
    "phase": "Recording", "attempt": 1, "botPod": make.POD, "joinTimestamp": spelled(make.later(20)),
    "totalDurationSeconds": 10, "duration": "10s", "currentParticipants": [ADA], "participantCount": 1,
}  # fmt: skip


@pytest.mark.parametrize("reports", [False, True], ids=["none read", "an old one read"])
@pytest.mark.parametrize("wanted", [{}, {"recording": {"enabled": False}}], ids=["a finisher follows", "none follows"])
def test_a_killed_bot_was_with_those_who_were_there_to_its_end_whoever_looks_when(
    reports: bool, wanted: dict[str, Any]
) -> None:
    killed = make.terminated(make.ended(code=137, reason="Error", at=make.later(95)))
    people = {"current": [ADA], "seen": 1, "present": 1}
    report = make.joined(time=spelled(make.later(40)), people=people) if reports else None
    facts = make.facts(
        make.session(TEN_SECONDS_IN, **wanted), killed, attempts={FIRST_BOT: AttemptFacts(report=report)}
    )
    patch = patch_of(decide(facts, lambda: make.later(36000)))
    assert (patch["totalDurationSeconds"], patch["duration"]) == (75, "1m15s")
    history: Any = patch["participantHistory"]
    assert [patch["leaveTimestamp"], *(each["leftAt"] for each in history)] == ["2026-11-23T10:01:35.000Z"] * 2


@pytest.mark.parametrize(("heard_at", "seconds"), [(None, 10), (40, 20)], ids=["by the last write", "by a report"])
def test_of_a_bot_whose_node_is_silent_for_good_the_last_that_was_heard_counts(
    heard_at: float | None, seconds: int
) -> None:
    lost = replace(make.READY_POD, ready_since=None, started_at=NOW, active_deadline_seconds=600)
    report = make.joined(time=spelled(make.later(heard_at))) if heard_at is not None else None
    facts = make.facts(make.session(TEN_SECONDS_IN), lost, attempts={FIRST_BOT: AttemptFacts(report=report)})
    patch = patch_of(decide(facts, lambda: make.later(10**6)))
    assert patch["phase"] in ("Completed", "Failed")
    assert patch["leaveTimestamp"] == spelled(make.later(20 + seconds)).replace("Z", ".000Z")
    assert patch.get("totalDurationSeconds", 10) == seconds
    history: Any = patch["participantHistory"]
    assert [each["leftAt"] for each in history] == [patch["leaveTimestamp"]]


def test_a_later_bot_that_was_killed_left_when_it_ended_and_not_as_the_one_before() -> None:
    second = f"{make.POD[:-1]}2"
    status = {
        "phase": "Joining", "attempt": 2, "botPod": second, "joinTimestamp": spelled(make.later(20)),
        "leaveTimestamp": spelled(make.later(30)), "totalDurationSeconds": 10, "duration": "10s",
    }  # fmt: skip
    killed = make.terminated(make.ended(code=137, reason="Error", at=make.later(95)))
    of_it = replace(killed, name=second, uid="pod-2", attempt=2)
    report = make.joined(attempt=2, time=spelled(make.later(80)))
    facts = make.facts(make.session(status), of_it, attempts={PodId(2): AttemptFacts(report=report)})
    patch = patch_of(decide(facts, lambda: make.later(100)))
    assert (patch["leaveTimestamp"], patch["totalDurationSeconds"]) == ("2026-11-23T10:01:35.000Z", 75)


def test_a_killed_bot_that_is_to_join_again_was_in_the_meeting_to_its_end() -> None:
    drained = make.terminated(make.ended(code=137, reason="Error", at=make.later(95)), deleted_at=make.later(90))
    found = decide(make.facts(make.session(TEN_SECONDS_IN, onDisruption="Rejoin"), drained), lambda: make.later(100))
    patch = patch_of(found)
    assert (patch["attempt"], patch["totalDurationSeconds"]) == (2, 75)
    assert patch["leaveTimestamp"] == "2026-11-23T10:01:35.000Z"


def test_a_session_that_begins_anew_knows_nothing_of_its_former_bot() -> None:
    former = AttemptFacts(report=make.joined("Ended", reason="MeetingEnded", leftAt=spelled(make.later(50))))
    plan = decide(make.facts(make.session({}), attempts={FIRST_BOT: former}), lambda: NOW)
    assert plan is not None
    patch = patch_of(plan)
    assert patch["phase"] == "Initializing"
    assert "joinTimestamp" not in patch
    assert [action.reason for action in plan.actions if isinstance(action, EmitEvent)] == ["BotPodCreated"]


@pytest.mark.parametrize("seconds", [100, 600 + 1800 + 121], ids=["it works", "it takes too long"])
def test_a_report_from_before_the_bots_end_does_not_replace_its_last_word_while_the_finisher_works(
    seconds: int,
) -> None:
    done = {
        "type": "Transcribed", "status": "True", "reason": "Done", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-11-23T10:01:00Z",
    }  # fmt: skip
    status = {
        "phase": "Leaving", "reason": "MeetingEnded", "attempt": 1, "botPod": make.POD,
        "finisherPod": f"{make.POD}-f", "platform": "LiveKit", "segmentCount": 180, "totalSizeBytes": 9000,
        "joinTimestamp": "2026-11-23T10:00:20Z", "leaveTimestamp": "2026-11-23T10:01:00Z", "conditions": [done],
    }  # fmt: skip
    stale = make.joined(recording={"segments": 3, "bytes": 50}, transcription={"state": "Live", "lines": 5})
    facts = make.facts(make.session(status), make.FINISHER, attempts={FIRST_BOT: AttemptFacts(report=stale)})
    patch = patch_of(decide(facts, lambda: make.later(seconds)))
    written: Any = patch["conditions"]
    assert not {"segmentCount", "totalSizeBytes", "leaveTimestamp"} & patch.keys()
    assert [each["reason"] for each in written if each["type"] == "Transcribed"] == ["Done"]


def test_where_nobody_knows_any_more_why_a_bot_ended_the_message_says_what_helps() -> None:
    plan = decide(make.facts(make.session(), make.finished(make.last_word("MeetingEnded"))), lambda: make.NOW)
    assert patch_of(plan)["message"] == REASONS[Reason.BOT_CRASHED].advice


def test_a_partial_recording_is_listed_when_the_session_failed() -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "joinTimestamp": "2026-11-23T10:00:20Z"}
    known = make.joined(recording={"segments": 3, "bytes": 77})
    facts = make.facts(make.session(status), make.terminated(make.ended(code=137, reason="Error")), report=known)
    patch = patch_of(decide(facts, lambda: make.NOW))
    assert (patch["phase"], patch["segmentCount"], patch["totalSizeBytes"]) == ("Leaving", 3, 77)
    told = {**status, **patch, "finisherPod": f"{make.POD}-f"}
    left = make.facts(make.session(told), make.terminated(make.ended(code=137, reason="Error")))
    patch = patch_of(decide(left, lambda: make.NOW))
    assert patch["phase"] == "Failed"
    assert not {"segmentCount", "totalSizeBytes"} & patch.keys(), "what was told before stays"


def test_a_platform_without_a_table_is_answered_with_those_that_have_one() -> None:
    patch = patch_of(decide(make.facts(make.session(platform="Parlour")), lambda: make.NOW))
    assert "there is no platform table of Parlour; this installation has LiveKit" in str(patch["message"])


@pytest.mark.parametrize(
    ("attempt", "bot", "seconds"),
    [
        (1, make.ended(make.last_word("Evicted")), 0),
        (1, make.ended(code=137, reason="Error"), 0),
        (5, make.ended(code=137, reason="Error"), 0),
        (2, ContainerFacts(), 20),
        (5, ContainerFacts(), 160),
        (19, ContainerFacts(), 300),
        (2, make.ended("no such device", 128, "StartError"), 20),
        (20, ContainerFacts(), None),
    ],
)
def test_a_bot_joins_again_at_once_where_the_one_before_ran(
    attempt: int, bot: ContainerFacts, seconds: float | None
) -> None:
    """A node that refuses one pod after the other must not use up all attempts within seconds."""
    name = identity.pod_name("standup", make.UID, attempt)
    status = {"phase": "Recording", "attempt": attempt, "botPod": name, "joinTimestamp": "2026-11-23T10:00:20Z"}
    pod = replace(make.terminated(bot, reason="Evicted"), name=name, attempt=attempt)
    ends: dict[str, Any] = {"endTime": "2026-11-23T10:00:15Z"}
    for spec, expected in (({}, seconds), (ends, 0 if seconds == 0 else None)):
        facts = make.facts(make.session(status, onDisruption="Rejoin", **spec), pod)
        patch = patch_of(decide(facts, lambda: make.NOW))
        if expected is None:
            assert patch["reason"] == "Evicted"
            assert "attempt" not in patch
        else:
            found = MeetingSessionStatus.model_validate(patch)
            assert (found.attempt, found.next_attempt_time) == (attempt + 1, make.later(expected))
            assert ("the next bot is made at" in str(found.message)) == (expected > 0)


def test_a_bot_of_which_nobody_knows_counts_as_there_at_its_end_and_another_joins_again() -> None:
    """The operator was away while it joined and was evicted; the next bot never gets in."""
    status = {"phase": "Joining", "attempt": 1, "botPod": make.POD, "scheduledTime": "2026-11-23T10:00:00Z"}
    gone_at = make.later(95)
    lost = make.terminated(make.ended(code=137, reason="Error", at=gone_at), reason="Evicted")
    rejoins = make.session(status, onDisruption="Rejoin", startTime="2026-11-23T10:00:00Z")
    patch = patch_of(decide(make.facts(rejoins, lost), lambda: make.later(100)))
    assert patch["attempt"] == 2
    assert (patch["joinTimestamp"], patch["leaveTimestamp"]) == ("2026-11-23T10:01:35.000Z",) * 2

    told = {key: value for key, value in {**status, **patch}.items() if value is not None}
    waiting = make.session(told, onDisruption="Rejoin", startTime="2026-11-23T10:00:00Z")
    facts = make.facts(waiting, replace(lost, finalizer=False))
    soon = decide(facts, lambda: make.later(990))
    assert isinstance(soon.actions[0], CreatePod)
    patch = patch_of(decide(facts, lambda: make.later(7200)))
    assert (patch["phase"], patch["reason"]) == ("Leaving", "Evicted"), "it was there: it is not Missed"
    assert "attempt" not in patch, "and nobody comes hours later"

    name = identity.pod_name("standup", make.UID, 2)
    second = replace(make.terminated(make.ended(code=137, reason="Error")), name=name, uid="pod-2", attempt=2)
    outside = make.facts(make.session({**told, "botPod": name}), second, report=make.report("Joining", attempt=2))
    patch = patch_of(decide(outside, lambda: make.later(7200)))
    assert (patch["phase"], patch["reason"]) == ("Leaving", "BotCrashed"), "what the first one recorded is finished"
    assert "leaveTimestamp" not in patch, "the first one's stays"


def test_the_time_of_leaving_goes_once_a_bot_is_in_the_meeting_again() -> None:
    name = identity.pod_name("standup", make.UID, 2)
    known = {"joinTimestamp": "2026-11-23T10:00:20Z", "leaveTimestamp": "2026-11-23T10:01:35Z"}
    status = {"phase": "Initializing", "attempt": 2, "botPod": name, **known}
    second = replace(make.RUNNING_POD, name=name, uid="pod-2", attempt=2)
    for phase, gone in (("Joining", False), ("Active", True)):
        report = make.report(phase, attempt=2, everJoined=phase == "Active")
        facts = make.facts(make.session(status), second, report=report, stream=StreamFacts(True, None))
        patch = patch_of(decide(facts, lambda: make.NOW))
        assert patch["phase"] == phase
        assert ("leaveTimestamp" in patch) is gone


def test_it_goes_too_where_readiness_alone_says_that_the_bot_is_in_the_meeting() -> None:
    known = {"joinTimestamp": "2026-11-23T10:00:20Z", "leaveTimestamp": "2026-11-23T10:01:35Z"}
    status = {"phase": "Joining", "attempt": 2, "botPod": make.SECOND, **known}
    second = replace(make.READY_POD, name=make.SECOND, uid="pod-2", attempt=2)
    cut = StreamFacts(connected=False, lost_since=make.NOW)
    patch = patch_of(decide(make.facts(make.session(status), second, stream=cut), lambda: make.later(60)))
    assert (patch["phase"], patch["leaveTimestamp"]) == ("Active", None)


def test_where_the_status_was_emptied_an_earlier_bot_says_that_it_was_in_the_meeting() -> None:
    first = make.terminated(make.ended(make.last_word("Evicted", recording={"verified": False})), finalizer=False)
    second = replace(make.RUNNING_POD, name=make.SECOND, uid="pod-2", attempt=2)
    lobby = make.report("Joining", attempt=2, waiting="WaitingRoom")
    session = make.session(onDisruption="Rejoin")
    facts = make.facts(session, first, second, report=lobby, stream=StreamFacts(True, None))
    assert patch_of(decide(facts, lambda: NOW))["joinTimestamp"] == "2026-11-23T10:00:20.000Z"


def test_a_pod_that_was_outdated_costs_no_retry() -> None:
    status = {"phase": "Joining", "attempt": 2, "botPod": make.SECOND, "scheduledTime": spelled(NOW)}
    ended = make.ended(make.report("Ended", reason="PageUnreachable", attempt=2).to_json())
    second = replace(make.terminated(ended), name=make.SECOND, uid="pod-2", attempt=2)
    known = make.facts(make.session(status, backoffLimit=1), second)
    outdated = replace(known, attempts={**known.attempts, FIRST_BOT: AttemptFacts(outdated="pod-1")})
    assert "attempt" not in patch_of(decide(known, lambda: NOW))
    patch = patch_of(decide(outdated, lambda: NOW))
    assert (patch["attempt"], patch["nextAttemptTime"]) == (3, "2026-11-23T10:00:10.000Z")


@pytest.mark.parametrize(("error_since", "at"), [(30, 630), (590, 1190)])
def test_a_refusal_from_long_ago_does_not_hide_what_is_wrong_now(error_since: float, at: float) -> None:
    """And what is wrong now has as much time as if it were alone."""
    quota = CreateRejection("quota", "exceeded quota", make.later(20), since=NOW)
    status = patch_of(decide(make.facts(make.session(backoffLimit=0), rejection=quota), lambda: make.later(20)))
    webhook = ReconcileError("InternalError", "failed calling webhook", 3, make.later(error_since))
    facts = make.facts(make.session(status, backoffLimit=0), rejection=quota, error=webhook)
    before = patch_of(decide(facts, lambda: make.later(at - 1)))
    assert ("phase" in before, before.get("message", "")) == (False, None)
    patch = patch_of(decide(facts, lambda: make.later(at)))
    assert (patch["phase"], patch["reason"]) == ("Failed", "ConfigInvalid")
    assert "Failed calling webhook" in str(patch["message"])


def test_the_operator_s_own_removal_of_a_pod_is_told_as_what_kept_it_from_starting() -> None:
    status = {"phase": "Initializing", "attempt": 1, "botPod": make.POD}
    why = Outcome(Reason.BROWSER_CRASHED, "the browser ends again and again")
    gone = make.terminated(ContainerFacts(), deleted_at=make.NOW)
    facts = make.facts(make.session(status, backoffLimit=2), gone, given_up=why)
    patch = patch_of(decide(facts, lambda: make.NOW))
    assert "attempt 1 ended with BrowserCrashed: the browser ends again and again" in str(patch["message"])


def test_a_bot_that_is_heard_is_not_lost_whatever_the_clock_says() -> None:
    lobby = make.pod(phase="Running", bot=make.RUNNING, started_at=NOW, active_deadline_seconds=15000)
    joining = make.session({"phase": "Joining", "attempt": 1, "botPod": make.POD, "scheduledTime": spelled(NOW)})
    waits, over = make.report("Joining", waiting="WaitingRoom"), make.report("Ended", reason="NotAdmitted")
    connected = StreamFacts(True, None)
    for stream, report, lost in (
        (connected, waits, False),
        (StreamFacts(False, NOW), waits, True),
        (connected, over, True),  # a stream that has told the end is nobody's any more
    ):
        facts = make.facts(joining, lobby, stream=stream, report=report)
        actions = decide(facts, lambda: make.later(5 * 3600)).actions
        ends = [each.patch for each in actions if isinstance(each, PatchStatus) and each.patch.get("phase") == "Failed"]
        assert bool(ends) is lost


@pytest.mark.parametrize(
    "bot", [make.ended(code=137, reason="Error", at=NOW), make.RUNNING], ids=["its bot had ended", "removed by force"]
)
def test_a_pod_that_vanished_keeps_its_finisher_out_for_a_while_at_most(bot: ContainerFacts) -> None:
    """Its finalizer was removed by hand beside a sidecar that ran on, and nobody saw it being deleted."""
    status = {"phase": "Leaving", "reason": "BotCrashed", "message": "It crashed.", "attempt": 1, "botPod": make.POD}
    times = {"scheduledTime": spelled(NOW), "joinTimestamp": spelled(NOW), "leaveTimestamp": spelled(make.later(60))}
    last_seen = make.pod(phase="Running", bot=bot, finalizer=False, started_at=NOW)
    facts = make.facts(make.session({**status, **times}), attempts={PodId(1): AttemptFacts(last_seen=last_seen)})
    soon = decide(facts, lambda: make.later(200))
    if bot.terminated is not None:
        assert isinstance(soon.actions[0], CreatePod)
        return
    assert not any(isinstance(each, CreatePod) for each in soon.actions)
    assert soon.requeue_at is not None
    patch = patch_of(decide(facts, lambda: make.later(10_000)))
    assert patch["phase"] == "Failed"


def test_the_first_refusal_by_a_quota_after_an_outage_is_waited_for() -> None:
    status = {"phase": "Initializing", "attempt": 2, "nextAttemptTime": spelled(make.later(60))}
    joined = {"scheduledTime": spelled(NOW), "joinTimestamp": spelled(NOW), "leaveTimestamp": spelled(make.later(60))}
    session = make.session({**status, **joined}, onDisruption="Rejoin")
    refused = CreateRejection("quota", "exceeded quota", make.later(720), since=make.later(720))
    for seconds in (721, 1300):  # also when without it nobody would come any more
        actions = decide(make.facts(session, rejection=refused), partial(make.later, seconds)).actions
        assert all(each.patch.get("phase") is None for each in actions if isinstance(each, PatchStatus))
    patch = patch_of(decide(make.facts(session, rejection=refused), lambda: make.later(1321)))
    assert (patch["phase"], patch["reason"]) == ("Leaving", "QuotaExceeded"), "its files are finished"


def test_no_bot_joins_again_long_after_the_one_before_was_driven_out() -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "scheduledTime": spelled(NOW)}
    session = make.session({**status, "joinTimestamp": spelled(NOW)}, onDisruption="Rejoin")
    evicted = make.terminated(make.ended(code=137, reason="Error", at=make.later(60)), reason="Evicted")
    assert patch_of(decide(make.facts(session, evicted), lambda: make.later(120)))["attempt"] == 2
    patch = patch_of(decide(make.facts(session, evicted), lambda: make.later(8 * 3600)))
    assert (patch["phase"], patch["reason"]) == ("Leaving", "Evicted")


def test_the_next_bot_has_a_table_of_its_own() -> None:
    status = {"phase": "Joining", "attempt": 1, "botPod": make.POD, "scheduledTime": spelled(NOW), "tableHash": "old"}
    ended = make.terminated(make.ended(make.report("Ended", reason="PageUnreachable").to_json()))
    patch = patch_of(decide(make.facts(make.session(status, backoffLimit=1), ended), lambda: make.later(60)))
    assert (patch["attempt"], patch["tableHash"]) == (2, None)


def test_the_files_of_a_session_are_where_its_first_pod_had_them() -> None:
    first = make.pod(claim="recordings-old", bot=make.RUNNING)
    assert make.facts(make.session(), first).claim == "recordings-old"
    gone = {PodId(1): AttemptFacts(last_seen=first)}
    assert make.facts(make.session(), attempts=gone).claim == "recordings-old"
    assert make.facts(make.session(), make.pod(claim="recordings-old")).claim is None, "nothing is on it yet"


@pytest.mark.parametrize(("attempt", "follows"), [(19, True), (20, False)])
def test_a_session_has_twenty_bots_at_most(attempt: int, follows: bool) -> None:
    name = identity.pod_name("standup", make.UID, attempt)
    status = {"phase": "Recording", "attempt": attempt, "botPod": name, "scheduledTime": spelled(NOW)}
    session = make.session({**status, "joinTimestamp": spelled(NOW)}, onDisruption="Rejoin")
    ended = make.ended(code=137, reason="Error", at=make.later(60))
    evicted = replace(make.terminated(ended, reason="Evicted"), name=name, attempt=attempt)
    patch = patch_of(decide(make.facts(session, evicted), lambda: make.later(61)))
    assert (patch.get("attempt"), patch["phase"]) == ((20, "Initializing") if follows else (None, "Leaving"))


# A pod that is to go before its bot started


@pytest.mark.parametrize(("asked", "at"), [({"leaveRequestedAt": spelled(NOW)}, 600), ({}, 1200)])
def test_a_deleted_pod_on_a_silent_node_is_waited_for_no_longer_than_the_leave_allows(
    asked: dict[str, Any], at: float
) -> None:
    status = {"phase": "Initializing", "attempt": 1, "botPod": make.POD, "scheduledTime": spelled(NOW), **asked}
    deleted = replace(make.STARTING_POD, deleted_at=make.later(5))
    facts = make.facts(make.session(status), deleted, written_at=make.later(10))
    assert decide(facts, lambda: make.later(10)).requeue_at == make.later(at)
    ended = patch_of(decide(facts, lambda: make.later(at)))
    assert ended["reason"] == ("LeaveRequested" if asked else "Evicted")


@pytest.mark.parametrize(("ends", "at"), [(900, 900), (1500, 1200), (None, 1200)])
def test_the_removal_of_a_pod_that_did_not_start_is_looked_at_when_the_session_s_end_time_comes(
    ends: float | None, at: float
) -> None:
    status = {"phase": "Initializing", "attempt": 1, "botPod": make.POD, "scheduledTime": spelled(NOW)}
    end: dict[str, Any] = {} if ends is None else {"endTime": spelled(make.later(ends))}
    facts = make.facts(make.session(status, backoffLimit=2, **end), make.pod(browser=make.waiting("CrashLoopBackOff")))
    plan = decide(facts, lambda: make.later(601))
    assert any(isinstance(action, GiveUpPod) for action in plan.actions)
    assert plan.requeue_at == make.later(at)


# Whose clock says when a bot ended


@pytest.mark.parametrize(
    ("node", "seen", "at"),
    [(3600, None, 3600 + 30), (3600, 10, 10 + 30), (3600, 4000, 4000 + 30), (-1200, 10, 10 + 30)],
)
def test_the_kubelet_has_the_grace_period_to_say_why_a_sidecar_s_bot_ended_whatever_its_clock_says(
    node: float, seen: float | None, at: float
) -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "joinTimestamp": spelled(NOW)}
    killed = make.ended(code=137, reason="Error", at=make.later(node))
    seen_at = None if seen is None else make.later(seen)
    pod = make.pod(phase="Running", bot=killed, bot_ended_seen_at=seen_at)
    facts = make.facts(make.session(status), pod, written_at=make.later(at - 1))
    assert "reason" not in patch_of(decide(facts, lambda: make.later(at - 1)))
    found = MeetingSessionStatus.model_validate(patch_of(decide(facts, lambda: make.later(at))))
    # By its node's clock, as when it joined.
    assert (found.reason, found.leave_timestamp) == ("BotCrashed", make.later(node))


@pytest.mark.parametrize(
    ("at", "reported", "now", "follows"),
    [
        (-1200, 50, 60, True),  # the node's clock is behind
        (-1200, None, 60, False),  # and nobody knows better
        (60, 50, 60 + 899, True),
        (60, 50, 60 + 900, False),
        (1300, 50, 60, True),  # the node's clock is ahead
        (60, 50, 8 * 3600, False),
    ],
)
def test_a_bot_joins_again_within_a_quarter_of_an_hour_of_the_last_that_was_known_of_the_one_before(
    at: float, reported: float | None, now: float, follows: bool
) -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "scheduledTime": spelled(NOW)}
    session = make.session({**status, "joinTimestamp": spelled(NOW)}, onDisruption="Rejoin")
    ended = make.ended(code=137, reason="Error", at=make.later(at))
    reported_at = None if reported is None else make.later(reported)
    facts = make.facts(session, make.terminated(ended, reason="Evicted"), reported_at=reported_at)
    assert ("attempt" in patch_of(decide(facts, lambda: make.later(now)))) is follows


def test_a_bot_of_whose_end_nobody_tells_the_time_is_followed_although_it_reported_nothing_new_for_long() -> None:
    status = {"phase": "Recording", "attempt": 1, "botPod": make.POD, "scheduledTime": spelled(NOW)}
    session = make.session({**status, "joinTimestamp": spelled(NOW)}, onDisruption="Rejoin")
    facts = make.facts(session, make.terminated(ContainerFacts(), reason="Evicted"), reported_at=NOW)
    assert "attempt" in patch_of(decide(facts, lambda: make.later(3600)))


def test_a_node_s_clock_that_is_ahead_does_not_prolong_the_wait_for_a_finisher() -> None:
    status = {"phase": "Leaving", "reason": "BotCrashed", "message": "It crashed.", "attempt": 1, "botPod": make.POD}
    killed = make.terminated(make.ended(code=137, reason="Error", at=make.later(9000)), bot_ended_seen_at=NOW)
    refused = CreateRejection("quota", "exceeded quota", NOW, since=NOW)
    known = {"scheduledTime": spelled(NOW), "joinTimestamp": spelled(NOW), "leaveTimestamp": spelled(make.later(9000))}
    session = make.session({**status, **known})
    patch = patch_of(decide(make.facts(session, killed, rejection=refused), lambda: make.later(2520)))
    assert patch["phase"] == "Failed"
