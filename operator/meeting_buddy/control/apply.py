"""Carries out one action of a plan; the first that fails ends the plan, and the next look decides anew.

Every write asks the Lease first. What happens if this process dies between two actions? See ``domain.decide``: each
order of actions was chosen so that the next process can tell how far the last one got.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from meeting_buddy.contract import identity
from meeting_buddy.contract.links import Platform
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.token import Scope, derive
from meeting_buddy.control.reading import seen_pod
from meeting_buddy.control.store import Record, Store
from meeting_buddy.control.streams import Line, Streams
from meeting_buddy.control.telemetry import Telemetry
from meeting_buddy.domain import plan
from meeting_buddy.domain.admission import admit
from meeting_buddy.domain.facts import Clock, Facts, LeaveFacts, PodWarning, Refusal
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.objects import Objects
from meeting_buddy.manifests.order import BotOrder
from meeting_buddy.manifests.pod import bot_pod
from meeting_buddy.manifests.secret import bot_secret

_log = logging.getLogger(__name__)
_MAX_REFUSAL: Final = 400


class LeaseLostError(Exception):
    """The Lease was lost; whoever holds it now acts."""


class StaleFactsError(Exception):
    """Something was learned that changes the plan."""


class Hands:
    """Does what plans say."""

    def __init__(
        self,
        objects: Objects,
        store: Store,
        streams: Streams,
        tables: Mapping[Platform, PlatformTable],
        key: bytes,
        clock: Clock,
        loop_time: Callable[[], float],
        leads: Callable[[], bool],
        telemetry: Telemetry,
    ) -> None:
        self._objects = objects
        self._store = store
        self._streams = streams
        self._tables = tables
        self._key = key
        self._clock = clock
        self._loop_time = loop_time
        self._leads = leads
        self._telemetry = telemetry

    async def do(self, record: Record, facts: Facts, action: plan.Action) -> None:
        """Carry out one action.

        Raises:
            KubeError: the API server did not do it.
            StaleFactsError: decide again at once.
            LeaseLostError: the Lease is not ours.
        """
        if not self._leads():
            raise LeaseLostError
        match action:
            case plan.CreatePod(attempt):
                await self._create_pod(record, facts, attempt)
            case plan.FollowStream(_, ip, attempt):
                self._streams.follow(record, self._line(record, ip, attempt))
            case plan.StopStream():
                self._streams.stop(record)
            case plan.AskLeave(_, ip, attempt):
                told = await self._streams.ask_leave(self._line(record, ip, attempt))
                record.leave = LeaveFacts(told, self._clock())
                raise StaleFactsError
            case plan.ReadWarnings(pod):
                await self._read_warnings(record, pod)
                raise StaleFactsError
            case plan.PatchStatus(patch):
                await self._patch_status(record, facts, patch)
            case plan.EmitEvent(kind, reason, note):
                await self._emit(record, kind, reason, note)
            case plan.ReleaseFinalizer(pod):
                await self._release(record, pod)
            case plan.DeletePod(pod, uid):
                await self._objects.delete_pod(record.namespace, pod, uid)

    # Pod

    async def _create_pod(self, record: Record, facts: Facts, attempt: int) -> None:
        session, bot_class = facts.session, facts.installation.bot_class
        if session is None or bot_class is None:
            return
        platform = admit(session.spec, facts.installation).platform
        if platform is None:
            return
        order = BotOrder(session.namespace, session.name, session.uid, session.spec, bot_class, attempt)
        secret = bot_secret(order, self._tables[platform], facts.installation.self_hosted, self._key)
        try:
            await self._create_secret(secret)
            document = await self._objects.create_pod(bot_pod(order))
        except KubeError as error:
            if error.exists:
                await self._adopt(record, order)
                return
            if not error.refused:
                raise
            record.refusal = _refusal(error, self._clock())
            _log.warning("pod refused", extra={"session": session.name, "kind": record.refusal.kind})
            raise StaleFactsError from error
        record.refusal = None
        self._store.saw_pod(document, self._loop_time())
        self._telemetry.pod_created((datetime.now(UTC) - session.created_at).total_seconds())

    async def _create_secret(self, manifest: dict[str, object]) -> None:
        try:
            await self._objects.create_secret(manifest)
        except KubeError as error:
            # There already: an earlier process got as far as this. It may not be read, and need not be: same key,
            # same attempt, same tokens.
            if not error.exists:
                raise

    async def _adopt(self, record: Record, order: BotOrder) -> None:
        """A pod of this name is there: ours from an earlier process, or somebody else's."""
        document = await self._objects.get_pod(order.namespace, order.name)
        seen = seen_pod(document)
        if seen is None or seen.session_uid != record.uid:
            message = f"a pod named {order.name} exists and belongs to somebody else"
            record.refusal = Refusal("taken", message, self._clock())
        else:
            self._store.saw_pod(document, self._loop_time())
        raise StaleFactsError

    async def _release(self, record: Record, pod: str) -> None:
        seen = record.pods.get(pod)
        if seen is None:
            return
        kept = [each for each in seen.finalizers if each != identity.FINALIZER_OUTCOME]
        try:
            document = await self._objects.release_pod(record.namespace, pod, kept, seen.resource_version)
        except KubeError as error:
            if error.not_found:
                self._store.lost_pod(record.uid, pod)
                return
            if error.conflict:
                await self._refresh_pod(record, pod)
                raise StaleFactsError from error
            raise
        self._store.saw_pod(document, self._loop_time())

    async def _refresh_pod(self, record: Record, pod: str) -> None:
        try:
            self._store.saw_pod(await self._objects.get_pod(record.namespace, pod), self._loop_time())
        except KubeError as error:
            if not error.not_found:
                raise
            self._store.lost_pod(record.uid, pod)

    async def _read_warnings(self, record: Record, pod: str) -> None:
        seen = record.pods.get(pod)
        if seen is None:
            return
        try:
            events = await self._objects.pod_events(record.namespace, seen.facts.uid)
        except KubeError as error:
            if not error.refused:
                raise
            # Without the right to read Events the session still ends, with a less telling message.
            _log.warning("a pod's Events may not be read", extra={"error": str(error)})
            events = []
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        record.warnings = tuple(PodWarning(event.get("reason") or "", event.get("message") or "") for event in events)

    # Session

    async def _patch_status(self, record: Record, facts: Facts, patch: Mapping[str, object]) -> None:
        session = facts.session
        if session is None:
            return
        try:
            document = await self._objects.patch_status(
                session.namespace, session.name, session.resource_version, patch
            )
        except KubeError as error:
            if error.not_found:
                self._store.lost_session(record.uid, confirmed=True)
                raise StaleFactsError from error
            if error.conflict:
                record.session = None  # the look that follows reads it again
                raise StaleFactsError from error
            raise
        now = self._clock()
        record.written_at = now
        self._store.saw_session(document, self._loop_time(), now)
        self._tell(record, facts)

    def _tell(self, record: Record, facts: Facts) -> None:
        if record.session is None or facts.session is None:
            return
        before, after = facts.session.status, record.session.status
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
                "namespace": record.namespace,
                "session": record.name,
                "uid": record.uid,
                "phase": after.phase.value,
                "reason": after.reason.value if after.reason else None,
            },
        )

    async def _emit(self, record: Record, kind: str, reason: str, note: str) -> None:
        regarding = {"namespace": record.namespace, "name": record.name, "uid": record.uid}
        try:
            await self._objects.create_event(regarding, kind, reason, note)
        except KubeError as error:
            _log.info("an Event was not written", extra={"session": record.name, "error": str(error)})

    def _line(self, record: Record, ip: str, attempt: int) -> Line:
        return Line(ip, attempt, derive(self._key, record.uid, attempt, Scope.CONTROL))


def _refusal(error: KubeError, now: datetime) -> Refusal:
    """Sort a refusal; a message about the Secret is passed on only where it speaks of a quota."""
    quota = error.status == 403 and "exceeded quota" in error.message
    if quota:
        return Refusal("quota", error.message[:_MAX_REFUSAL], now)
    if error.kind != "Pod":
        message = f"the bot's {error.kind} was refused ({error.reason or error.status})"
    else:
        message = f"the bot's pod was refused: {error.message}"[:_MAX_REFUSAL]
    lasting = error.status != 403 or "violates PodSecurity" in error.message
    return Refusal("invalid" if lasting else "forbidden", message, now)
