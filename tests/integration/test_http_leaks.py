"""A token and a link that are unique go through every operation of the real process, and come out nowhere.

It logs at DEBUG. Its whole output, /metrics, Kubernetes' Events and every problem document are searched.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS
from meeting_buddy.http_api.streams import StreamLimits
from tests.integration.http_process import ApiProcess, followed, replica, running
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import NOBODYS_ID, Answer, Door, Tenant, events, make_tenant, operations
from tests.integration.test_http_transcript import make_listener
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import until
from tests.support.relay import relayed

WORD = f"canary{secrets.token_hex(12)}"
"""In every link, and in every value that is wrong."""
LINK = f"https://teams.microsoft.com/l/meetup-join/{WORD}"
TOKEN = f"{secrets.token_hex(12)}.{WORD}token.{secrets.token_hex(12)}"
"""Well-formed, and nobody's."""


@dataclass
class Asked:
    """A door that keeps what it was answered."""

    door: Door
    problems: list[Answer] = field(default_factory=list)
    count: int = 0
    """Requests below /v1/."""

    async def __call__(self, method: str, path: str, token: str | None, **more: Any) -> Answer:
        answer = await self.door(method, path, token, **more)
        self.count += path.startswith("/v1/")
        if answer.status >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json", answer.text
            self.problems.append(answer)
        return answer

    async def all(self, session_id: str, token: str | None, query: str = "", **more: Any) -> list[int]:
        """Each operation but the streams of sessions that live, which do not end; the statuses."""
        found = []
        for method, path in await operations(self.door):
            if method == "DELETE" or (path.endswith("/events") and session_id != NOBODYS_ID and not query):
                continue
            body = {"json": {**EXAMPLE, "meeting_link": LINK}} if (method, path) == ("POST", SESSIONS) else {}
            where = path.format(session_id=session_id, name="recording.mp4") + query
            found.append((await self(method, where, token, **body, **more)).status)
        return found


@asynccontextmanager
async def asking(process: ApiProcess) -> AsyncIterator[Asked]:
    async with aiohttp.ClientSession() as client:
        yield Asked(Door(process.url, client, StreamLimits(), asyncio.Event()))


@pytest.fixture(scope="module")
def mine(crd: ApiServer) -> Tenant:
    return make_listener(crd)


@pytest.fixture(scope="module")
def theirs(crd: ApiServer) -> Tenant:
    return make_tenant(crd)


def assert_nowhere(server: ApiServer, process: ApiProcess, metrics: str, asked: Asked, *tokens: str) -> None:
    """None of the secrets, nor a part of a token, stands in what the process said."""
    seen = {
        "output": process.output.read_text(),
        "metrics": metrics,
        "Events": server.kubectl("get", "events", "--all-namespaces", "--output=json"),
        "problems": "".join(each.text + str(each.headers) for each in asked.problems),
    }
    wanted = [WORD, *(part for token in (TOKEN, *tokens) for part in token.split(".")[1:])]
    for where, text in seen.items():
        assert not [each for each in wanted if each in text], where


async def test_neither_token_nor_link_leaves_the_process(
    crd: ApiServer, tmp_path: Path, mine: Tenant, theirs: Tenant
) -> None:
    async with relayed(crd.url) as (relay, url):
        process = ApiProcess(url, crd.authority, tmp_path)
        with running(process):
            async with asking(process) as asked:
                session_id = await _go_through(asked, mine, theirs)
                stream = f"{process.url}{SESSIONS}/{session_id}/events"
                asked.count += 2
                async with followed(asked.door.client, stream, mine.token) as answer:
                    coming = events(answer)
                    assert (await anext(coming))[0] == "session"
                    await until(lambda: process.counted("meetingbuddy_http_upstream_seconds_count", verb="WATCH"))
                    relay.cut()
                    rest = [each async for each in coming]
                    assert {name for name, *_ in rest} == {"comment"}, "no end and no problem: it may be opened again"
                relay.stop()
                assert set(await asked.all(session_id, mine.token)) == {503}
                await relay.start()
                async with followed(asked.door.client, stream, mine.token) as answer:
                    await anext(events(answer))
                    metrics = await asyncio.to_thread(process.page, "metrics")
                    process.tell(signal.SIGTERM)
                    await answer.read()
                assert await asyncio.to_thread(process.wait) == 0
    lines = process.requests()
    assert len(lines) == asked.count, "one line for each request"
    assert_nowhere(crd, process, metrics, asked, mine.token)
    _check_first(lines[0], mine, session_id)
    assert {(each.get("user"), each["status"]) for each in lines if each["status"] == 401} == {(None, 401)}
    streams = [each for each in lines if each["operation"] == "followSession" and each["status"] == 200]
    assert [(each["user"], each["session_id"]) for each in streams] == [(mine.user, session_id)] * 2
    fields = {"operation", "status", "seconds", "user", "credential", "namespace", "session_id"}
    assert set().union(*lines) <= fields | {"time", "level", "logger", "message"}


