"""A replica that is killed, or told to end, in the middle of streams: clients go on at another one and miss nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.streams import StreamLimits
from tests.integration.http_process import ApiProcess, followed, replica, running
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import Door, events, make_tenant, named, set_status
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import until

Event = tuple[str, str, Any]


@pytest.fixture
def replicas(crd: ApiServer, tmp_path: Path) -> Iterator[list[ApiProcess]]:
    found = [replica(crd, tmp_path) for _ in range(2)]
    with running(*found):
        yield found


async def sessions_of(coming: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Events without comments."""
    async for each in coming:
        if each[0] != "comment":
            yield each


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_stream_goes_on_at_another_replica(
    crd: ApiServer, replicas: list[ApiProcess], number: signal.Signals
) -> None:
    tenant = await asyncio.to_thread(make_tenant, crd)
    first, second = replicas
    async with asyncio.timeout(120), aiohttp.ClientSession() as client:
        session = await Door(first.url, client, StreamLimits(), asyncio.Event()).create(tenant)
        name = (await asyncio.to_thread(named, crd, tenant, session))["metadata"]["name"]
        path = f"{SESSIONS}/{session['session_id']}/events"

        async def becomes(phase: str, **more: Any) -> None:
            await asyncio.to_thread(set_status, crd, tenant, name, phase=phase, **more)

        async with followed(client, first.url + path, tenant.token) as answer:
            coming = events(answer)
            states = sessions_of(coming)
            assert (await anext(states))[2]["status"] == "initializing"
            await becomes("Joining")
            _, last, state = await anext(states)
            assert state["status"] == "joining"
            first.tell(number)
            if number is signal.SIGKILL:
                with pytest.raises(aiohttp.ClientError):
                    await anext(states)
                assert await asyncio.to_thread(first.wait) == -signal.SIGKILL
            else:
                told = [each async for each in coming]
                assert {kind for kind, *_ in told} == {"comment"}, "no end: the session goes on"
                assert "come again" in told[-1][2]
                assert await asyncio.to_thread(first.wait) == 0
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(first.url + path)

        # Nothing new: nothing comes twice.
        async with followed(client, second.url + path, tenant.token, last) as answer:
            states = sessions_of(events(answer))
            await until(lambda: second.counted("meetingbuddy_http_upstream_seconds_count", verb="WATCH") == 1)
            await becomes("Active")
            kind, again, state = await anext(states)
            assert (kind, state["status"]) == ("session", "active")
        # What happened while nobody listened is there, though its id is an older one.
        history = [{"name": f"Guest {number}", "joinedAt": "2026-11-23T10:00:00Z"} for number in range(3)]
        await becomes("Recording", participantHistory=history)
        async with followed(client, second.url + path, tenant.token, again) as answer:
            states = sessions_of(events(answer))
            kind, _, state = await anext(states)
            assert (kind, state["status"]) == ("session", "recording")
            assert {each["name"] for each in state["participant_history"]} == {f"Guest {number}" for number in range(3)}
            await becomes("Completed", reason="MeetingEnded")
            rest = [(kind, data.get("status")) async for kind, _, data in states]
            assert rest == [("session", "completed"), ("end", None)]
