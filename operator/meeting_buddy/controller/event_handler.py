"""Takes in what watches and listings say: keeps the cache, and wakes a worker while this replica leads.

A replica that only waits for the Lease has no workers. It keeps what it would need to take over, and nothing of a
session that is gone.
"""

import logging

from meeting_buddy.contract import identity
from meeting_buddy.contract.lenient import UnreadableError
from meeting_buddy.controller import failures
from meeting_buddy.controller.parsing import JsonObject
from meeting_buddy.controller.queue import KeyedQueue
from meeting_buddy.controller.session_cache import SessionCache
from meeting_buddy.kube.paths import PODS
from meeting_buddy.resource.session import PLURAL

_log = logging.getLogger(__name__)


class EventHandler:
    """Applies what watches and listings say to the cache, and queues the sessions that changed."""

    def __init__(self, cache: SessionCache, queue: KeyedQueue) -> None:
        self._cache = cache
        self._queue = queue
        self._leading = False

    def start_leading(self) -> None:
        """From now on workers take keys from the queue: each known session is one."""
        self._leading = True
        self.look_at_all()

    def look_at_all(self) -> None:
        """Something changed that may concern each known session."""
        if self._leading:
            for entry in self._cache:
                self._queue.add(entry.uid)

    def stop_leading(self) -> None:
        """From now on nobody takes keys from the queue."""
        self._leading = False
        self._queue.clear()
        for entry in self._cache:
            if entry.gone:  # one that is to be read again is known all the same
                self._cache.forget_if_gone(entry.uid)

    def event(self, resource: str, kind: str, document: JsonObject) -> None:
        """An event of a watch. Never raises: a listing heals what makes no sense.

        Args:
            resource: plural of what is watched.
            kind: ADDED, MODIFIED or DELETED.
            document: the object; as it was, when it was deleted.
        """
        try:
            (self._pod_event if resource == PODS else self._session_event)(kind, document)
        except Exception as error:
            facts = {"resource": resource, "error": type(error).__name__, "frames": failures.origin(error)}
            _log.error("an event was not taken in", extra=facts)

    def _session_event(self, kind: str, document: JsonObject) -> None:
        if kind == "DELETED":
            self.enqueue(self._cache.remove_session(document["metadata"]["uid"], confirmed=True))
        else:
            self.upsert_session(document)

    def _pod_event(self, kind: str, document: JsonObject) -> None:
        if kind != "DELETED":
            self.upsert_pod(document)
            return
        metadata = document["metadata"]
        uids = {owner["uid"] for owner in metadata.get("ownerReferences", ())}
        # An orphan has no owner left; that it is gone must be known all the same.
        for uid in uids or {metadata.get("labels", {}).get(identity.LABEL_SESSION_UID, "")}:
            self.enqueue(self._cache.remove_pod(uid, metadata["name"], document))

    def upsert_session(self, document: JsonObject, listed_at: float | None = None) -> None:
        """A MeetingSession as it is; see ``SessionCache.upsert_session``."""
        try:
            uid = self._cache.upsert_session(document, listed_at)
        except Exception as error:  # a listing goes on: one object's trouble is no other's
            _log_unreadable("MeetingSession", document, error)
        else:
            self._changed(uid, PLURAL, document)

    def upsert_pod(self, document: JsonObject, listed_at: float | None = None) -> None:
        """A bot's pod as it is; see ``SessionCache.upsert_pod``."""
        try:
            uid = self._cache.upsert_pod(document, listed_at)
        except Exception as error:  # a listing goes on: one object's trouble is no other's
            _log_unreadable("Pod", document, error)
        else:
            self._changed(uid, PODS, document)

    def _changed(self, uid: str | None, resource: str, document: JsonObject) -> None:
        """Look at a session, but not for what its worker has just written: that is told apart once it is answered."""
        entry = self._cache.get(uid) if uid is not None else None
        if entry is not None and entry.writing:
            entry.overheard.add((resource, document["metadata"]["resourceVersion"]))
        else:
            self.enqueue(uid)

    def enqueue(self, uid: str | None) -> None:
        """A session has to be looked at; ``None``: nothing changed."""
        if uid is None:
            return
        if self._leading:
            self._queue.add(uid)
        else:
            self._cache.forget_if_gone(uid)


def _log_unreadable(kind: str, document: JsonObject, error: Exception) -> None:
    """Say that a stored object cannot be read, without quoting any of its values."""
    metadata = document.get("metadata", {})
    _log.error(
        "an object cannot be read and is left alone",
        extra={
            "kind": kind,
            "namespace": metadata.get("namespace"),
            "object": metadata.get("name"),
            "error": str(error) if isinstance(error, UnreadableError) else type(error).__name__,
            "frames": failures.origin(error),
        },
    )
