"""What the bot's `/healthz` finds wrong."""

from pathlib import Path

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.report import Reception
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog


def test_sound_that_did_not_arrive_is_no_fault_of_a_lobby(tmp_path: Path) -> None:
    clock = SessionClock()
    state = ReportState("mbsess_test", 1, clock)
    reporter = SessionReporter(state, EventLog(tmp_path / "events.jsonl", clock))
    reporter.looked()
    reporter.admitted(clock.utc(), "sink")
    reporter.received(Reception(received=False, reason="PagePlaysNothing"), Reception())
    assert "sound" in (state.health.problem() or "")
    reporter.waiting(Waiting.WAITING_ROOM)
    assert state.health.problem() is None
    assert state.report.media.audio.reason == "PagePlaysNothing", "what was last known"
