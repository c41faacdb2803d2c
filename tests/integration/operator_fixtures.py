"""Fixtures of the operator's tests: the CRD, a fresh namespace, an operator that serves it alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.crd import install_crd
from tests.integration.operator_process import OperatorProcess, Sessions, running
from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.kubectl import Kubectl
from tests.support.machine_wide import free_port

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def crd(api_server: ApiServer) -> ApiServer:
    """The API server with the MeetingSession CRD."""
    install_crd(api_server.kubectl)
    return api_server


def fresh_namespace(crd: ApiServer) -> str:
    """Name of a new namespace that enforces restricted pod security."""
    return make_namespace(crd.kubectl, "op")


def make_namespace(kubectl: Kubectl, prefix: str) -> str:
    """Name, with this prefix, of a new namespace that enforces restricted pod security."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    kubectl.in_namespace(name).api.create("namespaces", manifest)
    return name


@contextmanager
def served_alone(crd: ApiServer, folder: Path) -> Iterator[tuple[OperatorProcess, Sessions]]:
    """A fresh namespace with an operator of its own, which a test counts; ``folder`` is made."""
    place = fresh_namespace(crd)
    folder.mkdir()
    with running(OperatorProcess(crd.kubeconfig, folder, place, free_port())) as operator:
        yield operator, Sessions(crd.kubectl.in_namespace(place))


@pytest.fixture
def place(crd: ApiServer) -> str:
    """A fresh namespace that enforces restricted pod security."""
    return fresh_namespace(crd)


@pytest.fixture
def sessions(crd: ApiServer, place: str) -> Sessions:
    """What a test sees and does in that namespace."""
    return Sessions(crd.kubectl.in_namespace(place))


@pytest.fixture
def operator(crd: ApiServer, place: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator that serves that namespace, with the administrator's rights."""
    with running(OperatorProcess(crd.kubeconfig, tmp_path, place, free_port())) as process:
        yield process
