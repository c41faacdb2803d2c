"""The application: its routes, what is judged before them, and what becomes of errors."""

import asyncio
from functools import cache
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from meeting_buddy import __version__
from meeting_buddy.http_api import docs_page
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.http_api.gate import Gate
from meeting_buddy.http_api.media_access import MediaAccess
from meeting_buddy.http_api.media_routes import add_event_route, add_media_routes
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.openapi import describe
from meeting_buddy.http_api.problems import Fault, ProblemError
from meeting_buddy.http_api.service import Sessions
from meeting_buddy.http_api.session_routes import add_session_routes
from meeting_buddy.http_api.streams import StreamLimits, Streams


def build(
    finder: Finder,
    service: Sessions,
    media: MediaAccess,
    ending: asyncio.Event | None = None,
    limits: StreamLimits | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The application.

    Args:
        finder: finds sessions.
        service: does the work.
        media: hands out what was said.
        ending: set when the process is told to end: streams tell their clients and close.
        limits: how many streams there may be, and how patient they are.
        metrics: counts streams.
    """
    streams = Streams(ending or asyncio.Event(), limits or StreamLimits(), metrics or Metrics())
    app = FastAPI(
        title="Meeting Buddy",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Gate)
    _handle_errors(app)
    add_session_routes(app, service)
    add_event_route(app, service, finder, streams)
    add_media_routes(app, media, finder, streams)
    app.openapi = cache(lambda: describe(app.routes))  # type: ignore[method-assign]
    docs_page.serve(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def problem(_: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> Response:
        return _validation_problem(error).response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return ProblemError("not-found", "there is no such path").response()
        if error.status_code == 405:
            return ProblemError("method-not-allowed", "see Allow", headers=_allow(app, request)).response()
        return ProblemError("bad-request", "the body is not JSON that can be read").response()

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> Response:
        # Made outside of the gate, which says the same of all other answers.
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return ProblemError("internal", "the server's log says more", headers=headers).response()


def _allow(app: FastAPI, request: Request) -> dict[str, str]:
    """All methods of a path; Starlette names those of the first route that has it."""
    routes = [each for each in app.routes if isinstance(each, Route)]
    there = [each for each in routes if each.matches(request.scope)[0] is not Match.NONE]
    return {"Allow": ", ".join(sorted({method for each in there for method in each.methods or ()}))}


def _validation_problem(error: RequestValidationError) -> ProblemError:
    """What pydantic says, without the values that it quotes."""
    faults = []
    for each in error.errors():
        where, *names = each["loc"]
        if where == "body" and not names:
            as_json = not isinstance(each.get("input"), bytes)  # what is sent as something else is not parsed
            if each["type"] == "string_unicode":
                return ProblemError("bad-request", "a name in the body is no Unicode text")
            if as_json and each["type"] != "missing":
                return ProblemError("bad-request", "the body is JSON, but no object")
            kind = "bad-request" if as_json else "unsupported-media-type"
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


_WORDS: Final = {
    "extra_forbidden": "there is no such field",
    "string_pattern_mismatch": "it does not have the form that is allowed",
}


def _words(error: Any) -> str:
    text = _WORDS.get(error["type"], str(error["msg"]))
    return text[:1].lower() + text[1:]
