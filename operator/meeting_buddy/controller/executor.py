"""Carries out one action of a plan; the first that fails ends the plan, and the next look decides anew.

Every write asks the Lease first. The order of actions is ``domain.decide``'s, chosen so that whoever comes next can
tell how far a process got that died between two of them.
"""

import logging
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Final

from meeting_buddy.contract import identity
from meeting_buddy.contract.assignment import AttemptConfig
from meeting_buddy.contract.identity import PodId, Role
from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.token import BotKeys, Scope
from meeting_buddy.controller.clock import Clock
from meeting_buddy.controller.failures import without_link
from meeting_buddy.controller.parsing import parse_pod
from meeting_buddy.controller.pod_labels import read_pod
from meeting_buddy.controller.report_streams import BotEndpoint, BotReportStreams
from meeting_buddy.controller.session_cache import CacheEntry, SessionCache
from meeting_buddy.controller.telemetry import Telemetry
from meeting_buddy.domain import plan, times
from meeting_buddy.domain.create_rejection import rejection
from meeting_buddy.domain.facts import CreateRejection, Facts, PodWarning, SessionFacts
from meeting_buddy.domain.reconcile_error import CONDITION, is_shown
from meeting_buddy.domain.status import transcript_result
from meeting_buddy.kube.api import KubernetesApi
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.manifests.bot_pod_input import BotPodInput
from meeting_buddy.manifests.pod import session_pod
from meeting_buddy.manifests.secret import (
    assignment,
    assignment_annotations,
    bot_secret,
    finisher_assignment,
    named_secret,
)
from meeting_buddy.resource.bot_class import BotClass

_COLLECTOR_SECONDS: Final = 5.0
"""Longer than Kubernetes' collector needs as a rule to remove what a pod owned that is gone."""

_log = logging.getLogger(__name__)


class NotLeaderError(Exception):
    """The Lease was lost; whoever holds it now acts."""


class Progress(Enum):
    """What follows an action that was carried out."""

    NEXT = auto()
    """The plan's next action."""
    OBSERVE_AGAIN = auto()
    """A new plan: something was learned that changes it."""


