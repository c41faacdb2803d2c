"""The pod and the Secret, whole, as golden files; and what must never be in them.

After a wanted change: ``REWRITE_GOLDEN=1 pytest tests/unit/test_manifests.py``, and read the diff.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_buddy.contract.assignment import (
    DIGEST_VARIABLE,
    PASSCODE_FILE,
    TRANSCRIPTION_KEY_FILE,
    Assignment,
    FinisherAssignment,
)
from meeting_buddy.contract.identity import PodId, Role
from meeting_buddy.contract.links import SelfHostedHost
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table_reader import load_table
from meeting_buddy.contract.token import BotKeys, Scope, derive, matches
from meeting_buddy.manifests import quantity
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from meeting_buddy.manifests.secret import assignment, assignment_annotations, bot_secret, finisher_assignment
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.quantity import parse_quantity
from meeting_buddy.resource.session import MeetingSessionStatus
from meeting_buddy_bot.support.settings import Settings
from tests.local.clone import PLATFORM_TABLES
from tests.support import operator_facts as make
from tests.support.platform_tables import platform_table
from tests.support.small_table import raw_table

GOLDEN = Path(__file__).parent / "golden"
SYNTHETIC = "synthetic, for this test, 2026-11-23"
KEYS = BotKeys(control=b"c" * 32, read=b"r" * 32)
HOSTS = [SelfHostedHost(platform="LiveKit", host="meet.example.org")]
FULL_CLASS = BotClass.model_validate(
    {
        "image": "registry.example/bot@sha256:abc",
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["pull"],
        "resources": {
            "720p": {
                "cpu": "200m",
                "cpuLimit": 1,
                "memory": "512Mi",
                "memoryLimit": "1Gi",
                "ephemeralStorage": "1Gi",
                "ephemeralStorageLimit": "2Gi",
            }
        },
        "nodeSelector": {"pool": "bots"},
        "tolerations": [{"key": "bots", "operator": "Exists"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}
                    ]
                }
            }
        },
        "priorityClassName": "meetings",
        "runtimeClassName": "gvisor",
        "serviceAccountName": "bots",
        "labels": {"team": "a", "app.kubernetes.io/component": "not-yours"},
        "annotations": {
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
            "meetingbuddy.io/assignment-sha256": "not-yours",
        },
        "env": {"HTTPS_PROXY": "http://proxy:3128", "HOME": "/not-yours", DIGEST_VARIABLE: "not-yours"},
        "secretEnv": [{"name": "ENGINE_TOKEN", "secret": "engine", "key": "token"}],
        "hostAliases": [{"ip": "10.245.0.1", "hostnames": ["meet.example.org"]}],
        "extraCa": {"configMap": "meeting-ca"},
        "storage": {"claim": "tapes", "fsGroup": 20000},
        "timeouts": {"graceSeconds": 60},
        "transcription": {
            "server": {
                "url": "https://speech.example.org/v1",
                "model": "large-v3",
                "keySecret": {"name": "speech", "key": "token"},
            }
        },
    }
)


TABLE = load_table(raw_table())


def pod_input(bot_class: BotClass = make.CLASS, **fields: Any) -> BotPodInput:
    return BotPodInput("meetings", "standup", make.UID, make.spec(**fields), bot_class)


def secret(found: BotPodInput) -> dict[str, Any]:
    return bot_secret(found, document(found).to_json(), "pod-uid")


def document(found: BotPodInput) -> Assignment:
    return assignment(found, TABLE, HOSTS, KEYS)


def pod(found: BotPodInput) -> dict[str, Any]:
    return session_pod(found, assignment_annotations(found, document(found).to_json(), KEYS))


FINISHER = replace(pod_input(), pod=PodId(2, Role.FINISHER))
CRASHED = MeetingSessionStatus(
    attempt=2,
    phase=Phase.LEAVING,
    reason=Reason.BOT_CRASHED,
    message="Container bot exited with signal 9.",
    join_timestamp=make.later(20),
    table_hash="abc123",
)


def finisher_document(found: BotPodInput = FINISHER) -> FinisherAssignment:
    return finisher_assignment(found, CRASHED, KEYS)


def finisher_pod(found: BotPodInput = FINISHER) -> dict[str, Any]:
    return session_pod(found, assignment_annotations(found, finisher_document(found).to_json(), KEYS))


SECRET_LINK: dict[str, Any] = {"meetingLink": None, "meetingLinkSecretRef": {"name": "link", "key": "url"}}
PASSCODE: dict[str, Any] = {"passcodeSecretRef": {"name": "board"}}


@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("pod-default", pod(pod_input())),
        ("pod-full-class", pod(pod_input(FULL_CLASS, **SECRET_LINK, **PASSCODE))),
        ("pod-audio", pod(pod_input(recording={"video": "none"}))),
        ("secret", secret(pod_input())),
        ("finisher-pod", finisher_pod()),
        ("finisher-secret", bot_secret(FINISHER, finisher_document().to_json(), "pod-uid")),
    ],
)
def test_golden(name: str, manifest: dict[str, Any]) -> None:
    path = GOLDEN / f"{name}.json"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(make.pretty(manifest))
    assert json.loads(path.read_text()) == manifest


def recordings_mount(spec: dict[str, Any]) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = spec["containers"][0]["volumeMounts"]
    return next(each for each in mounts if each["name"] == "recordings")


def test_a_finisher_has_nothing_that_a_meeting_needs_and_the_bots_folder() -> None:
    found = replace(pod_input(FULL_CLASS, **SECRET_LINK, **PASSCODE), pod=PodId(2, Role.FINISHER))
    spec, bot = finisher_pod(found)["spec"], pod(replace(found, pod=PodId(2)))["spec"]
    assert "initContainers" not in spec
    (container,) = spec["containers"]
    assert container["command"][-2:] == ["meeting-buddy-bot", "finish"]
    assert "readinessProbe" not in container
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert volumes.isdisjoint({"link", "passcode", "x11", "run", "shm", "browser-tmp"})
    assert volumes == {mount["name"] for mount in container["volumeMounts"]} | {"ca"} & volumes
    assert recordings_mount(spec) == recordings_mount(bot)
    secret = json.dumps(bot_secret(found, finisher_document(found).to_json(), "pod-uid"))
    assert "rooms/standup" not in secret
    assert "very-secret" not in secret


@pytest.mark.parametrize("found", [pod_input(), pod_input(FULL_CLASS), pod_input(FULL_CLASS, **SECRET_LINK)])
def test_the_pod_holds_no_link_and_no_token(found: BotPodInput) -> None:
    text = json.dumps(pod(found))
    tokens = [KEYS.token(make.UID, 1, scope) for scope in Scope]
    assert not any(each in text for each in ("rooms/standup", "very-secret", *tokens))


def test_the_secret_holds_digests_of_the_tokens_and_no_token() -> None:
    text = secret(pod_input())["stringData"]["assignment.json"]
    found = Assignment.model_validate_json(text)
    assert matches(derive(KEYS.control, make.UID, 1, Scope.CONTROL), found.tokens.control)
    assert matches(derive(KEYS.read, make.UID, 1, Scope.READ), found.tokens.read)
    assert not any(KEYS.token(make.UID, 1, scope) in text for scope in Scope)


def test_a_bot_is_told_whether_another_one_was_in_the_meeting() -> None:
    assert not document(pod_input()).rejoins
    assert assignment(pod_input(), TABLE, HOSTS, KEYS, rejoins=True).rejoins


def test_a_link_in_a_secret_of_the_users_is_not_copied() -> None:
    found = Assignment.model_validate_json(secret(pod_input(**SECRET_LINK))["stringData"]["assignment.json"])
    assert found.link is None


@pytest.mark.parametrize("fields", [{}, SECRET_LINK])
def test_a_passcode_is_mounted_from_the_users_secret_into_the_bot_and_changes_nothing_else(
    fields: dict[str, Any],
) -> None:
    without, found = pod_input(**fields), pod_input(**fields, **PASSCODE)
    assert document(found) == document(without)
    items = [{"key": "passcode", "path": PASSCODE_FILE.name}]
    volume = {"name": "passcode", "secret": {"secretName": "board", "items": items, "defaultMode": 0o440}}
    mount = {"name": "passcode", "mountPath": str(PASSCODE_FILE.parent), "readOnly": True}
    manifest = pod(found)
    manifest["spec"]["volumes"].remove(volume)
    manifest["spec"]["containers"][0]["volumeMounts"].remove(mount)
    assert manifest == pod(without)


def test_a_servers_key_is_mounted_into_the_bot_and_the_assignment_has_the_server_alone() -> None:
    server = {"url": "https://speech.example.org/v1", "model": "large-v3"}
    without, found = (
        pod_input(make.CLASS.model_validate({**make.CLASS.model_dump(), "transcription": {"server": each}}))
        for each in (server, {**server, "keySecret": {"name": "speech"}})
    )
    assert document(found) == document(without)
    told = document(found).transcription.server
    assert told is not None
    assert told.model_dump() == server
    items = [{"key": "key", "path": TRANSCRIPTION_KEY_FILE.name}]
    volume = {"name": "transcription-key", "secret": {"secretName": "speech", "items": items, "defaultMode": 0o440}}
    mount = {"name": "transcription-key", "mountPath": str(TRANSCRIPTION_KEY_FILE.parent), "readOnly": True}
    manifest = pod(found)
    manifest["spec"]["volumes"].remove(volume)
    manifest["spec"]["containers"][0]["volumeMounts"].remove(mount)
    assert manifest == pod(without)


def test_a_model_on_a_volume_is_mounted_where_it_is_loaded() -> None:
    engine = {"model": "/models/base", "modelClaim": "speech-model"}
    chosen = make.CLASS.model_validate({**make.CLASS.model_dump(), "transcription": engine})
    spec = pod(pod_input(chosen))["spec"]
    claim = {"claimName": "speech-model", "readOnly": True}
    assert {"name": "model", "persistentVolumeClaim": claim} in spec["volumes"]
    mount = {"name": "model", "mountPath": "/models/base", "readOnly": True}
    assert mount in spec["containers"][0]["volumeMounts"]
    assert mount not in spec["initContainers"][0]["volumeMounts"]
    assert "speech-model" not in json.dumps(pod(pod_input(chosen, transcription={"enabled": False})))


def test_a_session_without_a_transcript_has_no_servers_key() -> None:
    assert "transcription-key" in json.dumps(pod(pod_input(FULL_CLASS)))
    assert "transcription-key" not in json.dumps(pod(pod_input(FULL_CLASS, transcription={"enabled": False})))


def test_the_browser_has_neither_secret_nor_volume() -> None:
    spec = pod(pod_input(FULL_CLASS, **SECRET_LINK, **PASSCODE))["spec"]
    browser, bot = (
        {mount["name"] for mount in container["volumeMounts"]}
        for container in (spec["initContainers"][0], spec["containers"][0])
    )
    secret_or_volume = {"assignment", "link", "passcode", "transcription-key", "recordings"}
    assert not secret_or_volume & browser
    assert secret_or_volume <= bot
    assert "ca" in browser & bot  # to trust the meeting's site, and the transcription server
    silent = pod(pod_input(FULL_CLASS, transcription={"enabled": False}))["spec"]["containers"][0]
    assert "ca" not in {mount["name"] for mount in silent["volumeMounts"]}


@pytest.mark.parametrize("bot_class", [make.CLASS, FULL_CLASS])
def test_restricted_pod_security_would_pass(bot_class: BotClass) -> None:
    spec = pod(pod_input(bot_class))["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    for container in (*spec["initContainers"], *spec["containers"]):
        security = container["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["allowPrivilegeEscalation"] is False
        profile = security.get("seccompProfile", spec["securityContext"]["seccompProfile"])
        assert profile["type"] in ("RuntimeDefault", "Localhost")
    kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
    assert kinds <= {"secret", "configMap", "emptyDir", "persistentVolumeClaim"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()


def test_the_class_cannot_take_our_labels_or_our_environment() -> None:
    found = pod(pod_input(FULL_CLASS))
    assert found["metadata"]["labels"]["app.kubernetes.io/component"] == "bot"
    assert found["metadata"]["labels"]["team"] == "a"
    env = {each["name"]: each.get("value") for each in found["spec"]["containers"][0]["env"]}
    ours = {"HOME": "/home/buddy", DIGEST_VARIABLE: None}
    assert env == {"HTTPS_PROXY": "http://proxy:3128", "ENGINE_TOKEN": None, **ours}
    assert len(found["spec"]["containers"][0]["env"]) == len(env)
    assert found["metadata"]["annotations"]["meetingbuddy.io/assignment-sha256"] != "not-yours"


def test_the_pods_annotation_reaches_the_bot_as_the_digest_of_the_secrets_content() -> None:
    """The names are three views of one thing: annotation, downward API, the bot's settings."""
    found = pod(pod_input(FULL_CLASS))
    [variable] = [each for each in found["spec"]["containers"][0]["env"] if "fieldRef" in each.get("valueFrom", {})]
    path = variable["valueFrom"]["fieldRef"]["fieldPath"]
    digest = found["metadata"]["annotations"][path.removeprefix("metadata.annotations['").removesuffix("']")]
    content = secret(pod_input(FULL_CLASS))["stringData"]["assignment.json"].encode()
    assert digest == hashlib.sha256(content).hexdigest()
    assert Settings.from_environment({variable["name"]: digest}).assignment_sha256 == digest


