"""Calls to the API server with a token per call: it is always the caller who acts, never this process.

One connection pool serves all callers. That is safe because nothing sticks to it: no cookies, no default headers, no
proxy of the environment, no redirects. The official client has all four, and costs 60 MB; it is not imported here.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import aiohttp

from meeting_buddy.contract import identity
from meeting_buddy.kube.errors import KubeError, ObjectRef
from meeting_buddy.kube.paths import FIELD_MANAGER, JSON, MERGE_PATCH, METADATA_LIST, path_of
from meeting_buddy.resource.session import API_VERSION, GROUP, KIND, PLURAL

JsonObject = dict[str, Any]

TIMEOUT_SECONDS: Final = 15.0
"""Longest wait for an answer."""
USER_AGENT: Final = "meeting-buddy-http-api"
_READ_AT_ONCE: Final = 16 * 1024
"""Bytes of a watch that wait for a client that is slow."""
_LONGEST_LINE: Final = 4 << 20
"""Bytes of one event of a watch; etcd takes no larger object than 1.5 MiB."""
LONGEST_ANSWER: Final = 40 << 20
"""Bytes of an answer, unpacked: 100 objects, each with as many annotations (256 KiB) as Kubernetes takes, and more."""
LARGE_ANSWER: Final = 1 << 20
"""Bytes; of larger answers :data:`LARGE_ANSWERS` are read at the same time, for what they take in memory."""
LARGE_ANSWERS: Final = 3
_PIECE: Final = 64 * 1024
_MANAGED: Final = {"fieldManager": FIELD_MANAGER}
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
_TOLD_APART_BY: Final = ("name", "namespace", "uid", "resourceVersion")


class Who(NamedTuple):
    """Whom a token stands for."""

    username: str
    credential: str
    """The API server's name of the token, ``JTI=…``; empty where it has none (before Kubernetes 1.32)."""


class Page(NamedTuple):
    """A part of a list."""

    items: list[JsonObject]
    cursor: str
    """Of the next page; empty: there is none."""
    version: str
    """Resource version of the list: a watch may begin here. Objects' own may be too old for that."""


class _WithoutCertificate(ssl.SSLObject):
    """Verified as any, but asyncio does not keep the peer's certificate, spelt out, with each connection."""

    def getpeercert(self, binary_form: bool = False) -> None:
        """Nothing; nobody else asks."""


