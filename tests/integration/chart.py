"""The chart as `helm` renders it."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml

from tests.local.clone import CHART
from tests.local.cluster import commands

RELEASE = "mb"
NAMESPACE = "meeting-buddy"
OPERATOR_ACCOUNT = f"{RELEASE}-operator"

Manifest = dict[str, Any]


def helm(*arguments: str, values: Manifest | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm with ``values`` on its standard input."""
    return subprocess.run(
        [str(commands.helm()), *arguments, "--values=-"],
        input=yaml.safe_dump(values or {}),
        capture_output=True,
        text=True,
        check=False,
    )


def rendered(values: Manifest | None = None) -> list[Manifest]:
    """All manifests of a release with these values; fails with helm's own words."""
    run = helm("template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", values=values)
    assert run.returncode == 0, run.stderr
    return [manifest for manifest in yaml.safe_load_all(run.stdout) if manifest]


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of these kinds, in the order of ``kinds``."""
    return [manifest for kind in kinds for manifest in manifests if manifest["kind"] == kind]
