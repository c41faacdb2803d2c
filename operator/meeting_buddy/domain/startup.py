"""Why a pod that should run by now does not: from the kubelet's and the scheduler's words to a reason.

Nothing here is final before the bot class's ``startupTimeoutSeconds`` are over (a claim, a Secret or a node may come
later than the session, as GitOps applies them in any order), except what can never mend itself.
"""

from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.facts import ContainerFacts, PodFacts, PodWarning
from meeting_buddy.domain.pod_outcome import Outcome

IMAGE: Final = frozenset(
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
_HOPELESS: Final = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_CONFIG: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_VOLUME_EVENTS: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})


def started(pod: PodFacts) -> bool:
    """Whether container ``bot`` ever ran."""
    return pod.bot.running or pod.bot.terminated is not None


def hopeless(pod: PodFacts) -> Outcome | None:
    """What waiting cannot mend."""
    for name, container in (("browser", pod.browser), ("bot", pod.bot)):
        if container.waiting in _HOPELESS:
            return _container(name, container)
    return None


def explained(pod: PodFacts) -> bool:
    """Whether the pod itself says why it does not start; if not, only its events can."""
    return pod.node is None or any(
        _container(name, container) for name, container in (("browser", pod.browser), ("bot", pod.bot))
    )


def failure(pod: PodFacts, warnings: tuple[PodWarning, ...], seconds: int) -> Outcome:
    """Why a pod did not start in time; scheduler first, then each container's word, then the pod's events."""
    if pod.node is None:
        return _not_scheduled(pod, seconds)
    for name, container in (("browser", pod.browser), ("bot", pod.bot)):
        found = _container(name, container)
        if found is not None:
            return found
    return _from_events(warnings, seconds)


def _not_scheduled(pod: PodFacts, seconds: int) -> Outcome:
    message = pod.scheduled.message if pod.scheduled else ""
    if "persistentvolumeclaim" in message:
        return Outcome(Reason.CONFIG_INVALID, _sentence(message))
    return Outcome(Reason.UNSCHEDULABLE, _sentence(message) or f"no node took the pod within {seconds} s")


def _container(name: str, container: ContainerFacts) -> Outcome | None:
    if container.waiting in IMAGE:
        detail = container.waiting_message or container.waiting or ""
        return Outcome(Reason.IMAGE_PULL_FAILED, f"container {name}: {_sentence(detail)}")
    if container.waiting in _CONFIG:
        detail = container.waiting_message or container.waiting or ""
        return Outcome(Reason.CONFIG_INVALID, f"container {name}: {_sentence(detail)}")
    if container.waiting == "CrashLoopBackOff":
        return Outcome(Reason.BROWSER_CRASHED, f"container {name} ended again and again before the bot could start")
    return None


def _from_events(warnings: tuple[PodWarning, ...], seconds: int) -> Outcome:
    for warning in reversed(warnings):
        if warning.reason in _VOLUME_EVENTS:
            return Outcome(Reason.CONFIG_INVALID, _sentence(warning.message))
    reasons = [warning.reason for warning in warnings]
    if "Pulling" in reasons and "Pulled" not in reasons:
        return Outcome(Reason.IMAGE_PULL_FAILED, f"the image was still being pulled after {seconds} s")
    for warning in reversed(warnings):
        if warning.reason.startswith("Failed"):
            return Outcome(Reason.CONFIG_INVALID, _sentence(warning.message))
    return Outcome(Reason.CONFIG_INVALID, f"the pod's containers were not running after {seconds} s; see its events")


def _sentence(message: str) -> str:
    """First line, at most 400 characters: kubelets are talkative and status is short."""
    return message.strip().split("\n", 1)[0][:400]
