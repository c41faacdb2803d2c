"""The HTTP API against a real API server with real RBAC: two tenants, no operator anywhere."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import aiohttp
import pytest
import uvicorn

from meeting_buddy.contract.links import SelfHostedHost, SelfHostedKind
from meeting_buddy.http_api.app import build
from meeting_buddy.http_api.bots import Bots
from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS, Platforms, SessionObject
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.media_access import MediaAccess
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.http_api.readers import Readers
from meeting_buddy.http_api.service import Sessions
from meeting_buddy.http_api.streams import StreamLimits
from meeting_buddy.http_api.transcripts import LiveTranscripts
from meeting_buddy.kube.caller import CallerApi
from tests.integration.chart import may
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.local.cluster.api_client import ApiClient
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

VERBS = ("create", "get", "list", "watch", "patch", "delete")
INVENTED = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.bm90LWEtc2lnbmF0dXJl"
NOBODYS_ID = "mbsess_" + "0" * 32
PLATFORMS = Platforms(
    (SelfHostedHost(platform="LiveKit", host="meet.buddy.test", port=8443),),
    {"LiveKit": SelfHostedKind.model_validate({"httpName": "livekit", "links": [{"path": "/rooms/{id}"}]})},
)
CANARY = "canary-7f3a9c"
LINK = f"https://teams.microsoft.com/l/meetup-join/{CANARY}"


@dataclass
class Tenant:
    """A namespace with a service account that has the caller's rights there and nowhere else."""

    namespace: str
    token: str
    user: str


def client_of(server: ApiServer, namespace: str) -> ApiClient:
    """The API server as its administrator asks it, in one namespace."""
    return server.kubectl.in_namespace(namespace).api


def grant(server: ApiServer, namespace: str, name: str, resources: Sequence[str], verbs: Sequence[str]) -> None:
    """Make a Role of this name, and a RoleBinding that gives it to the namespace's service account `caller`."""
    api, group = client_of(server, namespace), "rbac.authorization.k8s.io"
    rbac = {"apiVersion": f"{group}/v1", "metadata": {"name": name, "namespace": namespace}}
    rule = {"apiGroups": ["meetingbuddy.io"], "resources": list(resources), "verbs": list(verbs)}
    subject = {"kind": "ServiceAccount", "name": "caller", "namespace": namespace}
    role = {"apiGroup": group, "kind": "Role", "name": name}
    api.create("roles", {**rbac, "kind": "Role", "rules": [rule]})
    api.create("rolebindings", {**rbac, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]})


def withdraw(server: ApiServer, tenant: Tenant, name: str) -> None:
    """Take from a tenant what was granted under this name."""
    client_of(server, tenant.namespace).delete("rolebindings", name)


def make_tenant(server: ApiServer, verbs: tuple[str, ...] = VERBS) -> Tenant:
    """A tenant whose rights the authoriser, which watches them, knows already."""
    namespace = f"tenant-{secrets.token_hex(4)}"
    api = client_of(server, namespace)
    api.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    api.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "caller"}})
    grant(server, namespace, "caller", ["meetingsessions"], verbs)
    tenant = Tenant(namespace, api.token("caller"), f"system:serviceaccount:{namespace}:caller")
    wait_until(lambda: may_do(server, tenant, verbs[0]), "the tenant's rights are known", 60)
    return tenant


def may_do(server: ApiServer, tenant: Tenant, verb: str, subresource: str = "") -> bool:
    """What RBAC says of a tenant and the sessions of its namespace."""
    what = {"group": "meetingbuddy.io", "resource": "meetingsessions", "subresource": subresource}
    return may(server.kubectl, tenant.namespace, verb, what, tenant.user)


@pytest.fixture(scope="module")
def mine(crd: ApiServer) -> Tenant:
    return make_tenant(crd)


@pytest.fixture(scope="module")
def theirs(crd: ApiServer) -> Tenant:
    return make_tenant(crd)


@dataclass
class Answer:
    """An answer that was read whole."""

    status: int
    headers: Any
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    def problem(self, status: int, kind: str) -> Any:
        """Its problem document, which has to be this one."""
        assert self.status == status, self.text
        assert self.headers["Content-Type"] == "application/problem+json"
        found = self.body
        assert found["type"] == f"urn:meeting-buddy:problem:{kind}", found
        assert found["status"] == status
        return found


