"""The operator says whether the cluster's CRD is its own version's, by the real API server's OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import yaml

from meeting_buddy.controller.crd_check import REMEDY, CrdCheck
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.resource.crd import schema_hash
from meeting_buddy.resource.session import API_VERSION
from tests.integration.operator_fixtures import crd, operator, place  # noqa: F401 -- fixtures
from tests.integration.operator_process import PATIENCE, OperatorProcess
from tests.local.clone import CRD
from tests.local.cluster.api_only import ApiServer
from tests.support import exposition
from tests.support.awaiting import until, wait_until
from tests.support.machine_wide import free_port

MATCHES = "meetingbuddy_crd_schema_matches"
OTHER_HASH = "(schema 0123456789abcdef)"


@pytest.fixture
async def api(crd: ApiServer) -> AsyncIterator[KubernetesApi]:
    client = KubeClient(await configuration(str(crd.kubeconfig)), RateLimiter())
    yield KubernetesApi(client, "test")
    await client.close()


@pytest.fixture
def describe(crd: ApiServer) -> Iterator[Callable[[str], None]]:
    """Puts another word where the CRD's hash stands; the right CRD comes back after the test."""
    right: dict[str, Any] = yaml.safe_load(CRD.read_text())

    def apply(instead: str) -> None:
        crd.kubectl.apply(
            yaml.safe_load(CRD.read_text().replace(f"(schema {schema_hash()})", instead)),
            arguments=["--server-side", "--force-conflicts"],
        )

    yield apply
    crd.kubectl.apply(right, arguments=["--server-side", "--force-conflicts"])


async def until_it_says(check: CrdCheck, verdict: bool) -> None:
    """The API server publishes a changed CRD a moment later."""
    async with asyncio.timeout(60):
        while await check.once() is not verdict:  # noqa: ASYNC110 -- it is the API server that changes
            await asyncio.sleep(0.1)


async def test_the_crd_of_this_version_matches_and_is_looked_at_no_more(api: KubernetesApi) -> None:
    await until_it_says(CrdCheck(api, lambda _: None), True)
    seen: list[bool | None] = []
    async with CrdCheck(api, seen.append, period=0.1).running():
        await until(lambda: seen)
        await asyncio.sleep(0.5)
    assert seen == [True]


@pytest.mark.parametrize("older", [OTHER_HASH, ""], ids=["another hash", "none, as before there was one"])
async def test_an_older_crd_is_one_line_with_the_remedy_and_is_looked_at_until_it_is_replaced(
    api: KubernetesApi, describe: Callable[[str], None], caplog: pytest.LogCaptureFixture, older: str
) -> None:
    await asyncio.to_thread(describe, older)
    await until_it_says(CrdCheck(api, lambda _: None), False)
    caplog.clear()
    caplog.set_level(logging.INFO, "meeting_buddy")
    seen: list[bool | None] = []
    async with CrdCheck(api, seen.append, period=0.1).running():
        await until(lambda: len(seen) >= 3)
        await asyncio.to_thread(describe, f"(schema {schema_hash()})")
        await until(lambda: seen[-1] is True)
    assert set(seen) == {False, True}
    found = [(each.levelname, each.message) for each in caplog.records if each.name.endswith("crd_check")]
    assert found == [("WARNING", REMEDY), ("INFO", "the CRD is this version's now")]


async def test_where_it_cannot_be_read_there_is_no_verdict(crd: ApiServer) -> None:
    settings = await configuration(str(crd.kubeconfig))
    settings.host = f"https://127.0.0.1:{free_port()}"  # nobody listens there
    client = KubeClient(settings, RateLimiter())
    try:
        assert await CrdCheck(KubernetesApi(client, "test"), lambda _: None).once() is None
    finally:
        await client.close()


def test_the_operator_starts_with_an_older_crd_and_says_so(
    crd: ApiServer, describe: Callable[[str], None], operator: OperatorProcess
) -> None:
    wait_until(lambda: operator.metric(MATCHES) == 1, "the right CRD matches", PATIENCE)
    assert REMEDY not in operator.log.read_text()
    operator.terminate()
    describe(OTHER_HASH)
    wait_until(
        lambda: OTHER_HASH in crd.kubectl("get", f"--raw=/openapi/v3/apis/{API_VERSION}"), "it is published", PATIENCE
    )
    operator.start()
    wait_until(lambda: REMEDY in operator.log.read_text(), "the log has the remedy", PATIENCE)
    wait_until(lambda: list(exposition.samples("127.0.0.1", operator.port, MATCHES)), "it is counted", PATIENCE)
    assert list(exposition.samples("127.0.0.1", operator.port, MATCHES)) == [({"version": "v1alpha1"}, 0.0)]
