"""The chart as `helm` renders it and as a real API server judges it."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from meeting_buddy.contract.identity import LABEL_COMPONENT, PodId, Role
from meeting_buddy.contract.phases import PHASES
from meeting_buddy.contract.report import PORT
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.config_files import TABLES
from meeting_buddy.resource.installation import Installation
from tests.integration.chart import (
    LIVEKIT_HOST,
    NAMESPACE,
    OPERATOR_ACCOUNT,
    RELEASE,
    Manifest,
    helm,
    install_roles,
    may,
    of_kind,
    rendered,
    with_images,
)
from tests.local.clone import CHART, CRD, PLATFORM_TABLES, REPOSITORY
from tests.local.cluster.kubectl import Kubectl, KubectlError
from tests.support import operator_facts as make
from tests.support.awaiting import wait_until
from tests.support.bot_class_values import WORKING, WRONG

NAMESPACES = ("meeting-buddy", "meetings", "elsewhere", "unguarded", "nodes", "nodes-kube", "77", "123", "1000000")


@pytest.fixture(scope="module")
def namespaces(kubectl: Kubectl) -> None:
    for name in NAMESPACES:
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def test_the_chart_lints() -> None:
    run = helm("lint", "--strict", str(CHART))
    assert run.returncode == 0, run.stdout + run.stderr


def seccomp_installer(namespace: str, **values: Any) -> Manifest:
    return {"seccompInstaller": {"enabled": True, "namespace": namespace, **values}}


VARIANTS: dict[str, Manifest] = {
    "cluster scope": {},
    "namespaced": {"watchNamespaces": ["meetings"]},
    "two replicas, self-hosted meetings": {"operator": {"replicas": 2}, **LIVEKIT_HOST},
    "seccomp installer": seccomp_installer(
        "nodes", imagePullSecrets=[{"name": "registry"}], seLinuxOptions={"type": "spc_t", "level": "s0:c1,c2"}
    ),
    "own platform table": {"platformTables": {"LiveKit": "platform: LiveKit\n"}},
    "own class": {"botClasses": {"default": {"hostAliases": [{"ip": "10.0.0.7", "hostnames": ["meet.example.org"]}]}}},
}


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.usefixtures("namespaces")
def test_a_real_api_server_accepts_every_variant(kubectl: Kubectl, values: Manifest) -> None:
    kubectl.apply(*rendered(values), arguments=["--server-side", "--dry-run=server"])


def rollout_apart(**fields: Any) -> Manifest:
    """Affinity of a Deployment's pods that keeps those of one rollout apart; ``None`` leaves a field out."""
    selector = {"matchLabels": {"app.kubernetes.io/name": "meeting-buddy"}}
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector, "matchLabelKeys": ["pod-template-hash"]}
    term = {key: value for key, value in {**term, **fields}.items() if value is not None}
    weighted = {"weight": 1, "podAffinityTerm": term}
    return {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [term],
            "preferredDuringSchedulingIgnoredDuringExecution": [weighted],
        }
    }


