"""Shows what a session left on the volume and judges whether it holds what was said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster.kubectl import Kubectl
from tests.installation.values import CLAIM
from tests.meetings.livekit.people import Said


def folder(kubectl: Kubectl, namespace: str, name: str) -> Path:
    """The session's folder on this machine: the local cluster's volumes are folders of the node."""
    session = kubectl.json("get", "meetingsession", name, f"--namespace={namespace}")
    claim = kubectl.json("get", "persistentvolumeclaim", CLAIM, f"--namespace={namespace}")
    volume = kubectl.json("get", "persistentvolume", claim["spec"]["volumeName"])
    return Path(volume["spec"]["local"]["path"]) / str(session["status"]["outputDirectory"])


def show(kubectl: Kubectl, namespace: str, name: str, said: Sequence[Said]) -> bool:
    """Print files, durations, a still and the comparison; true when the recording holds what was said."""
    raise NotImplementedError
