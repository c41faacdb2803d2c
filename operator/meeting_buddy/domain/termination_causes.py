"""The tables of :mod:`pod_outcome`: what the cluster says of a pod that it stopped, refused or lost, and what helps."""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.causes import Cause
from meeting_buddy.domain.facts import CANNOT_START
from meeting_buddy.domain.startup_causes import CONTAINERS

_R = Reason
_NODE_PLACEMENT: Final = "Let the bot class's nodeSelector, affinity and tolerations fit the node's labels and taints."
_REFUSED: Final = "Look at the node: its kubelet refused the pod."
_SHUTDOWN: Final = "The node was shut down; keep bots on nodes that stay up while meetings last."
TERMINATIONS: Final = (
    Cause({"DeletionByPodGC"}, "", _R.NODE_LOST),
    Cause({"NodeLost"}, "", _R.NODE_LOST),
    Cause(
        {"OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "OutOfPods"},
        "",
        _R.UNSCHEDULABLE,
        "Create a new session: others took the node's room first; give the cluster more, or lower the requests.",
    ),
    Cause(
        {"NodeAffinity", "NodeName", "NodeUnschedulable", "TaintToleration", "PodOSSelectorNodeLabelDoesNotMatch"},
        "",
        _R.UNSCHEDULABLE,
        _NODE_PLACEMENT,
    ),
    Cause(
        {"VolumeAttachmentLimitExceeded"},
        "",
        _R.UNSCHEDULABLE,
        "Create a new session: the node can attach no more volumes. Add a node, or use a claim that many pods share.",
    ),
    Cause(
        {
            "NodePorts",
            "UnexpectedAdmissionError",
            "TopologyAffinityError",
            "SMTAlignmentError",
            "InvalidNodeInfo",
            "UnknownReason",
            "UnexpectedPredicateFailureType",
        },
        "",
        _R.UNSCHEDULABLE,
        _REFUSED,
    ),
    Cause(
        {
            "AppArmor",
            "SysctlForbidden",
            "PodOSNotSupported",
            "PodLevelResourcesNotSupported",
            "PodFeatureUnsupported",
            "SupplementalGroupsPolicyNotSupported",
            "InitContainerRestartPolicyForbidden",
        },
        "",
        _R.CONFIG_INVALID,
        "Let bots run on nodes that support what the message names.",
    ),
    Cause({"DeadlineExceeded"}, "", _R.MAX_DURATION_REACHED),
    Cause(
        {"Evicted"},
        r'EmptyDir volume "[^"]+" exceeds',
        _R.EVICTED,
        "Report it: a temporary folder of the pod outgrew its limit.",
    ),
    Cause(
        {"Evicted"},
        r"exceeded its local ephemeral storage limit|exceeds the total limit of containers",
        _R.EVICTED,
        "Raise the bot class's ephemeral-storage limit.",
    ),
    Cause(
        {"Evicted"},
        r"low on resource: ephemeral-storage|low on resource: inodes|DiskPressure",
        _R.EVICTED,
        "Free the node's disk, and give the bot class an ephemeral-storage request: what asked for least goes first.",
    ),
    Cause(
        {"Evicted"},
        r"low on resource: memory|MemoryPressure",
        _R.EVICTED,
        "Raise the bot class's memory request: the kubelet stops first what uses more than it asked for.",
    ),
    Cause({"Evicted"}, r"low on resource: pids|PIDPressure", _R.EVICTED, "See what uses up the node's process ids."),
    Cause(
        {"PreemptionByScheduler", "Preempting"},
        "",
        _R.EVICTED,
        "Give the bot class a priorityClassName of higher priority, or the cluster more room.",
    ),
    Cause(
        {"DeletionByTaintManager"},
        "",
        _R.EVICTED,
        "The node was tainted NoExecute, by hand or as unreachable; tolerate the taint if bots may stay.",
    ),
    Cause({"NodeShutdown", "Shutdown"}, "", _R.EVICTED, _SHUTDOWN),
    Cause({"Terminated", "TerminationByKubelet"}, r"node shutdown", _R.EVICTED, _SHUTDOWN),
    Cause({"Evicted", "Terminated"}, "", _R.EVICTED),
)
"""Why a pod was stopped or refused, by its status' reason or that of its condition DisruptionTarget."""
OTHER_REFUSAL: Final = Cause((), "", _R.UNSCHEDULABLE, _REFUSED)
"""Any other reason of a failed pod whose bot never ran, such as ``OutOf`` with the name of a resource."""
LOST_CONTAINERS: Final = (
    Cause(
        {"ContainerStatusUnknown", "Unknown"},  # the kubelet's word, and containerd's
        "",
        _R.NODE_LOST,
        "See whether the node or its container runtime was restarted: it lost the container.",
    ),
)
"""That nobody saw a container end, by the reason of its end."""
STARTS: Final = (
    *(row._replace(words=CANNOT_START) for row in CONTAINERS),
    Cause(CANNOT_START, "", _R.CONFIG_INVALID),
)
"""Why a container never ran, by the reason of its end."""
