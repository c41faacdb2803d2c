"""What the operator remembers of each session: slim facts, fed by watches, by listing, and by its own writes.

Keys are uids: a session of the same name that is created later is another one. An object replaces what is known only
if it is newer, because a watch may tell late what the answer to our own write told before.

What happens if this process dies here? All of it can be listed again, but what only memory holds (the last report,
whether a bot was already asked to leave) is learned again from the bot itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meeting_buddy.contract.report import Report
from meeting_buddy.control.reading import SeenPod, newer, seen_pod, session_facts
from meeting_buddy.domain.facts import LeaveFacts, PodFacts, PodWarning, Refusal, SessionFacts, StreamFacts


@dataclass(slots=True)
class Record:
    """All that is remembered of one session."""

    uid: str
    namespace: str
    name: str
    session: SessionFacts | None = None
    gone: bool = False
    """Whether the API server confirmed that the session does not exist any more."""
    pods: dict[str, SeenPod] = field(default_factory=dict)
    last_seen: PodFacts | None = None
    report: Report | None = None
    stream: StreamFacts | None = None
    leave: LeaveFacts | None = None
    refusal: Refusal | None = None
    warnings: tuple[PodWarning, ...] | None = None
    written_at: datetime | None = None
    touched_at: float = 0.0
    """Loop time of the last news; a listing that began earlier cannot say that something is gone."""


class Store:
    """All records, by uid of the session."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def get(self, uid: str) -> Record | None:
        """The record of a session, if there is one."""
        return self._records.get(uid)

    def saw_session(self, document: dict[str, Any], now: float, first_seen: datetime) -> str | None:
        """Take in a MeetingSession; its uid if that was news.

        Raises:
            pydantic.ValidationError: the object cannot be read.
        """
        if self._echoes(document, now):
            return None
        facts = session_facts(document)
        record = self._record(facts.uid, facts.namespace, facts.name)
        record.touched_at = now
        record.written_at = record.written_at or first_seen
        record.session, record.gone = facts, False
        return facts.uid

    def _echoes(self, document: dict[str, Any], now: float) -> bool:
        """Whether this, or something newer, is known; looked at first, because each own write is told once more."""
        metadata = document["metadata"]
        record = self._records.get(metadata["uid"])
        if record is None or record.session is None:
            return False
        record.touched_at = now
        return not newer(metadata["resourceVersion"], record.session.resource_version)

    def lost_session(self, uid: str, *, confirmed: bool) -> str | None:
        """A MeetingSession is gone; ``confirmed`` by the API server itself, or only missing from a listing."""
        record = self._records.get(uid)
        if record is None:
            return None
        record.session, record.gone = None, confirmed
        return uid

    def saw_pod(self, document: dict[str, Any], now: float) -> str | None:
        """Take in a pod; the uid of its session if a decision may depend on the change."""
        seen = seen_pod(document)
        if seen is None:
            return None
        record = self._record(seen.session_uid, seen.namespace, seen.session_name)
        record.touched_at = now
        known = record.pods.get(seen.facts.name)
        if known is not None and not newer(seen.resource_version, known.resource_version):
            return None
        record.pods[seen.facts.name] = seen
        return None if known is not None and known.facts == seen.facts else record.uid

    def lost_pod(self, uid: str, name: str, document: dict[str, Any] | None = None) -> str | None:
        """A pod is gone; ``document`` is its last state, if somebody told it."""
        record = self._records.get(uid)
        if record is None:
            return None
        known = record.pods.pop(name, None)
        last = seen_pod(document) if document is not None else None
        found = last or known
        if found is not None:
            record.last_seen = found.facts
        return uid

    def forget(self, uid: str) -> None:
        """Drop a session of which nothing is left."""
        self._records.pop(uid, None)

    def _record(self, uid: str, namespace: str, name: str) -> Record:
        return self._records.setdefault(uid, Record(uid, namespace, name))