class Executor:
    """Does what plans say."""

    def __init__(
        self,
        api: KubernetesApi,
        cache: SessionCache,
        streams: BotReportStreams,
        tables: Mapping[PlatformName, PlatformTable],
        keys: BotKeys,
        clock: Clock,
        leads: Callable[[], bool],
        telemetry: Telemetry,
    ) -> None:
        self._api = api
        self._cache = cache
        self._streams = streams
        self._tables = tables
        self._keys = keys
        self._clock = clock
        self._leads = leads
        self._telemetry = telemetry

    async def execute(self, entry: CacheEntry, facts: Facts, action: plan.Action) -> Progress:
        """Carry out one action.

        Raises:
            KubeError: the API server did not do it.
            NotLeaderError: the Lease is not ours.
        """
        self._ask_lease()
        entry.writing = True
        try:
            return await self._execute(entry, facts, action)
        finally:
            entry.writing = False

    def _ask_lease(self) -> None:
        """Also where an action awaited something before it writes."""
        if not self._leads():
            raise NotLeaderError

    async def _execute(self, entry: CacheEntry, facts: Facts, action: plan.Action) -> Progress:
        match action:
            case plan.CreatePod(which, platform):
                return await self._create_pod(entry, facts, which, platform)
            case plan.CreateSecret(which, platform):
                return await self._create_missing_secret(entry, facts, which, platform)
            case plan.FollowStream(which, ip):
                self._streams.follow(entry, self._endpoint(entry, which, ip))
            case plan.StopStream(which):
                self._streams.stop(entry, which)
            case plan.RequestLeave(which, ip):
                self._streams.request_leave(entry, self._endpoint(entry, which, ip))
            case plan.ReadLatePod(which, claim):
                await self._read_late_pod(entry, facts, which, claim)
                return Progress.OBSERVE_AGAIN
            case plan.PatchStatus(patch):
                return await self._patch_status(entry, facts, patch)
            case plan.EmitEvent(kind, reason, note):
                await self._emit(entry, kind, reason, note)
            case plan.EmitErrorEvent(reason, note):
                await self._emit(entry, "Warning", CONDITION, note)
                entry.announced_errors.add(reason)
            case plan.ReleaseFinalizer(pod):
                return await self._release(entry, pod)
            case plan.DeletePod(pod, uid):
                await self._api.delete_pod(entry.namespace, pod, uid)
            case plan.GiveUpPod(which, pod, uid, outcome):
                await self._api.delete_pod(entry.namespace, pod, uid)
                entry.note(which, given_up=outcome)
            case plan.DeleteSession(uid, resource_version):
                return await self._delete_session(entry, uid, resource_version)
        return Progress.NEXT

    # Pod

    async def _create_pod(
        self, entry: CacheEntry, facts: Facts, which: PodId, platform: PlatformName | None
    ) -> Progress:
        """The pod first, so that it can own its Secret; a process that dies in between is followed by CreateSecret."""
        prepared = self._prepare(facts, which, platform, self._keys)
        if prepared is None or facts.session is None:
            return Progress.NEXT
        waited = facts.session.status.phase is not None or which.attempt > 1
        if waited and which.role is Role.BOT and await self._changed_meanwhile(entry, facts.session):
            return Progress.OBSERVE_AGAIN
        pod_input, document = prepared[0], prepared[1].to_json()
        if which.role is Role.FINISHER and await self._has_secret(entry, pod_input.name):
            return await self._adopt_finisher(entry, pod_input)
        self._ask_lease()
        try:
            created = await self._api.create_pod(
                session_pod(pod_input, assignment_annotations(pod_input, document, self._keys))
            )
        except KubeError as error:
            if error.exists:
                return await self._adopt(entry, pod_input)
            return self._reject(entry, which, error)
        self._cache.wrote_pod(entry.uid, created)
        self._record_pod(entry, facts.session, which, facts.installation.bot_class)
        uid = created["metadata"]["uid"]
        refusal = await self._create_secret(entry, which, bot_secret(pod_input, document, uid), uid)
        if refusal is None:
            return Progress.NEXT
        if not refusal.exists:
            return self._reject(entry, which, refusal)
        # It was there before the pod. It may not be read, and the bot would refuse it.
        message = f"a Secret named {pod_input.name} exists and was not made for this session's pod"
        entry.note(which, rejection=CreateRejection("taken", message, self._clock.now()))
        return Progress.OBSERVE_AGAIN

    def _record_pod(self, entry: CacheEntry, session: SessionFacts, which: PodId, bot_class: BotClass | None) -> None:
        if which.role is Role.FINISHER:
            return
        wanted_since = times.wanted_since(session, bot_class, entry.respecified_at)
        if wanted_since is None:
            return
        # Where it counts from one of these, the session did not wait until its pod was due.
        scheduled = not session.status.attempt and wanted_since not in (session.created_at, entry.respecified_at)
        self._telemetry.pod_created((self._clock.now() - wanted_since).total_seconds(), scheduled=scheduled)

    async def _changed_meanwhile(self, entry: CacheEntry, planned: SessionFacts) -> bool:
        """Whether a session that waited, for its time or for a quota, is another one by now; if so, the cache has it.

        Its timer rings on what the watch said long ago, and the watch may be late. A pod is guarded by no version, and
        once there is one the author cannot change its start any more.
        """
        try:
            document = await self._api.get_session(planned.namespace, planned.name)
        except KubeError as error:
            if not error.not_found:
                raise
            self._cache.remove_session(entry.uid, confirmed=True)
            return True
        metadata = document["metadata"]
        if metadata["uid"] != entry.uid:
            self._cache.remove_session(entry.uid, confirmed=True)
            return True
        if metadata["resourceVersion"] == planned.resource_version:
            return False
        if entry.session is planned:
            entry.session = None  # what was just read counts, even with a lower version than the known one
        self._cache.upsert_session(document)
        return True

    async def _create_missing_secret(
        self, entry: CacheEntry, facts: Facts, which: PodId, platform: PlatformName | None
    ) -> Progress:
        """Nobody saw this pod's Secret being made.

        Where the assignment is no longer the one that the pod was made for (another bot class or table since), the
        pod's annotation follows, provided that there is no Secret: its bot has not started, so it has read neither.
        """
        seen = entry.pod(which)
        if seen is None:
            return Progress.NEXT
        keys = self._keys.of_pod(seen.key_fingerprint)
        prepared = self._prepare(facts, which, platform, keys)
        if prepared is None:
            # Nobody can say what would be in it; one that is there was made before, and its bot needs nothing more.
            if await self._api.secret_exists(named_secret(entry.namespace, seen.facts.name)):
                entry.note_secret(which, seen.facts.uid)
                return Progress.NEXT
            message = "the bot class or platform table that the pod was made with is gone"
            entry.note(which, rejection=CreateRejection("invalid", message, self._clock.now()))
            return Progress.OBSERVE_AGAIN
        pod_input, document = prepared
        if seen.grace_seconds is not None:
            document = document.model_copy(update={"grace_seconds": seen.grace_seconds})
        text = document.to_json()
        secret = bot_secret(pod_input, text, seen.facts.uid)
        annotations = assignment_annotations(pod_input, text, keys)
        if annotations[identity.ANNOTATION_ASSIGNMENT] != seen.assignment_sha256:
            if await self._api.secret_exists(secret):
                entry.note_secret(which, seen.facts.uid)
                return Progress.NEXT
            name, version = seen.facts.name, seen.resource_version
            self._ask_lease()
            changed = await self._api.annotate_pod(entry.namespace, name, annotations, version)
            self._cache.wrote_pod(entry.uid, changed)
        refusal = await self._create_secret(entry, which, secret, seen.facts.uid)
        if refusal is not None:
            if not refusal.exists:
                return self._reject(entry, which, refusal)
            entry.note_secret(which, seen.facts.uid)
        return Progress.NEXT

    def _prepare(
        self, facts: Facts, which: PodId, platform: PlatformName | None, keys: BotKeys
    ) -> tuple[BotPodInput, AttemptConfig] | None:
        """What a pod is made of; ``None``: its bot class or platform table is gone."""
        session, bot_class = facts.session, facts.installation.bot_class
        if session is None or bot_class is None:
            return None
        if facts.claim is not None:  # where the session's files are, whatever the class says by now
            storage = bot_class.storage.model_copy(update={"claim": facts.claim})
            bot_class = bot_class.model_copy(update={"storage": storage})
        pod_input = BotPodInput(session.namespace, session.name, session.uid, session.spec, bot_class, which)
        if which.role is Role.FINISHER:
            return pod_input, finisher_assignment(pod_input, session.status, keys)
        if platform is None or platform not in self._tables:
            return None
        rejoins, table = session.status.join_timestamp is not None, self._tables[platform]
        return pod_input, assignment(pod_input, table, facts.installation.self_hosted, keys, rejoins=rejoins)

    async def _create_secret(
        self, entry: CacheEntry, which: PodId, manifest: dict[str, object], pod_uid: str
    ) -> KubeError | None:
        """``None`` once it is created; otherwise why not: one of this name is there, or the API server refused it."""
        self._ask_lease()
        try:
            await self._api.create_secret(manifest)
        except KubeError as error:
            if error.exists or error.refused:
                return error
            raise
        entry.note_secret(which, pod_uid)
        return None

    def _reject(self, entry: CacheEntry, which: PodId, error: KubeError) -> Progress:
        """Remember why pod or Secret was refused; other errors are raised again."""
        if not error.refused:
            raise error
        link = entry.session.spec.meeting_link if entry.session is not None else None
        said = without_link(error.message, link)
        found = rejection(error.kind, error.status, error.reason, said, self._clock.now())
        entry.note(which, rejection=found.after(entry.of(which).rejection))
        self._telemetry.reconcile_failed(error.kind, str(error.status))
        _log.warning("refused", extra={"session": entry.name, "object": error.kind, "kind": found.kind})
        return Progress.OBSERVE_AGAIN

    async def _adopt(self, entry: CacheEntry, pod_input: BotPodInput) -> Progress:
        """A pod of this name is there: ours from an earlier process, or somebody else's."""
        document = await read_pod(self._api, entry, pod_input.name, self._clock.monotonic())
        seen = parse_pod(document)
        if seen is None or seen.facts.orphaned or seen.session_uid != entry.uid:
            message = f"a pod named {pod_input.name} exists and belongs to somebody else"
            entry.note(pod_input.pod, rejection=CreateRejection("taken", message, self._clock.now()))
        else:
            self._cache.upsert_pod(document)
        return Progress.OBSERVE_AGAIN

    async def _has_secret(self, entry: CacheEntry, pod: str) -> bool:
        """Whether there is a Secret of a pod's name, as far as the API server says so to a trial."""
        try:
            return await self._api.secret_exists(named_secret(entry.namespace, pod))
        except KubeError as error:
            if not error.refused:
                raise
            return False  # the real creation says more

    async def _adopt_finisher(self, entry: CacheEntry, pod_input: BotPodInput) -> Progress:
        """There is a Secret of its name, so the pod is there, too, or the Secret was the one of a finisher before.

        With that one the next pod would start, until Kubernetes has removed it after the pod that owned it.
        """
        try:
            return await self._adopt(entry, pod_input)
        except KubeError as error:
            if not error.not_found:
                raise
        said = "it is there, and its pod is not; if it is a former pod's, Kubernetes removes it"
        raise KubeError("Secret", entry.namespace, pod_input.name, 409, "AlreadyExists", said, _COLLECTOR_SECONDS)

    async def _release(self, entry: CacheEntry, pod: str) -> Progress:
        seen = entry.pods.get(pod)
        if seen is None:
            return Progress.NEXT
        try:
            document = await self._api.release_pod(entry.namespace, pod, seen.facts.uid, identity.FINALIZER_OUTCOME)
        except KubeError as error:
            if error.not_found:
                self._cache.remove_pod(entry.uid, pod)
                return Progress.NEXT
            if error.invalid:  # another pod has the name by now
                await self._refresh_pod(entry, pod)
                return Progress.OBSERVE_AGAIN
            raise
        if _is_removed(document):
            self._cache.remove_pod(entry.uid, pod, document)
        else:
            self._cache.wrote_pod(entry.uid, document)
        return Progress.NEXT

    async def _refresh_pod(self, entry: CacheEntry, pod: str) -> None:
        self._cache.remove_pod(entry.uid, pod)
        try:
            self._cache.upsert_pod(await self._api.get_pod(entry.namespace, pod))
        except KubeError as error:
            if not error.not_found:
                raise

    async def _read_late_pod(self, entry: CacheEntry, facts: Facts, which: PodId, claim: str | None) -> None:
        """Read the pod and its Events once more, so that it can be judged.

        One that became late while nothing could be read or written is not judged: it gets its time again, as from a
        new operator process. Not so where the status shows an error, also one from before: something could be written.
        """
        seen = entry.pod(which)
        if seen is None:
            return
        try:
            self._cache.upsert_pod(await self._api.get_pod(entry.namespace, seen.facts.name))
        except KubeError as error:
            if error.not_found:
                self._cache.remove_pod(entry.uid, seen.facts.name)
                return
            if not error.refused:
                raise
        try:
            events = await self._api.pod_events(entry.namespace, seen.facts.uid)
            if claim is not None:
                events.extend(await self._api.claim_events(entry.namespace, claim))
        except KubeError as error:
            if not (error.refused or (entry.has_persistent_error and error.status)):
                raise
            # Without the right to read Events the session still ends, with a less precise message.
            _log.warning("a pod's Events may not be read", extra={"error": str(error)})
            events = []
        else:
            if entry.has_persistent_error and not is_shown(facts):
                entry.give_time_again(which, self._clock.now())
                return
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        found = (PodWarning(event.get("reason") or "", event.get("message") or "") for event in events)
        entry.note(which, warnings=tuple(found))

    # Session

    async def _patch_status(self, entry: CacheEntry, facts: Facts, patch: Mapping[str, object]) -> Progress:
        session = facts.session
        if session is None:
            return Progress.NEXT
        try:
            document = await self._api.patch_status(session.namespace, session.name, session.resource_version, patch)
        except KubeError as error:
            if error.not_found:
                self._cache.remove_session(entry.uid, confirmed=True)
                return Progress.OBSERVE_AGAIN
            if error.conflict:
                entry.session = None  # the look that follows reads it again
                return Progress.OBSERVE_AGAIN
            raise
        entry.written_at, entry.unanswered = self._clock.now(), None
        self._cache.wrote_session(document)
        self._record_transition(entry, facts)
        self._record_transcript(entry, facts)
        return Progress.NEXT

    async def catch_up(self, entry: CacheEntry) -> None:
        """Tell of a write of the status whose answer was lost, once it is seen to have arrived.

        Raises:
            NotLeaderError: the Lease is not ours.
        """
        lost, session = entry.unanswered, entry.session
        if lost is None or session is None or lost.was_decided_of(session):
            return
        self._ask_lease()
        entry.unanswered = None
        if not lost.arrived(session):
            return
        self._record_transition(entry, lost.facts)
        self._record_transcript(entry, lost.facts)
        for event in lost.events:
            await self._emit(entry, event.type, event.reason, event.note)

    async def _delete_session(self, entry: CacheEntry, uid: str, resource_version: str) -> Progress:
        try:
            await self._api.delete_session(entry.namespace, entry.name, uid, resource_version)
        except KubeError as error:
            if not error.conflict:
                raise
            entry.session = None  # perhaps somebody wants to keep it: the look that follows reads it again
            return Progress.OBSERVE_AGAIN
        return Progress.NEXT

    def _record_transcript(self, entry: CacheEntry, facts: Facts) -> None:
        """Count the lines that this write has added, so that none is counted twice, whichever process wrote it."""
        if entry.session is None or facts.session is None:
            return
        before, after = facts.session.status, entry.session.status
        added = (after.transcript_line_count or 0) - (before.transcript_line_count or 0)
        self._telemetry.transcript_progress(after.platform or "", added, after.transcript_lag_seconds)
        result = transcript_result(after)
        if result is not None and after.phase is not before.phase and after.ended:
            self._telemetry.transcript_ended(after.platform or "", result)

    def _record_transition(self, entry: CacheEntry, facts: Facts) -> None:
        if entry.session is None or facts.session is None:
            return
        before, after = facts.session.status, entry.session.status
        if after.phase is None or after.phase is before.phase:
            return
        self._telemetry.transition(before.phase, after.phase)
        if after.ended and after.reason is not None:
            self._telemetry.outcome(after.phase, after.reason)
        if before.join_timestamp is None and after.join_timestamp is not None:
            wanted_since = times.wanted_since(facts.session, facts.installation.bot_class, entry.respecified_at)
            if wanted_since is not None:
                self._telemetry.joined((after.join_timestamp - wanted_since).total_seconds())
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
            await self._api.create_event(regarding, kind, reason, note, self._clock.now())
        except KubeError as error:
            _log.info("an Event was not written", extra={"session": entry.name, "error": str(error)})

    def _endpoint(self, entry: CacheEntry, which: PodId, ip: str) -> BotEndpoint:
        seen = entry.pod(which)
        keys = self._keys.of_pod(seen.key_fingerprint if seen is not None else None)
        return BotEndpoint(ip, which, keys.token(entry.uid, which.attempt, Scope.CONTROL))


def _is_removed(pod: Mapping[str, Any]) -> bool:
    """Whether this answer was a pod's last state: it was only held by the finalizer that is gone from it."""
    metadata = pod["metadata"]
    held = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
    return "deletionTimestamp" in metadata and not held
