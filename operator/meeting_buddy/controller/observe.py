"""Gathers the facts of one session; where a cache cannot be trusted to say that something is gone, it asks."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import PodId
from meeting_buddy.contract.links import PlatformName, is_self_hosted
from meeting_buddy.contract.table import PlatformTable, table_hash
from meeting_buddy.controller.clock import Clock
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.domain import startup, times
from meeting_buddy.domain.facts import AttemptFacts, Facts, InstallationFacts, SessionFacts, current_pod
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.resource.bot_class import Timeouts
from meeting_buddy.resource.installation import Installation


class Observation(NamedTuple):
    """What is known, and the refusal that kept some of it back."""

    facts: Facts
    failure: KubeError | None = None


class Observer:
    """Turns a cache entry into facts."""

    def __init__(
        self,
        api: KubernetesApi,
        cache: SessionCache,
        settings: Installation,
        tables: Mapping[PlatformName, PlatformTable],
        class_refusal: Callable[[str, str], str | None],
        table_faults: Mapping[PlatformName, str],
        clock: Clock,
    ) -> None:
        """``class_refusal``: why the API server refuses pods of a class in a namespace, if it does; ``table_faults``:
        what is wrong with the administrator's platform tables that are not used."""
        self._api = api
        self._cache = cache
        self._settings = settings
        self._class_refusal = class_refusal
        self._table_faults = table_faults
        self._clock = clock
        self._kinds = {name: table.link_rules for name, table in tables.items() if is_self_hosted(name)}
        self._hashes = {platform: table_hash(table) for platform, table in tables.items()}

    async def observe(self, entry: CacheEntry) -> Observation:
        """All that is known of a session.

        Raises:
            KubeError: a question that had to be asked was not answered. When that goes on, the facts come without the
                answer, so that it can be reported.
        """
        failure = None
        self._clock.now()  # a step of the clock is noticed before what is remembered becomes facts
        for seen in entry.pods.values():
            if startup.started(seen.facts) and not seen.facts.orphaned:
                entry.note(seen.facts.id, rejection=None)  # whatever was refused, its bot has begun
        if entry.session is None and not entry.gone:
            await self._confirm_session(entry)
        self._forget_old_refusal(entry)
        try:
            await self._confirm_pods(entry)
        except KubeError as error:
            if not entry.has_persistent_error:
                raise
            failure = error
        return Observation(self._facts(entry, confirmed=failure is None), failure)

    def _facts(self, entry: CacheEntry, *, confirmed: bool) -> Facts:
        session = entry.session
        name = session.spec.bot_class_name if session is not None else ""
        return Facts(
            session=session,
            installation=InstallationFacts(
                bot_class=self._settings.bot_classes.get(name),
                self_hosted=self._settings.self_hosted.hosts,
                tables=self._hashes,
                kinds=self._kinds,
                table_faults=self._table_faults,
                class_refusal=self._class_refusal(name, entry.namespace),
            ),
            pods=tuple(seen.facts for seen in entry.pods.values()),
            attempts=_attempts(entry),
            error=entry.error,
            announced_error=entry.announced_error,
            confirmed=confirmed,
            written_at=entry.written_at,
        )

    async def _confirm_session(self, entry: CacheEntry) -> None:
        """Pods without a session: the watch of sessions may only be late."""
        try:
            document = await self._api.get_session(entry.namespace, entry.name)
        except KubeError as error:
            if not error.not_found:
                raise
            entry.gone = True
            return
        if document["metadata"]["uid"] == entry.uid:
            self._cache.upsert_session(document)
        else:
            entry.gone = True

    def _forget_old_refusal(self, entry: CacheEntry) -> None:
        """What was refused before a start was moved is neither shown nor waited for, and the next one is news."""
        session = entry.session
        if session is None or session.status.bot_pod is not None or entry.pods:
            return
        bot_class = self._settings.bot_classes.get(session.spec.bot_class_name)
        which, timeouts = current_pod(session), bot_class.timeouts if bot_class else Timeouts()
        if times.refused_before_due(entry.of(which).rejection, session, timeouts):
            entry.note(which, rejection=None)

    def _unknown_pods(self, entry: CacheEntry) -> list[str]:
        """Names of pods that the cache lacks, and on which what follows depends."""
        session = entry.session
        if session is None or session.status.ended:
            return []
        status, name = session.status, _current_pod(session)
        if name in entry.pods:
            return []
        if (status.finisher_pod if status.finishing else status.bot_pod) is not None:
            return [name]
        # Nothing is awaited from here to the decision: what is not too late now is not either when it is decided.
        found = [name] if not status.finishing and times.too_late(session, self._clock.now()) else []
        former = _former_bot(session)
        return found if former is None or former in entry.pods else [*found, former]

    async def _confirm_pods(self, entry: CacheEntry) -> None:
        """Ask for what is unknown; while that is answered, it may become too late for a pod that was not asked for."""
        asked: set[str] = set()
        while unknown := set(self._unknown_pods(entry)) - asked:
            for name in sorted(unknown):
                await self._confirm_pod(entry, name)
            asked |= unknown

    async def _confirm_pod(self, entry: CacheEntry, name: str) -> None:
        """The watch of pods may only be late for a session that shows none.

        Either its status names one, or it is about to end for want of one: an operator may have died between pod and
        status. Or the next one is about to be made, and the one before must be known to be dead.
        """
        session = entry.session
        if session is None:
            return
        try:
            document = await self._api.get_pod(session.namespace, name)
        except KubeError as error:
            if not error.not_found:
                raise
            return
        self._cache.upsert_pod(document)


def _current_pod(session: SessionFacts) -> str:
    """Name of the pod that a session has now, or waits for."""
    return identity.pod_name(session.name, session.uid, *current_pod(session))


def _former_bot(session: SessionFacts) -> str | None:
    """Name of the bot's pod that came before the current one."""
    which = current_pod(session)
    attempt = which.attempt if session.status.finishing else which.attempt - 1
    return identity.pod_name(session.name, session.uid, attempt) if attempt else None


def _attempts(entry: CacheEntry) -> dict[PodId, AttemptFacts]:
    """What is known of each pod, and whether it may be without its Secret."""
    without = {
        seen.facts.id
        for seen in entry.pods.values()
        if seen.assignment_sha256 is not None and seen.facts.uid not in entry.secrets_of
    }
    known = sorted({*entry.attempts, *without})
    return {which: replace(entry.of(which), secret_missing=which in without) for which in known}
