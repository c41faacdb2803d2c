"""Two operators, one Lease: only its holder acts, and a holder that dies, hangs or says goodbye is followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.controller import lease
from meeting_buddy.controller.clock import Clock, SystemClock
from meeting_buddy.controller.lease import Lease
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter
from tests.integration.operator_fixtures import crd, fresh_namespace, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import PATIENCE, OperatorProcess, Sessions, running
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port
from tests.support.operator_clock import ManualClock

Pair = tuple[OperatorProcess, OperatorProcess]


@contextmanager
def started(crd: ApiServer, namespace: str, folder: Path) -> Iterator[Pair]:
    """Leader and follower of a namespace, both ready."""
    folder.mkdir(exist_ok=True)
    first = OperatorProcess(crd.kubeconfig, folder, namespace, free_port(), "operator-a")
    second = OperatorProcess(crd.kubeconfig, folder, namespace, free_port(), "operator-b")
    with running(first):
        wait_until(lambda: first.metric("meetingbuddy_leader"), "the first one leads", PATIENCE)
        with running(second):
            yield first, second


def test_the_follower_does_nothing_but_remember_until_the_leader_ends_in_order(
    crd: ApiServer, place: str, sessions: Sessions, tmp_path: Path
) -> None:
    with started(crd, place, tmp_path) as (leader, follower):
        for number in range(5):
            sessions.apply(f"standup-{number}")
            sessions.phase(f"standup-{number}", "Initializing")
        wait_until(lambda: follower.metric("meetingbuddy_cache_objects") == 5, "the follower heard of all", PATIENCE)
        assert follower.metric("meetingbuddy_leader") == 0
        assert follower.attempts() == {}, "not even a write that was refused"
        assert leader.writes()["POST Pod"] == 5

        sessions.kubectl("delete", "meetingsession", "--all")
        wait_until(lambda: not sessions.pods(), "the pods go")
        wait_until(lambda: follower.metric("meetingbuddy_cache_objects") == 0, "the follower forgot all")
        assert follower.metric("meetingbuddy_workqueue_depth") == 0
        assert follower.attempts() == {}

        assert leader.terminate() == 0
        spec = sessions.kubectl.api.get("leases", lease.NAME)["spec"]
        assert spec.get("holderIdentity") != leader.name, "given back, so that the other one need not wait"
        sessions.apply("planning")
        sessions.phase("planning", "Initializing")


def test_a_leader_that_is_killed_or_hangs_is_followed_and_does_not_act_when_it_wakes_up(
    crd: ApiServer, place: str, sessions: Sessions, tmp_path: Path
) -> None:
    # Two pairs side by side, each in a namespace of its own: nearly all of it is waiting for a Lease to run out.
    elsewhere = fresh_namespace(crd)
    theirs = Sessions(crd.kubectl.in_namespace(elsewhere))
    with (
        started(crd, place, tmp_path / "killed") as (killed, heir),
        started(crd, elsewhere, tmp_path / "hung") as (hung, other),
    ):
        before = hung.attempts()  # it made the bot key
        killed.kill()
        sessions.apply("standup")
        hung.pause()
        sessions.phase("standup", "Initializing", seconds=lease.DURATION + PATIENCE)
        assert heir.metric("meetingbuddy_leader") == 1

        wait_until(lambda: other.metric("meetingbuddy_leader"), "the other one leads", lease.DURATION + PATIENCE)
        theirs.apply("standup")
        theirs.phase("standup", "Initializing")
        hung.resume()
        wait_until(lambda: hung.metric("meetingbuddy_leader") == 0, "it knows", PATIENCE)
        theirs.apply("planning")
        theirs.phase("planning", "Initializing")
        wait_until(lambda: hung.metric("meetingbuddy_cache_objects") == 2, "it hears of both sessions", PATIENCE)
        # A write of its own would have been refused, as the other's pods are there: what it tried counts.
        assert hung.attempts() == before
        assert other.writes()["POST Pod"] == 2


class ShiftedClock(SystemClock):
    """The machine's clock, which a test puts forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def boottime(self) -> float:
        return super().boottime() + self.ahead


