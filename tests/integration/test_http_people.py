"""People at the HTTP API: bearer tokens of users that are no service accounts, on a real API server.

It knows them by a token file, the simplest of the ways in which Kubernetes knows people; the API sees no difference to
an identity provider's tokens. Rights are the chart's own roles, given to a group and to a user.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiohttp
import pytest

from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS
from meeting_buddy.http_api.streams import StreamLimits
from tests.integration.chart import Manifest, may, of_kind, rendered
from tests.integration.crd import install_crd
from tests.integration.http_process import ApiProcess, followed, replica, running
from tests.integration.test_admission_policy import CREATED_BY, KINDS, apply_until, by, install
from tests.integration.test_http_api import LINK, Door, Tenant, events, named
from tests.local.cluster import api_only
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until

NAMESPACE = "team-a"
GROUP = "https://idp.example.org/groups/team-a"
ROLE = "meeting-buddy-caller"


@dataclass(frozen=True)
class People:
    """An API server, and tokens of people."""

    server: ApiServer
    jane: Tenant
    """Of the group that may call."""
    john: Tenant
    """Named himself in a binding of a role that only looks."""
    mary: Tenant
    """Without any right."""


def _person(user: str) -> Tenant:
    return Tenant(NAMESPACE, secrets.token_urlsafe(24), user)


def _bound(role: str, kind: str, name: str) -> Manifest:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{role}-{kind.lower()}", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
        "subjects": [{"apiGroup": group, "kind": kind, "name": name}],
    }


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("people")
    jane, john, mary = (_person(f"{name}@example.org") for name in ("jane", "john", "mary"))
    lines = [f'{jane.token},{jane.user},1,"{GROUP}"', f"{john.token},{john.user},2", f"{mary.token},{mary.user},3"]
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    values: Manifest = {"watchNamespaces": [NAMESPACE], "api": {"enabled": True, "tls": "ingress"}}
    roles = [each for each in of_kind(rendered(values), "Role") if each["metadata"]["name"] == ROLE]
    looks = {**roles[0], "metadata": {"name": "looks", "namespace": NAMESPACE}}
    looks["rules"] = [{"apiGroups": ["meetingbuddy.io"], "resources": ["meetingsessions"], "verbs": ["get", "list"]}]
    tokens = f"--token-auth-file={folder / 'tokens.csv'}"
    with api_only.running(folder / "apiserver", tokens, processors=1) as server:
        install_crd(server.kubectl)
        place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        server.kubectl.create(place, *roles, looks, _bound(ROLE, "Group", GROUP), _bound("looks", "User", john.user))
        install(server.kubectl, values, *KINDS)
        apply_until(server.kubectl, by(john.user, "never", NAMESPACE), refused=True)
        looked = {"group": "meetingbuddy.io", "resource": "meetingsessions"}
        wait_until(lambda: may(server.kubectl, NAMESPACE, "list", looked, john.user), "all bindings are known", 60)
        yield People(server, jane, john, mary)


@pytest.fixture(scope="module")
def process(people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    found = replica(people.server, tmp_path_factory.mktemp("api"), f"--default-namespace={NAMESPACE}")
    with running(found):
        yield found


@pytest.fixture
async def door(process: ApiProcess) -> AsyncIterator[Door]:
    async with aiohttp.ClientSession() as client:
        yield Door(process.url, client, StreamLimits(), asyncio.Event())


async def test_a_persons_session_has_their_name_and_is_where_people_have_theirs(door: Door, people: People) -> None:
    made = await door.create(people.jane)
    assert (made["user_id"], made["organization_id"]) == (people.jane.user, NAMESPACE)
    assert named(people.server, people.jane, made)["metadata"]["annotations"][CREATED_BY] == people.jane.user
    for person in (people.jane, people.john):
        listed = (await door("GET", SESSIONS, person.token)).body["sessions"]
        assert made["session_id"] in {each["session_id"] for each in listed}
        shown = await door("GET", f"{SESSIONS}/{made['session_id']}", person.token)
        assert (shown.status, shown.body["user_id"]) == (200, people.jane.user)


async def test_what_a_person_may_do_is_their_own_or_their_groups_right(door: Door, people: People) -> None:
    path = f"{SESSIONS}/{(await door.create(people.jane))['session_id']}"
    refused = [
        ("POST", SESSIONS, people.john, "create"),
        ("POST", f"{path}/leave", people.john, "patch"),
        ("DELETE", path, people.john, "delete"),
        ("GET", SESSIONS, people.mary, "list"),
        ("POST", f"{path}/leave", people.mary, "list"),
    ]
    for method, where, person, verb in refused:
        body = {"json": EXAMPLE} if where == SESSIONS and method == "POST" else {}
        problem = (await door(method, where, person.token, **body)).problem(403, "forbidden")
        assert problem["detail"] == f"your token may not {verb} meetingsessions in namespace {NAMESPACE}"
        assert ROLE in problem["remedy"]
    left = await door("POST", f"{path}/leave", people.jane.token)
    assert (left.status, left.body["user_id"]) == (202, people.jane.user)
    assert (await door("DELETE", path, people.jane.token)).status == 204


async def test_a_person_follows_a_session_until_it_is_gone(door: Door, people: People) -> None:
    made = await door.create(people.jane)
    path = f"{SESSIONS}/{made['session_id']}"
    async with followed(door.client, f"{door.url}{path}/events", people.jane.token) as answer:
        coming = events(answer)
        assert (await anext(coming))[2]["user_id"] == people.jane.user
        assert (await door("DELETE", path, people.jane.token)).status == 204
        assert [name async for name, *_ in coming if name != "comment"] == ["end"]
    (await door("GET", f"{path}/events", people.mary.token)).problem(403, "forbidden")


async def test_a_token_that_is_nobodys_is_refused_and_a_name_is_no_token(door: Door, people: People) -> None:
    for token in (people.jane.token[:-1], people.jane.token + "x", people.jane.user.replace("@", ".")):
        (await door("POST", SESSIONS, token, json={"meeting_link": LINK})).problem(401, "unauthorized")
    (await door("GET", SESSIONS, None)).problem(401, "unauthorized")
    headers = {"Impersonate-User": people.jane.user, "X-Remote-User": people.jane.user}
    (await door("GET", SESSIONS, people.mary.token, headers=headers)).problem(403, "forbidden")


async def test_a_key_is_each_persons_own(door: Door, people: People) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first, again = [await door("POST", SESSIONS, people.jane.token, json=EXAMPLE, headers=key) for _ in range(2)]
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    (await door("POST", SESSIONS, people.john.token, json=EXAMPLE, headers=key)).problem(403, "forbidden")


async def test_without_a_default_namespace_a_person_has_to_say_one(
    people: People, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process = replica(people.server, tmp_path_factory.mktemp("elsewhere"))
    with running(process):
        async with aiohttp.ClientSession() as client:
            door = Door(process.url, client, StreamLimits(), asyncio.Event())
            problem = (await door("POST", SESSIONS, people.jane.token, json=EXAMPLE)).problem(400, "namespace-missing")
            assert problem["field"] == "namespace"
            made = await door("POST", f"{SESSIONS}?namespace={NAMESPACE}", people.jane.token, json=EXAMPLE)
            assert (made.status, made.body["user_id"]) == (201, people.jane.user)