REFUSED_VALUES: dict[str, tuple[Manifest, str]] = {
    "unknown value": ({"replicas": 2}, "replicas"),
    "unknown bot-class field": ({"botClasses": {"default": {"imgae": "x"}}}, "imgae"),
    "no default class": ({"botClasses": {"default": None}}, "default"),
    "class that no session can name": ({"botClasses": {"Big_One": {}}}, "Big_One"),
    "a kind that is no name": ({"selfHosted": {"hosts": [{"platform": "my jitsi", "host": "a.b"}]}}, "platform"),
    "a platform with hosts of its own": ({"selfHosted": {"hosts": [{"platform": "Zoom", "host": "a.b"}]}}, "platform"),
    "a host without a dot": ({"selfHosted": {"hosts": [{"platform": "LiveKit", "host": "meet"}]}}, "host"),
    "a host that no link may have": (
        {"selfHosted": {"hosts": [{"platform": "LiveKit", "host": "xn--mt-bka.example.org"}]}},
        "host",
    ),
    "a host that is no name": ({"selfHosted": {"hosts": [{"platform": "LiveKit", "host": "meet.example-"}]}}, "host"),
    "an empty key that tolerates one value": (
        {"botClasses": {"default": {"tolerations": [{"key": "", "value": "x"}]}}},
        "tolerations",
    ),
    "a table of no platform": ({"platformTables": {"my jitsi": "platform: Jitsi"}}, "platformTables"),
    "three replicas": ({"operator": {"replicas": 3}}, "replicas"),
    "namespace": ({"watchNamespaces": ["Meetings"]}, "watchNamespaces"),
    "namespace with a claim": ({"storage": {"namespaces": ["a/b"]}}, "namespaces"),
    "size": ({"storage": {"size": "20GB"}}, "size"),
    "access mode": ({"storage": {"accessModes": ["RWX"]}}, "accessModes"),
    "storage class": ({"storage": {"storageClassName": "Fast_Disk"}}, "storageClassName"),
    "operator's memory": ({"operator": {"resources": {"limits": {"memory": "1,5Gi"}}}}, "memory"),
    "operator's toleration": ({"operator": {"tolerations": [{"efect": "NoExecute"}]}}, "efect"),
    "operator's affinity": ({"operator": {"affinity": {"nodeAfinity": {}}}}, "nodeAfinity"),
    "operator's label": ({"operator": {"podLabels": {"a b": "c"}}}, "podLabels"),
    "operator's user": ({"operator": {"podSecurityContext": {"runAsUser": "root"}}}, "runAsUser"),
    "image tag": ({"bot": {"image": {"tag": "a b"}}}, "tag"),
    "no access mode that writes": ({"storage": {"accessModes": ["ReadOnlyMany"]}}, "accessModes"),
    "operator's request above its limit": (
        {"operator": {"resources": {"requests": {"memory": "1Gi"}}}},
        "operator.resources: requests.memory (1Gi) is more than limits.memory (512Mi)",
    ),
    "no operator, by null": ({"operator": None}, "missing property 'operator'"),
    "no image of the bot, by null": ({"bot": {"image": None}}, "missing property 'image'"),
    "no bot classes, by null": ({"botClasses": None}, "missing property 'botClasses'"),
    "no word on keeping the CRD, by null": ({"crds": {"keep": None}}, "missing property 'keep'"),
    "host paths in the release's namespace": (seccomp_installer("default"), "default is the release's own"),
    "host paths in a watched namespace": (
        {"watchNamespaces": [123], **seccomp_installer("123")},
        "123 is in watchNamespaces",
    ),
    "host paths in a recorded namespace": (
        {"storage": {"namespaces": ["board"]}, **seccomp_installer("board")},
        "board is in storage.namespaces",
    ),
    **{
        f"host paths in {namespace}": (seccomp_installer(namespace), f"{namespace} is one of Kubernetes' own")
        for namespace in ("kube-system", "kube-public", "kube-mine")
    },
    "kubelet's folder": ({"seccompInstaller": {"kubeletRoot": "var/lib"}}, "kubeletRoot"),
    **{
        f"kubelet's folder {path}": ({"seccompInstaller": {"kubeletRoot": path}}, "kubeletRoot")
        for path in ("/var/lib/../kubelet", "/..", "/var/lib/..", "/../", "/")
    },
    "an option that SELinux does not have": ({"seccompInstaller": {"seLinuxOptions": {"typ": "spc_t"}}}, "typ"),
    "a volume of one pod and of many": (
        {"storage": {"accessModes": ["ReadWriteOncePod", "ReadWriteMany"]}},
        "accessModes",
    ),
    "a resource that Kubernetes does not have": ({"operator": {"resources": {"limits": {"memroy": "1Gi"}}}}, "memroy"),
    "a resource of a domain without a name": (
        {"api": {"resources": {"requests": {"example.org/": 1}}}},
        "example.org/",
    ),
    "huge pages without a size": ({"reader": {"resources": {"limits": {"hugepages-": "2Mi"}}}}, "hugepages-"),
    "huge pages that may be fewer": (
        {
            "operator": {
                "resources": {"requests": {"hugepages-2Mi": "2Mi"}, "limits": {"hugepages-2Mi": "4Mi"}},
            }
        },
        "requests.hugepages-2Mi (2Mi) is not limits.hugepages-2Mi (4Mi)",
    ),
    "a device without a limit": (
        {"operator": {"resources": {"requests": {"example.org/device": 1}}}},
        "requests.example.org/device (1) is not limits.example.org/device (not set)",
    ),
    **{
        f"{field} {value}": ({"operator": {"podSecurityContext": {field: value}}}, field)
        for field, value in {
            "runAsUser": 99_999_999_999,
            "runAsGroup": 2**31,
            "fsGroup": 2**31,
            "supplementalGroups": [-1],
        }.items()
    },
    "an annotation that YAML does not take": ({"operator": {"podAnnotations": {"a": "\x7f"}}}, "podAnnotations"),
    "an SELinux type that YAML does not take": (
        {"seccompInstaller": {"seLinuxOptions": {"type": "\x7f"}}},
        "seLinuxOptions",
    ),
    "the rollout's own pods, of no others": (
        {"operator": {"affinity": rollout_apart(labelSelector=None)}},
        "labelSelector",
    ),
    "operator as root": ({"operator": {"podSecurityContext": {"runAsUser": 0}}}, "runAsUser"),
    **{
        f"seccomp profile {profile}": (
            {"operator": {"podSecurityContext": {"seccompProfile": profile}}},
            "seccompProfile",
        )
        for profile in (
            {"type": "Runtimedefault"},
            {"type": "Localhost"},
            {"type": "Localhost", "localhostProfile": "../mine.json"},
            {"type": "RuntimeDefault", "localhostProfile": "mine.json"},
            {"type": "Unconfined", "profile": "mine.json"},
        )
    },
    "no word on the operator's image": (
        {"operator": {"image": {"repository": ""}}},
        "operator.image.repository is not set",
    ),
    "no word on the bot's image": ({"bot": {"image": {"repository": ""}}}, "bot.image.repository is not set"),
    "no word on the image of one class": (
        {
            "bot": {"image": {"repository": ""}},
            "botClasses": {"default": {"image": "registry.example/bot:1"}, "big": {}},
        },
        "bot.image.repository is not set",
    ),
    "capital letters in a repository": ({"bot": {"image": {"repository": "registry.example/Team/bot"}}}, "repository"),
    "capital letters in an organisation": ({"operator": {"image": {"repository": "Team/operator"}}}, "repository"),
    "a tag in a repository": ({"bot": {"image": {"repository": "registry.example/bot:1"}}}, "repository"),
    "a scheme in a repository": ({"bot": {"image": {"repository": "https://registry.example/bot"}}}, "repository"),
    "capital letters in a class's image": ({"botClasses": {"default": {"image": "registry.example/Bot:1"}}}, "image"),
    "a chart that is switched off by itself": ({"enabled": False}, "enabled"),
}


@pytest.mark.parametrize(("values", "named"), REFUSED_VALUES.values(), ids=REFUSED_VALUES)
def test_wrong_values_fail_before_anything_is_installed(values: Manifest, named: str) -> None:
    run = helm("template", "mb", str(CHART), values=values)
    assert run.returncode != 0
    assert named in run.stderr


