"""Gathers the facts of one session; where a cache cannot be trusted to say that something is gone, it asks."""

from collections.abc import Mapping
from datetime import datetime

from meeting_buddy.contract import identity
from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.table import PlatformTable, table_hash
from meeting_buddy.control.store import Record, Store
from meeting_buddy.domain.facts import Facts, Installation
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.objects import Objects
from meeting_buddy.resource import installation


class Observer:
    """Turns a record into facts."""

    def __init__(
        self,
        objects: Objects,
        store: Store,
        settings: installation.Installation,
        tables: Mapping[Platform, PlatformTable],
    ) -> None:
        self._objects = objects
        self._store = store
        self._settings = settings
        self._hashes = {platform: table_hash(table) for platform, table in tables.items()}

    async def facts(self, record: Record, now: float, seen_at: datetime) -> Facts:
        """All that is known of a session.

        Raises:
            KubeError: a question that had to be asked was not answered.
        """
        if record.session is None and not record.gone:
            await self._confirm_session(record, now, seen_at)
        if self._misses_its_pod(record):
            await self._confirm_pod(record, now)
        session = record.session
        name = session.spec.bot_class_name if session is not None else ""
        return Facts(
            session=session,
            installation=Installation(
                bot_class=self._settings.bot_classes.get(name),
                self_hosted=self._settings.allowed_hosts,
                tables=self._hashes,
            ),
            pods=tuple(seen.facts for seen in record.pods.values()),
            last_seen=record.last_seen,
            report=record.report,
            stream=record.stream,
            leave=record.leave,
            refusal=record.refusal,
            warnings=record.warnings,
            written_at=record.written_at,
        )

    async def _confirm_session(self, record: Record, now: float, seen_at: datetime) -> None:
        """Pods without a session: the watch of sessions may only be late."""
        try:
            document = await self._objects.get_session(record.namespace, record.name)
        except KubeError as error:
            if not error.not_found:
                raise
            record.gone = True
            return
        if document["metadata"]["uid"] == record.uid:
            self._store.saw_session(document, now, seen_at)
        else:
            record.gone = True

    def _misses_its_pod(self, record: Record) -> bool:
        session = record.session
        if session is None or session.status.bot_pod is None or record.pods:
            return False
        return session.status.phase is None or not session.status.phase.terminal

    async def _confirm_pod(self, record: Record, now: float) -> None:
        """A session that had a pod and shows none: the watch of pods may only be late."""
        session = record.session
        if session is None:
            return
        name = identity.pod_name(session.name, session.uid, session.status.attempt or 1)
        try:
            document = await self._objects.get_pod(session.namespace, name)
        except KubeError as error:
            if not error.not_found:
                raise
            return
        self._store.saw_pod(document, now)
