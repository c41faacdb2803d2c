"""The real API server that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.cluster import api_only
from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.kubectl import Kubectl


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A running API server: `url`, `kubeconfig` (administrator), `authority` (its CA), `kubectl`."""
    with api_only.running(tmp_path_factory.mktemp("apiserver"), processors=1) as server:
        yield server


@pytest.fixture(scope="session")
def kubectl(api_server: ApiServer) -> Kubectl:
    """kubectl as administrator; `kubectl.as_user("jane", ["team-a"])` speaks in another name."""
    return api_server.kubectl
