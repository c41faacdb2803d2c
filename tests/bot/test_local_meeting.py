"""The local meeting by itself, without any bot: what a browser with its sandbox on hears and sees is what people sent.

This is the ground under every other test in a real meeting: when it fails, look here first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.media import hearing, picture, probe, sync
from tests.local.media.sound import Utterance, decode
from tests.local.meetings.livekit import LocalMeeting
from tests.local.meetings.livekit.paths import ADDRESS, HERE, HOST
from tests.local.meetings.livekit.speaker import FRAME_RATE
from tests.local.meetings.reference_browser import ReferenceBrowser, reference_browser

GUEST = "Reference Guest"


@pytest.fixture(scope="module")
def meeting() -> LocalMeeting:
    """The machine's meeting; it stays up afterwards, as the cluster does."""
    meeting = LocalMeeting()
    meeting.start()
    return meeting


@pytest.fixture
def guest(meeting: LocalMeeting) -> Iterator[ReferenceBrowser]:
    """A browser that trusts the meeting's authority and knows the meeting's host only."""
    with reference_browser(HERE.authority, {HOST: ADDRESS}) as browser:
        yield browser


@pytest.mark.alone
def test_a_sandboxed_browser_records_what_was_spoken_and_shown(
    meeting: LocalMeeting, guest: ReferenceBrowser, tmp_path: Path
) -> None:
    assert "You are adequately sandboxed" in guest.sandbox()
    room = meeting.room("reference")
    recording = tmp_path / "recording.mkv"
    with room.people() as people:
        with guest.recording(recording) as epoch:
            guest.join(room.link, GUEST)
            joined = time.time()
            assert room.wait_for(GUEST).identity.startswith(f"{GUEST}__")
            people.wait_until_spoken(38)
        said = people.said()
        assert people.failures() == []
        began = people.began.timestamp()
    # The first moments after joining belong to the jitter buffer, which looks for its length.
    spoken = [
        Utterance(one.turn.clip.path, one.turn.start, one.turn.person)
        for one in said
        if one.wall.timestamp() > joined + 2
    ]
    heard = hearing.compare(decode(recording), spoken, lag=began - epoch + 0.15)
    seen = picture.watch(recording, frame_rate=15).after(joined - epoch + 2)
    offset = sync.offset(heard.likeness, seen, counter_rate=FRAME_RATE)
    print(f"\n{heard.table()}\n{seen}\n{offset}")

    # The limits are for what the meeting and the browser do, and wide enough for a machine that is busy too: packets
    # and pictures arrive late then, and two steps of the picture within one frame of the recording are one unseen.
    assert len(heard.likeness.passages) >= 3
    assert heard.words.passed, heard.table()
    assert heard.likeness.share >= 0.8, heard.table()
    assert seen.readable_share > 0.95
    assert seen.backwards == 0
    assert seen.missing_counters <= 0.5
    assert seen.longest_freeze < 5
    assert probe.probe(recording).seconds > 30
    assert offset is not None
    assert abs(offset.seconds) < 0.5


def test_a_removed_guest_is_back_on_the_start_page(meeting: LocalMeeting, guest: ReferenceBrowser) -> None:
    room = meeting.room("removal")
    guest.join(room.link, GUEST)
    room.wait_for(GUEST)
    room.remove(GUEST)
    room.wait_until_gone(GUEST)
    assert guest.path_becomes("/")


def test_ending_the_meeting_sends_everybody_to_the_start_page(meeting: LocalMeeting, guest: ReferenceBrowser) -> None:
    room = meeting.room("ending")
    guest.join(room.link, GUEST)
    room.wait_for(GUEST)
    room.delete()
    assert guest.path_becomes("/")
    assert room.participants() == []


def test_somebody_can_leave_while_the_others_go_on(meeting: LocalMeeting) -> None:
    room = meeting.room("leaving")
    with room.people() as people:
        people.leave("Grace Hopper")
        room.wait_until_gone("Grace Hopper")
        assert {one.name for one in room.participants()} == {"Ada Lovelace", "Alan Turing"}
    assert room.participants() == []
