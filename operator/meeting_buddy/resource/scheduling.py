"""Tolerations and affinity of a pod, as strictly as the API server reads them.

It drops a misspelt field of a pod without an error, so that bots would run where nobody wanted them; here it fails.
``matchLabelKeys``, which serves the rollout of Deployments, is for them alone; ``mismatchLabelKeys`` is left out.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from meeting_buddy.resource.model import ConfigModel
from meeting_buddy.resource.syntax import DnsLabel, DnsName, LabelKey, LabelValue


def _implies(condition: dict[str, Any], consequence: dict[str, Any]) -> dict[str, Any]:
    return {"if": condition, "then": consequence}


_TOLERATION_RULES: dict[str, Any] = {
    "allOf": [
        _implies(
            {"required": ["operator"], "properties": {"operator": {"const": "Exists"}}},
            {"properties": {"value": {"enum": ["", None]}}},
        ),
        _implies(
            {"properties": {"key": {"enum": ["", None]}}},
            {"required": ["operator"], "properties": {"operator": {"const": "Exists"}}},
        ),
        _implies(
            {"required": ["tolerationSeconds"], "properties": {"tolerationSeconds": {"type": "integer"}}},
            {"required": ["effect"], "properties": {"effect": {"const": "NoExecute"}}},
        ),
    ]
}


class Toleration(ConfigModel):
    """A taint that bots put up with."""

    model_config = {"json_schema_extra": _TOLERATION_RULES}

    key: LabelKey | Literal[""] | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute", ""] | None = None
    toleration_seconds: int | None = Field(None, ge=-(2**63), lt=2**63)

    @model_validator(mode="after")
    def _consistent(self) -> "Toleration":
        if self.operator == "Exists" and self.value:
            raise ValueError("value must be left out when operator is Exists")
        if not self.key and self.operator != "Exists":
            raise ValueError("operator must be Exists when key is left out, which tolerates every taint")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("effect must be NoExecute when tolerationSeconds is set")
        return self


class InRequirement(ConfigModel):
    """The label has, or has not, one of these values."""

    key: LabelKey
    operator: Literal["In", "NotIn"]
    values: tuple[LabelValue, ...] = Field(min_length=1)


class ExistsRequirement(ConfigModel):
    """The label is there, or is not."""

    key: LabelKey
    operator: Literal["Exists", "DoesNotExist"]


class CompareRequirement(ConfigModel):
    """The label is a number above, or below, this one."""

    key: LabelKey
    operator: Literal["Gt", "Lt"]
    values: tuple[Annotated[str, Field(pattern=r"^-?[0-9]{1,18}$")], ...] = Field(min_length=1, max_length=1)


NodeRequirement = Annotated[InRequirement | ExistsRequirement | CompareRequirement, Field(discriminator="operator")]
LabelRequirement = Annotated[InRequirement | ExistsRequirement, Field(discriminator="operator")]


class NodeNameRequirement(ConfigModel):
    """The node has, or has not, this name."""

    key: Literal["metadata.name"]
    operator: Literal["In", "NotIn"]
    values: tuple[DnsName, ...] = Field(min_length=1, max_length=1)


class NodeSelectorTerm(ConfigModel):
    """Requirements that must all hold."""

    match_expressions: tuple[NodeRequirement, ...] = ()
    match_fields: tuple[NodeNameRequirement, ...] = ()


class NodeSelector(ConfigModel):
    """Terms of which one must hold."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = Field(min_length=1)


class PreferredNode(ConfigModel):
    """A term that counts for a node, by weight."""

    weight: int = Field(ge=1, le=100)
    preference: NodeSelectorTerm


class NodeAffinity(ConfigModel):
    """Which nodes bots run on."""

    required: NodeSelector | None = Field(None, alias="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: tuple[PreferredNode, ...] = Field((), alias="preferredDuringSchedulingIgnoredDuringExecution")


class LabelSelector(ConfigModel):
    """Which pods, or namespaces, are meant."""

    match_labels: dict[LabelKey, LabelValue] = {}
    match_expressions: tuple[LabelRequirement, ...] = ()


class PodAffinityTerm(ConfigModel):
    """Pods beside which, or away from which, bots run."""

    topology_key: LabelKey
    label_selector: LabelSelector | None = None
    namespaces: tuple[DnsLabel, ...] = ()
    namespace_selector: LabelSelector | None = None


class WeightedPodAffinityTerm(ConfigModel):
    """A term that counts for a node, by weight."""

    weight: int = Field(ge=1, le=100)
    pod_affinity_term: PodAffinityTerm


class PodAffinity(ConfigModel):
    """Nearness to, or distance from, other pods."""

    required: tuple[PodAffinityTerm, ...] = Field((), alias="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: tuple[WeightedPodAffinityTerm, ...] = Field((), alias="preferredDuringSchedulingIgnoredDuringExecution")


class Affinity(ConfigModel):
    """Where bots run, beyond ``nodeSelector``."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class DeploymentPodAffinityTerm(PodAffinityTerm):
    """The same of a Deployment's pods, which may mean those of one rollout: ``[pod-template-hash]``."""

    model_config = {"json_schema_extra": {"dependencies": {"matchLabelKeys": ["labelSelector"]}}}

    match_label_keys: tuple[LabelKey, ...] = ()


class DeploymentWeightedPodAffinityTerm(WeightedPodAffinityTerm):
    """A term that counts for a node, by weight."""

    pod_affinity_term: DeploymentPodAffinityTerm


class DeploymentPodAffinity(PodAffinity):
    """Nearness to, or distance from, other pods."""

    required: tuple[DeploymentPodAffinityTerm, ...] = Field((), alias="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: tuple[DeploymentWeightedPodAffinityTerm, ...] = Field(
        (), alias="preferredDuringSchedulingIgnoredDuringExecution"
    )


class DeploymentAffinity(Affinity):
    """Where a Deployment's pods run, beyond ``nodeSelector``."""

    pod_affinity: DeploymentPodAffinity | None = None
    pod_anti_affinity: DeploymentPodAffinity | None = None
