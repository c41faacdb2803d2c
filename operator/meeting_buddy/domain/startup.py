"""Why a pod that should run by now does not: from the kubelet's and the scheduler's words to a cause and a remedy.

Nothing here is final before the bot class's ``startupTimeoutSeconds`` are over (a claim, a Secret or a node may come
later than the session, as GitOps applies them in any order), except what never changes by waiting.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.causes import Cause, Outcome, find, sentence
from meeting_buddy.domain.facts import ContainerFacts, PodFacts, PodWarning
from meeting_buddy.domain.startup_causes import (
    CLAIM_EVENTS,
    CLAIM_WORDS,
    CONFIG_WORDS,
    CONTAINERS,
    EVENTS,
    IMAGE_WORDS,
    IMAGES,
    LOST_CLAIMS,
    NODES,
    UNANSWERED_CLAIM,
    UNBOUND_CLAIMS,
)
from meeting_buddy.domain.termination_causes import LOST_CONTAINERS

_UNRECOVERABLE: Final = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_VOLUMES_ARE_THERE: Final = frozenset({"Pulling", "Pulled", "Created", "Started"})
"""Events that come only after every volume was mounted and the sandbox made."""
INJECTED_REMEDY: Final = (
    "Read that container's log: it is not Meeting Buddy's, so fix or switch off what injects it into pods of this "
    "namespace."
)


def started(pod: PodFacts) -> bool:
    """Whether container ``bot`` runs, or has ended."""
    return pod.bot.started


def unrecoverable(pod: PodFacts) -> Outcome | None:
    """What waiting cannot fix."""
    for name, container in _containers(pod):
        if container.waiting in _UNRECOVERABLE:
            return _container(name, container, ())
    return None


def waits_for_image(pod: PodFacts) -> str | None:
    """Name of a container of ours whose image cannot be pulled yet."""
    return next((name for name, container in _own(pod) if container.waiting in IMAGE_WORDS), None)


def waits_for_claim(pod: PodFacts) -> bool:
    """Whether the scheduler waits for a claim, of which the claim's own Events know more."""
    return pod.node is None and find(UNBOUND_CLAIMS, "", _scheduler_message(pod)) is not None


def failure(pod: PodFacts, warnings: tuple[PodWarning, ...], seconds: int) -> Outcome:
    """Why a pod did not start in time; scheduler first, then each container's word, then Events.

    Last come injected containers that ended before and run now.
    """
    if pod.node is None:
        return _not_scheduled(pod, warnings, seconds)
    # What runs now may have ended for something that is over: the Events know more.
    running = [each for each in pod.injected if each[1].running]
    others = [each for each in _containers(pod) if each not in running]
    return (
        _first_failed(others, warnings)
        or _from_events(pod, warnings, seconds)
        or _first_failed(running, warnings)
        or _silent(pod, seconds)
    )


def exit_text(container: ContainerFacts) -> str:
    """How a container ended, last or the time before."""
    ended = container.terminated or container.previous
    if ended is None:
        return "ended again and again"
    if ended.reason == "OOMKilled":
        return "was OOM-killed"
    by = f"signal {ended.signal}" if ended.signal else f"exit status {ended.exit_code}"
    detail = sentence(ended.message)
    return f"exited with {by}" + (f": {detail}" if detail else "")


def _own(pod: PodFacts) -> Iterator[tuple[str, ContainerFacts]]:
    yield "browser", pod.browser
    yield "bot", pod.bot


def _containers(pod: PodFacts) -> Iterator[tuple[str, ContainerFacts]]:
    yield from _own(pod)
    yield from pod.injected


def _scheduler_message(pod: PodFacts) -> str:
    """Without the part about preemption, which repeats the nodes and names no cause."""
    return sentence(pod.scheduled.message).partition(" preemption: ")[0] if pod.scheduled else ""


def _not_scheduled(pod: PodFacts, warnings: tuple[PodWarning, ...], seconds: int) -> Outcome:
    message = _scheduler_message(pod)
    claim = find(LOST_CLAIMS, "", message)
    if claim is not None:
        return Outcome(claim.reason, message, remedy=claim.remedy)
    claim = find(UNBOUND_CLAIMS, "", message)
    if claim is not None:
        said = [warning for warning in warnings if warning.reason in CLAIM_WORDS]
        said = said or [warning for warning in warnings if warning.reason == UNANSWERED_CLAIM]
        if said:
            row = find(CLAIM_EVENTS, said[-1].reason, said[-1].message) or claim
            return Outcome(row.reason, sentence(said[-1].message), remedy=row.remedy)
        return Outcome(claim.reason, message, remedy=claim.remedy)
    remedies = dict.fromkeys(row.remedy for row in NODES if row.remedy and row.matches("", message))
    remedy = " ".join(remedies) or None
    return Outcome(Reason.UNSCHEDULABLE, message or f"no node took the pod within {seconds} s", remedy=remedy)


