"""What was observed of one session: the only input of :func:`meeting_buddy.domain.decide.decide`.

Only fields that a decision reads are here. A pod weighs some 30 KB as the API server has it and less than one here;
thousands of them are kept in memory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from meeting_buddy.contract.identity import FIRST_BOT, PodId, Role, pod_name
from meeting_buddy.contract.links import LinkRules, PlatformName, SelfHostedHost
from meeting_buddy.contract.report import Report
from meeting_buddy.domain.causes import Outcome
from meeting_buddy.resource.bot_class import BotClass
from meeting_buddy.resource.session import MeetingSessionSpec, MeetingSessionStatus

RejectionKind = Literal["quota", "forbidden", "invalid", "taken"]
Clock = Callable[[], datetime]
"""Tells the time in UTC; injected, so that tests own it."""
PERSISTENT_AFTER: Final = 3
"""Failed reconciliations in a row after which status and Event say so."""
CANNOT_START: Final = frozenset({"ContainerCannotRun", "StartError", "CreateContainerError", "RunContainerError"})
"""Reasons with which a container ends that never ran."""
QUOTA_EXCEEDED: Final = "QuotaExceeded"
"""Reason of an error that is a quota's."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A MeetingSession as the API server last returned it."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    deleting: bool
    spec: MeetingSessionSpec
    status: MeetingSessionStatus
    requested_at: datetime | None = None
    """When the HTTP API was asked for it, by its annotation; ``None``: there is none, or it cannot be read."""
    unreadable: tuple[str, ...] = ()
    """Paths of stored fields that this version cannot read; they count as not set."""


def current_pod(session: SessionFacts, pods: Sequence["PodFacts"], attempts: Mapping[PodId, "AttemptFacts"]) -> PodId:
    """The pod that a session has now, or waits for: by its status, which anybody with the right to can empty.

    Then it is the latest of ``pods``, or the one after it if that is outdated; the bot's where its finisher is there as
    well, since it says why it ended.
    """
    status = session.status
    # As a rule; asked for several times a decision.
    if status.attempt and not any(pod.role is Role.FINISHER for pod in pods):
        return PodId(status.attempt, Role.FINISHER if status.finishing else Role.BOT)
    own = {pod.id for pod in pods if not pod.orphaned and pod.name == pod_name(session.name, session.uid, *pod.id)}
    replaced = {pod.id for pod in pods if (known := attempts.get(pod.id)) is not None and known.outdated != pod.uid}
    after = {which.attempt + 1 for which, known in attempts.items() if known.outdated and which not in replaced}
    attempt = status.attempt or max(after.union(each.attempt for each in own), default=FIRST_BOT.attempt)
    bot, finisher = PodId(attempt), PodId(attempt, Role.FINISHER)
    return finisher if status.finishing or (finisher in own and bot not in own) else bot


def known_claim(pods: Iterable["PodFacts"], attempts: Iterable["AttemptFacts"]) -> str | None:
    """Claim of the volume that a session's files are on; ``None``: no bot ran yet, or nobody remembers."""
    known = (*pods, *(each.last_seen for each in attempts))
    ran = (pod for pod in known if pod is not None and not pod.orphaned and pod.bot.ran)
    return next((pod.claim for pod in ran if pod.claim is not None), None)


@dataclass(frozen=True, slots=True)
class Terminated:
    """How a container ended."""

    exit_code: int
    signal: int
    reason: str
    message: str
    """The container's termination message."""
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """One container; exactly one of ``waiting``, ``running``, ``terminated`` says something."""

    waiting: str | None = None
    """The kubelet's word for why it does not run yet, such as ``ImagePullBackOff``."""
    waiting_message: str = ""
    running: bool = False
    ready: bool = False
    terminated: Terminated | None = None
    previous: Terminated | None = None
    """How it ended the last time, if it was restarted since."""

    @property
    def started(self) -> bool:
        """Whether it runs, or has ended, perhaps without having run."""
        return self.running or self.terminated is not None

    @property
    def ran(self) -> bool:
        """Whether a process of it runs, or may have run."""
        ended = self.terminated
        if self.running or ended is None or ended.reason in CANNOT_START:
            return self.running
        # The kubelet says so of what it never started, too; of what ran it then tells a previous end.
        return ended.reason != "ContainerStatusUnknown" or self.previous is not None

    @property
    def oom_killed(self) -> bool:
        """Whether it was OOM-killed, last or the time before."""
        return any(end is not None and end.reason == "OOMKilled" for end in (self.terminated, self.previous))


