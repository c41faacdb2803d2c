"""A bot whose pod was killed, and the one that replaces it, in a real meeting: LiveKit's server, a real browser."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy_bot.recording.manifest_writer import REPLACED
from tests.bot.container import BrowserContainer
from tests.bot.recording_bot import Books, recording
from tests.conformance.running_bot import RunningBot, make_assignment, reachable_folder
from tests.conformance.unprivileged import GID, UID
from tests.local.media.probe import probe
from tests.local.meetings.livekit import LocalMeeting, Person, Room
from tests.support.machine_wide import free_display

_SECONDS = 90.0
BOT = "Meeting Buddy"
GRACE = Person("Grace Hopper")


@dataclass(frozen=True, slots=True)
class Attempts:
    """The pods of one session, one after the other: the product's own programs."""

    root: Path
    room: Room
    make_container: Callable[..., AbstractContextManager[BrowserContainer]]

    @property
    def recordings(self) -> Path:
        """The session's folder."""
        return self.root / "recordings"

    @contextmanager
    def attempt(self, number: int, **changes: Any) -> Iterator[RunningBot]:
        """A bot on its way into the meeting; killed with its browser when the block ends."""
        host, _, port = self.room.link.split("/")[2].partition(":")
        self_hosted = (SelfHostedHost(platform="LiveKit", host=host, port=int(port or 443)),)
        assignment = make_assignment(link=self.room.link, self_hosted=self_hosted, attempt=number, **changes)
        (folder := self.root / f"pod{number}").mkdir()
        display, sound = free_display(), f"unix:{folder}/sockets/pulse"
        authority = LocalMeeting().paths.authority
        with self.make_container(meeting_authority=authority, screen=f":{display}", sound=sound) as browser:
            environment = {
                "MEETING_BUDDY_CHROMEDRIVER": browser.url,
                "MEETING_BUDDY_DISPLAY": str(display),
                "MEETING_BUDDY_RECORDINGS": str(self.recordings),
                "MEETING_BUDDY_SEGMENT_SECONDS": "4",
            }
            bot = RunningBot("tests.bot.bot_program", folder, assignment, environment=environment)
            bot.recordings = self.recordings
            try:
                yield bot
            finally:
                bot.clear()


@pytest.fixture
def attempts(
    meeting: LocalMeeting, make_container: Callable[..., AbstractContextManager[BrowserContainer]]
) -> Iterator[Attempts]:
    """Bots for a room of the machine's one local meeting."""
    with reachable_folder() as root:
        (root / "recordings").mkdir()
        os.chown(root / "recordings", UID, GID)
        yield Attempts(root, meeting.room(f"replaced-{os.getpid()}"), make_container)


def records_somebody(least: int) -> Callable[[Report], bool]:
    return lambda report: recording(report) and report.people.present > 0 and report.recording.segments >= least


async def test_the_bot_that_replaces_one_that_was_killed_records_on_behind_it(attempts: Attempts) -> None:
    with attempts.room.people([GRACE]):
        with attempts.attempt(1, announcement="We record.") as first:
            await first.until(records_somebody(1), _SECONDS)
        with attempts.attempt(2, rejoins=True, announcement="We record.") as second:
            report = await second.until(lambda each: each.waiting is Waiting.REJOINING, _SECONDS)
            assert (report.ever_joined, report.recording.segments > 0) == (False, True)
            before = len(list((attempts.recordings / "segments").iterdir()))
            await second.until(records_somebody(before + 1), _SECONDS)
            second.terminate()
            assert await second.ended(_SECONDS) == 0
            books = Books(second)
            outcome = second.outcome
            assert (outcome.reason, outcome.ever_joined) == (Reason.EVICTED, True)
            assert outcome.recording.verified, second.log
            assert {each.run for each in books.segments} == {1, 2}
            missing = [gap for gap in books.gaps if not gap.recorded]
            assert missing[-1].gap == REPLACED
            # A segment that had only just begun when the first was killed has nothing in it.
            assert {gap.gap for gap in missing[:-1]} <= {"a segment cannot be read"}
            assert all(after.start >= one.end for one, after in pairwise(missing))
            ordered = sorted(books.segments, key=lambda each: each.segment)
            assert all(after.start > one.end - 0.1 for one, after in pairwise(ordered))
            assert probe(attempts.recordings / "recording.mp4").seconds == pytest.approx(
                sum(each.seconds for each in ordered), abs=1.0
            )
            posted = [event for event in books.events if str(event["event"]).startswith("announcement_")]
            assert len(posted) == 1, "the first bot has said it"
            times = [float(str(event["t"])) for event in books.events]
            assert times == sorted(times)
    await asyncio.to_thread(attempts.room.wait_until_gone, BOT)
