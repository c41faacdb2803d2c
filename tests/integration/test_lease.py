"""Two operators, one Lease: only its holder acts, and a holder that dies, hangs or says goodbye is followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meeting_buddy.controller import lease
from meeting_buddy.controller.clock import Clock, SystemClock
from meeting_buddy.controller.lease import Lease
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter
from tests.integration.operator_fixtures import crd, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import OperatorProcess, Sessions, running
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port


@pytest.fixture
def pair(crd: ApiServer, place: str, tmp_path: Path) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """Leader and follower, both ready."""
    first = OperatorProcess(crd.kubeconfig, tmp_path, place, free_port(), "operator-a")
    second = OperatorProcess(crd.kubeconfig, tmp_path, place, free_port(), "operator-b")
    with running(first):
        wait_until(lambda: first.metric("meetingbuddy_leader"), "the first one leads")
        with running(second):
            yield first, second


Pair = tuple[OperatorProcess, OperatorProcess]


def test_only_the_holder_acts(pair: Pair, sessions: Sessions) -> None:
    leader, follower = pair
    sessions.apply("standup")
    sessions.phase("standup", "Initializing")
    wait_until(lambda: follower.metric("meetingbuddy_cache_objects") == 1, "the follower heard of it")
    assert follower.metric("meetingbuddy_leader") == 0
    assert follower.attempts() == {}, "not even a write that was refused"
    assert leader.writes()["POST Pod"] == 1


def test_the_follower_forgets_what_is_gone(pair: Pair, sessions: Sessions) -> None:
    _, follower = pair
    for number in range(5):
        sessions.apply(f"standup-{number}")
        sessions.phase(f"standup-{number}", "Initializing")
    wait_until(lambda: follower.metric("meetingbuddy_cache_objects") == 5, "the follower heard of all")
    sessions.kubectl("delete", "meetingsession", "--all")
    wait_until(lambda: not sessions.pods(), "the pods go")
    wait_until(lambda: follower.metric("meetingbuddy_cache_objects") == 0, "the follower forgot all")
    assert follower.metric("meetingbuddy_workqueue_depth") == 0


def test_a_killed_leader_is_followed_within_its_leases_duration(pair: Pair, sessions: Sessions) -> None:
    leader, follower = pair
    leader.kill()
    sessions.apply("standup")
    sessions.phase("standup", "Initializing", seconds=lease.DURATION + 10)
    assert follower.metric("meetingbuddy_leader") == 1


def test_a_leader_that_ends_in_order_is_followed_at_once(pair: Pair, sessions: Sessions) -> None:
    leader, _ = pair
    assert leader.terminate() == 0
    sessions.apply("standup")
    sessions.phase("standup", "Initializing", seconds=lease.PERIOD + 6)


def test_a_leader_that_hung_does_not_act_when_it_wakes_up(pair: Pair, sessions: Sessions) -> None:
    hung, other = pair
    before = hung.attempts()  # it made the bot key
    hung.pause()
    wait_until(lambda: other.metric("meetingbuddy_leader"), "the other one leads", lease.DURATION + 10)
    sessions.apply("standup")
    sessions.phase("standup", "Initializing")
    hung.resume()
    wait_until(lambda: hung.metric("meetingbuddy_leader") == 0, "it knows")
    sessions.apply("planning")
    sessions.phase("planning", "Initializing")
    wait_until(lambda: hung.metric("meetingbuddy_cache_objects") == 2, "it hears of both sessions")
    # A write of its own would have been refused, as the other's pods are there: what it tried counts.
    assert hung.attempts() == before
    assert other.writes()["POST Pod"] == 2


class ShiftedClock(SystemClock):
    """The machine's clock, which a test puts forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@asynccontextmanager
async def contender(kubeconfig: Path, namespace: str, name: str, clock: Clock) -> AsyncIterator[Lease]:
    client = KubeClient(await configuration(str(kubeconfig)), RateLimiter())
    found = Lease(KubernetesApi(client, name), namespace, name, clock)
    task = asyncio.create_task(found.contend())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


async def test_holding_ends_by_itself_when_renewing_stops(crd: ApiServer, place: str) -> None:
    clock = ShiftedClock()
    async with contender(crd.kubeconfig, place, "a", clock) as holder:
        async with asyncio.timeout(10):
            while not holder.held:
                await holder.changed.wait()
                holder.changed.clear()
        clock.ahead = lease.RENEW_DEADLINE + 1  # nobody renews for that long
        assert not holder.held


async def test_gives_the_lease_back_although_its_last_renewal_was_cut_off(crd: ApiServer, place: str) -> None:
    async with contender(crd.kubeconfig, place, "a", SystemClock()) as holder:
        async with asyncio.timeout(10):
            while not holder.held:
                await holder.changed.wait()
                holder.changed.clear()
        arrived = await holder._api.get_lease(place, lease.NAME)
        arrived["spec"]["renewTime"] = "2030-01-01T00:00:00.000000Z"
        await holder._api.update_lease(arrived)  # as by a renewal whose answer nobody waited for
        await holder.release()
        left = await holder._api.get_lease(place, lease.NAME)
        assert not left["spec"].get("holderIdentity")


async def test_of_two_that_start_together_one_leads(crd: ApiServer, place: str) -> None:
    clock = SystemClock()
    async with contender(crd.kubeconfig, place, "a", clock) as one, contender(crd.kubeconfig, place, "b", clock) as two:
        async with asyncio.timeout(10):
            while not (one.held or two.held):
                await asyncio.wait(
                    [asyncio.ensure_future(each.changed.wait()) for each in (one, two)],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        assert one.held is not two.held
