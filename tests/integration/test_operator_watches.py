"""The operator's watches where a network loses what they carry and closes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.integration.operator_fixtures import crd, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import OperatorProcess, Sessions
from tests.local.cluster.api_only import ApiServer
from tests.support import exposition
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port
from tests.support.relay import relayed

pytestmark = pytest.mark.waits

REOPENED = "meetingbuddy_watch_reopened_total"
AGE = "meetingbuddy_watch_age_seconds"
SILENCE = 5.0


def ages(operator: OperatorProcess) -> dict[tuple[str, str], float]:
    """Seconds by resource and namespace."""
    found = exposition.samples("127.0.0.1", operator.port, AGE)
    return {(labels["resource"], labels["namespace"]): seconds for labels, seconds in found}


def sessions_go_on(operator: OperatorProcess, sessions: Sessions, silence: Callable[[], object]) -> None:
    """One whose pod becomes ready, and one that is applied, after both watches went silent."""
    operator.start()
    sessions.apply("standup")
    sessions.phase("standup", "Initializing")
    pod = sessions.pod("standup")
    sessions.scheduled(pod)
    watches = {("pods", operator.namespace), ("meetingsessions", operator.namespace)}
    wait_until(lambda: ages(operator).keys() == watches, "both are watched", 60)
    before = operator.metric(REOPENED, reason="silent")
    silence()
    sessions.running(pod, ready=True)
    sessions.apply("planning")
    sessions.phase("standup", "Active", seconds=90)
    sessions.phase("planning", "Initializing", seconds=90)
    assert operator.metric(REOPENED, reason="silent") >= before + 2
    assert operator.metric(REOPENED, reason="broken") == 0
    wait_until(lambda: max(ages(operator).values()) < 2 * SILENCE, "both are heard of again", 60)
    assert len(sessions.pods()) == 2


async def test_a_watch_that_says_nothing_is_opened_again_and_misses_nothing(
    crd: ApiServer, place: str, sessions: Sessions, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    async with relayed(crd.url) as (relay, url):
        through = tmp_path / "kubeconfig"
        through.write_text(crd.kubeconfig.read_text().replace(crd.url, url))
        operator = OperatorProcess(through, tmp_path, place, free_port(), silence=SILENCE)
        try:
            await asyncio.to_thread(
                sessions_go_on, operator, sessions, partial(loop.call_soon_threadsafe, relay.silence)
            )
        finally:
            operator.kill()
