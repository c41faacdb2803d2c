"""The tables of :mod:`startup`: what scheduler, kubelet and storage say of a pod that does not start, and what helps.

The wording is that of Kubernetes 1.31 to 1.34, containerd and CRI-O; ``tests/unit/test_causes.py`` holds whole
messages for each row.
"""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.causes import Cause

_R = Reason
_ANY: Final = frozenset[str]()

IMAGE_WORDS: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "ImageInspectError",
        "SignatureValidationFailed",
    }
)
CONFIG_WORDS: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
VOLUME_WORDS: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
CLAIM_WORDS: Final = frozenset({"ProvisioningFailed", "FailedBinding", "VolumeMismatch", "ClaimMisbound"})
"""Reasons of Events about a claim, not about the pod."""
UNANSWERED_CLAIM: Final = "ExternalProvisioning"
"""Reason of the Event with which the control plane waits for a driver, whether or not there is one."""

_STORAGE_CLASS: Final = (
    "Use a storage class that can serve the claim's access mode (ReadWriteMany needs a shared file system), or ask for "
    "ReadWriteOnce where all bots run on one node."
)
_CREATE_CLAIM: Final = "Create the claim in the session's namespace, or name another one in the bot class's storage."

LOST_CLAIMS: Final = (
    Cause(_ANY, r"persistentvolumeclaim .* not found", _R.CONFIG_INVALID, _CREATE_CLAIM),
    Cause(_ANY, r"persistentvolumeclaim .* is being deleted", _R.CONFIG_INVALID, _CREATE_CLAIM),
    Cause(
        _ANY,
        r"bound to non-existent (persistentvolume|pv)|persistentvolumeclaim .* lost",
        _R.CONFIG_INVALID,
        "Restore the volume that the claim is bound to, or make the claim anew.",
    ),
)
"""The scheduler's words about a recordings claim that is not there any more, or not yet."""

UNBOUND_CLAIMS: Final = (
    Cause(_ANY, r"unbound immediate PersistentVolumeClaims|provisioning failed", _R.CONFIG_INVALID, _STORAGE_CLASS),
    Cause(
        _ANY,
        r"didn't find available persistent volumes to bind|did not have enough free storage",
        _R.CONFIG_INVALID,
        "Provide a volume of the claim's class, size and access mode on a node where bots may run.",
    ),
    Cause(
        _ANY,
        r"binding volumes",
        _R.CONFIG_INVALID,
        "See the claim's Events: its storage class did not make a volume in time.",
    ),
)
"""The scheduler's words about a recordings claim that is there; the claim's own Events may know why."""

CLAIM_EVENTS: Final = (
    Cause(
        CLAIM_WORDS,
        r"storageclass.* not found|no storage class is set",
        _R.CONFIG_INVALID,
        "Name a storage class that exists in the claim, or set a default one.",
    ),
    Cause(
        CLAIM_WORDS,
        r"MULTI_NODE|access ?modes?|ReadWriteMany|RWX|capabilit(y|ies)",
        _R.CONFIG_INVALID,
        _STORAGE_CLASS,
    ),
    Cause(
        CLAIM_WORDS,
        r"quota|exceed|insufficient|no space|not enough",
        _R.CONFIG_INVALID,
        "Ask for a smaller claim, or give the storage more room.",
    ),
    Cause(
        {UNANSWERED_CLAIM},
        "",
        _R.CONFIG_INVALID,
        "See that the storage class names a provisioner that runs: it neither made a volume nor said why not.",
    ),
    Cause(CLAIM_WORDS, "", _R.CONFIG_INVALID, "Fix the claim's storage class, or name another claim in the bot class."),
)
"""Why a claim stays unbound, by its own Events."""

