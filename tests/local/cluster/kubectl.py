"""kubectl as a Python object: one kubeconfig, optionally in somebody else's name.

Tests speak to the cluster the way a user does; what they then see (refusals, columns, conditions) is what a user sees.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.local.cluster.api_client import ApiClient

Manifest = Mapping[str, Any]


class KubectlError(Exception):
    """kubectl ended with an error; `str(error)` is what it wrote to stderr."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl with a kubeconfig; `as_user` and friends return a copy that impersonates."""

    program: Path
    kubeconfig: Path
    arguments: tuple[str, ...] = ()

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Its stdout; raises `KubectlError` when it fails, `subprocess.TimeoutExpired` after `timeout` seconds."""
        run = self.run(*arguments, stdin=stdin, timeout=timeout)
        if run.returncode != 0:
            raise KubectlError(run.stderr.strip() or run.stdout.strip())
        return run.stdout

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """The finished run, failed or not."""
        return subprocess.run(
            self.argv(*arguments), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )

    def argv(self, *arguments: str) -> list[str]:
        """The whole command line, for callers that keep the process themselves (`get -w`, `logs -f`)."""
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", *self.arguments, *arguments]

    def json(self, *arguments: str) -> Any:
        """Its output, asked for and parsed as JSON."""
        return json.loads(self(*arguments, "--output=json"))

    def apply(self, *manifests: Manifest, arguments: Iterable[str] = ()) -> str:
        """`kubectl apply` of the manifests in the order given."""
        return self("apply", *arguments, "--filename=-", stdin=_as_list(manifests))

    def create(self, *manifests: Manifest) -> str:
        """`kubectl create` of the manifests in the order given."""
        return self("create", "--filename=-", stdin=_as_list(manifests))

    def as_user(self, user: str, groups: Iterable[str] = ()) -> Kubectl:
        """The same, in the name of `user` and `groups` (RBAC is theirs then)."""
        named = (f"--as={user}", *(f"--as-group={group}" for group in groups))
        return replace(self, arguments=(*self.arguments, *named))

    def as_service_account(self, namespace: str, name: str) -> Kubectl:
        """The same, in the name of a service account, with the groups that every service account has."""
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return self.as_user(f"system:serviceaccount:{namespace}:{name}", groups)

    @property
    def api(self) -> ApiClient:
        """The API server without kubectl, in the same namespace, as whom the kubeconfig names."""
        others = [each for each in self.arguments if not each.startswith("--namespace=")]
        assert not others, f"no client does as kubectl {shlex.join(others)}"
        *_, namespace = self.arguments  # the last one counts, as it does for kubectl
        return ApiClient(self.kubeconfig, namespace.removeprefix("--namespace="))

    def in_namespace(self, namespace: str) -> Kubectl:
        """The same, with another default namespace."""
        return replace(self, arguments=(*self.arguments, f"--namespace={namespace}"))


def _as_list(manifests: Iterable[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
