"""One session that exists, at one moment, with what follows from its facts: what rules, conditions and status read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, Literal, Self

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import PodId, Role
from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.phases import Phase, ReportPhase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.domain import phases, pod_outcome, reconcile_error, times
from meeting_buddy.domain.admission import AdmissionResult, validate
from meeting_buddy.domain.facts import (
    AttemptFacts,
    CreateRejection,
    Facts,
    PodFacts,
    ReconcileError,
    SessionFacts,
    StreamFacts,
)
from meeting_buddy.domain.plan import Action, DeletePod, ReleaseFinalizer
from meeting_buddy.resource.bot_class import Timeouts

UNREACHABLE_AFTER: Final = timedelta(seconds=10)
"""A stream that is cut for less is not reported: bots and operators restart, and networks fail for a moment."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The facts with what follows from them; ``going_on`` and ``ended`` give the one that is written.

    Without slots: what nearly every rule asks for is found once.
    """

    facts: Facts
    session: SessionFacts
    now: datetime
    admission: AdmissionResult
    """Whether it may have a bot; of one that has, the platform alone, as its link does not change any more."""
    phase: Phase
    """As the facts show it; terminal only once the session has ended."""
    report: Report | None
    """The bot's last one: from its stream, or what it left when it ended.

    ``None`` while its files are finished: the status holds its last word, and its stream never told that.
    """
    reason: Reason | None = None
    """Only once the session has ended, or its bot has and its files are being finished."""
    message: str | None = None
    has_bot: bool = False
    """Whether this attempt has or had a bot's pod, or is given one by this very plan."""
    creating: bool = False
    """Whether this very plan makes the current pod."""

    @classmethod
    def of(cls, facts: Facts, session: SessionFacts, now: datetime) -> Self:
        """Evaluate the facts of a session that goes on; the only place that validates the spec of one without a bot."""
        known = session.status.platform if session.status.bot_pod is not None else None
        found = cls(
            facts=facts,
            session=session,
            now=now,
            admission=AdmissionResult(known) if known is not None else validate(session, facts.installation),
            phase=session.status.phase or Phase.INITIALIZING,
            report=None if facts.current.role is Role.FINISHER else facts.of(facts.current).report,
            reason=session.status.reason,
        )
        if found.bot_pod is None and session.status.bot_pod is None:  # what is known is of a pod that is no more
            found = replace(found, report=None)
        if found.finishing and found.reason is None:  # the status was emptied, and the bot's pod is gone
            return replace(found, phase=Phase.LEAVING, reason=Reason.BOT_CRASHED, has_bot=True)
        phase = phases.current(session.status.phase, found.bot_pod, found.report)
        if found.bot_pod is not None or session.status.bot_pod is not None:
            return replace(found, phase=phase, has_bot=True)
        if not found.finishing and times.refused_before_due(found.known.rejection, session, found.timeouts):
            forgotten = {**facts.attempts, found.current: replace(found.known, rejection=None)}
            found = replace(found, facts=replace(facts, attempts=forgotten))
        return replace(found, phase=Phase.SCHEDULED if found.ahead and found.is_first else phase)

    def going_on(self, phase: Phase, message: str | None, *, creating: bool) -> Self:
        """The snapshot to be written of a session that goes on."""
        has_bot = self.has_bot or (creating and not self.finishing)
        return replace(self, phase=phase, message=message, creating=creating, has_bot=has_bot)

    def ended(self, phase: Phase, reason: Reason, message: str, report: Report | None) -> Self:
        """The snapshot to be written of a session that ends now, or whose bot did (phase Leaving)."""
        return replace(self, phase=phase, reason=reason, message=message, report=report)

    @property
    def attempt(self) -> int:
        return self.current.attempt

    @property
    def is_first(self) -> bool:
        """Whether no attempt failed before this one: a pod that was outdated before its bot started was none."""
        return self.attempt == 1 or not self.session.status.attempt

    @cached_property
    def current(self) -> PodId:
        """The pod that the session has now, or waits for."""
        return self.facts.current

    @property
    def finishing(self) -> bool:
        """Whether the bot has ended, and only its files are still to be finished."""
        return self.current.role is Role.FINISHER

    @cached_property
    def pod(self) -> PodFacts | None:
        """The one that the session has now: its bot's, or the finisher's."""
        return self._pod(self.current)

    @cached_property
    def bot_pod(self) -> PodFacts | None:
        """Its bot's, also while the finisher works."""
        return self._pod(PodId(self.attempt))

    @property
    def finisher_pod(self) -> PodFacts | None:
        """The one that finishes this attempt's files; also where an emptied status does not say that any more."""
        return self._pod(PodId(self.attempt, Role.FINISHER))

    @property
    def former_pods(self) -> tuple[PodFacts, ...]:
        """Pods of this session whose outcome stands in the status, although the session goes on."""
        found = (self._pod(each.id) for each in self.facts.pods if each.id != self.current)
        return tuple(each for each in found if each is not None)

    @property
    def refusal(self) -> CreateRejection | None:
        """Why the API server did not take the pod; ``None``: it took it, or something else is wrong by now."""
        refused, error = self.known.rejection, self.facts.persistent_error
        return None if refused is not None and error is not None and error.since > refused.at else refused

    @property
    def tried(self) -> int:
        """Attempts that began, this one included: a pod that was outdated before its bot started was none.

        As far as this process knows: who operates next counts it.
        """
        outdated = (which for which, known in self.facts.attempts.items() if known.outdated is not None)
        return self.attempt - sum(which.attempt < self.attempt for which in outdated)

    @property
    def living_former_pod(self) -> PodFacts | None:
        """An earlier pod of which something may still run: until it is dead no other is made.

        One that vanished without that was removed by force; if its bot had ended before, that is enough.
        """
        there = {pod.id for pod in self.former_pods}
        known = (each.last_seen for which, each in self.facts.attempts.items() if which not in there)
        vanished = (pod for pod in known if pod is not None and pod.id < self.current and pod.bot.terminated is None)
        return next((pod for pod in (*self.former_pods, *vanished) if not pod.terminated), None)

    def _pod(self, which: PodId) -> PodFacts | None:
        name = identity.pod_name(self.session.name, self.session.uid, *which)
        return next((pod for pod in self.facts.pods if pod.name == name and not pod.orphaned), None)

    @property
    def named(self) -> bool:
        """Whether the status names the current pod: one that is missing was there."""
        status = self.session.status
        return (status.finisher_pod if self.finishing else status.bot_pod) is not None

    @property
    def bot_name(self) -> str | None:
        """Name of the bot's pod that the session has, had or is given now."""
        return identity.pod_name(self.session.name, self.session.uid, self.attempt) if self.has_bot else None

    @property
    def finisher_name(self) -> str | None:
        """Name of the finisher that the session has, had or is given now."""
        made = self.finishing and (self.pod is not None or self.named or self.creating)
        return identity.pod_name(self.session.name, self.session.uid, *self.current) if made else None

    @cached_property
    def known(self) -> AttemptFacts:
        """What else is known of the current pod."""
        return self.facts.of(self.current)

    @property
    def stream(self) -> StreamFacts | None:
        return self.known.stream

    @property
    def platform(self) -> PlatformName | None:
        return self.admission.platform

    @property
    def table_hash(self) -> str | None:
        """Hash of the platform table that a bot of this session gets."""
        return self.facts.installation.tables.get(self.platform) if self.platform is not None and self.has_bot else None

    @property
    def table_fault(self) -> str | None:
        """Why a bot of this session is not given the administrator's platform table, if there is one that is wrong."""
        return self.facts.installation.table_faults.get(self.platform) if self.platform is not None else None

    @property
    def ahead(self) -> bool:
        """Whether the time for this attempt's bot has not come yet: it has none, and never had one.

        A finisher's has: it finishes what earlier bots left, and there is no next one.
        """
        return not self.finishing and not self.has_bot and self.pod_due_at is not None and self.now < self.pod_due_at

    @property
    def accepted_for_later(self) -> bool:
        """Whether the session was accepted, and has time: what is wrong with the installation now may pass."""
        status = self.session.status
        accepted = status.observed_generation == self.session.generation or self.admission.may_pass
        return self.ahead and accepted and (status.phase is Phase.SCHEDULED or not self.is_first)

    @property
    def pod_due_at(self) -> datetime | None:
        return times.pod_due_at(self.session, self.timeouts)

    @property
    def missed_at(self) -> datetime | None:
        """From when on no bot is made any more; what refuses it has a time of its own."""
        followed_until = times.followed_until(self.session) if self.known.rejection is None else None
        moments = (times.missed_at(self.session), followed_until)
        return min((each for each in moments if each is not None), default=None)

    @property
    def end_reached(self) -> bool:
        end = self.session.spec.end_time
        return end is not None and self.now >= end

    @property
    def asked_to_leave(self) -> bool:
        """Whether the session's author wanted the bot to leave, or ``endTime`` was found to be reached before."""
        return self.session.spec.leave or self.session.status.leave_requested_at is not None

    @property
    def leaving(self) -> bool:
        """Whether the bot has to leave, for whatever was said now or ever before."""
        return self.asked_to_leave or self.end_reached

    @property
    def leave_reason(self) -> Literal["LeaveRequested", "EndTimeReached"] | None:
        """Why the bot has to leave; decided when it was first seen that it has to."""
        if not self.leaving:
            return None
        spec, status = self.session.spec, self.session.status
        if status.leave_reason is not None:
            return status.leave_reason
        asked_at = status.leave_requested_at or self.now
        at_its_end = spec.end_time is not None and asked_at >= spec.end_time and not spec.leave
        return "EndTimeReached" if at_its_end else "LeaveRequested"

    @property
    def timeouts(self) -> Timeouts:
        bot_class = self.facts.installation.bot_class
        return bot_class.timeouts if bot_class is not None else Timeouts()

    @property
    def transcribing(self) -> bool | None:
        """Whether a bot of this session writes a transcript; ``None``: its class is gone, and nobody can tell."""
        bot_class = self.facts.installation.bot_class
        if not self.session.spec.transcription.enabled:
            return False
        return bot_class.transcription.engine if bot_class is not None else None

    def patience_from(self, moment: datetime) -> datetime:
        """When nobody waits any longer for something that has kept a pod from starting since then."""
        return moment + timedelta(seconds=self.timeouts.startup_timeout_seconds)

    @property
    def startup_deadline(self) -> datetime:
        return self.patience_from(self.pod.waiting_since if self.pod is not None else self._due_since)

    @property
    def removal_deadline(self) -> datetime:
        """When nobody waits any longer for a pod to go that is removed before its bot started."""
        return self.patience_from(self.startup_deadline)

    def quota_deadline(self, since: datetime | None) -> datetime:
        """When nobody waits any longer for a quota that has kept the bot out since then.

        As no pod was made, no attempt is spent on it: the time is that of all attempts that are left.
        """
        more = 0 if self.pod is not None or self.ever_joined else self.session.spec.backoff_limit + 1 - self.tried
        more_seconds = max(0, more) * self.timeouts.startup_timeout_seconds
        return self.refusal_deadline(since) + timedelta(seconds=more_seconds)

    def refusal_deadline(self, since: datetime | None) -> datetime:
        """When nobody waits any longer for a refusal to pass that has gone on since then.

        What begins only after the start-up deadline, because a quota was in the way until then, has a time of its own.
        """
        if since is None or since <= self.startup_deadline:
            return self.startup_deadline
        return self.patience_from(since)

    @property
    def finishing_deadline(self) -> datetime:
        """When nobody waits for the finisher any longer, whether or not it could be made."""
        return self.finishing_due(self.pod.waiting_since if self.pod is not None else self.finishing_since)

    @property
    def finishing_since(self) -> datetime:
        """Since when the files are to be finished, as far as is known."""
        ended_at = self.bot_pod.bot_terminated_at if self.bot_pod is not None else None
        return max(ended_at or self.session.status.leave_timestamp or self._due_since, self._due_since)

    def finishing_due(self, since: datetime) -> datetime:
        """When a finisher that could be made since then should have ended."""
        timeouts = self.timeouts
        seconds = timeouts.startup_timeout_seconds + timeouts.finish_seconds + timeouts.grace_seconds
        return since + timedelta(seconds=seconds)

    @property
    def _due_since(self) -> datetime:
        """From when on a session without a pod is known to need one; not before its time, however it was moved."""
        status = self.session.status
        if status.phase is Phase.SCHEDULED:
            since = self.now
        else:
            known = (each.last_transition_time for each in status.conditions or () if each.type == "Reconciling")
            since = next(known, status.scheduled_time or self.now)
        return max(since, self.pod_due_at or since)

    @property
    def joined_at(self) -> datetime | None:
        """When the bot was first in the meeting: written before, else by its report, else by the pod's readiness.

        Where the status was emptied, the reports with which former bots ended are left.
        """
        if self.session.status.join_timestamp is not None:
            return self.session.status.join_timestamp
        if self.report is not None and self.report.joined_at is not None:
            return self.report.joined_at
        if self.bot_pod is not None and self.bot_pod.ready_since is not None:
            return self.bot_pod.ready_since
        if self.session.status.attempt is not None:
            return None
        told = (pod_outcome.termination_report(pod, self.session.uid) for pod in self.former_pods)
        return min((each.joined_at for each in told if each is not None and each.joined_at is not None), default=None)

    @property
    def ever_joined(self) -> bool:
        """Whether a bot of this session was in the meeting, in this attempt or an earlier one."""
        return self.joined_at is not None or (self.report is not None and self.report.ever_joined)

    @property
    def bot_ended_at(self) -> datetime | None:
        """When the bot's container ended, by its node's clock, if that is known."""
        last = self.bot_pod.bot.terminated if self.bot_pod is not None else None
        return last.at if last is not None else None

    def may_have_joined(self, last_word: Report | None) -> bool:
        """Whether a bot was in the meeting, or ran and nobody knows.

        Args:
            last_word: the report that it left when it ended, if it did; else one that was read just before counts.
        """
        ran = self.bot_pod is not None and self.bot_pod.bot.ran
        followed = self.known.followed or (self.stream is not None and not self.unreachable)
        unknown = last_word is None and (self.report is None or not followed)
        return self.ever_joined or (ran and unknown)

    @property
    def heard(self) -> bool:
        """Whether the bot's reports are being read now: it is there, whatever its node says or does not.

        A stream that has told the end is not lost, and nobody is behind it any more.
        """
        report = self.known.report
        ended = report is not None and report.phase is ReportPhase.ENDED
        return self.stream is not None and self.stream.lost_since is None and not ended

    @property
    def unreachable(self) -> bool:
        """Whether no report of a bot that is followed could be read for ``UNREACHABLE_AFTER``."""
        stream = self.stream
        return (
            stream is not None and stream.lost_since is not None and self.now >= stream.lost_since + UNREACHABLE_AFTER
        )

    @property
    def error(self) -> ReconcileError | None:
        """What keeps the operator from going on with this session, while it does."""
        return None if self.phase.terminal or self.creating else reconcile_error.current(self.facts)


def delete_and_release(pod: PodFacts) -> Iterator[Action]:
    if pod.deleted_at is None:
        yield DeletePod(pod.name, pod.uid)
    if pod.finalizer:
        yield ReleaseFinalizer(pod.name)