RIGHT_VALUES: dict[str, Manifest] = {
    "an own seccomp profile": {
        "operator": {"podSecurityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "own/mb.json"}}}
    },
    "no seccomp profile": {"operator": {"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}}},
    "every kind of resource": {
        "operator": {
            "resources": {
                "requests": {"ephemeral-storage": "1Gi", "hugepages-2Mi": "2048Ki", "example.org/device": "1"},
                "limits": {"ephemeral-storage": "1Gi", "hugepages-2Mi": "2Mi", "example.org/device": "1"},
            }
        }
    },
    "devices by their limit alone": {"operator": {"resources": {"limits": {"example.org/device": 1}}}},
    "the largest ids": {
        "operator": {
            "podSecurityContext": {
                **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), 2**31 - 1),
                "supplementalGroups": [0, 2**31 - 1],
            }
        }
    },
    "pods of one rollout apart": {
        "api": {"enabled": True, "tls": "ingress", "affinity": rollout_apart()},
        **{part: {"affinity": rollout_apart()} for part in ("operator", "reader")},
    },
    "more than a few replicas": {"api": {"enabled": True, "tls": "ingress", "replicas": 1_000_000}},
    "more than a few replicas at most": {
        "api": {
            "enabled": True,
            "tls": "ingress",
            "autoscaling": {"enabled": True, "minReplicas": 1_000_000, "maxReplicas": 2_000_000},
        }
    },
    "a volume of one pod": {"storage": {"accessModes": ["ReadWriteOncePod"]}},
    "a volume of one node or of many": {"storage": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}},
    "the kubelet's folder elsewhere": seccomp_installer("nodes", kubeletRoot="/mnt/..data/.k0s//kubelet/"),
    "a namespace that is almost Kubernetes' own": seccomp_installer("nodes-kube"),
}


def test_the_seccomp_installer_does_not_open_the_namespace_default() -> None:
    run = helm("template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", values=seccomp_installer("default"))
    assert run.returncode != 0
    assert "seccompInstaller.namespace: default is one of Kubernetes' own" in run.stderr


@pytest.mark.parametrize("values", RIGHT_VALUES.values(), ids=RIGHT_VALUES)
@pytest.mark.usefixtures("namespaces")
def test_a_real_api_server_accepts_what_the_schema_allows(kubectl: Kubectl, values: Manifest) -> None:
    namespaced = {"watchNamespaces": ["meetings"], **values}
    kubectl.apply(*rendered(namespaced), arguments=["--server-side", "--dry-run=server", "--validate=strict"])


def chart_of_version(folder: Path, version: str, app_version: str) -> Path:
    """A copy of the chart with other versions."""
    copy = folder / f"chart-{version}"
    shutil.copytree(CHART, copy)
    chart = yaml.safe_load((copy / "Chart.yaml").read_text())
    (copy / "Chart.yaml").write_text(yaml.safe_dump({**chart, "version": version, "appVersion": app_version}))
    return copy


EVERYTHING: Manifest = {
    "watchNamespaces": ["meetings"],
    "api": {"enabled": True, "tls": "ingress"},
    **seccomp_installer("nodes"),
}
"""Values with which each template makes something."""


def of_chart(chart: Path, values: Manifest) -> list[Manifest]:
    run = helm("template", RELEASE, str(chart), f"--namespace={NAMESPACE}", values=values)
    assert run.returncode == 0, run.stderr
    return [each for each in yaml.safe_load_all(run.stdout) if each]


@pytest.mark.parametrize(
    ("version", "app_version", "label", "app_label", "tag"),
    [
        ("0.1.0+0a1b2c3d4e5f", "0.1.0", "meeting-buddy-0.1.0_0a1b2c3d4e5f", "0.1.0", "0.1.0"),
        ("0.1.0", "0.2.0+dirty", "meeting-buddy-0.1.0", "0.2.0_dirty", "0.2.0_dirty"),
        (
            f"0.1.0+{'1' * 42}-x",
            f"0.1.0+{'1' * 55}--.x",
            f"meeting-buddy-0.1.0_{'1' * 42}",
            f"0.1.0_{'1' * 55}",
            f"0.1.0_{'1' * 55}--.x",
        ),
    ],
    ids=["of Flux", "of a build", "long"],
)
@pytest.mark.usefixtures("namespaces")
def test_a_version_with_build_metadata_makes_labels_and_tags_that_are_allowed(
    kubectl: Kubectl, tmp_path: Path, version: str, app_version: str, label: str, app_label: str, tag: str
) -> None:
    manifests = of_chart(chart_of_version(tmp_path, version, app_version), EVERYTHING)
    labels = [each["metadata"]["labels"] for each in manifests if each["kind"] != "CustomResourceDefinition"]
    assert {each["helm.sh/chart"] for each in labels} == {label}
    assert {each["app.kubernetes.io/version"] for each in labels} == {app_label}
    pods = [each["spec"]["template"]["spec"] for each in of_kind(manifests, "Deployment", "DaemonSet", "Job")]
    assert {each["containers"][0]["image"].rpartition(":")[2] for each in pods} == {tag}
    (config,) = (each for each in of_kind(manifests, "ConfigMap") if "installation.yaml" in each["data"])
    installation = Installation.model_validate(yaml.safe_load(config["data"]["installation.yaml"]))
    assert installation.bot_classes["default"].image.rpartition(":")[2] == tag
    kubectl.apply(*manifests, arguments=["--server-side", "--dry-run=server"])


def test_another_version_of_the_chart_alone_restarts_no_pod(tmp_path: Path) -> None:
    def pods(version: str) -> list[Manifest]:
        made = of_chart(chart_of_version(tmp_path, version, "0.1.0"), EVERYTHING)
        return [each["spec"]["template"] for each in of_kind(made, "Deployment", "DaemonSet", "Job")]

    assert len(pods("0.1.0")) == 5
    assert pods("0.1.1") == pods("0.2.0")


@pytest.mark.parametrize(
    "repository", ["bot", "team/bot", "localhost:5000/team/bot", "[fd00::1]:5000/bot", "a-b.example.org/a__b/c-d.e"]
)
def test_what_a_registry_calls_an_image_is_accepted(repository: str) -> None:
    manifests = rendered({part: {"image": {"repository": repository}} for part in ("operator", "bot")})
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in of_kind(manifests, "Deployment")}
    (config,) = of_kind(manifests, "ConfigMap")
    installation = Installation.model_validate(yaml.safe_load(config["data"]["installation.yaml"]))
    assert images == {installation.bot_classes["default"].image} == {f"{repository}:0.1.0"}


@pytest.mark.parametrize(
    "image", ["-bot", "registry.example/Bot:1", "Team/bot", "bot:", "bot@sha256", "a//b", "Registry/bot"]
)
def test_the_operator_refuses_what_is_no_image(image: str) -> None:
    with pytest.raises(ValidationError, match="image"):
        BotClass.model_validate({"image": image})


