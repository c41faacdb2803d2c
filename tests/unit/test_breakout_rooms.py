"""Whom the host sent to breakout rooms comes back; when do they count as open?"""

from __future__ import annotations

from meeting_buddy_bot.checks.breakout_rooms import LONGEST, BreakoutRooms
from tests.support.bot_clock import FakeClock


def test_nothing_is_open_before_the_page_speaks_of_them() -> None:
    rooms = BreakoutRooms(FakeClock())
    assert [rooms.update(shown=False, others=others) for others in (2, 0, None, 0, 2)] == [False] * 5


def test_they_stay_open_while_everybody_is_away_though_the_page_says_no_more() -> None:
    clock = FakeClock()
    rooms = BreakoutRooms(clock)
    assert rooms.update(shown=True, others=2)
    for _ in range(100):
        clock.time += 60
        assert rooms.update(shown=False, others=0)


def test_they_stay_open_until_people_who_had_gone_are_back() -> None:
    rooms = BreakoutRooms(FakeClock())
    assert rooms.update(shown=True, others=2)
    assert rooms.update(shown=False, others=2)  # nobody has gone yet
    assert rooms.update(shown=False, others=0)
    assert not rooms.update(shown=False, others=1)
    assert not rooms.update(shown=False, others=0)  # this time they left


def test_an_unknown_number_brings_nobody_back() -> None:
    rooms = BreakoutRooms(FakeClock())
    rooms.update(shown=True, others=0)
    assert rooms.update(shown=False, others=0)
    assert rooms.update(shown=False, others=None)
    assert rooms.update(shown=False, others=0)


def test_who_comes_back_while_the_page_still_speaks_of_them_closes_nothing() -> None:
    rooms = BreakoutRooms(FakeClock())
    rooms.update(shown=True, others=2)
    rooms.update(shown=False, others=0)
    assert rooms.update(shown=True, others=1)  # "they will close in 60 seconds"
    assert rooms.update(shown=False, others=0)
    assert not rooms.update(shown=False, others=2)


def test_after_two_hours_whoever_has_not_come_back_is_gone() -> None:
    clock = FakeClock()
    rooms = BreakoutRooms(clock)
    rooms.update(shown=True, others=2)
    clock.time += LONGEST - 1
    assert rooms.update(shown=False, others=0)
    clock.time += 1
    assert not rooms.update(shown=False, others=0)
    clock.time += 1
    assert not rooms.update(shown=False, others=0)


def test_rooms_that_are_opened_again_count_anew() -> None:
    clock = FakeClock()
    rooms = BreakoutRooms(clock)
    rooms.update(shown=True, others=2)
    rooms.update(shown=False, others=0)
    assert not rooms.update(shown=False, others=2)
    assert rooms.update(shown=True, others=2)
    assert rooms.update(shown=False, others=2)  # who was away before is no news
    clock.time += LONGEST - 1
    assert rooms.update(shown=False, others=0)


def test_where_the_host_stays_they_are_closed_once_most_are_back() -> None:
    rooms = BreakoutRooms(FakeClock())
    assert rooms.update(shown=True, others=9)
    assert [rooms.update(shown=False, others=others) for others in (2, 1, 3, 5)] == [True] * 4
    assert rooms.update(shown=True, others=5)  # "they will close in 60 seconds"
    assert rooms.update(shown=False, others=4)
    assert not rooms.update(shown=False, others=8)
    assert not rooms.update(shown=False, others=0)  # the meeting is over


def test_one_who_leaves_and_one_who_comes_before_they_begin_close_nothing() -> None:
    rooms = BreakoutRooms(FakeClock())
    assert rooms.update(shown=True, others=9)
    assert [rooms.update(shown=False, others=others) for others in (8, 9, 0, 0)] == [True] * 4


def test_of_two_one_who_comes_back_with_a_question_closes_nothing() -> None:
    rooms = BreakoutRooms(FakeClock())
    assert rooms.update(shown=True, others=2)
    assert [rooms.update(shown=False, others=others) for others in (2, 1, 2, 0, 0)] == [True] * 5
    assert not rooms.update(shown=False, others=2)


def test_a_bot_that_comes_while_all_are_away_waits_until_it_saw_them_gone() -> None:
    rooms = BreakoutRooms(FakeClock())
    assert rooms.update(shown=True, others=0)
    assert [rooms.update(shown=False, others=others) for others in (1, 0)] == [True] * 2
