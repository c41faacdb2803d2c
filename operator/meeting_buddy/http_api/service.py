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
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel

from meeting_buddy.contract import identity
from meeting_buddy.contract.lenient import UnreadableError
from meeting_buddy.contract.links import LinkError, unwrap
from meeting_buddy.contract.phases import Phase
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.transcript import TRANSCRIPT_FILE
from meeting_buddy.http_api.bots import Bots, BotStream
from meeting_buddy.http_api.documents import (
    STATUSES,
    Platforms,
    SessionList,
    SessionObject,
    session_object,
    spec_of,
)
from meeting_buddy.http_api.identity import Caller, namespace_of
from meeting_buddy.http_api.problems import ProblemError, from_kube, may_not_hear, not_found, not_yet
from meeting_buddy.kube.caller import CallerApi, JsonObject
from meeting_buddy.kube.errors import Cause, KubeError
from meeting_buddy.resource.session import API_VERSION, KIND, PLURAL, MeetingSession, MeetingSessionStatus, read

ANNOTATION_REQUESTED_AT: Final = "meetingbuddy.io/requested-at"
ANNOTATION_REQUEST: Final = "meetingbuddy.io/request-sha256"
"""SHA-256 of the body that was sent with an Idempotency-Key; the spec itself changes later."""
WATCH_SECONDS: Final = 60
"""The API server judges token and rights again when a watch opens anew."""
HEARING_SECONDS: Final = 60.0
"""After so long a bot's listener is judged again."""
MAX_LIMIT: Final = 500
_SESSION_ID: Final = re.compile(r"mbsess_[0-9a-f]{32}")
_LINE_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_TRANSCRIPT: Final = "transcript"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_NAME_LETTERS: Final = string.ascii_lowercase + string.digits


