"""The Secret with the operator's keys: made with two items, and taken over from a version that had one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from meeting_buddy.app.key import NAME, bot_keys
from meeting_buddy.contract.token import BotKeys, Scope, derive, digest
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from tests.integration.operator_fixtures import crd, operator, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import PATIENCE, OperatorProcess, Sessions
from tests.local.cluster.api_only import ApiServer
from tests.support import operator_facts as make
from tests.support.awaiting import wait_until
from tests.support.report_server import ReportServer

FORMER = b"k" * 32


@pytest.fixture
async def api(crd: ApiServer) -> AsyncIterator[KubernetesApi]:
    client = KubeClient(await configuration(str(crd.kubeconfig)), RateLimiter())
    yield KubernetesApi(client, "test")
    await client.close()


def stored(sessions: Sessions) -> dict[str, bytes]:
    data = sessions.kubectl.json("get", "secret", NAME)["data"]
    return {item: base64.b64decode(value) for item, value in data.items()}


def of_a_former_version(sessions: Sessions) -> None:
    """Put the Secret of a version that had one key."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME},
        "data": {"key": base64.b64encode(FORMER).decode()},
    }
    sessions.kubectl("delete", "secret", NAME, "--ignore-not-found")
    sessions.kubectl.create(secret)


async def test_two_keys_are_made_and_found_again(api: KubernetesApi, sessions: Sessions, place: str) -> None:
    first = await bot_keys(api, place)
    assert await bot_keys(api, place) == first
    assert stored(sessions) == {"control": first.control, "read": first.read}
    assert first.control != first.read
    assert first.former is None


async def test_operators_that_start_together_agree(api: KubernetesApi, sessions: Sessions, place: str) -> None:
    assert len({repr_of(keys) for keys in await asyncio.gather(*(bot_keys(api, place) for _ in range(5)))}) == 1
    of_a_former_version(sessions)
    found = await asyncio.gather(*(bot_keys(api, place) for _ in range(5)))
    assert len({repr_of(keys) for keys in found}) == 1


def repr_of(keys: BotKeys) -> tuple[bytes, bytes, bytes | None]:
    return keys.control, keys.read, keys.former


async def test_the_one_key_of_a_former_version_is_kept_beside_the_two(
    api: KubernetesApi, sessions: Sessions, place: str
) -> None:
    of_a_former_version(sessions)
    found = await bot_keys(api, place)
    assert found.former == FORMER
    assert stored(sessions) == {"key": FORMER, "control": found.control, "read": found.read}
    assert len({FORMER, found.control, found.read}) == 3


def test_a_live_bot_of_a_former_version_hears_its_own_token_and_a_new_one_the_new_key(
    operator: OperatorProcess, sessions: Sessions, place: str
) -> None:
    operator.kill()
    of_a_former_version(sessions)
    sessions.apply("old")
    uid = sessions.get("old")["metadata"]["uid"]
    sessions.kubectl.create(session_pod(BotPodInput(place, "old", uid, make.spec(), make.CLASS)))
    pod = sessions.pod("old")
    sessions.scheduled(pod)
    with ReportServer(uid) as bot:
        sessions.running(pod, ip=bot.address, ready=True)
        operator.start()
        bot.say("Recording", joinedAt="2026-11-23T10:00:20Z", everJoined=True)
        sessions.phase("old", "Recording")
        sessions.apply("old", leave=True)
        assert bot.asked_to_leave.wait(PATIENCE)
        assert bot.tokens == {derive(FORMER, uid, 1, Scope.CONTROL)}
    sessions.apply("new")
    name = sessions.pod("new")["metadata"]["name"]
    wait_until(lambda: sessions.exists("secrets", name), "the new one's Secret", PATIENCE)
    data = sessions.kubectl.json("get", "secret", name)["data"]["assignment.json"]
    tokens = json.loads(base64.b64decode(data))["tokens"]
    new_uid = sessions.get("new")["metadata"]["uid"]
    keys = stored(sessions)
    assert tokens == {
        scope.value: digest(derive(keys[scope.value], new_uid, 1, scope)) for scope in (Scope.CONTROL, Scope.READ)
    }
