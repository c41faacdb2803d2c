"""Routes that go on for long: events of a session, its transcript, its recordings. Thin, as those of sessions."""

import asyncio
import posixpath
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Path, Request, Response

from meeting_buddy.http_api.documents import SessionObject
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.media_access import MediaAccess, RecordingList
from meeting_buddy.http_api.parameters import (
    ONE,
    SESSIONS,
    CallerOf,
    IdOf,
    PlaceOf,
    check_once,
    event_stream,
    problem_responses,
)
from meeting_buddy.http_api.problems import Problem
from meeting_buddy.http_api.service import Sessions
from meeting_buddy.http_api.streams import Download, EventStream, Streams, event_text
from meeting_buddy.http_api.upstream import BrokenError

LIST_SECONDS: Final = 60.0
"""For a client to take a list of files."""
_SLICE: Final = 64 * 1024
"""Bytes of a list that wait for a client at a time."""
_EVENTS: Final = event_stream(
    "Server-sent events: `session` with the whole session object now and after each change; "
    "`end` when it is over or deleted; `problem` when the token or a right ends. Comments in between."
)
_LINES: Final = event_stream(
    "Server-sent events: `line`, its number as id; `partial`, a line that may still change; "
    "`end` behind the last line, once the session is over; `problem` when the token or a right ends. "
    "Comments in between."
)
_FILE: Final[dict[str, Any]] = {
    "description": "The file, whole or the part that `Range` asks for (206). `ETag` is its SHA-256.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_NO_TRANSCRIPT: Final = {
    "model": Problem,
    "description": "There is no bot yet, or it has ended and its files are being finished; or there is no transcript.",
}
_TOO_MANY: Final = {"model": Problem, "description": "There are too many files for a list; each has its name."}
_CONTENT: Final = {
    "Cache-Control": "no-store",
    # A page of the meeting's people must not become one of ours.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    # Or nginx takes the whole onto its disk, and hands it on when the right has ended.
    "X-Accel-Buffering": "no",
}


def add_event_route(app: FastAPI, service: Sessions, finder: Finder, streams: Streams) -> None:
    """``…/events``."""

    @app.get(
        SESSIONS + "/{session_id}/events",
        operation_id="followSession",
        summary="Follow a session",
        status_code=200,
        response_class=EventStream,
        responses={**problem_responses(*ONE), 200: _EVENTS},
        tags=["sessions"],
    )
    async def follow(
        caller: CallerOf,
        place: PlaceOf,
        session_id: IdOf,
        last_event_id: Annotated[
            str | None, Header(description="id of the last event that was seen; anything odd is ignored.")
        ] = None,
    ) -> EventStream:
        """Rights are looked at again each minute. Reconnect with Last-Event-ID when the stream breaks."""
        with ExitStack() as held:
            namespace = await _place(held, finder, streams, caller, place.namespace)
            sessions = await service.open_events(caller, namespace, session_id)
            parts = _session_events(sessions, last_event_id)
            return EventStream(parts, streams, operation="followSession", held=held)


