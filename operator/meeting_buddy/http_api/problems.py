"""RFC 9457: every answer that is not a success is one ``application/problem+json``.

No problem quotes a token, a link or a value that a caller sent: it names the field.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from meeting_buddy.http_api.documents import http_field
from meeting_buddy.kube.errors import DENIAL, KubeError

MEDIA_TYPE: Final = "application/problem+json"
_PREFIX: Final = "urn:meeting-buddy:problem:"


class Kind(NamedTuple):
    """A type of problem."""

    status: int
    title: str


KINDS: Final[dict[str, Kind]] = {
    "bad-request": Kind(400, "The request cannot be read"),
    "namespace-missing": Kind(400, "It is not clear in which namespace to look"),
    "unauthorized": Kind(401, "A valid bearer token is needed"),
    "forbidden": Kind(403, "A right is missing"),
    "admission-denied": Kind(403, "A rule of this cluster forbids it"),
    "quota-exceeded": Kind(403, "The namespace's quota is used up"),
    "not-found": Kind(404, "There is no such thing, or it is not yours"),
    "no-such-recording": Kind(404, "The session has no such file"),
    "method-not-allowed": Kind(405, "This path does not have this method"),
    "request-timeout": Kind(408, "The request did not arrive in time"),
    "conflict": Kind(409, "It changed meanwhile"),
    "not-yet": Kind(409, "The transcript is not there yet"),
    "no-transcript": Kind(409, "There is no transcript of this session here"),
    "too-many-files": Kind(409, "The session has more files than a list takes"),
    "cursor-expired": Kind(410, "The cursor is too old"),
    "precondition-failed": Kind(412, "The file is not the one that If-Match names"),
    "too-large": Kind(413, "The request's body is too large"),
    "query-too-long": Kind(414, "The query is too long"),
    "unsupported-media-type": Kind(415, "The body has to be application/json"),
    "range-not-satisfiable": Kind(416, "The range lies outside the file"),
    "invalid": Kind(422, "A field is not right"),
    "idempotency-key-reused": Kind(422, "The Idempotency-Key belongs to another request"),
    "too-many-requests": Kind(429, "Too many requests"),
    "internal": Kind(500, "A fault of this server"),
    "upstream-error": Kind(502, "Kubernetes gave an answer that makes no sense here"),
    "upstream-unavailable": Kind(503, "Kubernetes does not answer"),
    "bot-unavailable": Kind(503, "The bot does not answer"),
    "reader-unavailable": Kind(503, "The reader of recordings does not answer"),
    "upstream-timeout": Kind(504, "Kubernetes did not answer in time"),
}
"""All types. A client tells them apart by ``type``, not by title; more may come."""
PASSING: Final = frozenset({"too-many-requests", "upstream-unavailable", "upstream-timeout"})
"""Those of the API server that say nothing of the caller: a stream that one of them ends may be opened again."""


class Fault(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Name of the field, query parameter or header; dots lead into nested ones.")
    detail: str


class Problem(BaseModel):
    """RFC 9457 Problem Details."""

    type: str = Field(
        description=f"What to tell problems apart by: {_PREFIX}… These are known; more may come.",
        json_schema_extra={"format": "uri", "x-extensible-enum": [_PREFIX + each for each in KINDS]},
    )
    title: str
    status: int
    detail: str = Field(description="What happened, for people.")
    field: str | None = Field(None, description="The first field that is wrong, where it is a field's fault.")
    remedy: str | None = Field(None, description="What to do about it.")
    errors: list[Fault] | None = Field(None, description="Every field that is wrong.")


class ProblemError(Exception):
    """An answer that is not a success."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.status, title = KINDS[kind]
        self.kind = kind
        if field is not None and not errors:
            errors = (Fault(field=field, detail=detail),)
        self.headers = dict(headers or {})
        if kind == "unauthorized":
            self.headers.setdefault("WWW-Authenticate", "Bearer")
        self.problem = Problem(
            type=_PREFIX + kind,
            title=title,
            status=self.status,
            detail=detail,
            field=errors[0].field if errors else None,
            remedy=remedy,
            errors=list(errors) or None,
        )

    def document(self) -> dict[str, Any]:
        """The JSON object."""
        return self.problem.model_dump(exclude_none=True)

    def response(self) -> JSONResponse:
        """The HTTP answer."""
        return JSONResponse(self.document(), self.status, self.headers, MEDIA_TYPE)


