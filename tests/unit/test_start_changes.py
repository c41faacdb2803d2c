"""What the metrics say of a session whose start was taken away or moved: it counts from when that was seen."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock, call

import pytest

from meeting_buddy.controller.executor import Progress
from meeting_buddy.domain.plan import PatchStatus
from meeting_buddy.domain.times import wanted_since
from tests.support import operator_facts as make
from tests.unit.test_late_watches import AHEAD, DUE, START, WAITS, Operator, stored

WEEK = 7 * 86400
NEXT_WEEK = "2026-11-30T10:00:00Z"
RECONCILING = {
    "type": "Reconciling",
    "status": "True",
    "reason": "Initializing",
    "message": "",
    "lastTransitionTime": "2026-11-30T10:00:00Z",
}
PLANNED_BEFORE = {**WAITS, "conditions": [RECONCILING]}
"""It waits for its bot, and was Scheduled before."""
WAITED_AT_ONCE = {**WAITS, "conditions": [{**RECONCILING, "lastTransitionTime": "2026-11-23T10:00:00Z"}]}


def watched(known: dict[str, Any]) -> tuple[Operator, Mock]:
    operator, telemetry = Operator(known), Mock()
    operator.executor._telemetry = telemetry
    return operator, telemetry


def change(operator: Operator, status: dict[str, Any], **spec: Any) -> None:
    """Somebody writes another spec, and the watch shows it."""
    document = stored(status, 8, **spec)
    document["metadata"]["generation"] = 2
    operator.api.get_session.return_value = document
    operator.cache.upsert_session(document)


@pytest.mark.parametrize(
    ("spec", "waits", "seconds", "scheduled"),
    [
        ({}, 3, 3.0, False),
        ({"startTime": "2026-11-23T11:00:00Z"}, 3, 3.0, False),
        ({"startTime": "2026-11-30T10:05:00Z"}, 300, 60.0, True),
        ({"startTime": NEXT_WEEK, "endTime": "2026-11-30T11:00:00Z"}, 3, 63.0, True),
    ],
    ids=["taken away", "moved to the past", "moved to a time ahead", "only its end was changed"],
)
async def test_a_pod_counts_from_when_its_session_began_to_need_it(
    spec: dict[str, Any], waits: float, seconds: float, scheduled: bool
) -> None:
    operator, telemetry = watched(stored(AHEAD, startTime=NEXT_WEEK))
    operator.clock.advance(WEEK)
    change(operator, AHEAD, **spec)
    operator.clock.advance(waits)
    assert await operator.create() is Progress.NEXT
    assert telemetry.pod_created.mock_calls == [call(seconds, scheduled=scheduled)]


@pytest.mark.parametrize("status", [AHEAD, PLANNED_BEFORE], ids=["Scheduled", "Initializing"])
@pytest.mark.parametrize("spec", [{}, {"startTime": "2026-11-23T10:00:30Z"}], ids=["taken away", "moved back"])
async def test_a_start_that_was_changed_while_no_operator_looked_is_not_counted(
    status: dict[str, Any], spec: dict[str, Any]
) -> None:
    operator, telemetry = watched(stored(status, **spec))
    operator.clock.advance(WEEK)
    assert await operator.create() is Progress.NEXT
    telemetry.pod_created.assert_not_called()


async def test_a_start_that_went_by_while_no_operator_looked_is_counted() -> None:
    operator, telemetry = watched(stored(AHEAD, startTime=START))
    operator.clock.advance(DUE + 200)
    await operator.create()
    assert telemetry.pod_created.mock_calls == [call(200.0, scheduled=True)]


async def test_what_waited_for_a_quota_all_the_time_is_counted() -> None:
    operator, telemetry = watched(stored(WAITED_AT_ONCE))
    operator.clock.advance(1700)
    await operator.create()
    assert telemetry.pod_created.mock_calls == [call(1700.0, scheduled=False)]


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "while no operator looked"])
async def test_a_bot_that_joins_counts_from_when_the_start_was_changed(seen: bool) -> None:
    operator, telemetry = watched(stored(AHEAD, startTime=NEXT_WEEK) if seen else stored(PLANNED_BEFORE))
    operator.clock.advance(WEEK)
    change(operator, PLANNED_BEFORE)
    joined = {**PLANNED_BEFORE, "phase": "Recording", "joinTimestamp": "2026-11-30T10:00:20Z"}
    operator.api.patch_status.return_value = stored(joined, 9)
    facts, _ = await operator.observer.observe(operator.entry)
    assert await operator.executor.execute(operator.entry, facts, PatchStatus({})) is Progress.NEXT
    assert telemetry.joined.mock_calls == ([call(20.0)] if seen else [])


def test_the_latest_reason_to_wait_counts() -> None:
    ahead = make.session(startTime=NEXT_WEEK)
    assert wanted_since(ahead, make.CLASS, make.later(60)) == make.later(WEEK - 60)
    assert wanted_since(make.session(), make.CLASS, make.later(60)) == make.later(60)
    assert wanted_since(make.session(), make.CLASS, make.later(-60)) == make.NOW, "the clocks differ"
