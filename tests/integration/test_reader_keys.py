"""The Secrets with the recordings readers' keys, on a real API server, with the rights that the chart grants alone."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.app import key
from meeting_buddy.app.reader_keys import ReaderKeys
from meeting_buddy.contract.reader import KEY_ITEM, KEY_SECRET, reader_key
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter
from tests.integration.chart import NAMESPACE, OPERATOR_ACCOUNT, install_roles, rendered
from tests.integration.operator_fixtures import RESTRICTED, crd  # noqa: F401 -- fixture
from tests.integration.operator_process import INSTALLATION, OperatorProcess, running
from tests.local.cluster import kubeconfig
from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.kubectl import Kubectl
from tests.support.awaiting import until, wait_until
from tests.support.machine_wide import free_port

READ_KEY = b"r" * 32
MADE, MISSING, BACK = (
    "made a recordings reader's key",
    "a recordings reader has no key; will retry",
    "a recordings reader has its key now",
)


def namespace(kubectl: Kubectl, name: str) -> None:
    kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})


def stored(kubectl: Kubectl, place: str) -> dict[str, Any] | None:
    """The Secret's metadata and its items, decoded; none if there is no Secret."""
    found = kubectl.json("get", "secrets", f"--namespace={place}", f"--field-selector=metadata.name={KEY_SECRET}")
    for secret in found["items"]:
        items = {item: base64.b64decode(value) for item, value in secret["data"].items()}
        return {"uid": secret["metadata"]["uid"], "version": secret["metadata"]["resourceVersion"], "items": items}
    return None


def operators_kubeconfig(server: ApiServer, folder: Path, watched: list[str]) -> Path:
    """With the token of the operator's account, after the chart's roles for these namespaces were applied."""
    if not server.kubectl.json("get", "namespaces", f"--field-selector=metadata.name={NAMESPACE}")["items"]:
        namespace(server.kubectl, NAMESPACE)
    install_roles(server.kubectl, rendered({"watchNamespaces": watched}))
    token = server.kubectl("create", "token", OPERATOR_ACCOUNT, f"--namespace={NAMESPACE}").strip()
    path = folder / "kubeconfig"
    kubeconfig.write(path, server=server.url, authority=server.authority, user=token)
    return path


class Keys:
    """The task in this process; what it asks for, what it observes."""

    def __init__(self, kubeconfig: Path, namespaces: list[str]) -> None:
        self.kubeconfig = kubeconfig
        self.namespaces = namespaces
        self.leads = True
        self.calls: list[tuple[str, str, int]] = []
        self.missing: dict[str, bool] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        limiter, noted = RateLimiter(), lambda *call: self.calls.append(call)
        client = KubeClient(await configuration(str(self.kubeconfig)), limiter, noted)
        keys = ReaderKeys(
            KubernetesApi(client, "test"),
            self.namespaces,
            READ_KEY,
            lambda: self.leads,
            self.missing.__setitem__,
            period=0.1,
        )
        try:
            async with keys.running():
                yield
        finally:
            await client.close()


@pytest.fixture
def places(crd: ApiServer) -> list[str]:
    """Two fresh namespaces."""
    names = [f"read-{secrets.token_hex(3)}" for _ in range(2)]
    for name in names:
        namespace(crd.kubectl, name)
    return names


async def test_each_namespace_gets_a_key_of_its_own_by_the_right_to_create_alone(
    crd: ApiServer, places: list[str], tmp_path: Path
) -> None:
    keys = Keys(operators_kubeconfig(crd, tmp_path, places), places)
    async with keys.running():
        await until(lambda: keys.missing == dict.fromkeys(places, False))
        made = [stored(crd.kubectl, place) for place in places]
        asked = len(keys.calls)
        await until(lambda: len(keys.calls) >= asked + 4)
    assert [each and each["items"] for each in made] == [{KEY_ITEM: reader_key(READ_KEY, each)} for each in places]
    assert [stored(crd.kubectl, place) for place in places] == made, "asked again, and left as it was"
    assert {(method, kind) for method, kind, _ in keys.calls} == {("POST", "Secret")}
    assert [code for *_, code in keys.calls[:2]] == [201, 201]
    assert {code for *_, code in keys.calls[2:]} == {409}