NODES: Final = (
    Cause(
        _ANY,
        r"insufficient (cpu|memory|ephemeral-storage)",
        _R.UNSCHEDULABLE,
        "Give the cluster room for the bot, or lower the bot class's requests.",
    ),
    Cause(
        _ANY,
        r"too many pods",
        _R.UNSCHEDULABLE,
        "Add a node, or raise the kubelet's maxPods.",
    ),
    Cause(
        _ANY,
        r"insufficient [a-z0-9.-]+/",
        _R.UNSCHEDULABLE,
        "Add a node that has the extended resource which the message names.",
    ),
    Cause(
        _ANY,
        r"taint \{(?!node\.(cloudprovider\.)?kubernetes\.io/)",
        _R.UNSCHEDULABLE,
        "Add a toleration for the taint to the bot class, or remove the taint.",
    ),
    Cause(
        _ANY,
        r"taint \{node\.(cloudprovider\.)?kubernetes\.io/(?!unschedulable)",
        _R.UNSCHEDULABLE,
        "Look at the nodes: the taint that the message names says what they lack.",
    ),
    Cause(
        _ANY,
        r"taint\(s\)",
        _R.UNSCHEDULABLE,
        "See the nodes' taints (kubectl describe nodes): add a toleration to the bot class, or remove them; those of "
        "node.kubernetes.io say what a node lacks.",
    ),
    Cause(
        _ANY,
        r"Pod's node affinity|NodeAffinity|node selector|pods? (anti-)?affinity|topology spread|requested node name",
        _R.UNSCHEDULABLE,
        "Label a node as the bot class's nodeSelector and affinity ask, or change them.",
    ),
    Cause(
        _ANY,
        r"nodes?\(?s?\)? were unschedulable|taint \{node\.kubernetes\.io/unschedulable",
        _R.UNSCHEDULABLE,
        "Uncordon a node (kubectl uncordon).",
    ),
    Cause(
        _ANY,
        r"available volume zone|PersistentVolume's node affinity|volume node affinity",
        _R.UNSCHEDULABLE,
        "Let bots run in the zone or on the node where the recordings volume is.",
    ),
    Cause(
        _ANY,
        r"max volume count|no available disk|ReadWriteOncePod",
        _R.UNSCHEDULABLE,
        "Use a claim that many pods can share (ReadWriteMany), or wait until another bot has ended.",
    ),
    Cause(_ANY, r"no nodes available", _R.UNSCHEDULABLE, "Add a node: the cluster has none that takes pods."),
    Cause(
        _ANY,
        r"scheduling gates",
        _R.UNSCHEDULABLE,
        "See who adds scheduling gates to pods in this namespace: nobody removed this one's.",
    ),
)
"""The scheduler's words about nodes; of these all that match count, since each node may have another reason."""

IMAGES: Final = (
    Cause({"InvalidImageName"}, "", _R.IMAGE_PULL_FAILED, "Correct the image's name in the bot class."),
    Cause(
        {"ErrImageNeverPull"},
        "",
        _R.IMAGE_PULL_FAILED,
        "Load the image onto the node, or set the bot class's imagePullPolicy to IfNotPresent.",
    ),
    Cause(
        {"SignatureValidationFailed"},
        "",
        _R.IMAGE_PULL_FAILED,
        "Sign the image as the node's policy asks, or use one that is signed.",
    ),
    Cause(
        _ANY,
        r"no match for platform|no matching manifest|exec format error",
        _R.IMAGE_PULL_FAILED,
        "Build the image for the node's architecture, or choose other nodes by the bot class's nodeSelector.",
    ),
    Cause(
        _ANY,
        r"unauthorized|authorization failed|authentication required|forbidden|access denied|no basic auth",
        _R.IMAGE_PULL_FAILED,
        "Check the image's name, and name a valid pull secret of the session's namespace in imagePullSecrets.",
    ),
    Cause(
        _ANY,
        r"toomanyrequests|too many requests|rate limit",
        _R.IMAGE_PULL_FAILED,
        "The registry limits pulls: use a pull secret or a mirror.",
    ),
    Cause(
        _ANY,
        r"no such host|connection refused|i/o timeout|deadline exceeded|no route to host|x509|tls:|connection reset"
        r"|server gave HTTP response|Client\.Timeout|unexpected EOF",
        _R.IMAGE_PULL_FAILED,
        "Let the node reach the registry: check its name, network, proxy and certificates.",
    ),
    Cause(
        _ANY,
        r"no space left on device",
        _R.IMAGE_PULL_FAILED,
        "Free the node's disk: the image does not fit.",
    ),
    Cause(
        _ANY,
        r"not found|manifest unknown|name unknown",
        _R.IMAGE_PULL_FAILED,
        "Correct the bot class's image: the registry has no such name or tag.",
    ),
)

CONTAINERS: Final = (
    Cause(
        _ANY,
        r"seccomp",
        _R.CONFIG_INVALID,
        "Install Meeting Buddy's seccomp profile on every node where bots run (the chart's seccompInstaller), or name "
        "another one in the bot class's sandbox.seccompProfile.",
    ),
    Cause(
        _ANY,
        r"apparmor",
        _R.CONFIG_INVALID,
        "Load the AppArmor profile that the message names on the nodes, or choose nodes that have it.",
    ),
    Cause(_ANY, r"secret \S+ not found", _R.CONFIG_INVALID, "Create the Secret that the message names."),
    Cause(_ANY, r"configmap \S+ not found", _R.CONFIG_INVALID, "Create the ConfigMap that the message names."),
    Cause(
        _ANY,
        r"couldn't find key|non-existent (secret|config) key",
        _R.CONFIG_INVALID,
        "Add the key that the message names to its Secret or ConfigMap.",
    ),
    Cause(
        _ANY,
        r"runAsNonRoot",
        _R.CONFIG_INVALID,
        "Give the container a numeric user other than 0: pods of Meeting Buddy run as non-root.",
    ),
    Cause(
        _ANY,
        r"subPath",
        _R.CONFIG_INVALID,
        "Let the kubelet make folders on the recordings volume: check its permissions and root squashing.",
    ),
    Cause(
        _ANY,
        r"exec format error",
        _R.CONFIG_INVALID,
        "Build the image for the node's architecture, or choose other nodes by the bot class's nodeSelector.",
    ),
    Cause(
        _ANY,
        r"executable file not found|exec: .*no such file or directory|exec: .*permission denied",
        _R.CONFIG_INVALID,
        "Use Meeting Buddy's bot image in the bot class: this one lacks the program.",
    ),
    Cause(
        _ANY,
        r"memory limit too low|OOM-killed",
        _R.OUT_OF_MEMORY,
    ),
    Cause(
        _ANY,
        r"context deadline exceeded|is reserved for",
        _R.CONFIG_INVALID,
        "The node's container runtime is too slow: look at the node's load and disk.",
    ),
)
"""What kubelet and container runtime say of a container that cannot be created."""

