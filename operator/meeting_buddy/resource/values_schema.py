"""JSON schema of the chart's values: a wrong value fails ``helm install``, by its name, before anything is changed.

Bot classes come from :class:`~meeting_buddy.resource.bot_class.BotClass`, except that the image may be left out (the
chart then puts ``bot.image`` in). What compares two fields cannot be said here; ``templates/_checks.tpl`` does it.

Helm takes null for "no such value", whatever the default. So all that ``values.yaml`` sets is required.
"""

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from meeting_buddy.contract.links import PLATFORM_NAME
from meeting_buddy.resource import syntax
from meeting_buddy.resource.bot_class import LARGEST_ID
from meeting_buddy.resource.installation import Installation
from meeting_buddy.resource.model import ConfigModel
from meeting_buddy.resource.quantity import Quantity
from meeting_buddy.resource.scheduling import DeploymentAffinity, Toleration
from meeting_buddy.resource.session import DNS_NAME
from meeting_buddy.resource.syntax import DescendingPath, DnsName, LabelKey, LabelValue, Text

_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_FREE = {"type": "object"}
# A name of digits is a number to `--set` and to YAML; the templates quote it.
_NAMESPACE = {"type": ["string", "integer"], "pattern": syntax.DNS_LABEL, "minimum": 0}
_NAMESPACES = {"type": "array", "items": _NAMESPACE}
_LARGEST_INT32 = 2**31 - 1
_GroupId = Annotated[int, Field(ge=0, le=LARGEST_ID)]

# Names of resources of a container: those that Kubernetes knows, or another one with its domain.
_ResourceName = Annotated[
    str,
    Field(pattern=rf"^(cpu|memory|ephemeral-storage|{syntax.HUGE_PAGES}|{syntax.QUALIFIED_NAME})$", max_length=253),
]


class OperatorResources(ConfigModel):
    """Requests and limits of the operator, or of the HTTP API."""

    requests: dict[_ResourceName, Quantity] = {}
    limits: dict[_ResourceName, Quantity] = {}


class PullSecret(ConfigModel):
    """Credentials of a registry."""

    name: DnsName


class SeccompProfile(ConfigModel):
    """A profile that the runtime or nobody brings."""

    type: Literal["RuntimeDefault", "Unconfined"]


class LocalhostProfile(ConfigModel):
    """A profile that is on the nodes."""

    type: Literal["Localhost"]
    localhost_profile: DescendingPath


class PodSecurity(ConfigModel):
    """Null leaves a field out, for clusters that set it (OpenShift)."""

    run_as_non_root: bool | None = None
    run_as_user: int | None = Field(None, ge=1, le=LARGEST_ID)
    run_as_group: _GroupId | None = None
    fs_group: _GroupId | None = None
    supplemental_groups: tuple[_GroupId, ...] | None = None
    seccomp_profile: SeccompProfile | LocalhostProfile | None = None


class SeLinuxOptions(ConfigModel):
    """As in the security context of a container."""

    user: Text | None = None
    role: Text | None = None
    type: Text | None = None
    level: Text | None = None


class ApiPod(ConfigModel):
    """Fields of the HTTP API's and the readers' pods that are checked like those of a bot class."""

    resources: OperatorResources = OperatorResources()
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: tuple[Toleration, ...] = ()
    affinity: DeploymentAffinity = DeploymentAffinity()
    priority_class_name: DnsName | Literal[""] = ""
    pod_labels: dict[LabelKey, LabelValue] = {}
    pod_annotations: dict[LabelKey, Text] = {}


class OperatorPod(ApiPod):
    """The same of the operator's pod, and what both share."""

    image_pull_secrets: tuple[PullSecret, ...] = ()
    pod_security_context: PodSecurity = PodSecurity()


class ApiTlsSecret(ConfigModel):
    """The certificate that the HTTP API shows."""

    secret_name: DnsName


