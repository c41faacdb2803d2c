"""What the API does for a caller, with the caller's own token: create, find, list, leave, delete, follow sessions.

Every method asks the API server with that token; nothing is answered from memory. All errors are ``ProblemError``.
"""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import string
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from meeting_buddy.contract import identity
from meeting_buddy.contract.links import LinkError, unwrap
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.http_api.documents import (
    STATUSES,
    Platforms,
    SessionList,
    SessionObject,
    session_object,
    spec_of,
)
from meeting_buddy.http_api.finding import Finder, kube_problems, parsed, reference
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import ProblemError
from meeting_buddy.kube.caller import CallerApi, JsonObject
from meeting_buddy.kube.errors import KubeError
from meeting_buddy.resource.session import API_VERSION, DEFAULT_STARTING_DEADLINE, KIND

ANNOTATION_REQUEST: Final = "meetingbuddy.io/request-sha256"
"""SHA-256 of the body that was sent with an Idempotency-Key; the spec itself changes later."""
WATCH_SECONDS: Final = 60
"""The API server judges token and rights again when a watch opens anew."""
_WATCH_AGAIN: Final = 1.0
"""Least seconds from one opening of a watch to the next."""
MAX_LIMIT: Final = 500
_PAGE: Final = 100
"""Most sessions that the API server is asked for at once: a page is held in memory whole."""
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_NAME_LETTERS: Final = string.ascii_lowercase + string.digits


