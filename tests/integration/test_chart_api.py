"""The HTTP API's part of the chart: off by default, without rights, with TLS or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meeting_buddy.http_api import settings
from meeting_buddy.http_api.upstream import READ_KEY
from meeting_buddy.resource.config_files import INSTALLATION, TABLES
from tests.integration.chart import NAMESPACE, RELEASE, Manifest, helm, may, of_kind, rendered
from tests.local.clone import CHART, REPOSITORY
from tests.local.cluster.kubectl import Kubectl
from tests.support.awaiting import wait_until

NAME = f"{RELEASE}-api"
INGRESS: Manifest = {"enabled": True, "className": "nginx", "host": "buddy.example.org", "tlsSecretName": "buddy-tls"}
C0 = "".join(map(chr, range(1, 32)))
CONFIGURATION = Path("/etc/meeting-buddy")


def api(**values: Any) -> Manifest:
    """Values with the API on, its certificate in a Secret where nothing else is said."""
    return {"api": {"enabled": True, "tls": {"secretName": "buddy-tls"}, **values}}


def parts(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The API's own objects by kind."""
    return {each["kind"]: each for each in manifests if each["metadata"]["name"] == NAME}


def pod_of(manifests: list[Manifest]) -> Manifest:
    found: Manifest = parts(manifests)["Deployment"]["spec"]["template"]
    return found


def mounted(pod: Manifest) -> dict[str, tuple[str, str, bool]]:
    """By path: the Secret or ConfigMap, its key and whether it may be missing, of all items in the one volume."""
    (volume,) = (each for each in pod["volumes"] if "projected" in each)
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume["name"])
    found = {}
    for source in volume["projected"]["sources"]:
        ((_, content),) = source.items()
        for item in content.get("items", ()):
            path = str(Path(mount["mountPath"]) / item["path"])
            found[path] = (content["name"], item["key"], content.get("optional", False))
    return found


VARIANTS: dict[str, Manifest] = {
    "own certificate": api(),
    "tls in front": api(tls="ingress"),
    "namespaced": {"watchNamespaces": ["meetings"], **api(defaultNamespace="meetings")},
    "namespace of digits": {"watchNamespaces": [123], **api(defaultNamespace=123)},
    "ingress": api(ingress=INGRESS),
    "ingress of the default class that ends TLS": api(tls="ingress", ingress={"enabled": True, "host": "a.example"}),
    "autoscaling": api(autoscaling={"enabled": True, "minReplicas": 3, "maxReplicas": 3}),
    "autoscaling with a limit alone, which is requested, too": api(
        autoscaling={"enabled": True}, resources={"requests": {"cpu": None}, "limits": {"cpu": "1"}}
    ),
    "load balancer": api(service={"type": "LoadBalancer", "annotations": {"example.org/internal": "true"}}),
    "load balancer that ends TLS": api(
        tls="ingress", service={"type": "LoadBalancer", "annotations": {"example.org/certificate": "a"}}
    ),
    "port of each node for an ingress that ends TLS": api(tls="ingress", service={"type": "NodePort"}),
    "control characters that YAML takes escaped": api(
        service={"annotations": {"a": C0}},
        ingress={**INGRESS, "annotations": {"a": C0}},
        podAnnotations={"a": C0},
    ),
    "pod settings": api(
        nodeSelector={"pool": "web"},
        tolerations=[{"key": "web", "operator": "Exists"}],
        affinity={"nodeAffinity": {}},
        priorityClassName="system-cluster-critical",
        podLabels={"team": "red"},
        podAnnotations={"example.org/note": "x"},
    ),
    "own platform table": {"platformTables": {"LiveKit": "platform: LiveKit\n"}, **api()},
}


@pytest.fixture(scope="module")
def namespaces(kubectl: Kubectl) -> None:
    for name in (NAMESPACE, "meetings", "elsewhere", "123", "restricted"):
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.usefixtures("namespaces")
def test_a_real_api_server_accepts_every_variant(kubectl: Kubectl, values: Manifest) -> None:
    kubectl.apply(*rendered(values), arguments=["--server-side", "--dry-run=server", "--validate=strict"])


