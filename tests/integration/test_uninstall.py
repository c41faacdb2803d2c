"""What the chart's Job does before an uninstall, with the chart's rights, its arguments and a real API server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.controller import lease
from tests.integration.chart import NAMESPACE, of_kind, rendered
from tests.integration.operator_fixtures import crd  # noqa: F401 -- fixture
from tests.integration.operator_process import PATIENCE, OperatorProcess, Sessions, running
from tests.integration.test_operator_lifecycle import last_word, released
from tests.integration.test_operator_scope import installed, namespace
from tests.local.clone import REPOSITORY
from tests.local.cluster.api_only import ApiServer
from tests.support.awaiting import wait_until


@pytest.fixture(autouse=True)
def reinstallable(crd: ApiServer) -> Iterator[None]:
    """The next test's operator, of the same namespace, need not wait until the Lease of the uninstall is over."""
    yield
    crd.kubectl("delete", "lease", lease.NAME, f"--namespace={NAMESPACE}", "--ignore-not-found")


def uninstall(values: dict[str, object], kubeconfig: Path) -> str:
    """Run what the hook's container runs; its log."""
    (job,) = of_kind(rendered(values), "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    program = container["command"][container["command"].index("-m") :]
    environment = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in container.get("env", ())}
    assert environment == {"POD_NAMESPACE": "metadata.namespace"}
    done = subprocess.run(
        [sys.executable, *program, *container["args"], f"--kubeconfig={kubeconfig}"],
        env={"PYTHONPATH": str(REPOSITORY / "operator"), "POD_NAMESPACE": job["metadata"]["namespace"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr


def attended(sessions: Sessions, operator: OperatorProcess) -> dict[str, Any]:
    """The pod of a bot that is in its meeting while its operator goes away."""
    with running(operator):
        sessions.apply("standup")
        pod = sessions.pod("standup")
        sessions.scheduled(pod)
        sessions.running(pod, ready=True)
        sessions.phase("standup", "Active")
        assert operator.terminate() == 0
    return pod


@pytest.mark.parametrize("scope", ["some namespaces", "all namespaces"])
def test_pods_of_sessions_can_be_deleted_after_an_uninstall(crd: ApiServer, tmp_path: Path, scope: str) -> None:
    served = namespace(crd.kubectl, "served")
    watched = ["gone", served] if scope == "some namespaces" else []
    sessions = Sessions(crd.kubectl.in_namespace(served))
    operator = installed(crd, tmp_path, [served] if watched else [])
    pod = attended(sessions, operator)
    assert not released(sessions, pod)
    said = uninstall({"watchNamespaces": watched}, operator.kubeconfig)
    assert released(sessions, pod)
    assert ("cannot be listed" in said) == bool(watched), "a namespace that is gone keeps no pod of another one"


def test_an_operator_that_still_runs_makes_no_pod_that_nobody_would_release(crd: ApiServer, tmp_path: Path) -> None:
    """Helm runs the hook before it removes the operator."""
    served = namespace(crd.kubectl, "served")
    sessions = Sessions(crd.kubectl.in_namespace(served))
    with running(installed(crd, tmp_path, [served])) as operator:
        sessions.apply("standup")
        sessions.phase("standup", "Initializing")
        uninstall({"watchNamespaces": [served]}, operator.kubeconfig)
        before = operator.attempts()
        sessions.apply("planning")
        wait_until(lambda: operator.metric("meetingbuddy_cache_objects") == 2, "the operator heard of it", PATIENCE)
        assert operator.metric("meetingbuddy_leader") == 0
        assert operator.terminate() == 0
        assert [released(sessions, each) for each in sessions.pods()] == [True]
        assert before["POST Pod"] == 1


def test_the_uninstalls_pod_runs_on_linux_and_where_it_is_said() -> None:
    for selector in ({}, {"pool": "system"}, {"kubernetes.io/os": "other"}):
        (job,) = of_kind(rendered({"operator": {"nodeSelector": selector}}), "Job")
        assert job["spec"]["template"]["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux", **selector}


def test_a_drain_waits_for_an_operator_that_records_why_the_bot_ended(crd: ApiServer, tmp_path: Path) -> None:
    served = namespace(crd.kubectl, "drained")
    sessions = Sessions(crd.kubectl.in_namespace(served))
    operator = installed(crd, tmp_path, [served])
    pod = attended(sessions, operator)
    name = pod["metadata"]["name"]
    sessions.kubectl("delete", "pod", name, "--wait=false")
    sessions.ended(pod, last_word(sessions, "standup", "Evicted"))
    assert sessions.kubectl.json("get", "pod", name)["metadata"]["deletionTimestamp"], (
        "it is there until it is recorded"
    )
    operator.start()
    try:
        assert sessions.phase("standup", "Failed")["reason"] == "Evicted"
        wait_until(lambda: released(sessions, pod), "the pod is released", PATIENCE)
    finally:
        operator.kill()
