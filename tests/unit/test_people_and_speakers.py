"""Who is there and who speaks, from tiles that flicker and names that anybody may choose."""

from __future__ import annotations

import pytest

from meeting_buddy_bot.browser.page import console_line, mask_tokens
from meeting_buddy_bot.platforms.people import MOST_CURRENT, People
from meeting_buddy_bot.platforms.probe import PageSnapshot, Person
from meeting_buddy_bot.platforms.speakers import PAUSE, Interval, SpeakingHints

OWN = Person("Meeting Buddy", own=True, speaking=False)
GHOST = Person("Meeting Buddy", own=False, speaking=False)
ADA = Person("Ada", own=False, speaking=False)
ADA_SPEAKS = Person("Ada", own=False, speaking=True)
ALAN_SPEAKS = Person("Alan", own=False, speaking=True)


def shows(*people: Person, count: int | None = None) -> PageSnapshot:
    return PageSnapshot(frozenset(), people=people, count=count)


def test_the_bot_and_its_ghosts_are_nobody() -> None:
    people = People("Meeting Buddy")
    assert people.others([OWN, GHOST]) == []
    assert people.take(shows(OWN, GHOST, ADA)).current == ("Ada",)


def test_people_seen_are_counted_once_and_those_of_one_name_as_several() -> None:
    people = People("Meeting Buddy")
    assert people.take(shows(OWN, ADA)).seen == 1
    assert people.take(shows(OWN)).seen == 1
    assert people.take(shows(OWN, ADA)).seen == 1
    assert people.take(shows(OWN, ADA, ADA, ADA)).seen == 3
    assert people.take(shows(OWN, ALAN_SPEAKS)).seen == 3


def test_the_report_names_a_bounded_number() -> None:
    crowd = [Person(f"Guest {number}", own=False, speaking=False) for number in range(120)]
    report = People("Meeting Buddy").take(shows(*crowd))
    assert (len(report.current), report.seen) == (MOST_CURRENT, 120)


@pytest.mark.parametrize(
    ("snapshot", "counted", "present"),
    [
        (shows(OWN), False, 0),
        (shows(OWN, ADA), False, 1),
        (shows(), False, None),  # not even the bot's own tile: nobody knows
        (shows(OWN), True, None),  # the heading with the number is not there
        (shows(OWN, ADA), True, 1),
        (shows(OWN, ADA, count=7), True, 6),
        (shows(OWN, GHOST, ADA, count=3), True, 1),
        (shows(count=1), True, 0),
        (shows(OWN, ADA, ALAN_SPEAKS, count=1), True, 2),  # the heading lags behind
    ],
)
def test_how_many_are_there_is_unknown_rather_than_wrong(
    snapshot: PageSnapshot, counted: bool, present: int | None
) -> None:
    assert People("Meeting Buddy", counted=counted).present(snapshot) == present


def test_intervals_follow_the_hints_and_bridge_flickering() -> None:
    found: list[Interval] = []
    hints = SpeakingHints(found.append)
    for now, people in [
        (1.0, [ADA_SPEAKS]),
        (1.25, [ADA]),
        (1.5, [ADA_SPEAKS, ALAN_SPEAKS]),
        (1.75, [ADA, ALAN_SPEAKS]),
        (1.5 + PAUSE + 0.1, [ADA, ALAN_SPEAKS]),
        (5.0, [ADA_SPEAKS]),
    ]:
        hints.take(people, now)
    hints.close(6.0)
    assert found == [
        Interval("Ada", 1.0, 1.5),
        Interval("Alan", 1.5, 1.5 + PAUSE + 0.1),
        Interval("Ada", 5.0, 5.0),
    ]


def test_the_bot_does_not_speak() -> None:
    found: list[Interval] = []
    hints = SpeakingHints(found.append)
    hints.take([Person("Meeting Buddy", own=True, speaking=True), Person("", own=False, speaking=True)], 1.0)
    hints.close(2.0)
    assert found == []


def test_tokens_in_an_alert_are_masked() -> None:
    text = "invalid token: eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NjM5MzR9.abc-_DEF, sorry"
    assert mask_tokens(text) == "invalid token: [token], sorry"


def test_a_console_line_shows_what_a_logged_object_holds() -> None:
    line = console_line(
        [
            {"type": "string", "value": "leave"},
            {"type": "object", "preview": {"properties": [{"name": "reason", "type": "number", "value": "4"}]}},
            {"type": "undefined"},
        ]
    )
    assert line == "leave reason=4 undefined"
