"""From a pod that ended, or will never start, to a reason, by a documented precedence.

One rule decides, and reason and message always speak of the same container. For a pod that is dead:

1. the bot's own report: a termination message that is a report of this attempt in phase Ended (Evicted in it means that
   it was stopped from outside: a leave or the kubelet's deadline says better why);
2. the kernel: a container was OOM-killed (``browser``: if the bot gave up for it);
3. the cluster: node gone (PodGC), evicted, preempted, drained, shut down, deadline, refused by the kubelet;
4. a container could not be created or started at all, or one that somebody injected failed before the bot started;
5. somebody deleted the pod;
6. none of these: the bot crashed.

What the cluster says is looked up in a table of causes, row by row in this order.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from meeting_buddy.contract.identity import Role, session_id
from meeting_buddy.contract.phases import ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.contract.report_reader import ReportError, read_report
from meeting_buddy.domain.causes import Cause, Outcome, find, sentence
from meeting_buddy.domain.facts import PodFacts
from meeting_buddy.domain.startup import INJECTED_REMEDY, exit_text
from meeting_buddy.domain.termination_causes import LOST_CONTAINERS, OTHER_REFUSAL, STARTS, TERMINATIONS

_FROM_OUTSIDE: Final = (Reason.EVICTED, Reason.NODE_LOST, Reason.UNSCHEDULABLE)
"""Reasons for which the same pod on another node, or a moment later, may come to its end."""
KUBELET_SLACK: Final = timedelta(seconds=30)
"""What a kubelet that works may need to notice a deadline and to report the end."""


def bot_ended_at(pod: PodFacts, uid: str) -> datetime | None:
    """From when on the end of container ``bot`` is the pod's end, although other containers run.

    An injected ordinary sidecar keeps a pod Running for ever. Where the bot's report or the kernel says why it ended,
    that is at once; otherwise the kubelet gets the grace period, by this process's clock: until no container runs it
    does not say that it evicted the pod or shut its node down. A finisher's report has the bot's reason, and says
    nothing of what stopped the finisher.
    """
    ended = pod.bot.terminated
    if ended is None:
        return None
    report = termination_report(pod, uid)
    stopped = pod.role is Role.FINISHER and (pod.deleted_at is not None or pod.disrupted is not None)
    told = report is not None and report.reason is not Reason.EVICTED and not stopped
    explained = ended.reason == "OOMKilled" or told
    at = pod.bot_terminated_at or pod.created_at
    return at if explained else (pod.bot_ended_seen_at or at) + timedelta(seconds=pod.grace_seconds)


def lost_at(pod: PodFacts) -> datetime | None:
    """From when on a pod whose node is silent counts as over; until then it may be in the meeting.

    Its kubelet ends it at ``activeDeadlineSeconds``, whether or not the API server can be reached. A ready pod that
    nobody deletes is not on a silent node: the control plane takes readiness away when a node stops reporting.
    """
    silent = pod.deleted_at is not None or pod.ready_since is None
    if pod.terminated or not silent or pod.started_at is None or pod.active_deadline_seconds is None:
        return None
    return pod.started_at + timedelta(seconds=pod.active_deadline_seconds + pod.grace_seconds) + KUBELET_SLACK


def of_lost_pod(pod: PodFacts) -> Outcome:
    """Outcome of a pod whose node says nothing although the pod's own deadline is over."""
    return Outcome(Reason.NODE_LOST, f"node {pod.node} is unreachable, and the pod's activeDeadlineSeconds has passed")


def of_terminated_pod(pod: PodFacts, uid: str, *, leaving: bool) -> Outcome:
    """Outcome of a pod in which nothing runs any more.

    Args:
        pod: the pod.
        uid: its session's uid, to which a report must belong.
        leaving: whether the session's author wanted the bot to leave.
    """
    report = termination_report(pod, uid)
    if report is not None and report.reason is not None:
        found = _reported(pod, report, leaving=leaving)
    else:
        found = (
            _out_of_memory(pod)
            or _disrupted(pod, leaving=leaving)
            or _never_started(pod)
            or _deleted(pod, leaving=leaving)
            or _container_lost(pod)
            or _crashed(pod)
        )
    return replace(found, report=report)


def taken_away(pod: PodFacts) -> Outcome | None:
    """Why a pod in which nothing runs any more had to go, whether or not its work was done; ``None``: it ended."""
    if not pod.terminated:
        return None
    found = _disrupted(pod, leaving=False) or _deleted(pod, leaving=False) or _container_lost(pod)
    return found if found is not None and found.reason in _FROM_OUTSIDE else None


