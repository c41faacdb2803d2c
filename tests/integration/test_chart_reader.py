"""The recordings readers' part of the chart: one beside each claim, without a token, reading one folder alone."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from meeting_buddy.contract import identity, reader
from meeting_buddy.resource.installation import Installation
from tests.integration.chart import NAMESPACE, RELEASE, Manifest, helm, of_kind, rendered
from tests.local.clone import CHART
from tests.local.cluster.kubectl import Kubectl

CLAIM = "meeting-buddy-recordings"
API: Manifest = {"enabled": True, "tls": "ingress"}
"""The HTTP API's values, which switch the readers on."""


def readers(values: Manifest) -> dict[str, tuple[Manifest, Manifest]]:
    """Deployment and Service of each reader, by namespace."""
    manifests = [each for each in rendered(values) if each["metadata"]["name"] == reader.SERVICE]
    found: dict[str, dict[str, Manifest]] = {}
    for each in manifests:
        found.setdefault(each["metadata"]["namespace"], {})[each["kind"]] = each
    assert len(manifests) == 2 * len(found)
    return {namespace: (kinds["Deployment"], kinds["Service"]) for namespace, kinds in found.items()}


def template_of(values: Manifest) -> Manifest:
    """The pod template of the one reader."""
    ((deployment, _),) = readers(values).values()
    found: Manifest = deployment["spec"]["template"]
    return found


def told(values: Manifest) -> tuple[str, ...]:
    """The namespaces whose keys the operator makes."""
    (config,) = of_kind(rendered(values), "ConfigMap")
    return Installation.model_validate(yaml.safe_load(config["data"]["installation.yaml"])).recordings.namespaces


def test_the_operator_knows_where_people_record_also_without_a_reader() -> None:
    (config,) = of_kind(rendered({"storage": {"namespaces": ["meetings"]}}), "ConfigMap")
    recordings = Installation.model_validate(yaml.safe_load(config["data"]["installation.yaml"])).recordings
    assert (recordings.claims, recordings.namespaces) == (("meetings",), ())


def test_where_there_are_readers_an_older_operator_understands_what_it_is_told() -> None:
    (config,) = of_kind(rendered(one()), "ConfigMap")
    assert yaml.safe_load(config["data"]["installation.yaml"])["recordings"] == {"namespaces": ["meetings"]}


def one(**values: Any) -> Manifest:
    """Values with one reader."""
    return {"watchNamespaces": ["meetings"], "api": API, **values}


def of_class(**fields: Any) -> Manifest:
    return one(botClasses={"default": fields})


VARIANTS: dict[str, tuple[Manifest, set[str]]] = {
    "with the API": (one(), {"meetings"}),
    "with the API, for all namespaces": (
        {"api": API, "storage": {"namespaces": ["meetings", "board"]}},
        {"meetings", "board"},
    ),
    "with the API, where nobody said in which namespaces": ({"api": API}, set()),
    "without the API": ({"watchNamespaces": ["meetings"]}, set()),
    "without the API, asked for": ({"watchNamespaces": ["meetings"], "reader": {"enabled": True}}, {"meetings"}),
    "with the API, not wanted": (one(reader={"enabled": False}), set()),
    "with the API, said twice": (one(reader={"enabled": None}), {"meetings"}),
    "namespaces of digits": ({"api": API, "watchNamespaces": [123, "1000000"]}, {"123", "1000000"}),
    "claims that somebody else makes": (
        {"api": API, "storage": {"create": False, "namespaces": ["meetings"]}},
        {"meetings"},
    ),
    "some of the watched": (
        {"api": API, "watchNamespaces": ["meetings", "board"], "storage": {"namespaces": ["board"]}},
        {"board"},
    ),
    "a volume of one node": (one(storage={"accessModes": ["ReadWriteOnce"]}), {"meetings"}),
    "pod settings": (
        one(
            reader={
                "nodeSelector": {"pool": "files"},
                "tolerations": [{"key": "files", "operator": "Exists"}],
                "affinity": {"nodeAffinity": {}},
                "priorityClassName": "system-cluster-critical",
                "podLabels": {"team": "red"},
                "podAnnotations": {"example.org/note": "x"},
                "resources": {"requests": {"cpu": "1m"}},
            }
        ),
        {"meetings"},
    ),
    "a class with everything": (
        of_class(
            image="registry.example/own@sha256:" + "0" * 64,
            imagePullPolicy="Always",
            imagePullSecrets=["pull"],
            serviceAccountName="default",
            nodeSelector={"pool": "bots"},
            tolerations=[{"key": "bots", "operator": "Exists"}],
            affinity={"nodeAffinity": {}},
            storage={"claim": "tapes", "fsGroup": 20000},
            security={"runAsUser": 30000},
        ),
        {"meetings"},
    ),
    "a class that leaves all to the cluster": (
        of_class(storage={"fsGroup": None}, security={"runAsUser": None, "seccompProfile": None}),
        {"meetings"},
    ),
    "a class that says nothing of its claim": (of_class(storage={}, security={}), {"meetings"}),
}