def _first_failed(containers: Iterable[tuple[str, ContainerFacts]], warnings: tuple[PodWarning, ...]) -> Outcome | None:
    found = (_container(name, container, warnings) for name, container in containers)
    return next((each for each in found if each is not None), None)


def _container(name: str, container: ContainerFacts, warnings: tuple[PodWarning, ...]) -> Outcome | None:
    word = container.waiting or ""
    detail = sentence(container.waiting_message) or word
    if word in IMAGE_WORDS:
        return _image(name, word, detail, warnings)
    if word in CONFIG_WORDS:
        row = find(CONTAINERS, word, detail) or Cause((), "", Reason.CONFIG_INVALID)
        return Outcome(row.reason, f"container {name}: {detail}", remedy=row.remedy)
    if not _ends_again_and_again(container):
        return None
    if name not in ("browser", "bot"):
        return Outcome(Reason.CONFIG_INVALID, f"container {name} {exit_text(container)}", remedy=INJECTED_REMEDY)
    if container.oom_killed:
        return Outcome(Reason.OUT_OF_MEMORY, f"container {name} was OOM-killed")
    return Outcome(
        Reason.BROWSER_CRASHED,
        f"container {name} {exit_text(container)}; the bot could not start",
        remedy=f"Read the log of container {name}, and give the bot class more CPU if it is only slow.",
    )


def _ends_again_and_again(container: ContainerFacts) -> bool:
    """Whether it is in a crash loop: one moment it waits for its restart, the next it runs, or has just ended.

    An end that nobody saw is its node's, which was restarted, or its runtime's.
    """
    if container.waiting is not None:
        return container.waiting == "CrashLoopBackOff"
    last = container.terminated or container.previous
    return not container.ready and last is not None and find(LOST_CONTAINERS, last.reason, last.message) is None


def _image(name: str, word: str, detail: str, warnings: tuple[PodWarning, ...]) -> Outcome:
    """Until Kubernetes 1.32 a back-off does not repeat why the pull failed; the pod's Events do."""
    texts = [detail, *(sentence(each.message) for each in reversed(warnings) if each.reason == "Failed")]
    for text in texts:
        row = find(IMAGES, word, text)
        if row is not None:
            return Outcome(row.reason, f"container {name}: {text}", remedy=row.remedy)
    return Outcome(Reason.IMAGE_PULL_FAILED, f"container {name}: {detail}")


def _from_events(pod: PodFacts, warnings: tuple[PodWarning, ...], seconds: int) -> Outcome | None:
    """The newest that explains it; older ones may be over."""
    passed: set[str] = set()
    for warning in reversed(warnings):
        if warning.reason == "Pulling" and "Pulled" not in passed:
            return Outcome(
                Reason.IMAGE_PULL_FAILED,
                f"the image was still being pulled after {seconds} s",
                remedy="Pull the image onto the nodes beforehand, or raise the bot class's startupTimeoutSeconds.",
            )
        if warning.reason in _VOLUMES_ARE_THERE:
            passed.add(warning.reason)
            continue
        if warning.reason == "Unhealthy" and (pod.browser.ready or not pod.browser.running):
            continue  # an injected container's probe
        over = passed and warning.reason not in ("Unhealthy", "NodeNotReady", "Failed")
        row = None if over else find(EVENTS, warning.reason, warning.message)
        if row is None and warning.reason == "Failed":
            row = find(CONTAINERS, warning.reason, warning.message) or Cause((), "", Reason.CONFIG_INVALID)
        if row is not None:
            return Outcome(row.reason, sentence(warning.message), remedy=row.remedy)
    return None


def _silent(pod: PodFacts, seconds: int) -> Outcome:
    if pod.started_at is None:
        return Outcome(
            Reason.NODE_LOST,
            f"the kubelet of node {pod.node} did not take the pod within {seconds} s",
            remedy="Look at the node: its kubelet does not answer.",
        )
    return Outcome(
        Reason.CONFIG_INVALID,
        f"the pod's containers were not running after {seconds} s",
        remedy="Look at the pod's Events and at the node, or raise the bot class's startupTimeoutSeconds.",
    )