def unauthorized(detail: str = "Kubernetes does not accept this token") -> ProblemError:
    """401."""
    remedy = "Send Authorization: Bearer TOKEN with a Kubernetes token that is valid now (kubectl create token …)."
    return ProblemError("unauthorized", detail, remedy=remedy)


def not_found() -> ProblemError:
    """404, the same for what is not there and for what is not the caller's."""
    return ProblemError(
        "not-found",
        "no such session in this namespace",
        remedy="Check the id, and name the session's namespace by ?namespace=, where it is not your own.",
    )


def not_yet(detail: str, seconds: int = 5) -> ProblemError:
    """409 with Retry-After: it comes by itself."""
    headers = {"Retry-After": str(seconds)}
    return ProblemError("not-yet", detail, headers=headers, remedy="Wait for Retry-After, then repeat.")


def media_forbidden(virtual: str, namespace: str) -> ProblemError:
    """403: the right to read a session does not include its transcript and recordings."""
    return ProblemError(
        "forbidden",
        f"your token may not get {virtual} in namespace {namespace}",
        remedy=_binding("listener", namespace),
    )


def _binding(role: str, namespace: str) -> str:
    """Which of the chart's roles helps: it has Roles where it serves some namespaces, else ClusterRoles."""
    return (
        f"Ask the administrator to bind the chart's Role meeting-buddy-{role} in namespace {namespace} to you; where "
        f"the chart serves all namespaces, its ClusterRole meeting-buddy:<its namespace>:<its release>:{role}."
    )


_RBAC: Final = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"')
_DENIER: Final = re.compile(DENIAL.pattern + ":")
_QUOTED_VALUE: Final = re.compile(r'(?:Invalid|Unsupported|Duplicate) value: (?:"(?:[^"\\]|\\.)*"|[^:]*): ?', re.DOTALL)
_WEBHOOK: Final = re.compile(r'failed calling webhook "([^"]+)"')
_IMMEDIATELY: Final = 1
_NO_ANSWER_SECONDS: Final = 5


def from_kube(error: KubeError) -> ProblemError:
    """What a caller is told of a failed call to the API server."""
    if error.unreadable:
        return ProblemError("upstream-error", error.message)
    if error.denied and not (error.invalid and any(each.field for each in error.causes)):
        return _denied(error)
    if error.status in _MAPPED:
        return _MAPPED[error.status](error)
    if error.status == 0 and error.reason == "TimeoutError":
        return ProblemError("upstream-timeout", "the API server did not answer in time", headers=_wait(error))
    if error.status == 0:
        return ProblemError("upstream-unavailable", "the API server cannot be reached", headers=_wait(error))
    if error.status >= 500:
        return _out_of_order(error)
    return ProblemError("upstream-error", f"the API server answered {error.status} {error.reason}".rstrip())


def _out_of_order(error: KubeError) -> ProblemError:
    if found := _WEBHOOK.search(error.message):
        return ProblemError(
            "upstream-unavailable",
            f"the API server got no usable answer from the admission webhook {found[1]}, which has to allow this",
            headers=_wait(error),
            remedy="Ask the administrator to look at this webhook, then try again.",
        )
    told = f"the API server answered {error.status} {error.reason}".rstrip()
    return ProblemError("upstream-unavailable", told, headers=_wait(error))


def _wait(error: KubeError, least: int = _NO_ANSWER_SECONDS) -> dict[str, str]:
    return {"Retry-After": str(int(error.retry_after) or least)}


