"""The chart's roles and the calls of ``kube/objects.py`` are two views of one list."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml

from tests.cluster import commands
from tests.integration.operator_process import ROOT

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
    ("", "secrets", "meeting-buddy-bot-key"): {"get"},
}


def rules(namespace: str) -> list[dict[str, Any]]:
    """The operator's rules in a namespace, as the chart renders them."""
    chart = str(ROOT / "helm/meeting-buddy")
    flags = ("--namespace=own", "--set=watchNamespaces={meetings}")
    argv = [str(commands.helm()), "template", "mb", chart, *flags]
    run = subprocess.run(argv, capture_output=True, text=True, check=True)
    roles = [each for each in yaml.safe_load_all(run.stdout) if each and each["kind"] == "Role"]
    return [rule for role in roles if role["metadata"]["namespace"] == namespace for rule in role["rules"]]


def test_the_operator_is_granted_what_it_calls_in_the_namespaces_that_it_watches() -> None:
    granted = {(rule["apiGroups"][0], rule["resources"][0]): set(rule["verbs"]) for rule in rules("meetings")}
    assert set(granted) == set(NEEDS)
    assert all(NEEDS[key] <= verbs for key, verbs in granted.items())
    assert granted["", "secrets"] == {"create"}, "Secrets are created, never read"
    assert granted["meetingbuddy.io", "meetingsessions/status"] == {"patch"}
    assert granted["meetingbuddy.io", "meetingsessions"] == {"get", "list", "watch"}, "users' objects stay theirs"


def test_the_operator_is_granted_two_names_and_no_more_beside_itself() -> None:
    granted = {
        (rule["apiGroups"][0], rule["resources"][0], "".join(rule.get("resourceNames", ()))): set(rule["verbs"])
        for rule in rules("own")
    }
    assert granted == OWN_NEEDS
