"""A session's author may change its link until the status names the first bot, whose pod is made just before."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.integration.faulty_api import Call, faulty
from tests.integration.operator_fixtures import crd, operator, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_plays import all_released, assignment_of, change, is_gone, names
from tests.integration.operator_process import PATIENCE, OperatorProcess, Sessions, running
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

ANOTHER_LINK = "https://meet.buddy.test:8443/rooms/retro#another-secret"


async def test_a_link_that_is_changed_while_the_pod_is_made_counts(
    crd: ApiServer, place: str, sessions: Sessions, tmp_path: Path
) -> None:
    changed = asyncio.Event()

    async def change_meanwhile(call: Call) -> web.StreamResponse:
        if is_first_pod(call) and not changed.is_set():
            changed.set()
            await asyncio.to_thread(change, sessions, "standup", meetingLink=ANOTHER_LINK)
        return await call.pass_on()

    def play() -> None:
        with running(OperatorProcess(kubeconfig, tmp_path, place, free_port())):
            sessions.apply("standup")
            second = assert_another_is_made(sessions)
            # No node had the first one, so that it is gone at once.
            wait_until(lambda: names(*sessions.pods()) == names(second), "the first pod is gone", PATIENCE)

    async with faulty(crd.kubeconfig, change_meanwhile, tmp_path) as kubeconfig:
        await asyncio.to_thread(play)


async def test_a_link_that_is_changed_after_the_operator_made_the_pod_and_died_counts(
    crd: ApiServer, place: str, sessions: Sessions, operator: OperatorProcess, tmp_path: Path
) -> None:
    made = threading.Event()

    async def hold(call: Call) -> web.StreamResponse:
        if not is_first_pod(call):
            return await call.pass_on()
        await call.carry_out()
        made.set()
        return await asyncio.Future()  # an operator that has the answer would write on

    def play() -> None:
        operator.kill()
        with running(OperatorProcess(kubeconfig, tmp_path, place, free_port())):
            sessions.apply("standup")
            assert made.wait(PATIENCE)
        first = sessions.pod("standup")
        sessions.scheduled(first)
        change(sessions, "standup", meetingLink=ANOTHER_LINK)
        operator.start()
        wait_until(
            lambda: "not for what the session says now" in sessions.status("standup").get("message", ""),
            "it says why",
            60,
        )
        assert sessions.status("standup").keys().isdisjoint({"attempt", "botPod"})
        is_gone(sessions, first)
        assert_another_is_made(sessions)
        all_released(sessions, first)

    async with faulty(crd.kubeconfig, hold, tmp_path) as kubeconfig:
        await asyncio.to_thread(play)


def is_first_pod(call: Call) -> bool:
    return call.request.method == "POST" and call.request.path.endswith("/pods") and "dryRun" not in call.request.query


def assert_another_is_made(sessions: Sessions) -> dict[str, Any]:
    """Its bot is sent to the other meeting."""
    second = sessions.pod("standup", attempt=2)
    assert assignment_of(sessions, second)["link"] == ANOTHER_LINK
    wait_until(lambda: sessions.status("standup").get("attempt") == 2, "the status names it", PATIENCE)
    return second
