"""What the operator remembers of each session: slim facts, fed by watches, by listing, and by its own writes.

Keys are uids: a session of the same name that is created later is another one. An object replaces what is known only
if it is newer, because a watch may tell late what the answer to our own write told before.

If this process dies: all of it can be listed again, but what only memory holds (the last report, whether a bot was
already asked to leave) is learned again from the bot itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meeting_buddy.contract import identity
from meeting_buddy.contract.report import Report
from meeting_buddy.controller.parsing import CachedPod, newer, parse_pod, parse_session
from meeting_buddy.domain.facts import CreateRejection, LeaveFacts, PodFacts, PodWarning, SessionFacts, StreamFacts


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
    last_seen: PodFacts | None = None
    report: Report | None = None
    stream: StreamFacts | None = None
    leave: LeaveFacts | None = None
    rejection: CreateRejection | None = None
    warnings: tuple[PodWarning, ...] | None = None
    secret_of: str | None = None
    """Uid of the pod whose Secret is known to exist; Secrets can be created and not read, so only writing tells."""
    written_at: datetime | None = None
    last_event_at: float = 0.0
    """Loop time of the last news; a listing that began earlier cannot say that something is gone."""


class SessionCache:
    """All cache entries, by uid of the session."""

    def __init__(self) -> None:
        self._entries: dict[str, CacheEntry] = {}

    def __iter__(self) -> Iterator[CacheEntry]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, uid: str) -> CacheEntry | None:
        """The entry of a session, if there is one."""
        return self._entries.get(uid)

    def upsert_session(self, document: dict[str, Any], now: float, first_seen: datetime) -> str | None:
        """Take in a MeetingSession; its uid if that was news.

        Raises:
            pydantic.ValidationError: the object cannot be read.
        """
        if self._echoes(document, now):
            return None
        facts = parse_session(document)
        entry = self._entry(facts.uid, facts.namespace, facts.name)
        entry.last_event_at = now
        entry.written_at = entry.written_at or first_seen
        entry.session, entry.gone = facts, False
        return facts.uid

    def _echoes(self, document: dict[str, Any], now: float) -> bool:
        """Whether this, or something newer, is known; looked at first, because each own write is told once more."""
        metadata = document["metadata"]
        entry = self._entries.get(metadata["uid"])
        if entry is None or entry.session is None:
            return False
        entry.last_event_at = now
        return not newer(metadata["resourceVersion"], entry.session.resource_version)

    def remove_session(self, uid: str, *, confirmed: bool) -> str | None:
        """A MeetingSession is gone; ``confirmed`` by the API server itself, or only missing from a listing."""
        entry = self._entries.get(uid)
        if entry is None:
            return None
        entry.session, entry.gone = None, confirmed
        return uid

    def upsert_pod(self, document: dict[str, Any], now: float) -> str | None:
        """Take in a pod; the uid of its session if a decision may depend on the change."""
        seen = parse_pod(document)
        if seen is None:
            return self._disown(document)
        entry = self._entry(seen.session_uid, seen.namespace, seen.session_name)
        entry.last_event_at = now
        known = entry.pods.get(seen.facts.name)
        if known is not None and not newer(seen.resource_version, known.resource_version):
            return None
        entry.pods[seen.facts.name] = seen
        return None if known is not None and known.facts == seen.facts else entry.uid

    def _disown(self, document: dict[str, Any]) -> str | None:
        """Forget a pod that was somebody's: an orphan whose finalizer was released is nobody's business any more."""
        metadata = document["metadata"]
        uid = metadata.get("labels", {}).get(identity.LABEL_SESSION_UID, "")
        entry = self._entries.get(uid)
        known = entry.pods.get(metadata["name"]) if entry is not None else None
        if known is None or known.facts.uid != metadata["uid"]:
            return None
        return self.remove_pod(uid, metadata["name"])

    def remove_pod(self, uid: str, name: str, document: dict[str, Any] | None = None) -> str | None:
        """A pod is gone; ``document`` is its last state, if somebody told it."""
        entry = self._entries.get(uid)
        if entry is None:
            return None
        known = entry.pods.pop(name, None)
        last = parse_pod(document) if document is not None else None
        found = last or known
        if found is not None:
            entry.last_seen = found.facts
        return uid

    def forget(self, uid: str) -> None:
        """Drop a session of which nothing is left."""
        self._entries.pop(uid, None)

    def _entry(self, uid: str, namespace: str, name: str) -> CacheEntry:
        return self._entries.setdefault(uid, CacheEntry(uid, namespace, name))
