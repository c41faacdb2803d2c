"""Promises of ``decide`` that hold for every sequence of events, played against a small world that obeys its plans.

The world is Kubernetes as far as one session sees it: an API server that merges patches, a kubelet and a bot that do
whatever hypothesis says, an operator that forgets everything or is killed between any two actions.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import FIRST_BOT, PodId, Role
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Report
from meeting_buddy.domain import plan as actions
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.facts import (
    AttemptFacts,
    ContainerFacts,
    Facts,
    LeaveFacts,
    PodCondition,
    PodFacts,
    PodWarning,
    ReconcileError,
    SessionFacts,
    StreamFacts,
    current_pod,
)
from meeting_buddy.resource.session import MeetingSessionStatus
from tests.support import operator_facts as make

RARELY = st.integers(0, 4).map(lambda number: number == 0)
"""Ends of all kinds come rarely, or no session gets far."""
REASONS = st.sampled_from(
    [Reason.MEETING_ENDED, Reason.EVERYONE_LEFT, Reason.NOT_ADMITTED, Reason.EVICTED, Reason.PAGE_UNREACHABLE]
)


PLANNED = st.sampled_from([None, None, -2000, 5, 100, 5000])
"""Seconds from now to a time of the spec's; negative: it is restored, or the operator was down."""
TERMINAL = {Phase.COMPLETED, Phase.FAILED}


HISTORIES = [
    ("scheduled", "crash loop"),
    ("scheduled", "runs", "unreachable"),
    ("scheduled", "runs", "killed beside a sidecar"),
    ("scheduled", "joins", "drained"),
    ("scheduled", "joins", "killed"),
    ("scheduled", "joins", "killed beside a sidecar"),
    ("scheduled", "runs", "unreachable", "later", "scheduled", "joins", "wiped"),
    ("scheduled", "joins", "drained", "scheduled", "joins", "wiped"),
    ("scheduled", "joins", "killed", "scheduled", "runs", "wiped"),
    ("scheduled", "joins", "killed", "scheduled", "runs", "drained", "later", "scheduled", "runs"),
    ("scheduled", "joins", "killed", "scheduled", "runs", "drained", "wiped", "later", "scheduled", "drained"),
]
"""What happened before chance takes over, the operator acting in between."""
LEAVES = {Reason.LEAVE_REQUESTED, Reason.END_TIME_REACHED}
_KEEP: Any = object()


def with_times(found: SessionFacts, start: datetime | None = _KEEP, end: datetime | None = _KEEP) -> SessionFacts:
    """A session with other times."""
    named = {"start_time": start, "end_time": end}
    times = {name: moment for name, moment in named.items() if moment is not _KEEP}
    return replace(found, spec=found.spec.model_copy(update=times))


def requested(found: SessionFacts | None) -> object:
    """What a bot is made for and its session's author may change until there is one."""
    assert found is not None
    return found.spec.meeting_link, found.spec.bot_name, found.spec.start_time


def later_than(started_at: datetime | None) -> datetime:
    assert started_at is not None
    return started_at + timedelta(days=9)


