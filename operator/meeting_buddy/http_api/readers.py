"""Files of sessions, from the reader in their namespace: with a token for one name of one session, good for minutes.

Tokens and keys stand in no problem and no log. A reader is told a session's id and a name, and serves only names of
its own list.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, Field, ValidationError
from pydantic.dataclasses import dataclass
from yarl import URL

from meeting_buddy.contract.reader import (
    KEY_SECRET,
    MAX_FILES,
    PORT,
    SERVICE,
    TOKEN_SECONDS,
    Unavailable,
    reader_key,
    sign,
)
from meeting_buddy.http_api import upstream
from meeting_buddy.http_api.problems import ProblemError

READERS: Final = f"http://{SERVICE}.{{namespace}}.svc.cluster.local.:{PORT}"
"""Where the chart's readers are. The dot at the end: no search list makes another name of it, in another namespace."""
ASKED: Final = ("range", "if-range", "if-match", "if-none-match")
"""Headers of a caller that a reader gets."""
FORWARDED: Final = ("content-length", "content-range", "content-type", "etag", "accept-ranges")
"""Headers of a reader that a caller gets."""
LONGEST_LIST: Final = 8 << 20
"""Bytes; a segment takes some 200. Two days of recording, the longest of one bot, have 5760 of them."""
LONG_LIST: Final = 512 << 10
"""Bytes; a shorter one keeps less than 1 MB until it is sent, as any stream may, a longer one up to 60 MB."""
LONGEST_ASKED: Final = 1024
"""Characters of a caller's header; a longer one is left out, ``Range`` also where ``If-Range`` is.

Only ``If-Match`` must not be ignored, and is refused."""
_PIECE: Final = 64 * 1024
_LONGEST_REASON: Final = 256
"""Bytes of what a reader says why it refuses."""
_VISIBLE: Final = re.compile(r"[\x20-\x7e]{0,1024}")
"""What a header may say."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, as a reader lists it. Of thousands, a model takes three times the memory."""

    name: str
    kind: str
    bytes: int
    sha256: str | None
    media_type: str
    final: bool


class StoredFiles(BaseModel):
    """What a session has on the volume."""

    files: list[StoredFile] = Field(max_length=MAX_FILES)
    verified: bool


class StoredList:
    """A reader's answer for a session's list: its head is there, the list follows. Close it."""

    def __init__(self, answer: aiohttp.ClientResponse, namespace: str) -> None:
        self.long = answer.content_length is None or answer.content_length > LONG_LIST
        """Whether it takes much memory."""
        self._answer = answer
        self._namespace = namespace

    async def read(self) -> StoredFiles:
        """The list.

        Raises:
            ProblemError: it does not come, or it is none.
        """
        try:
            async with asyncio.timeout(upstream.HEAD_SECONDS):
                body = await _whole(self._answer)
            return await asyncio.to_thread(StoredFiles.model_validate_json, body)
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise _unavailable("the reader broke off", self._namespace) from None
        except ValidationError:
            raise ProblemError("upstream-error", "the reader's list cannot be read by this version") from None
        finally:
            self.close()

    def close(self) -> None:
        """Take no more."""
        self._answer.close()


class StoredBytes:
    """A reader's answer for a file: its head is there, the content follows."""

    def __init__(self, answer: aiohttp.ClientResponse, headers: dict[str, str]) -> None:
        self.status = answer.status
        self.headers = headers
        self._answer = answer

    async def next(self) -> bytes | None:
        """The next piece, ``None`` behind the last one. May be cancelled.

        Raises:
            BrokenError: the reader is gone before the end.
        """
        return await upstream.part(self._answer.content.read(_PIECE)) or None

    def close(self) -> None:
        """Take no more."""
        self._answer.close()