def _forbidden(error: KubeError) -> ProblemError:
    if "system:anonymous" in error.message:
        return unauthorized()
    if found := _RBAC.search(error.message):
        verb, resource = found.groups()
        if not error.namespace:  # a review of oneself, which Kubernetes lets everybody make
            return ProblemError(
                "forbidden",
                f"your token may not {verb} {resource}",
                remedy="Ask the administrator to bind Kubernetes' ClusterRole system:basic-user to you, cluster-wide.",
            )
        return ProblemError(
            "forbidden",
            f"your token may not {verb} {resource} in namespace {error.namespace}",
            remedy=f"{_binding('caller', error.namespace)} Finding a session by its id needs list. If you mean another "
            "namespace, name it: ?namespace=NAME.",
        )
    if "exceeded quota" in error.message:
        return ProblemError("quota-exceeded", _words(error), remedy="End and delete sessions, or raise the quota.")
    if "status unknown for quota" in error.message:  # a new quota is counted first
        return ProblemError(
            "upstream-unavailable",
            "the namespace's quota has not been counted yet",
            headers=_wait(error),
            remedy="Repeat; if it stays, the administrator looks at the namespace's ResourceQuota.",
        )
    return _denied(error)


def _denied(error: KubeError) -> ProblemError:
    fields = [http_field(each) for each in re.findall(r"\bspec(?:\.\w+)+", error.message)]
    return ProblemError("admission-denied", _words(error), field=fields[0] if fields else None)


def _words(error: KubeError) -> str:
    """The API server's own words, without who says them and without values."""
    text = _DENIER.split(error.message, 1)[-1].strip() or error.message
    return _in_http_names(_QUOTED_VALUE.sub("", text))


def _in_http_names(text: str) -> str:
    return re.sub(r"\bspec(?:\.\w+)+", lambda found: http_field(found[0]), text)


def _invalid(error: KubeError) -> ProblemError:
    faults = [
        Fault(field=http_field(cause.field), detail=_in_http_names(_QUOTED_VALUE.sub("", cause.message)) or "invalid")
        for cause in error.causes
    ]
    if not faults:
        return ProblemError("invalid", _words(error) if error.message else "the API server finds the session invalid")
    return ProblemError("invalid", "; ".join(each.detail for each in faults), errors=faults)


_NO_CRD: Final = ("404 page not found", "the server could not find the requested resource")


def _absent(error: KubeError) -> ProblemError:
    if error.message.strip() in _NO_CRD:
        return ProblemError(
            "upstream-error",
            "the cluster does not know MeetingSessions",
            remedy="The administrator installs the chart's CustomResourceDefinition.",
        )
    if not error.not_found:  # of a proxy, say: nobody knows whether there is such a session
        detail = "the API server cannot be reached: a 404 came that is not its own"
        return ProblemError("upstream-unavailable", detail, headers=_wait(error))
    if error.message.startswith("namespaces "):
        detail = f"there is no namespace {error.namespace}"
        return ProblemError("not-found", detail, field="namespace", remedy="Name one that exists: ?namespace=NAME.")
    return not_found()


def _bad_request(error: KubeError) -> ProblemError:
    if "continue" in error.message and not error.name:
        return ProblemError(
            "invalid", "this is no cursor of this list", field="cursor", remedy="List again without a cursor."
        )
    if "unknown field" in error.message:
        return ProblemError(
            "upstream-error",
            "the cluster's CustomResourceDefinition does not know a field of this request: " + _words(error),
            remedy="The administrator has to upgrade the CRD, or leave the field out.",
        )
    return ProblemError("upstream-error", "the API server did not understand the request")


def _changed(error: KubeError) -> ProblemError:
    headers = {"Retry-After": "1"}
    if 'cannot be fulfilled on resourcequotas "' in error.message:  # many begin at once: no session was created
        return ProblemError("conflict", "the namespace's quota was being counted", remedy="Repeat.", headers=headers)
    return ProblemError(
        "conflict", "the session changed meanwhile", remedy="Read it again, then repeat.", headers=headers
    )


_MAPPED: Final[dict[int, Callable[[KubeError], ProblemError]]] = {
    400: _bad_request,
    401: lambda _: unauthorized(),
    403: _forbidden,
    404: _absent,
    409: _changed,
    410: lambda _: ProblemError(
        "cursor-expired",
        "Kubernetes keeps the state that the cursor belongs to for a few minutes only",
        field="cursor",
        remedy="List again without a cursor.",
    ),
    422: _invalid,
    429: lambda error: ProblemError(
        "too-many-requests", "the API server asks to slow down", headers=_wait(error, _IMMEDIATELY)
    ),
}
