"""Why a pod did not start or died: real messages of Kubernetes 1.31 to 1.34, each with its cause and what helps.

Messages are whole and as the cluster writes them (scheduler, kubelet, containerd, CRI-O, CSI provisioners, admission).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from meeting_buddy.contract.identity import FIRST_BOT
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.domain import create_rejection, startup_causes, termination_causes
from meeting_buddy.domain.causes import Cause, find
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import ContainerFacts, PodCondition, PodFacts, PodWarning, Terminated
from meeting_buddy.domain.plan import PatchStatus, ReadLatePod
from tests.support import operator_facts as make
from tests.support.operator_facts import NOW, later

_R = Reason
LOST, UNBOUND, CLAIM_EVENTS = startup_causes.LOST_CLAIMS, startup_causes.UNBOUND_CLAIMS, startup_causes.CLAIM_EVENTS
NODES, IMAGES = startup_causes.NODES, startup_causes.IMAGES
CONTAINERS, EVENTS = startup_causes.CONTAINERS, startup_causes.EVENTS
TERMINATIONS, STARTS = termination_causes.TERMINATIONS, termination_causes.STARTS
LOST_CONTAINERS = termination_causes.LOST_CONTAINERS

_BACK_OFF = 'Back-off pulling image "ghcr.io/acme/bot:1": ErrImagePull: '
_PULL = _BACK_OFF + 'rpc error: code = NotFound desc = failed to pull and unpack image "ghcr.io/acme/bot:1": '
_SANDBOX = "Failed to create pod sandbox: rpc error: code = Unknown desc = "
_SHIM = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
_SECCOMP = (
    'failed to create containerd container: cannot load seccomp profile "/var/lib/kubelet/seccomp/meeting-buddy/'
    'chromium.json": open /var/lib/kubelet/seccomp/meeting-buddy/chromium.json: no such file or directory'
)
_NO_DRIVER = (
    "Waiting for a volume to be created either by the external provisioner 'csi.example.com' or manually by the system "
    "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
    "registered."
)
_RWX = (
    'failed to provision volume with StorageClass "standard-rwo": rpc error: code = InvalidArgument desc = '
    "VolumeCapabilities is invalid: specified multi writer with mount access type"
)
_LOW = "The node was low on resource: "
_LAST = "Threshold quantity: 1Gi, available: 812Mi. Container bot was using 3Gi, request is 0, has larger consumption."

NODE_TAINTS = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/network-unavailable",
    "node.cloudprovider.kubernetes.io/uninitialized",
)

# One line a row, so that it reads as a table: table, the cluster's reason, its message, our reason, part of the remedy.
# ruff: noqa: E501
# fmt: off
MESSAGES: list[tuple[tuple[Cause, ...], str, str, Reason, str]] = [
    (LOST, "", '0/3 nodes are available: persistentvolumeclaim "meeting-buddy-recordings" not found. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.', _R.CONFIG_INVALID, "Create the claim"),
    (LOST, "", '0/3 nodes are available: persistentvolumeclaim "meeting-buddy-recordings" is being deleted.', _R.CONFIG_INVALID, "Create the claim"),
    (LOST, "", "0/3 nodes are available: 3 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).", _R.CONFIG_INVALID, "Restore the volume"),
    (UNBOUND, "", "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", _R.CONFIG_INVALID, "ReadWriteMany needs a shared file system"),
    (UNBOUND, "", 'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "meeting-buddy-recordings"', _R.CONFIG_INVALID, "storage class"),
    (UNBOUND, "", "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.", _R.CONFIG_INVALID, "Provide a volume"),
    (UNBOUND, "", 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded', _R.CONFIG_INVALID, "claim's Events"),
    (CLAIM_EVENTS, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found', _R.CONFIG_INVALID, "storage class that exists"),
    (CLAIM_EVENTS, "FailedBinding", "no persistent volumes available for this claim and no storage class is set", _R.CONFIG_INVALID, "set a default one"),
    (CLAIM_EVENTS, "ExternalProvisioning", _NO_DRIVER, _R.CONFIG_INVALID, "provisioner that runs"),
    (CLAIM_EVENTS, "ProvisioningFailed", _RWX, _R.CONFIG_INVALID, "ReadWriteMany needs a shared file system"),
    (CLAIM_EVENTS, "ProvisioningFailed", 'failed to provision volume with StorageClass "ebs": rpc error: code = InvalidArgument desc = Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only AccessModes[ReadWriteOnce] supported.', _R.CONFIG_INVALID, "access mode"),
    (CLAIM_EVENTS, "ProvisioningFailed", 'failed to provision volume with StorageClass "gold": rpc error: code = ResourceExhausted desc = not enough space in the pool', _R.CONFIG_INVALID, "smaller claim"),
    (CLAIM_EVENTS, "ProvisioningFailed", 'failed to provision volume with StorageClass "gold": rpc error: code = Internal desc = volume service is down', _R.CONFIG_INVALID, "Fix the claim's storage class"),
    (NODES, "", "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.", _R.UNSCHEDULABLE, "lower the bot class's requests"),
    (NODES, "", "0/3 nodes are available: 3 Insufficient ephemeral-storage.", _R.UNSCHEDULABLE, "lower the bot class's requests"),
    (NODES, "", "0/1 nodes are available: 1 Too many pods.", _R.UNSCHEDULABLE, "maxPods"),
    (NODES, "", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", _R.UNSCHEDULABLE, "extended resource"),
    (NODES, "", "0/3 nodes are available: 3 node(s) had untolerated taint(s).", _R.UNSCHEDULABLE, "toleration"),
    (NODES, "", "0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}.", _R.UNSCHEDULABLE, "toleration"),
    (NODES, "", "0/3 nodes are available: 3 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.", _R.UNSCHEDULABLE, "toleration"),
    *((NODES, "", f"0/3 nodes are available: 3 node(s) had untolerated taint {{{taint}: }}.", _R.UNSCHEDULABLE, "Look at the nodes") for taint in NODE_TAINTS),
    (NODES, "", "0/3 nodes are available: 3 node(s) had untolerated taint {node.kubernetes.io/unschedulable: }.", _R.UNSCHEDULABLE, "uncordon"),
    (NODES, "", "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", _R.UNSCHEDULABLE, "nodeSelector"),
    (NODES, "", "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.", _R.UNSCHEDULABLE, "nodeSelector"),
    (NODES, "", "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.", _R.UNSCHEDULABLE, "nodeSelector"),
    (NODES, "", "0/3 nodes are available: 3 node(s) had volume node affinity conflict.", _R.UNSCHEDULABLE, "zone"),
    (NODES, "", "0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity.", _R.UNSCHEDULABLE, "zone"),
    (NODES, "", "0/3 nodes are available: 3 node(s) were unschedulable.", _R.UNSCHEDULABLE, "uncordon"),
    (NODES, "", "0/3 nodes are available: 3 node(s) had no available volume zone.", _R.UNSCHEDULABLE, "zone"),
    (NODES, "", "0/3 nodes are available: 3 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.", _R.UNSCHEDULABLE, "ReadWriteMany"),
    (NODES, "", "0/3 nodes are available: 3 node(s) exceed max volume count.", _R.UNSCHEDULABLE, "ReadWriteMany"),
    (NODES, "", "no nodes available to schedule pods", _R.UNSCHEDULABLE, "Add a node"),
    (NODES, "", "Scheduling is blocked due to non-empty scheduling gates", _R.UNSCHEDULABLE, "scheduling gates"),
    (IMAGES, "InvalidImageName", 'Failed to apply default image tag "Bot:": couldn\'t parse image name "Bot:": invalid reference format', _R.IMAGE_PULL_FAILED, "Correct the image's name"),
    (IMAGES, "ErrImageNeverPull", 'Container image "bot:1" is not present with pull policy of Never', _R.IMAGE_PULL_FAILED, "imagePullPolicy"),
    (IMAGES, "SignatureValidationFailed", "image pull failed for bot:1 because the signature validation failed", _R.IMAGE_PULL_FAILED, "Sign the image"),
    (IMAGES, "ImagePullBackOff", _BACK_OFF + "rpc error: code = NotFound desc = failed to pull and unpack image: no match for platform in manifest: not found", _R.IMAGE_PULL_FAILED, "architecture"),
    (IMAGES, "ErrImagePull", 'rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/acme/bot:1": failed to resolve reference "docker.io/acme/bot:1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed', _R.IMAGE_PULL_FAILED, "imagePullSecrets"),
    (IMAGES, "ImagePullBackOff", _BACK_OFF + "failed to authorize: failed to fetch anonymous token: unexpected status from GET request: 401 Unauthorized", _R.IMAGE_PULL_FAILED, "imagePullSecrets"),
    (IMAGES, "ErrImagePull", "rpc error: code = Unknown desc = failed to pull image: 429 Too Many Requests - toomanyrequests: You have reached your unauthenticated pull rate limit", _R.IMAGE_PULL_FAILED, "mirror"),
    (IMAGES, "ErrImagePull", 'failed to do request: Head "https://registry.corp/v2/bot/manifests/1": dial tcp: lookup registry.corp: no such host', _R.IMAGE_PULL_FAILED, "reach the registry"),
    (IMAGES, "ErrImagePull", 'failed to do request: Head "https://registry.corp/v2/bot/manifests/1": tls: failed to verify certificate: x509: certificate signed by unknown authority', _R.IMAGE_PULL_FAILED, "certificates"),
    (IMAGES, "ErrImagePull", "failed to extract layer: write /var/lib/containerd/x: no space left on device: unknown", _R.IMAGE_PULL_FAILED, "disk"),
    (IMAGES, "ImagePullBackOff", _PULL + "failed to resolve reference: ghcr.io/acme/bot:1: not found", _R.IMAGE_PULL_FAILED, "no such name or tag"),
    (CONTAINERS, "CreateContainerError", _SECCOMP, _R.CONFIG_INVALID, "seccomp profile on every node"),
    (CONTAINERS, "CreateContainerError", 'setup seccomp: unable to load local profile "/var/lib/kubelet/seccomp/meeting-buddy/chromium.json": open /var/lib/kubelet/seccomp/meeting-buddy/chromium.json: no such file or directory', _R.CONFIG_INVALID, "seccomp profile on every node"),
    (CONTAINERS, "CreateContainerError", "failed to create containerd container: failed to generate apparmor spec opts: apparmor profile not found corp-default", _R.CONFIG_INVALID, "AppArmor profile"),
    (CONTAINERS, "CreateContainerConfigError", 'secret "proxy" not found', _R.CONFIG_INVALID, "Create the Secret"),
    (CONTAINERS, "CreateContainerConfigError", 'configmap "proxy" not found', _R.CONFIG_INVALID, "Create the ConfigMap"),
    (CONTAINERS, "CreateContainerConfigError", "couldn't find key password in Secret meetings/proxy", _R.CONFIG_INVALID, "Add the key"),
    (CONTAINERS, "CreateContainerConfigError", 'container has runAsNonRoot and image will run as root (pod: "x_meetings(1)", container: injected)', _R.CONFIG_INVALID, "numeric user"),
    (CONTAINERS, "CreateContainerConfigError", 'failed to prepare subPath for volumeMount "recordings" of container "bot"', _R.CONFIG_INVALID, "root squashing"),
    (CONTAINERS, "RunContainerError", _SHIM + 'unable to start container process: exec: "/usr/bin/tini": exec format error: unknown', _R.CONFIG_INVALID, "architecture"),
    (CONTAINERS, "RunContainerError", _SHIM + 'unable to start container process: exec: "meeting-buddy-bot": executable file not found in $PATH: unknown', _R.CONFIG_INVALID, "bot image"),
    (CONTAINERS, "RunContainerError", _SHIM + "unable to start container process: container init was OOM-killed (memory limit too low?): unknown", _R.OUT_OF_MEMORY, ""),
    (CONTAINERS, "CreateContainerError", "context deadline exceeded", _R.CONFIG_INVALID, "too slow"),
    (EVENTS, "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached to another', _R.CONFIG_INVALID, "keep all bots on one node"),
    (EVENTS, "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) standup-1', _R.CONFIG_INVALID, "ReadWriteMany"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "link" : secret "teams-link" not found', _R.CONFIG_INVALID, "Create the Secret"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "ca" : configmap "corp-ca" not found', _R.CONFIG_INVALID, "Create the ConfigMap"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "ca" : configmap references non-existent config key: ca.crt', _R.CONFIG_INVALID, "Add the key"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "link" : references non-existent secret key: link', _R.CONFIG_INVALID, "Add the key that the message names to the Secret of spec.meetingLinkSecretRef"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "passcode" : references non-existent secret key: passcode', _R.CONFIG_INVALID, "Add the key that the message names to the Secret of spec.passcodeSecretRef"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "passcode" : secret "board" not found', _R.CONFIG_INVALID, "Create the Secret"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "transcription-key" : secret "speech" not found', _R.CONFIG_INVALID, "name another one in the bot class's transcription.server.keySecret"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "transcription-key" : references non-existent secret key: key', _R.CONFIG_INVALID, "Add the key that the message names to the Secret of the bot class's transcription.server.keySecret"),
    (EVENTS, "FailedMount", 'Unable to attach or mount volumes: error processing PVC meetings/recordings: persistentvolumeclaim "recordings" not found', _R.CONFIG_INVALID, "Create the claim"),
    (EVENTS, "FailedMount", 'MountVolume.MountDevice failed for volume "pvc-1" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name nfs.csi.k8s.io not found in the list of registered CSI drivers', _R.CONFIG_INVALID, "CSI driver"),
    (EVENTS, "FailedMount", 'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32 Mounting command: mount Output: mount.nfs: access denied by server while mounting 10.0.0.1:/x', _R.CONFIG_INVALID, "export rights"),
    (EVENTS, "FailedMount", "Unable to attach or mount volumes: unmounted volumes=[recordings], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition", _R.CONFIG_INVALID, "Fix the volume"),
    (EVENTS, "FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = Could not attach volume', _R.CONFIG_INVALID, "Fix the volume"),
    (EVENTS, "FailedCreatePodSandBox", _SANDBOX + 'failed to get sandbox runtime: no runtime for "runsc" is configured', _R.CONFIG_INVALID, "runtimeClassName"),
    (EVENTS, "FailedCreatePodSandBox", _SANDBOX + "failed to generate seccomp spec opts: seccomp is not supported", _R.CONFIG_INVALID, "seccomp"),
    (EVENTS, "FailedCreatePodSandBox", _SANDBOX + 'failed to setup network for sandbox "1": plugin type="calico" failed (add): error getting ClusterInformation: connection is unauthorized', _R.CONFIG_INVALID, "CNI"),
    (EVENTS, "NetworkNotReady", "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized", _R.CONFIG_INVALID, "CNI"),
    (EVENTS, "FailedCreatePodSandBox", _SANDBOX + "failed to start sandbox container task: context deadline exceeded", _R.CONFIG_INVALID, "container runtime"),
    (EVENTS, "Unhealthy", "Startup probe failed: chromedriver does not answer", _R.BROWSER_CRASHED, "container browser's log"),
    (EVENTS, "NodeNotReady", "Node is not ready", _R.NODE_LOST, "Look at the node"),
    (TERMINATIONS, "DeletionByPodGC", "PodGC: node no longer exists", _R.NODE_LOST, ""),
    (TERMINATIONS, "NodeLost", "Node node1 which was running pod standup-1 is unresponsive", _R.NODE_LOST, ""),
    (TERMINATIONS, "OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000", _R.UNSCHEDULABLE, "node's room"),
    (TERMINATIONS, "NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector", _R.UNSCHEDULABLE, "nodeSelector"),
    (TERMINATIONS, "TaintToleration", "Pod was rejected: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate", _R.UNSCHEDULABLE, "tolerations"),
    (TERMINATIONS, "UnexpectedAdmissionError", "Pod was rejected: Allocate failed due to no healthy devices present, which is unexpected", _R.UNSCHEDULABLE, "kubelet refused"),
    (TERMINATIONS, "VolumeAttachmentLimitExceeded", "Pod was rejected: Node has insufficient volume attachment capacity", _R.UNSCHEDULABLE, "no more volumes"),
    (TERMINATIONS, "InvalidNodeInfo", "Pod was rejected: Kubelet cannot get node info.", _R.UNSCHEDULABLE, "kubelet refused"),
    (TERMINATIONS, "UnknownReason", "Pod was rejected: GetNode failed", _R.UNSCHEDULABLE, "kubelet refused"),
    (TERMINATIONS, "UnexpectedPredicateFailureType", "Pod was rejected: GeneralPredicates failed due to x, which is unexpected.", _R.UNSCHEDULABLE, "kubelet refused"),
    (TERMINATIONS, "SMTAlignmentError", "Pod was rejected: SMT Alignment Error: requested 3 cpus not multiple cpus per core = 2", _R.UNSCHEDULABLE, "kubelet refused"),
    (TERMINATIONS, "SupplementalGroupsPolicyNotSupported", 'Pod was rejected: SupplementalGroupsPolicy=Strict is not supported in this node', _R.CONFIG_INVALID, "support"),
    (TERMINATIONS, "InitContainerRestartPolicyForbidden", "Pod was rejected: Init container browser may not have a non-default restartPolicy", _R.CONFIG_INVALID, "support"),
    (TERMINATIONS, "AppArmor", "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host", _R.CONFIG_INVALID, "support"),
    (TERMINATIONS, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline", _R.MAX_DURATION_REACHED, ""),
    (TERMINATIONS, "Evicted", 'Usage of EmptyDir volume "shm" exceeds the limit "512Mi". ', _R.EVICTED, "temporary folder"),
    (TERMINATIONS, "Evicted", 'Container bot exceeded its local ephemeral storage limit "1Gi". ', _R.EVICTED, "ephemeral-storage limit"),
    (TERMINATIONS, "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", _R.EVICTED, "ephemeral-storage limit"),
    (TERMINATIONS, "Evicted", _LOW + "ephemeral-storage. " + _LAST, _R.EVICTED, "ephemeral-storage request"),
    (TERMINATIONS, "Evicted", "The node had condition: [DiskPressure]. ", _R.EVICTED, "node's disk"),
    (TERMINATIONS, "Evicted", _LOW + "memory. " + _LAST, _R.EVICTED, "memory request"),
    (TERMINATIONS, "Evicted", _LOW + "pids. " + _LAST, _R.EVICTED, "process ids"),
    (TERMINATIONS, "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod", _R.EVICTED, "priorityClassName"),
    (TERMINATIONS, "Preempting", "Preempted in order to admit critical pod", _R.EVICTED, "priorityClassName"),
    (TERMINATIONS, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", _R.EVICTED, "tolerate the taint"),
    (TERMINATIONS, "NodeShutdown", "Pod was rejected as the node is shutting down.", _R.EVICTED, "shut down"),
    (TERMINATIONS, "Terminated", "Pod was terminated in response to imminent node shutdown.", _R.EVICTED, "shut down"),
    (TERMINATIONS, "Evicted", "stopped by an out-of-tree agent", _R.EVICTED, ""),
    (LOST_CONTAINERS, "ContainerStatusUnknown", "The container could not be located when the pod was terminated", _R.NODE_LOST, "restarted"),
    (LOST_CONTAINERS, "Unknown", "", _R.NODE_LOST, "restarted"),
    (STARTS, "StartError", _SHIM + 'unable to start container process: exec: "meeting-buddy-bot": executable file not found in $PATH: unknown', _R.CONFIG_INVALID, "bot image"),
    (STARTS, "StartError", "something new", _R.CONFIG_INVALID, ""),
]

REFUSALS: list[tuple[int, str, str, str]] = [  # HTTP status, the API server's message, kind, part of the remedy
    (403, 'pods "standup-1" is forbidden: failed quota: compute: must specify limits.cpu for: bot,browser', "invalid", "cpuLimit"),
    (403, 'pods "standup-1" is forbidden: failed quota: compute: must specify limits.cpu for: bot,browser; requests.ephemeral-storage for: bot,browser', "invalid", "cpuLimit"),
    (403, 'pods "standup-1" is forbidden: failed quota: disk: must specify limits.ephemeral-storage for: bot,browser', "invalid", "Set what the message names"),
    (403, 'pods "standup-1" is forbidden: exceeded quota: compute, requested: requests.cpu=1500m, used: requests.cpu=9, limited: requests.cpu=10', "quota", ""),
    (403, 'pods "standup-1" is forbidden: maximum cpu usage per Container is 2.  No limit is specified', "invalid", "cpuLimit"),
    (403, 'pods "standup-1" is forbidden: maximum cpu usage per Container is 500m, but request is 1', "invalid", "LimitRange's maximum"),
    (403, 'pods "standup-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi', "invalid", "LimitRange's maximum"),
    (403, 'pods "standup-1" is forbidden: minimum memory usage per Pod is 8Gi, but request is 2Gi', "invalid", "LimitRange's minimum"),
    (403, 'pods "standup-1" is forbidden: memory max limit to request ratio per Container is 1, but provided ratio is 2.000000', "invalid", "closer together"),
    (403, 'pods "standup-1" is forbidden: violates PodSecurity "restricted:latest": seccompProfile (pod or container "bot" must not set securityContext.seccompProfile.type to "Unconfined")', "invalid", "restricted"),
    (403, 'pods "standup-1" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden: not usable by user or serviceaccount]', "invalid", "security context constraint"),
    (403, 'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/meetings/standup-1 was blocked due to the following policies require-limits: validation error: CPU limits are required', "forbidden", "cpuLimit"),
    (403, 'admission webhook "policy.example.com" denied the request: pods must specify a cost centre', "forbidden", "fits the webhook's policy"),
    (403, 'admission webhook "policy.example.com" denied the request: maximum disk usage per team is reached', "forbidden", "fits the webhook's policy"),
    (400, 'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod was blocked: violates PodSecurity baseline', "forbidden", "fits the webhook's policy"),
    (403, 'admission webhook "tenants.example.com" denied the request: exceeded quota of tenant blue', "forbidden", "fits the webhook's policy"),
    (403, "pods \"standup-1\" is forbidden: ValidatingAdmissionPolicy 'limits' with binding 'all' denied request: limits.cpu is required", "invalid", "cpuLimit"),
    (403, "pods \"standup-1\" is forbidden: ValidatingAdmissionPolicy 'labels' with binding 'all' denied request: no more until you exceeded quota", "invalid", "fits the policy"),
    (403, 'pods "standup-1" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 4Gi, maximum cpu usage per Container is 2.  No limit is specified]', "invalid", "cpuLimit"),
    (403, 'pods "standup-1" is forbidden: [minimum memory usage per Pod is 8Gi, but request is 2Gi, minimum cpu usage per Pod is 4, but request is 1]', "invalid", "LimitRange's minimum"),
    (403, "pods \"standup-1\" is forbidden: ValidatingAdmissionPolicy 'labels' with binding 'all' denied request: label team is missing", "invalid", "fits the policy"),
    (403, 'admission webhook "validation.gatekeeper.sh" denied the request: [allowed-repos] container <bot> has an invalid image repo', "forbidden", "fits the webhook's policy"),
    (403, 'pods "standup-1" is forbidden: error looking up service account meetings/recorder: serviceaccount "recorder" not found', "forbidden", "Create the service account"),
    (403, 'pods "standup-1" is forbidden: no PriorityClass with name meetings was found', "forbidden", "Create the PriorityClass"),
    (403, 'pods "standup-1" is forbidden: pod rejected: RuntimeClass "gvisor" not found', "forbidden", "Create the RuntimeClass"),
    (403, 'pods "standup-1" is forbidden: unable to create new content in namespace meetings because it is being terminated', "invalid", "being deleted"),
    (403, 'pods is forbidden: User "system:serviceaccount:mb:operator" cannot create resource "pods" in API group "" in the namespace "meetings"', "forbidden", "chart's role"),
    (403, "something new", "forbidden", "Correct what the message names"),
    (422, 'Pod "standup-1" is invalid: spec.containers[0].resources.requests: Invalid value: "8Gi": must be less than or equal to memory limit of 4Gi', "invalid", "Correct what the message names"),
]
# fmt: on


@pytest.mark.parametrize(
    ("table", "word", "message", "reason", "remedy"),
    MESSAGES,
    ids=[f"{word}: {message[:60]}" for _, word, message, *_ in MESSAGES],
)
def test_each_message_has_its_cause(
    table: tuple[Cause, ...], word: str, message: str, reason: Reason, remedy: str
) -> None:
    found = find(table, word, message)
    assert found is not None
    assert (found.reason, found.remedy is None) == (reason, not remedy)
    assert remedy in (found.remedy or "")


def test_each_row_is_there_for_a_message() -> None:
    used = {id(find(table, word, message)) for table, word, message, *_ in MESSAGES}
    tables = (LOST, UNBOUND, CLAIM_EVENTS, NODES, IMAGES, CONTAINERS, EVENTS, TERMINATIONS, LOST_CONTAINERS)
    assert not [row for table in tables for row in table if id(row) not in used]


@pytest.mark.parametrize(("status", "message", "kind", "remedy"), REFUSALS, ids=lambda value: str(value)[:80])
def test_each_refusal_has_its_cause(status: int, message: str, kind: str, remedy: str) -> None:
    found = create_rejection.rejection("Pod", status, "Forbidden", message, NOW)
    assert (found.kind, found.remedy is None) == (kind, not remedy)
    assert remedy in (found.remedy or "")
    assert message[:200] in found.message


def test_each_rule_is_there_for_a_refusal() -> None:
    remedies = {create_rejection.rejection("Pod", status, "", message, NOW).remedy for status, message, *_ in REFUSALS}
    assert {rule.remedy for rule in create_rejection.RULES} <= remedies


def test_a_refusal_of_the_secret_quotes_nothing_but_a_quota() -> None:
    quoting = create_rejection.rejection("Secret", 403, "Forbidden", 'webhook denied the request: "hunter2"', NOW)
    assert "hunter2" not in quoting.message
    quota = "exceeded quota: objects, requested: secrets=1, used: secrets=10, limited: secrets=10"
    assert create_rejection.rejection("Secret", 403, "Forbidden", quota, NOW).message == quota


# From the facts to what people read

STATUS = {"phase": "Initializing", "attempt": 1, "botPod": make.POD, "scheduledTime": "2026-11-23T10:00:00Z"}


@dataclass(frozen=True)
class Case:
    """A pod that is late or dead, and what its session's message must and must not hold."""

    pod: PodFacts
    reason: Reason
    holds: tuple[str, ...]
    warnings: tuple[PodWarning, ...] = ()
    without: str = ""


