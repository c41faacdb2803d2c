"""Persistent volumes that a pod without root can write: a small pool of local ones, made ahead.

Type `local`, because the kubelet applies a pod's `fsGroup` to it (it does not to `hostPath`). Nothing provisions
here, so nothing empties a volume whose claim is gone either: `recycle` does, and `up` calls it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local.cluster import api
from tests.local.cluster.components.pki import Pki
from tests.local.cluster.kubectl import Kubectl
from tests.local.cluster.paths import NODE_NAME, Paths

STORAGE_CLASS = "meeting-buddy-local"
_COUNT = 8
_NAMES = tuple(f"{STORAGE_CLASS}-{number}" for number in range(_COUNT))
_GONE = ("Released", "Failed")


@dataclass(frozen=True, slots=True)
class Volumes:
    """The storage class and the pool."""

    paths: Paths
    pki: Pki
    kubectl: Kubectl
    name: str = field(default="volumes", init=False)

    def start(self) -> str:
        """Make class and pool; empty what nobody claims any more."""
        if self.ready():
            return "adopted"
        self.recycle()
        for name in _NAMES:
            self._folder(name).mkdir(parents=True, exist_ok=True)
        self.kubectl.apply(_storage_class(), *(self._volume(name) for name in _NAMES))
        return "made"

    def ready(self) -> bool:
        """True when the whole pool is there and none of it waits to be emptied."""
        try:
            phases = self._phases()
        except OSError:
            return False
        return all(phases.get(name, _GONE[0]) not in _GONE for name in _NAMES)

    def stop(self) -> None:
        """Nothing runs; the folders go with the root."""

    def recycle(self) -> None:
        """Empty the volumes whose claim is gone and offer them anew."""
        for name in [name for name, phase in self._phases().items() if name in _NAMES and phase in _GONE]:
            self.kubectl("delete", "persistentvolume", name, "--ignore-not-found")
            shutil.rmtree(self._folder(name), ignore_errors=True)
            self._folder(name).mkdir(parents=True)
            self.kubectl.apply(self._volume(name))

    def _phases(self) -> dict[str, str]:
        items = api.get(self.pki, "/api/v1/persistentvolumes")["items"]
        return {item["metadata"]["name"]: item["status"].get("phase", "Pending") for item in items}

    def _folder(self, name: str) -> Path:
        return self.paths.volumes / name

    def _volume(self, name: str) -> dict[str, Any]:
        on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "storageClassName": STORAGE_CLASS,
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(self._folder(name))},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
            },
        }


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
