"""The chart's roles and the calls of ``kube/api.py`` are two views of one list."""

from __future__ import annotations

from typing import Any

from tests.integration.chart import NAMESPACE, of_kind, rendered

NEEDS = {
    ("meetingbuddy.io", "meetingsessions"): {"get", "list", "watch"},
    ("meetingbuddy.io", "meetingsessions/status"): {"patch"},
    ("", "pods"): {"get", "list", "watch", "create", "delete", "patch"},
    ("", "secrets"): {"create"},
    ("", "events"): {"list"},
    ("events.k8s.io", "events"): {"create"},
}
OWN_NEEDS = {
    ("coordination.k8s.io", "leases", ""): {"create"},
    ("coordination.k8s.io", "leases", "meeting-buddy-operator"): {"get", "update"},
    ("", "secrets", ""): {"create"},
    ("", "secrets", "meeting-buddy-bot-key"): {"get", "patch"},
}


def rules(namespace: str) -> list[dict[str, Any]]:
    """The operator's rules in a namespace, as the chart renders them."""
    roles = of_kind(rendered({"watchNamespaces": ["meetings"]}), "Role")
    return [rule for role in roles if role["metadata"]["namespace"] == namespace for rule in role["rules"]]


def test_the_operator_is_granted_what_it_calls_in_the_namespaces_that_it_watches() -> None:
    granted = {(rule["apiGroups"][0], rule["resources"][0]): set(rule["verbs"]) for rule in rules("meetings")}
    assert set(granted) == set(NEEDS)
    assert all(NEEDS[key] <= verbs for key, verbs in granted.items())
    assert granted["", "secrets"] == {"create"}, "Secrets are created, never read"
    assert granted["meetingbuddy.io", "meetingsessions/status"] == {"patch"}
    assert granted["meetingbuddy.io", "meetingsessions"] == {"get", "list", "watch"}, "users' api stay theirs"


def test_the_operator_is_granted_two_names_and_no_more_beside_itself() -> None:
    granted = {
        (rule["apiGroups"][0], rule["resources"][0], "".join(rule.get("resourceNames", ()))): set(rule["verbs"])
        for rule in rules(NAMESPACE)
    }
    assert granted == OWN_NEEDS