def test_nothing_of_it_is_there_by_default() -> None:
    for values in ({}, {"watchNamespaces": ["meetings"]}):
        manifests = rendered(values)
        assert not parts(manifests)
        names = [each["metadata"]["name"] for each in of_kind(manifests, "Role", "ClusterRole")]
        assert not any(name.endswith(("caller", "listener")) for name in names)
        assert not of_kind(manifests, "Service", "Ingress", "PodDisruptionBudget", "HorizontalPodAutoscaler")


def test_switching_it_on_changes_nothing_else() -> None:
    without = rendered()
    assert [each for each in rendered(api()) if each in without] == without


REFUSED: dict[str, tuple[Manifest, str]] = {
    "no word on TLS": ({"api": {"enabled": True}}, "api.tls.secretName"),
    "no word on TLS, told the other way": ({"api": {"enabled": True, "tls": None}}, "api.tls=ingress"),
    "TLS by a Secret without a name": (api(tls={"secretName": ""}), "tls"),
    "TLS of an unknown kind": (api(tls="none"), "tls"),
    "TLS by an unknown field": (api(tls={"secret": "x"}), "tls"),
    "unknown value": (api(replica=3), "replica"),
    "unknown value of the ingress": (api(ingress={"hosts": ["a.example"]}), "hosts"),
    "unknown value of the service": (api(service={"port": 80}), "port"),
    "unknown value of the autoscaling": (api(autoscaling={"cpu": 80}), "cpu"),
    "ingress without a host": (api(ingress={"enabled": True}), "api.ingress.host"),
    "host with a scheme": (api(ingress={**INGRESS, "host": "https://a.example"}), "host"),
    "fewest more than most": (api(autoscaling={"enabled": True, "minReplicas": 11}), "minReplicas (11)"),
    "default namespace that is no name": (api(defaultNamespace="Meetings"), "defaultNamespace"),
    "default namespace that nobody serves": (
        {"watchNamespaces": ["meetings"], **api(defaultNamespace="elsewhere")},
        "elsewhere is not in watchNamespaces",
    ),
    "no word on a default namespace, by null": (
        {"watchNamespaces": ["meetings"], **api(defaultNamespace=None)},
        "missing property 'defaultNamespace'",
    ),
    "no type of its Service, by null": (api(service={"type": None}), "missing property 'type'"),
    "processor's request above its limit": (
        api(resources={"limits": {"cpu": "0.04"}}),
        "api.resources: requests.cpu (50m) is more than limits.cpu (0.04)",
    ),
    "autoscaling of a processor that is not requested": (
        api(autoscaling={"enabled": True}, resources={"requests": {"cpu": None}}),
        "api.autoscaling.enabled compares processor use with what is requested: set api.resources.requests.cpu",
    ),
    "autoscaling of what is not requested at all": (
        api(autoscaling={"enabled": True}, resources={"requests": None}),
        "set api.resources.requests.cpu",
    ),
    "tokens in the clear to an address outside": (
        api(tls="ingress", service={"type": "LoadBalancer"}),
        "say that by its annotations in api.service.annotations",
    ),
    "more replicas than can be counted": (api(replicas=2**31), "replicas"),
    "more replicas at most than can be counted": (api(autoscaling={"maxReplicas": 2**31}), "maxReplicas"),
    "an annotation of the service that YAML does not take": (
        api(service={"annotations": {"a": "\x7f"}}),
        "annotations",
    ),
    "an annotation of the ingress that YAML does not take": (
        api(ingress={"annotations": {"a": "\x7f"}}),
        "annotations",
    ),
    "memory": (api(resources={"limits": {"memory": "1,5Gi"}}), "memory"),
    "toleration": (api(tolerations=[{"efect": "NoExecute"}]), "efect"),
}


@pytest.mark.parametrize(("values", "named"), REFUSED.values(), ids=REFUSED)
def test_wrong_values_fail_before_anything_is_installed(values: Manifest, named: str) -> None:
    run = helm("template", "mb", str(CHART), values=values)
    assert run.returncode != 0
    assert named in run.stderr


