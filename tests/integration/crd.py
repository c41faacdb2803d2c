"""Puts the generated CRD on an API server and knows how to write a MeetingSession."""

from __future__ import annotations

from typing import Any

from tests.local.clone import CRD
from tests.local.cluster.kubectl import Kubectl
from tests.support.awaiting import wait_until

TEAMS_LINK = "https://teams.microsoft.com/l/meetup-join/abc123"


def install_crd(kubectl: Kubectl) -> None:
    """Apply the CRD as a user would, and wait until the API server serves it."""
    kubectl("apply", "--server-side", f"--filename={CRD}")
    wait_until(lambda: _established(kubectl), "the API server serves the CRD", 60)
    # Until its cache is filled, the API server answers such a list with 429, after which kubectl waits and asks again.
    kubectl("get", "meetingsessions", "--all-namespaces", "--field-selector=metadata.name=none")


def _established(kubectl: Kubectl) -> bool:
    # Not `kubectl wait`, which fails on a CRD that has no conditions yet.
    found = kubectl.json("get", "crd", "meetingsessions.meetingbuddy.io").get("status", {}).get("conditions") or []
    return any((each["type"], each["status"]) == ("Established", "True") for each in found)


def session(name: str, spec: dict[str, Any] | None = None, namespace: str = "default") -> dict[str, Any]:
    """A MeetingSession manifest; without ``spec`` the smallest one that is accepted."""
    return {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"meetingLink": TEAMS_LINK} if spec is None else spec,
    }
