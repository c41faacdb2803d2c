"""Calls to the API server with a token per call: it is always the caller who acts, never this process.

One connection pool serves all callers. That is safe because nothing sticks to it: no cookies, no default headers, no
proxy of the environment, no redirects. The official client has all four, and costs 60 MB; it is not imported here.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from meeting_buddy.kube.errors import KubeError
from meeting_buddy.kube.paths import FIELD_MANAGER, MERGE_PATCH, path_of
from meeting_buddy.resource.session import API_VERSION, GROUP, KIND, PLURAL

JsonObject = dict[str, Any]

TIMEOUT_SECONDS: Final = 15.0
"""Longest wait for an answer."""
USER_AGENT: Final = "meeting-buddy-http-api"
_JSON: Final = "application/json"
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_LONGEST_LINE: Final = 4 << 20
"""Bytes of one event of a watch; etcd takes no larger object than 1.5 MiB."""
_MANAGED: Final = {"fieldManager": FIELD_MANAGER}


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
        trust = ssl.create_default_context(cafile=ca_file)
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

    async def username(self, token: str) -> str:
        """The user whom a token stands for (SelfSubjectReview)."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = path_of("authentication.k8s.io/v1", None, "selfsubjectreviews")
        answer = await self._call(token, "POST", path, ("SelfSubjectReview", "", ""), body)
        return str(answer.get("status", {}).get("userInfo", {}).get("username", ""))

    async def may(self, token: str, verb: str, namespace: str, name: str, subresource: str = "") -> bool:
        """Whether the caller may do this to a MeetingSession, or to a virtual subresource (SelfSubjectAccessReview)."""
        attributes = {"group": GROUP, "resource": PLURAL, "subresource": subresource, "verb": verb}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**attributes, "namespace": namespace, "name": name}},
        }
        path = path_of("authorization.k8s.io/v1", None, "selfsubjectaccessreviews")
        answer = await self._call(token, "POST", path, ("SelfSubjectAccessReview", "", ""), body)
        return answer.get("status", {}).get("allowed") is True

    # MeetingSessions

    async def create(self, token: str, namespace: str, manifest: Mapping[str, Any]) -> JsonObject:
        """Create a MeetingSession."""
        about = (KIND, namespace, str(manifest["metadata"]["name"]))
        return await self._call(
            token, "POST", path_of(API_VERSION, namespace, PLURAL), about, manifest, {**_MANAGED, **_STRICT}
        )

    async def get(self, token: str, namespace: str, name: str) -> JsonObject:
        """Read a MeetingSession."""
        path = path_of(API_VERSION, namespace, PLURAL, name)
        return await self._call(token, "GET", path, (KIND, namespace, name))

    async def page(
        self,
        token: str,
        namespace: str,
        *,
        field_selector: str = "",
        limit: int = 500,
        cursor: str = "",
        metadata_only: bool = False,
    ) -> tuple[list[JsonObject], str]:
        """One page of a namespace's MeetingSessions, and the cursor of the next one (empty: there is none).

        A cursor that is too old is a :class:`KubeError` 410, one that never was one 400.
        """
        query = {"limit": str(limit), "fieldSelector": field_selector, "continue": cursor}
        path = path_of(API_VERSION, namespace, PLURAL)
        answer = await self._call(
            token,
            "GET",
            path,
            (KIND, namespace, ""),
            query={name: value for name, value in query.items() if value},
            accept=_METADATA_ONLY if metadata_only else _JSON,
        )
        return answer.get("items") or [], str((answer.get("metadata") or {}).get("continue") or "")

    async def ask_to_leave(self, token: str, namespace: str, name: str, uid: str) -> JsonObject:
        """Set ``spec.leave`` of exactly this MeetingSession (409 if the name is another one's by now)."""
        body = {"metadata": {"uid": uid}, "spec": {"leave": True}}
        path = path_of(API_VERSION, namespace, PLURAL, name)
        return await self._call(token, "PATCH", path, (KIND, namespace, name), body, _MANAGED, content_type=MERGE_PATCH)

    async def delete(self, token: str, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this MeetingSession (409 if the name is another one's by now)."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        await self._call(token, "DELETE", path_of(API_VERSION, namespace, PLURAL, name), (KIND, namespace, name), body)

    async def watch(
        self, token: str, namespace: str, name: str, resource_version: str, seconds: int
    ) -> AsyncGenerator[JsonObject, None]:
        """Events (``type``, ``object``) of one MeetingSession since a version, for at most ``seconds``.

        The API server judges token and rights when a watch opens, not later: keep ``seconds`` short and open it again.

        Raises:
            KubeError: it was refused, or broke; 410 where the version is too old.
        """
        about = (KIND, namespace, name)
        selected = {"fieldSelector": f"metadata.name={name}", "resourceVersion": resource_version}
        query = {"watch": "1", **selected, "timeoutSeconds": str(seconds)}
        url = f"{self._server}{path_of(API_VERSION, namespace, PLURAL)}?{urlencode(query)}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS, sock_read=seconds + TIMEOUT_SECONDS)
        start = time.monotonic()
        try:
            request = self._http.get(url, headers=_headers(token, _JSON), timeout=timeout, allow_redirects=False)
            async with request as answer:
                self._observe("WATCH", answer.status, time.monotonic() - start)
                if answer.status >= 300:
                    raise KubeError.from_answer(*about, answer.status, await answer.read(), answer.headers)
                async with aclosing(_lines(answer.content)) as lines:
                    async for line in lines:
                        event = json.loads(line)
                        if event.get("type") == "ERROR":
                            status = event.get("object") or {}
                            code = int(status.get("code") or 500)
                            raise KubeError(*about, code, str(status.get("reason")), str(status.get("message")))
                        yield event
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise KubeError(*about, 0, type(error).__name__, "the watch broke") from error

    async def _call(
        self,
        token: str,
        method: str,
        path: str,
        about: tuple[str, str, str],
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = _JSON,
        content_type: str = _JSON,
    ) -> JsonObject:
        headers = _headers(token, accept)
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body).encode()
        url = self._server + path + (f"?{urlencode(query)}" if query else "")
        start, status = time.monotonic(), 0
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                request = self._http.request(method, url, headers=headers, data=data, allow_redirects=False)
                async with request as answer:
                    content = await answer.read()
                    status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(*about, 0, type(error).__name__, "no answer from the API server") from error
        finally:
            self._observe(method, status, time.monotonic() - start)
        if answer.status >= 300:
            raise KubeError.from_answer(*about, answer.status, content, answer.headers)
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise KubeError(*about, 502, "NotJson", "the API server's answer is not a JSON object")
        return document


_STRICT: Final = {"fieldValidation": "Strict"}
"""A field that the cluster's CRD does not know is refused: without this it would be dropped in silence."""


def _headers(token: str, accept: str) -> dict[str, str]:
    """All that Kubernetes is told about a request; nothing of the caller's headers is copied."""
    return {"Authorization": f"Bearer {token}", "Accept": accept, "User-Agent": USER_AGENT}


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Lines of a stream, whatever their length."""
    held = bytearray()
    async for chunk in content.iter_any():
        held += chunk
        while (end := held.find(b"\n")) >= 0:
            yield bytes(held[:end])
            del held[: end + 1]
        if len(held) > _LONGEST_LINE:
            raise ValueError("a line of the watch is too long")
