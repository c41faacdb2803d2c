"""The few calls that are made, against a real API server: conflicts, refusals, absence, paging, silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from meeting_buddy.app.metrics import Metrics
from meeting_buddy.contract.identity import FINALIZER_OUTCOME, FIRST_BOT
from meeting_buddy.controller.clock import SystemClock
from meeting_buddy.controller.event_handler import EventHandler
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.resync import NamespaceResync
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.kube import api as kube_objects
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from tests.integration.operator_fixtures import crd, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import Sessions
from tests.local.cluster.api_only import ApiServer
from tests.support import operator_facts as make


@pytest.fixture
async def api(crd: ApiServer) -> AsyncIterator[KubernetesApi]:
    client = KubeClient(await configuration(str(crd.kubeconfig)), RateLimiter())
    yield KubernetesApi(client, "test")
    await client.close()


def pod_for(sessions: Sessions, name: str, place: str) -> dict[str, Any]:
    uid = sessions.get(name)["metadata"]["uid"]
    return session_pod(BotPodInput(place, name, uid, make.spec(), make.CLASS))


async def test_a_status_is_not_written_over_a_change(api: KubernetesApi, sessions: Sessions, place: str) -> None:
    sessions.apply("standup")
    seen = await api.get_session(place, "standup")
    sessions.apply("standup", leave=True)
    with pytest.raises(KubeError) as error:
        await api.patch_status(place, "standup", seen["metadata"]["resourceVersion"], {"phase": "Joining"})
    assert error.value.conflict
    assert "phase" not in sessions.status("standup")


async def test_a_status_patch_touches_nothing_else(api: KubernetesApi, sessions: Sessions, place: str) -> None:
    sessions.apply("standup")
    seen = await api.get_session(place, "standup")
    after = await api.patch_status(place, "standup", seen["metadata"]["resourceVersion"], {"phase": "Joining"})
    assert after["status"] == seen["status"] | {"phase": "Joining"}
    assert after["spec"] == seen["spec"]
    assert after["metadata"]["generation"] == seen["metadata"]["generation"]


async def test_errors_say_what_was_asked_of_which_object(api: KubernetesApi, place: str) -> None:
    with pytest.raises(KubeError) as error:
        await api.get_pod(place, "nobody")
    assert error.value.not_found
    assert (error.value.kind, error.value.namespace, error.value.name) == ("Pod", place, "nobody")


async def test_a_pod_that_exists_is_told_apart_from_a_conflict(
    api: KubernetesApi, sessions: Sessions, place: str
) -> None:
    sessions.apply("standup")
    manifest = pod_for(sessions, "standup", place)
    await api.create_pod(manifest)
    with pytest.raises(KubeError) as error:
        await api.create_pod(manifest)
    assert error.value.exists
    assert not error.value.conflict


async def test_an_invalid_pod_is_refused_for_good(api: KubernetesApi, sessions: Sessions, place: str) -> None:
    sessions.apply("standup")
    manifest = pod_for(sessions, "standup", place)
    manifest["spec"]["restartPolicy"] = "Sometimes"
    with pytest.raises(KubeError) as error:
        await api.create_pod(manifest)
    assert error.value.refused


async def test_exactly_one_pod_is_deleted(api: KubernetesApi, sessions: Sessions, place: str) -> None:
    sessions.apply("standup")
    made = await api.create_pod(pod_for(sessions, "standup", place))
    name = made["metadata"]["name"]
    await api.delete_pod(place, name, "11111111-2222-3333-4444-555555555555")
    assert "deletionTimestamp" not in (await api.get_pod(place, name))["metadata"]
    await api.delete_pod(place, name, made["metadata"]["uid"])
    held = await api.get_pod(place, name)
    assert "deletionTimestamp" in held["metadata"]
    await api.release_pod(place, name, made["metadata"]["uid"], FINALIZER_OUTCOME)
    await api.delete_pod(place, name, made["metadata"]["uid"])
    with pytest.raises(KubeError):
        await api.get_pod(place, name)


async def test_lists_are_paged(
    api: KubernetesApi, sessions: Sessions, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_objects, "PAGE", "2")
    for number in range(5):
        sessions.apply(f"standup-{number}")
    assert len([each async for each in api.list_sessions(place)]) == 5


async def test_no_answer_is_an_error_and_not_a_hang() -> None:
    from kubernetes.aio.client import Configuration

    nowhere = Configuration()
    nowhere.host = "http://127.0.0.1:9"
    client = KubeClient(nowhere, RateLimiter())
    with pytest.raises(KubeError) as error:
        await KubernetesApi(client, "test").get_pod("a", "b")
    assert error.value.status == 0
    await client.close()


async def test_a_burst_of_writes_is_served_in_turns() -> None:
    now = 0.0
    pace = RateLimiter(lambda: now)
    waits = [pace._take() for _ in range(260)]
    assert max(waits[:200]) == 0
    assert 0.25 < waits[-1] < 0.35


async def test_a_finalizer_is_taken_from_exactly_one_pod_whatever_else_changed(
    api: KubernetesApi, sessions: Sessions, place: str
) -> None:
    sessions.apply("standup")
    manifest = pod_for(sessions, "standup", place)
    manifest["metadata"]["finalizers"].append("example.org/other")
    made = await api.create_pod(manifest)
    name = made["metadata"]["name"]
    with pytest.raises(KubeError) as error:
        await api.release_pod(place, name, "11111111-2222-3333-4444-555555555555", FINALIZER_OUTCOME)
    assert error.value.invalid
    sessions.waiting(made, "PodInitializing", "")  # the kubelet writes: the version that was seen is an old one
    for _ in range(2):  # twice is once
        after = await api.release_pod(place, name, made["metadata"]["uid"], FINALIZER_OUTCOME)
        assert after["metadata"]["finalizers"] == ["example.org/other"]


async def test_labels_are_put_on_exactly_one_pod_whatever_else_changed(
    api: KubernetesApi, sessions: Sessions, place: str
) -> None:
    sessions.apply("standup")
    made = await api.create_pod(pod_for(sessions, "standup", place))
    name, uid, before = made["metadata"]["name"], made["metadata"]["uid"], made["metadata"]["labels"]
    with pytest.raises(KubeError) as error:
        await api.label_pod(place, name, "11111111-2222-3333-4444-555555555555", {"team": "a"})
    assert not error.value.not_found
    sessions.waiting(made, "PodInitializing", "")  # the kubelet writes: the version that was seen is an old one
    after = await api.label_pod(place, name, uid, {"team": "a"})
    assert after["metadata"]["labels"] == {**before, "team": "a"}


class Listing:
    """A namespace that is listed into a cache of its own."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self.cache, self.queue = SessionCache(SystemClock()), KeyedQueue()
        self.events = EventHandler(self.cache, self.queue)
        self.events.start_leading()
        self.resync = NamespaceResync(api, self.cache, self.events, namespace, SystemClock(), Metrics())

    async def told(self) -> set[str]:
        """What a listing made known as changed."""
        await self.resync.once()
        found = set()
        while len(self.queue):
            uid, _ = await self.queue.take()
            self.queue.done(uid)
            found.add(uid)
        return found


async def test_a_listing_heals_what_a_watch_lost(api: KubernetesApi, sessions: Sessions, place: str) -> None:
    listing = Listing(api, place)
    sessions.apply("standup")
    uid = sessions.get("standup")["metadata"]["uid"]
    made = await api.create_pod(pod_for(sessions, "standup", place))
    assert await listing.told() == {uid}
    entry = listing.cache.get(uid)
    assert entry is not None
    assert entry.session is not None
    assert list(entry.pods) == [made["metadata"]["name"]]
    assert await listing.told() == set()
    await api.release_pod(place, made["metadata"]["name"], made["metadata"]["uid"], FINALIZER_OUTCOME)
    sessions.kubectl("delete", "pod,meetingsession", "--all", "--force", "--grace-period=0")
    assert await listing.told() == {uid}
    assert (entry.session is None, len(entry.pods), entry.gone) == (True, 0, False)
    assert entry.of(FIRST_BOT).last_seen is not None
