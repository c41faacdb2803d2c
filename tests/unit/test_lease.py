"""Holding the Lease ends by itself where nobody has renewed it, also while the machine sleeps."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from meeting_buddy.controller import lease
from meeting_buddy.controller.lease import RENEW_DEADLINE, Lease
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from tests.support.awaiting import until
from tests.support.operator_clock import NOW, ManualClock

LATE = RENEW_DEADLINE + 1
AWAY = KubeError("Lease", "meetings", "operator", 0, "ClientConnectorError", "no answer")


class Contender:
    """One contender before an API server that takes each write."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.api = AsyncMock(spec=KubernetesApi)
        self.api.get_lease.return_value = {"metadata": {"resourceVersion": "1"}, "spec": {}}
        self.api.update_lease.side_effect = lambda document: document
        self.lease = Lease(cast(KubernetesApi, self.api), "meetings", "a", self.clock)


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
    contender.clock.sleep(passes)
    assert contender.lease.held is held
    await contender.lease._try()
    assert contender.lease.held


async def test_a_renewal_that_a_machine_slept_through_is_none(contender: Contender) -> None:
    def answer(document: dict[str, Any]) -> dict[str, Any]:
        contender.clock.sleep(LATE)
        return document

    contender.api.update_lease.side_effect = answer
    await contender.lease._try()
    assert not contender.lease.held


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)])
async def test_a_clock_that_is_set_neither_ends_nor_prolongs_it(contender: Contender, step: timedelta) -> None:
    contender.clock.set_ahead += step
    assert contender.lease.held
    contender.clock.advance(LATE)
    assert not contender.lease.held


async def test_awake_it_ends_when_renewing_stops(contender: Contender) -> None:
    contender.clock.advance(RENEW_DEADLINE - 1)
    assert contender.lease.held
    contender.clock.advance(1)
    assert not contender.lease.held


async def test_the_log_says_that_it_ended_also_between_two_tries(
    contender: Contender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("meeting_buddy.controller.lease.PERIOD", 0.01)
    task = asyncio.create_task(contender.lease.contend())
    await until(lambda: "became leader" in caplog.messages)
    contender.api.update_lease.side_effect = contender.api.get_lease.side_effect = AWAY
    await until(lambda: "the Lease could not be renewed" in caplog.messages)
    contender.clock.advance(LATE)
    await until(lambda: "is not leader any more" in caplog.messages)
    contender.api.update_lease.side_effect = lambda document: document
    contender.api.get_lease.side_effect = None
    await until(lambda: caplog.messages.count("became leader") == 2)
    assert caplog.messages.count("is not leader any more") == 1
    task.cancel()


async def test_after_a_machine_slept_it_is_still_tried_once_more_before_it_ends(
    contender: Contender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.controller.lease.PERIOD", 3600.0)
    contender.clock.sleep(3600)
    await contender.lease._try()
    contender.clock.advance(RENEW_DEADLINE - 0.1)
    contender.api.update_lease.side_effect = AWAY
    task = asyncio.create_task(contender.lease.contend())
    tries = contender.api.update_lease.await_count
    await until(lambda: contender.api.update_lease.await_count > tries + 1)
    task.cancel()


def of_an_uninstall(ago: float) -> dict[str, Any]:
    """The Lease as the uninstall left it, so many seconds ago by the operator's clock."""
    renewed = (NOW - timedelta(seconds=ago)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec = {"holderIdentity": "uninstall", "leaseDurationSeconds": 60, "acquireTime": renewed, "renewTime": renewed}
    return {"metadata": {"resourceVersion": "1"}, "spec": spec}


@pytest.mark.parametrize(("ago", "held"), [(86_400, True), (181, True), (179, False), (0, False), (-3600, False)])
async def test_an_operator_that_is_installed_long_after_an_uninstall_acts_at_once(ago: float, held: bool) -> None:
    found = Contender()
    found.api.get_lease.return_value = of_an_uninstall(ago)
    await found.lease._try()
    assert found.lease.held is held
    found.clock.advance(60)
    await found.lease._try()
    assert found.lease.held


async def test_another_operators_lease_is_judged_by_nobodys_calendar() -> None:
    found = Contender()
    document = of_an_uninstall(86_400)
    document["spec"]["holderIdentity"] = "b"
    found.api.get_lease.return_value = document
    await found.lease._try()
    assert not found.lease.held


@pytest.mark.parametrize(("holder", "held"), [("uninstall", True), ("b", False)])
async def test_an_uninstall_does_not_make_a_deleted_lease_again(holder: str, held: bool) -> None:
    found = Contender()
    document = of_an_uninstall(0)
    document["spec"]["holderIdentity"] = holder
    found.api.get_lease.return_value = document
    await found.lease._try()
    assert not found.lease.held
    found.api.get_lease.side_effect = KubeError("Lease", "meetings", "operator", 404, "NotFound", "gone")
    found.api.create_lease.side_effect = lambda document: document
    await found.lease._try()
    assert found.lease.held is held


async def test_an_api_server_that_takes_nearly_four_seconds_for_each_call_can_be_led(
    contender: Contender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At five times the speed."""
    monkeypatch.setattr(lease, "CALL_SECONDS", lease.CALL_SECONDS / 5)

    async def slowly(document: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(3.8 / 5)
        contender.clock.advance(3.8)
        return document

    contender.api.update_lease.side_effect = slowly
    await contender.lease._try()
    assert contender.lease.held
