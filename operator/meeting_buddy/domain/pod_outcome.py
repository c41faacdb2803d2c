"""From a pod that ended, or will never start, to a reason, by a documented precedence.

One rule decides, and reason and message always speak of the same container. For a pod that is dead:

1. the bot's own report: a termination message that is a report of this attempt in phase Ended (Evicted in it means that
   it was stopped from outside: a leave or the kubelet's deadline says better why);
2. the kernel: container ``bot`` was OOM-killed;
3. the cluster: node gone (PodGC), evicted, preempted, drained, shut down, deadline, refused by the kubelet;
4. the container could not be created or started at all;
5. somebody deleted the pod;
6. none of these: the bot crashed.
"""

from dataclasses import dataclass
from typing import Final

from meeting_buddy.contract.identity import session_id
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import NAMELESS, Report
from meeting_buddy.contract.report_reader import ReportError, read_report
from meeting_buddy.domain.facts import PodFacts, Terminated

CANNOT_START: Final = frozenset({"ContainerCannotRun", "StartError", "CreateContainerError", "RunContainerError"})
_REFUSED_BY_KUBELET: Final = frozenset(
    {"NodeAffinity", "UnexpectedAdmissionError", "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage"}
)
_STOPPED_FROM_OUTSIDE: Final = frozenset({"Evicted", "Preempting", "Terminated", "NodeShutdown", "Shutdown"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why an attempt ended, and the bot's last report if it left one."""

    reason: Reason
    message: str | None = None
    report: Report | None = None


def of_dead_pod(pod: PodFacts, uid: str, *, leaving: bool) -> Outcome:
    """Outcome of a pod in which nothing runs any more.

    Args:
        pod: the pod.
        uid: its session's uid, to which a report must belong.
        leaving: whether the session's author wanted the bot to leave.
    """
    told = termination_report(pod, uid)
    if told is not None and told.reason is not None:
        if told.reason is Reason.EVICTED:
            return Outcome(*_stopped(pod, told.message, leaving=leaving), told)
        return Outcome(told.reason, told.message, told)
    ended = pod.bot.terminated
    reason, message = (
        _out_of_memory(ended)
        or _disrupted(pod, leaving=leaving)
        or _never_started(ended)
        or _deleted(pod, leaving=leaving)
        or _crashed(ended)
    )
    return Outcome(reason, message, told)


def of_vanished_pod(last_seen: PodFacts | None, uid: str, report: Report | None, *, leaving: bool) -> Outcome:
    """Outcome of a pod that is not there any more although nobody recorded how it ended (its finalizer was forced).

    The last report counts if the bot had ended by its own account; otherwise what was last seen of the pod.
    """
    if report is not None and report.phase is ReportPhase.ENDED and report.reason is not None:
        return Outcome(report.reason, report.message, report)
    if last_seen is not None:
        told = termination_report(last_seen, uid)
        if told is not None or last_seen.terminated:
            return of_dead_pod(last_seen, uid, leaving=leaving)
        found = _disrupted(last_seen, leaving=leaving) or _deleted(last_seen, leaving=leaving)
        if found:
            return Outcome(*found, report)
    if leaving:
        return Outcome(Reason.LEAVE_REQUESTED, "the pod was removed after it was asked to leave", report)
    return Outcome(Reason.BOT_CRASHED, "the pod was removed before it reported an outcome", report)


def termination_report(pod: PodFacts, uid: str) -> Report | None:
    if pod.bot.terminated is None or not pod.bot.terminated.message:
        return None
    try:
        report = read_report(pod.bot.terminated.message)
    except ReportError:
        return None
    # A bot whose assignment cannot be read does not know whose it is; it says so, and the message is its own pod's.
    nameless = (report.session_id, report.attempt) == NAMELESS
    belongs = nameless or (report.session_id == session_id(uid) and report.attempt == pod.attempt)
    return report if belongs and report.phase is ReportPhase.ENDED else None


def _stopped(pod: PodFacts, message: str | None, *, leaving: bool) -> tuple[Reason, str | None]:
    if leaving:
        return Reason.LEAVE_REQUESTED, None
    if pod.reason == "DeadlineExceeded":
        return Reason.MAX_DURATION_REACHED, "the kubelet ended the pod at spec.activeDeadlineSeconds"
    if pod.disrupted is not None:
        return Reason.EVICTED, pod.disrupted.message or pod.disrupted.reason
    return Reason.EVICTED, message or "the pod was stopped from outside"


def _out_of_memory(terminated: Terminated | None) -> tuple[Reason, str] | None:
    if terminated is not None and terminated.reason == "OOMKilled":
        return Reason.OUT_OF_MEMORY, "container bot was OOM-killed"
    return None


def _disrupted(pod: PodFacts, *, leaving: bool) -> tuple[Reason, str] | None:
    if pod.disrupted is not None and pod.disrupted.reason == "DeletionByPodGC" and pod.node is not None:
        return Reason.NODE_LOST, f"node {pod.node} is gone"
    if pod.reason == "NodeLost":
        return Reason.NODE_LOST, pod.message or f"node {pod.node} is gone"
    if pod.reason in _REFUSED_BY_KUBELET:
        return Reason.UNSCHEDULABLE, pod.message or pod.reason
    if pod.reason == "DeadlineExceeded" or pod.disrupted is not None or pod.reason in _STOPPED_FROM_OUTSIDE:
        reason, message = _stopped(pod, pod.message or None, leaving=leaving)
        return reason, message or ""
    return None


def _never_started(terminated: Terminated | None) -> tuple[Reason, str] | None:
    if terminated is not None and terminated.reason in CANNOT_START:
        return Reason.CONFIG_INVALID, f"container bot could not start: {terminated.message or terminated.reason}"
    return None


def _deleted(pod: PodFacts, *, leaving: bool) -> tuple[Reason, str] | None:
    if pod.deleted_at is None:
        return None
    if leaving:
        return Reason.LEAVE_REQUESTED, ""
    return Reason.EVICTED, "the pod was deleted" + ("" if pod.bot.terminated else " before its bot started")


def _crashed(terminated: Terminated | None) -> tuple[Reason, str]:
    if terminated is None:
        return Reason.BOT_CRASHED, "container bot never started"
    by = f"signal {terminated.signal}" if terminated.signal else f"exit status {terminated.exit_code}"
    return Reason.BOT_CRASHED, f"container bot exited with {by}, without a termination report"