@dataclass(frozen=True, slots=True)
class PodCondition:
    """A condition of the pod's, as its status has it."""

    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod of this session's; ownership by uid was checked before it became a fact."""

    name: str
    uid: str
    attempt: int
    created_at: datetime
    """By the API server's clock."""
    role: Role = Role.BOT
    first_seen_at: datetime | None = None
    """When this operator process first saw it, by its own clock."""
    bot_ended_seen_at: datetime | None = None
    """When this operator process first saw that container ``bot`` has ended, by its own clock."""
    phase: str = "Pending"
    node: str | None = None
    ip: str | None = None
    deleted_at: datetime | None = None
    finalizer: bool = True
    """Whether it still carries our finalizer: its outcome was not recorded yet."""
    orphaned: bool = False
    """Whether nobody owns it any more (``--cascade=orphan``): it is no session's pod, and is only cleaned up."""
    started_at: datetime | None = None
    """When its kubelet accepted it; the kubelet counts ``active_deadline_seconds`` from here."""
    active_deadline_seconds: int | None = None
    claim: str | None = None
    """Of the volume for its files."""
    grace_seconds: int = 30
    reason: str = ""
    message: str = ""
    scheduled: PodCondition | None = None
    disrupted: PodCondition | None = None
    """Condition ``DisruptionTarget``, when true: somebody outside decided that the pod has to go."""
    ready_since: datetime | None = None
    """When the pod became ready, while it is."""
    bot: ContainerFacts = ContainerFacts()
    browser: ContainerFacts = ContainerFacts()
    injected: tuple[tuple[str, ContainerFacts], ...] = ()
    """Containers that somebody injected, by name; only those that hold the pod up or failed."""

    @property
    def id(self) -> PodId:
        """Which of the session's pods it is, by its name."""
        return PodId(self.attempt, self.role)

    @property
    def terminated(self) -> bool:
        """Whether its kubelet says that no process of it runs any more; a pod that no node ever had ran none."""
        return self.phase in ("Succeeded", "Failed") or (self.deleted_at is not None and self.node is None)

    @property
    def waiting_since(self) -> datetime:
        """From when on its start-up deadline counts.

        The later of both clocks' words: a deadline on this machine's clock must not be counted from a time that another
        machine's clock gave. At worst a pod gets its time once more from each new operator process.
        """
        return max(self.created_at, self.first_seen_at or self.created_at)

    @property
    def bot_terminated_at(self) -> datetime | None:
        """When its bot ended, by its node's clock, but not later than this process saw that; ``None``: nobody says.

        A node whose clock is behind says too early.
        """
        at = self.bot.terminated.at if self.bot.terminated is not None else None
        return at if at is None or self.bot_ended_seen_at is None else min(at, self.bot_ended_seen_at)

    @property
    def reachable(self) -> bool:
        """Whether its report server can be asked."""
        return self.bot.running and self.ip is not None and not self.terminated


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the operator has of the bot's report stream."""

    connected: bool
    lost_since: datetime | None
    """Since when no report could be read; ``None`` while connected."""


@dataclass(frozen=True, slots=True)
class CreateRejection:
    """Why the API server did not take the pod."""

    kind: RejectionKind
    """``quota``, ``forbidden``, ``invalid`` or ``taken``."""
    message: str
    at: datetime
    remedy: str | None = None
    since: datetime | None = None
    """When the first answer of this kind came, if that is known."""
    first_at: Mapping[RejectionKind, datetime] = field(default_factory=dict)
    """When each kind was first given for this pod, as kinds may take turns; until it is made, or has started."""

    @property
    def may_pass(self) -> bool:
        """Whether asking again may help; an invalid pod, or a name that is taken, stays."""
        return self.kind in ("quota", "forbidden")

    def after(self, known: "CreateRejection | None") -> "CreateRejection":
        """This answer behind the one before, which was given for the same pod; ``None``: it is the first."""
        first_at = {self.kind: self.at, **(known.first_at if known is not None else {})}
        return replace(self, since=first_at[self.kind], first_at=first_at)


