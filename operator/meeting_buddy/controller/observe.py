"""Gathers the facts of one session; where a cache cannot be trusted to say that something is gone, it asks."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from meeting_buddy.contract import identity
from meeting_buddy.contract.identity import PodId, Role
from meeting_buddy.contract.links import PlatformName, is_self_hosted
from meeting_buddy.contract.table import PlatformTable, table_hash
from meeting_buddy.contract.token import BotKeys
from meeting_buddy.controller.clock import Clock
from meeting_buddy.controller.pod_labels import read_pod
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.domain import startup, times
from meeting_buddy.domain.admission import validate
from meeting_buddy.domain.facts import AttemptFacts, Facts, InstallationFacts, SessionFacts, known_claim
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.manifests.secret import request_hmac
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
        keys: BotKeys,
        clock: Clock,
    ) -> None:
        """``class_refusal``: why the API server refuses pods of a class in a namespace, if it does; ``table_faults``:
        what is wrong with the administrator's platform tables that are not used."""
        self._api = api
        self._cache = cache
        self._settings = settings
        self._class_refusal = class_refusal
        self._table_faults = table_faults
        self._keys = keys
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
            refused = entry.of(seen.facts.id).rejection is not None
            if refused and startup.started(seen.facts) and not seen.facts.orphaned:
                entry.note(seen.facts.id, rejection=None)  # whatever was refused, its bot has begun
        if entry.session is None and not entry.gone:
            await self._confirm_session(entry)
        self._forget_old_refusal(entry)
        self._note_outdated_pods(entry)
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
            installation=self._installation(name, entry.namespace),
            pods=tuple(seen.facts for seen in entry.pods.values()),
            attempts=_attempts(entry),
            error=entry.error,
            announced_errors=frozenset(entry.announced_errors),
            confirmed=confirmed,
            written_at=entry.written_at,
        )

    def _installation(self, bot_class: str, namespace: str) -> InstallationFacts:
        return InstallationFacts(
            bot_class=self._settings.bot_classes.get(bot_class),
            self_hosted=self._settings.self_hosted.hosts,
            tables=self._hashes,
            kinds=self._kinds,
            table_faults=self._table_faults,
            class_refusal=self._class_refusal(bot_class, namespace),
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
        if session is None or session.status.finishing or session.status.bot_pod is not None or entry.pods:
            return
        bot_class = self._settings.bot_classes.get(session.spec.bot_class_name)
        which, timeouts = entry.current, bot_class.timeouts if bot_class else Timeouts()
        if times.refused_before_due(entry.of(which).rejection, session, timeouts):
            entry.note(which, rejection=None)

    def _note_outdated_pods(self, entry: CacheEntry) -> None:
        """Until a status names the first bot, the session's author may still change what its pod was made for."""
        session = entry.session
        if session is None or session.status.attempt or session.status.ended:
            return
        for seen in entry.pods.values():
            pod, made_for = seen.facts, seen.request_hmac
            if pod.role is not Role.BOT or pod.orphaned or pod.bot.ran or made_for is None:
                continue
            if made_for != request_hmac(session.spec, self._keys.of_pod(seen.key_fingerprint)):
                entry.note(pod.id, outdated=pod.uid)

    def _unknown_pods(self, entry: CacheEntry) -> list[str]:
        """Names of pods that the cache lacks, and on which what follows depends."""
        session = entry.session
        if session is None or session.status.ended:
            return []
        current = entry.current
        name = identity.pod_name(session.name, session.uid, *current)
        finishes = current.role is Role.FINISHER
        if finishes and not session.status.finishing:  # by its pod alone: the bot's would say why it ended
            bot = identity.pod_name(session.name, session.uid, current.attempt)
            return [] if bot in entry.pods else [bot]
        if name in entry.pods:
            return []
        if (session.status.finisher_pod if finishes else session.status.bot_pod) is not None:
            return [name]
        former = _unknown_former_bots(entry, session, current)
        return former if finishes or not self._may_end(session) else [*former, name]

    def _may_end(self, session: SessionFacts) -> bool:
        """Whether a session without a pod ends: by its times, because it is to be left, or as it may have no bot.

        Nothing is awaited from here to the decision: what is not too late now is not either when it is decided.
        """
        if times.too_late(session, self._clock.now()):
            return True
        if session.spec.leave or session.status.leave_requested_at is not None:
            return True
        installation = self._installation(session.spec.bot_class_name, session.namespace)
        return validate(session, installation).reason is not None

    async def _confirm_pods(self, entry: CacheEntry) -> None:
        """Ask for what is unknown, one after the other: an answer may say what the next question was for.

        And while one is awaited, it may become too late for a pod that was not asked for.
        """
        asked: set[str] = set()
        while unknown := [name for name in self._unknown_pods(entry) if name not in asked]:
            asked.add(unknown[0])
            await self._confirm_pod(entry, unknown[0])

    async def _confirm_pod(self, entry: CacheEntry, name: str) -> None:
        """The watch of pods may only be late for a session that shows none.

        Either its status names one, or it is about to end for want of one: an operator may have died between pod and
        status. Or the next one is about to be made: the one before must be known to be dead, and one of the earlier
        ones says on which volume the session's files are.
        """
        try:
            document = await read_pod(self._api, entry, name, self._clock.monotonic())
        except KubeError as error:
            if not error.not_found:
                raise
            return
        self._cache.upsert_pod(document)
        self._note_outdated_pods(entry)


def _unknown_former_bots(entry: CacheEntry, session: SessionFacts, current: PodId) -> list[str]:
    """Names of bots' pods before the current one: the last one, and all until one tells where the files are.

    Of those that this process saw to the end it knows that they did not.
    """
    last = current.attempt if current.role is Role.FINISHER else current.attempt - 1
    told = known_claim((seen.facts for seen in entry.pods.values()), entry.attempts.values()) is not None
    earlier = [] if told else [each for each in range(last - 1, 0, -1) if entry.of(PodId(each)).last_seen is None]
    names = [identity.pod_name(session.name, session.uid, each) for each in ([last] if last else []) + earlier]
    return [name for name in names if name not in entry.pods]


def _attempts(entry: CacheEntry) -> dict[PodId, AttemptFacts]:
    """What is known of each pod, and whether it may be without its Secret."""
    without = {
        seen.facts.id
        for seen in entry.pods.values()
        if seen.assignment_sha256 is not None and seen.facts.uid not in entry.secrets_of
    }
    known = {which: entry.of(which) for which in sorted({*entry.attempts, *without})}
    return {which: replace(each, secret_missing=True) if which in without else each for which, each in known.items()}
