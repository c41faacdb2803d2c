"""Times of a session, on a clock that the test turns: one look at each moment that counts, none in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from meeting_buddy.contract import identity
from meeting_buddy.contract.wire import moment
from meeting_buddy.controller.parsing import parse_session
from meeting_buddy.domain import times
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import CreateRejection, SessionFacts
from meeting_buddy.domain.plan import CreatePod, DeleteSession, EmitEvent, PatchStatus, Plan, ReleaseFinalizer
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_documents as documents
from tests.support import operator_facts as make
from tests.support.operator_facts import NOW, later

WEEK = 7 * 24 * 3600


class Operator:
    """One session and an operator that looks when its last plan said so, and at no other time."""

    def __init__(self, found: SessionFacts, installation: Any = make.INSTALLATION) -> None:
        self.session, self.installation = found, installation
        self.now, self.wake_up, self.looks = NOW, None, 0
        self.document: dict[str, Any] = {}
        self.patches: list[dict[str, Any]] = []
        self.pods: list[datetime] = []

    wake_up: datetime | None

    def look(self, rejection: CreateRejection | None = None) -> Plan:
        """Decide, and carry out what concerns the session."""
        self.looks += 1
        facts = make.facts(self.session, installation=self.installation, written_at=NOW, rejection=rejection)
        plan = decide(facts, lambda: self.now)
        for action in plan.actions:
            if isinstance(action, PatchStatus):
                self.patches.append(dict(action.patch))
                self.document |= action.patch
                known = {key: value for key, value in self.document.items() if value is not None}
                self.session = replace(self.session, status=MeetingSessionStatus.model_validate(known))
            elif isinstance(action, CreatePod):
                self.pods.append(self.now)
        self.wake_up = plan.requeue_at
        return plan

    def sleep(self) -> None:
        """Until the moment that the last plan named."""
        assert self.wake_up is not None
        self.now = self.wake_up

    def change(self, **spec: Any) -> None:
        """The author changes the spec."""
        known = {**self.session.spec.model_dump(by_alias=True, exclude_none=True), **spec}
        changed = type(self.session.spec).model_validate(known)
        self.session = replace(self.session, spec=changed, generation=self.session.generation + 1)


def week_ahead(**spec: Any) -> Operator:
    return Operator(make.session(startTime=times.spelled(later(WEEK)), **spec))


def ready(status: MeetingSessionStatus) -> dict[str, str]:
    return {each.type: each.status for each in status.conditions or ()}


def test_a_week_ahead_takes_one_look_one_patch_and_one_wake_up() -> None:
    operator = week_ahead()
    operator.look()
    assert (len(operator.patches), operator.pods) == (1, [])
    assert operator.session.status.phase == "Scheduled"
    assert operator.session.status.message == (
        "the bot is made at 2026-11-30T09:59:00Z, the meeting starts at 2026-11-30T10:00:00Z"
    )
    found = ready(operator.session.status)
    assert found["Ready"] == "True"
    assert not {"Reconciling", "Stalled"} & found.keys()
    assert operator.wake_up == later(WEEK - 60)
    operator.sleep()
    operator.look()
    assert operator.pods == [later(WEEK - 60)], "no drift"
    assert (operator.looks, len(operator.patches)) == (2, 2)
    assert "message" not in operator.session.status.model_dump(exclude_none=True)
    assert operator.session.status.scheduled_time == NOW, "when it was accepted"


def test_a_timer_that_rings_early_makes_no_bot_early() -> None:
    operator = week_ahead()
    operator.look()
    operator.now = later(WEEK - 60.5)
    assert operator.look().actions == ()
    assert operator.wake_up == later(WEEK - 60)


def test_looking_again_meanwhile_writes_nothing() -> None:
    operator = week_ahead()
    operator.look()
    for day in range(1, 7):
        operator.now = later(day * 24 * 3600)
        assert operator.look().actions == ()
        assert operator.wake_up == later(WEEK - 60)


@pytest.mark.parametrize("seconds", [7200, 2 * WEEK], ids=["earlier", "later"])
def test_a_start_that_is_moved_is_followed(seconds: int) -> None:
    operator = week_ahead()
    operator.look()
    operator.now = later(60)
    operator.change(startTime=times.spelled(later(seconds)))
    operator.look()
    assert operator.wake_up == later(seconds - 60)
    operator.sleep()
    operator.look()
    assert operator.pods == [later(seconds - 60)]


def test_a_start_that_is_taken_away_means_now() -> None:
    operator = week_ahead()
    operator.look()
    operator.change(startTime=None)
    operator.look()
    assert operator.pods == [NOW]


def test_a_quota_has_its_time_from_when_the_bot_was_due() -> None:
    operator = week_ahead()
    operator.look()
    operator.now = later(3600)
    operator.change(startTime=None)
    for seconds, phase in ((0, "Initializing"), (599, "Initializing"), (600, "Failed")):
        operator.now = later(3600 + seconds)
        operator.look(CreateRejection("quota", "exceeded quota", operator.now))
        assert operator.session.status.phase == phase
    assert operator.session.status.reason == "QuotaExceeded"


def test_the_end_of_the_meeting_wakes_the_operator() -> None:
    operator = Operator(make.session(endTime=times.spelled(later(1800))))
    plan = decide(make.facts(operator.session, make.READY_POD, report=make.joined()), lambda: later(1790))
    assert plan.requeue_at == later(1800)


def test_why_nothing_was_made_in_time_is_told() -> None:
    operator = Operator(make.session(startTime="2026-11-23T09:00:00Z"))
    operator.look()
    assert operator.session.status.reason == "Missed"
    assert operator.session.status.message == (
        "The meeting started at 2026-11-23T09:00:00Z, and until 2026-11-23T09:15:00Z no bot was made. Create a new "
        "session for the next meeting; raise spec.startingDeadlineSeconds where a late bot is of use."
    )


def test_a_restored_request_is_told_what_helps() -> None:
    operator = Operator(make.session(requested_at=later(-3600)))
    plan = operator.look()
    assert [action.reason for action in plan.actions if isinstance(action, EmitEvent)] == ["Missed"]
    assert "requested at 2026-11-23T09:00:00Z" in str(operator.session.status.message)
    assert "Create a new session" in str(operator.session.status.message)


@pytest.mark.parametrize(
    ("session_seconds", "default", "longest", "removed"),
    [
        (None, None, None, None),
        (60, None, None, 60),
        (0, None, None, 0),
        (None, 30, None, 30),
        (60, 30, None, 60),
        (60, None, 30, 30),
        (None, None, 30, 30),
        (20, 10, 30, 20),
        (None, 10, 30, 10),
    ],
)
def test_a_session_goes_when_it_or_its_class_says(
    session_seconds: int | None, default: int | None, longest: int | None, removed: int | None
) -> None:
    ended = {"phase": "Completed", "completionTime": "2026-11-23T10:00:00Z"}
    found = make.session(ended, ttlSecondsAfterFinished=session_seconds)
    operator = Operator(found, make.kept(default, longest))
    if removed is None:
        assert (operator.look(), operator.wake_up) == (Plan(), None)
        return
    if removed:
        assert operator.look().actions == ()
        operator.sleep()
    assert operator.look().actions == (DeleteSession(make.UID, "7"),)
    assert operator.now == later(removed)


def test_an_ending_without_a_pod_is_looked_at_again_to_remove_the_session() -> None:
    operator = Operator(make.session(leave=True, ttlSecondsAfterFinished=60))
    operator.look()
    operator.sleep()
    assert operator.look().actions == ()
    operator.sleep()
    assert operator.look().actions == (DeleteSession(make.UID, "7"),)
    assert operator.now == later(60)


def test_what_the_last_plan_released_is_looked_at_again_to_remove_the_session() -> None:
    ended = {"phase": "Completed", "completionTime": "2026-11-23T10:00:00Z"}
    found = make.session(ended, ttlSecondsAfterFinished=0)
    plan = decide(make.facts(found, make.terminated(make.ended(), "Succeeded")), lambda: NOW)
    assert not any(isinstance(action, DeleteSession) for action in plan.actions)
    assert plan.requeue_at == NOW


@pytest.mark.parametrize(("ttl", "seconds"), [(None, "kept"), (60, 0)])
def test_a_session_that_ended_is_looked_at_when_its_pod_goes_or_at_once_where_more_is_to_be_done(
    ttl: int | None, seconds: object
) -> None:
    keeps: dict[str, Any] = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
    nothing: dict[str, Any] = {"recording": {"enabled": False}, "transcription": {"enabled": False}}
    status = {"phase": "Leaving", "attempt": 1, "joinTimestamp": "2026-11-23T10:00:00Z"}
    found = make.session(status, **nothing, **keeps)
    plan = decide(make.facts(found, make.terminated(make.ended(), "Succeeded")), lambda: NOW)
    assert isinstance(plan.actions[-1], ReleaseFinalizer)
    kept = make.CLASS.timeouts.finished_pod_seconds.failed if seconds == "kept" else 0
    assert plan.requeue_at == later(kept)


@pytest.mark.parametrize("lead", [0, 3600])
def test_the_class_says_how_long_before_the_start_its_bots_are_made(lead: int) -> None:
    timeouts = make.CLASS.timeouts.model_copy(update={"start_lead_seconds": lead})
    bot_class = make.CLASS.model_copy(update={"timeouts": timeouts})
    operator = Operator(
        make.session(startTime=times.spelled(later(WEEK))), replace(make.INSTALLATION, bot_class=bot_class)
    )
    operator.look()
    assert operator.wake_up == later(WEEK - lead)


def test_lateness_is_measured_from_when_the_pod_was_due() -> None:
    assert times.wanted_since(make.session(), make.CLASS) == NOW
    ahead = make.session(startTime=times.spelled(later(WEEK)))
    assert times.wanted_since(ahead, make.CLASS) == later(WEEK - 60)
    assert times.wanted_since(make.session(startTime="2026-11-23T09:50:00Z"), None) == NOW


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-30T10:00:00Z", datetime(2026, 11, 30, 10, tzinfo=UTC)),
        ("2026-11-30t10:00:00z", datetime(2026, 11, 30, 10, tzinfo=UTC)),
        ("2026-11-30T11:00:00.123456789+01:00", datetime(2026, 11, 30, 10, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_rfc_3339_spells_it(text: str, found: datetime) -> None:
    assert moment(text) == found


WRONG = ["", "soon", "2026-11-30", "2026-11-30T10:00:00", "2026-11-30T10:00Z", "1790000000", "2026-13-30T10:00:00Z",
         "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-11-30T10:00:60Z"]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month|second"):
        moment(text)


def stored(requested_at: str) -> SessionFacts:
    document = documents.session()
    document["metadata"]["annotations"] = {identity.ANNOTATION_REQUESTED_AT: requested_at}
    return parse_session(document)


def test_the_http_api_s_annotation_is_read() -> None:
    assert identity.ANNOTATION_REQUESTED_AT == "meetingbuddy.io/requested-at"
    assert stored("2026-11-23T09:00:00Z").requested_at == NOW - timedelta(hours=1)


@pytest.mark.parametrize("text", WRONG)
def test_an_annotation_that_is_no_time_says_nothing(text: str) -> None:
    assert stored(text).requested_at is None


@pytest.mark.parametrize("field", ["startTime", "endTime"])
def test_a_time_that_this_version_cannot_read_ends_a_session_that_has_no_bot(field: str) -> None:
    times_of_spec: dict[str, Any] = {field: "0001-01-01T00:00:00Z"}
    found = parse_session(documents.session(**times_of_spec))
    assert found.unreadable == (f"spec.{field}",)
    operator = Operator(found)
    operator.look()
    assert operator.session.status.reason == "ConfigInvalid"
    assert f"cannot read spec.{field}" in str(operator.session.status.message)


def test_a_change_after_the_end_is_acknowledged_once_and_changes_nothing() -> None:
    condition = {
        "type": "Complete",
        "status": "True",
        "reason": "MeetingEnded",
        "lastTransitionTime": "2026-11-23T09:00:00Z",
        "observedGeneration": 1,
    }
    ended: dict[str, Any] = {
        "phase": "Completed",
        "completionTime": "2026-11-23T10:00:00Z",
        "observedGeneration": 1,
    }
    found = make.session({**ended, "conditions": [condition]}, endTime="2026-11-24T10:00:00Z")
    clock = lambda: make.NOW  # noqa: E731
    assert decide(make.facts(found), clock) == Plan()
    (patch,) = decide(make.facts(replace(found, generation=3)), clock).actions
    assert isinstance(patch, PatchStatus)
    assert patch.patch.keys() == {"observedGeneration", "conditions"}
    assert patch.patch["observedGeneration"] == 3
    told = patch.patch["conditions"][0]
    assert (told["observedGeneration"], told["lastTransitionTime"]) == (3, "2026-11-23T09:00:00.000Z")


def test_what_is_wrong_with_the_installation_for_a_while_ends_no_session_that_waits_for_its_time() -> None:
    start: dict[str, Any] = {"startTime": "2026-11-30T10:00:00Z", "botClassName": "gone"}
    nobody = replace(make.INSTALLATION, bot_class=None)
    scheduled: dict[str, Any] = {"phase": "Scheduled", "observedGeneration": 1, "scheduledTime": "2026-11-23T09:00:00Z"}
    waiting = make.facts(make.session(scheduled, **start), installation=nobody)
    assert waiting.session is not None
    (patch, *_) = decide(waiting, lambda: make.NOW).actions
    assert isinstance(patch, PatchStatus)
    assert "phase" not in patch.patch
    assert "now it would end with ConfigInvalid: bot class 'gone' does not exist" in patch.patch["message"]
    later_spec = replace(waiting, session=replace(waiting.session, generation=2))
    assert not any(
        "phase" in each.patch for each in decide(later_spec, lambda: make.NOW).actions if isinstance(each, PatchStatus)
    )
    # At its time it does, and so do a new one, and one whose own fault it is.
    due = waiting.session.spec.start_time
    assert due is not None
    for changed, now in (
        (waiting.session, due),
        (make.session(**start), make.NOW),
    ):
        found = decide(replace(waiting, session=changed), partial(lambda moment: moment, now)).actions
        assert any(isinstance(each, PatchStatus) and each.patch.get("reason") == "ConfigInvalid" for each in found)
