"""Which namespace is meant, and what becomes of one that is not there.

The tests' API server knows people by client certificates alone, which do not pass through the HTTP API. So a person is
a service account's token whose review names a person; every other call is judged as that account's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.kube.caller import CallerApi, Who
from tests.integration.chart import may
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import NOBODYS_ID, VERBS, Door, Tenant, client_of, make_tenant, operations, served
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until

JANE = "jane@example.org"


@pytest.fixture(scope="module")
def tenant(crd: ApiServer) -> Tenant:
    return make_tenant(crd)


@pytest.fixture(scope="module")
def elsewhere(crd: ApiServer) -> Tenant:
    return make_tenant(crd)


@asynccontextmanager
async def door_of(
    crd: ApiServer, monkeypatch: pytest.MonkeyPatch, *, default: str = "", person: str | None = None
) -> AsyncIterator[Door]:
    """The API with a default namespace; `person`: whom every token stands for."""
    monkeypatch.setattr("tests.integration.test_http_api.Finder", partial(Finder, default_namespace=default))
    if person is not None:

        async def who(self: CallerApi, token: str) -> Who:
            return Who(person, "")

        monkeypatch.setattr(CallerApi, "who", who)
    async with served(crd) as door:
        yield door


async def ask_all(door: Door, token: str, query: str = "") -> list[Any]:
    """The answer of each operation, about a session that is not there."""
    answers = []
    for method, path in await operations(door):
        body = {"json": EXAMPLE} if (method, path) == ("POST", SESSIONS) else {}
        where = path.format(session_id=NOBODYS_ID, name="recording.mp4")
        answers.append(await door(method, where + query, token, **body))
    assert len(answers) > 7
    return answers


async def test_a_person_without_a_namespace_gets_the_installations(
    crd: ApiServer, tenant: Tenant, elsewhere: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door_of(crd, monkeypatch, default=tenant.namespace, person=JANE) as door:
        made = await door("POST", SESSIONS, tenant.token, json=EXAMPLE)
        assert (made.status, made.body["organization_id"], made.body["user_id"]) == (201, tenant.namespace, JANE)
        path = f"{SESSIONS}/{made.body['session_id']}"
        assert made.headers["Location"] == f"{path}?namespace={tenant.namespace}"
        assert (await door("GET", path, tenant.token)).body == made.body
        listed = (await door("GET", SESSIONS, tenant.token)).body["sessions"]
        assert made.body["session_id"] in {each["session_id"] for each in listed}
        # It is a default, not a limit and not a right.
        named = await door("POST", f"{SESSIONS}?namespace={elsewhere.namespace}", elsewhere.token, json=EXAMPLE)
        assert named.body["organization_id"] == elsewhere.namespace
        for answer in await ask_all(door, elsewhere.token):
            assert tenant.namespace in answer.problem(403, "forbidden")["detail"]


async def test_a_service_account_has_its_own_namespace_whatever_the_default_is(
    crd: ApiServer, tenant: Tenant, elsewhere: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door_of(crd, monkeypatch, default=elsewhere.namespace) as door:
        made = await door("POST", SESSIONS, tenant.token, json=EXAMPLE)
        assert (made.status, made.body["organization_id"]) == (201, tenant.namespace)


async def test_a_person_has_to_name_a_namespace_where_there_is_no_default(
    crd: ApiServer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door_of(crd, monkeypatch, person=JANE) as door:
        for answer in await ask_all(door, tenant.token):
            problem = answer.problem(400, "namespace-missing")
            assert problem["field"] == "namespace"
            assert "?namespace=" in problem["remedy"]
        named = await door("POST", f"{SESSIONS}?namespace={tenant.namespace}", tenant.token, json=EXAMPLE)
        assert named.status == 201


async def test_a_namespace_that_does_not_exist(crd: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = await asyncio.to_thread(make_tenant, crd)
    async with door_of(crd, monkeypatch) as door:
        for answer in await ask_all(door, tenant.token, "?namespace=nowhere"):
            assert "nowhere" in answer.problem(403, "forbidden")["detail"], "the same as of one that exists"
        await asyncio.to_thread(everywhere, crd, tenant)
        there = {"params": {"namespace": "nowhere"}}
        problem = (await door("POST", SESSIONS, tenant.token, json=EXAMPLE, **there)).problem(404, "not-found")
        assert (problem["field"], problem["detail"]) == ("namespace", "there is no namespace nowhere")
        listed = await door("GET", SESSIONS, tenant.token, **there)
        assert (listed.status, listed.body) == (200, {"sessions": [], "next_cursor": None})
        (await door("GET", f"{SESSIONS}/{NOBODYS_ID}", tenant.token, **there)).problem(404, "not-found")


def everywhere(server: ApiServer, tenant: Tenant) -> None:
    """Give a tenant the caller's rights in all namespaces, and wait until the authoriser knows."""
    name = f"everywhere-{tenant.namespace}"
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": ["meetingbuddy.io"], "resources": ["meetingsessions"], "verbs": list(VERBS)}
    subject = {"kind": "ServiceAccount", "name": "caller", "namespace": tenant.namespace}
    rbac = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
    role = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    api = client_of(server, tenant.namespace)
    api.create("clusterroles", {**rbac, "kind": "ClusterRole", "rules": [rule]})
    api.create("clusterrolebindings", {**rbac, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]})
    what = {"group": "meetingbuddy.io", "resource": "meetingsessions"}
    wait_until(lambda: may(server.kubectl, "nowhere", "create", what, tenant.user), "the rights hold everywhere")


NO_NAMES = ["-a", "Upper", "a-", "a.b", "../a", "a/b", "a%00", "a%0A", "%F0%9F%8E%A7", "a" * 64, ""]


@pytest.mark.parametrize("form", NO_NAMES)
async def test_what_cannot_be_a_namespace_is_refused_by_each_operation(
    crd: ApiServer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    async with door_of(crd, monkeypatch, default=tenant.namespace) as door:
        for answer in await ask_all(door, tenant.token, f"?namespace={form}"):
            assert answer.problem(422, "invalid")["field"] == "namespace"