def of_missing_pod(last_seen: PodFacts | None, uid: str, report: Report | None, *, leaving: bool) -> Outcome:
    """Outcome of a pod that is not there any more although nobody recorded how it ended (its finalizer was forced).

    The last report counts if the bot had ended by its own account; otherwise what was last seen of the pod.
    """
    if report is not None and report.phase is ReportPhase.ENDED and report.reason is not None:
        return Outcome(report.reason, report.message, report)
    if last_seen is not None:
        report = termination_report(last_seen, uid)
        if report is not None or last_seen.terminated:
            return of_terminated_pod(last_seen, uid, leaving=leaving)
        found = _disrupted(last_seen, leaving=leaving) or _deleted(last_seen, leaving=leaving)
        if found is not None:
            return replace(found, report=report)
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
    belongs = report.nameless or (report.session_id == session_id(uid) and report.attempt == pod.attempt)
    return report if belongs and report.phase is ReportPhase.ENDED else None


def _reported(pod: PodFacts, report: Report, *, leaving: bool) -> Outcome:
    """The bot's own report; it does not know who stopped it, nor what killed its browser."""
    reason = report.reason or Reason.BOT_CRASHED
    if reason is Reason.EVICTED:
        if leaving:
            return Outcome(Reason.LEAVE_REQUESTED)
        message = report.message or "the pod was stopped from outside"
        found = Outcome(reason, message, remedy="Keep bots on nodes that are not drained.")
        return _disrupted(pod, leaving=False) or found
    if reason is Reason.BROWSER_CRASHED and pod.browser.oom_killed:
        return Outcome(Reason.OUT_OF_MEMORY, "container browser was OOM-killed")
    return Outcome(reason, report.message)


def _out_of_memory(pod: PodFacts) -> Outcome | None:
    if pod.bot.terminated is not None and pod.bot.terminated.reason == "OOMKilled":
        return Outcome(Reason.OUT_OF_MEMORY, "container bot was OOM-killed")
    return None


def _disrupted(pod: PodFacts, *, leaving: bool) -> Outcome | None:
    """The pod's own reason comes first: its message says more than the condition's."""
    disrupted = pod.disrupted
    said = [(pod.reason, pod.message)] if pod.reason else []
    if disrupted is not None and not (disrupted.reason == "DeletionByPodGC" and pod.node is None):
        said.append((disrupted.reason, disrupted.message or pod.message))
    for word, message in said:
        row = find(TERMINATIONS, word, message)
        if row is not None:
            return _stopped(row, sentence(message) or word, pod, leaving=leaving)
    if disrupted is not None:
        return _stopped(
            Cause((), "", Reason.EVICTED), sentence(disrupted.message) or disrupted.reason, pod, leaving=leaving
        )
    if pod.reason and pod.phase == "Failed" and not pod.bot.ran:
        return _stopped(OTHER_REFUSAL, sentence(pod.message) or pod.reason, pod, leaving=leaving)
    return None


def _stopped(row: Cause, message: str, pod: PodFacts, *, leaving: bool) -> Outcome:
    if leaving and row.reason in (Reason.EVICTED, Reason.MAX_DURATION_REACHED):
        return Outcome(Reason.LEAVE_REQUESTED)
    if row.reason is Reason.NODE_LOST:
        message = f"node {pod.node} is gone: {message}"
    return Outcome(row.reason, message, remedy=row.remedy)


def _container_lost(pod: PodFacts) -> Outcome | None:
    ended = pod.bot.terminated
    row = find(LOST_CONTAINERS, ended.reason, ended.message) if ended is not None else None
    if row is None:
        return None
    text = "the node lost container bot" if pod.bot.ran else "the node ended the pod before container bot started"
    return Outcome(row.reason, text, remedy=row.remedy)


def _never_started(pod: PodFacts) -> Outcome | None:
    ended = pod.bot.terminated
    if ended is None:
        # Those of a pod that was deleted end for that, with whatever exit status.
        for name, container in pod.injected if pod.deleted_at is None else ():
            if container.terminated is not None:
                text = f"container {name} {exit_text(container)}, so container bot never started"
                return Outcome(Reason.CONFIG_INVALID, text, remedy=INJECTED_REMEDY)
        return None
    row = find(STARTS, ended.reason, ended.message)
    if row is None:
        return None
    detail = sentence(ended.message) or ended.reason
    return Outcome(row.reason, f"container bot could not start: {detail}", remedy=row.remedy)


def _deleted(pod: PodFacts, *, leaving: bool) -> Outcome | None:
    if pod.deleted_at is None:
        return None
    if leaving:
        return Outcome(Reason.LEAVE_REQUESTED)
    return Outcome(Reason.EVICTED, "the pod was deleted" + ("" if pod.bot.terminated else " before its bot started"))


def _crashed(pod: PodFacts) -> Outcome:
    ended = pod.bot.terminated
    if ended is None:
        return Outcome(Reason.BOT_CRASHED, "container bot never started")
    by = f"signal {ended.signal}" if ended.signal else f"exit status {ended.exit_code}"
    return Outcome(Reason.BOT_CRASHED, f"container bot exited with {by}, without a termination report")