@dataclass
class Door:
    """The API, served in this process, and a client of it."""

    url: str
    client: aiohttp.ClientSession
    streams: StreamLimits
    ending: asyncio.Event
    default: dict[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, token: str | None, **more: Any) -> Answer:
        headers = {**more.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.client.request(method, self.url + path, headers=headers, **more) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def create(self, tenant: Tenant, **body: Any) -> Any:
        made = await self("POST", SESSIONS, tenant.token, json={"meeting_link": LINK, **body})
        assert made.status == 201, made.text
        return made.body


@pytest.fixture
async def door(crd: ApiServer) -> AsyncIterator[Door]:
    async with served(crd) as door:
        yield door


@asynccontextmanager
async def served(
    crd: ApiServer,
    bots: Bots | None = None,
    readers: Readers | None = None,
    metrics: Metrics | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    *,
    created_by_policy: bool = True,
) -> AsyncIterator[Door]:
    """The API in this process; closes ``bots`` and ``readers``."""
    metrics, bots, readers = metrics or Metrics(), bots or Bots(), readers or Readers()
    api = CallerApi(crd.url, crd.authority, partial(metrics.upstream, "kubernetes"))
    ending, streams = asyncio.Event(), StreamLimits(heartbeat_seconds=0.2)
    finder = Finder(api)
    service = Sessions(api, finder, PLATFORMS, created_by_policy, now)
    app = build(finder, service, MediaAccess(api, finder, LiveTranscripts(bots), readers), ending, streams, metrics)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve())
    await asyncio.to_thread(wait_until, lambda: server.started, "the API listens")
    async with aiohttp.ClientSession() as client:
        yield Door(f"http://127.0.0.1:{port}", client, streams, ending)
    ending.set()
    server.should_exit = True
    await running
    await readers.close()
    await bots.close()
    await api.close()


async def test_the_documented_call_starts_a_session(door: Door, mine: Tenant, crd: ApiServer) -> None:
    made = await door("POST", SESSIONS, mine.token, json=EXAMPLE)
    assert made.status == 201
    session = made.body
    assert set(session) == set(SessionObject.model_fields)
    assert re.fullmatch("mbsess_[0-9a-f]{32}", session["session_id"])
    shown = {name: session[name] for name in ("organization_id", "user_id", "platform", "status", "metadata", *EXAMPLE)}
    assert shown == {
        "organization_id": mine.namespace,
        "user_id": mine.user,
        "platform": "teams",
        "status": "initializing",
        "metadata": {},
        **EXAMPLE,
    }
    assert session["error_code"] is session["join_timestamp"] is session["current_participants"] is None
    assert made.headers["Location"] == f"{SESSIONS}/{session['session_id']}?namespace={mine.namespace}"
    assert made.headers["Cache-Control"] == "no-store"
    # No operator runs: it is found by its uid, and at the place that the answer names.
    found = await door("GET", made.headers["Location"], mine.token)
    assert found.status == 200, found.text
    assert found.body == session
    stored = named(crd, mine, session)
    assert stored["metadata"]["annotations"].keys() == {"meetingbuddy.io/created-by", "meetingbuddy.io/requested-at"}
    assert len(stored["metadata"]["name"]) <= 52


def named(server: ApiServer, tenant: Tenant, session: Any) -> Any:
    """The MeetingSession behind a session object."""
    items = client_of(server, tenant.namespace).get("meetingsessions")["items"]
    uid = session["session_id"].removeprefix("mbsess_")
    return next(each for each in items if each["metadata"]["uid"].replace("-", "") == uid)


