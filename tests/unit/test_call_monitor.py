"""What looks at the call say of the stay."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import Condition, Match
from meeting_buddy_bot.checks.breakout_rooms import LONGEST
from meeting_buddy_bot.platforms.people import SETTLING_SECONDS
from meeting_buddy_bot.platforms.probe import PageSnapshot, Person
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.call_monitor import CallMonitor
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from tests.conformance.running_bot import make_assignment

SOMEBODY = PageSnapshot(
    frozenset(), people=(Person("Bot", own=True, speaking=False), Person("Ada", own=False, speaking=False))
)
NOBODY = PageSnapshot(frozenset(), people=(Person("Bot", own=True, speaking=False),))


class Call:
    """A call whose time passes when it is told to."""

    def __init__(self, folder: Path, limits: Limits, *, rejoins: bool = False) -> None:
        clock = SessionClock()
        self.now = 0.0
        stopped = cast(SessionClock, SimpleNamespace(now=lambda: self.now, utc=clock.utc))
        self.state, events = ReportState("mbsess_test", 1, clock), EventLog(folder / "events.jsonl", clock)
        self.reporter = SessionReporter(self.state, events)
        assignment = make_assignment(limits=limits, rejoins=rejoins)
        self.monitor = CallMonitor(assignment, stopped, self.reporter)

    def seconds_until_everyone_left(self, snapshot: PageSnapshot) -> float:
        """Look each half second until the monitor says so."""
        began = self.now
        while self.monitor.take(snapshot, None, None) is not Reason.EVERYONE_LEFT:
            self.now += 0.5
        return self.now - began


def look_for(seconds: int, folder: Path, limits: Limits, *, frames: bool) -> tuple[ReportState, set[Reason | None]]:
    """A session in which somebody speaks and no sound is heard; with ``frames``, they come and are silent.

    Its last report, and each reason for an end that was found.
    """
    call = Call(folder, limits)
    snapshot = PageSnapshot(frozenset(), people=(Person("Grace Hopper", own=False, speaking=True),))
    reasons = set()
    for second in range(seconds):
        call.now = float(second)
        if frames:
            call.reporter.sound_read(call.now)
        reasons.add(call.monitor.take(snapshot, True, None))
    return call.state, reasons


@pytest.mark.parametrize(
    ("limits", "reason"), [(Limits(silence_seconds=50), Reason.SILENCE), (Limits(), Reason.NO_MEDIA)]
)
async def test_a_session_is_ended_by_silence_only_while_the_meter_hears_it(
    tmp_path: Path, limits: Limits, reason: Reason
) -> None:
    state, reasons = look_for(100, tmp_path, limits, frames=False)
    assert reasons == {None}
    assert state.report.media.audio.received is None
    state, reasons = look_for(100, tmp_path, limits, frames=True)
    assert reasons == {None, reason}
    assert state.report.media.audio.received is False


async def test_those_who_were_dropped_with_the_bot_have_not_all_left(tmp_path: Path) -> None:
    call = Call(tmp_path, Limits(everyone_left_seconds=5))
    call.monitor.take(SOMEBODY, None, None)
    assert call.seconds_until_everyone_left(NOBODY) < SETTLING_SECONDS
    call.monitor.take(SOMEBODY, None, None)
    call.monitor.interrupted()
    assert call.seconds_until_everyone_left(NOBODY) >= SETTLING_SECONDS + 5


def alone(call: Call, seconds: int) -> set[Reason | None]:
    """The bot is alone for so long; what was found of it."""
    reasons = set()
    for _ in range(seconds):
        call.now += 1.0
        reasons.add(call.monitor.take(NOBODY, None, None))
    return reasons


@pytest.mark.parametrize("told", [0, 3, 15], ids=lambda told: f"the volume tells after {told} s")
async def test_a_bot_that_comes_back_to_an_empty_meeting_was_left_by_those_whom_the_earlier_bot_saw(
    tmp_path: Path, told: int
) -> None:
    call = Call(tmp_path, Limits(everyone_left_seconds=5, nobody_came_seconds=40), rejoins=True)
    call.monitor.admitted()
    assert alone(call, told) <= {None}
    call.reporter.earlier_participants(["Ada"])
    settled = max(SETTLING_SECONDS, told)
    assert alone(call, int(settled) - told + 5) == {None}, "others may be on their way back, too"
    assert alone(call, 1) == {Reason.EVERYONE_LEFT}


async def test_a_bot_that_replaces_one_that_was_alone_waits_for_somebody_to_come(tmp_path: Path) -> None:
    call = Call(tmp_path, Limits(everyone_left_seconds=5, nobody_came_seconds=40), rejoins=True)
    call.monitor.admitted()
    call.reporter.earlier_participants([])
    assert alone(call, 39) == {None}
    assert alone(call, 1) == {Reason.NOBODY_CAME}


async def test_a_bot_that_comes_while_all_are_in_breakout_rooms_waits_for_them(tmp_path: Path) -> None:
    call = Call(tmp_path, Limits(nobody_came_seconds=40))
    notice = Match(element="notice")
    call.monitor._breakout_notice = Condition(any=(notice,))
    call.monitor.admitted()
    call.monitor.take(PageSnapshot(frozenset({notice}), people=NOBODY.people), None, None)
    assert alone(call, 60) == {None}


async def test_who_was_there_before_the_rooms_did_come(tmp_path: Path) -> None:
    call = Call(tmp_path, Limits(nobody_came_seconds=40, everyone_left_seconds=60))
    notice = Match(element="notice")
    call.monitor._breakout_notice = Condition(any=(notice,))
    call.monitor.admitted()
    call.monitor.take(PageSnapshot(frozenset({notice}), people=SOMEBODY.people), None, None)
    assert alone(call, int(LONGEST) - 1) == {None}
    assert alone(call, 120) == {None, Reason.EVERYONE_LEFT}


async def test_where_the_earlier_bot_saw_somebody_it_is_never_said_that_nobody_came(tmp_path: Path) -> None:
    call = Call(tmp_path, Limits(everyone_left_seconds=60, nobody_came_seconds=40), rejoins=True)
    call.monitor.admitted()
    call.reporter.earlier_participants(["Ada"])
    assert alone(call, 300) == {None, Reason.EVERYONE_LEFT}


def speaking(call: Call, seconds: int) -> Reason | None:
    """Somebody is shown as speaking, and listened to; the reason for an end."""
    snapshot = PageSnapshot(frozenset(), people=(Person("Grace Hopper", own=False, speaking=True),))
    reason = None
    for _ in range(seconds):
        call.now += 1.0
        call.reporter.sound_read(call.now)
        reason = call.monitor.take(snapshot, None, None) or reason
    return reason


async def test_the_lobby_s_music_is_not_the_meeting_s_sound(tmp_path: Path) -> None:
    call = Call(tmp_path, Limits())
    call.now = 5.0
    call.reporter.sound_heard(call.now)
    speaking(call, 2)
    assert call.state.report.media.audio.received is None
    assert speaking(call, 100) is Reason.NO_MEDIA


async def test_what_one_page_did_not_play_is_no_verdict_on_the_next_one(tmp_path: Path) -> None:
    call = Call(tmp_path, Limits())
    assert speaking(call, 50) is None
    assert call.state.report.media.audio.received is False
    call.monitor.interrupted()
    for _ in range(60):
        call.now += 1.0
        call.reporter.sound_read(call.now)
        assert call.monitor.take(SOMEBODY, None, None) is None
    assert call.state.report.media.audio.received is None
