"""What the operator remembers of each session: slim facts, fed by watches, by listing, and by its own writes.

Keys are uids: a session of the same name that is created later is another one. What a watch says replaces what is known
only if it is newer, because a watch may show late what the answer to our own write showed before. A listing that began
after all that was heard of a session is the truth, whatever its versions: those go back when etcd is restored. One that
began before an object was seen to go does not bring it back.

If this process dies: all of it can be listed again, but what only memory holds (the last report, whether a bot was
already asked to leave) is learned again from the bot itself.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import FIRST_BOT, PodId
from meeting_buddy.controller.clock import Clock
from meeting_buddy.controller.echoes import Echoes
from meeting_buddy.controller.parsing import CachedPod, JsonObject, newer, parse_pod, parse_session
from meeting_buddy.controller.unanswered import Unanswered
from meeting_buddy.domain.facts import (
    UNKNOWN_ATTEMPT,
    AttemptFacts,
    CreateRejection,
    PodFacts,
    ReconcileError,
    SessionFacts,
    current_pod,
)
from meeting_buddy.domain.significance import is_pod_significant
from meeting_buddy.kube.paths import PODS
from meeting_buddy.resource.session import PLURAL

_TIMED: Final = ("last_seen", "stream", "leave", "rejection")
"""Fields of ``AttemptFacts`` that remember moments."""
_MOMENTS: Final = ("first_seen_at", "bot_ended_seen_at", "lost_since", "tried_at", "at", "since")
"""Fields of facts with moments of this machine's clock."""
_REMEMBERED: Final = 32768
"""Objects that went; a listing takes seconds."""


@dataclass(slots=True)
class CacheEntry:
    """All that is remembered of one session."""

    uid: str
    namespace: str
    name: str
    session: SessionFacts | None = None
    gone: bool = False
    """Whether the API server confirmed that the session does not exist any more."""
    pods: dict[str, CachedPod] = field(default_factory=dict)
    attempts: dict[PodId, AttemptFacts] = field(default_factory=dict)
    """What is known of each pod besides the pod."""
    secrets_of: set[str] = field(default_factory=set)
    """Uids of pods whose Secret is known to exist; Secrets can be created and not read, so only creating says so."""
    error: ReconcileError | None = None
    announced_errors: set[str] = field(default_factory=set)
    """Reasons that Events spoke of since the session was last without an error."""
    written_at: datetime | None = None
    unanswered: Unanswered | None = None
    start_time: datetime | None = None
    """The session's, as last heard of; also while ``session`` is to be read again."""
    respecified_at: datetime | None = None
    """When its start time was last seen to change; no other field says when a bot is wanted."""
    progressed: bool = False
    """Whether anything was written since the last failure."""
    last_event_at: float = 0.0
    """Monotonic time of the last news; a listing that began earlier cannot say what was replaced."""
    labels_due_at: float = 0.0
    """Monotonic time before which lost labels of its pods are not put back once more."""
    writing: bool = False
    """Whether a write awaits its answer; a watch may show first what that write left."""
    overheard: set[tuple[str, str]] = field(default_factory=set)
    """Resource and version of what came during a write and is not, as far as is known, what that write left."""

    @property
    def has_persistent_error(self) -> bool:
        """Whether reconciling failed often enough to tell people."""
        return self.error is not None and self.error.persistent

    @property
    def current(self) -> PodId:
        """The pod that the session has now, or waits for."""
        if self.session is None:
            return FIRST_BOT
        return current_pod(self.session, [seen.facts for seen in self.pods.values()], self.attempts)

    def of(self, which: PodId) -> AttemptFacts:
        """What is known of one of the session's pods besides the pod."""
        return self.attempts.get(which, UNKNOWN_ATTEMPT)

    def note(self, which: PodId, **changes: Any) -> None:
        """Something of one of the session's pods became known: fields of ``AttemptFacts``."""
        self.attempts[which] = replace(self.of(which), **changes)

    def note_secret(self, which: PodId, pod_uid: str) -> None:
        """The pod's Secret is there, so nothing refuses it any more."""
        self.progressed = True
        self.secrets_of.add(pod_uid)
        self.note(which, rejection=None)

    def shift(self, step: timedelta) -> None:
        """This machine's clock was set: what is remembered by it is as long ago as before."""
        self.written_at = _shifted(self.written_at, step)
        self.respecified_at = _shifted(self.respecified_at, step)
        self.error = _shifted_fields(self.error, step)
        for name, seen in self.pods.items():
            self.pods[name] = replace(seen, facts=_shifted_fields(seen.facts, step))
        for which, known in self.attempts.items():
            moved = {each: _shifted_fields(getattr(known, each), step) for each in _TIMED}
            self.attempts[which] = replace(known, reported_at=_shifted(known.reported_at, step), **moved)

    def pod(self, which: PodId) -> CachedPod | None:
        """The session's pod of an attempt and role, if it is known."""
        name = identity.pod_name(self.name, self.uid, *which)
        return self.pods.get(name)

    def give_time_again(self, which: PodId, now: datetime) -> None:
        """The pod's deadlines count from now, as if this process had not seen it before."""
        seen = self.pod(which)
        if seen is not None:
            self.pods[seen.facts.name] = replace(seen, facts=replace(seen.facts, first_seen_at=now))

    def forget_work(self) -> None:
        """What only a replica that acts may rely on; when it acts again, others have read later reports."""
        self.error = self.unanswered = None
        for which in tuple(self.attempts):
            self.note(which, stream=None, report=None, followed=False, leave=None, rejection=None)

    def forget_former(self, pod: PodFacts) -> None:
        """If another pod had this one's name before, what is known of its bot is of no use."""
        which, known = pod.id, self.pods.get(pod.name)
        former = known.facts if known is not None else self.of(which).last_seen
        if former is not None and former.name == pod.name and former.uid != pod.uid:
            self.note(which, report=None, reported_at=None, followed=False, leave=None, warnings=None, given_up=None)