class CallerApi:
    """The few calls that callers make; errors are :class:`KubeError`. To be made inside the running event loop."""

    def __init__(
        self,
        server: str,
        ca_file: Path | None = None,
        observe: Callable[[str, int, float], None] = lambda _verb, _code, _seconds: None,
    ) -> None:
        """Point at an API server.

        Args:
            server: ``https://host:port``.
            ca_file: certificate authorities to trust; ``None``: the machine's.
            observe: told verb, status (0: no answer) and seconds of each call; of a watch that is answered, those to
                its head.

        Raises:
            OSError: ``ca_file`` cannot be read.
            ssl.SSLError: it holds no certificate.
        """
        self._server = server.rstrip("/")
        self._observe = observe
        self._large_answers = asyncio.Semaphore(LARGE_ANSWERS)
        trust = ssl.create_default_context(cafile=ca_file)
        trust.sslobject_class = _WithoutCertificate
        # Each open watch holds a connection: the server limits streams, not the pool.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            raise_for_status=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    # Who is it, and may they

    async def who(self, token: str) -> Who:
        """Whom a token stands for (SelfSubjectReview)."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = path_of("authentication.k8s.io/v1", None, "selfsubjectreviews")
        about = ObjectRef("SelfSubjectReview", "", "")
        answer = await self._call(token, "POST", path, about, body)
        user = _at(answer, "status", "userInfo")
        name, credentials = _at(user, "username"), _at(user, "extra", _CREDENTIAL)
        if not name or not isinstance(name, str):
            raise KubeError.of_nonsense(about)
        return Who(name, str(credentials[0]) if credentials and isinstance(credentials, list) else "")

    async def may(self, token: str, verb: str, namespace: str, name: str, subresource: str = "") -> bool:
        """Whether the caller may do this to a MeetingSession, or to a virtual subresource (SelfSubjectAccessReview)."""
        attributes = {"group": GROUP, "resource": PLURAL, "subresource": subresource, "verb": verb}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**attributes, "namespace": namespace, "name": name}},
        }
        path = path_of("authorization.k8s.io/v1", None, "selfsubjectaccessreviews")
        about = ObjectRef("SelfSubjectAccessReview", "", "")
        allowed = _at(await self._call(token, "POST", path, about, body), "status", "allowed")
        if not isinstance(allowed, bool):
            raise KubeError.of_nonsense(about)
        return allowed

    # MeetingSessions

    async def create(self, token: str, namespace: str, manifest: Mapping[str, Any]) -> JsonObject:
        """Create a MeetingSession."""
        about = ObjectRef(KIND, namespace, str(manifest["metadata"]["name"]))
        path, query = path_of(API_VERSION, namespace, PLURAL), {**_MANAGED, **_STRICT}
        return _session(about, await self._call(token, "POST", path, about, manifest, query))

    async def get(self, token: str, namespace: str, name: str) -> JsonObject:
        """Read a MeetingSession."""
        about = ObjectRef(KIND, namespace, name)
        return _session(about, await self._call(token, "GET", path_of(API_VERSION, namespace, PLURAL, name), about))

    async def name_of(self, token: str, namespace: str, session_id: str) -> str | None:
        """Name of the MeetingSession whose status has this id; ``None``: the API server's cache has none.

        Only for the name, since the cache may be old: what an id names never changes, everything else does. Without
        ``resourceVersion=0`` the API server reads each session of the namespace from etcd to compare its field.

        Args:
            token: the caller's, who needs ``list``.
            namespace: in which to look.
            session_id: of the form ``mbsess_…``, since it becomes a part of a selector.

        Raises:
            KubeError: the API server refuses, does not answer, or answers nonsense.
        """
        about = ObjectRef(KIND, namespace, "")
        query = {"fieldSelector": f"status.sessionId={session_id}", "resourceVersion": "0"}
        try:
            answer = await self._call(token, "GET", path_of(API_VERSION, namespace, PLURAL), about, query=query)
        except KubeError as error:
            if error.unknown_selector:
                return None
            raise
        try:
            found = {identity.session_id(each["metadata"]["uid"]): each["metadata"]["name"] for each in answer["items"]}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise KubeError.of_nonsense(about) from None
        name = found.get(session_id)
        return name if isinstance(name, str) else None

    async def page(
        self,
        token: str,
        namespace: str,
        *,
        field_selector: str = "",
        limit: int = 100,
        cursor: str = "",
        metadata_only: bool = False,
    ) -> Page:
        """One page of a namespace's MeetingSessions.

        A cursor that is too old is a :class:`KubeError` 410, one that never was one 400.
        """
        query = {"limit": str(limit), "fieldSelector": field_selector, "continue": cursor}
        about = ObjectRef(KIND, namespace, "")
        answer = await self._call(
            token,
            "GET",
            path_of(API_VERSION, namespace, PLURAL),
            about,
            query={name: value for name, value in query.items() if value},
            accept=METADATA_LIST if metadata_only else JSON,
        )
        items = answer.get("items", "none")
        if items is not None and not isinstance(items, list):
            raise KubeError.of_nonsense(about)
        following, version = (str(_at(answer, "metadata", each) or "") for each in ("continue", "resourceVersion"))
        return Page([_session(about, each) for each in items or ()], following, version)

    async def ask_to_leave(self, token: str, namespace: str, name: str, uid: str) -> JsonObject:
        """Set ``spec.leave`` of exactly this MeetingSession (409 if the name is another one's by now)."""
        body = {"metadata": {"uid": uid}, "spec": {"leave": True}}
        path, about = path_of(API_VERSION, namespace, PLURAL, name), ObjectRef(KIND, namespace, name)
        left = await self._call(token, "PATCH", path, about, body, _MANAGED, content_type=MERGE_PATCH)
        return _session(about, left)

    async def delete(self, token: str, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this MeetingSession (409 if the name is another one's by now)."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        path, about = path_of(API_VERSION, namespace, PLURAL, name), ObjectRef(KIND, namespace, name)
        await self._call(token, "DELETE", path, about, body)

    async def watch(
        self, token: str, namespace: str, name: str, resource_version: str, seconds: int
    ) -> AsyncGenerator[JsonObject, None]:
        """Events (``type``, ``object``) of one MeetingSession since a version, for at most ``seconds``.

        The API server judges token and rights when a watch opens, not later: keep ``seconds`` short and open it again.

        Raises:
            KubeError: it was refused, or broke; 410 where the version is too old.
        """
        about = ObjectRef(KIND, namespace, name)
        selected = {"fieldSelector": f"metadata.name={name}", "resourceVersion": resource_version}
        query = {"watch": "1", **selected, "timeoutSeconds": str(seconds)}
        url = f"{self._server}{path_of(API_VERSION, namespace, PLURAL)}?{urlencode(query)}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS, sock_read=seconds + TIMEOUT_SECONDS)
        start = time.monotonic()
        try:
            answering = self._http.get(
                url,
                headers=_headers(token, JSON),
                timeout=timeout,
                allow_redirects=False,
                read_bufsize=_READ_AT_ONCE,
            )
            async with await answering as answer:
                del answering  # a watch waits for long, and keeps nothing that it does not need
                self._observe("WATCH", answer.status, time.monotonic() - start)
                if answer.status >= 300:
                    async with asyncio.timeout(TIMEOUT_SECONDS), AsyncExitStack() as held:
                        refusal = await self._content(about, answer.content, held)
                    raise KubeError.from_answer(about, answer.status, bytes(refusal), answer.headers)
                async with aclosing(_lines(answer.content)) as lines:
                    async for line in lines:
                        yield _event(about, json.loads(line))
                        del line
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError) as error:
            raise KubeError(*about, 0, type(error).__name__, "the watch broke") from error

    async def _call(
        self,
        token: str,
        method: str,
        path: str,
        about: ObjectRef,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        content_type: str = JSON,
    ) -> JsonObject:
        headers = _headers(token, accept)
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body).encode()
        url = self._server + path + (f"?{urlencode(query)}" if query else "")
        start, status = time.monotonic(), 0
        async with AsyncExitStack() as held:  # until the answer is parsed
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    request = self._http.request(method, url, headers=headers, data=data, allow_redirects=False)
                    async with request as answer:
                        content = await self._content(about, answer.content, held)
                        status = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise KubeError(*about, 0, type(error).__name__, "no answer from the API server") from error
            finally:
                self._observe(method, status, time.monotonic() - start)
            if status >= 300:
                raise KubeError.from_answer(about, status, bytes(content), answer.headers)
            return _document(about, content)

    async def _content(self, about: ObjectRef, content: aiohttp.StreamReader, held: AsyncExitStack) -> bytearray:
        """A whole answer; a large one waits for its place, which is ``held``.

        Raises:
            KubeError: it is too long.
        """
        found = bytearray()
        while piece := await content.read(_PIECE):
            if len(found) <= LARGE_ANSWER < len(found) + len(piece):
                await held.enter_async_context(self._large_answers)
            found += piece
            if len(found) > LONGEST_ANSWER:
                raise KubeError.of_nonsense(about)
        return found


_STRICT: Final = {"fieldValidation": "Strict"}
"""A field that the cluster's CRD does not know is refused: without this it would be dropped in silence."""


def _headers(token: str, accept: str) -> dict[str, str]:
    """All that Kubernetes is told about a request; nothing of the caller's headers is copied."""
    return {"Authorization": f"Bearer {token}", "Accept": accept, "User-Agent": USER_AGENT}


def _document(about: ObjectRef, content: bytearray) -> JsonObject:
    """The JSON object of an answer.

    Raises:
        KubeError: it is none.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise KubeError.of_nonsense(about)
    return document


def _at(document: Any, *names: str) -> Any:
    """What stands there; ``None``: nothing, or the way does not lead there."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _session(about: ObjectRef, document: Any) -> JsonObject:
    """A MeetingSession, or its metadata alone, that has what callers tell it apart by.

    Without its managed fields: nobody here reads them, they are its largest part, and streams hold it for long.

    Raises:
        KubeError: it is none.
    """
    meta = _at(document, "metadata") or {}
    if not all(isinstance(_at(meta, each), str) for each in _TOLD_APART_BY) or not isinstance(
        meta.get("annotations", {}), dict
    ):
        raise KubeError.of_nonsense(about)
    meta.pop("managedFields", None)
    found: JsonObject = document
    return found


def _event(about: ObjectRef, event: Any) -> JsonObject:
    """An event of a watch.

    Raises:
        KubeError: it says that the watch is over, or it is no event.
    """
    about_it = _at(event, "object")
    if _at(event, "type") == "ERROR":
        code, reason, message = (_at(about_it, each) for each in ("code", "reason", "message"))
        raise KubeError(*about, code if isinstance(code, int) else 500, str(reason), str(message))
    if _at(event, "type") not in ("ADDED", "MODIFIED", "DELETED"):
        raise KubeError.of_nonsense(about)
    return {"type": event["type"], "object": _session(about, about_it)}


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Lines of a stream, whatever their length."""
    held = bytearray()
    async for chunk in content.iter_any():
        held += chunk
        del chunk
        while (end := held.find(b"\n")) >= 0:
            yield bytes(held[:end])
            del held[: end + 1]
        if len(held) > _LONGEST_LINE:
            raise ValueError("a line of the watch is too long")
