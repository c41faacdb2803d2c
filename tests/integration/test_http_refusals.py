"""What a real API server says when a policy or a quota refuses, and what callers of the HTTP API make of it."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from meeting_buddy.http_api.documents import EXAMPLE, SESSIONS
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.test_http_api import Answer, Door, Tenant, client_of, door, make_tenant  # noqa: F401 -- fixtures
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until

GROUP = "meetingbuddy.io"
COUNTED = f"count/meetingsessions.{GROUP}"


def policy(name: str, namespace: str, reason: str, words: str) -> tuple[dict[str, Any], ...]:
    """No session of this namespace may be created."""
    rule = {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["meetingsessions"]}
    api = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return {
        **api,
        "kind": "ValidatingAdmissionPolicy",
        "spec": {
            "matchConstraints": {"resourceRules": [rule], **only},
            "validations": [{"expression": "false", "reason": reason, "message": words}],
        },
    }, {
        **api,
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def refused_by_now(server: ApiServer, tenant: Tenant, words: str) -> bool:
    """Whether the API server knows a rule already, which it watches."""
    session = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "MeetingSession", "metadata": {"generateName": "try-"}}
    session |= {"spec": {"meetingLink": EXAMPLE["meeting_link"]}}
    return words in client_of(server, tenant.namespace).refusal("meetingsessions", session)


async def post(door: Door, tenant: Tenant, **headers: str) -> Answer:
    return await door("POST", SESSIONS, tenant.token, json=EXAMPLE, headers=headers)


@pytest.mark.parametrize("reason", ["Forbidden", "RequestEntityTooLarge", "Invalid"])
async def test_a_policys_words_are_told_whatever_its_reason(door: Door, crd: ApiServer, reason: str) -> None:
    tenant, words, name = make_tenant(crd), "nothing may continue here", f"refuses-{secrets.token_hex(4)}"
    key = {"Idempotency-Key": "first"}
    made = await post(door, tenant, **key)
    assert made.status == 201
    crd.kubectl.create(*policy(name, tenant.namespace, reason, words))
    try:
        await asyncio.to_thread(wait_until, lambda: refused_by_now(crd, tenant, words), "the policy is known", 60)
        assert (await post(door, tenant)).problem(403, "admission-denied")["detail"] == words
        again = await post(door, tenant, **key)
        assert (again.status, again.body["session_id"]) == (201, made.body["session_id"])
    finally:
        crd.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


async def test_a_quota_that_is_used_up_takes_no_session_from_its_key(door: Door, crd: ApiServer) -> None:
    tenant, key = make_tenant(crd), {"Idempotency-Key": "first"}
    made = await post(door, tenant, **key)
    about, hard = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}, {COUNTED: "1"}
    api = client_of(crd, tenant.namespace)
    api.create("resourcequotas", {**about, "spec": {"hard": hard}})
    api.patch("resourcequotas", "few", {"status": {"hard": hard}}, "status")  # no controller counts here
    await asyncio.to_thread(wait_until, lambda: refused_by_now(crd, tenant, "unknown"), "the quota is known", 60)
    waiting = await post(door, tenant)
    assert "quota" in waiting.problem(503, "upstream-unavailable")["detail"]
    assert int(waiting.headers["Retry-After"]) > 0
    api.patch("resourcequotas", "few", {"status": {"used": hard}}, "status")
    await asyncio.to_thread(wait_until, lambda: refused_by_now(crd, tenant, "exceeded"), "it is counted", 60)
    (await post(door, tenant)).problem(403, "quota-exceeded")
    (await post(door, tenant, **{"Idempotency-Key": "second"})).problem(403, "quota-exceeded")
    again = await post(door, tenant, **key)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.body["session_id"] == made.body["session_id"]