class Sessions:
    """The operations, free of HTTP's own words."""

    def __init__(
        self,
        api: CallerApi,
        finder: Finder,
        platforms: Platforms,
        created_by_policy: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        watched: Collection[str] = (),
    ) -> None:
        """Collaborators.

        Args:
            api: calls to the API server.
            finder: finds sessions.
            platforms: what links may lead to.
            created_by_policy: the chart's policy guards the annotation ``created-by``, so that it can be believed.
            now: clock.
            watched: namespaces that the operator watches and that policy guards; none: all.
        """
        self._api = api
        self._finder = finder
        self._platforms = platforms
        self._created_by_policy = created_by_policy
        self._now = now
        self._watched = watched

    async def create(
        self, caller: Caller, namespace: str | None, request: BaseModel, key: str | None = None
    ) -> tuple[SessionObject, bool]:
        """Start a session; the second value says that it is the one of an earlier request with the same ``key``."""
        if key is not None and not _KEY.fullmatch(key):
            raise ProblemError("bad-request", "1 to 255 visible ASCII characters are allowed", field="Idempotency-Key")
        spec = self._spec(request)
        if namespace is None or key or self._created_by_policy:
            user = await self._finder.username(caller)
        else:
            user = ""
            await self._finder.note_user(caller)
        where = caller.known.namespace = namespace or self._finder.namespace_of(user)
        annotations = {
            identity.ANNOTATION_REQUESTED_AT: self._now().isoformat(timespec="seconds").replace("+00:00", "Z")
        }
        if self._created_by_policy:
            annotations[identity.ANNOTATION_CREATED_BY] = user
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
        if key is not None:
            annotations[ANNOTATION_REQUEST] = digest
        name = "api-" + (_derived(user, where, key) if key is not None else _random())
        manifest = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "namespace": where, "annotations": annotations},
            "spec": spec,
        }
        wrong = self._late(request) if self._is_watched(where) else _unwatched()
        if wrong is not None and key is None:
            raise wrong
        with kube_problems(spec.get("meetingLink")):
            refusal: KubeError | None = None
            try:
                if wrong is None:
                    return self._shown(await self._api.create(caller.token, where, manifest)), False
            except KubeError as error:
                if key is None or not (error.exists or error.refused or error.denied):
                    raise
                # A quota, or a rule that is new, refuses before it is seen that the session is there.
                refusal = None if error.exists else error
            try:  # an earlier request with the same key: what it made is the answer, whatever is wrong by now
                found = await self._api.get(caller.token, where, name)
            except KubeError as error:
                if refusal is not None:
                    raise refusal from None
                if not error.not_found:
                    raise
                raise wrong or _deleted_meanwhile() from None
        annotations = found["metadata"].get("annotations", {})
        if annotations.get(ANNOTATION_REQUEST) != digest:
            raise _reused("the session of this Idempotency-Key was created with another body")
        if self._created_by_policy and annotations.get(identity.ANNOTATION_CREATED_BY) != user:
            raise _reused("the session of this Idempotency-Key was created by another user")
        if found["metadata"].get("deletionTimestamp"):
            raise _being_deleted()
        return self._shown(found), True

    def _late(self, request: BaseModel) -> ProblemError | None:
        """What is wrong with times that are over; ``None``: nothing. The CRD's rules know no clock."""
        start, end = getattr(request, "start_time", None), getattr(request, "end_time", None)
        if end is not None and end <= self._now():
            return ProblemError("invalid", "it is over", field="end_time")
        if start is None:
            return None
        seconds = getattr(request, "starting_deadline_seconds", None)
        deadline = timedelta(seconds=DEFAULT_STARTING_DEADLINE if seconds is None else seconds)
        if start + deadline >= self._now():
            return None
        remedy = "Leave it out: then the bot comes at once. Or raise starting_deadline_seconds."
        return ProblemError("invalid", "no bot may come so long after it", field="start_time", remedy=remedy)

    async def get(self, caller: Caller, namespace: str | None, session_id: str) -> SessionObject:
        """One session."""
        return self._shown(await self._located(caller, namespace, session_id))

    async def list_sessions(
        self,
        caller: Caller,
        namespace: str | None,
        *,
        status: str | None = None,
        platform: str | None = None,
        limit: int = 50,
        cursor: str = "",
    ) -> SessionList:
        """One page. It may hold fewer than ``limit`` sessions and have a next one all the same."""
        if status is not None and status not in STATUSES:
            raise ProblemError("invalid", f"it is one of {', '.join(STATUSES)}", field="status")
        names = self._platforms.names()
        if platform is not None and platform not in names:
            raise ProblemError("invalid", f"it is one of {', '.join(names)}", field="platform")
        selector = _selector(
            STATUSES[status] if status else None, names[platform] if platform else None, names.values()
        )
        where = await self._finder.namespace(caller, namespace)
        with kube_problems():
            items, following = await self._finder.page(caller, where, selector, min(limit, _PAGE), cursor)
        found = [self._shown(each) for each in items]
        wanted = [each for each in found if status in (None, each.status) and platform in (None, each.platform)]
        return SessionList(sessions=wanted, next_cursor=following or None)

    async def leave(self, caller: Caller, namespace: str | None, session_id: str) -> SessionObject:
        """Ask the bot to leave; asking again is no error, nor is a session that is over."""
        meta = await self._to_change(caller, namespace, session_id)
        with kube_problems():
            left = await self._api.ask_to_leave(caller.token, meta["namespace"], meta["name"], meta["uid"])
        return self._shown(left)

    async def delete(self, caller: Caller, namespace: str | None, session_id: str) -> None:
        """Delete the session: a live bot leaves, files stay."""
        meta = await self._to_change(caller, namespace, session_id)
        with kube_problems():
            await self._api.delete(caller.token, meta["namespace"], meta["name"], meta["uid"])

    async def open_events(
        self, caller: Caller, namespace: str | None, session_id: str
    ) -> AsyncGenerator[tuple[str, SessionObject], None]:
        """Follow a session: its resource version and the whole object, now and after each change, until it is over.

        What is refused is refused here, before the first event; later on, the iterator raises.
        """
        return self._follow(caller, await self._located(caller, namespace, session_id))

    async def _follow(self, caller: Caller, found: JsonObject) -> AsyncGenerator[tuple[str, SessionObject], None]:
        namespace, name, seen = found["metadata"]["namespace"], found["metadata"]["name"], ""
        it, watched = reference(found), found["metadata"]["resourceVersion"]
        while True:
            version, shown = found["metadata"]["resourceVersion"], self._shown(found)
            if version != seen:
                yield version, shown
                seen = version
            if STATUSES[shown.status].terminal:
                return
            del found, shown  # sessions may be large, and here and below it waits for long
            not_before = asyncio.get_running_loop().time() + _WATCH_AGAIN
            with kube_problems():
                try:
                    watch = self._api.watch(caller.token, namespace, name, watched, WATCH_SECONDS)
                    async with aclosing(watch) as events:
                        async for event in events:
                            if event["type"] == "DELETED":
                                return
                            now = self._shown(event["object"])
                            seen = event["object"]["metadata"]["resourceVersion"]
                            yield seen, now
                            if STATUSES[now.status].terminal:
                                return
                            del event, now
                except KubeError as error:
                    if error.status != 410:
                        raise
                # An API server that ends, or whose history is short, ends watches at once.
                await asyncio.sleep(not_before - asyncio.get_running_loop().time())
                # Rights and token are judged again here, each minute, as when the watch opens.
                again, watched = await self._finder.latest(caller, it)
            if again is None:
                return
            found, again = again, None

    # What the methods above stand on

    def _spec(self, request: BaseModel) -> dict[str, Any]:
        """The CR's spec; refuses what would only fail later, with the field's name here."""
        spec = spec_of(request)
        said = getattr(request, "platform", None)
        platform = self._platforms.names().get(said) if said is not None else None
        if said is not None and platform is None:
            known = ", ".join(self._platforms.names())
            raise ProblemError("invalid", f"this installation knows {known}", field="platform")
        if ("meetingLink" in spec) == ("meetingLinkSecretRef" in spec):
            raise ProblemError(
                "invalid", "give exactly one of meeting_link and meeting_link_secret_ref", field="meeting_link"
            )
        if "meetingLink" in spec:
            spec["meetingLink"] = unwrap(spec["meetingLink"])
            try:
                self._platforms.check(spec["meetingLink"], platform)
            except LinkError as error:
                field = "platform" if error.reason is Reason.PLATFORM_NOT_AVAILABLE else "meeting_link"
                words = str(error).replace("spec.platform", "platform")
                raise ProblemError("invalid", words, field=field) from None
        elif platform is None:
            raise ProblemError("invalid", "it is needed together with meeting_link_secret_ref", field="platform")
        if platform is not None:
            spec["platform"] = platform
        return spec

    async def _located(self, caller: Caller, namespace: str | None, session_id: str) -> JsonObject:
        return await self._finder.find(caller, await self._finder.namespace(caller, namespace), session_id)

    async def _to_change(self, caller: Caller, namespace: str | None, session_id: str) -> JsonObject:
        """Metadata of a session that a caller is about to change: the log has who that is."""
        if namespace:  # else it is asked for anyway
            await self._finder.note_user(caller)
        found: JsonObject = (await self._located(caller, namespace, session_id))["metadata"]
        return found

    def _shown(self, document: JsonObject) -> SessionObject:
        session = parsed(document)
        guarded = self._created_by_policy and self._is_watched(session.metadata.namespace)
        return session_object(session, self._platforms, created_by_is_guarded=guarded)

    def _is_watched(self, namespace: str) -> bool:
        return not self._watched or namespace in self._watched


