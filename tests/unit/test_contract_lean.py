"""Objects that are kept by the thousand share what is alike, and stay apart in what is not."""

from __future__ import annotations

import json

import pytest

from meeting_buddy.contract.lean import make_lean
from meeting_buddy.contract.report_reader import read_report
from meeting_buddy.controller.parsing import parse_session
from meeting_buddy.domain.facts import SessionFacts
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_documents as documents
from tests.support import operator_facts as make

_TIME = "2026-11-23T10:00:00.000Z"


def read(reason: str) -> SessionFacts:
    # Built at run time, as what is read is: the compiler would make one text of two.
    condition = {"type": "Joined", "status": "True", "reason": "".join(list(reason)), "lastTransitionTime": _TIME}
    return parse_session({**documents.session(), "status": {"phase": "Recording", "conditions": [condition]}})


def test_what_is_equal_is_kept_once() -> None:
    one, other = (read("InMeeting") for _ in range(2))
    assert one.status.model_fields_set is other.status.model_fields_set
    assert one.spec.limits is other.spec.limits
    [before], [after] = one.status.conditions or [], other.status.conditions or []
    assert before.reason is after.reason
    assert before.last_transition_time is after.last_transition_time


def test_what_is_not_equal_is_kept_apart() -> None:
    one, other, third = (
        parse_session(documents.session(limits={"nobodyCameSeconds": seconds})) for seconds in (60, 70, 60)
    )
    assert (one.spec.limits.nobody_came_seconds, other.spec.limits.nobody_came_seconds) == (60, 70)
    assert one.spec.limits is third.spec.limits


def test_parts_of_reports_that_are_equal_are_kept_once() -> None:
    reports = [read_report(make.joined(revision=n, browser={"alive": True}).to_json()) for n in (1, 2)]
    for each in reports:
        make_lean(each)
    assert reports[0].browser is reports[1].browser
    assert reports[0].media is reports[1].media
    assert [each.revision for each in reports] == [1, 2]


@pytest.mark.parametrize(
    "browser",
    [{"restarts": 2**61 - 1}, {"ageDays": -(2**61)}, {"version": "x" * 1000}],
    ids=["numbers with one hash", "likewise", "a long text"],
)
def test_a_bot_cannot_fill_what_all_share(browser: dict[str, object]) -> None:
    report = read_report(make.joined(revision=1, browser={"alive": True}).to_json())
    hostile = json.loads(report.to_json()) | {"browser": {"alive": True, **browser}}
    assert read_report(json.dumps(hostile)).browser == report.browser


def test_a_copy_that_is_changed_changes_no_other() -> None:
    one, other = read("InMeeting").status, read("InMeeting").status
    assert one == other
    changed = one.model_copy(update={"message": "x"})
    assert (changed.message, one.message, other.model_fields_set) == ("x", None, set())
    assert changed != one


def test_all_of_it_is_still_written() -> None:
    status = read("InMeeting").status
    assert MeetingSessionStatus.model_validate(status.model_dump(mode="json", by_alias=True)) == status
    [condition] = status.model_dump(mode="json", by_alias=True, exclude_none=True)["conditions"]
    assert condition["lastTransitionTime"] == _TIME
