"""Puts the generated CRD on an API server and knows how to write a MeetingSession."""

from __future__ import annotations

from typing import Any

from tests.local.clone import CRD
from tests.local.cluster.kubectl import Kubectl

TEAMS_LINK = "https://teams.microsoft.com/l/meetup-join/abc123"


def install_crd(kubectl: Kubectl) -> None:
    """Apply the CRD as a user would, and wait until the API server serves it."""
    kubectl("apply", "--server-side", f"--filename={CRD}")
    kubectl("wait", "--for=condition=Established", "crd/meetingsessions.meetingbuddy.io", "--timeout=30s")


def session(name: str, spec: dict[str, Any] | None = None, namespace: str = "default") -> dict[str, Any]:
    """A MeetingSession manifest; without ``spec`` the smallest one that is accepted."""
    return {
        "apiVersion": "meetingbuddy.io/v1alpha1",
        "kind": "MeetingSession",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"meetingLink": TEAMS_LINK} if spec is None else spec,
    }
