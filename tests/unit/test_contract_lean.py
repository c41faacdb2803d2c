"""Models that are kept by the thousand share what is alike, and stay apart in what is not."""

from meeting_buddy.resource.session import Condition
from tests.support.operator_facts import NOW


def condition(reason: str) -> Condition:
    # Built at run time, as what is read is: the compiler would make one text of two.
    return Condition(type="Joined", status="True", reason="".join(reason), last_transition_time=NOW)


def test_texts_and_names_of_fields_are_kept_once() -> None:
    one, other = condition("InMeeting"), condition("InMeeting")
    assert one.model_fields_set is other.model_fields_set
    assert one.reason is other.reason


def test_a_copy_that_is_changed_changes_no_other() -> None:
    one, other = condition("InMeeting"), condition("InMeeting")
    assert one == other
    changed = one.model_copy(update={"reason": "Left"})
    assert (changed.reason, one.reason, other.model_fields_set) == ("Left", "InMeeting", set())
    assert changed != one