class World(RuleBasedStateMachine):
    """One session, its pods, its bot and an operator."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = make.NOW
        self.session: SessionFacts | None = make.session()
        self.document: dict[str, Any] = {}
        self.pods: list[PodFacts] = []
        self.made: list[PodId] = []
        self.made_for: dict[str, object] = {}
        """What the author asked for when a bot's pod was made, by its uid."""
        self.made_for_nothing = False
        """Whether a pod was outdated before its bot started."""
        self.joined = False
        """Whether a bot was in the meeting, or may have been."""
        self.secret_of = ""
        self.installation = make.INSTALLATION
        self.phases: list[Phase] = []
        self.followed = FIRST_BOT
        self.leave_reason: str | None = None
        self.said_of_table: dict[int, str | None] = {}
        """By attempt, as each bot has a table of its own."""
        self.forget()

    def forget(self) -> None:
        """What only the operator's memory holds."""
        self.stream: StreamFacts | None = None
        self.report: Report | None = None
        self.leave: LeaveFacts | None = None
        self.warnings: tuple[PodWarning, ...] | None = None
        self.given_up: Outcome | None = None
        self.written_at: datetime | None = None
        self.secret_seen_of = ""
        self.outdated: dict[PodId, AttemptFacts] = {}
        self.error: ReconcileError | None = None
        self.announced: frozenset[str] = frozenset()

    def facts(self) -> Facts:
        self.look_for_outdated_pods()
        if self.session is not None and self.followed != self.current:
            self.followed = self.current
            self.stream = self.report = self.leave = self.warnings = self.given_up = None
            self.secret_seen_of = ""
        return make.facts(
            self.session,
            *self.pods,
            installation=self.installation,
            stream=self.stream,
            report=self.report,
            leave=self.leave,
            warnings=self.warnings,
            given_up=self.given_up,
            error=self.error,
            announced_errors=self.announced,
            written_at=self.written_at,
            attempts=self.outdated,
            secret_missing=self.pod is not None and self.pod.uid != self.secret_seen_of,
        )

    def look_for_outdated_pods(self) -> None:
        """As the observer does."""
        if self.session is None or self.session.status.attempt is not None or self.session.status.phase in TERMINAL:
            return
        for pod in self.pods:
            changed = self.made_for.get(pod.uid) != requested(self.session)
            if changed and pod.role is Role.BOT and not pod.orphaned and not pod.bot.ran:
                self.outdated[pod.id] = AttemptFacts(outdated=pod.uid)
                self.made_for_nothing = True

    @property
    def current(self) -> PodId:
        assert self.session is not None
        return current_pod(self.session, self.pods, self.outdated)

    @property
    def pod(self) -> PodFacts | None:
        """The one that lives, or the last."""
        return next((pod for pod in self.pods if not pod.terminated), self.pods[-1] if self.pods else None)

    def change(self, name: str | None = None, **fields: Any) -> None:
        found = next((each for each in self.pods if each.name == name), self.pod)
        assert found is not None
        self.pods[self.pods.index(found)] = replace(found, **fields)

    # The operator

    @rule(survives=st.sampled_from([0, 1, 2, 3, 9, 9, 9]), dies_before_secret=RARELY)
    def operator_acts(self, survives: int, dies_before_secret: bool) -> None:
        for number, action in enumerate(decide(self.facts(), lambda: self.now).actions):
            if number >= survives:  # killed between two actions; the next process knows nothing
                self.forget()
                return
            self.do(action)
            if isinstance(action, actions.CreatePod) and dies_before_secret:
                self.secret_of = ""
                self.forget()
                return

    @rule(succeed=st.sampled_from([0, 1, 2]))
    def api_server_refuses(self, succeed: int) -> None:
        """A plan's first actions are carried out, the next one fails; the operator lives on and remembers."""
        actions = decide(self.facts(), lambda: self.now).actions
        for action in actions[:succeed]:
            self.do(action)
        if len(actions) > succeed:
            count = self.error.count + 1 if self.error is not None else 1
            self.error = ReconcileError("Forbidden", "no", count, self.now)

    @rule()
    def operator_acts_until_it_has_nothing_to_do(self) -> None:
        for _ in range(12):
            plan = decide(self.facts(), lambda: self.now)
            for action in plan.actions:
                self.do(action)
            self.error, self.announced = None, frozenset()
            if not plan.actions:
                self.a_pod_that_may_start_has_its_secret()
                return
        raise AssertionError(f"equal facts, and still a plan: {plan}")

    def do(self, action: actions.Action) -> None:
        match action:
            case actions.CreatePod(which, _):
                self.a_pod_may_be_made_now(which)
                self.made.append(which)
                uid, times = f"pod-{len(self.made)}", {"active_deadline_seconds": 15000, "grace_seconds": 120}
                known = {"name": identity.pod_name("standup", make.UID, *which), "attempt": which.attempt}
                found = make.pod(**known, role=which.role, node=None, ip=None, created_at=self.now, uid=uid, **times)
                self.pods.append(found)
                self.made_for[uid] = requested(self.session)
                self.secret_of = self.secret_seen_of = uid
                self.warnings = None
            case actions.CreateSecret():
                assert self.pod is not None
                self.secret_of = self.secret_seen_of = self.pod.uid
            case actions.FollowStream():
                self.stream = StreamFacts(False, self.now)
            case actions.StopStream():
                self.stream = None
            case actions.RequestLeave():
                self.leave = LeaveFacts(True, self.now)
            case actions.ReadLatePod():
                self.warnings = ()
            case actions.PatchStatus(patch):
                assert patch, "an empty patch"
                self.write(dict(patch))
            case actions.EmitErrorEvent(reason, _):
                assert reason not in self.announced, "told twice"
                self.announced |= {reason}
            case actions.ReleaseFinalizer(name):
                self.release(name)
            case actions.DeletePod(name, _):
                self.a_pod_may_be_ended_now(name)
                self.delete_pod(name)
            case actions.GiveUpPod(_, name, _, outcome):
                self.given_up = outcome
                self.delete_pod(name)
            case actions.DeleteSession():
                self.a_session_had_its_time()
                self.session = None

    def write(self, patch: dict[str, Any]) -> None:
        assert self.session is not None
        before = self.session.status.phase
        if before is not None and before.terminal:
            assert patch.keys() <= {"observedGeneration", "conditions"}, "a terminal status was written again"
            assert patch["observedGeneration"] == self.session.generation != self.session.status.observed_generation
            self.document |= patch
            self.session = replace(self.session, status=MeetingSessionStatus.model_validate(self.document))
            return
        attempt = self.document.get("attempt", self.current.attempt)
        self.document = {key: value for key, value in {**self.document, **patch}.items() if value is not None}
        if self.document.get("attempt", attempt) != attempt:
            assert self.document["attempt"] == attempt + 1, "an attempt was left out"
            self.phases.clear()
        status = MeetingSessionStatus.model_validate(self.document)
        self.session = replace(self.session, status=status)
        self.written_at = self.now
        assert status.phase is not None
        placed = status.phase.terminal or status.finishing or ("node" in patch) == ("botAddress" in patch)
        assert placed, "one of two that go together"
        if status.phase is Phase.SCHEDULED:
            assert not self.made or self.made_for_nothing, "it waits for its time, and had a pod"
            self.phases.clear()
        self.phases.append(status.phase)

    def release(self, name: str) -> None:
        gone = self.session is None or self.session.deleting
        found = next(pod for pod in self.pods if pod.name == name)
        assert gone or self.outcome_is_written(found), "a pod was let go of before its outcome was written"
        self.change(name, finalizer=False)
        if found.orphaned:  # nothing says any more whose it was
            self.pods.remove(next(pod for pod in self.pods if pod.name == name))
        self.collect()

    def outcome_is_written(self, pod: PodFacts) -> bool:
        assert self.session is not None
        followed = pod.id < self.current or (pod.role is Role.FINISHER and self.session.status.finisher_pod is None)
        return self.session.status.phase in TERMINAL or (followed and pod.terminated)

    def a_pod_that_may_start_has_its_secret(self) -> None:
        if self.pod is None or self.session is None or self.pod.terminated or self.pod.deleted_at is not None:
            return
        assert self.secret_of == self.pod.uid, "its volume cannot be mounted, and nobody does anything"

    def a_pod_may_be_made_now(self, which: PodId) -> None:
        assert self.session is not None
        spec, start, status = self.session.spec, self.session.spec.start_time, self.session.status
        assert all(pod.terminated for pod in self.pods), "another one lives"
        if which.role is Role.FINISHER:
            assert status.finishing, "why its bot ended was not written"
            return
        assert which not in self.made or not self.joined, "a pod that may have been in the meeting was made again"
        assert not self.joined or spec.on_disruption == "Rejoin", "nobody asked for another bot"
        if status.join_timestamp is not None:
            return
        if start is not None:
            assert self.now >= start - timedelta(seconds=60), "before its time"
            assert self.now < start + timedelta(seconds=900), "too late"
        elif status.phase is None and self.session.requested_at is not None:
            assert self.now < self.session.requested_at + timedelta(seconds=900), "an old request"
        assert spec.end_time is None or self.now < spec.end_time, "after its end"

    def a_pod_may_be_ended_now(self, name: str) -> None:
        found = next(pod for pod in self.pods if pod.name == name)
        if self.session is None or self.session.deleting or found.orphaned or not found.bot.running:
            return
        status = self.session.status
        leaves = self.session.spec.leave or status.leave_requested_at is not None
        assert leaves or status.phase in TERMINAL, "nobody wanted it to end"

    def a_session_had_its_time(self) -> None:
        assert self.session is not None
        status, ttl = self.session.status, self.session.spec.ttl_seconds_after_finished
        assert status.phase in TERMINAL
        assert ttl is not None
        assert status.completion_time is not None
        assert self.now >= status.completion_time + timedelta(seconds=ttl)
        assert not any(pod.finalizer for pod in self.pods), "an outcome that nobody took note of"

    def delete_pod(self, name: str | None = None) -> None:
        self.change(name, deleted_at=self.now)
        self.collect()

    def collect(self) -> None:
        self.pods = [pod for pod in self.pods if not (pod.deleted_at and not pod.finalizer and pod.terminated)]

    # Time, people, the cluster, the bot

    @rule(seconds=st.sampled_from([1, 11, 61, 700, 20000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.session is not None)
    @rule(happens=RARELY, leave=st.booleans())
    def author_sets_leave(self, happens: bool, leave: bool) -> None:
        if not happens:
            return
        assert self.session is not None
        spec = self.session.spec.model_copy(update={"leave": leave})
        self.session = replace(self.session, spec=spec, generation=self.session.generation + 1)

    @precondition(lambda self: self.session is not None and self.session.status.attempt is None)
    @rule(name=st.sampled_from(["Notes", "Minutes"]))
    def author_renames_the_bot(self, name: str) -> None:
        """As the CRD allows it: until there was a bot."""
        assert self.session is not None
        if self.session.status.completion_time is None and self.session.spec.bot_name != name:
            spec = self.session.spec.model_copy(update={"bot_name": name})
            self.session = replace(self.session, spec=spec, generation=self.session.generation + 1)

    @precondition(lambda self: self.session is not None)
    @rule(start=PLANNED, end=PLANNED)
    def author_moves_its_times(self, start: int | None, end: int | None) -> None:
        """As the CRD allows it: the start until there was a bot, the end always, and never before the start."""
        assert self.session is not None
        found = self.session
        if found.status.attempt is None and found.status.completion_time is None:
            found = with_times(found, start=self.ahead(start))
        end_time, start_time = self.ahead(end), found.spec.start_time
        if end_time is None or start_time is None or end_time > start_time:
            found = with_times(found, end=end_time)
        if found.spec != self.session.spec and not self.ends_before_it_starts(found):
            self.session = replace(found, generation=found.generation + 1)

    def ends_before_it_starts(self, found: SessionFacts) -> bool:
        start, end = found.spec.start_time, found.spec.end_time
        return start is not None and end is not None and end <= start

    def ahead(self, seconds: int | None) -> datetime | None:
        return None if seconds is None else self.now + timedelta(seconds=seconds)

    @rule()
    def operator_restarts(self) -> None:
        self.forget()

    @rule(wrong=st.booleans())
    def administrator_changes_the_platform_table(self, wrong: bool) -> None:
        self.installation = make.BAD_TABLE if wrong else make.INSTALLATION
        self.forget()

    @precondition(lambda self: self.pod is not None and not self.pod.terminated and self.pod.node is None)
    @rule()
    def pod_is_scheduled(self) -> None:
        if self.pod is not None and self.pod.deleted_at is None:
            self.change(node="node1", started_at=self.now, scheduled=PodCondition("True"))

    @precondition(
        lambda self: (
            self.pod is not None
            and not self.pod.terminated
            and self.pod.node
            and not self.pod.bot.terminated
            and self.secret_of == self.pod.uid
        )
    )
    @rule(ready=st.booleans())
    def bot_runs(self, ready: bool) -> None:
        assert self.pod is not None
        ready = ready and self.pod.role is Role.BOT
        self.joined = self.joined or ready
        since = self.now if ready else None
        self.change(phase="Running", ip="10.0.0.9", bot=ContainerFacts(running=True, ready=ready), ready_since=since)

    @precondition(lambda self: self.stream is not None and self.pod is not None and self.pod.reachable)
    @rule(phase=st.sampled_from(["Joining", "Active", "Recording", "Leaving", "Ended"]))
    def bot_reports(self, phase: str) -> None:
        assert self.pod is not None
        self.stream = StreamFacts(True, None)
        self.joined = self.joined or phase != "Joining"
        attempt = self.pod.attempt
        self.report = make.report(phase, attempt=attempt) if phase == "Joining" else make.joined(phase, attempt=attempt)

    @precondition(lambda self: self.stream is not None)
    @rule()
    def stream_is_cut(self) -> None:
        self.stream = StreamFacts(False, self.now)

    @precondition(lambda self: self.pod is not None and not self.pod.terminated and self.pod.bot.running)
    @rule(happens=RARELY, reason=REASONS, verified=st.booleans())
    def bot_ends(self, happens: bool, reason: Reason, verified: bool) -> None:
        if not happens:
            return
        self.change(phase="Succeeded", bot=make.ended(self.last_word(reason, verified)))
        self.collect()

    def last_word(self, reason: Reason, verified: bool = True) -> str:
        """The termination message of the bot, or the finisher, as it may be."""
        assert self.pod is not None
        known = {"attempt": self.pod.attempt}
        if not self.joined:
            return make.report("Ended", reason=reason.value, **known).to_json()
        if self.pod.role is Role.FINISHER and self.session is not None and self.session.status.reason is not None:
            reason = self.session.status.reason
        return make.last_word(reason.value, **({} if verified else {"recording": {"verified": False}}), **known)

    @precondition(lambda self: self.pod is not None and not self.pod.terminated and self.pod.bot.running)
    @rule(happens=RARELY, reason=REASONS)
    def bot_ends_beside_a_container_that_goes_on(self, happens: bool, reason: Reason) -> None:
        if not happens:
            return
        self.change(bot=make.ended(self.last_word(reason), at=self.now))

    @precondition(lambda self: self.pod is not None and not self.pod.terminated)
    @rule(happens=RARELY)
    def pod_is_killed(self, happens: bool) -> None:
        if not happens:
            return
        self.change(phase="Failed", bot=make.ended(code=137, reason="Error"))
        self.collect()

    @precondition(lambda self: self.pod is not None and self.pod.deleted_at is not None and not self.pod.terminated)
    @rule(code=st.sampled_from([0, 143]))
    def browser_of_a_deleted_pod_ends(self, code: int) -> None:
        """Its kubelet starts it no more."""
        self.change(browser=make.ended(code=code, at=self.now))

    @precondition(lambda self: self.pod is not None)
    @rule(happens=RARELY)
    def somebody_deletes_the_pod(self, happens: bool) -> None:
        if not happens:
            return
        self.delete_pod()

    @precondition(lambda self: self.pod is not None and self.session is not None)
    @rule(happens=RARELY)
    def somebody_forces_the_finalizer(self, happens: bool) -> None:
        """Of a pod that the status names; one that is seen nowhere is made again."""
        assert self.pod is not None
        assert self.session is not None
        if happens and self.pod.name in (self.session.status.bot_pod, self.session.status.finisher_pod):
            self.pods.remove(self.pod)

    @precondition(
        lambda self: (
            self.session is not None
            and self.session.status.phase not in TERMINAL
            and any(pod.finalizer and not pod.orphaned for pod in self.pods)
        )
    )
    @rule(happens=RARELY)
    def somebody_wipes_the_status(self, happens: bool) -> None:
        """While something of the session's is there; without that it is as a new one."""
        if happens:
            self.wipe()

    def wipe(self) -> None:
        assert self.session is not None
        self.document = {}
        self.session = replace(self.session, status=MeetingSessionStatus())
        self.phases.clear()
        self.leave_reason = None
        self.said_of_table.clear()

    @precondition(lambda self: self.session is not None)
    @rule(happens=RARELY)
    def session_is_deleted(self, happens: bool) -> None:
        if not happens:
            return
        self.session = None

    @precondition(lambda self: self.session is not None and self.pod is not None)
    @rule(happens=RARELY)
    def session_is_deleted_with_cascade_orphan(self, happens: bool) -> None:
        if not happens:
            return
        self.change(orphaned=True)
        self.session = None

    @initialize(
        recording=st.booleans(),
        start=PLANNED,
        requested=st.sampled_from([None, None, 10, 2000]),
        removed=st.booleans(),
        retries=st.sampled_from([0, 2]),
        disruption=st.sampled_from(["Fail", "Rejoin"]),
        so_far=st.sampled_from([(), *HISTORIES]),
    )
    def session_is_applied(
        self,
        recording: bool,
        start: int | None,
        requested: int | None,
        removed: bool,
        retries: int,
        disruption: str,
        so_far: tuple[str, ...],
    ) -> None:
        requested_at = None if requested is None else self.now - timedelta(seconds=requested)
        again: dict[str, Any] = {
            "backoffLimit": retries,
            "onDisruption": disruption,
            "recording": {"enabled": recording},
        }
        ttl = 30000 if removed else None
        found = make.session(requested_at=requested_at, ttlSecondsAfterFinished=ttl, **again)
        self.session = with_times(found, start=None if so_far else self.ahead(start))
        for what in so_far:
            self.operator_acts_until_it_has_nothing_to_do()
            if (self.pod is not None and not self.pod.terminated) or what == "later" or self.may_be_wiped(what):
                self.happens(what)

    def may_be_wiped(self, what: str) -> bool:
        goes_on = self.session is not None and self.session.status.finishing
        return what == "wiped" and goes_on and any(pod.finalizer and not pod.orphaned for pod in self.pods)

    def happens(self, what: str) -> None:
        """One step of a history that chance seldom plays."""
        match what:
            case "scheduled":
                self.change(node="node1", started_at=self.now, scheduled=PodCondition("True"))
            case "crash loop":
                self.change(browser=make.waiting("CrashLoopBackOff"))
                self.now += timedelta(seconds=700)
            case "runs" | "joins":
                self.bot_runs(what == "joins")
            case "wiped":
                self.wipe()
            case "later":
                self.now += timedelta(seconds=11)
            case "drained":
                self.delete_pod()
                self.bot_ends(True, Reason.EVICTED, False)
            case "unreachable":
                self.bot_ends(True, Reason.PAGE_UNREACHABLE, False)
            case "killed":
                self.pod_is_killed(True)
            case "killed beside a sidecar":
                self.change(bot=make.ended(code=137, reason="Error", at=self.now))
                self.now += timedelta(seconds=121)

    # Promises

    @invariant()
    def every_session_ends(self) -> None:
        """Once its pod's deadline is over and nobody hears of its bot, whatever the node and other containers do."""
        session, pod = self.session, self.pod
        if session is None or pod is None or pod.orphaned or pod.started_at is None or pod.ready_since is not None:
            return
        facts = self.facts()
        unheard = {which: replace(known, stream=None, warnings=()) for which, known in facts.attempts.items()}
        plan = decide(replace(facts, attempts=unheard), lambda: later_than(pod.started_at))
        patch = next((action.patch for action in plan.actions if isinstance(action, actions.PatchStatus)), {})
        going_on = actions.CreatePod | actions.DeletePod
        acts = any(isinstance(action, going_on) for action in plan.actions)
        further = acts or {"attempt", "phase", "reason"} & patch.keys()
        assert session.status.phase in TERMINAL or patch.get("phase") in TERMINAL or further

    @invariant()
    def a_session_keeps_what_was_said_of_its_table(self) -> None:
        """Its bot keeps the table that it was given, whatever the administrator changes afterwards."""
        if self.session is None or self.session.status.table_hash is None:
            return
        status = self.session.status
        said = {each.type: each.message for each in status.conditions or ()}.get("PlatformTable")
        assert status.attempt is not None
        assert said == self.said_of_table.setdefault(status.attempt, said)

    @invariant()
    def never_two_live_pods(self) -> None:
        assert sum(not pod.terminated for pod in self.pods) <= 1

    @invariant()
    def ranks_never_fall_and_terminal_absorbs(self) -> None:
        ranks = [phase.rank for phase in self.phases]
        assert ranks == sorted(ranks)

    @invariant()
    def completed_means_verified_or_nothing_to_verify(self) -> None:
        if self.session is None or self.session.status.phase is not Phase.COMPLETED:
            return
        status = self.session.status
        attended = status.join_timestamp is not None
        assert status.reason in (Reason.LEAVE_REQUESTED, Reason.END_TIME_REACHED) or attended

    @invariant()
    def missed_means_that_no_pod_was_ever_made(self) -> None:
        if self.session is not None and self.session.status.reason is Reason.MISSED:
            assert not self.made or (self.session.status.attempt or 1) > 1 or self.made_for_nothing

    @invariant()
    def why_a_bot_has_to_leave_is_settled_once(self) -> None:
        if self.session is None or self.session.status.leave_reason is None:
            return
        self.leave_reason = self.leave_reason or self.session.status.leave_reason
        assert self.session.status.leave_reason == self.leave_reason
        assert self.session.status.reason not in LEAVES or self.session.status.reason == self.leave_reason


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
