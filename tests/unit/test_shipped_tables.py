"""What the shipped tables make of pages that are drawn bit by bit, their texts later than what holds them."""

from __future__ import annotations

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import Match
from meeting_buddy_bot.platforms.page_state import NOTHING, PageStateTracker
from meeting_buddy_bot.platforms.probe import PageSnapshot
from tests.support.platform_tables import platform_table

TEAMS = platform_table("teams")
POLL = 0.25


def snapshot(*elements: str) -> PageSnapshot:
    """A look at Teams that finds these elements."""
    return PageSnapshot(frozenset(Match(element=each) for each in elements))


def in_teams_call() -> PageStateTracker:
    """One who was in a call there until now: time 0."""
    tracker = PageStateTracker(TEAMS)
    tracker.joined = True
    return tracker


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (("removed title", "removed text"), Reason.REMOVED_FROM_MEETING),
        (("removed text",), Reason.REMOVED_FROM_MEETING),
        (("cannot connect text",), Reason.CONNECTION_LOST),
    ],
)
def test_teams_says_why_it_is_over_once_the_text_of_the_retry_screen_has_come(
    texts: tuple[str, ...], reason: Reason
) -> None:
    tracker = in_teams_call()
    assert tracker.update(snapshot("retry screen"), 0) == NOTHING
    assert tracker.update(snapshot("retry screen", *texts), POLL).reason is reason


def test_a_retry_screen_of_teams_that_goes_on_saying_nothing_is_the_end_of_the_meeting() -> None:
    tracker = in_teams_call()
    reasons = [tracker.update(snapshot("retry screen"), POLL * number).reason for number in range(6)]
    assert reasons == [None] * 4 + [Reason.MEETING_ENDED] * 2