async def test_a_session_is_known_by_its_uid_whatever_a_status_says(door: Door, mine: Tenant, crd: ApiServer) -> None:
    session, other = [await door.create(mine) for _ in range(2)]
    paths = [f"{SESSIONS}/{each['session_id']}" for each in (session, other)]
    name, others_name = (named(crd, mine, each)["metadata"]["name"] for each in (session, other))
    set_status(crd, mine, others_name, sessionId=session["session_id"], phase="Joining")
    for path, each in zip(paths, (session, other), strict=True):
        assert (await door("GET", path, mine.token)).body["session_id"] == each["session_id"]
    set_status(crd, mine, name, sessionId=session["session_id"], phase="Recording")
    assert (await door("GET", paths[0], mine.token)).body["status"] == "recording"
    assert (await door("DELETE", paths[0], mine.token)).status == 204
    (await door("GET", paths[0], mine.token)).problem(404, "not-found")
    assert (await door("GET", paths[1], mine.token)).status == 200


async def test_every_field_of_the_spec_can_be_said(door: Door, mine: Tenant, crd: ApiServer) -> None:
    wrapped = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fmeet.buddy.test%3A8443%2Frooms%2Fa"
    made = await door.create(
        mine,
        meeting_link=wrapped,
        platform="livekit",
        transcription_vocabulary=["Kubernetes"],
        recording={"video": "none", "frame_rate": 10},
        limits={"silence_seconds": 60},
        passcode_secret_ref={"name": "passcode"},
        metadata={"team": "a"},
        debug_mode=True,
        announcement="It records.",
        active_deadline_seconds=600,
        bot_class_name="default",
    )
    assert made["platform"] == "livekit"
    spec = named(crd, mine, made)["spec"]
    assert spec["meetingLink"] == made["meeting_link"] == "https://meet.buddy.test:8443/rooms/a"
    assert spec["platform"] == "LiveKit"
    assert spec["transcription"]["vocabulary"] == ["Kubernetes"]
    assert (spec["recording"]["frameRate"], spec["limits"]["silenceSeconds"]) == (10, 60)
    assert spec["passcodeSecretRef"] == {"name": "passcode", "key": "passcode"}
    secret = await door("POST", SESSIONS, mine.token, json=LINK_IN_SECRET)
    assert (secret.status, secret.body["meeting_link"], secret.body["platform"]) == (201, None, "zoom")


LINK_IN_SECRET = {"meeting_link_secret_ref": {"name": "link"}, "platform": "zoom"}

BAD_BODIES = [
    ({}, "meeting_link"),
    ({**LINK_IN_SECRET, "meeting_link": LINK}, "meeting_link"),
    ({"meeting_link_secret_ref": {"name": "link"}}, "platform"),
    ({"meeting_link_secret_ref": {}, "platform": "zoom"}, "meeting_link_secret_ref.name"),
    ({"meeting_link": "http://teams.microsoft.com/l/meetup-join/a"}, "meeting_link"),
    ({"meeting_link": f"https://example.org/{CANARY}"}, "meeting_link"),
    ({"meeting_link": f"https://169.254.169.254/{CANARY}"}, "meeting_link"),
    ({"meeting_link": LINK + "x" * 2048}, "meeting_link"),
    ({"meeting_link": 5}, "meeting_link"),
    ({"meeting_link": LINK, "platform": "LiveKit"}, "platform"),
    ({"meeting_link": LINK, "platform": "livekit"}, "meeting_link"),
    ({"meeting_link": LINK, "bot_name": ""}, "bot_name"),
    ({"meeting_link": LINK, "bot_name": "a\nb"}, "bot_name"),
    ({"meeting_link": LINK, "bot_name": "x" * 65}, "bot_name"),
    ({"meeting_link": LINK, "botName": "a"}, "botName"),
    ({"meeting_link": LINK, "leave": True}, "leave"),
    ({"meeting_link": LINK, "transcription": {"enabled": True}}, "transcription"),
    ({"meeting_link": LINK, "transcription_enabled": "yes"}, "transcription_enabled"),
    ({"meeting_link": LINK, "transcription_language": "klingon"}, "transcription_language"),
    ({"meeting_link": LINK, "metadata": {"team": 5}}, "metadata.team"),
    ({"meeting_link": LINK, "metadata": {"": "a"}}, "metadata"),
    ({"meeting_link": LINK, "metadata": {"a": "b" * 300}}, "metadata.a"),
    ({"meeting_link": LINK, "recording": {"frame_rate": 99}}, "recording.frame_rate"),
    ({"meeting_link": LINK, "recording": {"fps": 5}}, "recording.fps"),
    ({"meeting_link": LINK, "limits": {"waiting_room_seconds": 1.5}}, "limits.waiting_room_seconds"),
]


