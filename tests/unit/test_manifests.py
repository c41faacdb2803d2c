"""The pod and the Secret, whole, as golden files; and what must never be in them.

After a wanted change: ``REWRITE_GOLDEN=1 pytest tests/unit/test_manifests.py``, and read the diff.
"""

from __future__ import annotations

import hashlib
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.contract.assignment import DIGEST_VARIABLE, Assignment
from meeting_buddy.contract.links import Platform, SelfHostedHost
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.token import BotKeys, Scope, derive, matches
from meeting_buddy.manifests import quantity
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import bot_pod
from meeting_buddy.manifests.secret import assignment, assignment_annotations, bot_secret
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy_bot.support.settings import Settings
from tests.local.clone import PLATFORM_TABLES
from tests.support import operator_facts as make
from tests.support.platform_tables import platform_table

GOLDEN = Path(__file__).parent / "golden"
SYNTHETIC = "synthetic, for this test, 2026-11-23"
KEYS = BotKeys(control=b"c" * 32, read=b"r" * 32)
HOSTS = [SelfHostedHost(platform=Platform.LIVEKIT, host="meet.example.org")]
FULL_CLASS = BotClass.model_validate(
    {
        "image": "registry.example/bot@sha256:abc",
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["pull"],
        "resources": {"720p": {"cpu": "200m", "memory": "512Mi", "memoryLimit": "1Gi"}},
        "nodeSelector": {"pool": "bots"},
        "tolerations": [{"key": "bots", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "meetings",
        "runtimeClassName": "gvisor",
        "serviceAccountName": "bots",
        "labels": {"team": "a", "app.kubernetes.io/component": "not-yours"},
        "annotations": {
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
            "meetingbuddy.io/assignment-sha256": "not-yours",
        },
        "env": {"HTTPS_PROXY": "http://proxy:3128", "HOME": "/not-yours", DIGEST_VARIABLE: "not-yours"},
        "hostAliases": [{"ip": "10.245.0.1", "hostnames": ["meet.example.org"]}],
        "extraCa": {"configMap": "meeting-ca"},
        "storage": {"claim": "tapes", "fsGroup": 20000},
        "timeouts": {"graceSeconds": 60},
    }
)


def order(bot_class: BotClass = make.CLASS, **fields: Any) -> BotPodInput:
    return BotPodInput("meetings", "standup", make.UID, make.spec(**fields), bot_class)


def table() -> PlatformTable:
    minimal = {
        "platform": "LiveKit",
        "checked": "2026-11-23",
        "source": SYNTHETIC,
        "steps": [],
        "signals": [{"state": "in_call", "all": [{"css": ".a"}, {"css": ".b"}], "source": SYNTHETIC}],
        "leave": [],
        "people": {"tile": ".t", "name": ".n", "own_tile": ".o", "source": SYNTHETIC},
        "media": {"audio": "audio", "video": "video", "source": SYNTHETIC},
    }
    return PlatformTable.model_validate(minimal)


def secret(found: BotPodInput) -> dict[str, Any]:
    return bot_secret(found, document(found), "pod-uid")


def document(found: BotPodInput) -> Assignment:
    return assignment(found, table(), HOSTS, KEYS)


def pod(found: BotPodInput) -> dict[str, Any]:
    return bot_pod(found, assignment_annotations(document(found), KEYS))


SECRET_LINK: dict[str, Any] = {"meetingLink": None, "meetingLinkSecretRef": {"name": "link", "key": "url"}}


@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("pod-default", pod(order())),
        ("pod-full-class", pod(order(FULL_CLASS, **SECRET_LINK))),
        ("pod-audio", pod(order(recording={"video": "none"}))),
        ("secret", secret(order())),
    ],
)
def test_golden(name: str, manifest: dict[str, Any]) -> None:
    path = GOLDEN / f"{name}.json"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(make.pretty(manifest))
    assert json.loads(path.read_text()) == manifest


@pytest.mark.parametrize("found", [order(), order(FULL_CLASS), order(FULL_CLASS, **SECRET_LINK)])
def test_the_pod_holds_no_link_and_no_token(found: BotPodInput) -> None:
    text = json.dumps(pod(found))
    tokens = [KEYS.token(make.UID, 1, scope) for scope in Scope]
    assert not any(each in text for each in ("rooms/standup", "very-secret", *tokens))


