"""Carries out one action of a plan; the first that fails ends the plan, and the next look decides anew.

Every write asks the Lease first. What happens if this process dies between two actions? See ``domain.decide``: each
order of actions was chosen so that the next process can tell how far the last one got.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NoReturn

from meeting_buddy.contract import identity
from meeting_buddy.contract.assignment import Assignment
from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.token import BotKeys, Scope
from meeting_buddy.controller.parsing import parse_pod
from meeting_buddy.controller.report_streams import BotEndpoint, BotReportStreams
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.controller.telemetry import Telemetry
from meeting_buddy.domain import plan
from meeting_buddy.domain.create_rejection import rejection
from meeting_buddy.domain.facts import Clock, CreateRejection, Facts, LeaveFacts, PodWarning
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import bot_pod
from meeting_buddy.manifests.secret import assignment, assignment_annotations, bot_secret

_log = logging.getLogger(__name__)


class NotLeaderError(Exception):
    """The Lease was lost; whoever holds it now acts."""


class StaleFactsError(Exception):
    """Something was learned that changes the plan."""


class Executor:
    """Does what plans say."""

    def __init__(
        self,
        api: KubernetesApi,
        cache: SessionCache,
        streams: BotReportStreams,
        tables: Mapping[Platform, PlatformTable],
        keys: BotKeys,
        clock: Clock,
        loop_time: Callable[[], float],
        leads: Callable[[], bool],
        telemetry: Telemetry,
    ) -> None:
        self._api = api
        self._cache = cache
        self._streams = streams
        self._tables = tables
        self._keys = keys
        self._clock = clock
        self._loop_time = loop_time
        self._leads = leads
        self._telemetry = telemetry

    async def execute(self, entry: CacheEntry, facts: Facts, action: plan.Action) -> None:
        """Carry out one action.

        Raises:
            KubeError: the API server did not do it.
            StaleFactsError: decide again at once.
            NotLeaderError: the Lease is not ours.
        """
        if not self._leads():
            raise NotLeaderError
        match action:
            case plan.CreatePod(attempt, platform):
                await self._create_pod(entry, facts, attempt, platform)
            case plan.CreateSecret(pod, platform):
                await self._create_missing_secret(entry, facts, pod, platform)
            case plan.FollowStream(ip, attempt):
                self._streams.follow(entry, self._endpoint(entry, ip, attempt))
            case plan.StopStream():
                self._streams.stop(entry)
            case plan.RequestLeave(ip, attempt):
                told = await self._streams.request_leave(self._endpoint(entry, ip, attempt))
                entry.leave = LeaveFacts(told, self._clock())
                raise StaleFactsError
            case plan.ReadWarnings(pod, claim):
                await self._read_warnings(entry, pod, claim)
                raise StaleFactsError
            case plan.PatchStatus(patch):
                await self._patch_status(entry, facts, patch)
            case plan.EmitEvent(kind, reason, note):
                await self._emit(entry, kind, reason, note)
            case plan.ReleaseFinalizer(pod):
                await self._release(entry, pod)
            case plan.DeletePod(pod, uid):
                await self._api.delete_pod(entry.namespace, pod, uid)

    # Pod

    async def _create_pod(self, entry: CacheEntry, facts: Facts, attempt: int, platform: Platform) -> None:
        """The pod first, so that it can own its Secret; a process that dies in between is followed by CreateSecret."""
        prepared = self._prepare(facts, attempt, platform, self._keys)
        if prepared is None or facts.session is None:
            return
        pod_input, document = prepared
        try:
            created = await self._api.create_pod(bot_pod(pod_input, assignment_annotations(document, self._keys)))
        except KubeError as error:
            if error.exists:
                await self._adopt(entry, pod_input)
                return
            self._reject(entry, error)
        self._cache.upsert_pod(created, self._loop_time())
        self._telemetry.pod_created((datetime.now(UTC) - facts.session.created_at).total_seconds())
        uid = created["metadata"]["uid"]
        if not await self._create_secret(entry, bot_secret(pod_input, document, uid), uid):
            # It was there before the pod. It may not be read, and the bot would refuse it.
            message = f"a Secret named {pod_input.name} exists and was not made for this session's pod"
            entry.rejection = CreateRejection("taken", message, self._clock())
            raise StaleFactsError

    async def _create_missing_secret(
        self, entry: CacheEntry, facts: Facts, pod: str, platform: Platform | None
    ) -> None:
        """Nobody saw this pod's Secret being made.

        Where the assignment is no longer the one that the pod was made for (another bot class or table since), the
        pod's annotation follows, provided that there is no Secret: its bot has not started, so it has read neither.
        """
        seen = entry.pods.get(pod)
        if seen is None:
            return
        keys = self._keys.of_pod(seen.key_fingerprint)
        prepared = self._prepare(facts, seen.facts.attempt, platform, keys)
        if prepared is None:
            message = "the bot class or page table that the pod was made with is gone"
            entry.rejection = CreateRejection("invalid", message, self._clock())
            raise StaleFactsError
        pod_input, document = prepared
        if seen.grace_seconds is not None:
            document = document.model_copy(update={"grace_seconds": seen.grace_seconds})
        secret = bot_secret(pod_input, document, seen.facts.uid)
        annotations = assignment_annotations(document, keys)
        if annotations[identity.ANNOTATION_ASSIGNMENT] != seen.assignment_sha256:
            if await self._api.secret_exists(secret):
                entry.secret_of = seen.facts.uid
                return
            changed = await self._api.annotate_pod(entry.namespace, pod, annotations, seen.resource_version)
            self._cache.upsert_pod(changed, self._loop_time())
        await self._create_secret(entry, secret, seen.facts.uid)
        entry.secret_of = seen.facts.uid

    def _prepare(
        self, facts: Facts, attempt: int, platform: Platform | None, keys: BotKeys
    ) -> tuple[BotPodInput, Assignment] | None:
        session, bot_class = facts.session, facts.installation.bot_class
        if session is None or bot_class is None or platform is None or platform not in self._tables:
            return None
        pod_input = BotPodInput(session.namespace, session.name, session.uid, session.spec, bot_class, attempt)
        return pod_input, assignment(pod_input, self._tables[platform], facts.installation.self_hosted, keys)

    async def _create_secret(self, entry: CacheEntry, manifest: dict[str, object], pod_uid: str) -> bool:
        """Whether it was created; False: one of this name is there."""
        try:
            await self._api.create_secret(manifest)
        except KubeError as error:
            if error.exists:
                return False
            self._reject(entry, error)
        entry.secret_of, entry.rejection = pod_uid, None
        return True

    def _reject(self, entry: CacheEntry, error: KubeError) -> NoReturn:
        """Remember why pod or Secret was refused; other errors are passed on."""
        if not error.refused:
            raise error
        entry.rejection = rejection(error.kind, error.status, error.reason, error.message, self._clock())
        _log.warning("refused", extra={"session": entry.name, "object": error.kind, "kind": entry.rejection.kind})
        raise StaleFactsError from error

    async def _adopt(self, entry: CacheEntry, pod_input: BotPodInput) -> None:
        """A pod of this name is there: ours from an earlier process, or somebody else's."""
        document = await self._api.get_pod(pod_input.namespace, pod_input.name)
        seen = parse_pod(document)
        if seen is None or seen.facts.orphaned or seen.session_uid != entry.uid:
            message = f"a pod named {pod_input.name} exists and belongs to somebody else"
            entry.rejection = CreateRejection("taken", message, self._clock())
        else:
            self._cache.upsert_pod(document, self._loop_time())
        raise StaleFactsError

    async def _release(self, entry: CacheEntry, pod: str) -> None:
        seen = entry.pods.get(pod)
        if seen is None:
            return
        kept = [each for each in seen.finalizers if each != identity.FINALIZER_OUTCOME]
        try:
            document = await self._api.release_pod(entry.namespace, pod, kept, seen.resource_version)
        except KubeError as error:
            if error.not_found:
                self._cache.remove_pod(entry.uid, pod)
                return
            if error.conflict:
                await self._refresh_pod(entry, pod)
                raise StaleFactsError from error
            raise
        self._cache.upsert_pod(document, self._loop_time())

    async def _refresh_pod(self, entry: CacheEntry, pod: str) -> None:
        try:
            self._cache.upsert_pod(await self._api.get_pod(entry.namespace, pod), self._loop_time())
        except KubeError as error:
            if not error.not_found:
                raise
            self._cache.remove_pod(entry.uid, pod)

    async def _read_warnings(self, entry: CacheEntry, pod: str, claim: str | None) -> None:
        seen = entry.pods.get(pod)
        if seen is None:
            return
        try:
            events = await self._api.pod_events(entry.namespace, seen.facts.uid)
            if claim is not None:
                events.extend(await self._api.claim_events(entry.namespace, claim))
        except KubeError as error:
            if not error.refused:
                raise
            # Without the right to read Events the session still ends, with a less telling message.
            _log.warning("a pod's Events may not be read", extra={"error": str(error)})
            events = []
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        entry.warnings = tuple(PodWarning(event.get("reason") or "", event.get("message") or "") for event in events)

    # Session

    async def _patch_status(self, entry: CacheEntry, facts: Facts, patch: Mapping[str, object]) -> None:
        session = facts.session
        if session is None:
            return
        try:
            document = await self._api.patch_status(session.namespace, session.name, session.resource_version, patch)
        except KubeError as error:
            if error.not_found:
                self._cache.remove_session(entry.uid, confirmed=True)
                raise StaleFactsError from error
            if error.conflict:
                entry.session = None  # the look that follows reads it again
                raise StaleFactsError from error
            raise
        now = self._clock()
        entry.written_at = now
        self._cache.upsert_session(document, self._loop_time(), now)
        self._record_transition(entry, facts)

    def _record_transition(self, entry: CacheEntry, facts: Facts) -> None:
        if entry.session is None or facts.session is None:
            return
        before, after = facts.session.status, entry.session.status
        if after.phase is None or after.phase is before.phase:
            return
        self._telemetry.transition(before.phase, after.phase)
        if after.phase.terminal and after.reason is not None:
            self._telemetry.outcome(after.phase, after.reason)
        if before.join_timestamp is None and after.join_timestamp is not None:
            self._telemetry.joined((after.join_timestamp - facts.session.created_at).total_seconds())
        _log.info(
            "phase",
            extra={
                "namespace": entry.namespace,
                "session": entry.name,
                "uid": entry.uid,
                "phase": after.phase.value,
                "reason": after.reason.value if after.reason else None,
            },
        )

    async def _emit(self, entry: CacheEntry, kind: str, reason: str, note: str) -> None:
        regarding = {"namespace": entry.namespace, "name": entry.name, "uid": entry.uid}
        try:
            await self._api.create_event(regarding, kind, reason, note)
        except KubeError as error:
            _log.info("an Event was not written", extra={"session": entry.name, "error": str(error)})

    def _endpoint(self, entry: CacheEntry, ip: str, attempt: int) -> BotEndpoint:
        fingerprints = (each.key_fingerprint for each in entry.pods.values() if each.facts.attempt == attempt)
        keys = self._keys.of_pod(next(fingerprints, None))
        return BotEndpoint(ip, attempt, keys.token(entry.uid, attempt, Scope.CONTROL))