@pytest.mark.parametrize("release", ["7", "a.b"])
def test_a_release_after_which_no_service_can_be_named_has_no_api(release: str) -> None:
    run = helm("template", release, str(CHART), values=api())
    assert run.returncode != 0
    assert f"named after release {release}." in run.stderr
    assert helm("template", release, str(CHART)).returncode == 0


class TestPod:
    def test_it_satisfies_restricted_pod_security(self, kubectl: Kubectl, namespaces: None) -> None:
        template = pod_of(rendered(api()))
        spec = {**template["spec"], "serviceAccountName": "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "namespace": "restricted"}, "spec": spec}
        kubectl("label", "--overwrite", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
        kubectl.apply(pod, arguments=["--dry-run=server"])

    def test_it_has_no_rights_and_no_token(self) -> None:
        manifests = rendered({"watchNamespaces": ["meetings"], **api()})
        spec = pod_of(manifests)["spec"]
        assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == (NAME, False)
        assert parts(manifests)["ServiceAccount"]["automountServiceAccountToken"] is False
        bindings = [*of_kind(manifests, "RoleBinding"), *of_kind(rendered(api()), "ClusterRoleBinding", "RoleBinding")]
        assert bindings
        assert not any(subject["name"] == NAME for each in bindings for subject in each["subjects"])

    @pytest.mark.parametrize("tls", [{"secretName": "buddy-tls"}, "ingress"], ids=str)
    def test_it_mounts_what_it_needs_and_of_the_bot_keys_the_one_to_hear_with(self, tls: Any) -> None:
        values = {"platformTables": {"LiveKit": "platform: LiveKit\n"}, **api(tls=tls)}
        spec = pod_of(rendered(values))["spec"]
        own = {
            str(CONFIGURATION / "tls/tls.crt"): ("buddy-tls", "tls.crt", False),
            str(CONFIGURATION / "tls/tls.key"): ("buddy-tls", "tls.key", False),
        }
        assert mounted(spec) == {
            str(settings.CA_FILE): ("kube-root-ca.crt", "ca.crt", False),
            str(READ_KEY): ("meeting-buddy-bot-key", "read", True),
            str(TABLES[-1] / "LiveKit.yaml"): (f"{RELEASE}-platform-tables", "LiveKit.yaml", False),
            **(own if tls != "ingress" else {}),
        }
        (volume,) = (each for each in spec["volumes"] if "projected" in each)
        sources = volume["projected"]["sources"]
        assert {"configMap": {"name": f"{RELEASE}-installation"}} in sources
        assert INSTALLATION.parent == CONFIGURATION
        assert [each["name"] for each in spec["volumes"] if "projected" not in each] == ["tmp"]

    def test_its_flags_are_those_of_the_program(self, capsys: pytest.CaptureFixture[str]) -> None:
        environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
        arguments = pod_of(rendered(api()))["spec"]["containers"][0]["args"]
        with pytest.raises(SystemExit):
            settings.parse(arguments, environment)
        assert "--tls-certificate: cannot read /etc/meeting-buddy/tls/tls.crt" in capsys.readouterr().err
        values = {**api(tls="ingress", defaultNamespace="meetings"), "admissionPolicy": {"enabled": False}}
        container = pod_of(rendered(values))["spec"]["containers"][0]
        found = settings.parse([*container["args"], "--api-server=http://127.0.0.1:1"], {})
        assert found.plain
        assert (found.default_namespace, found.created_by_policy) == ("meetings", False)
        assert (found.installation, found.tables, found.read_key) == (INSTALLATION, TABLES, READ_KEY)
        assert {each["containerPort"] for each in container["ports"]} == {found.port, found.health_port}

    def test_the_policy_says_whether_a_creator_can_be_believed(self) -> None:
        assert "--created-by-policy" in pod_of(rendered(api()))["spec"]["containers"][0]["args"]
        without = rendered({**api(), "admissionPolicy": {"enabled": False}})
        assert "--no-created-by-policy" in pod_of(without)["spec"]["containers"][0]["args"]

    @pytest.mark.parametrize("watched", [[], ["meetings", 123]], ids=["all", "some"])
    def test_it_knows_the_namespaces_that_the_operator_watches(self, watched: list[Any]) -> None:
        container = pod_of(rendered({"watchNamespaces": watched, **api(tls="ingress")}))["spec"]["containers"][0]
        environment = {each["name"]: each["value"] for each in container.get("env", ())}
        found = settings.parse([*container["args"], "--api-server=http://127.0.0.1:1"], environment)
        assert found.watched_namespaces == {str(each) for each in watched}

    def test_an_image_of_an_older_tag_knows_all_of_its_flags(self) -> None:
        container = pod_of(rendered({"watchNamespaces": ["meetings"], **api()}))["spec"]["containers"][0]
        everywhere = pod_of(rendered(api()))["spec"]["containers"][0]
        assert container["args"] == everywhere["args"]

    def test_a_changed_configuration_rolls_it(self) -> None:
        hosts = {"selfHosted": {"hosts": [{"platform": "LiveKit", "host": "meet.example.org"}]}}
        before, after = (pod_of(rendered({**api(), **more}))["metadata"]["annotations"] for more in ({}, hosts))
        assert before != after

    def test_neither_service_nor_budget_selects_the_operator(self) -> None:
        manifests = rendered(api())
        found = parts(manifests)
        (operator,) = (each["spec"] for each in of_kind(manifests, "Deployment") if each["metadata"]["name"] != NAME)
        labels = pod_of(manifests)["metadata"]["labels"]
        selector = found["Service"]["spec"]["selector"]
        assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
        assert found["Deployment"]["spec"]["selector"]["matchLabels"] == selector
        assert selector.items() <= labels.items()
        assert not selector.items() <= operator["template"]["metadata"]["labels"].items()
        assert not operator["selector"]["matchLabels"].items() <= labels.items()


class TestDoor:
    @pytest.mark.parametrize(("tls", "scheme", "port"), [({"secretName": "x"}, "https", 443), ("ingress", "http", 80)])
    def test_service_and_ingress_speak_what_the_pods_speak(self, tls: Any, scheme: str, port: int) -> None:
        found = parts(rendered(api(tls=tls, ingress=INGRESS)))
        (door,) = found["Service"]["spec"]["ports"]
        assert door == {"name": scheme, "port": port, "targetPort": scheme, "appProtocol": scheme}
        (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
        assert {"name": scheme, "containerPort": 8443} in container["ports"]
        (rule,) = found["Ingress"]["spec"]["rules"]
        assert rule["http"]["paths"][0]["backend"] == {"service": {"name": NAME, "port": {"name": scheme}}}

    def test_an_ingress_never_speaks_plain_http_alone(self) -> None:
        for secret in ({"secretName": "buddy-tls"}, {}):
            values = {"enabled": True, "host": "buddy.example.org", "tlsSecretName": secret.get("secretName", "")}
            ingress = parts(rendered(api(tls="ingress", ingress=values)))["Ingress"]
            assert ingress["spec"]["tls"] == [{"hosts": ["buddy.example.org"], **secret}]

    def test_replicas_are_left_to_the_autoscaler(self) -> None:
        assert parts(rendered(api()))["Deployment"]["spec"]["replicas"] == 2
        found = parts(rendered(api(autoscaling={"enabled": True})))
        assert "replicas" not in found["Deployment"]["spec"]
        assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == NAME


SESSIONS = {"group": "meetingbuddy.io", "resource": "meetingsessions"}
RECORDINGS, TRANSCRIPT = ({**SESSIONS, "subresource": each} for each in ("recordings", "transcript"))
RIGHTS: dict[str, dict[str, bool]] = {
    "caller": {"create": True, "get": True, "list": True, "watch": True, "patch": True, "delete": True, "hear": False},
    "listener": {"get": False, "list": False, "create": False, "hear": True},
    "view": {"get": True, "create": False, "hear": False},
    "edit": {"create": True, "patch": True, "delete": True, "hear": False},
}


@pytest.mark.parametrize("scope", ["namespaced", "cluster"])
@pytest.mark.parametrize("role", RIGHTS)
@pytest.mark.usefixtures("namespaces")
def test_reading_a_session_is_not_hearing_it(kubectl: Kubectl, scope: str, role: str) -> None:
    namespaced = scope == "namespaced"
    manifests = rendered({**api(), "watchNamespaces": ["meetings"] if namespaced else []})
    kind = "Role" if namespaced else "ClusterRole"
    separator = "-" if namespaced else ":"
    (found,) = (each for each in of_kind(manifests, kind) if each["metadata"]["name"].endswith(separator + role))
    user = f"{scope}-{role}"
    kubectl.apply(found)
    name = found["metadata"]["name"]
    kubectl("create", "rolebinding", user, f"--{kind.lower()}={name}", f"--user={user}", "--namespace=meetings")
    expected = {
        (verb, what.get("subresource", "")): allowed
        for right, allowed in RIGHTS[role].items()
        for verb, what in ([("get", RECORDINGS), ("get", TRANSCRIPT)] if right == "hear" else [(right, SESSIONS)])
    }

    def granted(namespace: str) -> dict[tuple[str, str], bool]:
        return {
            (verb, of): may(kubectl, namespace, verb, {**SESSIONS, "subresource": of, "name": "standup"}, user)
            for verb, of in expected
        }

    # The authoriser learns of a role and of a binding by watches.
    wait_until(lambda: granted("meetings") == expected, f"{user} may do just that: {expected}", 60)
    assert not any(granted("elsewhere").values())
    assert not may(kubectl, "meetings", "patch", {**SESSIONS, "subresource": "status"}, user)


def test_nothing_that_hears_is_added_to_the_clusters_own_roles() -> None:
    for role in of_kind(rendered(api()), "ClusterRole"):
        if any(key.startswith("rbac.authorization.k8s.io/aggregate-to-") for key in role["metadata"]["labels"]):
            assert [each["resources"] for each in role["rules"]] == [["meetingsessions"]]


NOTES: dict[str, tuple[Manifest, tuple[str, ...]]] = {
    "own certificate": (
        {"watchNamespaces": ["meetings"], **api()},
        (
            "--serviceaccount=meetings:caller --role=meeting-buddy-caller",
            "kubectl create token caller --namespace=meetings",
            "service/mb-api 8443:https",
            "https://HOST:8443/v1/meeting-buddy/sessions",
        ),
    ),
    "tls in front": (
        api(tls="ingress", ingress=INGRESS),
        (
            "--clusterrole=meeting-buddy:meeting-buddy:mb:caller",
            "service/mb-api 8443:http &",
            "http://127.0.0.1:8443/v1/meeting-buddy/sessions",
            "https://buddy.example.org/v1/meeting-buddy/sessions",
        ),
    ),
}


@pytest.mark.parametrize(("values", "lines"), NOTES.values(), ids=NOTES)
def test_the_notes_show_how_to_call_it(values: Manifest, lines: tuple[str, ...]) -> None:
    run = helm("install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client", values=values)
    assert run.returncode == 0, run.stderr
    notes = run.stdout.partition("\nNOTES:\n")[2]
    for line in (*lines, "`kubectl proxy` cannot carry the token"):
        assert line in notes
    without = helm("install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client")
    assert "kubectl proxy" not in without.stdout.partition("\nNOTES:\n")[2]


def test_who_never_sees_the_notes_finds_their_commands_in_the_readme() -> None:
    values = {"watchNamespaces": ["meetings"], **api()}
    run = helm("install", "meeting-buddy", str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client", values=values)
    assert run.returncode == 0, run.stderr
    notes = run.stdout.partition("\nThe HTTP API asks Kubernetes")[2]
    commands = [
        line.strip() for line in notes.splitlines() if line.startswith(("  kubectl", "  ACCESS_TOKEN", "  curl"))
    ]
    assert len(commands) == 5
    readme = (REPOSITORY / "operator" / "meeting_buddy" / "http_api" / "README.md").read_text().splitlines()
    assert not [each for each in commands if each not in readme]