class ApiService(ConfigModel):
    """How its Service is reached."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: dict[LabelKey, Text] = {}


class ApiIngress(ConfigModel):
    """Its Ingress."""

    enabled: bool = False
    class_name: DnsName | Literal[""] = ""
    host: DnsName | Literal[""] = ""
    tls_secret_name: DnsName | Literal[""] = ""
    annotations: dict[LabelKey, Text] = {}


class ApiAutoscaling(ConfigModel):
    """Its HorizontalPodAutoscaler."""

    enabled: bool = False
    min_replicas: int = Field(2, ge=1, le=_LARGEST_INT32)
    max_replicas: int = Field(10, ge=1, le=_LARGEST_INT32)
    target_cpu_utilization: int = Field(80, ge=1, le=_LARGEST_INT32)


class ApiAccess(ConfigModel):
    """How callers reach the HTTP API."""

    service: ApiService = ApiService()
    ingress: ApiIngress = ApiIngress()
    autoscaling: ApiAutoscaling = ApiAutoscaling()
    tls: ApiTlsSecret | Literal["ingress"] | None = None


class RecordingsClaim(ConfigModel):
    """The claim that the chart makes."""

    storage_class_name: DnsName | Literal[""] = ""
    access_modes: tuple[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"], ...] = Field(
        ("ReadWriteMany",),
        min_length=1,
        json_schema_extra={
            # A bot has to write.
            "contains": {"enum": ["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]},
            # Kubernetes refuses this one beside others.
            "if": {"contains": {"const": "ReadWriteOncePod"}},
            "then": {"items": {"const": "ReadWriteOncePod"}},
        },
    )
    size: Quantity = "20Gi"


def _closed(optional: Collection[str] = (), /, **properties: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def _image(**more: dict[str, Any]) -> dict[str, Any]:
    return _closed(
        # Empty by default: templates/_checks.tpl says then what to set.
        repository={"type": "string", "pattern": syntax.IMAGE_REPOSITORY, "maxLength": 4096},
        tag={"type": "string", "pattern": syntax.IMAGE_TAG},
        digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
        **more,
    )


def _schema(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of a model, whose references go to ``definitions``."""
    found: dict[str, Any] = _draft7(model.model_json_schema(by_alias=True))
    definitions |= found.pop("$defs", {})
    return found


def _draft7(node: Any) -> Any:
    """Say in draft 7 what pydantic means.

    Keys that no pattern allows are refused, where it says only what the values of matching keys are like. What stands
    beside a reference counts, where draft 7 ignores it.
    """
    if isinstance(node, list):
        return [_draft7(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: _draft7(value) for key, value in node.items()}
    if "$ref" in found and len(found) > 1:
        found = {"allOf": [{"$ref": found.pop("$ref")}], **found}
    if "patternProperties" in found:
        found["additionalProperties"] = False
    return found


def values_schema() -> dict[str, Any]:
    """The whole schema, with the models' definitions under ``$defs``."""
    definitions: dict[str, Any] = {}
    installation = _schema(Installation, definitions)
    definitions["SelfHostedHost"]["additionalProperties"] = False  # the contract's models ignore what they do not know
    bot_class = definitions["BotClass"]
    bot_class["required"] = [name for name in bot_class.get("required", []) if name != "image"]
    operator, storage = _schema(OperatorPod, definitions), _schema(RecordingsClaim, definitions)
    api, access = _schema(ApiPod, definitions), _schema(ApiAccess, definitions)
    for name in ("ApiService", "ApiIngress", "ApiAutoscaling"):
        definitions[name]["required"] = list(definitions[name]["properties"])
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_closed(
            ("enabled", "global"),
            # The `condition:` of a chart that has this one as a dependency. Helm leaves that out before it looks here
            # where it is false; said to this chart itself, false would change nothing.
            enabled={"const": True},
            watchNamespaces=_NAMESPACES,
            operator=_closed(
                image=_image(pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]}),
                replicas={"type": "integer", "minimum": 0, "maximum": 2},
                **operator["properties"],
            ),
            bot=_closed(image=_image()),
            botClasses={**installation["properties"]["botClasses"], "required": ["default"]},
            platformTables={
                "type": "object",
                "additionalProperties": False,
                "patternProperties": {PLATFORM_NAME.pattern: _STRING},
            },
            selfHosted=_closed(hosts={"type": "array", "items": {"$ref": "#/$defs/SelfHostedHost"}}),
            storage=_closed(create=_BOOLEAN, namespaces=_NAMESPACES, **storage["properties"]),
            api=_closed(
                ("tls",),
                enabled=_BOOLEAN,
                replicas={"type": "integer", "minimum": 0, "maximum": _LARGEST_INT32},
                clusterDomain={"type": "string", "pattern": DNS_NAME},
                defaultNamespace={"anyOf": [_NAMESPACE, {"const": ""}]},
                **access["properties"],
                **api["properties"],
            ),
            reader=_closed(("enabled",), enabled={"type": ["boolean", "null"]}, **api["properties"]),
            admissionPolicy=_closed(enabled=_BOOLEAN),
            uninstallHook=_closed(enabled=_BOOLEAN),
            crds=_closed(enabled=_BOOLEAN, keep=_BOOLEAN),
            seccompInstaller=_closed(
                enabled=_BOOLEAN,
                namespace=_NAMESPACE,
                imagePullSecrets=operator["properties"]["imagePullSecrets"],
                kubeletRoot={"type": "string", "pattern": syntax.HOST_FOLDER},
                seLinuxOptions=_schema(SeLinuxOptions, definitions),
            ),
            **{"global": _FREE},
        ),
        "$defs": definitions,
    }
