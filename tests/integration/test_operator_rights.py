"""The chart's roles grant what the operator calls, and nothing else.

Each method of ``kube/api.py`` is called with a client that only notes what it is asked for; the watches are those that
are registered with kopf. No list of rights stands here: a call more or less in the product changes what is compared.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from meeting_buddy.app import key
from meeting_buddy.app.watch_listener import WatchListener
from meeting_buddy.app.watches import registry_for
from meeting_buddy.controller import lease
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient
from tests.integration.chart import NAMESPACE, OPERATOR_ACCOUNT, Manifest, install_roles, may, of_kind, rendered
from tests.local.cluster.kubectl import Kubectl

WATCHED = "meetings"
Right = tuple[str, str, str, str]
"""API group, resource, name (where the right is on one name alone) and verb."""

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ANSWER = {
    "items": [],
    "metadata": {"resourceVersion": "1"},
    "data": {"key": "", "control": "", "read": ""},
    "components": {"schemas": {"io.meetingbuddy.v1alpha1.MeetingSession": {}}},
    "spec": {},
}


def right_of(method: str, path: str, *, by_name: bool) -> Right:
    """What RBAC asks about a request, as the API server derives it from method and path."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if rest[0] == "namespaces":
        rest = rest[2:]
    resource, name, *subresource = (*rest, "") if len(rest) == 1 else rest
    verb = _VERBS.get(method) or ("get" if name else "list")
    return group, "/".join((resource, *subresource)), name if by_name else "", verb


class RecordingClient:
    """Stands where the client is; notes each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def call(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        """Note it; answer with nothing in particular."""
        self.calls.append((method, path))
        return dict(_ANSWER)


def manifest(kind: str, namespace: str, name: str) -> Manifest:
    return {"kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": {}}


SESSION = {"namespace": WATCHED, "name": "standup", "uid": "uid"}
IN_WATCHED: dict[str, tuple[Any, ...]] = {
    "get_session": (WATCHED, "standup"),
    "list_sessions": (WATCHED,),
    "delete_session": (WATCHED, "standup", "uid", "1"),
    "patch_status": (WATCHED, "standup", "1", {}),
    "get_pod": (WATCHED, "bot"),
    "list_pods": (WATCHED,),
    "create_pod": (manifest("Pod", WATCHED, "bot"),),
    "dry_run_pod": (manifest("Pod", WATCHED, "bot"),),
    "delete_pod": (WATCHED, "bot", "uid"),
    "release_pod": (WATCHED, "bot", "uid", "finalizer"),
    "pod_events": (WATCHED, "uid"),
    "create_secret": (manifest("Secret", WATCHED, "bot"),),
    "create_event": (
        {"namespace": WATCHED, "name": "standup", "uid": "uid"},
        "Normal",
        "Joined",
        "note",
        datetime.now(UTC),
    ),
    "secret_exists": (manifest("Secret", WATCHED, "bot"),),
    "label_pod": (WATCHED, "bot", "uid", {}),
    "annotate_pod": (WATCHED, "bot", {}, "1"),
    "claim_events": (WATCHED, "recordings"),
}
"""Arguments of what is called about sessions."""
BESIDE_ITSELF: dict[str, tuple[Any, ...]] = {
    "create_secret": (manifest("Secret", NAMESPACE, key.NAME),),
    "get_key_secret": (NAMESPACE, key.NAME),
    "patch_key_secret": (NAMESPACE, key.NAME, "1", {}),
    "get_lease": (NAMESPACE, lease.NAME),
    "create_lease": (manifest("Lease", NAMESPACE, lease.NAME),),
    "update_lease": (manifest("Lease", NAMESPACE, lease.NAME),),
}
"""Arguments of what is called in the operator's own namespace."""
OF_EVERYBODY: dict[str, tuple[Any, ...]] = {"served_schema": ()}
"""Arguments of what every authenticated account may ask, so that no role of the chart's names it."""


def api_methods() -> dict[str, Callable[..., Any]]:
    return {name: found for name, found in vars(KubernetesApi).items() if callable(found) and not name.startswith("_")}