class SessionCache:
    """All cache entries, by uid of the session."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, CacheEntry] = {}
        self._gone_at: OrderedDict[str, float] = OrderedDict()
        """When objects were seen to go, by uid."""
        clock.on_step(self._shift)
        self.echoes = Echoes()
        """What this process wrote and its watches have not repeated yet."""

    def __iter__(self) -> Iterator[CacheEntry]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, uid: str) -> CacheEntry | None:
        """The entry of a session, if there is one."""
        return self._entries.get(uid)

    def _shift(self, step: timedelta) -> None:
        for entry in self:
            entry.shift(step)

    def upsert_session(self, document: JsonObject, listed_at: float | None = None) -> str | None:
        """Take in a MeetingSession; its uid if that was news.

        Args:
            document: as the API server returned it.
            listed_at: monotonic time at which the listing began that shows it; ``None``: a watch, a read or a write.

        Raises:
            UnreadableError: the object cannot be read.
        """
        metadata = document["metadata"]
        if self._went_since(metadata["uid"], listed_at):
            return None
        entry = self._entries.get(metadata["uid"])
        # Looked at before it is parsed, because the watch repeats each own write.
        if entry is not None and entry.session is not None:
            known = entry.session.resource_version
            if not self._replaces(entry, metadata["resourceVersion"], known, listed_at):
                return None
        before = entry.session if entry is not None and listed_at is None else None
        facts = parse_session(document, before)
        entry = self._heard(facts.uid, facts.namespace, facts.name, listed_at)
        if entry.namespace != facts.namespace:  # what somebody in another namespace made in the session's name
            entry.pods.clear()
        entry.namespace, entry.name = facts.namespace, facts.name  # a pod that was heard of first may not know them
        start_time = facts.spec.start_time
        if entry.written_at is not None and entry.start_time != start_time:  # the session was known before
            entry.respecified_at = self._clock.now()
        entry.start_time = start_time
        entry.written_at = entry.written_at or self._clock.now()
        entry.session, entry.gone = facts, False
        return facts.uid

    def wrote_session(self, document: JsonObject) -> None:
        """Take in a MeetingSession as a write of this process left it."""
        news = self.upsert_session(document) is not None
        self._wrote(document["metadata"]["uid"], PLURAL, document, news=news)

    def remove_session(self, uid: str, *, confirmed: bool) -> str | None:
        """A MeetingSession is gone; ``confirmed`` by the API server itself, or only missing from a listing."""
        self._note_gone(uid)
        entry = self._entries.get(uid)
        if entry is None:
            return None
        entry.session, entry.gone = None, confirmed
        return uid

    def upsert_pod(self, document: JsonObject, listed_at: float | None = None) -> str | None:
        """Take in a pod; the uid of its session if a decision may depend on the change."""
        seen = parse_pod(document)
        if seen is None:
            return self._disown(document)
        if self._went_since(seen.facts.uid, listed_at):
            return None
        entry = self._entries.get(seen.session_uid)
        if entry is not None and entry.session is not None and entry.namespace != seen.namespace:
            return None  # no owner of a pod is in another namespace
        now = self._clock.now()  # before what is known is looked at: a step of the clock moves that
        known = entry.pods.get(seen.facts.name) if entry is not None else None
        if entry is not None and known is not None:
            newer_one = self._replaces(entry, seen.resource_version, known.resource_version, listed_at)
            if not newer_one:
                return None
        same = known is not None and known.facts.uid == seen.facts.uid
        before = known.facts if known is not None and same else None
        seen = replace(seen, facts=_with_moments(seen.facts, before, now))
        entry = self._heard(seen.session_uid, seen.namespace, seen.session_name, listed_at)
        entry.forget_former(seen.facts)
        entry.pods[seen.facts.name] = seen
        return entry.uid if is_pod_significant(known.facts if known is not None else None, seen.facts) else None

    def wrote_pod(self, uid: str, document: JsonObject) -> None:
        """Take in a pod of the session with this uid as a write of this process left it."""
        news = self.upsert_pod(document) is not None
        self._wrote(uid, PODS, document, news=news)

    def _wrote(self, uid: str, resource: str, document: JsonObject, *, news: bool) -> None:
        self.echoes.expect(resource, document)
        entry, seen = self._entries.get(uid), (resource, document["metadata"]["resourceVersion"])
        if entry is not None:
            entry.progressed |= news or seen in entry.overheard
            entry.overheard.discard(seen)

    def _disown(self, document: JsonObject) -> str | None:
        """Forget a pod that was somebody's: an orphan whose finalizer was released is nobody's business any more."""
        metadata = document["metadata"]
        uid = metadata.get("labels", {}).get(identity.LABEL_SESSION_UID, "")
        entry = self._entries.get(uid)
        known = entry.pods.get(metadata["name"]) if entry is not None else None
        if known is None or known.facts.uid != metadata["uid"]:
            return None
        return self.remove_pod(uid, metadata["name"])

    def remove_pod(self, uid: str, name: str, document: JsonObject | None = None) -> str | None:
        """A pod is gone; ``document`` is its last state, if it is known."""
        last = parse_pod(document) if document is not None else None
        if document is not None:
            self._note_gone(document["metadata"]["uid"])
        entry = self._entries.get(uid)
        if entry is None:
            return None
        known = entry.pods.get(name)
        if known is not None and document is not None and known.facts.uid != document["metadata"]["uid"]:
            return None  # another one has the name by now
        entry.pods.pop(name, None)
        found = last or known
        if found is not None:
            entry.note(found.facts.id, last_seen=found.facts)
            self._note_gone(found.facts.uid)
        return uid

    def forget(self, uid: str) -> None:
        """Drop a session of which nothing is left."""
        self._entries.pop(uid, None)

    def forget_if_gone(self, uid: str) -> bool:
        """Drop a session of which nothing is left; whether there was nothing left."""
        entry = self._entries.get(uid)
        if entry is None or entry.session is not None or entry.pods:
            return False
        self.forget(uid)
        return True

    def _note_gone(self, uid: str) -> None:
        self._gone_at[uid] = self._clock.monotonic()
        self._gone_at.move_to_end(uid)
        if len(self._gone_at) > _REMEMBERED:
            self._gone_at.popitem(last=False)

    def _went_since(self, uid: str, listed_at: float | None) -> bool:
        """Whether an object went after the listing began that shows it."""
        return listed_at is not None and listed_at <= self._gone_at.get(uid, -math.inf)

    def _replaces(self, entry: CacheEntry, candidate: str, known: str, listed_at: float | None) -> bool:
        """Whether an object takes the place of the known one."""
        if listed_at is not None and listed_at >= entry.last_event_at:
            return candidate != known
        entry.last_event_at = max(entry.last_event_at, self._clock.monotonic() if listed_at is None else listed_at)
        return newer(candidate, known)

    def _heard(self, uid: str, namespace: str, name: str, listed_at: float | None) -> CacheEntry:
        entry = self._entries.get(uid)
        if entry is None:
            entry = self._entries[uid] = CacheEntry(uid, namespace, name)
        entry.last_event_at = max(entry.last_event_at, self._clock.monotonic() if listed_at is None else listed_at)
        return entry


def _with_moments(pod: PodFacts, known: PodFacts | None, now: datetime) -> PodFacts:
    """A pod with the times at which this process first saw it, and first saw its bot ended."""
    first_seen_at, ended_seen_at = (known.first_seen_at, known.bot_ended_seen_at) if known is not None else (now, None)
    ended_seen_at = None if pod.bot.terminated is None else ended_seen_at or now
    return replace(pod, first_seen_at=first_seen_at, bot_ended_seen_at=ended_seen_at)


def _shifted(moment: datetime | None, step: timedelta) -> datetime | None:
    return None if moment is None else moment + step


def _shifted_fields(found: Any, step: timedelta) -> Any:
    """Facts, with the moments that this machine's clock gave them moved; there may be none."""
    if found is None:
        return None
    names = {each.name for each in fields(found)}
    moved: dict[str, Any] = {each: _shifted(getattr(found, each), step) for each in _MOMENTS if each in names}
    if isinstance(found, CreateRejection):
        moved["first_at"] = {kind: at + step for kind, at in found.first_at.items()}
    return replace(found, **moved)
