"""Routes, thin: HTTP's words on one side, :class:`Sessions` on the other. OpenAPI 3.1 comes from here."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from meeting_buddy import __version__
from meeting_buddy.http_api.documents import EXAMPLE, STATUSES, SessionList, SessionObject, SessionRequest
from meeting_buddy.http_api.events import EventStream, StreamLimits, session_events
from meeting_buddy.http_api.gate import Gate
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.problems import MEDIA_TYPE, Fault, Problem, ProblemError
from meeting_buddy.http_api.service import MAX_LIMIT, Sessions

SESSIONS: Final = "/v1/meeting-buddy/sessions"
_NAMESPACE: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_DESCRIPTION: Final = """\
Starts bots that attend online meetings, and follows them. Every call is made to Kubernetes with your own token: what it
may do there, it may do here. Problems are RFC 9457 documents; tell them apart by `type`.
"""


class Place(BaseModel):
    """Query parameters of every operation."""

    model_config = ConfigDict(extra="forbid")

    namespace: str | None = Field(
        None,
        pattern=_NAMESPACE,
        description="Namespace of the session. Default: that of your service account, or else the installation's.",
    )


class Listing(Place):
    """Query parameters of the list."""

    status: str | None = Field(None, json_schema_extra={"enum": list(STATUSES)}, description="Only these.")
    platform: str | None = Field(None, max_length=32, description="Only these, such as teams.")
    limit: int = Field(50, ge=1, le=MAX_LIMIT, description="Most sessions of a page; there may be fewer.")
    cursor: str = Field("", max_length=4096, description="next_cursor of the page before.")


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller  # by the gate; without it nothing works
    return caller


CallerOf = Annotated[Caller, Depends(_caller)]
PlaceOf = Annotated[Place, Query()]
IdOf = Annotated[str, Path(description="session_id, as mbsess_….", max_length=64)]


def _problem_responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problem, "description": _MEANINGS[code]} for code in codes}


def _event_stream(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/event-stream": {"schema": {"type": "string"}}}}


_MEANINGS: Final = {
    400: "The request cannot be read, or it is not clear in which namespace to look.",
    401: "No token, or none that Kubernetes accepts.",
    403: "The token lacks a right, which detail names; or a policy or a quota of the cluster forbids it.",
    404: "There is no such session in this namespace.",
    408: "The body did not arrive in time.",
    409: "It changed meanwhile.",
    410: "The cursor is too old.",
    413: "The body is too large.",
    414: "The query is too long.",
    415: "The body is not application/json.",
    422: "A field is not right; field names it.",
    429: "Too many requests; see Retry-After.",
    502: "Kubernetes gave an answer that makes no sense here.",
    503: "Kubernetes or the bot cannot be reached; see Retry-After.",
    504: "Kubernetes did not answer in time; see Retry-After.",
}
_COMMON: Final = (400, 401, 403, 408, 413, 414, 422, 429, 502, 503, 504)
_ONE: Final = (*_COMMON, 404)


def build(
    service: Sessions,
    ending: asyncio.Event | None = None,
    streams: StreamLimits | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The application.

    Args:
        service: does the work.
        ending: set when the process is told to end: streams tell their clients and close.
        streams: how many streams there may be, and how patient they are.
        metrics: counts streams.
    """
    app = FastAPI(
        title="Meeting Buddy",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Gate)
    _handle_errors(app)
    _session_routes(app, service)
    _stream_routes(app, service, _Streams(ending or asyncio.Event(), streams or StreamLimits(), metrics or Metrics()))
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _session_routes(app: FastAPI, service: Sessions) -> None:
    @app.post(
        SESSIONS,
        operation_id="createSession",
        summary="Start a session",
        status_code=201,
        response_model=SessionObject,
        responses=_problem_responses(*_COMMON, 409, 415),
        tags=["sessions"],
        openapi_extra={"requestBody": {"content": {"application/json": {"example": EXAMPLE}}}},
    )
    async def create(
        response: Response,
        caller: CallerOf,
        place: PlaceOf,
        body: SessionRequest,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                description="Names this request: repeated with the same body it answers with the same session, marked "
                "by the header Idempotency-Replayed. It lives as long as the session."
            ),
        ] = None,
    ) -> SessionObject:
        """Answers at once; the bot comes a little later. Follow it by GET or by its events."""
        if len(request.headers.getlist("idempotency-key")) > 1:
            raise ProblemError("bad-request", "it is given more than once", field="Idempotency-Key")
        found, replayed = await service.create(caller, place.namespace, body, idempotency_key)
        response.headers["Location"] = f"{SESSIONS}/{found.session_id}?namespace={found.organization_id}"
        if replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return found

    @app.get(
        SESSIONS,
        operation_id="listSessions",
        summary="List sessions",
        response_model=SessionList,
        responses=_problem_responses(*_COMMON, 410),
        tags=["sessions"],
    )
    async def list_sessions(caller: CallerOf, query: Annotated[Listing, Query()]) -> SessionList:
        """In the order of their names in Kubernetes. A cursor lives for a few minutes."""
        return await service.list_sessions(
            caller,
            query.namespace,
            status=query.status,
            platform=query.platform,
            limit=query.limit,
            cursor=query.cursor,
        )

    @app.get(
        SESSIONS + "/{session_id}",
        operation_id="getSession",
        summary="Read a session",
        response_model=SessionObject,
        responses=_problem_responses(*_ONE),
        tags=["sessions"],
    )
    async def get(caller: CallerOf, place: PlaceOf, session_id: IdOf) -> SessionObject:
        return await service.get(caller, place.namespace, session_id)

    @app.post(
        SESSIONS + "/{session_id}/leave",
        operation_id="leaveSession",
        summary="Ask the bot to leave",
        status_code=202,
        response_model=SessionObject,
        responses=_problem_responses(*_ONE, 409),
        tags=["sessions"],
    )
    async def leave(caller: CallerOf, place: PlaceOf, session_id: IdOf) -> SessionObject:
        """The bot leaves and finishes its files. It ends the session for good; once more is no fault."""
        return await service.leave(caller, place.namespace, session_id)

    @app.delete(
        SESSIONS + "/{session_id}",
        operation_id="deleteSession",
        summary="Delete a session",
        status_code=204,
        response_class=Response,
        responses=_problem_responses(*_ONE, 409),
        tags=["sessions"],
    )
    async def delete(caller: CallerOf, place: PlaceOf, session_id: IdOf) -> Response:
        """A bot in the meeting leaves; files stay on the volume."""
        await service.delete(caller, place.namespace, session_id)
        return Response(status_code=204)


