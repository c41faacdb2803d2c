"""The operator under no rights but those that the chart grants, in both scopes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.chart import NAMESPACE, OPERATOR_ACCOUNT, of_kind, rendered
from tests.integration.operator_fixtures import crd, make_namespace  # noqa: F401 -- fixture
from tests.integration.operator_plays import all_released, finishes
from tests.integration.operator_process import OperatorProcess, Sessions, running
from tests.local.cluster import kubeconfig
from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.kubectl import Kubectl
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port


def namespace(kubectl: Kubectl, prefix: str) -> str:
    """A fresh namespace of people who record."""
    return make_namespace(kubectl, prefix)


def installed(server: ApiServer, folder: Path, watched: list[str]) -> OperatorProcess:
    """An operator that speaks with its service account's token, after the chart's roles were applied."""
    api = server.kubectl.in_namespace(NAMESPACE).api
    manifests = rendered({"watchNamespaces": watched})
    kinds = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    for wider in of_kind(rendered({"watchNamespaces": []}), "ClusterRoleBinding"):
        # The tests share one API server: an installation for all namespaces may have been there before.
        api.delete("clusterrolebindings", wider["metadata"]["name"], missing_ok=True)
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    server.kubectl.apply(place, *of_kind(manifests, *kinds))
    own = folder / "kubeconfig"
    kubeconfig.write(own, server=server.url, authority=server.authority, user=api.token(OPERATOR_ACCOUNT))
    return OperatorProcess(
        own,
        folder,
        watched[0] if watched else "",
        free_port(),
        own_namespace=NAMESPACE,
        all_namespaces=not watched,
        also=tuple(watched[1:]),
    )


@pytest.mark.parametrize("scope", ["one namespace", "all namespaces"])
def test_a_session_runs_through_with_the_charts_rights_alone(
    crd: ApiServer,
    tmp_path: Path,
    scope: str,
) -> None:
    served = namespace(crd.kubectl, "served")
    sessions = Sessions(crd.kubectl.in_namespace(served))
    with running(installed(crd, tmp_path, [served] if scope == "one namespace" else [])) as operator:
        wait_until(lambda: operator.metric("meetingbuddy_crd_schema_matches") == 1, "the CRD's hash could be read", 60)
        sessions.apply("standup")
        pod = sessions.pod("standup")
        sessions.scheduled(pod)
        sessions.running(pod, ready=True)
        sessions.phase("standup", "Active")
        sessions.ended(pod, exit_code=137, reason="Error")
        finished = finishes(sessions, "standup", "BotCrashed")
        assert sessions.phase("standup", "Failed")["reason"] == "BotCrashed"
        all_released(sessions, pod, finished)
        # A namespace that appears later is served by an operator of the whole cluster, and by no other.
        late = Sessions(crd.kubectl.in_namespace(namespace(crd.kubectl, "late")))
        late.apply("planning")
        if scope == "all namespaces":
            late.phase("planning", "Initializing")
        else:
            sessions.apply("after-it")
            sessions.phase("after-it", "Initializing")
            assert "phase" not in late.status("planning")


def test_a_watched_namespace_that_may_not_be_read_stops_no_other_and_is_served_once_it_may(
    crd: ApiServer, tmp_path: Path
) -> None:
    kept, lost = (namespace(crd.kubectl, prefix) for prefix in ("kept", "lost"))
    operator = installed(crd, tmp_path, [kept, lost])
    # A namespace that is gone takes its roles along: whatever is asked about it is forbidden.
    roles = of_kind(rendered({"watchNamespaces": [lost]}), "Role", "RoleBinding")
    rights = [each for each in roles if each["metadata"]["namespace"] == lost]
    api = crd.kubectl.in_namespace(lost).api
    for each in rights:
        api.delete(f"{each['kind'].lower()}s", each["metadata"]["name"])
    with running(operator):
        wait_until(lambda: "the watches ended" in operator.log.read_text(), "kopf gives up there", 60)
        wait_until(
            lambda: operator.metric("meetingbuddy_listing_failures_total", namespace=lost), "its listing fails", 60
        )
        assert operator.metric("meetingbuddy_listing_failures_total", namespace=kept) == 0
        sessions, back = (Sessions(crd.kubectl.in_namespace(each)) for each in (kept, lost))
        sessions.apply("meanwhile")
        sessions.phase("meanwhile", "Initializing")
        for each in rights:
            api.create(f"{each['kind'].lower()}s", each)
        back.apply("after")
        back.phase("after", "Initializing", seconds=60)
        sessions.apply("afterwards")
        sessions.phase("afterwards", "Initializing")
        assert operator.terminate() == 0, "SIGTERM ends all watches in order"
