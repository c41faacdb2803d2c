"""MeetingSessions and pods as an API server returns them."""

from __future__ import annotations

from typing import Any

from meeting_buddy.contract import identity
from tests.support import operator_facts as make

Document = dict[str, Any]


def session(uid: str = make.UID, namespace: str = "meetings", version: int = 7, **spec: Any) -> Document:
    return {
        "metadata": {
            "name": "standup",
            "namespace": namespace,
            "uid": uid,
            "generation": 1,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-23T10:00:00Z",
        },
        "spec": {"meetingLink": make.LINK, "platform": "LiveKit", **spec},
    }


def pod(uid: str = make.UID, namespace: str = "meetings", version: int = 8, **metadata: Any) -> Document:
    owner = {"kind": "MeetingSession", "name": "standup", "uid": uid, "controller": True}
    labels = identity.pod_labels(uid, identity.FIRST_BOT)
    return {
        "metadata": {
            "name": identity.pod_name("standup", uid, 1),
            "namespace": namespace,
            "uid": f"pod-of-{uid}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-23T10:00:00Z",
            "ownerReferences": [owner],
            "labels": labels,
            "finalizers": [identity.FINALIZER_OUTCOME],
            **metadata,
        },
        "spec": {},
        "status": {"phase": "Pending"},
    }