@pytest.mark.parametrize(
    "image", ["bot", "a.example:5000/Bot", "a.example/bot:V1_x", f"a.example/bot:1@sha256:{'0' * 64}"]
)
def test_the_operator_and_the_chart_agree_on_images(image: str) -> None:
    accepted = helm("template", "mb", str(CHART), values={"botClasses": {"default": {"image": image}}}).returncode == 0
    assert accepted is ("Bot" not in image)
    if accepted:
        assert BotClass.model_validate({"image": image}).image == image


def test_no_image_of_the_bot_is_needed_where_each_class_has_its_own() -> None:
    classes = {"default": {"image": "registry.example/bot:1"}}
    assert rendered({"bot": {"image": {"repository": ""}}, "botClasses": classes})


@pytest.mark.parametrize("enabled", [True, False])
def test_another_chart_may_switch_it_on_and_off(tmp_path: Path, enabled: bool) -> None:
    dependency = {"name": "meeting-buddy", "version": "0.1.0", "condition": "meeting-buddy.enabled"}
    chart = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    shutil.copytree(CHART, tmp_path / "charts" / "meeting-buddy")
    run = helm("template", "mb", str(tmp_path), values={"meeting-buddy": with_images({"enabled": enabled})})
    assert run.returncode == 0, run.stderr
    assert bool(of_kind([each for each in yaml.safe_load_all(run.stdout) if each], "Deployment")) is enabled


def unrequired(schema: Manifest, values: Manifest, definitions: Manifest) -> Iterator[str]:
    """Paths of defaults that null takes away unseen."""
    (reference,) = [each["$ref"] for each in schema.get("allOf", [schema]) if "$ref" in each] or [""]
    schema = definitions[reference.rpartition("/")[2]] if reference else schema
    for key, value in values.items():
        if value is not None and key not in schema.get("required", ()):
            yield key
        if isinstance(value, dict) and key in schema.get("properties", ()):
            yield from (f"{key}.{path}" for path in unrequired(schema["properties"][key], value, definitions))


def test_null_takes_no_default_away_but_parts_of_a_security_context_and_of_resources() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    found = set(unrequired(schema, yaml.safe_load((CHART / "values.yaml").read_text()), schema["$defs"]))
    assert "operator.podSecurityContext.runAsUser" in found
    assert not {path for path in found if not {"podSecurityContext", "resources"} & set(path.split(".")[:-1])}


@pytest.mark.parametrize(("fields", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_bot_class_fails_by_the_name_of_its_field(fields: Manifest, named: str) -> None:
    run = helm("template", "mb", str(CHART), values={"botClasses": {"wrong": fields}})
    assert run.returncode != 0
    assert "botClasses" in run.stderr
    assert "wrong" in run.stderr
    assert named in run.stderr


@pytest.mark.parametrize(("fields", "named"), WRONG.values(), ids=WRONG)
def test_the_operator_refuses_the_same_classes(fields: Manifest, named: str) -> None:
    with pytest.raises(ValidationError) as error:
        BotClass.model_validate({"image": "i", **fields})
    assert named in str(error.value)


@pytest.mark.parametrize("fields", WORKING.values(), ids=WORKING)
@pytest.mark.usefixtures("namespaces")
def test_a_class_that_the_chart_accepts_makes_a_pod_that_the_api_server_accepts(
    kubectl: Kubectl, fields: Manifest
) -> None:
    values = {"botClasses": {"default": fields}}
    (config,) = of_kind(rendered(values), "ConfigMap")
    installation = Installation.model_validate(yaml.safe_load(config["data"]["installation.yaml"]))
    pod_input = BotPodInput("unguarded", "standup", make.UID, make.spec(), installation.bot_classes["default"])
    pod = session_pod(pod_input)
    kubectl("create", "--dry-run=server", "--validate=strict", "--filename=-", stdin=json.dumps(pod))


TEXTS = (
    "",
    "=",
    "<<",
    "~",
    "yes",
    "0x1F",
    "1_000",
    "1:30",
    "2026-11-30",
    " &a *b !c - : # \"'\\<>% ",
    "of more\r\nthan\tone line\n",
    "\u00a0\u2028\ufeff\ufffd\U0001f600",
)


def test_texts_reach_the_operator_as_they_were_written() -> None:
    written = {f"A{number}": text for number, text in enumerate(TEXTS)}
    (config,) = of_kind(rendered({"botClasses": {"default": {"env": written, "annotations": written}}}), "ConfigMap")
    chosen = Installation.model_validate(yaml.safe_load(config["data"]["installation.yaml"])).bot_classes["default"]
    assert (chosen.env, chosen.annotations) == (written, written)


@pytest.mark.parametrize("field", ["cpu", "memory", "memoryLimit"])
def test_what_a_profile_does_not_set_it_has_by_itself(field: str) -> None:
    plain = BotClass.model_validate({"image": "i"}).resources.video720p.model_dump(by_alias=True)
    chosen = BotClass.model_validate({"image": "i", "resources": {"720p": {field: "3Gi"}}}).resources
    assert chosen.video720p.model_dump(by_alias=True) == {**plain, field: "3Gi"}
    assert chosen.audio == BotClass.model_validate({"image": "i"}).resources.audio


CORRECTIONS = {
    "access modes": {"accessModes": ["ReadWriteOnce"]},
    "class": {"storageClassName": "fast"},
    "size": {"size": "30Gi"},
}


@pytest.mark.parametrize("storage", CORRECTIONS.values(), ids=CORRECTIONS)
def test_a_claim_that_is_pending_cannot_be_corrected_as_the_readme_says(kubectl: Kubectl, storage: Manifest) -> None:
    values: Manifest = {"watchNamespaces": ["corrected"], "storage": {"storageClassName": "slow"}}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "corrected"}})
    kubectl.apply(*of_kind(rendered(values), "PersistentVolumeClaim"))
    changed = rendered({**values, "storage": {**values["storage"], **storage}})
    with pytest.raises(KubectlError, match="spec is immutable after creation") as refusal:
        kubectl.apply(*of_kind(changed, "PersistentVolumeClaim"))
    assert "resources.requests" in str(refusal.value)
    assert "for bound claims" in str(refusal.value)