def test_the_secret_holds_digests_of_the_tokens_and_no_token() -> None:
    text = secret(order())["stringData"]["assignment.json"]
    found = Assignment.model_validate_json(text)
    assert matches(derive(KEYS.control, make.UID, 1, Scope.CONTROL), found.tokens.control)
    assert matches(derive(KEYS.read, make.UID, 1, Scope.READ), found.tokens.read)
    assert not any(KEYS.token(make.UID, 1, scope) in text for scope in Scope)


def test_a_link_in_a_secret_of_the_users_is_not_copied() -> None:
    found = Assignment.model_validate_json(secret(order(**SECRET_LINK))["stringData"]["assignment.json"])
    assert found.link is None


def test_the_browser_has_neither_secret_nor_volume() -> None:
    spec = pod(order(FULL_CLASS, **SECRET_LINK))["spec"]
    browser, bot = (
        {mount["name"] for mount in container["volumeMounts"]}
        for container in (spec["initContainers"][0], spec["containers"][0])
    )
    assert not {"assignment", "link", "recordings"} & browser
    assert {"assignment", "link", "recordings"} <= bot
    assert "ca" in browser - bot


@pytest.mark.parametrize("bot_class", [make.CLASS, FULL_CLASS])
def test_restricted_pod_security_would_pass(bot_class: BotClass) -> None:
    spec = pod(order(bot_class))["spec"]
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
    found = pod(order(FULL_CLASS))
    assert found["metadata"]["labels"]["app.kubernetes.io/component"] == "bot"
    assert found["metadata"]["labels"]["team"] == "a"
    env = {each["name"]: each.get("value") for each in found["spec"]["containers"][0]["env"]}
    assert env == {"HTTPS_PROXY": "http://proxy:3128", "HOME": "/home/buddy", DIGEST_VARIABLE: None}
    assert len(found["spec"]["containers"][0]["env"]) == 3
    assert found["metadata"]["annotations"]["meetingbuddy.io/assignment-sha256"] != "not-yours"


def test_the_pods_annotation_reaches_the_bot_as_the_digest_of_the_secrets_content() -> None:
    """The names are three views of one thing: annotation, downward API, the bot's settings."""
    found = pod(order(FULL_CLASS))
    [variable] = [each for each in found["spec"]["containers"][0]["env"] if "valueFrom" in each]
    path = variable["valueFrom"]["fieldRef"]["fieldPath"]
    digest = found["metadata"]["annotations"][path.removeprefix("metadata.annotations['").removesuffix("']")]
    content = secret(order(FULL_CLASS))["stringData"]["assignment.json"].encode()
    assert digest == hashlib.sha256(content).hexdigest()
    assert Settings.from_environment({variable["name"]: digest}).assignment_sha256 == digest


def test_the_secret_goes_with_its_pod() -> None:
    [owner] = secret(order())["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", pod(order())["metadata"]["name"], "pod-uid")


def test_an_assignment_follows_from_its_inputs_alone() -> None:
    assert document(order()).to_json() == document(order()).to_json()


def test_a_bot_is_handed_the_hosts_of_its_own_platform() -> None:
    assert document(order()).self_hosted == tuple(HOSTS)
    assert document(order(meetingLink="https://zoom.us/j/1", platform="Zoom")).self_hosted == ()


def test_the_kubelets_deadline_comes_after_the_bots() -> None:
    found = pod(order(activeDeadlineSeconds=600))
    assert found["spec"]["activeDeadlineSeconds"] == 600 + 600 + 1800 + 120


def test_requests_of_both_containers_add_up_to_the_class() -> None:
    assert quantity.split_cpu("1500m", Fraction(2, 3)) == ("1000m", "500m")
    assert quantity.split_memory("2Gi", Fraction(2, 3)) == ("1365Mi", "683Mi")
    with pytest.raises(ValueError, match="not a quantity"):
        quantity.parse("lots")


def test_every_table_of_the_image_is_readable() -> None:
    found = {platform_table(path.stem).platform for path in PLATFORM_TABLES.glob("*.yaml")}
    assert Platform.LIVEKIT in found