async def called(arguments: Mapping[str, tuple[Any, ...]]) -> list[tuple[str, str]]:
    """Method and path of each request that these calls send."""
    client = RecordingClient()
    api = KubernetesApi(cast(KubeClient, client), "test")
    for name, values in arguments.items():
        before = len(client.calls)
        result = getattr(api, name)(*values)
        if inspect.isawaitable(result):
            await result
        else:
            async for _ in cast(AsyncIterator[Any], result):
                pass
        assert len(client.calls) > before, f"{name} sent no request"
    return client.calls


def watches() -> set[Right]:
    """What kopf asks for: it lists, then watches, every resource that has a handler."""
    selectors = registry_for(cast(WatchListener, None), kubeconfig=True)._watching.get_all_selectors()
    assert selectors
    return {
        (selector.group or "", selector.plural or selector.any_name or "", "", verb)
        for selector in selectors
        for verb in ("list", "watch")
    }


def granted(roles: list[Manifest]) -> set[Right]:
    return {
        (group, resource, name, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def operators_roles(namespace: str) -> list[Manifest]:
    """Roles of a namespaced installation that are bound to the operator's account."""
    manifests = rendered({"watchNamespaces": [WATCHED]})
    bound = {
        binding["roleRef"]["name"]
        for binding in of_kind(manifests, "RoleBinding")
        if binding["metadata"]["namespace"] == namespace and binding["subjects"][0]["name"] == OPERATOR_ACCOUNT
    }
    return [
        role
        for role in of_kind(manifests, "Role")
        if role["metadata"]["namespace"] == namespace and role["metadata"]["name"] in bound
    ]


async def needed() -> set[Right]:
    return watches() | {right_of(*call, by_name=False) for call in await called(IN_WATCHED)}


def test_every_call_that_the_operator_can_make_is_tried_here() -> None:
    assert set(api_methods()) == {*IN_WATCHED, *BESIDE_ITSELF, *OF_EVERYBODY}


async def test_the_operator_is_granted_what_it_calls_in_the_namespaces_that_it_watches() -> None:
    assert granted(operators_roles(WATCHED)) == await needed()


async def test_the_operator_is_granted_the_same_in_all_namespaces() -> None:
    manifests = rendered()
    (binding,) = of_kind(manifests, "ClusterRoleBinding")
    roles = [
        role for role in of_kind(manifests, "ClusterRole") if role["metadata"]["name"] == binding["roleRef"]["name"]
    ]
    assert granted(roles) == await needed()


async def test_the_operator_is_granted_two_names_and_no_more_beside_itself() -> None:
    wanted = {right_of(*call, by_name=True) for call in await called(BESIDE_ITSELF)}
    assert granted(operators_roles(NAMESPACE)) == wanted


@pytest.fixture(scope="module")
def installed(kubectl: Kubectl) -> Kubectl:
    """The API server with the roles of a namespaced installation."""
    places = ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, WATCHED))
    kubectl.apply(*places)
    install_roles(kubectl, rendered({"watchNamespaces": [WATCHED]}))
    return kubectl


async def test_a_real_api_server_authorises_every_call(installed: Kubectl) -> None:
    requests = {*await called(IN_WATCHED), *await called(BESIDE_ITSELF)}
    refused = []
    for method, path in sorted(requests):
        group, resource, name, verb = right_of(method, path, by_name=True)
        base, _, subresource = resource.partition("/")
        namespace = path.split("/namespaces/")[1].split("/")[0]
        what = {"group": group, "resource": base, "subresource": subresource, "name": name}
        if not may(installed, namespace, verb, what):
            refused.append(f"{method} {path}")
    assert not refused


async def test_a_real_api_server_lets_every_account_ask_the_rest(kubectl: Kubectl) -> None:
    for method, path in await called(OF_EVERYBODY):
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": "system:serviceaccount:nowhere:nobody",
                "groups": ["system:authenticated"],
                "nonResourceAttributes": {"path": path, "verb": method.lower()},
            },
        }
        answer = kubectl.in_namespace("default").api.create("subjectaccessreviews", review)
        assert answer["status"]["allowed"], path