class _Streams(NamedTuple):
    """What streams share."""

    ending: asyncio.Event
    limits: StreamLimits
    metrics: Metrics

    def stream(self, events: AsyncGenerator[bytes, None], operation: str, closed: Callable[[], None]) -> EventStream:
        return EventStream(
            events,
            operation=operation,
            ending=self.ending,
            limits=self.limits,
            metrics=self.metrics,
            closed=closed,
        )


def _stream_routes(app: FastAPI, service: Sessions, streams: _Streams) -> None:
    @app.get(
        SESSIONS + "/{session_id}/events",
        operation_id="followSession",
        summary="Follow a session",
        status_code=200,
        response_class=EventStream,
        responses={
            **_problem_responses(*_ONE),
            200: _event_stream(
                "Server-sent events: `session` with the whole session object now and after each change; "
                "`end` when it is over or deleted; `problem` when the token or a right ends. Comments in between."
            ),
        },
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
            held.callback(streams.limits.take(await service.username(caller)))
            sessions = await service.open_events(caller, place.namespace, session_id)
            return streams.stream(session_events(sessions, last_event_id), "followSession", held.pop_all().close)

    @app.get(
        SESSIONS + "/{session_id}/transcript",
        operation_id="followTranscript",
        summary="Follow a session's transcript",
        status_code=200,
        response_class=EventStream,
        responses={
            **_problem_responses(*_ONE),
            409: {"model": Problem, "description": "The bot is not there yet, the session is over, or has none."},
            200: _event_stream(
                "Server-sent events of the bot: `line`, its number as id; `partial`, a line that may "
                "still change; `gap`, lines that were left out: take the number before them as Last-Event-ID; "
                "`end` behind the last line; `problem` when the token or a right ends. Comments in between."
            ),
        },
        tags=["sessions"],
    )
    async def hear(
        caller: CallerOf,
        place: PlaceOf,
        session_id: IdOf,
        request: Request,
        last_event_id: Annotated[str | None, Header(description="Number of the last line that was seen.")] = None,
    ) -> EventStream:
        """All lines so far, then each new one. Needs the right to hear, which reading a session does not give."""
        if len(request.headers.getlist("last-event-id")) > 1:
            raise ProblemError("bad-request", "it is given more than once", field="Last-Event-ID")
        with ExitStack() as held:
            held.callback(streams.limits.take(await service.username(caller)))
            events, hang_up = await service.open_transcript(caller, place.namespace, session_id, last_event_id)
            held.callback(hang_up)
            return streams.stream(events, "followTranscript", held.pop_all().close)


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def problem(_: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> Response:
        return _validation_problem(error).response()

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return ProblemError("not-found", "there is no such path").response()
        if error.status_code == 405:
            return ProblemError("method-not-allowed", "see Allow", headers=error.headers).response()
        return ProblemError("bad-request", "the body is not JSON that can be read").response()

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> Response:
        return ProblemError("internal", "the server's log says more").response()


def _validation_problem(error: RequestValidationError) -> ProblemError:
    """What pydantic says, without the values that it quotes."""
    faults = []
    for each in error.errors():
        where, *names = each["loc"]
        if where == "body" and not names:
            kind = "bad-request" if each["type"] == "missing" else "unsupported-media-type"
            remedy = "Send it with Content-Type: application/json."
            return ProblemError(kind, "a JSON object is expected", remedy=remedy)
        if each["type"] == "json_invalid":
            return ProblemError("bad-request", "the body is not JSON")
        field = ".".join(str(name) for name in names if name != "[key]") or str(where)
        if where == "header":
            field = "-".join(part.capitalize() for part in field.split("-"))
        faults.append(Fault(field=field[:300], detail=_words(each)))
    return ProblemError(
        "invalid", "; ".join(f"{each.field}: {each.detail}" for each in faults[:10]), errors=faults[:50]
    )


_MAX_FAULTS: Final = 20
_WORDS: Final = {
    "extra_forbidden": "there is no such field",
    "string_pattern_mismatch": "it does not have the form that is allowed",
}


def _words(error: Any) -> str:
    text = _WORDS.get(error["type"], str(error["msg"]))
    return text[:1].lower() + text[1:]


def _openapi(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 with one security scheme, and problems under their own media type."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        bearer = {"type": "http", "scheme": "bearer", "description": "A Kubernetes token of your own."}
        found["components"]["securitySchemes"] = {"bearer": bearer}
        found["security"] = [{"bearer": []}]
        for operation in (each for path in found["paths"].values() for each in path.values()):
            for code, answer in operation["responses"].items():
                content = answer.get("content", {})
                if int(code) >= 400:
                    answer["content"] = {MEDIA_TYPE: next(iter(content.values()))}
            created = operation["responses"].get("201")
            if created is not None:
                created["headers"] = {
                    "Location": {"schema": {"type": "string"}, "description": "The session's own path."}
                }
        for name in ("HTTPValidationError", "ValidationError"):
            found["components"]["schemas"].pop(name, None)
        app.openapi_schema = found
    return app.openapi_schema
