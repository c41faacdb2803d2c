"""Where a caller looks, and how a session is found by its id, with the caller's own token.

The right to read a session does not include its transcript and recordings.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from meeting_buddy.contract import identity
from meeting_buddy.contract.lenient import UnreadableError
from meeting_buddy.http_api.identity import Caller, namespace_of
from meeting_buddy.http_api.problems import ProblemError, from_kube, not_found
from meeting_buddy.kube.caller import CallerApi, JsonObject, Page
from meeting_buddy.kube.errors import KubeError, ObjectRef, StatusCause
from meeting_buddy.resource.session import KIND, MeetingSession, read

_SESSION_ID: Final = re.compile(r"mbsess_[0-9a-f]{32}")


class Finder:
    """Finds sessions. All errors are ``ProblemError``; of :meth:`page`, :meth:`again`, :meth:`latest` ``KubeError``."""

    def __init__(self, api: CallerApi, default_namespace: str = "") -> None:
        """``default_namespace``: of callers that name none and have none; empty: they have to name one."""
        self._api = api
        self._default_namespace = default_namespace

    async def username(self, caller: Caller) -> str:
        """Whose token it is."""
        with kube_problems():
            who = await self._api.who(caller.token)
        caller.known.user, caller.known.credential = who
        return who.username

    async def note_user(self, caller: Caller) -> None:
        """Find out whose token it is for the log alone: who may not ask that may write all the same."""
        try:
            await self.username(caller)
        except ProblemError as error:
            if error.kind != "forbidden":
                raise

    async def namespace(self, caller: Caller, given: str | None) -> str:
        """The namespace that is meant."""
        return given or self.namespace_of(await self.username(caller))

    def namespace_of(self, username: str) -> str:
        """The namespace that is meant where none is named."""
        found = namespace_of(username) or self._default_namespace
        if not found:
            raise ProblemError(
                "namespace-missing",
                "your token belongs to no namespace, and this installation has no default one",
                field="namespace",
                remedy="Say it: ?namespace=NAME.",
            )
        return found

    async def find(self, caller: Caller, namespace: str, session_id: str) -> JsonObject:
        """The MeetingSession of an id. A fresh one has no status yet, and is found by its uid."""
        caller.known.namespace = namespace
        with kube_problems():
            return await self._find(caller, namespace, session_id)

    async def again(self, caller: Caller, found: JsonObject) -> JsonObject | None:
        """A MeetingSession as it is now; ``None``: it is no more."""
        meta = found["metadata"]
        try:
            now = await self._api.get(caller.token, meta["namespace"], meta["name"])
        except KubeError as error:
            if error.not_found:
                return None
            raise
        return now if now["metadata"]["uid"] == meta["uid"] else None

    async def latest(self, caller: Caller, found: JsonObject) -> tuple[JsonObject | None, str]:
        """A MeetingSession as it is now, and the version to watch it from; ``None``: it is no more.

        That version is the list's. The API server forgets the object's own when others change for long, and would
        answer each watch from it 410.
        """
        meta = found["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        items, _, version = await self._named(caller, namespace, name)
        if not version:
            raise KubeError.of_nonsense(ObjectRef(KIND, namespace, name))
        same = items and items[0]["metadata"]["uid"] == meta["uid"]
        return (items[0] if same else None), version

    async def page(
        self, caller: Caller, namespace: str, selector: str, limit: int, cursor: str
    ) -> tuple[list[JsonObject], str]:
        """A page; the selector is left out where the cluster's Kubernetes (before 1.31) knows no such fields."""
        caller.known.namespace = namespace
        try:
            found = await self._api.page(caller.token, namespace, field_selector=selector, limit=limit, cursor=cursor)
        except KubeError as error:
            if not error.unknown_selector:
                raise
            found = await self._api.page(caller.token, namespace, limit=limit, cursor=cursor)
        return found.items, found.cursor

    async def _named(self, caller: Caller, namespace: str, name: str) -> Page:
        """A list of one name, for which the API server reads one object."""
        return await self._api.page(caller.token, namespace, field_selector=f"metadata.name={name}", limit=1)

    async def _find(self, caller: Caller, namespace: str, session_id: str) -> JsonObject:
        if not _SESSION_ID.fullmatch(session_id):
            await self._api.page(caller.token, namespace, limit=1)  # who may not look is told so, whatever the id
            raise not_found()
        caller.known.session_id = session_id
        name = await self._api.name_of(caller.token, namespace, session_id)
        if name is not None:  # a list of one name needs no further right
            items = (await self._named(caller, namespace, name)).items
            if items and _is(items[0], session_id):
                return items[0]
        cursor = ""
        while True:
            try:
                items, cursor, _ = await self._api.page(caller.token, namespace, cursor=cursor, metadata_only=True)
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


def reference(document: JsonObject) -> JsonObject:
    """What :meth:`Finder.again` needs of a MeetingSession: who waits for long keeps no more."""
    return {"metadata": {each: document["metadata"][each] for each in ("namespace", "name", "uid")}}


def parsed(document: JsonObject) -> MeetingSession:
    """A MeetingSession's model.

    Raises:
        ProblemError: this version cannot read it.
    """
    try:
        session: MeetingSession = read(document)[0]
    except UnreadableError:
        raise ProblemError("upstream-error", "the session cannot be read by this version") from None
    return session


@contextmanager
def kube_problems(secret: str | None = None) -> Iterator[None]:
    """Turns the API server's errors into problems; ``secret`` is taken out of its words first."""
    try:
        yield
    except KubeError as error:
        if secret:
            error.message = error.message.replace(secret, "…")
            error.causes = tuple(StatusCause(each.field, each.message.replace(secret, "…")) for each in error.causes)
        raise from_kube(error) from None


def _is(document: JsonObject, session_id: str) -> bool:
    return identity.session_id(document["metadata"]["uid"]) == session_id
