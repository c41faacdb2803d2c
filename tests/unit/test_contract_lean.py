"""Objects that are kept by the thousand share what is alike, and stay apart in what is not."""

from __future__ import annotations

from meeting_buddy.controller.parsing import parse_session
from meeting_buddy.domain.facts import SessionFacts
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_documents as documents

_TIME = "2026-11-23T10:00:00.000Z"


def read(reason: str) -> SessionFacts:
    # Built at run time, as what is read is: the compiler would make one text of two.
    condition = {"type": "Joined", "status": "True", "reason": "".join(list(reason)), "lastTransitionTime": _TIME}
    return parse_session({**documents.session(), "status": {"phase": "Recording", "conditions": [condition]}})


def test_texts_and_names_of_fields_are_kept_once() -> None:
    one, other = [each for _ in range(2) for each in read("InMeeting").status.conditions or ()]
    assert one.model_fields_set is other.model_fields_set
    assert one.reason is other.reason


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