@dataclass(frozen=True, slots=True)
class ReconcileError:
    """Reconciliations that failed, one after the other; in memory only, gone with the first success."""

    reason: str
    """Cause in one word, such as the API server's ``Forbidden``."""
    message: str
    """The API server's words; never a link, never a Secret's value."""
    count: int
    since: datetime

    @property
    def persistent(self) -> bool:
        """Whether it came back often enough to tell people."""
        return self.count >= PERSISTENT_AFTER


@dataclass(frozen=True, slots=True)
class LeaveFacts:
    """How far a request to leave got; in memory only, asking twice does no harm."""

    acknowledged: bool
    """Whether the bot confirmed."""
    tried_at: datetime
    """When it was last asked."""


@dataclass(frozen=True, slots=True)
class PodWarning:
    """An Event about a pod that does not start, or about the claim that it waits for."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """What this operator process knows of one of a session's pods besides the pod."""

    last_seen: PodFacts | None = None
    """What was last known of a pod that vanished."""
    report: Report | None = None
    """The last one that was accepted."""
    reported_at: datetime | None = None
    """When it came, by this process's clock."""
    stream: StreamFacts | None = None
    """``None``: nobody follows the bot."""
    followed: bool = False
    """Whether its reports were read until it could not be reached any more."""
    leave: LeaveFacts | None = None
    rejection: CreateRejection | None = None
    warnings: tuple[PodWarning, ...] | None = None
    """Events about a pod that is late and its claim, oldest first; ``None``: nobody has read it once more and asked."""
    given_up: Outcome | None = None
    """Why the operator deleted the pod, whose bot did not start."""
    outdated: str | None = None
    """Uid of the pod, if the session's author changed what it was made for before its bot started."""
    secret_missing: bool = False
    """Whether the pod may be without its Secret: nobody saw it being made, as the operator may have died before it."""


UNKNOWN_ATTEMPT: Final = AttemptFacts()
"""Of a pod that this process has not heard of."""


@dataclass(frozen=True, slots=True)
class InstallationFacts:
    """What the administrator configured, as far as this session is concerned."""

    bot_class: BotClass | None
    """The class that ``spec.botClassName`` names; ``None`` if there is none."""
    self_hosted: tuple[SelfHostedHost, ...]
    tables: Mapping[PlatformName, str]
    """Platforms that have a platform table, with its hash."""
    kinds: Mapping[PlatformName, LinkRules] = field(default_factory=dict)
    """The self-hosted ones among them, with what their tables say of links."""
    table_faults: Mapping[PlatformName, str] = field(default_factory=dict)
    """Platforms whose table from the administrator is wrong and not used, with the field and what is wrong."""
    class_refusal: str | None = None
    """Why the API server refused a pod of the class, as found by a dry run; ``None``: it did not."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one session."""

    session: SessionFacts | None
    """``None``: it is gone, and that was confirmed by the API server, not by a cache."""
    installation: InstallationFacts
    pods: tuple[PodFacts, ...] = ()
    """Of all attempts and roles. When status names a pod, or the session would end without one, and it is not here,
    the API server confirmed it."""
    attempts: Mapping[PodId, AttemptFacts] = field(default_factory=dict)
    """What else is known, by pod; also of pods that are gone, and of one that could not be made."""
    error: ReconcileError | None = None
    announced_errors: frozenset[str] = frozenset()
    """Reasons that Events spoke of since the session was last without an error, as far as this process remembers."""
    confirmed: bool = True
    """Whether ``pods`` is complete; not so while the API server refuses to answer. Then no pod is made or missed."""
    written_at: datetime | None = None
    """When this operator last wrote the session's status."""

    def of(self, pod: PodId) -> AttemptFacts:
        """What is known of one of the session's pods besides the pod itself."""
        return self.attempts.get(pod, UNKNOWN_ATTEMPT)

    @property
    def current(self) -> PodId:
        """The pod that the session has now, or waits for."""
        return current_pod(self.session, self.pods, self.attempts) if self.session is not None else FIRST_BOT

    @property
    def claim(self) -> str | None:
        """Claim of the volume that the session's files are on; ``None``: no bot ran yet, or nobody remembers."""
        return known_claim(self.pods, self.attempts.values())

    @property
    def streamed(self) -> tuple[PodId, ...]:
        """The pods whose reports are followed."""
        return tuple(pod for pod, known in self.attempts.items() if known.stream is not None)

    @property
    def persistent_error(self) -> ReconcileError | None:
        """The error, once it came back often enough to tell people."""
        return self.error if self.error is not None and self.error.persistent else None
