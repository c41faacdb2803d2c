"""helm install, helm upgrade, helm rollback, and the namespace in which people record.

If this process dies: helm leaves a release that says ``pending``, which helm itself refuses to upgrade; the next
:func:`install` removes it first. Sessions and recordings are not part of a release.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.local.clone import CHART
from tests.local.cluster import commands
from tests.local.cluster.kubectl import Kubectl
from tests.local.installation.values import CA_CONFIG_MAP
from tests.local.machine.cli_errors import CliError
from tests.local.machine.lock import exclusive

RELEASE = "meeting-buddy"
NAMESPACE = "meeting-buddy"
SESSIONS = "meetings"
"""Namespace of the sessions; restricted pod security is enforced on it."""

_LOCKS = Path("/run/lock")
"""What is `pending` in an installation that another process is at must not be removed."""
_RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


class InstallationError(CliError):
    """helm said no; ``str(error)`` is what it wrote."""


def prepare_namespace(kubectl: Kubectl, name: str, certificate_authority: str) -> None:
    """A namespace in which people record: restricted, with the local meeting's certificate authority."""
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _RESTRICTED}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CA_CONFIG_MAP, "namespace": name},
            "data": {"ca.crt": certificate_authority},
        },
    )


def install(kubectl: Kubectl, values: dict[str, Any], *, release: str = RELEASE, namespace: str = NAMESPACE) -> None:
    """Install or upgrade the chart and wait until the operator is ready.

    Raises:
        InstallationError: the values are wrong, or the operator did not become ready within two minutes.
    """
    with exclusive(_LOCKS / f"meeting-buddy-release-{namespace}-{release}", f"another installation of {release}"):
        if _status(kubectl, release, namespace).startswith("pending"):
            uninstall(kubectl, release=release, namespace=namespace)
        run = _helm(
            kubectl,
            "upgrade",
            "--install",
            release,
            str(CHART),
            f"--namespace={namespace}",
            "--create-namespace",
            "--take-ownership",  # of a CRD that somebody applied by hand,
            "--force-conflicts",  # in whatever version
            "--values=-",
            stdin=yaml.safe_dump(values),
        )
    _wait_until_rolled_out(kubectl, run, release, namespace)


def upgrade(kubectl: Kubectl, changes: dict[str, Any], *, release: str = RELEASE, namespace: str = NAMESPACE) -> None:
    """Upgrade a release that is there, some of its values changed, and wait until the new operator is ready.

    Raises:
        InstallationError: the values are wrong, or the operator did not become ready within two minutes.
    """
    run = _helm(
        kubectl,
        "upgrade",
        release,
        str(CHART),
        f"--namespace={namespace}",
        "--reuse-values",
        "--values=-",
        stdin=yaml.safe_dump(changes),
    )
    _wait_until_rolled_out(kubectl, run, release, namespace)


def roll_back(kubectl: Kubectl, *, release: str = RELEASE, namespace: str = NAMESPACE) -> None:
    """Go back to the revision before, and wait until its operator is ready.

    Raises:
        InstallationError: there is none, or its operator did not become ready within two minutes.
    """
    _wait_until_rolled_out(kubectl, _helm(kubectl, "rollback", release, f"--namespace={namespace}"), release, namespace)


def _wait_until_rolled_out(
    kubectl: Kubectl, run: subprocess.CompletedProcess[str], release: str, namespace: str
) -> None:
    if run.returncode != 0:
        raise InstallationError(run.stderr.strip())
    # Not helm's --wait: a claim that waits for its first consumer would never be ready.
    deployment = f"deployment/{release}-operator"
    rollout = kubectl.run("rollout", "status", deployment, f"--namespace={namespace}", "--timeout=120s", timeout=130)
    if rollout.returncode != 0:
        logs = kubectl.run("logs", f"--namespace={namespace}", deployment, "--tail=30")
        raise InstallationError(f"{rollout.stderr.strip()}\n{logs.stdout}{logs.stderr}")


def uninstall(kubectl: Kubectl, *, release: str = RELEASE, namespace: str = NAMESPACE) -> None:
    """Remove the release if it is there; recordings and the CRD stay."""
    _helm(kubectl, "uninstall", release, f"--namespace={namespace}", "--ignore-not-found", "--wait", "--timeout=120s")


def _status(kubectl: Kubectl, release: str, namespace: str) -> str:
    run = _helm(kubectl, "status", release, f"--namespace={namespace}", "--output=yaml")
    if run.returncode != 0:
        return ""
    return str(yaml.safe_load(run.stdout)["info"]["status"])


def _helm(kubectl: Kubectl, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    argv = [str(commands.helm()), f"--kubeconfig={kubectl.kubeconfig}", *arguments]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
