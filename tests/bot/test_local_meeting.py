"""The local meeting by itself, without any bot: guests come, leave and are removed as in a meeting with a host.

What a browser of an ordinary person hears and sees there is measured by `make bench`, as the baseline of a recording.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.paths import ADDRESS, HERE, HOST
from tests.local.meetings.reference_browser import ReferenceBrowser, reference_browser

GUEST = "Reference Guest"


@pytest.fixture
def guest(meeting: LocalMeeting) -> Iterator[ReferenceBrowser]:
    """A browser that trusts the meeting's authority and knows the meeting's host only."""
    with reference_browser(HERE.authority, {HOST: ADDRESS}) as browser:
        yield browser


def test_the_browser_of_an_ordinary_person_is_sandboxed(guest: ReferenceBrowser) -> None:
    assert "You are adequately sandboxed" in guest.sandbox()


def test_a_removed_guest_is_back_on_the_start_page(meeting: LocalMeeting, guest: ReferenceBrowser) -> None:
    room = meeting.room(f"removal-{os.getpid()}")
    guest.join(room.link, GUEST)
    room.wait_for(GUEST)
    room.remove(GUEST)
    room.wait_until_gone(GUEST)
    assert guest.path_becomes("/")


def test_ending_the_meeting_sends_everybody_to_the_start_page(meeting: LocalMeeting, guest: ReferenceBrowser) -> None:
    room = meeting.room(f"ending-{os.getpid()}")
    guest.join(room.link, GUEST)
    room.wait_for(GUEST)
    room.delete()
    assert guest.path_becomes("/")
    assert room.participants() == []


def test_somebody_can_leave_while_the_others_go_on(meeting: LocalMeeting) -> None:
    room = meeting.room(f"leaving-{os.getpid()}")
    with room.people() as people:
        people.leave("Grace Hopper")
        room.wait_until_gone("Grace Hopper")
        assert {one.name for one in room.participants()} == {"Ada Lovelace", "Alan Turing"}
    assert room.participants() == []
