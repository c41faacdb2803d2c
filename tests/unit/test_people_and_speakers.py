"""Who is there and who speaks, from tiles that flicker and names that anybody may choose."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.contract.report import MAX_CURRENT, MAX_LEFT, LeftReport, PeopleReport, PersonReport
from meeting_buddy_bot.browser.page import console_line, mask_tokens
from meeting_buddy_bot.checks.observed_time import LONGEST_INTERVAL
from meeting_buddy_bot.platforms.bots import is_bot
from meeting_buddy_bot.platforms.people import ABSENT_SECONDS, SETTLING_SECONDS, People, PeopleChanges
from meeting_buddy_bot.platforms.probe import PageSnapshot, Person
from meeting_buddy_bot.platforms.speakers import PAUSE, Interval, SpeakingHints

BEGAN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
POLL = 0.25
OWN = Person("Meeting Buddy", own=True, speaking=False)
GHOST = Person("Meeting Buddy", own=False, speaking=False)
NAMELESS = Person("", own=False, speaking=False)
ADA = Person("Ada", own=False, speaking=False)
ADA_SPEAKS = Person("Ada", own=False, speaking=True)
ALAN_SPEAKS = Person("Alan", own=False, speaking=True)


def shows(*people: Person, count: int | None = None) -> PageSnapshot:
    return PageSnapshot(frozenset(), people=people, count=count)


class Watched:
    """People of one meeting, with all that was told of them; by default a reading each ``POLL``."""

    def __init__(self, *, counted: bool = False) -> None:
        self.people = People("Meeting Buddy", counted=counted)
        self.at = BEGAN
        self.joined: list[PersonReport] = []
        self.left: list[LeftReport] = []

    def take(self, snapshot: PageSnapshot, after: float = POLL) -> PeopleReport:
        self.at += timedelta(seconds=after)
        self._note(self.people.take(snapshot, self.at))
        return self.people.report

    def take_for(self, seconds: float, snapshot: PageSnapshot) -> PeopleReport:
        for _ in range(round(seconds / POLL)):
            self.take(snapshot)
        return self.people.report

    def close(self) -> PeopleReport:
        self._note(self.people.close())
        return self.people.report

    def _note(self, changes: PeopleChanges) -> None:
        self.joined += changes.joined
        self.left += changes.left


def names(people: Iterable[PersonReport]) -> list[str]:
    return [person.name for person in people]


def test_the_bot_and_its_ghosts_are_nobody() -> None:
    watched = Watched()
    assert watched.people.others([OWN, GHOST]) == []
    assert names(watched.take(shows(OWN, GHOST, ADA)).current) == ["Ada"]


def test_people_seen_are_counted_once_and_those_of_one_name_as_several() -> None:
    watched = Watched()
    assert watched.take(shows(OWN, ADA)).seen == 1
    assert watched.take_for(2 * ABSENT_SECONDS, shows(OWN)).seen == 1
    assert watched.take(shows(OWN, ADA)).seen == 1
    assert watched.take(shows(OWN, ADA, ADA, ADA)).seen == 3
    assert watched.take(shows(OWN, ALAN_SPEAKS)).seen == 4
    assert watched.take(shows(OWN, *[NAMELESS] * 9)).seen == 9


def test_the_report_names_a_bounded_number() -> None:
    crowd = [Person(f"Guest {number}", own=False, speaking=False) for number in range(120)]
    watched = Watched()
    report = watched.take(shows(*crowd))
    assert (len(report.current), report.present, report.seen) == (MAX_CURRENT, 120, 120)
    report = watched.take_for(2 * ABSENT_SECONDS, shows(OWN))
    assert (len(report.left), report.present, report.seen) == (MAX_LEFT, 0, 120)
    assert (len(watched.joined), len(watched.left)) == (120, 120)


def test_everybody_counts_however_many_came() -> None:
    watched = Watched()
    for number in range(90):
        watched.take(shows(*(Person(f"{number} {each}", own=False, speaking=False) for each in range(60))), after=4)
        report = watched.take(shows(OWN), after=4)
    assert report.seen == 90 * 60
    assert len(watched.people.names) == 5000


def test_somebody_joins_when_first_seen_and_left_when_last_seen() -> None:
    watched = Watched()
    came = watched.take(shows(OWN, ADA)).current
    assert came == (PersonReport(name="Ada", joined_at=watched.at),)
    watched.take_for(60, shows(OWN, ADA))
    last_seen = watched.at
    report = watched.take_for(ABSENT_SECONDS, shows(OWN))
    assert (names(report.current), report.present) == (["Ada"], 1)
    report = watched.take(shows(OWN))
    assert (report.current, report.present) == ((), 0)
    assert report.left == (LeftReport(name="Ada", joined_at=came[0].joined_at, left_at=last_seen),)
    assert report.left == tuple(watched.left)
    again = watched.take(shows(OWN, ADA))
    assert (again.current[0].joined_at, again.left, again.seen) == (watched.at, report.left, 1)


@pytest.mark.parametrize("without", [shows(OWN), shows(), shows(OWN, NAMELESS)])
def test_tiles_that_flicker_make_nobody_leave(without: PageSnapshot) -> None:
    watched = Watched()
    for _ in range(50):
        watched.take(shows(OWN, ADA))
        watched.take_for(ABSENT_SECONDS - POLL, without)
    watched.take(shows(OWN, ADA))
    watched.take(without, after=LONGEST_INTERVAL)  # one missing reading, however late it comes
    assert (names(watched.joined), watched.left) == (["Ada"], [])


def test_an_outage_of_the_bot_makes_only_those_leave_who_are_gone_afterwards() -> None:
    watched = Watched()
    watched.take(shows(OWN, ADA, ALAN_SPEAKS))
    watched.take(shows(), after=90)
    watched.take_for(30, shows())  # the page is there again, and its tiles are not
    watched.take_for(2, shows(OWN))
    watched.take_for(60, shows(OWN, ADA))
    assert (names(watched.joined), names(watched.left)) == (["Ada", "Alan"], ["Alan"])
    assert watched.left[0].left_at == watched.joined[1].joined_at


@pytest.mark.parametrize(("back_after", "left"), [(SETTLING_SECONDS, []), (SETTLING_SECONDS + 4, ["Ada"])])
def test_who_was_dropped_together_with_the_bot_has_time_to_come_back(back_after: float, left: list[str]) -> None:
    watched = Watched()
    watched.take(shows(OWN, ADA))
    watched.people.interrupted()
    watched.take(shows(OWN), after=20)
    watched.take_for(back_after, shows(OWN))
    watched.take_for(60, shows(OWN, ADA))
    assert names(watched.left) == left
    watched.take_for(ABSENT_SECONDS + POLL, shows(OWN))
    assert names(watched.left) == [*left, "Ada"], "that time is over"


def test_who_was_dropped_a_moment_before_the_bot_or_with_it_twice_has_that_time_too() -> None:
    watched = Watched()
    watched.take(shows(OWN, ADA))
    watched.take_for(0.5, shows(OWN))
    for _ in range(2):
        watched.people.interrupted()
        watched.take(shows(OWN), after=4)
    assert watched.people.settling
    watched.take_for(SETTLING_SECONDS, shows(OWN))
    assert (watched.left, watched.people.settling) == ([], False)


def test_who_did_not_come_back_by_the_time_the_bot_left_was_last_seen_before() -> None:
    watched = Watched()
    last_seen = watched.take(shows(OWN, ADA)) and watched.at
    watched.people.interrupted()
    watched.take(shows(OWN), after=60)
    watched.take_for(5, shows(OWN))
    assert [each.left_at for each in watched.close().left] == [last_seen]


def test_those_of_one_name_are_told_apart_by_their_times_and_the_last_one_leaves_first() -> None:
    watched = Watched()
    watched.take(shows(OWN, ADA, ADA))
    first, second = watched.joined
    assert first.joined_at is not None
    assert second.joined_at == first.joined_at + timedelta(milliseconds=1)
    report = watched.take_for(2 * ABSENT_SECONDS, shows(OWN, ADA))
    assert (report.current, [each.joined_at for each in report.left]) == ((first,), [second.joined_at])
    report = watched.take(shows(OWN, ADA, ADA))
    assert (len(report.current), report.present, report.seen) == (2, 2, 2)


def test_who_has_no_tile_is_there_while_the_pages_number_says_so() -> None:
    watched = Watched(counted=True)
    watched.take(shows(OWN, ADA, count=3))
    report = watched.take_for(60, shows(OWN, ALAN_SPEAKS, count=3))  # the page shows who speaks
    assert (names(report.current), report.present) == (["Ada", "Alan"], 2)
    report = watched.take_for(60, shows(OWN, ALAN_SPEAKS))  # without its number it says nothing of the others
    assert (names(report.current), report.present) == (["Ada", "Alan"], 2)
    report = watched.take_for(2 * ABSENT_SECONDS, shows(OWN, ALAN_SPEAKS, count=2))
    assert (names(report.current), names(report.left), report.present) == (["Alan"], ["Ada"], 1)


def test_whoever_is_there_when_the_bot_leaves_is_last_seen_then() -> None:
    watched = Watched()
    watched.take_for(10, shows(OWN, ADA, ALAN_SPEAKS))
    report = watched.close()
    assert (report.current, report.present, report.seen) == ((), 0, 2)
    assert {(each.name, each.left_at) for each in watched.left} == {("Ada", watched.at), ("Alan", watched.at)}
    assert set(names(report.left)) == {"Ada", "Alan"}


CROWD = st.lists(st.sampled_from(["Ada", "Alan", "Grace", ""]), max_size=5)


@given(st.lists(st.tuples(CROWD, st.none() | st.integers(0, 9), st.sampled_from([POLL, 1.0, 4.0, 60.0])), max_size=40))
def test_joined_less_left_is_who_is_there_whatever_a_page_shows(
    readings: list[tuple[list[str], int | None, float]],
) -> None:
    watched = Watched()
    for crowd, count, after in readings:
        report = watched.take(
            shows(OWN, *(Person(name, own=False, speaking=False) for name in crowd), count=count), after
        )
        came = {(each.name, each.joined_at) for each in watched.joined}
        went = {(each.name, each.joined_at) for each in watched.left}
        there = {(each.name, each.joined_at) for each in report.current}
        assert (len(came), len(went)) == (len(watched.joined), len(watched.left))
        assert there == came - went
        assert len(there) <= report.present <= max(report.seen, len(there))
        assert report.seen >= len(set(names(watched.joined)))
        assert set(filter(None, crowd)) <= {name for name, _ in there}
        assert all(each.joined_at is not None and each.joined_at <= each.left_at for each in watched.left)


@pytest.mark.parametrize(
    "name",
    [
        "Meeting Buddy",
        "Fathom Notetaker",
        "Ada's Note Taker",
        "otter.ai",
        "OtterPilot",
        "Fireflies.ai Notetaker Ada",
        "read.ai meeting notes",
        "Weekly Recorder",
        "Helper (bot)",
        "tl;dv",
    ],
)
def test_well_known_bots_are_told_from_people(name: str) -> None:
    assert is_bot(name)
    people = People("Scribe")
    people.take(shows(OWN, ADA, Person(name, own=False, speaking=False)), BEGAN)
    assert not people.only_bots(())
    alone = People("Scribe")
    alone.take(shows(OWN, Person(name, own=False, speaking=False)), BEGAN)
    assert alone.only_bots(())
    assert not alone.only_bots({name}), "whoever speaks is no bot"


def test_whether_only_bots_are_there_is_unknown_while_the_page_does_not_tell() -> None:
    people = People("Scribe", counted=True)
    assert people.only_bots(()) is None
    scribe, bot = Person("Scribe", own=False, speaking=False), Person("Fathom Notetaker", own=False, speaking=False)
    answers = []
    for snapshot in (shows(scribe, bot, count=2), shows(), shows(scribe), shows(scribe, bot, ADA), shows(count=2)):
        people.take(snapshot, BEGAN)
        answers.append(people.only_bots(()))
    assert answers == [True, None, None, False, False]


@pytest.mark.parametrize(
    "name", ["", "Ada Lovelace", "Ada Otter", "Bot Tom", "Abbot (Room 5)", "I read AI books", "Fathom"]
)
def test_people_are_no_bots(name: str) -> None:
    assert not is_bot(name)


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
        (shows(ADA, count=1), True, 0),  # the bot under another name
        (shows(ADA, ALAN_SPEAKS, count=2), True, 1),
        (shows(ADA, count=2), True, 1),  # no tile of the bot's own
    ],
)
def test_how_many_are_there_is_unknown_rather_than_wrong(
    snapshot: PageSnapshot, counted: bool, present: int | None
) -> None:
    assert People("Meeting Buddy", counted=counted).present(snapshot) == present


def test_the_bot_knows_its_name_where_the_table_cuts_it_and_takes_nobody_else_for_itself() -> None:
    people = People("Ada (Acme, Inc.)", counted=True, cut_at=[" (", ","])
    own, cut = (Person(name, own=False, speaking=False) for name in ("Ada (Acme, Inc.)", "Ada (Acme"))
    assert people.others([ADA]) == []
    assert people.others([cut]) == []
    assert people.others([ADA, ADA]) == [ADA], "one is the bot, and the other its owner"
    assert people.others([ADA, own]) == [ADA], "here the page tells them apart"
    assert people.others([ADA, OWN]) == [ADA]


def test_all_who_leave_at_once_are_gone_at_once_also_where_the_bot_has_another_name() -> None:
    watched = Watched(counted=True)
    renamed, others = Person("Rec", own=False, speaking=False), [ADA, ALAN_SPEAKS]
    watched.take_for(10, shows(renamed, *others, count=3))
    watched.take_for(5, shows(renamed, count=1))
    assert {each.name for each in watched.people.report.left} == {"Ada", ALAN_SPEAKS.name}


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


def test_an_interval_ends_where_nobody_looked_for_long() -> None:
    """A page that hung for a minute while it showed Ada as speaking does not say that she spoke for a minute."""
    found: list[Interval] = []
    hints = SpeakingHints(found.append)
    for now in (1.0, 2.5, 60.0, 60.25):
        hints.take([ADA_SPEAKS], now)
    hints.close(61.0)
    assert found == [Interval("Ada", 1.0, 2.5), Interval("Ada", 60.0, 60.25)]


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


def test_who_speaks_now_is_whose_interval_is_open() -> None:
    hints = SpeakingHints(lambda _: None)
    hints.take([ADA_SPEAKS], 1.0)
    hints.take([ADA_SPEAKS, ALAN_SPEAKS], 1.25)
    assert hints.speaking_now(1.25) == ("Ada", "Alan")
    assert (hints.speaking_now(1.1), hints.speaking_now(0.5)) == (("Ada",), ())
    hints.take([ADA, ALAN_SPEAKS], 1.5)
    assert hints.speaking_now(1.5) == ("Ada", "Alan")
    assert hints.speaking_now(1.25 + PAUSE + 0.1) == ("Alan",)
    hints.close(2.0)
    assert hints.speaking_now(1.5) == ()
