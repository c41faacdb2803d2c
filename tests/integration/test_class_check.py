"""Refusals of a bot class by the API server are known at the operator's start, and never keep it from starting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.controller.class_check import ClassCheck
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.client import KubeClient, configuration
from meeting_buddy.kube.rate_limiter import RateLimiter
from meeting_buddy.resource.bot_class import BotClass
from tests.integration.operator_fixtures import crd, fresh_namespace, place, sessions  # noqa: F401 -- fixtures
from tests.integration.operator_process import INSTALLATION, PATIENCE, OperatorProcess, Sessions, running
from tests.local.cluster.api_only import ApiServer
from tests.local.cluster.kubectl import Kubectl
from tests.support import exposition
from tests.support.awaiting import wait_until
from tests.support.machine_wide import free_port

PLAIN = {"image": "registry.example/bot:1"}
NO_PROFILE = {**PLAIN, "security": {"seccompProfile": None}}
"""Pod security "restricted" demands a seccomp profile."""
LIMITED = {**PLAIN, "resources": {"720p": {"cpu": "1", "cpuLimit": "2", "memory": "1Gi", "memoryLimit": "2Gi"}}}


@pytest.fixture
async def api(crd: ApiServer) -> AsyncIterator[KubernetesApi]:
    client = KubeClient(await configuration(str(crd.kubeconfig)), RateLimiter())
    yield KubernetesApi(client, "test")
    await client.close()


def check_of(
    api: KubernetesApi, place: str, **classes: dict[str, Any]
) -> tuple[ClassCheck, dict[tuple[str, str], bool]]:
    """A check of these classes in one namespace, and its verdicts."""
    found: dict[tuple[str, str], bool] = {}

    def observe(bot_class: str, namespace: str, refused: bool) -> None:
        found[bot_class, namespace] = refused

    models = {name: BotClass.model_validate(fields) for name, fields in classes.items()}
    return ClassCheck(api, models, [place], observe), found


def set_quota(kubectl: Kubectl, place: str, hard: dict[str, str], used: dict[str, str] | None = None) -> None:
    """A quota with the status that the controller of a whole cluster would write."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": place},
        "spec": {"hard": hard},
    }
    kubectl.apply(quota)
    status = {"hard": hard, "used": used or dict.fromkeys(hard, "0")}
    kubectl.apply({**quota, "status": status}, arguments=["--subresource=status", "--server-side", "--force-conflicts"])


async def until_judged(check: ClassCheck, bot_class: str, place: str, *, refused: bool) -> None:
    """Ask until the API server's admission, which hears of a new quota by a watch, says this."""
    async with asyncio.timeout(PATIENCE):
        await check.once()
        while ((bot_class, place) in check.refusals) is not refused:
            await asyncio.sleep(0.05)
            await check.once()


async def checked(
    api: KubernetesApi, place: str, holds: Callable[[ClassCheck, Mapping[tuple[str, str], bool]], bool]
) -> ClassCheck:
    """A check of the plain class of which this holds; a fresh one each time, as one that accepted asks no more."""
    async with asyncio.timeout(PATIENCE):
        while True:
            check, verdicts = check_of(api, place, default=PLAIN)
            await check.once()
            if holds(check, verdicts):
                return check
            await asyncio.sleep(0.05)


async def test_pod_security_refuses_one_class_and_not_the_other(api: KubernetesApi, place: str) -> None:
    check, verdicts = check_of(api, place, default=PLAIN, open=NO_PROFILE)
    await check.once()
    assert verdicts == {("default", place): False, ("open", place): True}
    assert list(check.refusals) == [("open", place)]
    assert "seccompProfile" in check.refusals["open", place]


async def test_a_quota_that_demands_cpu_limits_refuses_classes_without(
    api: KubernetesApi, crd: ApiServer, place: str
) -> None:
    set_quota(crd.kubectl, place, {"limits.cpu": "10"})
    without = await checked(api, place, lambda check, _: bool(check.refusals))  # once admission knows the quota
    assert "must specify limits.cpu" in without.refusals["default", place]
    limited, verdicts = check_of(api, place, default=LIMITED)
    await limited.once()
    assert verdicts == {("default", place): False}