class Sessions:
    """The operations, free of HTTP's own words."""

    def __init__(
        self,
        api: CallerApi,
        bots: Bots,
        platforms: Platforms,
        default_namespace: str = "",
        created_by_policy: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Collaborators.

        Args:
            api: calls to the API server.
            bots: calls to bots.
            platforms: what links may lead to.
            default_namespace: of callers that name none and have none of their own; empty: they have to name one.
            created_by_policy: the chart's policy guards the annotation ``created-by``, so that it can be believed.
            now: clock.
        """
        self._api = api
        self._bots = bots
        self._platforms = platforms
        self._default_namespace = default_namespace
        self._created_by_policy = created_by_policy
        self._now = now

    async def create(
        self, caller: Caller, namespace: str | None, request: BaseModel, key: str | None = None
    ) -> tuple[SessionObject, bool]:
        """Start a session; the second value says that it is the one of an earlier request with the same ``key``."""
        if key is not None and not _KEY.fullmatch(key):
            raise ProblemError("bad-request", "1 to 255 visible ASCII characters are allowed", field="Idempotency-Key")
        spec = self._spec(request)
        user = await self.username(caller) if namespace is None or key or self._created_by_policy else ""
        where = self._namespace(namespace, user)
        annotations = {ANNOTATION_REQUESTED_AT: self._now().isoformat(timespec="seconds").replace("+00:00", "Z")}
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
        with _problems(spec.get("meetingLink")):
            try:
                return self._shown(await self._api.create(caller.token, where, manifest)), False
            except KubeError as error:
                if key is None or not error.exists:
                    raise
            found = await self._api.get(caller.token, where, name)
        if found["metadata"].get("annotations", {}).get(ANNOTATION_REQUEST) != digest:
            raise ProblemError(
                "idempotency-key-reused",
                "the session of this Idempotency-Key was created with another body",
                field="Idempotency-Key",
                remedy="Use a new key for each session. A key lives as long as its session does.",
            )
        return self._shown(found), True

    async def get(self, caller: Caller, namespace: str | None, session_id: str) -> SessionObject:
        """One session."""
        with _problems():
            _, found = await self._located(caller, namespace, session_id)
        return self._shown(found)

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
        where = await self._where(caller, namespace)
        with _problems():
            items, following = await self._page(caller, where, selector, limit, cursor)
        found = [self._shown(each) for each in items]
        wanted = [each for each in found if status in (None, each.status) and platform in (None, each.platform)]
        return SessionList(sessions=wanted, next_cursor=following or None)

    async def leave(self, caller: Caller, namespace: str | None, session_id: str) -> SessionObject:
        """Ask the bot to leave; once more is no fault, nor is a session that is over."""
        with _problems():
            where, found = await self._located(caller, namespace, session_id)
            meta = found["metadata"]
            return self._shown(await self._api.ask_to_leave(caller.token, where, meta["name"], meta["uid"]))

    async def delete(self, caller: Caller, namespace: str | None, session_id: str) -> None:
        """Delete the session: a live bot leaves, files stay."""
        with _problems():
            where, found = await self._located(caller, namespace, session_id)
            meta = found["metadata"]
            await self._api.delete(caller.token, where, meta["name"], meta["uid"])

    async def open_events(
        self, caller: Caller, namespace: str | None, session_id: str
    ) -> AsyncGenerator[tuple[str, SessionObject], None]:
        """Follow a session: its resource version and the whole object, now and after each change, until it is over.

        What is refused is refused here, before the first event; later on, the iterator raises.
        """
        with _problems():
            where, found = await self._located(caller, namespace, session_id)
        return self._follow(caller, where, found)

    async def _follow(
        self, caller: Caller, namespace: str, found: JsonObject
    ) -> AsyncGenerator[tuple[str, SessionObject], None]:
        name, uid, seen = found["metadata"]["name"], found["metadata"]["uid"], ""
        while True:
            version, shown = found["metadata"]["resourceVersion"], self._shown(found)
            if version != seen:
                yield version, shown
                seen = version
            if STATUSES[shown.status].terminal:
                return
            with _problems():
                try:
                    watch = self._api.watch(caller.token, namespace, name, seen, WATCH_SECONDS)
                    async with aclosing(watch) as events:
                        async for event in events:
                            if event["type"] == "DELETED":
                                return
                            now = self._shown(event["object"])
                            seen = event["object"]["metadata"]["resourceVersion"]
                            yield seen, now
                            if STATUSES[now.status].terminal:
                                return
                except KubeError as error:
                    if error.status != 410:
                        raise
                # Rights and token are judged again here, each minute, as when the watch opens.
                again = await self._again(caller, namespace, name)
            if again is None or again["metadata"]["uid"] != uid:
                return
            found = again

    async def open_transcript(
        self, caller: Caller, namespace: str | None, session_id: str, after: str | None
    ) -> tuple[AsyncGenerator[bytes, None], Callable[[], None]]:
        """Hear a session's bot: its events, until it ends them; call the second value to hang up, in any case.

        What is refused is refused here, before the first event; later on, the iterator raises, ``BrokenError`` too.

        Args:
            caller: who wants to hear; it needs ``get`` of the virtual ``meetingsessions/transcript``.
            namespace: of the session.
            session_id: its id.
            after: number of the last line that was seen.
        """
        if after is not None and not _LINE_NUMBER.fullmatch(after):
            raise ProblemError("bad-request", "it is the number of a line", field="Last-Event-ID")
        with _problems():
            where, found = await self._located(caller, namespace, session_id)
            await self._check_may_hear(caller, where, found["metadata"]["name"])
        status = self._hearable(found)
        address, attempt = status.bot_address, status.attempt
        if not address or attempt is None:
            raise not_yet("the session has no bot yet")
        try:
            bot = await self._bots.transcript(address, found["metadata"]["uid"], attempt, after)
        except ProblemError as error:
            if error.kind == "no-transcript" and (status.phase or Phase.INITIALIZING).rank <= Phase.JOINING.rank:
                raise not_yet("the bot has no transcript yet") from None  # it answers before it has read what to do
            raise
        return self._hear(caller, where, found, bot), bot.close

    async def _hear(
        self, caller: Caller, namespace: str, found: JsonObject, bot: BotStream
    ) -> AsyncGenerator[bytes, None]:
        clock = asyncio.get_running_loop()
        judged = clock.time()
        while True:
            event: bytes | None = b""
            with suppress(TimeoutError):
                async with asyncio.timeout_at(judged + HEARING_SECONDS):
                    event = await bot.next()
            if event is None:
                return
            if clock.time() >= judged + HEARING_SECONDS:  # before what came meanwhile is handed out
                if not await self._still_there(caller, namespace, found):
                    return
                judged = clock.time()
            if event:
                yield event

    async def _still_there(self, caller: Caller, namespace: str, found: JsonObject) -> bool:
        """Judge a listener again: whether the session is there. Raises when it may no longer be seen or heard."""
        name = found["metadata"]["name"]
        with _problems():
            now = await self._again(caller, namespace, name)
            if now is None:
                return False
            await self._check_may_hear(caller, namespace, name)
        return bool(now["metadata"]["uid"] == found["metadata"]["uid"])

    async def _check_may_hear(self, caller: Caller, namespace: str, name: str) -> None:
        if not await self._api.may(caller.token, "get", namespace, name, _TRANSCRIPT):
            raise may_not_hear(f"{PLURAL}/{_TRANSCRIPT}", namespace)

    def _hearable(self, found: JsonObject) -> MeetingSessionStatus:
        """The status of a session whose bot may be heard.

        Raises:
            ProblemError: it has no transcript, or is over.
        """
        session = self._read(found)
        if not session.spec.transcription.enabled:
            raise ProblemError("no-transcript", "transcription is not enabled for this session")
        status = session.status
        if status.phase is not None and status.phase.terminal:
            folder = status.output_directory
            remedy = f"It is on the volume: {folder}/{TRANSCRIPT_FILE}" if folder else None
            raise ProblemError("session-over", "its bot is gone", remedy=remedy)
        return status

    async def username(self, caller: Caller) -> str:
        """Whose token it is."""
        with _problems():
            return await self._api.username(caller.token)

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

    async def _where(self, caller: Caller, namespace: str | None) -> str:
        return namespace or self._namespace(None, await self.username(caller))

    def _namespace(self, given: str | None, username: str) -> str:
        found = given or namespace_of(username) or self._default_namespace
        if not found:
            raise ProblemError(
                "namespace-missing",
                "your token belongs to no namespace, and this installation has no default one",
                field="namespace",
                remedy="Say it: ?namespace=NAME.",
            )
        return found

    async def _located(self, caller: Caller, namespace: str | None, session_id: str) -> tuple[str, JsonObject]:
        """The namespace to look in, and the MeetingSession there."""
        where = await self._where(caller, namespace)
        return where, await self._find(caller, where, session_id)

    async def _again(self, caller: Caller, namespace: str, name: str) -> JsonObject | None:
        """The MeetingSession as it is now; ``None``: there is none of this name any more."""
        try:
            return await self._api.get(caller.token, namespace, name)
        except KubeError as error:
            if error.not_found:
                return None
            raise

    async def _find(self, caller: Caller, namespace: str, session_id: str) -> JsonObject:
        """The MeetingSession of an id. A fresh one has no status yet, and is found by its uid."""
        if not _SESSION_ID.fullmatch(session_id):
            await self._api.page(caller.token, namespace, limit=1)  # who may not look is told so, whatever the id
            raise not_found()
        selector = f"status.sessionId={session_id}"
        items, _ = await self._page(caller, namespace, selector, 1, "")
        found = next((each for each in items if _is(each, session_id)), None)
        if found is not None:
            return found
        cursor = ""
        while True:
            try:
                items, cursor = await self._api.page(caller.token, namespace, cursor=cursor, metadata_only=True)
            except KubeError as error:
                if error.status == 410:  # longer than etcd keeps a state: only a huge namespace on a slow day
                    headers = {"Retry-After": "1"}
                    raise ProblemError(
                        "upstream-timeout", "the namespace was not read in time", headers=headers
                    ) from None
                raise
            for each in items:
                if _is(each, session_id):
                    full = await self._api.get(caller.token, namespace, each["metadata"]["name"])
                    if _is(full, session_id):
                        return full
            if not cursor:
                raise not_found()

    async def _page(
        self, caller: Caller, namespace: str, selector: str, limit: int, cursor: str
    ) -> tuple[list[JsonObject], str]:
        """A page; the selector is left out where the cluster's Kubernetes (before 1.31) knows no such fields."""
        try:
            return await self._api.page(caller.token, namespace, field_selector=selector, limit=limit, cursor=cursor)
        except KubeError as error:
            if error.status != 400 or "field label" not in error.message:
                raise
        return await self._api.page(caller.token, namespace, limit=limit, cursor=cursor)

    def _read(self, document: JsonObject) -> MeetingSession:
        try:
            session: MeetingSession = read(document)[0]
        except UnreadableError:
            raise ProblemError("upstream-error", "the session cannot be read by this version") from None
        return session

    def _shown(self, document: JsonObject) -> SessionObject:
        return session_object(self._read(document), self._platforms, created_by_is_guarded=self._created_by_policy)


@contextmanager
def _problems(secret: str | None = None) -> Iterator[None]:
    """Turns the API server's errors into problems; ``secret`` is taken out of its words first."""
    try:
        yield
    except KubeError as error:
        if secret:
            error.message = error.message.replace(secret, "…")
            error.causes = tuple(Cause(each.field, each.message.replace(secret, "…")) for each in error.causes)
        raise from_kube(error) from None


def _is(document: JsonObject, session_id: str) -> bool:
    return identity.session_id(document["metadata"]["uid"]) == session_id


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
