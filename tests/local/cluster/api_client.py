"""The API server by HTTPS, over a connection that is kept: for all that does not ask how kubectl behaves.

A call takes some milliseconds; to start kubectl for it takes a tenth of a second of a processor.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from meeting_buddy.kube.paths import MERGE_PATCH, path_of
from tests.support.kubeconfig import credentials

_VERSIONS = {
    "events": "v1",
    "leases": "coordination.k8s.io/v1",
    "meetingsessions": "meetingbuddy.io/v1alpha1",
    "pods": "v1",
    "resourcequotas": "v1",
    "rolebindings": "rbac.authorization.k8s.io/v1",
    "roles": "rbac.authorization.k8s.io/v1",
    "secrets": "v1",
    "serviceaccounts": "v1",
}
_VERSIONS_CLUSTER_WIDE = {
    "clusterrolebindings": "rbac.authorization.k8s.io/v1",
    "clusterroles": "rbac.authorization.k8s.io/v1",
    "namespaces": "v1",
    "subjectaccessreviews": "authorization.k8s.io/v1",
    "validatingwebhookconfigurations": "admissionregistration.k8s.io/v1",
}
_STRICT = "fieldValidation=Strict"
"""Unknown fields are refused, as kubectl has it."""
_SECONDS = 120
_kept = threading.local()
"""Each thread's connections, by kubeconfig."""


class ApiError(Exception):
    """The API server refused, or did not answer; `str(error)` is in kubectl's words."""

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Whom a kubeconfig (JSON, with everything inside) names, in one namespace."""

    kubeconfig: Path
    namespace: str

    def get(self, plural: str, name: str = "") -> Any:
        """An object, or the list of all, as `kubectl get --output=json` prints it (but a list's items say no kind)."""
        found = self.call("GET", self.path(plural, name))
        for each in found.get("items", (found,)):
            each["metadata"].pop("managedFields", None)
        return found

    def find(self, plural: str, name: str) -> Any:
        """An object; `None`: there is none of this name. Raises `ApiError`."""
        try:
            return self.get(plural, name)
        except ApiError as error:
            if error.status != http.client.NOT_FOUND:
                raise
            return None

    def create(self, plural: str, manifest: Mapping[str, Any]) -> Any:
        """The object as it is stored, as by `kubectl create`. Raises `ApiError`."""
        return self.call("POST", f"{self.path(plural)}?{_STRICT}", manifest)

    def try_create(self, plural: str, manifest: Mapping[str, Any]) -> Any:
        """The object as it would be stored, as by `kubectl create --dry-run=server`. Raises `ApiError`."""
        return self.call("POST", f"{self.path(plural)}?dryRun=All&{_STRICT}", manifest)

    def refusal(self, plural: str, manifest: Mapping[str, Any]) -> str:
        """Why the API server would not take an object; empty where it would."""
        try:
            self.try_create(plural, manifest)
        except ApiError as error:
            return str(error)
        return ""

    def patch(self, plural: str, name: str, change: Mapping[str, Any], subresource: str = "") -> Any:
        """The object with this change, as by `kubectl patch --type=merge`. Raises `ApiError`."""
        return self.call("PATCH", f"{self.path(plural, name, subresource)}?{_STRICT}", change, MERGE_PATCH)

    def delete(self, plural: str, name: str, *, missing_ok: bool = False, **options: Any) -> None:
        """As by `kubectl delete --wait=false`; `options`: what DeleteOptions has. Raises `ApiError`."""
        try:
            self.call("DELETE", self.path(plural, name), options or None)
        except ApiError as error:
            if not (missing_ok and error.status == http.client.NOT_FOUND):
                raise

    def token(self, account: str) -> str:
        """A token of a service account, as by `kubectl create token`. Raises `ApiError`."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = self.call("POST", self.path("serviceaccounts", account, "token"), request)
        return str(answer["status"]["token"])

    def path(self, plural: str, name: str = "", subresource: str = "") -> str:
        """Of a kind's objects, or of one of them."""
        if plural in _VERSIONS_CLUSTER_WIDE:
            return path_of(_VERSIONS_CLUSTER_WIDE[plural], None, plural, name, subresource)
        return path_of(_VERSIONS[plural], self.namespace, plural, name, subresource)

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """What it answers; asked once more where the connection broke. Raises `ApiError`."""
        data = None if body is None else json.dumps(body)
        try:
            status, content = self._send(method, path, data, content_type)
        except (ConnectionError, ssl.SSLEOFError, http.client.HTTPException):  # one that nobody used was ended
            status, content = self._send(method, path, data, content_type)
        answer = json.loads(content)
        if status >= 300:
            raise ApiError(f"Error from server ({answer.get('reason')}): {answer.get('message')}", status)
        return answer

    def _send(self, method: str, path: str, data: str | None, content_type: str) -> tuple[int, bytes]:
        connections: dict[Path, http.client.HTTPSConnection] = _kept.__dict__.setdefault("connections", {})
        connection = connections.get(self.kubeconfig) or connections.setdefault(self.kubeconfig, self._connect())
        try:
            connection.request(method, path, body=data, headers={"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            del connections[self.kubeconfig]
            raise

    def _connect(self) -> http.client.HTTPSConnection:
        url, context = _server(self.kubeconfig)
        found = urlsplit(url)
        assert found.hostname is not None
        return http.client.HTTPSConnection(found.hostname, found.port, timeout=_SECONDS, context=context)


@lru_cache
def _server(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    return credentials(kubeconfig)
