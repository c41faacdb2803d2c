"""An API server that is slow, busy, broken or away is told as what it is: never 401, never 500.

A scripted server stands for it, since the fault is what is tested: each fault at each call of each operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS
from meeting_buddy.http_api.metrics import Metrics
from tests.integration.http_process import followed
from tests.integration.scripted_api_server import (
    SESSION,
    UID,
    Fault,
    ScriptedApiServer,
    answering,
    cut,
    saying,
    scripted,
    silent,
    torn,
)
from tests.integration.test_http_api import INVENTED as TOKEN
from tests.integration.test_http_api import Answer, Door, events, operations, served
from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.kubectl import Kubectl
from tests.local.machine.certificates import Authority
from tests.support.awaiting import until
from tests.support.machine_wide import free_port

SESSION_ID = f"mbsess_{UID.replace('-', '')}"
EVENTS = f"{SESSIONS}/{SESSION_ID}/events"


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedApiServer]:
    async with scripted() as server:
        yield server


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority; nobody shows a certificate of it, since the scripted server is plain HTTP."""
    return Authority.ensure(tmp_path_factory.mktemp("authority"), "authority of a test").certificate


@pytest.fixture
async def door(upstream: ScriptedApiServer, metrics: Metrics, authority: Path) -> AsyncIterator[Door]:
    async with served(at(upstream.port, authority), metrics=metrics) as door:
        yield door


def at(port: int, authority: Path) -> ApiServer:
    """What `served` needs to know of an API server."""
    return ApiServer(f"http://127.0.0.1:{port}", authority, authority, Kubectl(Path("unused"), authority))


async def ask(door: Door, method: str, path: str) -> Answer:
    """One operation. Answers with events are read up to their first one, so that a stream without an end has one."""
    body = {"json": EXAMPLE} if (method, path) == ("POST", SESSIONS) else {}
    where = path.format(session_id=SESSION_ID, name="recording.mp4")
    if path.endswith("/events"):
        async with door.client.get(door.url + where, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            if answer.status == 200:
                await anext(events(answer))
                return Answer(200, answer.headers, "")
            return Answer(answer.status, answer.headers, await answer.text())
    return await door(method, where, TOKEN, **body)


GARBAGE: dict[str, Any] = {"metadata": 5, "items": 5, "status": "x", "type": "ADDED", "object": []}
DEEP = b"[" * 100_000
FAULTS: list[tuple[str, Fault, int, str, str | None]] = [
    ("slow", silent, 504, "upstream-timeout", "5"),
    ("busy", saying(429, "TooManyRequests", Retry_After="7"), 429, "too-many-requests", "7"),
    ("busy, it does not say for how long", answering(429), 429, "too-many-requests", "1"),
    ("internal error", saying(500, "InternalError"), 503, "upstream-unavailable", "5"),
    ("starting", answering(503, b"not ready", Retry_After="9"), 503, "upstream-unavailable", "9"),
    ("time is up", saying(504, "Timeout"), 503, "upstream-unavailable", "5"),
    ("cut", cut, 503, "upstream-unavailable", "5"),
    ("torn", torn, 503, "upstream-unavailable", "5"),
    ("a proxy's 404", answering(404, b"<html>"), 503, "upstream-unavailable", "5"),
    ("a page", answering(200, b"<html>"), 502, "upstream-error", None),
    ("a list", answering(200, []), 502, "upstream-error", None),
    ("nothing in it", answering(200, {}), 502, "upstream-error", None),
    ("nonsense", answering(200, GARBAGE), 502, "upstream-error", None),
    (
        "nonsense inside",
        answering(200, {**SESSION, "items": [5], "spec": 5, "status": [5]}),
        502,
        "upstream-error",
        None,
    ),
    ("deep", answering(200, DEEP), 502, "upstream-error", None),
    ("a redirect", answering(302, Location="/elsewhere"), 502, "upstream-error", None),
    ("a refusal that is nonsense", answering(418, {"details": {"causes": 5}}), 502, "upstream-error", None),
    ("no such resource", answering(404, b"404 page not found\n"), 502, "upstream-error", None),
]


async def test_a_session_is_found_without_a_look_at_all_others_and_shown_as_it_is_now(
    door: Door, upstream: ScriptedApiServer
) -> None:
    answer = await door("GET", f"{SESSIONS}/{SESSION_ID}?namespace=team-a", TOKEN)
    assert (answer.status, answer.body["session_id"]) == (200, SESSION_ID)
    assert upstream.seen == ["list", "list"]
    assert upstream.queries == [
        {"fieldSelector": f"status.sessionId={SESSION_ID}", "resourceVersion": "0"},  # out of the API server's memory
        {"fieldSelector": "metadata.name=a", "limit": "1"},  # as etcd has it
    ]


async def test_an_api_server_that_knows_no_field_of_ours_is_asked_for_all_names(
    door: Door, upstream: ScriptedApiServer
) -> None:
    def old(request: web.Request) -> web.Response:
        if "fieldSelector" in request.query:
            words = "field label not supported: status.sessionId"
            return web.json_response({"kind": "Status", "code": 400, "message": words}, status=400)
        return web.json_response({"metadata": {}, "items": [SESSION]})

    upstream.faults["list"] = old
    answer = await door("GET", f"{SESSIONS}/{SESSION_ID}?namespace=team-a", TOKEN)
    assert (answer.status, answer.body["session_id"]) == (200, SESSION_ID)
    assert upstream.seen == ["list", "list", "get"]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "wait"), [each[1:] for each in FAULTS], ids=[each[0] for each in FAULTS]
)
async def test_each_fault_at_each_call_of_each_operation(
    door: Door,
    upstream: ScriptedApiServer,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    status: int,
    kind: str,
    wait: str | None,
) -> None:
    calls: list[tuple[str, str, str]] = []
    for method, path in await operations(door):
        upstream.seen.clear()
        assert (await ask(door, method, path)).status != 401
        calls += [(method, path, call) for call in dict.fromkeys(upstream.seen) if call != "watch"]
    assert {call for *_, call in calls} == {"who", "may", "list", "create", "patch", "delete"}
    monkeypatch.setattr("meeting_buddy.kube.caller.TIMEOUT_SECONDS", 0.1 if fault is silent else 15.0)
    for method, path, call in calls:
        upstream.faults = {call: fault}
        answer = await ask(door, method, path)
        if call == "delete" and answer.status == 204:
            assert kind == "upstream-error", "what it says of a deletion that was done is not read"
            continue
        answer.problem(status, kind)
        assert answer.headers.get("Retry-After") == wait, (method, path, call)
        assert "WWW-Authenticate" not in answer.headers
    assert "elsewhere" not in upstream.seen, "no redirect is followed: it would carry the token"
    assert door.streams._open.total() == 0


