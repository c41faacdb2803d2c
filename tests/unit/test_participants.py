"""Who is and was in the meeting, as the status collects it from reports that hold the last few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.domain import status
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.plan import PatchStatus
from meeting_buddy.domain.snapshot import Snapshot
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_facts as make


def at(second: int) -> str:
    return f"2026-11-23T10:{second // 60:02}:{second % 60:02}.000Z"


def person(name: str, joined: int) -> dict[str, Any]:
    return {"name": name, "joinedAt": at(joined)}


def gone(name: str, joined: int, left: int) -> dict[str, Any]:
    return {**person(name, joined), "leftAt": at(left)}


def reported(current: list[Any], left: list[Any], seconds: int = 60, **fields: Any) -> Report:
    people = {"current": current, "left": left, "present": len(current), "seen": len(current) + len(left)}
    return make.joined(people=people, time=at(seconds), **fields)


def after(
    *reports: Report | None, phase: Phase = Phase.RECORDING, before: MeetingSessionStatus | None = None
) -> MeetingSessionStatus:
    found = before or MeetingSessionStatus()
    for report in reports:
        session = replace(make.session(), status=found)
        facts = make.facts(session, make.READY_POD, report=report)
        snapshot = Snapshot.of(facts, session, make.later(600))
        if phase.terminal:
            snapshot = snapshot.ended(phase, Reason.MEETING_ENDED, "over", report)
        found = status.compose(replace(snapshot, phase=phase, has_bot=True))
    return found


def current(found: MeetingSessionStatus) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json", by_alias=True) for each in found.current_participants or ()]


def history(found: MeetingSessionStatus) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json", by_alias=True) for each in found.participant_history or ()]


def test_who_leaves_moves_from_the_current_to_the_history() -> None:
    ada, bob = person("Ada", 1), person("Bob", 2)
    first = after(reported([ada, bob], []))
    assert (current(first), history(first), first.participant_count) == ([ada, bob], [], 2)
    second = after(reported([bob], [gone("Ada", 1, 30)]), before=first)
    assert (current(second), history(second), second.participant_count) == ([bob], [gone("Ada", 1, 30)], 1)
    back = after(reported([bob, person("Ada", 50)], [gone("Ada", 1, 30)]), before=second)
    assert (current(back), history(back)) == ([bob, person("Ada", 50)], [gone("Ada", 1, 30)])


def test_the_history_remembers_whom_reports_have_dropped_and_keeps_the_latest() -> None:
    left = [gone(f"Guest {number}", number, 100 + number) for number in range(80)]
    reports = [reported([], left[end - 20 : end][::-1]) for end in range(20, 81, 5)]
    assert history(after(*reports)) == left[-50:]


def test_who_is_missing_without_a_word_was_last_seen_by_that_report() -> None:
    first = after(reported([person("Ada", 1)], []))
    missing = after(reported([], [], 90), before=first)
    assert history(missing) == [gone("Ada", 1, 90)]
    assert history(after(reported([], [gone("Ada", 1, 70)], 120), before=missing)) == [gone("Ada", 1, 70)]
    # It had been cut from a report.
    shown = after(reported([person("Ada", 1)], []), before=missing)
    assert (current(shown), history(shown)) == ([person("Ada", 1)], [])


def test_who_was_cut_from_a_report_is_still_there() -> None:
    ada, bob, cy = person("Ada", 1), person("Bob", 2), person("Cy", 3)
    first = after(reported([ada, bob, cy], []))
    cut = reported([ada], [gone("Cy", 3, 50)], 60)
    cut = cut.model_copy(update={"people": cut.people.model_copy(update={"present": 2})})
    second = after(cut, before=first)
    assert (current(second), history(second)) == ([ada, bob], [gone("Cy", 3, 50)])
    without_ada = reported([bob], [], 80)
    without_ada = without_ada.model_copy(update={"people": without_ada.people.model_copy(update={"present": 2})})
    third = after(without_ada, before=first)  # Ada came before Bob, who is named: she has left
    assert (current(third), history(third)) == ([bob, cy], [gone("Ada", 1, 80)])
    last = after(reported([ada], [], 90), before=second)  # one is there, and it is Ada
    assert (current(last), history(last)) == ([ada], [gone("Cy", 3, 50), gone("Bob", 2, 90)])


def test_the_end_makes_the_history_complete() -> None:
    first = after(reported([person("Ada", 1), person("Bob", 2)], []))
    last = reported([], [gone("Cy", 3, 50), gone("Ada", 1, 55)], 60, leftAt=at(56))
    found = after(last, phase=Phase.COMPLETED, before=first)
    assert (current(found), found.participant_count) == ([], 0)
    assert history(found) == [gone("Cy", 3, 50), gone("Ada", 1, 55), gone("Bob", 2, 56)]


def test_a_bot_that_died_leaves_nobody_in_the_meeting() -> None:
    first = after(reported([person("Ada", 1)], []))
    still_there = after(reported([person("Ada", 1)], [], 70), phase=Phase.FAILED, before=first)
    assert (current(still_there), history(still_there)) == ([], [gone("Ada", 1, 70)])
    silent = after(None, phase=Phase.FAILED, before=first)
    assert (current(silent), silent.participant_count) == ([], 0)
    assert history(silent) == [gone("Ada", 1, 60)], "as long as the bot was heard"


def test_names_without_times_of_an_older_bot_count_too() -> None:
    first = after(reported(["Ada", "Bob"], []))
    assert [each.name for each in first.current_participants or ()] == ["Ada", "Bob"]
    second = after(reported(["Bob"], [], 70), before=first)
    assert [(each.name, each.joined_at) for each in second.participant_history or ()] == [("Ada", None)]
    assert history(second)[0]["leftAt"] == at(70)


def test_without_names_there_are_numbers() -> None:
    found = after(make.joined(people={"present": 3, "seen": 4}))
    assert (current(found), history(found)) == ([], [])
    assert (found.participant_count, found.participant_history_count) == (3, 4)


def test_people_wait_for_their_minute() -> None:
    first = after(reported([person("Ada", 1)], []))
    second = after(reported([person("Bob", 20)], [gone("Ada", 1, 30)]), before=first)
    assert not status.needs_immediate_write(first, second)
    session = replace(make.session(), status=first)
    facts = make.facts(session, make.READY_POD, report=reported([], []), written_at=make.NOW)
    soon, later = decide(facts, lambda: make.later(59)), decide(facts, lambda: make.later(60))
    assert [any(isinstance(each, PatchStatus) for each in plan.actions) for plan in (soon, later)] == [False, True]


PEOPLE = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.integers(0, 3), st.integers(4, 6)), unique_by=lambda one: one[:2], max_size=8
)


@given(st.lists(st.tuples(PEOPLE, PEOPLE), min_size=1, max_size=8), st.sampled_from([Phase.RECORDING, Phase.COMPLETED]))
def test_equal_facts_write_nothing_and_nobody_is_in_both_lists(
    found: list[tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]]], last: Phase
) -> None:
    reports = [
        reported([person(name, joined) for name, joined, _ in there], [gone(*each) for each in left])
        for there, left in found
    ]
    before = after(*reports)
    once = after(reports[-1], phase=last, before=before)
    twice = after(reports[-1], phase=last, before=once)
    assert status.merge_patch(once, twice) == {}
    now = [(each.name, each.joined_at) for each in once.current_participants or ()]
    were = [(each.name, each.joined_at) for each in once.participant_history or ()]
    assert not set(now) & set(were)
    assert len(were) == len(set(were)) <= status.MAX_PEOPLE
    everybody = {
        (each.name, each.joined_at) for report in reports for each in (*report.people.current, *report.people.left)
    }
    assert set(now) | set(were) == everybody