class Readers:
    """Connections to readers. To be made inside the running event loop."""

    def __init__(
        self,
        read_key: Path = upstream.READ_KEY,
        address: str = READERS,
        observe: upstream.Observe = lambda _verb, _code, _seconds: None,
    ) -> None:
        """Collaborators.

        Args:
            read_key: file with the installation's key, from which each namespace's is made; read for each call.
            address: of a namespace's reader, with ``{namespace}`` in it.
            observe: told verb, status (0: no answer) and seconds of each call.
        """
        self._read_key = read_key
        self._address = address
        self._observe = observe
        self._http = upstream.client()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def files(self, namespace: str, session_id: str) -> StoredList | None:
        """What there is of a session; ``None``: nothing yet, or nothing at all. Close what it gives.

        Raises:
            ProblemError: there is no key or no reader, or it refuses; or the files are too many for a list.
        """
        answer = await self._ask("GET", namespace, session_id, "", {})
        if answer.status == 200:
            return StoredList(answer, namespace)
        with closing(answer):
            if answer.status == 404:
                return None
            if answer.status == 409:
                raise too_many_files()
            raise _refused(answer.status, await _first_line(answer), namespace)

    async def file(
        self, namespace: str, session_id: str, name: str, asked: Mapping[str, str], method: str = "GET"
    ) -> StoredBytes | None:
        """A file or a part of it; ``None``: there is none of this name. Close what it gives.

        Args:
            namespace: of the session.
            session_id: its id.
            name: as the list has it.
            asked: a caller's headers, of which :data:`ASKED` are passed on.
            method: ``GET`` or ``HEAD``.

        Raises:
            ProblemError: there is no key or no reader, or it refuses; or ``If-Match`` names another state of the file.
        """
        if len(asked.get("if-match", "")) > LONGEST_ASKED:
            raise ProblemError("bad-request", "it is too long", field="If-Match")
        headers = {each: asked[each] for each in ASKED if each in asked and len(asked[each]) <= LONGEST_ASKED}
        if "if-range" in asked and "if-range" not in headers:  # the range is asked for on that condition alone
            headers.pop("range", None)
        answer = await self._ask(method, namespace, session_id, name, headers)
        headers = {each: answer.headers[each] for each in FORWARDED if each in answer.headers}
        odd = not all(_VISIBLE.fullmatch(each) for each in headers.values())
        endless = answer.status in (200, 206) and "content-length" not in headers
        if answer.status in (200, 206, 304) and not odd and not endless:
            return StoredBytes(answer, headers)
        with closing(answer):
            if odd or endless:
                raise ProblemError("upstream-error", "the reader's answer cannot be read by this version")
            if answer.status == 404:
                return None
            if answer.status == 412:
                raise ProblemError("precondition-failed", "the file has another ETag than If-Match says, or none yet")
            if answer.status == 416:
                size = headers.get("content-range", "bytes */*")
                raise ProblemError("range-not-satisfiable", "the file is shorter", headers={"Content-Range": size})
            raise _refused(answer.status, await _first_line(answer), namespace)

    async def _ask(
        self, method: str, namespace: str, session_id: str, name: str, more: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        try:
            key = reader_key(upstream.read_key(self._read_key), namespace)
        except upstream.NoKeyError:
            raise _unavailable(upstream.NO_KEY, namespace, upstream.NO_KEY_REMEDY) from None
        token = sign(key, session_id, name, int(time.time()) + TOKEN_SECONDS)
        url = f"{self._address.format(namespace=namespace)}/v1/sessions/{session_id}/files"
        if name:
            url += "/" + quote(name)
        headers = upstream.headers(token, "*/*") | dict(more)
        try:
            return await upstream.ask(self._http, method, URL(url, encoded=True), headers, self._observe)
        except upstream.UnreachableError:
            raise _unavailable("the reader cannot be reached", namespace) from None


async def _whole(answer: aiohttp.ClientResponse) -> bytearray:
    found = bytearray()
    while piece := await answer.content.read(_PIECE):
        found += piece
        if len(found) > LONGEST_LIST:
            raise ProblemError("upstream-error", "the reader's list is too long")
    return found


def too_many_files() -> ProblemError:
    """409: there is no list until the recording is verified, and each file can be had."""
    return ProblemError(
        "too-many-files",
        f"this session has more than {MAX_FILES:,} files",
        remedy="Get each file by its name, such as transcript.jsonl, events.jsonl or segments/00001.mkv (.mka where "
        "there is no picture). The list comes once the recording is verified: then it has no segments.",
    )


async def _first_line(answer: aiohttp.ClientResponse) -> str:
    """Of what a reader says why it refuses; empty: it does not say it."""
    try:
        async with asyncio.timeout(upstream.HEAD_SECONDS):
            line, _, _ = (await answer.content.read(_LONGEST_REASON)).partition(b"\n")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return ""
    return line.decode(errors="replace")


def _refused(status: int, why: str, namespace: str) -> ProblemError:
    if status == 401:
        return _unavailable("the reader does not know this server's key", namespace, _key_remedy(namespace))
    if status == 503 and why == Unavailable.KEY:
        return _unavailable("the reader has no key", namespace, _key_remedy(namespace))
    if status == 503 and why in (Unavailable.BUSY, Unavailable.LISTING):
        return _unavailable(f"the reader is busy: {why}", namespace, "Repeat.")
    if status == 503 and why == Unavailable.VOLUME:
        return _unavailable("the volume does not answer", namespace)
    return _unavailable(f"the reader answered {status}", namespace)


def _key_remedy(namespace: str) -> str:
    return (
        f"The administrator restarts the operator, then deletes Secret {KEY_SECRET} in namespace {namespace}: the "
        "operator makes it anew within five minutes."
    )


def _unavailable(detail: str, namespace: str, remedy: str | None = None) -> ProblemError:
    return ProblemError(
        "reader-unavailable",
        detail,
        headers={"Retry-After": "5"},
        remedy=remedy
        or f"Repeat; if it stays, the administrator looks at Deployment {SERVICE} in namespace {namespace}. "
        "The files are on the volume.",
    )
