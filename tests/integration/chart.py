"""The chart as `helm` renders it."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import yaml

from meeting_buddy.kube.paths import path_of
from tests.local.clone import CHART
from tests.local.cluster import commands
from tests.local.cluster.kubectl import Kubectl
from tests.support.awaiting import wait_until

RELEASE = "mb"
NAMESPACE = "meeting-buddy"
OPERATOR_ACCOUNT = f"{RELEASE}-operator"

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{OPERATOR_ACCOUNT}"
_REVIEWS = path_of("authorization.k8s.io/v1", None, "subjectaccessreviews")

Manifest = dict[str, Any]

LIVEKIT_HOST: Manifest = {"selfHosted": {"hosts": [{"platform": "LiveKit", "host": "meet.example.org", "port": 8443}]}}
"""Values with a host of one's own."""


def with_images(values: Manifest) -> Manifest:
    """Values with what has to be said: the images' repositories, where ``values`` do not say it, or null."""
    found = dict(values)
    for part in ("operator", "bot"):
        section = found.get(part, {})
        if section is not None and (image := section.get("image", {})) is not None:
            repository = f"registry.example/meeting-buddy/{part}"
            found[part] = {**section, "image": {"repository": repository, **image}}
    return found


def helm(*arguments: str, values: Manifest | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm with ``values``, and the images' repositories, on its standard input."""
    return subprocess.run(
        [str(commands.helm()), *arguments, "--values=-"],
        input=yaml.safe_dump(with_images(values or {})),
        capture_output=True,
        text=True,
        check=False,
    )


def rendered(values: Manifest | None = None) -> list[Manifest]:
    """All manifests of a release with these values; fails with helm's own words."""
    return [each for each in yaml.load_all(_template(json.dumps(values)), Loader=yaml.CSafeLoader) if each]


@lru_cache
def _template(values: str) -> str:
    """What Helm makes of the chart, for values as JSON; many tests look at the same."""
    run = helm("template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", values=json.loads(values))
    assert run.returncode == 0, run.stderr
    return run.stdout


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of these kinds, in the order of ``kinds``."""
    return [manifest for kind in kinds for manifest in manifests if manifest["kind"] == kind]


def may(kubectl: Kubectl, namespace: str, verb: str, what: Mapping[str, str], user: str = OPERATOR) -> bool:
    """What RBAC says of somebody, by default of the operator's account; `what`: group, resource, subresource, name."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": {"namespace": namespace, "verb": verb, **what}},
    }
    answer = kubectl.in_namespace(namespace).api.call("POST", _REVIEWS, review)
    return bool(answer["status"]["allowed"])


def install_roles(kubectl: Kubectl, manifests: list[Manifest]) -> None:
    """Apply accounts, roles and bindings, and return once the authoriser knows them.

    It watches roles and bindings, each in order: it knows them once it knows one of each that was made after them.
    """
    kubectl.apply(*of_kind(manifests, "ServiceAccount", "Role", "RoleBinding"))
    last = f"last-{secrets.token_hex(8)}"
    default = kubectl.in_namespace("default")
    default("create", "role", last, "--verb=get", "--resource=configmaps")
    default("create", "rolebinding", last, f"--role={last}", f"--user={last}")
    wait_until(partial(may, kubectl, "default", "get", {"resource": "configmaps"}, last), "the roles are known", 60)
    default("delete", "role,rolebinding", last)