@pytest.mark.parametrize(("body", "at"), BAD_BODIES, ids=lambda each: each if isinstance(each, str) else "")
async def test_a_field_that_is_wrong_is_named_and_not_quoted(door: Door, mine: Tenant, body: Any, at: str) -> None:
    answer = await door("POST", SESSIONS, mine.token, json=body)
    assert answer.problem(422, "invalid")["field"] == at
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("status", "kind", "how"),
    [
        (400, "bad-request", {"data": "{", "headers": {"Content-Type": "application/json"}}),
        (400, "bad-request", {"data": "[" * 60_000, "headers": {"Content-Type": "application/json"}}),
        (400, "bad-request", {"data": b'{"a": "\xff"}', "headers": {"Content-Type": "application/json"}}),
        (400, "bad-request", {}),
        (415, "unsupported-media-type", {"data": "{}", "headers": {"Content-Type": "text/plain"}}),
        (400, "bad-request", {"json": [EXAMPLE]}),
        (413, "too-large", {"json": {"meeting_link": "x" * (64 << 10)}}),
        (422, "invalid", {"json": EXAMPLE, "params": {"dry_run": "1"}}),
        (422, "invalid", {"json": EXAMPLE, "params": {"namespace": "a/../b"}}),
        (422, "invalid", {"json": EXAMPLE, "params": [("namespace", "a"), ("namespace", "b")]}),
        (414, "query-too-long", {"json": EXAMPLE, "params": {"namespace": "x" * 4096}}),
        (400, "bad-request", {"json": EXAMPLE, "headers": {"Idempotency-Key": "x" * 256}}),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused(
    door: Door, mine: Tenant, status: int, kind: str, how: dict[str, Any]
) -> None:
    (await door("POST", SESSIONS, mine.token, **how)).problem(status, kind)


async def test_paths_and_methods_that_are_not_there(door: Door, mine: Tenant) -> None:
    (await door("GET", "/v1/meeting-buddy/nothing", mine.token)).problem(404, "not-found")
    (await door("GET", "/elsewhere", None)).problem(404, "not-found")
    refused = await door("PUT", SESSIONS, mine.token)
    refused.problem(405, "method-not-allowed")
    assert refused.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ({"start_time": "2026-01-01T10:00:00Z"}, "start_time"),
        ({"start_time": "2026-01-01T10:00:00"}, "start_time"),
        ({"end_time": "2026-01-01T10:00:00Z"}, "end_time"),
        ({"start_time": "2126-01-01T10:00:00Z", "end_time": "2126-01-01T10:00:00+01:00"}, "end_time"),
        ({"starting_deadline_seconds": 60}, "starting_deadline_seconds"),
    ],
    ids=["late", "no zone", "over", "end before start", "deadline alone"],
)
async def test_times_that_cannot_be_are_refused(door: Door, mine: Tenant, times: dict[str, Any], field: str) -> None:
    answer = await door("POST", SESSIONS, mine.token, json={"meeting_link": LINK, **times})
    assert answer.problem(422, "invalid")["field"] == field


async def test_a_request_that_is_repeated_when_its_time_is_over_gets_its_session(crd: ApiServer, mine: Tenant) -> None:
    now = datetime.now(UTC)
    start = now + timedelta(hours=1)
    body = {"meeting_link": LINK, "start_time": start.isoformat(), "starting_deadline_seconds": 0}
    key, other = ({"Idempotency-Key": secrets.token_hex(8)} for _ in range(2))
    async with served(crd, now=lambda: now) as door:
        made = await door("POST", SESSIONS, mine.token, json=body, headers=key)
        assert (made.status, made.body["start_time"][:19]) == (201, start.isoformat()[:19])
        now += timedelta(hours=2)
        again = await door("POST", SESSIONS, mine.token, json=body, headers=key)
        assert (again.status, again.body["session_id"]) == (201, made.body["session_id"])
        assert again.headers["Idempotency-Replayed"] == "true"
        late = await door("POST", SESSIONS, mine.token, json=body, headers=other)
        assert late.problem(422, "invalid")["field"] == "start_time"