def test_the_secret_goes_with_its_pod() -> None:
    [owner] = secret(pod_input())["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", pod(pod_input())["metadata"]["name"], "pod-uid")


def test_an_assignment_follows_from_its_inputs_alone() -> None:
    assert document(pod_input()).to_json() == document(pod_input()).to_json()


def test_a_bot_is_handed_the_hosts_of_its_own_platform() -> None:
    assert document(pod_input()).self_hosted == tuple(HOSTS)
    assert document(pod_input(meetingLink="https://zoom.us/j/1", platform="Zoom")).self_hosted == ()


def test_the_kubelets_deadline_comes_after_the_bots() -> None:
    found = pod(pod_input(activeDeadlineSeconds=600))
    assert found["spec"]["activeDeadlineSeconds"] == 600 + 600 + 1800 + 120


SPLIT: list[tuple[str, tuple[str, str], tuple[str, str]]] = [
    ("1500m", ("1000m", "500m"), ("1Mi", "1Mi")),
    ("2Gi", ("1431655765333m", "715827882667m"), ("1365Mi", "683Mi")),
    ("1e9", ("666666666666m", "333333333334m"), ("636Mi", "318Mi")),
    ("250u", ("1m", "1m"), ("1Mi", "1Mi")),
    ("+1", ("666m", "334m"), ("1Mi", "1Mi")),
]


