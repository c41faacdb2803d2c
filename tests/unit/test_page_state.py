"""What snapshots over time mean: each misleading page is a list of snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import Condition, Match, State, Step
from meeting_buddy_bot.platforms.join_loop import BlankPage, JoinDeadlines
from meeting_buddy_bot.platforms.page_state import NOTHING, PageState, PageStateTracker
from meeting_buddy_bot.platforms.probe import PageSnapshot, fold
from meeting_buddy_bot.platforms.step_runner import StepRunner
from meeting_buddy_bot.session.result import SessionResult
from tests.support.bot_clock import FakeClock
from tests.support.platform_tables import platform_table

TABLE = platform_table("livekit")
POLL = 0.25


def snapshot(
    *elements: str, path: str | None = None, console: Iterable[str] = (), dialog: str | None = None
) -> PageSnapshot:
    """A snapshot in which these elements of the LiveKit table are there."""
    seen: set[Match] = set()
    parts: list[Condition] = [step.when for step in TABLE.steps] + list(TABLE.signals)
    for match in (match for part in parts for match in part.matches):
        if (match.element and match.element in elements) or (path is not None and match.path == path):
            seen.add(match)
        if match.console and all(any(fold(each) in fold(line) for line in console) for each in match.console):
            seen.add(match)
        if match.dialog and dialog and fold(match.dialog) in fold(dialog):
            seen.add(match)
    return PageSnapshot(frozenset(seen))


OWN, LEAVE, TOAST, LOBBY = "own tile", "leave button", "connection toast", "pre-join form"
IN_CALL, BLANK = snapshot(OWN, LEAVE), snapshot()


def judge(
    snapshots: Iterable[PageSnapshot | None],
    *,
    tracker: PageStateTracker | None = None,
    picture: bool | None = None,
    start: float = 0,
) -> list[PageState]:
    tracker = tracker or PageStateTracker(TABLE)
    return [tracker.update(each, start + POLL * number, picture) for number, each in enumerate(snapshots)]


def in_the_call() -> PageStateTracker:
    tracker = PageStateTracker(TABLE)
    assert judge([IN_CALL] * 4, tracker=tracker)[-1].state is State.IN_CALL
    return tracker


def test_joining_shows_disconnected_first_and_is_not_over() -> None:
    toast = snapshot(OWN, LEAVE, TOAST)
    states = [each.state for each in judge([snapshot(LOBBY), toast, toast, toast, IN_CALL, IN_CALL, IN_CALL])]
    assert states == [State.PRE_JOIN, None, None, None, None, None, State.IN_CALL]


def test_the_call_must_hold_without_a_break() -> None:
    states = {each.state for each in judge([IN_CALL, BLANK] * 20)}
    assert State.IN_CALL not in states
    states = {each.state for each in judge([IN_CALL, None] * 20)}
    assert State.IN_CALL not in states


def test_one_sign_of_the_call_is_not_enough() -> None:
    for half in (snapshot(OWN), snapshot(LEAVE), snapshot(OWN, LEAVE, LOBBY)):
        assert State.IN_CALL not in {each.state for each in judge([half] * 20)}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("client leave request received (action=0) room=x participant=y reason=4", Reason.REMOVED_FROM_MEETING),
        ("client leave request received (action=0) room=x participant=y reason=5", Reason.MEETING_ENDED),
        ("client leave request received (action=0)", Reason.MEETING_ENDED),
    ],
)
def test_the_console_tells_why_the_page_turned_away(line: str, reason: Reason) -> None:
    verdict = judge([snapshot(path="/", console=[line])], tracker=in_the_call(), start=10)[0]
    assert (verdict.state, verdict.reason) == (State.ENDED, reason)


def test_a_server_that_asks_to_reconnect_ends_nothing() -> None:
    asked = snapshot(OWN, LEAVE, console=["client leave request received (action=1) reason=4"])
    assert {each.state for each in judge([asked] * 8, tracker=in_the_call(), start=10)} <= {State.IN_CALL, None}


def test_a_page_that_turns_away_without_a_word_has_lost_the_connection() -> None:
    verdicts = judge([snapshot(path="/")] * 8, tracker=in_the_call(), start=10)
    assert verdicts[0].state is None
    assert verdicts[-1] == PageState(State.ENDED, verdicts[-1].signal, Reason.CONNECTION_LOST)


def test_the_start_page_before_joining_ends_nothing() -> None:
    assert {each.state for each in judge([snapshot(path="/")] * 50)} == {None}


def test_an_alert_refuses_and_a_bad_token_is_told_from_a_server_that_is_down() -> None:
    prefix = "Encountered an unexpected error, check the console logs for details: "
    for text, reason in (
        ("could not establish signal connection: invalid authorization token", Reason.ENTRY_DENIED),
        ("could not establish signal connection: invalid token: [token]", Reason.ENTRY_DENIED),
        ("could not establish signal connection: Failed to fetch", Reason.PAGE_UNREACHABLE),
        ("Encountered websocket error during connection establishment", Reason.PAGE_UNREACHABLE),
    ):
        assert judge([snapshot(dialog=prefix + text)])[0].reason is reason


def test_an_alert_about_a_device_refuses_nothing() -> None:
    assert judge([snapshot(LOBBY, dialog="media device: NotFoundError")])[0].state is State.PRE_JOIN


def test_a_frozen_call_is_not_back_because_the_toast_is_gone() -> None:
    tracker = in_the_call()
    toast = judge([snapshot(OWN, LEAVE, TOAST)] * 12, tracker=tracker, picture=False, start=10)
    assert toast[-1].state is State.RECONNECTING
    frozen = judge([IN_CALL] * 100, tracker=tracker, picture=False, start=20)
    assert State.IN_CALL not in {each.state for each in frozen}
    gone = judge([snapshot(path="/")] * 8, tracker=tracker, picture=None, start=50)
    assert gone[-1].reason is Reason.CONNECTION_LOST


@pytest.mark.parametrize("picture", [True, None])
def test_a_call_whose_pictures_advance_again_is_back(picture: bool | None) -> None:
    tracker = in_the_call()
    judge([snapshot(OWN, LEAVE, TOAST)] * 12, tracker=tracker, picture=False, start=10)
    assert judge([IN_CALL] * 8, tracker=tracker, picture=picture, start=20)[-1].state is State.IN_CALL


def test_still_pictures_alone_mean_nothing() -> None:
    verdicts = judge([IN_CALL] * 400, tracker=in_the_call(), picture=False, start=10)
    assert {each.state for each in verdicts} == {State.IN_CALL}


def test_missing_signs_end_the_meeting_after_their_time_and_not_before() -> None:
    verdicts = judge([BLANK] * 200, tracker=in_the_call(), start=10)
    states = [each.state for each in verdicts]
    assert states.index(State.ENDED) * POLL == pytest.approx(TABLE.timeouts.missing)
    assert verdicts[-1].reason is Reason.MEETING_ENDED


@pytest.mark.parametrize("ends", [LOBBY, None], ids=["still there", "gone again"])
def test_a_page_that_is_back_before_joining_does_not_tell_that_the_meeting_is_over(ends: str | None) -> None:
    shown = [BLANK] * 3 + [snapshot(LOBBY)] * 20 + [snapshot(ends) if ends else BLANK] * 200
    verdicts = judge(shown, tracker=in_the_call(), start=10)
    assert verdicts[3].state is State.PRE_JOIN
    assert [each.state for each in verdicts].index(State.ENDED) * POLL == pytest.approx(TABLE.timeouts.missing)
    assert verdicts[-1] == PageState(State.ENDED, verdicts[3].signal, Reason.CONNECTION_LOST)


def test_a_page_that_was_before_joining_for_a_moment_counts_anew_after_the_call() -> None:
    tracker = in_the_call()
    judge([snapshot(LOBBY)] * 8 + [IN_CALL] * 4, tracker=tracker, start=10)
    assert judge([BLANK] * 200, tracker=tracker, start=20)[-1].reason is Reason.MEETING_ENDED


def test_one_sign_of_the_call_resets_the_count() -> None:
    almost = int(TABLE.timeouts.missing / POLL) - 2
    verdicts = judge(([BLANK] * almost + [IN_CALL] * 4) * 3, tracker=in_the_call(), start=10)
    assert State.ENDED not in {each.state for each in verdicts}


def test_one_reading_after_a_long_silence_ends_nothing() -> None:
    tracker = in_the_call()
    assert tracker.update(None, 20) == NOTHING
    assert tracker.update(None, 500) == NOTHING
    assert judge([IN_CALL] * 4, tracker=tracker, start=501)[-1].state is State.IN_CALL


def test_time_in_which_the_page_could_not_be_read_ends_no_meeting_but_its_connection() -> None:
    verdicts = judge([None] * 200, tracker=in_the_call(), start=1)
    assert next(number for number, each in enumerate(verdicts) if each != NOTHING) == pytest.approx(
        TABLE.timeouts.missing / POLL, abs=2
    )
    assert verdicts[-1] == PageState(State.ENDED, reason=Reason.CONNECTION_LOST)


NOT_LOADED = PageSnapshot(frozenset(), error_page=True)
"""Chromium's own page, in place of the meeting's."""


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (NOT_LOADED, Reason.CONNECTION_LOST),
        (PageSnapshot(frozenset(), status=503), Reason.CONNECTION_LOST),
        (PageSnapshot(frozenset(), status=410), Reason.MEETING_ENDED),
    ],
    ids=["error page", "503", "410"],
)
def test_a_page_that_was_not_loaded_does_not_tell_that_the_meeting_is_over(shown: PageSnapshot, reason: Reason) -> None:
    verdicts = judge([shown] * 300, tracker=in_the_call(), start=1)
    assert next(number for number, each in enumerate(verdicts) if each != NOTHING) == pytest.approx(
        TABLE.timeouts.missing / POLL, abs=2
    )
    assert verdicts[-1] == PageState(State.ENDED, reason=reason)


def test_what_a_page_of_a_failing_server_shows_counts() -> None:
    call = replace(IN_CALL, status=503)
    assert judge([call] * 300, tracker=in_the_call(), start=1)[-1].state is State.IN_CALL
    assert judge([replace(snapshot(LOBBY), status=503)] * 300, tracker=in_the_call(), start=1)[-1].signal is not None


@pytest.mark.parametrize("between", [None, BLANK, IN_CALL], ids=["a new document", "nothing known", "the call"])
def test_a_page_that_mostly_times_out_has_lost_its_connection(between: PageSnapshot | None) -> None:
    tracker, now = in_the_call(), 1.0
    for number in range(100):
        timed_out = number % 4 < 3
        now += POLL + (3 if timed_out else 0)
        state = tracker.update(None if timed_out else between, now)
        if state.state is State.ENDED:
            break
    assert state.reason is Reason.CONNECTION_LOST
    assert now == pytest.approx(TABLE.timeouts.missing, abs=10)


def test_one_gap_between_looks_ends_nothing() -> None:
    for seen in (BLANK, None):
        tracker = in_the_call()
        verdicts = judge([seen] * 10, tracker=tracker, start=10)
        verdicts += judge([seen] * 10, tracker=tracker, start=1000)
        assert State.ENDED not in {each.state for each in verdicts}


@pytest.mark.parametrize(("seen", "reason"), [(BLANK, Reason.MEETING_ENDED), (None, Reason.CONNECTION_LOST)])
def test_looks_that_are_always_far_apart_come_to_an_end(seen: PageSnapshot | None, reason: Reason) -> None:
    tracker = in_the_call()
    assert reason in {tracker.update(seen, 20.0 * number).reason for number in range(1, 10)}


def test_a_sign_of_the_call_makes_up_for_what_was_not_read() -> None:
    almost = int(TABLE.timeouts.missing / POLL) - 5
    verdicts = judge(([None] * almost + [IN_CALL] * 4) * 3, tracker=in_the_call(), start=1)
    assert State.ENDED not in {each.state for each in verdicts}


@given(st.lists(st.sampled_from([BLANK, None, None, None]), max_size=400))
def test_a_meeting_is_over_only_after_its_time_without_a_sign_was_read(snapshots: list[PageSnapshot | None]) -> None:
    verdicts = judge(snapshots, tracker=in_the_call(), start=1)
    for number, verdict in enumerate(verdicts):
        if verdict.reason is Reason.MEETING_ENDED:
            assert snapshots[: number + 1].count(BLANK) * POLL > TABLE.timeouts.missing


@given(st.lists(st.sampled_from([IN_CALL, BLANK, None, snapshot(OWN, LEAVE, TOAST)]), max_size=60))
def test_a_joined_tracker_never_ends_within_its_time(snapshots: list[PageSnapshot | None]) -> None:
    verdicts = judge(snapshots, tracker=in_the_call(), start=10)
    assert State.ENDED not in {each.state for each in verdicts}


# The join loop


def step(name: str, *, most: int = 3, **more: Any) -> Step:
    return Step.model_validate({"name": name, "do": "click", "target": f"{name} button", "maxRuns": most} | more)


def tried(steps: StepRunner, snapshot: PageSnapshot, *, performed: bool) -> str | None:
    """Name of the step that came next; what became of it is told."""
    if (found := steps.next(snapshot)) is None:
        return None
    steps.tried(found, performed)
    return found.name


def actable(*names: str, seen: Iterable[Match] = ()) -> PageSnapshot:
    return PageSnapshot(frozenset(seen), frozenset(names))


def test_the_first_step_that_applies_is_run() -> None:
    steps = StepRunner((step("one"), step("two")))
    names = [
        found.name if (found := steps.next(each)) else None
        for each in (actable("two"), actable("one", "two"), actable(), None)
    ]
    assert names == ["two", "one", None, None]


def test_a_step_is_run_as_often_as_it_may_and_then_makes_way() -> None:
    steps = StepRunner((step("one", most=2), step("two", most=1)))
    names = [tried(steps, actable("one", "two"), performed=True) for _ in range(4)]
    assert names == ["one", "one", "two", None]


def runs(steps: StepRunner, clock: FakeClock, shown: PageSnapshot, seconds: float) -> list[float]:
    """When steps are run while the page shows that, in seconds from now."""
    found, began = [], clock.now()
    while clock.now() < began + seconds:
        if tried(steps, shown, performed=True) is not None:
            found.append(clock.now() - began)
        clock.later(0.5)
    return found


def test_a_step_whose_clicks_were_lost_is_run_again_ever_more_rarely() -> None:
    clock = FakeClock()
    steps = StepRunner((step("gate", most=3),), clock)
    assert runs(steps, clock, actable("gate"), 45) == [0, 0.5, 1, 6, 16, 36]
    assert len(runs(steps, clock, actable("gate"), 4 * 3600)) < 10


def test_a_step_that_is_run_again_makes_way_meanwhile() -> None:
    clock = FakeClock()
    steps = StepRunner((step("one", most=2), step("two", most=2)), clock)
    names = []
    for _ in range(12):
        names.append(tried(steps, actable("one", "two"), performed=True))
        clock.later(1)
    assert names == ["one", "one", "two", "two", None, None, "one", None, "two", None, None, None]


@pytest.mark.parametrize("more", [{"most": 1}, {"do": "type", "value": "{passcode}", "target": "field", "most": 3}])
def test_what_may_be_done_once_and_a_passcode_are_never_repeated(more: dict[str, Any]) -> None:
    clock = FakeClock()
    steps = StepRunner((step("once", **more),), clock)
    most = more["most"]
    assert len(runs(steps, clock, actable("once"), 3600)) == most
    clock.later(3600)
    assert runs(steps, clock, actable("once"), 3600) == []


def test_a_notice_that_comes_again_later_is_a_new_one() -> None:
    clock = FakeClock()
    steps = StepRunner((step("gate", most=3),), clock)
    for _ in range(20):
        assert runs(steps, clock, actable("gate"), 2) == [0, 0.5, 1]
        assert runs(steps, clock, actable(), 120) == []
    assert runs(steps, clock, actable("gate"), 2) == [0, 0.5, 1]
    assert runs(steps, clock, actable(), 30) == []
    assert runs(steps, clock, actable("gate"), 2) == [0], "it came back at once"


@pytest.mark.parametrize("lobby", [5, 60])
def test_who_is_sent_back_to_the_door_again_and_again_does_not_knock_for_ever(lobby: float) -> None:
    clock = FakeClock()
    steps, deadlines = StepRunner((step("join", most=3),), clock), JoinDeadlines(TABLE, clock)
    knocked, waiting_until = 0, 0.0
    while True:
        waits = clock.now() < waiting_until
        seen = actable() if waits else actable("join")
        if tried(steps, seen, performed=True):
            knocked, waiting_until = knocked + 1, clock.now() + lobby
        if deadlines.verdict(PageState(State.LOBBY if waits else State.PRE_JOIN), None, 200) is not None:
            break
        clock.later(0.5)
    assert knocked < 10


def test_a_step_that_could_not_be_run_is_tried_again_and_lets_others_try_as_often() -> None:
    steps = StepRunner((step("passcode", most=1), step("close", most=1)))
    covered = [tried(steps, actable("passcode", "close"), performed=False) for _ in range(8)]
    assert covered == ["passcode"] * 3 + ["close"] * 3 + ["passcode"] * 2
    assert tried(steps, actable("close"), performed=True) == "close"
    assert tried(steps, actable("passcode"), performed=True) == "passcode"
    assert tried(steps, actable("passcode"), performed=True) is None


def test_once_a_step_could_be_run_the_others_come_in_their_order_again() -> None:
    steps = StepRunner((step("name", most=1), step("terms", most=1), step("join", most=1)))
    assert [tried(steps, actable("name"), performed=False) for _ in range(4)] == ["name"] * 4
    assert tried(steps, actable("name", "terms", "join"), performed=True) == "terms"
    assert tried(steps, actable("name", "join"), performed=True) == "name"


def test_a_step_that_can_never_be_run_is_left_alone_in_the_end() -> None:
    steps = StepRunner((step("close", most=1),))
    names = [tried(steps, actable("close"), performed=False) for _ in range(1000)]
    assert names == ["close"] * 150 + [None] * 850


def test_a_step_needs_its_target_and_its_condition() -> None:
    terms = Match(element="terms")
    steps = StepRunner((step("agree", when={"all": ["terms"]}),))
    assert steps.next(actable("agree")) is None
    assert steps.next(actable(seen=[terms])) is None
    assert steps.next(actable("agree", seen=[terms])) is not None


def test_a_page_that_nothing_is_known_of_is_given_up_after_loading() -> None:
    clock = FakeClock()
    deadlines = JoinDeadlines(TABLE, clock)
    clock.later(TABLE.timeouts.load - 1)
    assert deadlines.verdict(NOTHING, None, 200) is None
    clock.later(1)
    result = deadlines.verdict(NOTHING, None, 200)
    assert result is not None
    assert result.reason is Reason.PAGE_NOT_RECOGNISED


def test_the_time_of_opening_again_is_no_time_to_show_something() -> None:
    clock = FakeClock()
    deadlines = JoinDeadlines(TABLE, clock)
    clock.later(5)
    assert deadlines.verdict(NOTHING, None, 200) is None
    began = clock.now()
    clock.later(TABLE.timeouts.load)
    deadlines.reopened(began)
    clock.later(TABLE.timeouts.load - 6)
    assert deadlines.verdict(NOTHING, None, 200) is None
    clock.later(1)
    assert deadlines.verdict(NOTHING, None, 200) is not None


def test_a_page_is_blank_while_it_answers_and_shows_nothing_known() -> None:
    clock = FakeClock()
    blank = BlankPage(clock)

    def look(seconds: float, *, read: bool = True, known: bool = False) -> bool:
        clock.later(seconds)
        blank.look(read=read, known=known)
        return blank.due

    assert not look(4)
    assert not look(60, read=False), "it may only be slow"
    assert look(1)
    assert not look(1, known=True)
    assert not look(4)
    assert look(1)


def test_a_page_that_showed_something_is_opened_again_twice_at_most() -> None:
    clock = FakeClock()
    blank = BlankPage(clock)
    for recognised in (False, False, False, True, True):
        clock.later(5)
        blank.look(read=True, known=False)
        assert blank.due
        blank.reopened(recognised=recognised)
        assert not blank.due
    clock.later(60)
    blank.look(read=True, known=False)
    assert not blank.due


def test_an_error_page_of_the_site_is_unreachable_instead() -> None:
    clock = FakeClock()
    deadlines = JoinDeadlines(TABLE, clock)
    clock.later(TABLE.timeouts.load)
    assert deadlines.verdict(NOTHING, None, 502) == SessionResult(
        Reason.PAGE_UNREACHABLE, "the meeting's site answered 502"
    )


def test_who_is_let_in_has_the_whole_time_for_the_way_to_the_call() -> None:
    clock = FakeClock()
    deadlines = JoinDeadlines(TABLE, clock)
    assert deadlines.verdict(PageState(State.PRE_JOIN), None, 200) is None
    clock.later(TABLE.timeouts.join - 1)
    assert deadlines.verdict(PageState(State.PRE_JOIN), None, 200) is None
    clock.later(POLL)
    assert deadlines.verdict(PageState(State.LOBBY), None, 200) is None
    clock.later(600)
    assert deadlines.verdict(PageState(State.LOBBY), None, 200) is None
    clock.later(TABLE.timeouts.join - 1)
    assert deadlines.verdict(NOTHING, None, 200) is None
    clock.later(1)
    result = deadlines.verdict(NOTHING, None, 200)
    assert result is not None
    assert result.reason is Reason.JOIN_TIMEOUT


def test_joining_takes_only_so_long_and_people_s_time_does_not_count() -> None:
    clock = FakeClock()
    deadlines = JoinDeadlines(TABLE, clock)
    pre_join, lobby = PageState(State.PRE_JOIN), PageState(State.LOBBY)
    assert deadlines.verdict(pre_join, None, 200) is None
    for _ in range(100):
        clock.later(30)
        assert deadlines.verdict(lobby, None, 200) is None
    clock.later(TABLE.timeouts.join - 1)
    assert deadlines.verdict(pre_join, None, 200) is None
    clock.later(1)
    result = deadlines.verdict(pre_join, None, 200)
    assert result is not None
    assert result.reason is Reason.JOIN_TIMEOUT


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("You\u2019ve been\u00a0removed", "you've been removed"),
        ("\u201cJoin\u201d \u2014  now", '"join" - now'),
        ("Someone\u2026 will\n\tlet you in", "someone... will let you in"),
    ],
)
def test_typographic_differences_do_not_count(typed: str, plain: str) -> None:
    assert fold(typed) == plain