async def operations(door: Door) -> list[tuple[str, str]]:
    document = (await door("GET", "/openapi.json", None)).body
    paths = {path.replace("{name}", "recording.mp4"): each for path, each in document["paths"].items()}
    return [(method.upper(), path) for path, each in paths.items() for method in each]


async def test_no_operation_answers_a_token_that_kubernetes_does_not_know(door: Door, mine: Tenant) -> None:
    session = await door.create(mine)
    found = await operations(door)
    assert len(found) == 9
    for method, path in found:
        for session_id in (session["session_id"], NOBODYS_ID, "odd"):
            for query in ("", f"?namespace={mine.namespace}"):
                body = {"json": EXAMPLE} if path == SESSIONS and method == "POST" else {}
                answer = await door(method, path.format(session_id=session_id) + query, INVENTED, **body)
                answer.problem(401, "unauthorized")
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert INVENTED not in answer.text


async def test_a_tenant_learns_nothing_of_another_one(door: Door, mine: Tenant, theirs: Tenant) -> None:
    session = await door.create(theirs)
    for method, path in await operations(door):
        body = {"json": EXAMPLE} if path == SESSIONS and method == "POST" else {}
        there = f"?namespace={theirs.namespace}"
        answers = [
            await door(method, path.format(session_id=each) + there, mine.token, **body)
            for each in (session["session_id"], NOBODYS_ID)
        ]
        for answer in answers:
            problem = answer.problem(403, "forbidden")
            assert theirs.namespace in problem["detail"]
            assert "meeting-buddy-caller" in problem["remedy"]
        assert answers[0].text == answers[1].text
        if "{session_id}" in path:  # in one's own namespace: there is no such session
            answers = [
                await door(method, path.format(session_id=each), mine.token, headers={"Last-Event-ID": "1"})
                for each in (session["session_id"], NOBODYS_ID)
            ]
            for answer in answers:
                answer.problem(404, "not-found")
            assert answers[0].text == answers[1].text
    listed = (await door("GET", SESSIONS, mine.token)).body["sessions"]
    assert session["session_id"] not in {each["session_id"] for each in listed}
    assert (await door("GET", f"{SESSIONS}/{session['session_id']}", theirs.token)).status == 200


async def test_a_missing_right_is_named(door: Door, crd: ApiServer) -> None:
    maker = make_tenant(crd, ("create",))
    session = await door.create(maker)
    problem = (await door("GET", f"{SESSIONS}/{session['session_id']}", maker.token)).problem(403, "forbidden")
    assert problem["detail"] == f"your token may not list meetingsessions in namespace {maker.namespace}"