@pytest.mark.parametrize(("amount", "cpu", "memory"), SPLIT, ids=[each[0] for each in SPLIT])
def test_the_containers_parts_add_up_to_the_class(amount: str, cpu: tuple[str, str], memory: tuple[str, str]) -> None:
    assert quantity.split_cpu(amount, Fraction(2, 3)) == cpu
    assert quantity.split_bytes(amount, Fraction(2, 3)) == memory


def test_what_a_class_leaves_out_is_absent_from_the_pod() -> None:
    fields = {"security": {"runAsUser": None, "seccompProfile": None}, "sandbox": {"seccompProfile": None}}
    chosen = {"image": "i", "storage": {"fsGroup": None}, **fields}
    spec = session_pod(pod_input(BotClass.model_validate(chosen)))["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "fsGroupChangePolicy": "OnRootMismatch"}
    assert "seccompProfile" not in spec["initContainers"][0]["securityContext"]


def test_a_pod_asks_for_linux_unless_its_class_says_otherwise() -> None:
    for chosen, asked in (
        ({}, {"kubernetes.io/os": "linux"}),
        ({"pool": "bots"}, {"kubernetes.io/os": "linux", "pool": "bots"}),
        ({"kubernetes.io/os": "other"}, {"kubernetes.io/os": "other"}),
    ):
        found = BotClass.model_validate({"image": "i", "nodeSelector": chosen})
        assert session_pod(pod_input(found))["spec"]["nodeSelector"] == asked


def test_transcription_is_done_in_the_bots_container_and_takes_nothing_from_the_browsers_share() -> None:
    resources = {"cpu": "1500m", "cpuLimit": "3", "memory": "2Gi", "memoryLimit": "4Gi"}
    engine = {"model": "/models/base", "threads": 2, "cpu": "500m", "memory": "768Mi"}
    chosen = BotClass.model_validate({"image": "i", "resources": {"720p": resources}, "transcription": engine})
    without = session_pod(pod_input(chosen, transcription={"enabled": False}))["spec"]
    spec = session_pod(pod_input(chosen))["spec"]
    assert without["initContainers"][0]["resources"] == {
        "requests": {"cpu": "1000m", "memory": "1365Mi"},
        "limits": {"cpu": "2000m", "memory": "2730Mi"},
    }
    assert without["containers"][0]["resources"] == {
        "requests": {"cpu": "500m", "memory": "683Mi"},
        "limits": {"cpu": "1000m", "memory": "1366Mi"},
    }
    assert spec["initContainers"][0]["resources"] == {
        "requests": {"cpu": "1333m", "memory": "1365Mi"},
        "limits": {"cpu": "2000m", "memory": "2730Mi"},
    }
    assert spec["containers"][0]["resources"] == {
        "requests": {"cpu": "667m", "memory": "1451Mi"},
        "limits": {"cpu": "1500m", "memory": "2134Mi"},
    }
    told = document(pod_input(chosen, transcription={"vocabulary": ["Kubernetes"]})).transcription
    assert (told.model, told.threads, told.vocabulary) == ("/models/base", 2, ("Kubernetes",))


def test_limits_of_a_class_are_shared_out_and_a_secret_reaches_the_bot_alone() -> None:
    spec = session_pod(pod_input(FULL_CLASS))["spec"]
    browser, bot = spec["initContainers"][0], spec["containers"][0]
    assert browser["resources"]["limits"] == {"cpu": "666m", "memory": "682Mi", "ephemeral-storage": "1365Mi"}
    assert bot["resources"]["limits"] == {"cpu": "1334m", "memory": "1366Mi", "ephemeral-storage": "683Mi"}
    reference = {"secretKeyRef": {"name": "engine", "key": "token"}}
    assert {"name": "ENGINE_TOKEN", "valueFrom": reference} in bot["env"]
    assert not any("valueFrom" in each for each in browser["env"])


QUANTITIES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "+"]),
    st.from_regex(r"\A([1-9][0-9]{0,20}(\.[0-9]{0,9})?|\.[0-9]{0,5}[1-9])\Z"),
    st.sampled_from(["", *"numkMGTPE", *(f"{each}i" for each in "KMGTPE"), "e3", "E-12", "e+99", "e-999"]),
)