async def test_what_was_deleted_is_made_again_and_what_is_there_is_nobodys_to_change(
    crd: ApiServer, places: list[str], tmp_path: Path
) -> None:
    deleted, foreign = places
    data = {KEY_ITEM: base64.b64encode(b"of somebody else").decode()}
    metadata = {"name": KEY_SECRET, "namespace": foreign}
    crd.kubectl.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    before = stored(crd.kubectl, foreign)
    keys = Keys(operators_kubeconfig(crd, tmp_path, places), places)
    async with keys.running():
        await until(lambda: keys.missing == dict.fromkeys(places, False))
        first = stored(crd.kubectl, deleted)
        crd.kubectl("delete", "secret", KEY_SECRET, f"--namespace={deleted}")
        await until(lambda: stored(crd.kubectl, deleted))
    second = stored(crd.kubectl, deleted)
    assert first is not None
    assert second is not None
    assert second["uid"] != first["uid"]
    assert second["items"] == first["items"]
    assert stored(crd.kubectl, foreign) == before


async def test_only_the_holder_of_the_lease_makes_them(crd: ApiServer, places: list[str], tmp_path: Path) -> None:
    here, absent = places[0], f"absent-{secrets.token_hex(3)}"
    keys = Keys(operators_kubeconfig(crd, tmp_path, places), [here, absent])
    async with keys.running():
        await until(lambda: keys.missing == {here: False, absent: True})
        keys.leads = False
        await until(lambda: not any(keys.missing.values()))  # whoever acts now says what is missing
        asked = len(keys.calls)
        crd.kubectl("delete", "secret", KEY_SECRET, f"--namespace={here}")
        assert not stored(crd.kubectl, here)
        assert len(keys.calls) == asked
        keys.leads = True
        await until(lambda: stored(crd.kubectl, here))


def test_an_operator_makes_them_at_its_start_and_goes_on_without_a_namespace_that_is_not_there(
    crd: ApiServer, tmp_path: Path
) -> None:
    served, late = (f"{prefix}-{secrets.token_hex(3)}" for prefix in ("served", "late"))
    namespace(crd.kubectl, served)
    operator = OperatorProcess(
        operators_kubeconfig(crd, tmp_path, [served]),
        tmp_path,
        served,
        free_port(),
        own_namespace=NAMESPACE,
        installation={**INSTALLATION, "recordings": {"namespaces": [late, served]}},
    )

    def missing(place: str) -> float:
        return operator.metric("meetingbuddy_reader_key_missing", namespace=place)

    def tries() -> float:
        return operator.metric("meetingbuddy_api_requests_total", verb="POST", resource="Secret")

    with running(operator):
        wait_until(lambda: stored(crd.kubectl, served), "the reader's key is made", 60)
        own = crd.kubectl.json("get", "secret", key.NAME, f"--namespace={NAMESPACE}")["data"]["read"]
        found = stored(crd.kubectl, served)
        assert found is not None
        assert found["items"] == {KEY_ITEM: reader_key(base64.b64decode(own), served)}
        wait_until(lambda: missing(late), "the other one's is missing", 60)
        assert not missing(served)
        asked = tries()
        wait_until(lambda: tries() > asked, "it is asked for again", 60)
        assert operator.log.read_text().count(MISSING) == 1, "one line, however often it is asked"
        namespace(crd.kubectl, late)
        install_roles(crd.kubectl, rendered({"watchNamespaces": [late]}))
        wait_until(lambda: stored(crd.kubectl, late), "the late one's key is made", 60)
        wait_until(lambda: not missing(late), "and no longer missing", 60)
        log = operator.log.read_text()
        assert (log.count(MADE), log.count(MISSING), log.count(BACK)) == (2, 1, 1)
        assert own not in log
        assert operator.terminate() == 0
