"""What a namespace has a moment after it was made: its default service account. Pods cannot be created before."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.local.cluster import api
from tests.local.cluster.components.pki import Pki

_PATIENCE = 30.0  # seconds
_POLL = 0.05  # seconds; one document, no watch worth its code


@dataclass(frozen=True, slots=True)
class DefaultNamespace:
    """The namespace `default`, ready for pods."""

    pki: Pki
    name: str = field(default="default namespace", init=False)

    def start(self) -> str:
        """Wait for the controller manager to make the service account."""
        deadline = time.monotonic() + _PATIENCE
        while not self.ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no default service account after {_PATIENCE:g} s")
            time.sleep(_POLL)
        return "ready"

    def ready(self) -> bool:
        """True when the service account is there."""
        try:
            return api.get(self.pki, "/api/v1/namespaces/default/serviceaccounts/default") is not None
        except OSError:
            return False

    def stop(self) -> None:
        """Nothing was made."""
