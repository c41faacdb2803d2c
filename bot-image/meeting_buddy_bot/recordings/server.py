"""The reader's HTTP server: a session's list of files, and the files, to whoever brings a token for exactly that.

A token (:mod:`meeting_buddy.contract.reader`) is checked before the volume is touched. Answers without a body of their
own say in a few words what is wrong, never why a token was refused, and nothing of what the caller sent.
"""

import asyncio
import contextlib
import json
import logging
import re
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import hdrs, web

from meeting_buddy.contract import reader
from meeting_buddy_bot.recordings import listing, ranges
from meeting_buddy_bot.recordings.access import VolumeAccess, give_back
from meeting_buddy_bot.recordings.files import MissingError, OpenFile
from meeting_buddy_bot.recordings.listing import Entry, TooManyFilesError

MAX_REQUESTS: Final = 256
"""At the same time; each may hold one piece of a file in memory."""
LISTS: Final = 6
"""At the same time, from the look at the manifest on; one of thousands of files keeps its place until it is sent."""
LONG_LIST: Final = 512 * 1024
"""Bytes; 2500 files. A shorter list gives its place back before it is sent."""
LIST_SECONDS: Final = 4.0
"""For a place among the lists; with the volume's ten less than the HTTP API waits for an answer."""
CLIENT_SECONDS: Final = 90.0
"""A client that does not take a piece for so long is cut; it may come back for the rest. The HTTP API, which counts
bytes, is the one that judges who is too slow."""
IDLE_SECONDS: Final = 60.0
"""For the next request, or the rest of a request's head, to arrive on a connection."""
DRAIN_SECONDS: Final = 10.0
"""For running downloads when the process is asked to end."""
PIECE: Final = 128 * 1024
"""Bytes that are read and sent at once."""
_SEND_BUFFER: Final = 2 * PIECE
"""Of the kernel's: from a larger one much has to be taken before it is ready for the next piece."""
_KEY_BYTES: Final = 32
_SESSION_ID: Final = re.compile(r"mbsess_[0-9a-z]{1,64}", re.ASCII)

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RecordingsServer:
    """Serves the sessions of one namespace."""

    def __init__(self, folder: Path, key_file: Path, now: Callable[[], float] = time.time) -> None:
        """``folder``: the namespace's, with one folder per session; ``key_file``: read again for each request."""
        self._folder = folder
        self._key_file = key_file
        self._now = now
        self._volume = VolumeAccess()
        self._manifests = listing.Manifests()
        self._lists = asyncio.Semaphore(LISTS)
        self._running: list[web.Request] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending = False
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/v1/sessions/{session_id}/files", self._list, allow_head=False)
        app.router.add_get("/v1/sessions/{session_id}/files/{name:.+}", self._file)
        # Cancelled handlers: who hangs up frees thread and descriptor. No access log: it would hold whole addresses.
        self.runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, keepalive_timeout=IDLE_SECONDS, shutdown_timeout=1
        )

    async def start(self, host: str | None, port: int) -> None:
        """Listen; ``host`` ``None``: on all addresses. Raises OSError when the port is taken."""
        await self.runner.setup()
        await web.TCPSite(self.runner, host, port).start()

    async def stop(self, seconds: float = DRAIN_SECONDS) -> None:
        """Take nothing new; cut what still runs after ``seconds``."""
        self._ending = True
        for site in list(self.runner.sites):
            await site.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        for request in self._running:
            _cut(request)
        await self.runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/healthz":
            return await handler(request)
        if self._ending or len(self._running) >= MAX_REQUESTS:
            answer = _unavailable(reader.Unavailable.BUSY)
            answer.force_close()
            return answer
        self._running.append(request)
        self._idle.clear()
        try:
            return await self._answered(request, handler)
        finally:
            self._running.remove(request)
            if not self._running:
                self._idle.set()

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        session_id = request.match_info.get("session_id", "")
        known = session_id if _SESSION_ID.fullmatch(session_id) else None
        try:
            if (wrong := request.match_info.http_exception) is not None:  # no such path, another method
                raise wrong
            if (refusal := self._refusal(request)) is not None:
                return refusal
            if known is None:
                raise MissingError
            return await handler(request)
        except web.HTTPException as error:
            status, allowed = HTTPStatus(error.status), error.headers.get(hdrs.ALLOW)
            return _words(status, status.phrase, {hdrs.ALLOW: allowed} if allowed else None)
        except MissingError:
            return _words(HTTPStatus.NOT_FOUND, "no such session or file")
        except TooManyFilesError:
            _log.warning("too many files for a list", extra={"facts": {"session": known}})
            return _words(HTTPStatus.CONFLICT, f"more than {reader.MAX_FILES} files")
        except OSError as error:
            _log.warning(
                "the volume refuses", extra={"facts": {"session": known, "cause": error.strerror or str(error)}}
            )
            return _unavailable(reader.Unavailable.VOLUME)
        except Exception as error:  # its text may quote what was sent
            _log.error("cannot answer", extra={"facts": {"session": known, "cause": type(error).__name__}})
            return _words(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")

    def _refusal(self, request: web.Request) -> web.Response | None:
        """The answer to who may not; ``None``: the token is good. Reads the key: the kubelet may have changed it."""
        key = self._key()
        if key is None:
            return _unavailable(reader.Unavailable.KEY)
        given = request.headers.getall(hdrs.AUTHORIZATION, [])
        kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        session_id, name = request.match_info["session_id"], request.match_info.get("name", "")
        if kind.lower() == "bearer" and reader.allows(key, token, session_id, name, self._now()):
            return None
        return _words(HTTPStatus.UNAUTHORIZED, "unauthorized", {hdrs.WWW_AUTHENTICATE: "Bearer"})

    def _key(self) -> bytes | None:
        try:
            key = self._key_file.read_bytes()
        except OSError as error:
            _log.error("no key", extra={"facts": {"cause": error.strerror}})
            return None
        if len(key) != _KEY_BYTES:
            _log.error("the key has %d bytes, not %d", len(key), _KEY_BYTES)
            return None
        return key

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # that the loop gets here is the answer

    async def _list(self, request: web.Request) -> web.StreamResponse:
        with contextlib.ExitStack() as place:
            try:
                async with asyncio.timeout(LIST_SECONDS):
                    await self._lists.acquire()
            except TimeoutError:
                return _unavailable(reader.Unavailable.LISTING)
            place.callback(self._lists.release)
            facts: dict[str, Any] = {"session": request.match_info["session_id"]}
            content = await self._made_list(facts)
            if len(content) <= LONG_LIST:
                place.close()

            async def piece(at: int, end: int) -> bytes:
                return content[at : min(at + PIECE, end)]

            response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/json; charset=utf-8"})
            response.content_length = len(content)
            try:
                return await self._send(request, response, piece, ranges.Span(0, len(content)), facts)
            finally:
                _log.info("listed", extra={"facts": facts})

    async def _made_list(self, facts: dict[str, Any]) -> bytes:
        """The list of the session that ``facts`` name."""
        listed = partial(listing.list_files, self._folder, facts["session"], self._manifests)
        entries, verified = await self._volume.call("list", listed)
        facts["files"] = len(entries)
        return await asyncio.to_thread(_list_text, entries, verified=verified)  # of thousands it takes a while

    async def _file(self, request: web.Request) -> web.StreamResponse:
        session_id, name = request.match_info["session_id"], request.match_info["name"]
        opening = partial(listing.open_file, self._folder, session_id, name, self._manifests)
        entry, file = await self._volume.call("open", opening, discard=lambda opened: opened[1].close())
        facts: dict[str, Any] = {"session": session_id, "kind": entry.kind}
        try:
            return await self._answer(request, entry, file, facts)
        finally:
            give_back(file.close)
            _log.info("served", extra={"facts": facts})

    async def _answer(
        self, request: web.Request, entry: Entry, file: OpenFile, facts: dict[str, Any]
    ) -> web.StreamResponse:
        headers = {hdrs.ACCEPT_RANGES: "bytes", "X-Content-Type-Options": "nosniff"}
        if entry.sha256 is not None:
            headers[hdrs.ETAG] = f'"{entry.sha256}"'
        failed = ranges.precondition(request, entry.sha256)
        if failed is not None:
            facts["status"] = failed.value
            return web.Response(status=failed, headers=headers)
        try:
            span = ranges.wanted(request, entry.sha256, entry.bytes)
        except ranges.UnsatisfiableError:
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            facts["status"] = status.value
            return _words(status, "no such range", {hdrs.CONTENT_RANGE: f"bytes */{entry.bytes}"})
        headers[hdrs.CONTENT_TYPE] = entry.media_type
        status = HTTPStatus.OK if span is None else HTTPStatus.PARTIAL_CONTENT
        first, length = span or (0, entry.bytes)
        if span is not None:
            headers[hdrs.CONTENT_RANGE] = f"bytes {first}-{first + length - 1}/{entry.bytes}"
        facts["status"] = status.value
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = length
        return await self._send(request, response, partial(self._piece, file), ranges.Span(first, length), facts)

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        piece_of: Callable[[int, int], Awaitable[bytes]],
        span: ranges.Span,
        facts: dict[str, Any],
    ) -> web.StreamResponse:
        """Send the span; ``piece_of`` gives what begins at a place and ends at another one, or earlier."""
        # The first piece before the head: a volume that hangs is then still told by status 503.
        at, end = span.first, span.first + span.length
        body = request.method == hdrs.METH_GET
        facts["bytes"] = 0
        piece = await piece_of(at, end) if body else b""
        try:
            if request.transport is not None:  # each write waits until the kernel has it all: one piece in memory
                request.transport.set_write_buffer_limits(high=0)
                request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            await response.prepare(request)
            while body and at < end:
                piece = piece or await piece_of(at, end)
                async with asyncio.timeout(CLIENT_SECONDS):
                    await response.write(piece)
                at, piece = at + len(piece), b""
                facts["bytes"] = at - span.first
            async with asyncio.timeout(CLIENT_SECONDS):
                await response.write_eof()
        except Exception as error:  # the head is sent: only a broken connection says that something is missing
            facts["cut"] = getattr(error, "strerror", None) or type(error).__name__
            _cut(request)
        except asyncio.CancelledError:
            facts["cut"] = "the client is gone"
            raise
        return response

    async def _piece(self, file: OpenFile, at: int, end: int) -> bytes:
        if at == end:
            return b""
        piece = await self._volume.call("read", partial(file.read, at, min(PIECE, end - at)))
        if not piece:
            raise OSError("the file has become shorter")
        return piece


def _list_text(entries: list[Entry], *, verified: bool) -> bytes:
    # Of each file by itself: all of their documents at once would take three times the text's memory.
    files = (json.dumps({**asdict(each), "media_type": each.media_type, "final": each.final}) for each in entries)
    return f'{{"files": [{", ".join(files)}], "verified": {json.dumps(verified)}}}'.encode()


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _words(status: HTTPStatus, words: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{words}\n", headers=headers)


def _unavailable(why: reader.Unavailable) -> web.Response:
    return _words(HTTPStatus.SERVICE_UNAVAILABLE, why, {hdrs.RETRY_AFTER: "5"})
