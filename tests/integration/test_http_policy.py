"""Who created a session, by the chart's admission policy and the HTTP API together, on a real API server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS
from tests.integration.chart import of_kind, rendered
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_admission_policy import CREATED_BY, KINDS, apply_until, by, install, self_hosted
from tests.integration.test_http_api import Door, Tenant, client_of, make_tenant, named, served
from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.kubectl import Kubectl, KubectlError

OTHER = "john@example.org"


@pytest.fixture(scope="module")
def tenant(crd: ApiServer) -> Tenant:
    return make_tenant(crd)


@pytest.fixture(scope="module")
def policy(crd: ApiServer, tenant: Tenant) -> Iterator[None]:
    """It judges that tenant's namespace alone."""
    values: dict[str, Any] = {"watchNamespaces": [tenant.namespace]}
    install(crd.kubectl, values, *KINDS)
    apply_until(crd.kubectl, by(OTHER, "never", tenant.namespace), refused=True)
    yield
    for each in of_kind(rendered(values), *KINDS):
        crd.kubectl("delete", each["kind"], each["metadata"]["name"])


@pytest.fixture
async def door(crd: ApiServer) -> AsyncIterator[Door]:
    async with served(crd) as door:
        yield door


def their_kubectl(server: ApiServer, tenant: Tenant) -> Kubectl:
    return server.kubectl.as_service_account(tenant.namespace, "caller").in_namespace(tenant.namespace)


@pytest.mark.usefixtures("policy")
async def test_the_api_says_who_called_it_and_nobody_can_say_somebody_else(
    door: Door, crd: ApiServer, tenant: Tenant
) -> None:
    made = await door.create(tenant)
    assert made["user_id"] == tenant.user
    stored = named(crd, tenant, made)
    assert stored["metadata"]["annotations"][CREATED_BY] == tenant.user
    mine = their_kubectl(crd, tenant)
    with pytest.raises(KubectlError, match="created-by"):
        mine("create", "--filename=-", stdin=json.dumps(by(OTHER, "forged", tenant.namespace)))
    for creator in (OTHER, None):
        change = json.dumps({"metadata": {"annotations": {CREATED_BY: creator}}})
        with pytest.raises(KubectlError, match="created-by"):
            mine("patch", "mbs", stored["metadata"]["name"], "--type=merge", "--patch", change)
    # Asking to leave is a change by anybody who may, and leaves the name.
    left = await door("POST", f"{SESSIONS}/{made['session_id']}/leave", tenant.token)
    assert (left.status, left.body["user_id"]) == (202, tenant.user)


@pytest.mark.usefixtures("policy")
async def test_sessions_of_kubectl_have_a_user_where_it_says_so(door: Door, crd: ApiServer, tenant: Tenant) -> None:
    mine = their_kubectl(crd, tenant)
    for name, creator in (("unnamed", None), ("named", tenant.user)):
        mine("create", "--filename=-", stdin=json.dumps(by(creator, name, tenant.namespace)))
        uid = mine.json("get", "mbs", name)["metadata"]["uid"]
        shown = await door("GET", f"{SESSIONS}/mbsess_{uid.replace('-', '')}", tenant.token)
        assert shown.body["user_id"] == creator


@pytest.mark.usefixtures("policy")
async def test_a_host_that_the_policy_does_not_know_is_a_problem_with_its_field(door: Door, tenant: Tenant) -> None:
    """The API's own list is longer here than the policy's, which decides."""
    link = self_hosted("https://meet.buddy.test:8443/rooms/a")["spec"]["meetingLink"]
    refused = await door("POST", SESSIONS, tenant.token, json={"meeting_link": link, "platform": "livekit"})
    assert refused.status in (403, 422), refused.text
    assert refused.body["field"] == "meeting_link"
    assert "selfHosted.hosts" in refused.text
    assert "rooms" not in refused.text


async def test_without_the_policy_the_annotation_is_not_believed(crd: ApiServer) -> None:
    tenant = make_tenant(crd)  # in a namespace that the policy does not judge
    client_of(crd, tenant.namespace).create("meetingsessions", by(OTHER, "forged", tenant.namespace))
    async with served(crd, created_by_policy=False) as door:
        listed = (await door("GET", SESSIONS, tenant.token)).body["sessions"]
        made = await door("POST", f"{SESSIONS}?namespace={tenant.namespace}", tenant.token, json=EXAMPLE)
    assert {each["user_id"] for each in listed} == {None}
    assert (made.status, made.body["user_id"]) == (201, None)
    assert CREATED_BY not in named(crd, tenant, made.body)["metadata"]["annotations"]