@pytest.mark.usefixtures("namespaces")
def test_namespaces_of_digits_are_texts(kubectl: Kubectl) -> None:
    run = helm("template", "7", str(CHART), "--namespace=77", "--set=watchNamespaces={123,1000000}")
    assert run.returncode == 0, run.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(run.stdout) if manifest]
    assert {claim["metadata"]["namespace"] for claim in of_kind(manifests, "PersistentVolumeClaim")} == {
        "123",
        "1000000",
    }
    kubectl.apply(*manifests, arguments=["--server-side", "--dry-run=server"])
    same = helm("template", "7", str(CHART), "--namespace=77", values={"watchNamespaces": [123, 1000000]})
    assert same.stdout == run.stdout


@pytest.mark.parametrize("names", [["meetings", "meetings"], [123, "123"]], ids=str)
@pytest.mark.parametrize("field", ["watchNamespaces", "storage"])
def test_a_namespace_that_is_listed_twice_is_one(field: str, names: list[Any]) -> None:
    values = {field: {"namespaces": names} if field == "storage" else names, "reader": {"enabled": True}}
    manifests = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered(values)
    ]
    assert len(manifests) == len(set(manifests))


def test_policies_of_two_releases_have_two_names() -> None:
    names = set()
    for namespace, release in (("a-b", "c"), ("a", "b-c"), ("a", "b.c")):
        run = helm("template", release, str(CHART), f"--namespace={namespace}")
        assert run.returncode == 0, run.stderr
        (policy,) = of_kind([each for each in yaml.safe_load_all(run.stdout) if each], "ValidatingAdmissionPolicy")
        names.add(policy["metadata"]["name"])
    assert len(names) == 3


def test_the_chart_keeps_its_own_labels_and_annotations_whatever_is_added() -> None:
    def pods(**values: Any) -> dict[str, Manifest]:
        sections = {"operator": values, "api": {"enabled": True, "tls": "ingress", **values}, "reader": values}
        found = of_kind(rendered({"watchNamespaces": ["meetings"], **sections}), "Deployment", "Job")
        return {each["metadata"]["name"]: each["spec"]["template"]["metadata"] for each in found}

    plain = pods()
    assert len(plain) == 4
    labels = {"app.kubernetes.io/component": "mine", "app.kubernetes.io/instance": "mine", "team": "red"}
    annotations = {"meetingbuddy.io/installation-hash": "mine", "example.org/note": "x"}
    for name, metadata in pods(podLabels=labels, podAnnotations=annotations).items():
        assert metadata["labels"] == {**labels, **plain[name]["labels"]}
        assert metadata["annotations"] == {**annotations, **plain[name].get("annotations", {})}


def test_the_uninstalls_pod_is_admitted_where_the_operators_is() -> None:
    operator = {
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "podLabels": {"team": "red"},
        "podAnnotations": {"sidecar.istio.io/inject": "false"},
    }
    pods = [each["spec"]["template"] for each in of_kind(rendered({"operator": operator}), "Deployment", "Job")]
    for pod in pods:
        assert pod["metadata"]["labels"]["team"] == "red"
        assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"
    first, second = ({field: pod["spec"].get(field) for field in operator if field[:3] != "pod"} for pod in pods)
    assert first == second
    assert None not in first.values()


def test_pods_ask_for_linux_beside_what_was_chosen_unless_that_says_otherwise() -> None:
    def selectors(chosen: dict[str, str]) -> list[dict[str, str]]:
        api = {"enabled": True, "tls": "ingress", "nodeSelector": chosen}
        values = {"api": api, **{part: {"nodeSelector": chosen} for part in ("operator", "reader")}}
        pods = of_kind(rendered({"watchNamespaces": ["meetings"], **values}), "Deployment", "Job")
        assert len(pods) == 4
        return [each["spec"]["template"]["spec"]["nodeSelector"] for each in pods]

    assert selectors({}) == [{"kubernetes.io/os": "linux"}] * 4
    assert selectors({"pool": "a"}) == [{"kubernetes.io/os": "linux", "pool": "a"}] * 4
    assert selectors({"kubernetes.io/os": "other"}) == [{"kubernetes.io/os": "other"}] * 4


def test_the_seccomp_installer_runs_on_linux_with_its_own_pull_secrets() -> None:
    secrets = [{"name": "registry"}]
    (daemons,) = of_kind(rendered(seccomp_installer("nodes", imagePullSecrets=secrets)), "DaemonSet")
    pod = daemons["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == secrets
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}