def _unwatched() -> ProblemError:
    """422: nobody would attend to a session there."""
    remedy = "Name a namespace of this installation, or ask the administrator to add this one to watchNamespaces."
    return ProblemError(
        "invalid", "this installation's operator does not watch this namespace", field="namespace", remedy=remedy
    )


def _deleted_meanwhile() -> ProblemError:
    """409: between the two calls of a POST with an Idempotency-Key its session went away."""
    detail = "the session of this Idempotency-Key was deleted meanwhile"
    return ProblemError("conflict", detail, remedy="Repeat: that starts a new one.", headers={"Retry-After": "1"})


def _being_deleted() -> ProblemError:
    """409: the session of an Idempotency-Key is still there, but not for long."""
    detail = "the session of this Idempotency-Key is being deleted"
    remedy = "Repeat: once it is gone, that starts a new one."
    return ProblemError("conflict", detail, remedy=remedy, headers={"Retry-After": "5"})


def _reused(detail: str) -> ProblemError:
    """422: an Idempotency-Key stands for something else."""
    remedy = "Use a new key for each session. A key lives as long as its session does."
    return ProblemError("idempotency-key-reused", detail, field="Idempotency-Key", remedy=remedy)


def _random() -> str:
    return "".join(secrets.choice(_NAME_LETTERS) for _ in range(12))


def _derived(user: str, namespace: str, key: str) -> str:
    """Name of the session that a user's key stands for."""
    digest = hashlib.sha256(json.dumps([user, namespace, key]).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:26]


def _selector(phase: Phase | None, platform: str | None, platforms: Iterable[str]) -> str:
    """What the API server can leave out. Who has no status yet has neither field, so others are excluded instead."""
    without = []
    if phase is Phase.INITIALIZING:
        without += [f"status.phase!={each}" for each in Phase if each is not phase]
    elif phase is not None:
        without.append(f"status.phase={phase}")
    without += [f"status.platform!={each}" for each in platforms if platform and each != platform]
    return ",".join(without)
