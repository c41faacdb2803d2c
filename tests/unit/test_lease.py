"""Holding the Lease ends by itself, whichever of the machine's clocks says that nobody has renewed it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from meeting_buddy.controller.lease import RENEW_DEADLINE, Lease
from meeting_buddy.kube.api import KubernetesApi
from tests.support.operator_clock import ManualClock

LATE = RENEW_DEADLINE + 1


class Contender:
    """One contender before an API server that takes each write."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.api = AsyncMock(spec=KubernetesApi)
        self.api.get_lease.return_value = {"metadata": {"resourceVersion": "1"}, "spec": {}}
        self.api.update_lease.side_effect = lambda document: document
        self.lease = Lease(cast(KubernetesApi, self.api), "meetings", "a", self.clock)

    def sleep(self, seconds: float) -> None:
        """The machine's: its monotonic clock stands still meanwhile."""
        self.clock.set_ahead += timedelta(seconds=seconds)


@pytest.fixture
async def contender() -> Contender:
    found = Contender()
    await found.lease._try()
    assert found.lease.held
    return found


@pytest.mark.parametrize(("passes", "held"), [(5, True), (LATE, False)])
async def test_a_machine_that_slept_too_long_holds_nothing_until_it_has_renewed(
    contender: Contender, passes: float, held: bool
) -> None:
    contender.sleep(passes)
    assert contender.lease.held is held
    await contender.lease._try()
    assert contender.lease.held


async def test_a_renewal_that_a_machine_slept_through_is_none(contender: Contender) -> None:
    def answer(document: dict[str, Any]) -> dict[str, Any]:
        contender.sleep(LATE)
        return document

    contender.api.update_lease.side_effect = answer
    await contender.lease._try()
    assert not contender.lease.held


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(seconds=-1)])
async def test_a_clock_that_is_set_back_prolongs_nothing(contender: Contender, step: timedelta) -> None:
    contender.clock.set_ahead += step
    assert contender.lease.held
    contender.clock.advance(LATE)
    assert not contender.lease.held


async def test_awake_it_ends_when_renewing_stops(contender: Contender) -> None:
    contender.clock.advance(RENEW_DEADLINE - 1)
    assert contender.lease.held
    contender.clock.advance(1)
    assert not contender.lease.held