@asynccontextmanager
async def contender(
    kubeconfig: Path, namespace: str, name: str, clock: Clock, *, contends: bool = True
) -> AsyncIterator[Lease]:
    """One contender; it tries by itself if it ``contends``."""
    client = KubeClient(await configuration(str(kubeconfig)), RateLimiter())
    found = Lease(KubernetesApi(client, name), namespace, name, clock)
    tasks = [asyncio.create_task(found.contend())] if contends else []
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()


async def test_holding_ends_by_itself_when_renewing_stops(crd: ApiServer, place: str) -> None:
    clock = ShiftedClock()
    async with contender(crd.kubeconfig, place, "a", clock) as holder:
        async with asyncio.timeout(60):
            while not holder.held:
                await holder.changed.wait()
                holder.changed.clear()
        clock.ahead = lease.RENEW_DEADLINE + 1  # nobody renews for that long
        assert not holder.held


async def test_gives_the_lease_back_although_its_last_renewal_was_cut_off(crd: ApiServer, place: str) -> None:
    # Nothing renews it meanwhile, and it does not run out.
    async with contender(crd.kubeconfig, place, "a", ManualClock(), contends=False) as holder:
        await holder._try()
        assert holder.held
        arrived = await holder._api.get_lease(place, lease.NAME)
        arrived["spec"]["renewTime"] = "2030-01-01T00:00:00.000000Z"
        await holder._api.update_lease(arrived)  # as by a renewal whose answer nobody waited for
        await holder.release()
        left = await holder._api.get_lease(place, lease.NAME)
        assert not left["spec"].get("holderIdentity")


async def test_a_renewal_that_arrived_although_its_answer_did_not_costs_nothing(crd: ApiServer, place: str) -> None:
    async with contender(crd.kubeconfig, place, "a", ManualClock(), contends=False) as holder:
        await holder._try()
        update = holder._api.update_lease

        async def twice(document: dict[str, Any]) -> dict[str, Any]:
            """As aiohttp sends it where a connection is lost that was used before."""
            await update(document)
            return await update(document)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(holder._api, "update_lease", twice)
            await holder._try()
        assert holder.held
        await holder._try()
        assert holder.held


async def test_a_slow_api_server_does_not_make_it_come_and_go(
    crd: ApiServer, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call takes three seconds; holding must not end between two renewals."""
    clock = ShiftedClock()

    def slowly(call: Callable[..., Awaitable[dict[str, Any]]]) -> Callable[..., Awaitable[dict[str, Any]]]:
        async def taken(*arguments: Any) -> dict[str, Any]:
            found = await call(*arguments)
            clock.ahead += 3
            held.append(holder.held)
            return found

        return taken

    held: list[bool] = []
    async with contender(crd.kubeconfig, place, "a", clock, contends=False) as holder:
        await holder._try()
        for name in ("get_lease", "update_lease"):
            monkeypatch.setattr(holder._api, name, slowly(getattr(holder._api, name)))
        for _ in range(5):
            clock.ahead += lease.PERIOD
            await holder._try()
    assert held
    assert all(held)


async def test_a_lease_that_was_deleted_is_made_again(crd: ApiServer, place: str) -> None:
    clock = ShiftedClock()
    async with (
        contender(crd.kubeconfig, place, "a", clock, contends=False) as one,
        contender(crd.kubeconfig, place, "b", clock, contends=False) as two,
    ):
        await one._try()
        await two._try()
        crd.kubectl.in_namespace(place)("delete", "lease", lease.NAME)
        for _ in range(2):  # to its next renewal it is a surprise
            await one._try()
        assert one.held
        assert (await one._api.get_lease(place, lease.NAME))["spec"]["holderIdentity"] == "a"
        crd.kubectl.in_namespace(place)("delete", "lease", lease.NAME)
        await two._try()
        assert not two.held, "its holder makes it again"
        clock.ahead = lease.DURATION + 1
        await two._try()
        assert two.held
        assert not one.held


async def test_of_two_that_start_together_one_leads(crd: ApiServer, place: str) -> None:
    clock = SystemClock()
    async with contender(crd.kubeconfig, place, "a", clock) as one, contender(crd.kubeconfig, place, "b", clock) as two:
        async with asyncio.timeout(60):
            while not (one.held or two.held):
                await asyncio.wait(
                    [asyncio.ensure_future(each.changed.wait()) for each in (one, two)],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        assert one.held is not two.held