async def test_lists_are_paged_and_filtered(door: Door, crd: ApiServer) -> None:
    tenant = make_tenant(crd)
    made = [(await door.create(tenant, metadata={"n": str(number)}))["session_id"] for number in range(5)]
    zoom = await door("POST", SESSIONS, tenant.token, json=LINK_IN_SECRET)
    first = named(crd, tenant, {"session_id": made[0]})["metadata"]["name"]
    set_status(crd, tenant, first, phase="Failed", reason="NotAdmitted", message="Nobody came.", platform="Teams")
    seen, cursor = [], ""
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await door("GET", SESSIONS, tenant.token, params=query)).body
        assert len(page["sessions"]) <= 2
        seen += [each["session_id"] for each in page["sessions"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted([*made, zoom.body["session_id"]])

    async def ids(**query: str) -> set[str]:
        answer = await door("GET", SESSIONS, tenant.token, params=query)
        return {each["session_id"] for each in answer.body["sessions"]}

    assert await ids(status="failed") == {made[0]}
    assert await ids(status="initializing", platform="teams") == set(made[1:])
    assert await ids(platform="zoom") == {zoom.body["session_id"]}
    failed = (await door("GET", f"{SESSIONS}/{made[0]}", tenant.token)).body
    assert (failed["error_code"], failed["error_message"]) == ("not_admitted", "Nobody came.")
    for query, at in (
        ({"limit": "501"}, "limit"),
        ({"status": "asleep"}, "status"),
        ({"platform": "skype"}, "platform"),
        ({"cursor": "bm9uc2Vuc2U"}, "cursor"),
        ({"order": "age"}, "order"),
    ):
        assert (await door("GET", SESSIONS, tenant.token, params=query)).problem(422, "invalid")["field"] == at


def set_status(server: ApiServer, tenant: Tenant, name: str, **status: Any) -> None:
    """What the operator would write."""
    client_of(server, tenant.namespace).patch("meetingsessions", name, {"status": status}, "status")


async def test_a_session_is_asked_to_leave_and_deleted(door: Door, mine: Tenant, crd: ApiServer) -> None:
    session = await door.create(mine)
    path = f"{SESSIONS}/{session['session_id']}"
    for _ in range(2):
        answer = await door("POST", f"{path}/leave", mine.token)
        assert (answer.status, answer.body["session_id"]) == (202, session["session_id"])
    assert named(crd, mine, session)["spec"]["leave"] is True
    gone = await door("DELETE", path, mine.token)
    assert (gone.status, gone.text) == (204, "")
    (await door("DELETE", path, mine.token)).problem(404, "not-found")


async def test_a_key_names_one_session(door: Door, mine: Tenant, theirs: Tenant) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = await door("POST", SESSIONS, mine.token, json=EXAMPLE, headers=key)
    again = await door("POST", SESSIONS, mine.token, json=dict(reversed(EXAMPLE.items())), headers=key)
    assert (again.status, again.body) == (201, first.body)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await door("POST", SESSIONS, mine.token, json={**EXAMPLE, "bot_name": "Other"}, headers=key)
    assert other.problem(422, "idempotency-key-reused")["field"] == "Idempotency-Key"
    # What it became meanwhile does not count as another body.
    await door("POST", f"{SESSIONS}/{first.body['session_id']}/leave", mine.token)
    assert (await door("POST", SESSIONS, mine.token, json=EXAMPLE, headers=key)).status == 201
    elsewhere = await door("POST", SESSIONS, theirs.token, json=EXAMPLE, headers=key)
    assert elsewhere.body["session_id"] != first.body["session_id"]
    both = {"Idempotency-Key": secrets.token_hex(8)}
    twins = await asyncio.gather(*(door("POST", SESSIONS, mine.token, json=EXAMPLE, headers=both) for _ in range(4)))
    assert len({each.body["session_id"] for each in twins}) == 1


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, Any]]:
    """Name, id and data of each event."""
    name = number = ""
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: "):
            yield name, number, json.loads(line[6:])
            name = number = ""
        elif line.startswith(":"):
            yield "comment", "", line


async def test_a_session_is_followed_to_its_end(door: Door, mine: Tenant, crd: ApiServer) -> None:
    session = await door.create(mine)
    name = named(crd, mine, session)["metadata"]["name"]
    url, headers = f"{door.url}{SESSIONS}/{session['session_id']}/events", {"Authorization": f"Bearer {mine.token}"}
    async with door.client.get(url, headers=headers) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        coming = events(answer)
        kind, _, shown = await anext(coming)
        assert (kind, shown) == ("session", session)
        assert (await anext(coming))[0] == "comment"
        await asyncio.to_thread(set_status, crd, mine, name, phase="Joining")
        found = [each async for each in until(coming, "session")]
        assert found[-1][2]["status"] == "joining"
        last = found[-1][1]
    async with door.client.get(url, headers={**headers, "Last-Event-ID": last}) as answer:
        coming = events(answer)
        assert (await anext(coming))[0] == "comment"  # nothing new
        await asyncio.to_thread(set_status, crd, mine, name, phase="Completed", reason="MeetingEnded")
        rest = [each async for each in coming if each[0] != "comment"]
        assert [each[0] for each in rest] == ["session", "end"]
        assert rest[0][2]["status"] == "completed"
    await asyncio.to_thread(wait_until, lambda: door.streams._open.total() == 0, "places are given back")


async def until(coming: AsyncIterator[Any], name: str) -> AsyncIterator[Any]:
    """Events up to the first one of a name."""
    async for each in coming:
        yield each
        if each[0] == name:
            return