async def _go_through(asked: Asked, mine: Tenant, theirs: Tenant) -> str:
    """Make a session, and ask everything about it, rightly and wrongly; its id."""
    made = await asked("POST", SESSIONS, mine.token, json={**EXAMPLE, "meeting_link": LINK})
    assert made.status == 201
    session_id = str(made.body["session_id"])
    await asked.all(session_id, mine.token)
    assert set(await asked.all(session_id, TOKEN)) == {401}
    assert set(await asked.all(session_id, None)) == {401}
    assert set(await asked.all(session_id, mine.token, f"?namespace={theirs.namespace}")) == {403}
    assert set(await asked.all(NOBODYS_ID, mine.token)) == {201, 200, 404}
    assert set(await asked.all(WORD, mine.token)) == {201, 200, 404}
    for query in (f"?namespace={WORD}&namespace={WORD}", f"?token={WORD}"):
        assert set(await asked.all(session_id, mine.token, query)) == {422}
    for body in (
        {"meeting_link": LINK.replace("https", "http")},
        {"meeting_link": f"https://example.org/{WORD}"},
        {"meeting_link": LINK, "bot_name": WORD * 9},
        {"meeting_link": LINK, "metadata": {"a": [WORD]}},
        {"meeting_link": LINK, "platform": WORD},
    ):
        (await asked("POST", SESSIONS, mine.token, json=body)).problem(422, "invalid")
    odd = {"Last-Event-ID": WORD, "Idempotency-Key": f"{WORD} {WORD}", "X-Odd": WORD}
    await asked.all(session_id, mine.token, headers=odd)
    for name in (WORD, "transcript.jsonl"):
        await asked("GET", f"{SESSIONS}/{session_id}/recordings/{name}", mine.token, headers={"Range": WORD})
    return session_id


def _check_first(line: dict[str, Any], tenant: Tenant, session_id: str) -> None:
    """Who did what to which session."""
    about = {
        each: line[each] for each in ("message", "level", "operation", "status", "user", "namespace", "session_id")
    }
    assert about == {
        "message": "request",
        "level": "info",
        "operation": "createSession",
        "status": 201,
        "user": tenant.user,
        "namespace": tenant.namespace,
        "session_id": session_id,
    }
    assert line["credential"].startswith("JTI=")
    assert line["seconds"] > 0


async def test_a_fault_of_its_own_is_logged_without_its_words(crd: ApiServer, tmp_path: Path, mine: Tenant) -> None:
    process = replica(crd, tmp_path, module="tests.support.failing_http_api")
    with running(process):
        async with asking(process) as asked:
            (await asked("GET", f"{SESSIONS}/{NOBODYS_ID}", mine.token)).problem(500, "internal")
            await until(lambda: sum("RuntimeError" in json.dumps(each) for each in process.log()) == 2)
            await until(process.requests)
            metrics = await asyncio.to_thread(process.page, "metrics")
    assert_nowhere(crd, process, metrics, asked, mine.token)
    faults = [each for each in process.log() if each["level"] == "error"]
    assert {each["error"] for each in faults} == {"RuntimeError"}
    assert all("failing_http_api.py" in each["traceback"] for each in faults), "the place is there"
    assert process.requests()[0]["status"] == 500


@pytest.mark.parametrize(
    "flags",
    [
        (f"--api-server=https://me:{TOKEN}@127.0.0.1:1",),
        (f"--api-server=https://127.0.0.1:1/?token={TOKEN}",),
        ("--tls-certificate=nowhere",),
        ("--port=0",),
    ],
    ids=["password", "query", "half of TLS", "port"],
)
def test_settings_that_are_wrong_are_said_without_what_was_given(
    crd: ApiServer, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    process = replica(crd, tmp_path, *flags, environment={"ACCESS_TOKEN": TOKEN, "MEETING_LINK": LINK})
    process.start()
    assert process.wait() == 2
    assert "error: " in process.output.read_text()
    assert WORD not in process.output.read_text()