def test_the_seccomp_installer_is_replaced_on_several_nodes_at_a_time_without_waiting() -> None:
    (daemons,) = of_kind(rendered(seccomp_installer("nodes")), "DaemonSet")
    assert daemons["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}
    assert daemons["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 1


def test_the_seccomp_installer_has_an_account_of_its_own_without_a_token() -> None:
    manifests = rendered(seccomp_installer("nodes"))
    (daemons,) = of_kind(manifests, "DaemonSet")
    pod = daemons["spec"]["template"]["spec"]
    (account,) = (each for each in of_kind(manifests, "ServiceAccount") if each["metadata"]["namespace"] == "nodes")
    assert pod["serviceAccountName"] == account["metadata"]["name"] == f"{RELEASE}-seccomp"
    assert account["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is False
    bound = [each["subjects"] for each in of_kind(manifests, "RoleBinding", "ClusterRoleBinding")]
    assert f"{RELEASE}-seccomp" not in json.dumps(bound)


@pytest.mark.parametrize("options", [{}, {"type": "spc_t"}], ids=str)
def test_the_seccomp_installers_selinux_options_are_said_or_left_to_the_cluster(options: Manifest) -> None:
    (daemons,) = of_kind(rendered(seccomp_installer("nodes", seLinuxOptions=options)), "DaemonSet")
    (container,) = daemons["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"].get("seLinuxOptions", {}) == options
    assert ("seLinuxOptions" in container["securityContext"]) is bool(options)


def operators(replicas: int) -> tuple[Manifest, list[Manifest]]:
    """The operator's Deployment and its budgets, beside an API that has the same of its own."""
    api = {"enabled": True, "tls": "ingress"}
    named = [
        each
        for each in rendered({"operator": {"replicas": replicas}, "api": api})
        if each["metadata"]["name"] == OPERATOR_ACCOUNT
    ]
    (deployment,) = of_kind(named, "Deployment")
    return deployment, of_kind(named, "PodDisruptionBudget")


def test_two_operators_are_spread_over_nodes_and_not_drained_together() -> None:
    deployment, (budget,) = operators(2)
    selector = deployment["spec"]["selector"]["matchLabels"]
    (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == selector
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert budget["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector},
    }


@pytest.mark.parametrize("replicas", [0, 1])
def test_one_operator_keeps_no_node_from_being_drained(replicas: int) -> None:
    assert operators(replicas)[1] == []


def written_in(page: Path, language: str, about: str) -> str:
    """The one block of code of a page that has these words."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = (textwrap.dedent(text) for _, text in blocks if about in text)
    return found


def test_the_readmes_pull_secrets_reach_every_pod() -> None:
    values = yaml.safe_load(written_in(REPOSITORY / "README.md", "yaml", "imagePullSecrets"))
    values["seccompInstaller"]["enabled"] = True
    manifests = rendered({"watchNamespaces": ["meetings"], "reader": {"enabled": True}, **values})
    pods = [each["spec"]["template"]["spec"] for each in of_kind(manifests, "Deployment", "DaemonSet", "Job")]
    (config,) = (each for each in of_kind(manifests, "ConfigMap") if "installation.yaml" in each["data"])
    chosen = Installation.model_validate(yaml.safe_load(config["data"]["installation.yaml"])).bot_classes["default"]
    pods.append(session_pod(BotPodInput("meetings", "standup", make.UID, make.spec(), chosen))["spec"])
    assert [pod["imagePullSecrets"] for pod in pods] == [[{"name": "registry"}]] * 5


def test_the_readmes_health_check_of_argo_cd_says_what_kstatus_says() -> None:
    config = yaml.safe_load(written_in(REPOSITORY / "README.md", "yaml", "resource.customizations"))
    ((key, check),) = config["data"].items()
    assert key == "resource.customizations.health.meetingbuddy.io_MeetingSession"
    (healthy,) = re.findall(r"healthy = \{(.*)\}", check)
    assert {each.partition(" = ")[0] for each in healthy.split(", ")} == {
        phase.value for phase, spec in PHASES.items() if spec.ready
    }
    (degraded,) = re.findall(r'phase == "(\w+)" then health.status = "Degraded"', check)
    assert [degraded] == [phase.value for phase, spec in PHASES.items() if spec.stalled]


def test_the_table_for_network_policies_has_every_port_and_component() -> None:
    text = (REPOSITORY / "operator/meeting_buddy/http_api/README.md").read_text()
    section = text.partition("## Who connects to whom\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "| TCP 8" in line]
    told = {
        (component, int(port.rpartition(" ")[2])) for _, to, port in rows for component in re.findall(r"`(\w+)`", to)
    }
    manifests = rendered({"watchNamespaces": ["meetings"], "api": {"enabled": True, "tls": "ingress"}})
    pods = [each["spec"]["template"] for each in of_kind(manifests, "Deployment")]
    # Nobody calls a finisher.
    pods.append(session_pod(BotPodInput("meetings", "standup", make.UID, make.spec(), make.CLASS, PodId(1))))
    assert told == {
        (pod["metadata"]["labels"][LABEL_COMPONENT], port["containerPort"])
        for pod in pods
        for port in pod["spec"]["containers"][0]["ports"]
    }
    jobs = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind(manifests, "Job")]
    assert all(f"`{labels[LABEL_COMPONENT]}`" in section for labels in jobs)


def test_the_readmes_network_policy_is_of_bots_and_lets_operator_and_api_in(kubectl: Kubectl, namespaces: None) -> None:
    policy = yaml.safe_load(written_in(REPOSITORY / "README.md", "yaml", "kind: NetworkPolicy"))
    kubectl.apply(policy, arguments=["--dry-run=server", "--validate=strict"])
    bots = policy["spec"]["podSelector"]["matchExpressions"]
    assert bots == [{"key": LABEL_COMPONENT, "operator": "In", "values": [each.value for each in Role]}]
    manifests = rendered({"watchNamespaces": ["meetings"], "api": {"enabled": True, "tls": "ingress"}})
    (rule,) = policy["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    (expression,) = peer["podSelector"]["matchExpressions"]
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind(manifests, "Deployment")]
    assert (expression["key"], set(expression["values"])) == (
        LABEL_COMPONENT,
        {each[LABEL_COMPONENT] for each in pods} - {"reader"},
    )
    assert rule["ports"] == [{"port": PORT}]


def test_the_readmes_network_policy_lets_bots_out_to_public_addresses_and_dns_alone() -> None:
    policy = yaml.safe_load(written_in(REPOSITORY / "README.md", "yaml", "kind: NetworkPolicy"))
    dns, world = policy["spec"]["egress"]
    assert dns == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    blocks = [each["ipBlock"] for each in world["to"]]
    assert [each["cidr"] for each in blocks] == ["0.0.0.0/0", "::/0"]
    shut = [ipaddress.ip_network(each) for block in blocks for each in block["except"]]
    inside = ("10.96.0.1", "172.20.1.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "fd00:ec2::254", "fe80::1")
    for address in map(ipaddress.ip_address, inside):
        assert any(address in each for each in shut), address
    for address in map(ipaddress.ip_address, ("52.112.0.1", "172.15.0.1", "172.32.0.1", "2603:1063::1")):
        assert not any(address in each for each in shut), address


def test_the_readmes_pod_monitors_find_the_ports_with_metrics() -> None:
    monitors = list(yaml.safe_load_all(written_in(REPOSITORY / "README.md", "yaml", "kind: PodMonitor")))
    manifests = rendered({"watchNamespaces": ["meetings"], "api": {"enabled": True, "tls": "ingress"}})
    found = set()
    for monitor in monitors:
        assert monitor["metadata"]["namespace"] == NAMESPACE
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        for pod in (each["spec"]["template"] for each in of_kind(manifests, "Deployment")):
            if wanted <= pod["metadata"]["labels"].items():
                ports = {each["name"]: each["containerPort"] for each in pod["spec"]["containers"][0]["ports"]}
                found.add((pod["metadata"]["labels"][LABEL_COMPONENT], ports[endpoint["port"]]))
    assert found == {("operator", 8080), ("api", 8080)}


@pytest.mark.usefixtures("namespaces")
def test_the_readmes_pod_for_files_is_accepted_and_mounts_the_claim_as_bots_do(kubectl: Kubectl) -> None:
    script = written_in(REPOSITORY / "README.md", "sh", "kubectl cp")
    pod = yaml.safe_load(script.partition("<<EOF\n")[2].partition("\nEOF\n")[0])
    bots = session_pod(BotPodInput("meetings", "standup", make.UID, make.spec(), make.CLASS))["spec"]
    security = bots["securityContext"]
    shared = ("runAsNonRoot", "runAsUser", "fsGroup", "fsGroupChangePolicy", "seccompProfile")
    assert {name: pod["spec"]["securityContext"][name] for name in shared} == {name: security[name] for name in shared}
    kubectl.apply(pod, arguments=["--namespace=meetings", "--dry-run=server", "--validate=strict"])


@pytest.mark.parametrize(
    ("values", "namespace"),
    [
        ({}, "default"),
        ({"watchNamespaces": ["meetings"]}, "meetings"),
        ({"storage": {"namespaces": ["board"]}}, "board"),
        ({"watchNamespaces": ["meetings", "board"], "storage": {"namespaces": ["elsewhere", "board"]}}, "board"),
        ({"watchNamespaces": ["meetings"], "storage": {"namespaces": ["elsewhere"]}}, "meetings"),
    ],
    ids=str,
)
def test_the_notes_begin_in_a_namespace_that_is_served(values: Manifest, namespace: str) -> None:
    run = helm("install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client", values=values)
    assert run.returncode == 0, run.stderr
    notes = run.stdout.partition("\nNOTES:\n")[2]
    _, _, script = notes.partition("\nkubectl apply -f - <<EOF\n")
    document, ended, rest = script.partition("\nEOF\n")
    assert ended, "a shell ends the document only where nothing is before its EOF"
    assert yaml.safe_load(document)["metadata"]["namespace"] == namespace
    assert f"\nkubectl get meetingsessions --namespace={namespace} --watch\n" in rest
    assert "kept in Git or backed up a spec.startTime: restored later they end Missed" in rest


@pytest.mark.parametrize(
    ("values", "missing"),
    [({}, True), ({"watchNamespaces": ["meetings"]}, False), ({"storage": {"create": False}}, False)],
    ids=str,
)
def test_the_notes_say_where_no_claim_was_made(values: Manifest, missing: bool) -> None:
    run = helm("install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client", values=values)
    assert ("There is no claim for recordings yet" in run.stdout) is missing, run.stderr


OWN_PROFILE: Manifest = {"sandbox": {"seccompProfile": "own/chromium.json"}}
NO_PROFILE: Manifest = {"sandbox": {"seccompProfile": None}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, True),
        ({"botClasses": {"default": NO_PROFILE, "big": {"sandbox": {}}}}, True),
        ({"botClasses": {"default": NO_PROFILE, "big": OWN_PROFILE}}, False),
        (seccomp_installer("nodes"), False),
    ],
    ids=str,
)
def test_the_notes_ask_for_the_seccomp_profile_where_a_class_uses_it(values: Manifest, told: bool) -> None:
    run = helm("install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client", values=values)
    assert run.returncode == 0, run.stderr
    notes = run.stdout.partition("\nNOTES:\n")[2]
    assert ("seccomp profile on every node. Unless another release already brings it, either upgrade" in notes) is told
    assert ("--set seccompInstaller.enabled=true" in notes) is told


def test_the_stated_floor_is_what_the_chart_uses() -> None:
    """``selectableFields`` is 1.31's, ValidatingAdmissionPolicy v1 is 1.30's."""
    old, new = (helm("template", "mb", str(CHART), f"--kube-version={version}") for version in ("1.30.9", "1.31.0"))
    assert "kubeVersion: >=1.31" in old.stderr
    assert old.returncode != 0
    assert new.returncode == 0, new.stderr
    assert "Kubernetes ≥ 1.31" in (REPOSITORY / "README.md").read_text()


def test_argo_cds_prune_spares_recordings_and_sessions() -> None:
    manifests = rendered({"watchNamespaces": ["meetings"]})
    for kept in of_kind(manifests, "PersistentVolumeClaim", "CustomResourceDefinition"):
        assert kept["metadata"]["annotations"] == {
            "helm.sh/resource-policy": "keep",
            "argocd.argoproj.io/sync-options": "Prune=false",
        }


def test_the_operators_user_can_be_left_to_the_cluster() -> None:
    security = {"runAsUser": None, "runAsGroup": None, "seccompProfile": None}
    (deployment,) = of_kind(rendered({"operator": {"podSecurityContext": security}}), "Deployment")
    assert deployment["spec"]["template"]["spec"]["securityContext"] == {"runAsNonRoot": True}


def test_a_class_without_an_image_gets_the_installations_own() -> None:
    values = {"bot": {"image": {"repository": "registry.example/bot", "digest": "sha256:" + "0" * 64}}}
    (config,) = of_kind(rendered(values), "ConfigMap")
    installation = yaml.safe_load(config["data"]["installation.yaml"])
    assert installation["botClasses"]["default"]["image"] == "registry.example/bot@sha256:" + "0" * 64


def test_an_administrators_page_table_lies_where_the_operator_looks() -> None:
    text = (PLATFORM_TABLES / "livekit.yaml").read_text()
    manifests = rendered({"platformTables": {"LiveKit": text}})
    (tables,) = (each for each in of_kind(manifests, "ConfigMap") if each["metadata"]["name"].endswith("-tables"))
    (deployment,) = of_kind(manifests, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "installation")
    (volume,) = (each for each in pod["volumes"] if each["name"] == "installation")
    places = {
        item["path"]: tables["data"][item["key"]]
        for source in volume["projected"]["sources"]
        for item in source["configMap"].get("items", ())
    }
    assert places == {"platforms/LiveKit.yaml": text}
    assert Path(mount["mountPath"]) / "platforms" == TABLES[-1]


def test_a_changed_platform_table_rolls_the_operator() -> None:
    def annotations(text: str) -> Manifest:
        (deployment,) = of_kind(rendered({"platformTables": {"LiveKit": text}}), "Deployment")
        found: Manifest = deployment["spec"]["template"]["metadata"]["annotations"]
        return found

    assert annotations("platform: LiveKit\n") == annotations("platform: LiveKit\n")
    assert annotations("platform: LiveKit\n") != annotations("platform: LiveKit\ntimeouts: {join: 61}\n")


def test_the_operators_pod_satisfies_restricted_pod_security(kubectl: Kubectl, namespaces: None) -> None:
    (deployment,) = of_kind(rendered(), "Deployment")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator", "namespace": "elsewhere"},
        "spec": {**deployment["spec"]["template"]["spec"], "serviceAccountName": "default"},
    }
    kubectl("label", "--overwrite", "namespace", "elsewhere", "pod-security.kubernetes.io/enforce=restricted")
    kubectl.apply(pod, arguments=["--dry-run=server"])


def test_a_namespaced_installation_has_no_cluster_role() -> None:
    manifests = rendered({"watchNamespaces": ["meetings"]})
    assert not of_kind(manifests, "ClusterRole")
    assert {role["metadata"]["namespace"] for role in of_kind(manifests, "Role")} == {"meeting-buddy", "meetings"}


SESSIONS = {"group": "meetingbuddy.io", "resource": "meetingsessions"}
LEASES = {"group": "coordination.k8s.io", "resource": "leases"}
ALLOWED: list[tuple[str, str, dict[str, str]]] = [
    ("meetings", "list", SESSIONS),
    ("meetings", "patch", {**SESSIONS, "subresource": "status"}),
    ("meetings", "create", {"resource": "pods"}),
    ("meetings", "delete", {"resource": "pods"}),
    ("meetings", "create", {"resource": "secrets"}),
    ("meeting-buddy", "get", {"resource": "secrets", "name": "meeting-buddy-bot-key"}),
    ("meeting-buddy", "patch", {"resource": "secrets", "name": "meeting-buddy-bot-key"}),
    ("meeting-buddy", "update", {**LEASES, "name": "meeting-buddy-operator"}),
]
FORBIDDEN: list[tuple[str, str, dict[str, str]]] = [
    ("meetings", "get", {"resource": "secrets"}),
    ("meetings", "list", {"resource": "secrets"}),
    ("meetings", "watch", {"resource": "secrets"}),
    ("meetings", "patch", SESSIONS),
    ("meetings", "create", {"resource": "pods", "subresource": "exec"}),
    ("meetings", "create", {"resource": "persistentvolumeclaims"}),
    ("meeting-buddy", "get", {"resource": "secrets", "name": "another"}),
    ("elsewhere", "list", {"resource": "pods"}),
    ("elsewhere", "create", {"resource": "secrets"}),
]


@pytest.fixture(scope="module")
def operator_installed(kubectl: Kubectl, namespaces: None) -> None:
    """The account and the roles of a namespaced installation."""
    manifests = rendered({"watchNamespaces": ["meetings"]})
    install_roles(kubectl, manifests)


@pytest.mark.usefixtures("operator_installed")
@pytest.mark.parametrize(("namespace", "verb", "what"), ALLOWED, ids=str)
def test_the_operator_may_do_its_work(kubectl: Kubectl, namespace: str, verb: str, what: dict[str, str]) -> None:
    assert may(kubectl, namespace, verb, what)


@pytest.mark.usefixtures("operator_installed")
@pytest.mark.parametrize(("namespace", "verb", "what"), FORBIDDEN, ids=str)
def test_the_operator_may_do_nothing_else(kubectl: Kubectl, namespace: str, verb: str, what: dict[str, str]) -> None:
    assert not may(kubectl, namespace, verb, what)


AUTHORS: list[tuple[str, str, bool]] = [
    ("meeting-buddy-edit", "create", True),
    ("meeting-buddy-edit", "delete", True),
    ("meeting-buddy-edit", "watch", True),
    ("meeting-buddy-view", "list", True),
    ("meeting-buddy-view", "create", False),
    ("none", "create", False),
]


@pytest.mark.usefixtures("operator_installed")
@pytest.mark.parametrize(("role", "verb", "allowed"), AUTHORS)
def test_who_is_bound_to_a_role_of_a_namespaced_installation_may_do_its_work(
    kubectl: Kubectl, role: str, verb: str, allowed: bool
) -> None:
    user = f"{role}-{verb}"
    if role != "none":
        binding = kubectl("create", "rolebinding", user, f"--role={role}", f"--user={user}", "--namespace=meetings")
        assert binding
        wait_until(lambda: may(kubectl, "meetings", "list", SESSIONS, user), f"{user}'s binding is known", 60)
    assert may(kubectl, "meetings", verb, SESSIONS, user) is allowed
    assert not may(kubectl, "elsewhere", verb, SESSIONS, user)
    assert not may(kubectl, "meetings", verb, {**SESSIONS, "subresource": "status"}, user)


def test_the_crd_is_kept_when_the_chart_goes_and_left_out_on_request() -> None:
    (crd,) = of_kind(rendered(), "CustomResourceDefinition")
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    (crd,) = of_kind(rendered({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in crd["metadata"]
    assert not of_kind(rendered({"crds": {"enabled": False}}), "CustomResourceDefinition")


def test_the_charts_crd_is_the_one_in_crds() -> None:
    (crd,) = of_kind(rendered(), "CustomResourceDefinition")
    plain = yaml.safe_load(CRD.read_text())
    assert crd["spec"] == plain["spec"]