async def test_a_stream_ends_with_the_right_the_session_or_the_process(
    door: Door, crd: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.service.WATCH_SECONDS", 1)
    tenant = make_tenant(crd)
    first, second, third = [await door.create(tenant) for _ in range(3)]
    headers = {"Authorization": f"Bearer {tenant.token}"}

    async def follow(session: Any) -> list[str]:
        async with door.client.get(f"{door.url}{SESSIONS}/{session['session_id']}/events", headers=headers) as answer:
            return [name async for name, _, _ in events(answer) if name != "comment"]

    streams = [asyncio.create_task(follow(each)) for each in (first, second)]
    await asyncio.sleep(2.5)  # watches were opened again meanwhile, and nothing is sent twice
    assert (await door("DELETE", f"{SESSIONS}/{second['session_id']}", tenant.token)).status == 204
    assert await asyncio.wait_for(streams[1], 60) == ["session", "end"]
    await asyncio.to_thread(withdraw, crd, tenant, "caller")
    assert await asyncio.wait_for(streams[0], 60) == ["session", "problem"]
    (await door("GET", f"{SESSIONS}/{third['session_id']}/events", tenant.token)).problem(403, "forbidden")


async def test_a_quiet_session_is_watched_from_where_the_cluster_is_and_sent_once(
    door: Door, mine: Tenant, crd: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meeting_buddy.http_api.service.WATCH_SECONDS", 1)
    watch, begun = CallerApi.watch, list[int]()

    def noting(api: CallerApi, token: str, namespace: str, name: str, version: str, seconds: int) -> Any:
        begun.append(int(version))
        return watch(api, token, namespace, name, version, seconds)

    monkeypatch.setattr(CallerApi, "watch", noting)
    session = await door.create(mine)
    name = named(crd, mine, session)["metadata"]["name"]
    url, headers = f"{door.url}{SESSIONS}/{session['session_id']}/events", {"Authorization": f"Bearer {mine.token}"}
    async with asyncio.timeout(60), door.client.get(url, headers=headers) as answer:
        coming = events(answer)
        assert (await anext(coming))[0] == "session"
        while len(begun) < 3:
            assert (await anext(coming))[0] == "comment"
            await door.create(mine)  # others change
        assert begun == sorted(set(begun)), "each watch begins behind the one before, though nothing changed"
        await asyncio.to_thread(set_status, crd, mine, name, phase="Completed", reason="MeetingEnded")
        rest = [each async for each in coming if each[0] != "comment"]
    assert [(kind, shown.get("status")) for kind, _, shown in rest] == [("session", "completed"), ("end", None)]


async def test_a_stream_is_told_that_the_process_ends(door: Door, mine: Tenant) -> None:
    session = await door.create(mine)
    url, headers = f"{door.url}{SESSIONS}/{session['session_id']}/events", {"Authorization": f"Bearer {mine.token}"}
    async with door.client.get(url, headers=headers) as answer:
        coming = events(answer)
        await anext(coming)
        door.ending.set()
        rest = [each async for each in coming]
        assert rest[-1][0] == "comment"
        assert "come again" in rest[-1][2]


async def test_one_user_has_so_many_streams(door: Door, mine: Tenant) -> None:
    door.streams.per_user = 1
    session = await door.create(mine)
    path = f"{SESSIONS}/{session['session_id']}/events"
    headers = {"Authorization": f"Bearer {mine.token}"}
    async with door.client.get(door.url + path, headers=headers) as answer:
        await anext(events(answer))
        refused = await door("GET", path, mine.token)
        refused.problem(429, "too-many-requests")
        assert refused.headers["Retry-After"] == "10"


async def test_an_api_server_that_is_away_is_not_the_callers_fault(mine: Tenant, door: Door) -> None:
    api = CallerApi("https://127.0.0.1:9")
    with pytest.raises(ProblemError) as error:
        await Sessions(api, Finder(api), PLATFORMS).get(Caller(mine.token), mine.namespace, NOBODYS_ID)
    assert (error.value.status, error.value.headers["Retry-After"]) == (503, "5")
    await api.close()
