"""What a look at the call says of the stay."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from meeting_buddy.contract.assignment import Limits
from meeting_buddy.contract.reasons import Reason
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


async def test_those_who_were_dropped_with_the_bot_have_not_all_left(tmp_path: Path) -> None:
    clock, now = SessionClock(), [0.0]
    stopped = cast(SessionClock, SimpleNamespace(now=lambda: now[0], utc=clock.utc))
    events = EventLog(tmp_path / "events.jsonl", clock)
    reporter = SessionReporter(ReportState("mbsess_test", 1, clock), events)
    call = CallMonitor(make_assignment(limits=Limits(everyone_left_seconds=5)), stopped, reporter)

    def seconds_until_everyone_left(snapshot: PageSnapshot) -> float:
        began = now[0]
        while call.take(snapshot, None, None) is not Reason.EVERYONE_LEFT:
            now[0] += 0.5
        return now[0] - began

    call.take(SOMEBODY, None, None)
    assert seconds_until_everyone_left(NOBODY) < SETTLING_SECONDS
    call.take(SOMEBODY, None, None)
    call.interrupted()
    assert seconds_until_everyone_left(NOBODY) >= SETTLING_SECONDS + 5
    await events.close()
