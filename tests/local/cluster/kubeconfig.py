"""Kubeconfig files with everything inside, so that a copy of one works anywhere on this machine."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.local.machine.certificates import Pair


def write(path: Path, *, server: str, authority: Path, user: Pair | str, namespace: str = "default") -> None:
    """Write a kubeconfig for `server` (an https URL), readable by us alone.

    `authority` is the certificate that signed the server's; `user` is a client certificate, or a bearer token.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "meeting-buddy",
                "cluster": {"server": server, "certificate-authority-data": _encoded(authority)},
            }
        ],
        "users": [{"name": "meeting-buddy", "user": _credentials(user)}],
        "contexts": [
            {
                "name": "meeting-buddy",
                "context": {"cluster": "meeting-buddy", "user": "meeting-buddy", "namespace": namespace},
            }
        ],
        "current-context": "meeting-buddy",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(document, indent=1))  # JSON is YAML
    aside.replace(path)


def _credentials(user: Pair | str) -> dict[str, str]:
    if isinstance(user, str):
        return {"token": user}
    return {"client-certificate-data": _encoded(user.certificate), "client-key-data": _encoded(user.key)}


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