async def test_a_full_quota_is_not_the_classes_fault(api: KubernetesApi, crd: ApiServer, place: str) -> None:
    set_quota(crd.kubectl, place, {"pods": "1"}, used={"pods": "1"})
    check = await checked(api, place, lambda _, verdicts: not verdicts)  # once admission knows the quota
    assert not check.refusals


async def test_a_refusal_ends_with_its_cause(api: KubernetesApi, crd: ApiServer, place: str) -> None:
    check, verdicts = check_of(api, place, open=NO_PROFILE)
    await check.once()
    assert check.refusals
    crd.kubectl("label", "--overwrite", "namespace", place, "pod-security.kubernetes.io/enforce=baseline")
    await until_judged(check, "open", place, refused=False)
    assert verdicts == {("open", place): False}


async def test_a_refusal_ends_with_its_cause_also_where_a_quota_is_full(
    api: KubernetesApi, crd: ApiServer, place: str
) -> None:
    set_quota(crd.kubectl, place, {"pods": "1"}, used={"pods": "1"})
    await checked(api, place, lambda _, verdicts: not verdicts)  # once admission knows the quota
    check, verdicts = check_of(api, place, open=NO_PROFILE)
    await check.once()
    assert verdicts == {("open", place): True}, "quotas are asked last"
    crd.kubectl("label", "--overwrite", "namespace", place, "pod-security.kubernetes.io/enforce=baseline")
    await until_judged(check, "open", place, refused=False)
    assert verdicts == {("open", place): False}


async def test_nothing_is_created_and_a_missing_namespace_is_no_refusal(
    api: KubernetesApi, sessions: Sessions, place: str
) -> None:
    check, _ = check_of(api, place, default=PLAIN)
    await check.once()
    assert sessions.pods() == []
    missing, verdicts = check_of(api, f"{place}-missing", default=PLAIN)
    await missing.once()
    assert not verdicts
    assert not missing.refusals


async def test_a_refusal_says_nothing_of_a_namespace_that_was_not_asked(api: KubernetesApi, place: str) -> None:
    check, _ = check_of(api, place, open=NO_PROFILE)
    await check.once()
    assert "seccompProfile" in (check.refusal("open", place) or "")
    assert check.refusal("open", f"{place}-other") is None


def test_an_operator_of_all_namespaces_asks_those_where_people_record(
    crd: ApiServer, place: str, sessions: Sessions, tmp_path: Path
) -> None:
    """The class' service account is where people record, and not where the operator lives."""
    crd.kubectl("create", "serviceaccount", "bots", f"--namespace={place}")
    as_written_by_tools = {
        "priorityClassName": "",
        "runtimeClassName": "",
        "tolerations": [{"key": "", "operator": "Exists", "value": "", "effect": ""}],
    }
    default = {**INSTALLATION["botClasses"]["default"], "serviceAccountName": "bots", **as_written_by_tools}
    installation = {**INSTALLATION, "botClasses": {"default": default}, "recordings": {"claims": [place]}}
    process = OperatorProcess(
        crd.kubeconfig,
        tmp_path,
        "",
        free_port(),
        own_namespace=fresh_namespace(crd),
        all_namespaces=True,
        installation=installation,
    )
    with running(process):
        wait_until(lambda: judged(process) == {place: 0.0}, "its own namespace was not asked", PATIENCE)
        sessions.apply("standup")
        status = sessions.phase("standup", "Initializing")
        assert "BotClassAccepted" not in [each["type"] for each in status["conditions"]]


def judged(process: OperatorProcess) -> dict[str, float]:
    """Whether the class ``default`` is refused, by the namespaces that were asked."""
    found = exposition.samples("127.0.0.1", process.port, "meetingbuddy_bot_class_refused")
    return {labels["namespace"]: value for labels, value in found}


def test_the_operator_starts_all_the_same_and_says_it_by_metric_and_log(
    crd: ApiServer, place: str, tmp_path: Path
) -> None:
    installation = {"botClasses": {"default": INSTALLATION["botClasses"]["default"], "open": NO_PROFILE}}
    process = OperatorProcess(crd.kubeconfig, tmp_path, place, free_port(), installation=installation)
    with running(process):
        metric = "meetingbuddy_bot_class_refused"
        wait_until(
            lambda: process.metric(metric, bot_class="open", namespace=place) == 1, "the metric says it", PATIENCE
        )
        assert process.metric(metric, bot_class="default", namespace=place) == 0
        assert "seccompProfile" in process.log.read_text()