def test_a_class_says_how_much_of_it_is_the_browsers() -> None:
    resources = {"cpu": "1", "memory": "1000Mi", "memoryLimit": "2000Mi", "browserPercent": 80}
    chosen = BotClass.model_validate({"image": "i", "resources": {"720p": resources}})
    spec = session_pod(pod_input(chosen, transcription={"enabled": False}))["spec"]
    found = [each["resources"] for each in (spec["initContainers"][0], spec["containers"][0])]
    assert [each["requests"] for each in found] == [
        {"cpu": "800m", "memory": "800Mi"},
        {"cpu": "200m", "memory": "200Mi"},
    ]
    assert [each["limits"] for each in found] == [{"memory": "1600Mi"}, {"memory": "400Mi"}]


def test_a_request_that_transcription_raises_stays_within_the_browsers_limit() -> None:
    resources = {"cpu": "1500m", "cpuLimit": "1500m", "memory": "2Gi", "memoryLimit": "4Gi"}
    chosen = BotClass.model_validate(
        {"image": "i", "resources": {"720p": resources}, "transcription": {"model": "/models/base", "cpu": "1"}}
    )
    spec = session_pod(pod_input(chosen))["spec"]
    for container, cpu in ((spec["initContainers"][0], "1000m"), (spec["containers"][0], "1500m")):
        assert (container["resources"]["requests"]["cpu"], container["resources"]["limits"]["cpu"]) == (cpu, cpu)


@given(QUANTITIES)
def test_a_quantity_that_a_class_accepts_can_be_shared_out(amount: str) -> None:
    resources = {"cpu": amount, "cpuLimit": amount, "memory": amount, "memoryLimit": amount}
    chosen = BotClass.model_validate({"image": "i", "resources": {"720p": resources}})
    spec = session_pod(pod_input(chosen))["spec"]
    for container in (spec["initContainers"][0], spec["containers"][0]):
        for name, text in container["resources"]["requests"].items():
            assert re.fullmatch(r"[1-9][0-9]*(m|Mi)", text), name
            assert parse_quantity(text) <= parse_quantity(container["resources"]["limits"][name])


def test_every_table_of_the_image_is_readable() -> None:
    found = {platform_table(path.stem).platform for path in PLATFORM_TABLES.glob("*.yaml")}
    assert "LiveKit" in found