EVENTS: Final = (
    Cause(
        {"FailedAttachVolume"},
        r"Multi-Attach|already (exclusively attached|used by)|is in use",
        _R.CONFIG_INVALID,
        "Use a claim with ReadWriteMany, or keep all bots on one node: another node holds the recordings volume.",
    ),
    Cause(
        VOLUME_WORDS,
        r'volume "transcription-key" : secret \S+ not found',
        _R.CONFIG_INVALID,
        "Create the Secret that the message names in the session's namespace, with the transcription server's key, or "
        "name another one in the bot class's transcription.server.keySecret.",
    ),
    Cause(VOLUME_WORDS, r"secret \S+ not found", _R.CONFIG_INVALID, "Create the Secret that the message names."),
    Cause(VOLUME_WORDS, r"configmap \S+ not found", _R.CONFIG_INVALID, "Create the ConfigMap that the message names."),
    # These messages name the key alone; the volume says of which Secret.
    Cause(
        VOLUME_WORDS,
        r'volume "link" : references non-existent secret key',
        _R.CONFIG_INVALID,
        "Add the key that the message names to the Secret of spec.meetingLinkSecretRef.",
    ),
    Cause(
        VOLUME_WORDS,
        r'volume "passcode" : references non-existent secret key',
        _R.CONFIG_INVALID,
        "Add the key that the message names to the Secret of spec.passcodeSecretRef.",
    ),
    Cause(
        VOLUME_WORDS,
        r'volume "transcription-key" : references non-existent secret key',
        _R.CONFIG_INVALID,
        "Add the key that the message names to the Secret of the bot class's transcription.server.keySecret.",
    ),
    Cause(
        VOLUME_WORDS,
        r"non-existent (secret|config) key",
        _R.CONFIG_INVALID,
        "Add the key that the message names to its Secret or ConfigMap.",
    ),
    Cause(VOLUME_WORDS, r"persistentvolumeclaim .* not found", _R.CONFIG_INVALID, _CREATE_CLAIM),
    Cause(
        VOLUME_WORDS,
        r"driver name .* not found in the list of registered CSI drivers",
        _R.CONFIG_INVALID,
        "Run the volume's CSI driver on the node, or keep bots on nodes that have it.",
    ),
    Cause(
        VOLUME_WORDS,
        r"access denied|permission denied|bad option|wrong fs type|no such host|connection (refused|timed out)"
        r"|exit status \d+",
        _R.CONFIG_INVALID,
        "Let the node mount the recordings volume: check its server, export rights and mount tools.",
    ),
    Cause(
        VOLUME_WORDS, "", _R.CONFIG_INVALID, "Fix the volume that the message names, or name another in the bot class."
    ),
    Cause(
        {"FailedCreatePodSandBox"},
        r"runtime ?(class|handler)|no runtime for|get sandbox runtime",
        _R.CONFIG_INVALID,
        "Install the runtime of the bot class's runtimeClassName on the nodes, or leave it out.",
    ),
    Cause({"FailedCreatePodSandBox"}, r"seccomp", _R.CONFIG_INVALID, CONTAINERS[0].remedy),
    Cause(
        {"FailedCreatePodSandBox", "NetworkNotReady"},
        r"network|cni|plugin",
        _R.CONFIG_INVALID,
        "Fix the node's pod network: its CNI plugin could not connect the pod.",
    ),
    Cause({"FailedCreatePodSandBox"}, "", _R.CONFIG_INVALID, "Look at the node's container runtime."),
    Cause(
        {"Unhealthy"},
        r"startup probe failed",
        _R.BROWSER_CRASHED,
        "Read container browser's log, and give the bot class more CPU if it is only slow.",
    ),
    Cause(
        {"NodeNotReady"},
        "",
        _R.NODE_LOST,
        "Look at the node: its kubelet stopped reporting before the bot could start.",
    ),
)
"""Events about a pod that has a node."""