async def test_nobody_there(authority: Path) -> None:
    async with served(at(free_port(), authority)) as door:
        for method, path in await operations(door):
            answer = await ask(door, method, path)
            answer.problem(503, "upstream-unavailable")
            assert answer.headers["Retry-After"] == "5"


ANSWERED = "meetingbuddy_http_stream_ends_total"
WATCH_FAULTS: list[tuple[str, Fault, str]] = [
    ("slow", silent, ""),
    ("busy", saying(429, "TooManyRequests"), ""),
    ("internal error", saying(500, "InternalError"), ""),
    ("cut", cut, ""),
    ("torn", torn, ""),
    ("a proxy's 404", answering(404, b"<html>\n"), ""),
    ("a page", answering(200, b"<html>\n"), ""),
    ("deep", answering(200, DEEP + b"\n"), ""),
    ("it is over", answering(200, b'{"type": "ERROR", "object": {"code": 500}}\n'), ""),
    ("no event", answering(200, b"{}\n"), "upstream-error"),
    ("an event of nothing", answering(200, b'{"type": "ADDED", "object": {"metadata": 5}}\n'), "upstream-error"),
    ("an error of nothing", answering(200, b'{"type": "ERROR", "object": 5}\n'), ""),
    ("a redirect", answering(302, Location="/elsewhere"), "upstream-error"),
    ("the token is over", saying(401, "Unauthorized"), "unauthorized"),
]


EXPIRED = b'{"type": "ERROR", "object": {"code": 410}}\n'


@pytest.mark.parametrize(("fault", "kind"), [each[1:] for each in WATCH_FAULTS], ids=[each[0] for each in WATCH_FAULTS])
async def test_a_watch_that_fails_ends_the_stream_and_only_what_is_the_callers_is_a_problem(
    door: Door, upstream: ScriptedApiServer, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, fault: Fault, kind: str
) -> None:
    """`kind` empty: no `end` and no `problem`, so that clients open it again."""
    if fault is silent:
        monkeypatch.setattr("meeting_buddy.http_api.service.WATCH_SECONDS", 0)
        monkeypatch.setattr("meeting_buddy.kube.caller.TIMEOUT_SECONDS", 2.0)
    upstream.faults["watch"] = fault
    async with asyncio.timeout(60), followed(door.client, door.url + EVENTS, TOKEN) as answer:
        told = [(name, data) async for name, _, data in events(answer)]
    assert told.pop(0)[0] == "session"
    name, data = told[-1]
    if kind:
        assert (name, data["type"]) == ("problem", f"urn:meeting-buddy:problem:{kind}")
    else:
        assert {name for name, _ in told} == {"comment"}
        assert "come again" in data
    reason = {"operation": "followSession", "reason": "problem" if kind else "broken"}
    await until(lambda: metrics.registry.get_sample_value(ANSWERED, reason) == 1)
    assert "elsewhere" not in upstream.seen


async def test_watches_that_end_at_once_are_not_opened_again_at_once(
    door: Door, upstream: ScriptedApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.service._WATCH_AGAIN", 3600.0)
    for ended in (answering(200, b""), saying(410, "Expired"), answering(200, EXPIRED)):
        upstream.faults["watch"] = ended
        upstream.seen.clear()
        async with followed(door.client, door.url + EVENTS, TOKEN) as answer:
            coming = events(answer)
            assert (await anext(coming))[0] == "session"
            await until(lambda: "watch" in upstream.seen)
            assert [(await anext(coming))[0] for _ in range(3)] == ["comment"] * 3
        assert upstream.seen.count("watch") == 1