@pytest.fixture(scope="module")
def namespaces(kubectl: Kubectl) -> None:
    for name in (NAMESPACE, "meetings", "board", "123", "1000000", "restricted"):
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kubectl("label", "--overwrite", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")


@pytest.mark.parametrize(("values", "expected"), VARIANTS.values(), ids=VARIANTS)
@pytest.mark.usefixtures("namespaces")
def test_a_real_api_server_accepts_a_reader_in_each_namespace_and_the_operator_is_told(
    kubectl: Kubectl, values: Manifest, expected: set[str]
) -> None:
    assert set(readers(values)) == expected
    assert set(told(values)) == expected
    kubectl.apply(*rendered(values), arguments=["--server-side", "--dry-run=server", "--validate=strict"])


def test_switching_them_off_takes_them_and_nothing_else() -> None:
    with_them, without = rendered(one()), rendered(one(reader={"enabled": False}))
    # What operator and HTTP API read at their start differs, and so their pods.
    same = [each for each in with_them if each["kind"] not in ("ConfigMap", "Deployment", "Service")]
    assert same == [each for each in without if each["kind"] not in ("ConfigMap", "Deployment", "Service")]
    names = [(each["kind"], each["metadata"]["name"]) for each in with_them]
    assert [each for each in names if each[1] != reader.SERVICE] == [
        (each["kind"], each["metadata"]["name"]) for each in without
    ]


REFUSED: dict[str, tuple[Manifest, str]] = {
    "unknown value": (one(reader={"replicas": 2}), "replicas"),
    "neither yes nor no": (one(reader={"enabled": "auto"}), "enabled"),
    "memory": (one(reader={"resources": {"limits": {"memory": "1,5Gi"}}}), "memory"),
    "request above its limit": (
        one(reader={"resources": {"limits": {"memory": "64Mi"}}}),
        "reader.resources: requests.memory (96Mi) is more than limits.memory (64Mi)",
    ),
    "toleration": (one(reader={"tolerations": [{"efect": "NoExecute"}]}), "efect"),
    "affinity": (one(reader={"affinity": {"nodeAfinity": {}}}), "nodeAfinity"),
    "node label": (one(reader={"nodeSelector": {"pool": "-files"}}), "pool"),
    "priority class": (one(reader={"priorityClassName": "High"}), "priorityClassName"),
    "label": (one(reader={"podLabels": {"a b": "c"}}), "podLabels"),
    "a namespace without the operator's rights": (
        one(storage={"namespaces": ["meetings", "elsewhere"]}),
        "storage.namespaces: elsewhere is not in watchNamespaces",
    ),
    "a volume of one pod": (
        one(storage={"accessModes": ["ReadWriteOncePod"]}),
        "storage.accessModes: ReadWriteOncePod",
    ),
    "somebody else's volume of one pod": (
        one(storage={"accessModes": ["ReadWriteOncePod"], "create": False}),
        "storage.accessModes: ReadWriteOncePod",
    ),
    "no claim": (of_class(storage={"claim": ""}), "claim"),
    "no claim, by null": (of_class(storage={"claim": None}), "claim"),
    "no storage, by null": (of_class(storage=None), "storage"),
}


@pytest.mark.parametrize(("values", "named"), REFUSED.values(), ids=REFUSED)
def test_wrong_values_fail_before_anything_is_installed(values: Manifest, named: str) -> None:
    run = helm("template", RELEASE, str(CHART), values=values)
    assert run.returncode != 0
    assert named in run.stderr


@pytest.mark.parametrize(
    "values",
    [
        {"watchNamespaces": ["meetings"], "storage": {"namespaces": ["elsewhere"]}},
        {"watchNamespaces": ["meetings"], "storage": {"accessModes": ["ReadWriteOncePod"]}},
    ],
    ids=str,
)
def test_what_only_readers_cannot_have_is_right_without_them(values: Manifest) -> None:
    assert not readers(values)


class TestPod:
    @pytest.mark.parametrize(
        "values", [one(), of_class(imagePullSecrets=["pull"], storage={"fsGroup": 20000})], ids=["default", "class"]
    )
    def test_it_satisfies_restricted_pod_security(self, kubectl: Kubectl, namespaces: None, values: Manifest) -> None:
        metadata = {"name": "reader", "namespace": "restricted"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template_of(values)["spec"]}
        kubectl.apply(pod, arguments=["--dry-run=server"])

    def test_it_has_no_token(self) -> None:
        spec = template_of(one())["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in spec
        assert not any("projected" in each for each in spec["volumes"])

    def test_it_sees_its_namespaces_folder_alone_and_cannot_write(self) -> None:
        for namespace, (deployment, _) in readers({"api": API, "watchNamespaces": [123, "meetings"]}).items():
            spec = deployment["spec"]["template"]["spec"]
            (container,) = spec["containers"]
            mounts = {each["name"]: each for each in container["volumeMounts"]}
            folder = PurePosixPath(identity.volume_path(namespace, "mbsess_x")).parent
            assert mounts["recordings"] == {
                "name": "recordings",
                "mountPath": "/recordings",
                "subPath": str(folder),
                "readOnly": True,
            }
            assert mounts["key"]["readOnly"] is True
            volumes = {each["name"]: each for each in spec["volumes"]}
            assert volumes["recordings"]["persistentVolumeClaim"] == {"claimName": CLAIM}
            assert volumes.keys() == mounts.keys() == {"recordings", "key", "tmp"}
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert spec["securityContext"] == {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 0,
                "fsGroup": 10001,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            }

    def test_it_waits_for_the_key_that_the_operator_makes(self) -> None:
        spec = template_of(one())["spec"]
        (key,) = (each["secret"] for each in spec["volumes"] if each["name"] == "key")
        assert key == {
            "secretName": reader.KEY_SECRET,
            "items": [{"key": reader.KEY_ITEM, "path": "key"}],
            "defaultMode": 0o440,
        }
        (container,) = spec["containers"]
        (mount,) = (each for each in container["volumeMounts"] if each["name"] == "key")
        assert f"--key-file={mount['mountPath']}/key" in container["args"]

    def test_door_and_probes_are_on_the_port_that_the_contract_names(self) -> None:
        ((deployment, service),) = readers(one()).values()
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["ports"] == [{"name": "http", "containerPort": reader.PORT}]
        assert f"--port={reader.PORT}" in container["args"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
        (port,) = service["spec"]["ports"]
        assert (port["port"], port["targetPort"]) == (reader.PORT, "http")

    def test_it_is_selected_by_its_service_and_by_nobody_else(self) -> None:
        manifests = rendered(one())
        ((deployment, service),) = readers(one()).values()
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
        for each in manifests:
            selector = each.get("spec", {}).get("selector", {})
            if selector and each["metadata"]["name"] != reader.SERVICE:
                assert not selector.get("matchLabels", selector).items() <= labels.items(), each["metadata"]["name"]
        assert labels[identity.LABEL_COMPONENT] not in list(identity.Role)

    def test_a_class_sets_what_lets_its_bots_use_the_volume(self) -> None:
        spec = template_of(VARIANTS["a class with everything"][0])["spec"]
        (container,) = spec["containers"]
        assert (container["image"], container["imagePullPolicy"]) == (
            "registry.example/own@sha256:" + "0" * 64,
            "Always",
        )
        assert spec["imagePullSecrets"] == [{"name": "pull"}]
        assert spec["serviceAccountName"] == "default"
        assert spec["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "bots"}
        assert spec["affinity"] == {"nodeAffinity": {}}
        assert spec["tolerations"] == [{"key": "bots", "operator": "Exists"}]
        assert spec["volumes"][0]["persistentVolumeClaim"]["claimName"] == "tapes"
        security = spec["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (30000, 0, 20000)

    def test_what_a_class_leaves_out_is_absent(self) -> None:
        spec = template_of(VARIANTS["a class that leaves all to the cluster"][0])["spec"]
        assert spec["securityContext"] == {"runAsNonRoot": True, "fsGroupChangePolicy": "OnRootMismatch"}

    def test_its_own_place_wins_over_the_classs(self) -> None:
        values = of_class(nodeSelector={"pool": "bots"}, tolerations=[{"operator": "Exists"}])
        spec = template_of({**values, "reader": {"nodeSelector": {"pool": "files"}}})["spec"]
        assert spec["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "files"}
        assert spec["tolerations"] == [{"operator": "Exists"}]

    def test_it_is_replaced_only_when_it_changes(self) -> None:
        hosts = {"hosts": [{"platform": "LiveKit", "host": "meet.example.org"}]}
        assert template_of(one()) == template_of(one(selfHosted=hosts, platformTables={"Zoom": "platform: Zoom\n"}))
        template = template_of(one())
        assert "annotations" not in template["metadata"]
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & template["metadata"]["labels"].keys()

    @pytest.mark.parametrize(
        ("storage", "strategy"),
        [
            ({}, "RollingUpdate"),
            ({"accessModes": ["ReadWriteOnce"]}, "Recreate"),
            ({"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}, "RollingUpdate"),
            ({"accessModes": ["ReadWriteOnce"], "create": False}, "Recreate"),
            ({"create": False}, "RollingUpdate"),
        ],
        ids=str,
    )
    def test_a_new_one_never_waits_for_the_volume_of_the_old_one(self, storage: Manifest, strategy: str) -> None:
        ((deployment, _),) = readers(one(storage=storage)).values()
        assert deployment["spec"]["strategy"]["type"] == strategy
        assert deployment["spec"]["replicas"] == 1


NOTES: dict[str, tuple[Manifest, str]] = {
    "namespaced": (one(), "Recordings are served of the sessions in meetings."),
    "all": (
        {"api": API},
        "Recordings are served of no namespace yet: list those in which people record in storage.namespaces.",
    ),
    "off": (one(reader={"enabled": False}), ""),
}


@pytest.mark.parametrize(("values", "line"), NOTES.values(), ids=NOTES)
def test_the_notes_say_whose_recordings_are_served(values: Manifest, line: str) -> None:
    run = helm("install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client", values=values)
    assert run.returncode == 0, run.stderr
    notes = run.stdout.partition("\nNOTES:\n")[2]
    assert [each for each in notes.splitlines() if each.startswith("Recordings are served")] == ([line] if line else [])
