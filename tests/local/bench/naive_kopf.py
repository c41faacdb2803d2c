"""The operator as a newcomer to kopf would write it: for comparison only, run by ``kopf run``.

Handlers with state (create, field, timer), the official synchronous client, a status by ``patch``. It makes neither a
Secret nor an Event, reads no report stream and releases no finalizer, so that it has less to do than the others.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import kopf
import kubernetes

from meeting_buddy.contract.identity import LABEL_SESSION_UID, pod_name
from tests.local.bench import raw_api

TEMPLATES = "BENCH_TEMPLATES"
"""Environment variable: the file of the manifests."""
_SESSIONS = ("meetingbuddy.io", "v1alpha1", "meetingsessions")
_CHECK_SECONDS = 2.0
_ENDED = {"Succeeded": "Completed", "Failed": "Failed"}


def _not_ended(status: Any, **_: Any) -> bool:
    return status.get("phase") not in _ENDED.values()


def _core() -> Any:
    return kubernetes.client.CoreV1Api()


def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Read the kubeconfig for the official client too; kopf's own settings stay as they are."""
    kubernetes.config.load_kube_config()


def create(name: str, uid: str, namespace: str, patch: kopf.Patch, **_: Any) -> None:
    """Make the bot's pod."""
    template = raw_api.templates(Path(os.environ[TEMPLATES]))["pod"]
    known = template["metadata"]
    owner = {**known["ownerReferences"][0], "name": name, "uid": uid}
    metadata = {
        "name": pod_name(name, uid, 1),
        "labels": {**known["labels"], LABEL_SESSION_UID: uid},
        "ownerReferences": [owner],
    }
    _core().create_namespaced_pod(namespace, {**template, "metadata": metadata})
    patch.status["phase"] = "Initializing"
    patch.status["botPod"] = metadata["name"]


def pod_phase(new: str | None, meta: Any, namespace: str, **_: Any) -> None:
    """Write the session's phase after its pod's."""
    phase = "Joining" if new == "Running" else _ENDED.get(new or "")
    if phase is not None:
        name = meta["ownerReferences"][0]["name"]
        group, version, plural = _SESSIONS
        body = {"status": {"phase": phase}}
        kubernetes.client.CustomObjectsApi().patch_namespaced_custom_object_status(
            group, version, namespace, plural, name, body
        )


def check(status: Any, namespace: str, patch: kopf.Patch, **_: Any) -> None:
    """Look whether the bot is in the meeting."""
    if status.get("phase") != "Joining":
        return
    pod = _core().read_namespaced_pod(status["botPod"], namespace)
    if any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or ()):
        patch.status["phase"] = "Active"


# Called, not used as decorators: kopf's decorators have no types that a strict checker can follow.
kopf.on.startup()(configure)
kopf.on.create(*_SESSIONS)(create)
kopf.on.field("", "v1", "pods", field="status.phase", labels={LABEL_SESSION_UID: kopf.PRESENT})(pod_phase)
kopf.timer(*_SESSIONS, interval=_CHECK_SECONDS, when=_not_ended)(check)