def add_media_routes(app: FastAPI, media: MediaAccess, finder: Finder, streams: Streams) -> None:
    """``…/transcript`` and ``…/recordings``."""

    @app.get(
        SESSIONS + "/{session_id}/transcript",
        operation_id="followTranscript",
        summary="Follow a session's transcript",
        status_code=200,
        response_class=EventStream,
        responses={**problem_responses(*ONE), 409: _NO_TRANSCRIPT, 200: _LINES},
        tags=["sessions"],
    )
    async def follow_transcript(
        caller: CallerOf,
        place: PlaceOf,
        session_id: IdOf,
        request: Request,
        last_event_id: Annotated[str | None, Header(description="Number of the last line that was seen.")] = None,
    ) -> EventStream:
        """All lines so far, then each new one; of a session that is over, all of them.

        Reconnect with Last-Event-ID when the stream breaks, as one of many hours does in between: it goes on behind it.
        Needs `get` of `meetingsessions/transcript`: the right to read a session is not enough.
        """
        check_once(request, "Last-Event-ID")
        with ExitStack() as held:
            namespace = await _place(held, finder, streams, caller, place.namespace)
            parts, hang_up = await media.open_transcript(caller, namespace, session_id, last_event_id)
            held.callback(hang_up)
            return EventStream(parts, streams, operation="followTranscript", held=held)

    @app.get(
        SESSIONS + "/{session_id}/recordings",
        operation_id="listRecordings",
        summary="List a session's files",
        response_model=RecordingList,
        responses={**problem_responses(*ONE), 409: _TOO_MANY},
        tags=["sessions"],
    )
    async def recordings(caller: CallerOf, place: PlaceOf, session_id: IdOf) -> Response:
        """Recording, transcript, events, and while the bot lives the segments that are closed.

        Needs `get` of `meetingsessions/recordings`: the right to read a session is not enough.
        """
        with ExitStack() as held:  # a long list is work: it takes a place, too, until it is sent
            namespace = await _place(held, finder, streams, caller, place.namespace)
            text = await media.recordings(caller, namespace, session_id, held)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(text))}
            return Download(_slices(text), streams, operation="listRecordings", held=held, headers=headers)

    async def download(
        caller: CallerOf,
        place: PlaceOf,
        session_id: IdOf,
        name: Annotated[str, Path(description="As the list has it; it may have a slash in it.", max_length=256)],
        request: Request,
    ) -> Response:
        """Takes `Range`, `If-Range`, `If-Match` and `If-None-Match`: a download that broke off goes on where it was."""
        for header in ("Range", "If-Range", "If-Match"):
            check_once(request, header)
        with ExitStack() as held:
            namespace = await _place(held, finder, streams, caller, place.namespace)
            stored, parts = await media.open_recording(
                caller, namespace, session_id, name, request.headers, request.method
            )
            held.callback(stored.close)
            headers = (
                stored.headers
                | _CONTENT
                | {"Content-Disposition": f'attachment; filename="{posixpath.basename(name)}"'}
            )
            if request.method == "HEAD" or stored.status == 304:
                return _head(stored.status, headers)
            return Download(
                parts,
                streams,
                operation="downloadRecording",
                held=held,
                status_code=stored.status,
                headers=headers,
            )

    path = SESSIONS + "/{session_id}/recordings/{name:path}"
    responses = {**problem_responses(*ONE, 412, 416), 200: _FILE, 206: _FILE, 304: {"description": "It is the same."}}
    app.get(
        path,
        operation_id="downloadRecording",
        summary="Download a file of a session",
        response_class=Response,
        responses=responses,
        tags=["sessions"],
    )(download)
    app.head(path, response_class=Response, include_in_schema=False, operation_id="headRecording")(download)


async def _place(held: ExitStack, finder: Finder, streams: Streams, caller: Caller, namespace: str | None) -> str:
    """Take a place among the caller's streams for as long as ``held`` is; the namespace that is meant."""
    user = await finder.username(caller)
    held.callback(streams.limits.take(user))
    return namespace or finder.namespace_of(user)


async def _slices(text: bytes) -> AsyncGenerator[bytes, None]:
    """A list for a client that takes it in time: it is in memory, and keeps others from theirs, until then."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + LIST_SECONDS
    for first in range(0, len(text), _SLICE):
        if loop.time() > ends:
            raise BrokenError
        yield text[first : first + _SLICE]


def _head(status: int, headers: dict[str, str]) -> Response:
    """An answer without content; that of HEAD says how long it would be."""
    answer = Response(status_code=status, headers=headers)
    if status == 304:
        del answer.headers["content-length"]
    return answer


async def _session_events(
    sessions: AsyncGenerator[tuple[str, SessionObject], None], seen: str | None
) -> AsyncGenerator[bytes, None]:
    """States of a session as events, without the first one where it is the one that was ``seen``."""
    async with aclosing(sessions):
        async for version, session in sessions:
            if version != seen:
                yield event_text("session", session.model_dump(mode="json"), version).encode()
            seen = None
            del session  # the next one comes late
