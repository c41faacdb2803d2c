"""The bot's report as it changes: revisions, phases, who waits for it."""

import asyncio
from unittest.mock import Mock

import pytest
from pydantic import ValidationError

from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy_bot.reporting.state import ReportState
from meeting_buddy_bot.session.reporter import SessionReporter
from meeting_buddy_bot.support.clock import SessionClock


@pytest.fixture
def state() -> ReportState:
    return ReportState("mbsess_1", 1, SessionClock(), redact=Redactor(["secret99"]))


def test_it_begins_with_joining_and_revision_one(state: ReportState) -> None:
    assert (state.report.revision, state.report.phase) == (1, ReportPhase.JOINING)


def test_each_change_is_one_revision_and_no_change_is_none(state: ReportState) -> None:
    state.update(waiting=Waiting.WAITING_ROOM)
    state.update(waiting=Waiting.WAITING_ROOM)
    state.update(waiting="WaitingRoom")
    assert state.report.revision == 2
    state.update(phase=ReportPhase.ACTIVE, waiting=None)
    assert state.report.revision == 3


@pytest.mark.parametrize("later", [ReportPhase.RECORDING, ReportPhase.LEAVING, ReportPhase.ENDED])
def test_a_phase_never_goes_back(state: ReportState, later: ReportPhase) -> None:
    state.update(phase=later)
    state.update(phase=ReportPhase.ACTIVE, message="rejoined")
    assert (state.report.phase, state.report.message) == (later, "rejoined")


@pytest.mark.parametrize("changes", [{"mood": "good"}, {"revision": 99}, {"time": None}])
def test_what_is_no_field_to_update_is_an_error(state: ReportState, changes: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        state.update(**changes)


def test_a_wrong_value_is_an_error_and_changes_nothing(state: ReportState) -> None:
    with pytest.raises(ValidationError):
        state.update(phase="Dancing")
    assert state.report.revision == 1


def test_a_message_is_redacted(state: ReportState) -> None:
    state.update(message="failed at https://zoom.us/j/1?pwd=x with secret99")
    assert state.report.message == "failed at https://zoom.us/… with [redacted]"


@pytest.mark.parametrize(
    ("phase", "waiting", "inside"),
    [
        (ReportPhase.JOINING, Waiting.WAITING_ROOM, False),
        (ReportPhase.ACTIVE, None, True),
        (ReportPhase.RECORDING, None, True),
        (ReportPhase.RECORDING, Waiting.REJOINING, False),
        (ReportPhase.LEAVING, None, False),
        (ReportPhase.ENDED, None, False),
    ],
)
def test_when_the_bot_is_in_the_meeting(
    state: ReportState, phase: ReportPhase, waiting: Waiting | None, inside: bool
) -> None:
    state.update(phase=phase, waiting=waiting)
    assert state.in_meeting is inside


def test_when_what_sounds_may_be_the_meeting(state: ReportState) -> None:
    """What is said while a page has lost its connection, or thinks so, is recorded and has its text."""
    reporter = SessionReporter(state, Mock())
    reporter.waiting(Waiting.CONNECTING)
    assert not reporter.may_hear_meeting
    reporter.admitted(SessionClock().utc(), "mixed")
    assert reporter.may_hear_meeting
    reporter.reconnecting()
    assert (state.report.waiting, reporter.may_hear_meeting) == (Waiting.REJOINING, True)
    reporter.waiting(Waiting.CONNECTING)
    assert (state.report.waiting, reporter.may_hear_meeting) == (Waiting.REJOINING, False), "another page"
    reporter.waiting(None)
    assert reporter.may_hear_meeting
    reporter.reconnecting()
    reporter.leaving()
    assert not reporter.may_hear_meeting


async def test_who_waits_gets_the_newest_report(state: ReportState) -> None:
    waiting = [asyncio.create_task(state.newer_than(1)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    state.update(message="one")
    state.update(message="two")
    assert {report.message for report in await asyncio.gather(*waiting)} == {"two"}
    assert (await state.newer_than(2)).message == "two"
