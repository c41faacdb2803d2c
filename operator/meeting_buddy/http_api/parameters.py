"""What routes share: parameters of every operation, and what is said of their answers."""

from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from meeting_buddy.http_api.documents import SESSIONS
from meeting_buddy.http_api.identity import Caller
from meeting_buddy.http_api.problems import Problem, ProblemError

__all__ = [
    "COMMON",
    "ONE",
    "SESSIONS",
    "CallerOf",
    "IdOf",
    "Place",
    "PlaceOf",
    "check_once",
    "event_stream",
    "problem_responses",
]

_NAMESPACE: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


class Place(BaseModel):
    """Query parameters of every operation."""

    model_config = ConfigDict(extra="forbid")

    namespace: str | None = Field(
        None,
        pattern=_NAMESPACE,
        description="Namespace of the session. Default: that of your service account, or else the installation's.",
    )


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller  # by the gate; without it nothing works
    return caller


CallerOf = Annotated[Caller, Depends(_caller)]
PlaceOf = Annotated[Place, Query()]
IdOf = Annotated[str, Path(description="session_id, as mbsess_….", max_length=64)]


def problem_responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problem, "description": _MEANINGS[code]} for code in codes}


def event_stream(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/event-stream": {"schema": {"type": "string"}}}}


_MEANINGS: Final = {
    400: "The request cannot be read, or it is not clear in which namespace to look.",
    401: "No token, or none that Kubernetes accepts.",
    403: "The token lacks a right, which detail names; or a policy or a quota of the cluster forbids it.",
    404: "There is no such session in this namespace, or no such file of it.",
    408: "The body did not arrive in time.",
    409: "It changed meanwhile.",
    410: "The cursor is too old.",
    412: "The file is not the one that If-Match names.",
    413: "The body is too large.",
    414: "The query is too long.",
    415: "The body is not application/json.",
    416: "The range lies outside the file.",
    422: "A field is not right; field names it.",
    429: "Too many requests; see Retry-After.",
    502: "Kubernetes gave an answer that makes no sense here.",
    503: "Kubernetes, the bot or the reader of recordings cannot be reached; see Retry-After.",
    504: "Kubernetes did not answer in time; see Retry-After.",
}
COMMON: Final = (400, 401, 403, 408, 413, 414, 422, 429, 502, 503, 504)
ONE: Final = (*COMMON, 404)


def check_once(request: Request, header: str) -> None:
    """Raises ``ProblemError`` for a header that is given more than once: which one counts?"""
    if len(request.headers.getlist(header)) > 1:
        raise ProblemError("bad-request", "it is given more than once", field=header)
