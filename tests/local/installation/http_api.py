"""The HTTP API on the local cluster: its certificate, and an account that may call it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from meeting_buddy.contract import reader
from tests.local.clone import REPOSITORY
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import HERE
from tests.local.installation.install import NAMESPACE, RELEASE, SESSIONS
from tests.local.machine.certificates import Authority, Subject

SERVICE = f"{RELEASE}-api"
README = REPOSITORY / "README.md"
CALLER = "caller"
"""ServiceAccount in the namespace of the sessions, bound to the chart's Roles for callers and for listeners."""
_SECRET = f"{SERVICE}-tls"
_NO_PROXY = {"NO_PROXY": "*", "no_proxy": "*"}
"""A service's name is known on this machine alone."""


def authority() -> Path:
    """The certificate authority that the API's certificate is of, PEM."""
    return _authority().certificate


def serve_it(kubectl: Kubectl) -> dict[str, Any]:
    """Make the Secret with the certificate and the caller's account; the chart's ``api`` values that go with them."""
    pair = _authority().issue("api", Subject(SERVICE, dns=("localhost", SERVICE, f"{SERVICE}.{NAMESPACE}.svc")))
    files = {"tls.crt": pair.certificate, "tls.key": pair.key}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": _SECRET, "namespace": NAMESPACE},
            "data": {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()},
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": CALLER, "namespace": SESSIONS}},
        *(_binding(role) for role in ("meeting-buddy-caller", "meeting-buddy-listener")),
    )
    return {"enabled": True, "replicas": 1, "tls": {"secretName": _SECRET}}


def _binding(role: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role.replace("meeting-buddy", CALLER), "namespace": SESSIONS},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": CALLER, "namespace": SESSIONS}],
    }


def wait_until_served(kubectl: Kubectl) -> None:
    """Return once the API answers, and the recordings' reader."""
    for name, namespace in ((SERVICE, NAMESPACE), (reader.SERVICE, SESSIONS)):
        kubectl("rollout", "status", f"deployment/{name}", f"--namespace={namespace}", "--timeout=120s", timeout=130)


def address(kubectl: Kubectl) -> str:
    """The service's own address, which this machine reaches."""
    return kubectl("get", "service", SERVICE, f"--namespace={NAMESPACE}", "--output=jsonpath={.spec.clusterIP}")


def curl(kubectl: Kubectl, path: str) -> str:
    """A line for a shell that calls the API as the caller's account."""
    token = f"$(kubectl create token {CALLER} --namespace={SESSIONS})"
    return (
        f"curl --silent --show-error --noproxy '*' --cacert {authority()} --resolve {SERVICE}:443:{address(kubectl)} "
        f'--header "Authorization: Bearer {token}" https://{SERVICE}/v1/meeting-buddy{path}'
    )


def answer(kubectl: Kubectl, line: str, **variables: str) -> Any:
    """What such a line prints, parsed, in a shell that reaches the cluster and has these variables.

    Raises:
        subprocess.CalledProcessError: curl or kubectl failed.
    """
    path = f"{kubectl.program.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig), "PATH": path, **_NO_PROXY, **variables}
    done = subprocess.run(
        ["sh", "-c", line], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def documented_call() -> str:
    """The README's call in a shell: of `https://HOST`, with `$ACCESS_TOKEN`."""
    found = re.search(r"^```sh\n(curl [^`]*https://HOST/.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, f"{README} has no call in a shell"
    return found[1]


def _authority() -> Authority:
    return Authority.ensure(HERE.root / "http-api", "Local cluster: HTTP API")
