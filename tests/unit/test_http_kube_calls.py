"""Calls of the HTTP API to the API server: how much of an answer is read, and from where a session is watched."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from meeting_buddy.http_api import service
from meeting_buddy.http_api.documents import Platforms
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.service import Sessions
from meeting_buddy.kube import caller as kube_caller
from meeting_buddy.kube.caller import LARGE_ANSWERS, CallerApi, Page
from meeting_buddy.kube.errors import KubeError
from tests.support.machine_wide import free_port

UID = "11111111-2222-3333-4444-555555555555"
META = {"name": "a", "namespace": "team-a", "uid": UID, "resourceVersion": "7"}
SESSION: dict[str, Any] = {
    "apiVersion": "meetingbuddy.io/v1alpha1",
    "kind": "MeetingSession",
    "metadata": META | {"creationTimestamp": "2026-11-23T10:00:00Z", "generation": 1},
    "spec": {"meetingLink": "https://teams.microsoft.com/l/meetup-join/abc123"},
    "status": {"phase": "Recording", "attempt": 1, "botAddress": "127.0.0.1"},
}
CALLER = Caller("token")


class Upstream:
    """An API server that gives each call ``body``, the second half of it once ``going_on`` is set."""

    def __init__(self) -> None:
        self.body = b""
        self.headers: dict[str, str] = {}
        self.status = 200
        self.going_on = asyncio.Event()
        self.going_on.set()
        self.queries: list[dict[str, str]] = []

    async def answered(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        answer = web.StreamResponse(status=self.status, headers=self.headers)
        await answer.prepare(request)
        middle = len(self.body) // 2
        await answer.write(self.body[:middle])
        await self.going_on.wait()
        await answer.write(self.body[middle:])
        return answer


@asynccontextmanager
async def calling() -> AsyncIterator[tuple[CallerApi, Upstream]]:
    upstream, port = Upstream(), free_port()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", upstream.answered)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    api = CallerApi(f"http://127.0.0.1:{port}")
    try:
        yield api, upstream
    finally:
        await api.close()
        await runner.cleanup()


def of_size(size: int) -> bytes:
    """A session of at least so many bytes."""
    document = copy.deepcopy(SESSION)
    document["metadata"]["annotations"] = {"large": "x" * size}
    return json.dumps(document).encode()


async def test_an_answer_that_is_too_long_is_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_caller, "LONGEST_ANSWER", 300_000)
    async with calling() as (api, upstream):
        for status in (200, 500):
            upstream.body, upstream.status = of_size(200_000), status
            if status == 200:
                assert (await api.get("token", "team-a", "a"))["metadata"]["name"] == "a"
            for packed in (False, True):
                upstream.body = gzip.compress(of_size(400_000)) if packed else of_size(400_000)
                upstream.headers = {"Content-Encoding": "gzip"} if packed else {}
                with pytest.raises(KubeError) as error:
                    await api.get("token", "team-a", "a")
                assert error.value.unreadable
            upstream.headers = {}
        upstream.body = of_size(400_000)
        with pytest.raises(KubeError) as error:
            async with aclosing(api.watch("token", "team-a", "a", "7", 60)) as watch:
                await anext(watch)
        assert error.value.unreadable, "what is said of a watch that is refused is an answer, too"


async def until_places_are_taken(api: CallerApi) -> None:
    async with asyncio.timeout(20):
        while not api._large_answers.locked():  # noqa: ASYNC110 -- what is read comes over the network
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("large", [False, True])
async def test_a_large_answer_has_its_place_until_it_is_parsed(monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    monkeypatch.setattr(kube_caller, "LARGE_ANSWER", 100_000 if large else 10_000_000)
    count, taken, parse = LARGE_ANSWERS + 2, list[int](), kube_caller._document
    async with calling() as (api, upstream):

        def parsing(*arguments: Any) -> Any:
            taken.append(LARGE_ANSWERS - api._large_answers._value)
            return parse(*arguments)

        monkeypatch.setattr(kube_caller, "_document", parsing)
        upstream.body = of_size(300_000)
        async with asyncio.timeout(20):
            await asyncio.gather(*(api.get("token", "team-a", "a") for _ in range(count)))
        assert len(taken) == count, "those that had to wait are read, too"
        assert all((1 <= each <= LARGE_ANSWERS) == large for each in taken)
        assert api._large_answers._value == LARGE_ANSWERS


async def test_who_waits_for_the_place_of_a_large_answer_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kube_caller, "LARGE_ANSWER", 100_000)
    async with calling() as (api, upstream):
        upstream.body = of_size(300_000)
        upstream.going_on.clear()
        held = [asyncio.create_task(api.get("token", "team-a", "a")) for _ in range(LARGE_ANSWERS)]
        await until_places_are_taken(api)
        upstream.going_on.set()
        for each in held[1:]:
            each.cancel()
        await asyncio.wait(held)
        assert api._large_answers._value == LARGE_ANSWERS, "whoever goes gives back a place"
        upstream.going_on.clear()
        held = [asyncio.create_task(api.get("token", "team-a", "a")) for _ in range(LARGE_ANSWERS)]
        await until_places_are_taken(api)
        monkeypatch.setattr(kube_caller, "TIMEOUT_SECONDS", 0.3)
        with pytest.raises(KubeError) as error:
            await api.get("token", "team-a", "a")
        assert error.value.status == 0
        upstream.going_on.set()
        await asyncio.gather(*held)
        assert api._large_answers._value == LARGE_ANSWERS


async def test_names_of_a_namespace_are_read_in_pages_that_fit_into_an_answer() -> None:
    async with calling() as (api, upstream):
        upstream.body = json.dumps({"metadata": {"continue": "", "resourceVersion": "9"}, "items": []}).encode()
        with pytest.raises(ProblemError, match="not-found"):
            await Finder(api).find(CALLER, "team-a", f"mbsess_{'0' * 32}")
        assert upstream.queries[-1] == {"limit": "100"}
        assert await api.page("token", "team-a") == Page([], "", "9")


def session(version: str, phase: str = "Recording") -> dict[str, Any]:
    document = copy.deepcopy(SESSION)
    document["metadata"]["resourceVersion"] = version
    document["status"]["phase"] = phase
    return document


class BusyCluster:
    """An API server that forgets: watches from before ``oldest`` are answered 410."""

    def __init__(self, now: dict[str, Any] | None, oldest: int, latest: str) -> None:
        self.now, self.oldest, self.latest = now, oldest, latest
        self.watched: list[str] = []
        self.listed: list[dict[str, Any]] = []
        self.script: list[list[dict[str, Any]]] = []
        """Events of each watch that is not refused; behind the last one watches hang."""

    async def get(self, _token: str, _namespace: str, _name: str) -> Any:
        return self.now

    async def page(self, _token: str, _namespace: str, **selected: Any) -> Any:
        self.listed.append(selected)
        return Page([self.now] if self.now else [], "", self.latest)

    async def watch(
        self, _token: str, _namespace: str, _name: str, version: str, _seconds: int
    ) -> AsyncGenerator[dict[str, Any], None]:
        self.watched.append(version)
        if int(version) < self.oldest:
            raise KubeError("MeetingSession", "team-a", "a", 410, "Expired", "too old resource version")
        if not self.script:
            await asyncio.Event().wait()
        for event in self.script.pop(0):
            yield event


class FoundFirst(Finder):
    """Finds what was there at first."""

    async def find(self, *_: Any) -> Any:
        return session("7")


async def followed(cluster: BusyCluster, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], bool]:
    """Versions that a caller is sent until nothing comes any more; whether the stream has ended then."""
    monkeypatch.setattr(service, "_WATCH_AGAIN", 0.01)
    sessions = Sessions(cluster, FoundFirst(cluster), Platforms(()))  # type: ignore[arg-type]
    sent: list[str] = []
    try:
        async with asyncio.timeout(0.5), aclosing(await sessions.open_events(CALLER, "team-a", "id")) as events:
            async for version, _ in events:
                sent.append(version)
    except TimeoutError:
        return sent, False
    return sent, True


async def test_a_quiet_session_of_a_busy_cluster_is_watched_and_not_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = BusyCluster(session("7"), oldest=50, latest="90")
    assert await followed(cluster, monkeypatch) == (["7"], False)
    assert cluster.watched == ["7", "90"]
    assert cluster.listed == [{"field_selector": "metadata.name=a", "limit": 1}]


async def test_what_changed_between_two_watches_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = BusyCluster(session("8"), oldest=0, latest="90")
    cluster.script = [
        [{"type": "MODIFIED", "object": session("8")}],
        [],
        [{"type": "MODIFIED", "object": session("95")}, {"type": "MODIFIED", "object": session("96", "Completed")}],
    ]
    assert await followed(cluster, monkeypatch) == (["7", "8", "95", "96"], True)
    assert cluster.watched == ["7", "90", "90"]
    cluster = BusyCluster(session("60"), oldest=50, latest="90")
    assert await followed(cluster, monkeypatch) == (["7", "60"], False)


@pytest.mark.parametrize("uid", [None, "99999999-2222-3333-4444-555555555555"])
async def test_a_session_that_is_gone_or_another_one_ends_the_stream(
    monkeypatch: pytest.MonkeyPatch, uid: str | None
) -> None:
    now = session("60")
    now["metadata"]["uid"] = uid
    assert await followed(BusyCluster(now if uid else None, 50, "90"), monkeypatch) == (["7"], True)


async def test_a_list_without_a_version_is_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProblemError, match="upstream-error"):
        await followed(BusyCluster(session("7"), 50, ""), monkeypatch)