def _pending(message: str) -> PodFacts:
    return replace(make.PENDING_POD, scheduled=PodCondition("False", "Unschedulable", message))


def _restarted(name: str = "OOMKilled", code: int = 137, message: str = "") -> ContainerFacts:
    return ContainerFacts(waiting="CrashLoopBackOff", previous=Terminated(code, 0, name, message, None))


_NOT_FOUND = make.ended("The container could not be located", 137, "ContainerStatusUnknown")
_IMMEDIATE = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
_EVICTED = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
_MOUNT_FIRST = PodWarning("FailedMount", 'MountVolume.SetUp failed for volume "assignment" : secret "x" not found')
_RESTARTS = (PodWarning("BackOff", "Back-off restarting failed container browser"), PodWarning("Started", ""))
_NO_SECRET = PodWarning("FailedMount", 'MountVolume.SetUp failed for volume "passcode" : secret "board" not found')
_NO_KEY = PodWarning(
    "FailedMount", 'MountVolume.SetUp failed for volume "passcode" : references non-existent secret key: passcode'
)
_NO_SERVER_KEY = PodWarning(
    "FailedMount", 'MountVolume.SetUp failed for volume "transcription-key" : secret "speech" not found'
)
CASES = {
    "claim that no class can serve": Case(
        _pending(_IMMEDIATE),
        _R.CONFIG_INVALID,
        ("multi writer", "ReadWriteMany needs a shared file system"),
        (PodWarning("FailedScheduling", _IMMEDIATE), PodWarning("ProvisioningFailed", _RWX)),
        "requests",
    ),
    "claim whose driver does not run": Case(
        _pending(_IMMEDIATE),
        _R.CONFIG_INVALID,
        ("Waiting for a volume", "provisioner that runs"),
        (PodWarning("ExternalProvisioning", _NO_DRIVER), PodWarning("FailedScheduling", _IMMEDIATE)),
        "ReadWriteMany",
    ),
    "claim whose driver says why": Case(
        _pending(_IMMEDIATE),
        _R.CONFIG_INVALID,
        ("multi writer", "ReadWriteMany needs a shared file system"),
        (PodWarning("ProvisioningFailed", _RWX), PodWarning("ExternalProvisioning", _NO_DRIVER)),
        "provisioner",
    ),
    "claim that stays unbound, and nobody says why": Case(
        _pending(_IMMEDIATE), _R.CONFIG_INVALID, ("unbound immediate", "storage class"), (), "requests"
    ),
    "nodes with different reasons": Case(
        _pending("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s)."),
        _R.UNSCHEDULABLE,
        ("Insufficient cpu", "lower the bot class's requests", "toleration"),
    ),
    "taint alone": Case(
        _pending("0/1 nodes are available: 1 node(s) had untolerated taint(s)."),
        _R.UNSCHEDULABLE,
        ("toleration",),
        (),
        "requests",
    ),
    "seccomp profile missing": Case(
        make.pod(browser=make.waiting("CreateContainerError", _SECCOMP)),
        _R.CONFIG_INVALID,
        ("container browser: ", "chromium.json", "on every node"),
    ),
    "back-off without a cause, whose Events have it": Case(
        make.pod(browser=make.waiting("ImagePullBackOff", 'Back-off pulling image "ghcr.io/acme/bot:1"')),
        _R.IMAGE_PULL_FAILED,
        ("401 Unauthorized", "imagePullSecrets"),
        (PodWarning("Failed", 'Failed to pull image "ghcr.io/acme/bot:1": 401 Unauthorized'), PodWarning("BackOff", "")),
    ),
    "the browser is OOM-killed again and again": Case(
        make.pod(browser=_restarted()), _R.OUT_OF_MEMORY, ("container browser was OOM-killed",)
    ),
    "the browser was OOM-killed again and again, and runs at this moment": Case(
        make.pod(browser=replace(_restarted(), waiting=None, running=True), started_at=NOW),
        _R.OUT_OF_MEMORY,
        ("container browser was OOM-killed",),
        _RESTARTS,
    ),
    "the browser was OOM-killed at this moment": Case(
        make.pod(browser=make.ended(code=137, reason="OOMKilled"), started_at=NOW),
        _R.OUT_OF_MEMORY,
        ("container browser was OOM-killed",),
        _RESTARTS,
    ),
    "the browser was OOM-killed before, and ends by itself now": Case(
        make.pod(browser=replace(_restarted(), waiting=None, terminated=make.ended(code=1).terminated), started_at=NOW),
        _R.OUT_OF_MEMORY,
        ("container browser was OOM-killed",),
        _RESTARTS,
    ),
    "the browser ended again and again, and runs at this moment": Case(
        make.pod(browser=replace(_restarted("Error", 1), waiting=None, running=True), started_at=NOW),
        _R.BROWSER_CRASHED,
        ("container browser exited with exit status 1", "log of container browser"),
        _RESTARTS,
    ),
    "the browser ran before, and is ready: the bot's image is what is missing": Case(
        make.pod(
            browser=replace(_restarted("Error", 1), waiting=None, running=True, ready=True),
            bot=make.waiting("ErrImagePull", "x: not found"),
        ),
        _R.IMAGE_PULL_FAILED,
        ("container bot: x: not found",),
    ),
    "the browser waits for its volumes once more after its node's restart": Case(
        make.pod(browser=replace(_restarted("Unknown", 255), waiting="PodInitializing"), started_at=NOW),
        _R.CONFIG_INVALID,
        ("no runtime",),
        (PodWarning("FailedCreatePodSandBox", _SANDBOX + 'no runtime for "runsc" is configured'),),
    ),
    "an injected sidecar ended again and again, and runs at this moment": Case(
        make.pod(injected=(("vault-agent", replace(_restarted("Error", 2), waiting=None, running=True)),)),
        _R.CONFIG_INVALID,
        ("container vault-agent exited with exit status 2", "not Meeting Buddy's"),
        (PodWarning("Started", ""), PodWarning("Unhealthy", "Startup probe failed: no token"), PodWarning("BackOff", "")),
    ),
    "an injected sidecar that runs ended when its node was restarted: the image is what is missing": Case(
        make.pod(injected=(("istio-proxy", replace(_restarted("Unknown", 255), waiting=None, running=True)),)),
        _R.IMAGE_PULL_FAILED,
        ("still being pulled",),
        (PodWarning("Started", ""), PodWarning("Pulling", "")),
        "istio-proxy",
    ),
    "an injected sidecar that runs ended when its node was restarted, and nobody says more": Case(
        make.pod(injected=(("istio-proxy", replace(_restarted("ContainerStatusUnknown"), waiting=None, running=True)),), started_at=NOW),
        _R.CONFIG_INVALID,
        ("containers were not running",),
        (),
        "istio-proxy",
    ),
    "an injected sidecar that runs ended once: the image is what is missing": Case(
        make.pod(injected=(("istio-proxy", replace(_restarted("Error", 1), waiting=None, running=True)),)),
        _R.IMAGE_PULL_FAILED,
        ("still being pulled",),
        (PodWarning("Started", ""), PodWarning("Pulling", "")),
        "istio-proxy",
    ),
    "the browser ended when its node was restarted, and is slow to start": Case(
        make.pod(browser=replace(_restarted("Unknown", 255), waiting=None, running=True)),
        _R.BROWSER_CRASHED,
        ("Startup probe failed", "more CPU if it is only slow"),
        (PodWarning("Started", ""), PodWarning("Unhealthy", "Startup probe failed: chromedriver does not answer")),
        "exit status 255",
    ),
    "the browser ends again and again": Case(
        make.pod(browser=_restarted("Error", 1, "no display")),
        _R.BROWSER_CRASHED,
        ("container browser exited with exit status 1: no display", "log of container browser"),
    ),
    "an injected sidecar cannot be pulled": Case(
        make.pod(injected=(("istio-proxy", make.waiting("ErrImagePull", "x: not found")),)),
        _R.IMAGE_PULL_FAILED,
        ("container istio-proxy: x: not found",),
    ),
    "an injected sidecar ends again and again": Case(
        make.pod(injected=(("vault-agent", _restarted("Error", 2)),)),
        _R.CONFIG_INVALID,
        ("container vault-agent exited with exit status 2", "not Meeting Buddy's"),
    ),
    "an injected init container failed": Case(
        make.terminated(
            make.waiting("PodInitializing"),
            injected=(("istio-validation", make.ended("iptables is missing", 126, "Error")),),
        ),
        _R.CONFIG_INVALID,
        ("container istio-validation exited with exit status 126: iptables is missing", "not Meeting Buddy's"),
        (),
        "Read the bot's log",
    ),
    "the passcode's Secret is missing": Case(
        make.STARTING_POD, _R.CONFIG_INVALID, ('secret "board" not found', "Create the Secret"), (_NO_SECRET,)
    ),
    "the passcode's Secret lacks the key": Case(
        make.STARTING_POD, _R.CONFIG_INVALID, ("key: passcode", "Secret of spec.passcodeSecretRef"), (_NO_KEY,)
    ),
    "the transcription server's key is missing": Case(
        make.STARTING_POD,
        _R.CONFIG_INVALID,
        ('secret "speech" not found', "the bot class's transcription.server.keySecret"),
        (_NO_SERVER_KEY,),
    ),
    "an early mount failure that passed is not the cause": Case(
        make.STARTING_POD, _R.IMAGE_PULL_FAILED, ("still being pulled",), (_MOUNT_FIRST, PodWarning("Pulling", ""))
    ),
    "the kubelet never took the pod": Case(
        make.STARTING_POD, _R.NODE_LOST, ("kubelet of node node1 did not take the pod",)
    ),
    "runtime class that no node has": Case(
        make.STARTING_POD,
        _R.CONFIG_INVALID,
        ('no runtime for "runsc"', "runtimeClassName"),
        (PodWarning("FailedCreatePodSandBox", _SANDBOX + 'no runtime for "runsc" is configured'),),
    ),
    "evicted for ephemeral storage": Case(
        make.terminated(
            make.ended(make.last_word("Evicted", message="SIGTERM")),
            reason="Evicted",
            message=_EVICTED,
            disrupted=PodCondition("True", "TerminationByKubelet", _EVICTED),
        ),
        _R.EVICTED,
        (_EVICTED.strip(), "ephemeral-storage limit"),
        (),
        "SIGTERM",
    ),
    "the bot gave up on a browser that was OOM-killed": Case(
        make.terminated(
            make.ended(make.last_word("BrowserCrashed")),
            browser=ContainerFacts(terminated=Terminated(143, 0, "Error", "", None), previous=_restarted().previous),
        ),
        _R.OUT_OF_MEMORY,
        ("container browser was OOM-killed", "memory limit"),
    ),
    "node shutdown": Case(
        make.terminated(
            make.ended(code=137, reason="Error"),
            reason="Terminated",
            message="Pod was terminated in response to imminent node shutdown.",
            disrupted=PodCondition("True", "TerminationByKubelet", "Pod was terminated in response to imminent node shutdown."),
        ),
        _R.EVICTED,
        ("imminent node shutdown", "shut down"),
    ),
    "the kubelet refuses it for a reason that is not in the table": Case(
        make.terminated(ContainerFacts(), reason="OutOfhugepages-2Mi", message="Pod was rejected: Node didn't have enough resource: hugepages-2Mi"),
        _R.UNSCHEDULABLE,
        ("enough resource: hugepages-2Mi", "kubelet refused"),
    ),
    "the kubelet refuses it for such a reason, and says that it cannot find the bot's container": Case(
        make.terminated(_NOT_FOUND, reason="SomethingNew", message="Pod was rejected: no room"),
        _R.UNSCHEDULABLE,
        ("Pod was rejected: no room", "kubelet refused"),
    ),
    "image is not the bot's": Case(
        make.terminated(make.ended(_SHIM + 'exec: "meeting-buddy-bot": executable file not found in $PATH', 128, "StartError")),
        _R.CONFIG_INVALID,
        ("executable file not found", "bot image"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_message_has_the_cause_in_the_clusters_words_and_a_remedy(name: str) -> None:
    case = CASES[name]
    facts = make.facts(make.session(STATUS), case.pod, warnings=case.warnings)
    patch = next(each.patch for each in decide(facts, lambda: later(601)).actions if isinstance(each, PatchStatus))
    message = str(patch["message"])
    assert patch["reason"] == case.reason
    assert all(text.lower() in message.lower() for text in case.holds), message
    assert not case.without or case.without not in message


def test_generic_advice_gives_way_to_a_better_remedy() -> None:
    facts = make.facts(make.session(STATUS), make.pod(browser=make.waiting("CreateContainerError", _SECCOMP)))
    plan = decide(facts, lambda: later(601))
    patch = next(each.patch for each in plan.actions if isinstance(each, PatchStatus))
    assert REASONS[Reason.CONFIG_INVALID].advice not in str(patch["message"])


@pytest.mark.parametrize(
    ("pod", "claim"),
    [
        (_pending(_IMMEDIATE), make.CLASS.storage.claim),
        (make.pod(browser=make.waiting("ImagePullBackOff", 'Back-off pulling image "bot:1"')), None),
        (make.STARTING_POD, None),
        (_pending("0/3 nodes are available: 3 Insufficient memory."), None),
    ],
    ids=["claim", "image", "silence", "no node"],
)
def test_a_late_pod_is_read_once_more_with_its_events(pod: PodFacts, claim: str | None) -> None:
    plan = decide(make.facts(make.session(STATUS), pod, warnings=None), lambda: later(601))
    assert plan.actions == (ReadLatePod(FIRST_BOT, claim),)


@pytest.mark.parametrize("refusal", [each for each in REFUSALS if each[2] == "invalid"], ids=lambda each: each[1][:80])
def test_what_never_mends_itself_ends_the_session_at_once(refusal: tuple[int, str, str, str]) -> None:
    found = create_rejection.rejection("Pod", refusal[0], "Forbidden", refusal[1], NOW)
    patch = next(
        each.patch
        for each in decide(make.facts(make.session(), rejection=found), lambda: later(1)).actions
        if isinstance(each, PatchStatus)
    )
    assert (patch["phase"], patch["reason"]) == ("Failed", "ConfigInvalid")
    assert refusal[1][:200] in str(patch["message"])
    assert str(found.remedy) in str(patch["message"])
